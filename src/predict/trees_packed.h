/* trees_packed.h - nodes of a member as a file of "ridge.trees/2" has them: two bytes each. */
#ifndef RG_TREES_PACKED_H
#define RG_TREES_PACKED_H

#include "predict/trees.h"

/* Nodes and roots of a member, of its node_count nodes, from the beginning of `bytes`; *taken: how many of
 * these they were. Every node is checked. RG_FORMAT, RG_LIMIT, RG_NOMEM. */
rg_err rg_trees_unpack(rg_ctx *cx, rg_arena *arena, rg_trees_member *member, size_t features, rg_str bytes,
                       size_t *taken) RG_CHECKED;
/* The inverse, but for leaves, which are rounded to a 2^-14th of the largest. RG_LIMIT, RG_NOMEM. */
rg_err rg_trees_pack(rg_ctx *cx, const rg_trees_member *member, size_t features, rg_text *to) RG_CHECKED;

#endif
