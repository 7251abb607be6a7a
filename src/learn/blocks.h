/* blocks.h - what a classifier of images is built of, as far as its name tells. */
#ifndef RG_BLOCKS_H
#define RG_BLOCKS_H

#include "base/base.h"

typedef struct rg_blocks {
    uint32_t bits;               /* as rg_sketch.blocks; 0: nothing is known */
    bool plain;                  /* all layers see the same positions, as in a plain transformer */
} rg_blocks;

/* By data/vision/families.json, read once for cx and its workers. RG_FORMAT, RG_INPUT: it is wrong. */
rg_err rg_blocks_of(rg_ctx *cx, rg_str name, rg_blocks *out) RG_CHECKED;
/* The bit of one structure, "dense"; 0: there is none of that name. */
uint32_t rg_block(const char *name);
/* Side of the squares that become tokens, "patch16" or "_p16"; 0: the name has none. */
int64_t rg_patch_of(rg_str name);

#endif
