/* fuzz_text.c - the text form under arbitrary bytes: whatever parses must print, and what is printed must
 * parse back to an equal graph. Built with -fsanitize=fuzzer.
 */
#include "ir/ir.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_MAX_BYTE = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .memory_limit_byte = MEMORY_MAX_BYTE});
    rg_graph *graph, *again;
    rg_text text;
    if (!cx) return 0;
    rg_err err = rg_graph_of_text(cx, (rg_str){(const char *)data, size}, NULL, &graph);
    if (err == RG_INTERNAL) abort(); /* the parser lets nothing through that the verifier has to catch */
    if (!err) {
        rg_text_init(&text, &cx->arena);
        err = rg_graph_to_text(cx, graph, &text);
        if (!err) err = rg_graph_of_text(cx, (rg_str){text.data, text.size}, NULL, &again);
        if (!err) {
            if (!rg_graph_eq(graph, again) || rg_graph_hash(graph) != rg_graph_hash(again)) abort();
            rg_graph_free(again);
        } else if (err != RG_NOMEM && err != RG_LIMIT) { /* a text may be longer than what it came from */
            abort();
        }
        rg_graph_free(graph);
    }
    rg_ctx_free(cx);
    return 0;
}
