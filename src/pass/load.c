/* load.c - from a name to a graph that is ready: read, bound, inferred, passed. The whole of rg_graph_load. */
#include "format/format.h"
#include "pass/pass.h"

#include <string.h>

rg_err rg_graph_load(rg_ctx *cx, const char *model, const rg_load_opt *opt, const rg_graph **out)
{
    rg_load_opt o = {0};
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    rg_graph *file = NULL, *bound = NULL, *ready = NULL;
    RG_TRY(rg_format_read(cx, model, &file));
    rg_binding binding = {.shape = o.shape, .value = o.value, .trip = o.trip, .batch = o.batch, .symbolic = o.symbolic};
    rg_err err = rg_graph_bind(cx, file, &binding, &bound);
    rg_graph_free(file); /* the bound graph keeps what it shares alive */
    if (err) return rg_note(cx, err, "%s", model);
    if (o.raw) {
        *out = bound;
        return RG_OK;
    }
    err = rg_passes_run(cx, bound, NULL, &ready);
    rg_graph_free(bound);
    if (err) return rg_note(cx, err, "%s", model);
    *out = ready;
    return RG_OK;
}
