/* zoo.h - the built-in models: well-known architectures without weights, so that nobody needs a file to
 * begin.
 *
 * tools/tables.sh collects every RG_ZOO(id) in src/format/ into the build's zoo_table.c. Inputs have a
 * symbolic batch of 1; parameters have shapes and no data.
 */
#ifndef RG_ZOO_H
#define RG_ZOO_H

#include "format/format.h"

typedef struct rg_zoo {
    const char *name;        /* zoo:NAME */
    const char *family;      /* as rg_facts calls it: "cnn", "transformer", "mlp" */
    const char *source;      /* of the architecture and of the figures */
    double parameters, macs; /* as published, at the inputs' preset sizes */
    const void *layout;      /* the builder's own table, where several models share one */
    rg_err (*build)(rg_ctx *cx, const struct rg_zoo *self, rg_graph **out); /* finished, not resolved */
} rg_zoo;

#define RG_ZOO(id) const rg_zoo rg_zoo_##id

extern const rg_zoo *const rg_zoo_table[];
extern const int rg_zoo_count;

/* ---- what the builders share (zoo_find.c) ---- */

/* Names of what comes next begin with this: "layer1.0.conv1". */
void rg_zoo_scope(rg_build *b, const char *format, ...) RG_PRINTF(2, 3);
/* [batch, in] -> [batch, out], with bias: torch's Linear, whose weight is [out, in]. */
rg_value_id rg_zoo_linear(rg_build *b, rg_value_id x, int64_t in, int64_t out);

#endif
