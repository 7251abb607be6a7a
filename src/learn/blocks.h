/* blocks.h - what a classifier of images is built of, as far as its name tells. */
#ifndef RG_BLOCKS_H
#define RG_BLOCKS_H

#include "base/base.h"

/* Bits of RG_BLOCK_*, of the longest known beginning of the name; 0: nothing is known. */
uint32_t rg_blocks_of(rg_str name);
/* The bit of one letter. */
uint32_t rg_block(char letter);
/* Side of the squares that become tokens, "patch16" or "_p16"; 0: the name has none. */
int64_t rg_patch_of(rg_str name);

#endif
