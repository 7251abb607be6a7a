/* kernel_case.h - one node run by its plain kernel, its inputs and what must come out as text.
 *
 *     {"MatMul", "f32[1,2]=1,2 f32[2,1]=3,4", NULL, "f32[1,1]=11", RG_OK}
 */
#ifndef KERNEL_CASE_H
#define KERNEL_CASE_H

#include "case_graph.h"
#include "exec/exec.h"

#include <stdio.h>
#include <stdlib.h>

/* With an error expected, the outputs say only how many there are. */
typedef struct kernel_case { const char *op, *inputs, *attrs, *outputs; rg_err err; } kernel_case;

static inline rg_err kernel_case_compare(rg_ctx *cx, const kernel_case *k, const rg_datum *const *out,
                                         char *text, size_t size)
{
    rg_graph *want = NULL;
    rg_value_id ids[CASE_VALUE_MAX];
    uint32_t count = 0;
    rg_err err = rg_graph_new(cx, &want);
    if (!err) err = case_values(cx, want, k->outputs, true, ids, &count);
    for (uint32_t i = 0, made = 0; i < count && !err; i++) {
        rg_datum *datum;
        if (!ids[i]) continue; /* an omitted output is none of the graph's */
        err = rg_datum_of(cx, want->values[ids[i]].data, &datum);
        if (err) break;
        if (!rg_datum_close(out[made++], datum, 1e-6, 1e-12, text, size)) err = RG_FAILED;
        rg_datum_free(datum);
    }
    rg_graph_free(want);
    return err;
}

/* RG_FAILED: the outputs differ, how in `text`. */
static inline rg_err kernel_case_run(rg_ctx *cx, const kernel_case *k, char *text, size_t size)
{
    const rg_op *op = rg_op_find((rg_str){0}, rg_str_of(k->op));
    const rg_datum *out[CASE_VALUE_MAX] = {0};
    rg_graph *g = NULL;
    rg_naive *naive = NULL;
    rg_err err = op ? case_graph(cx, op, &(rg_case){k->inputs, k->attrs, k->outputs}, &g) : RG_INTERNAL;
    if (!err) err = case_infer(cx, g);
    if (!err) err = rg_naive_new(cx, g, NULL, &naive);
    if (!err) err = rg_naive_run(cx, naive, NULL, out);
    snprintf(text, size, "%s", err ? rg_ctx_error(cx) : "");
    if (!err && !k->err) err = kernel_case_compare(cx, k, out, text, size);
    for (size_t i = 0; i < RG_COUNT(out); i++) rg_datum_free(out[i]);
    rg_naive_free(naive);
    rg_graph_free(g);
    return err;
}

/* Runs them all; how many were not as stated, each printed. */
static inline int kernel_cases_wrong(const kernel_case *cases, size_t count)
{
    int wrong = 0;
    for (size_t i = 0; i < count; i++) {
        char text[512];
        rg_ctx *cx = rg_ctx_new(NULL);
        rg_err err = kernel_case_run(cx, &cases[i], text, sizeof text);
        if (err != cases[i].err) {
            fprintf(stderr, "%s(%s) %s: error %d, not %d: %s\n", cases[i].op, cases[i].inputs,
                    cases[i].attrs ? cases[i].attrs : "", (int)err, (int)cases[i].err, text);
            wrong++;
        }
        rg_ctx_free(cx);
    }
    return wrong;
}

/* ---- memory that ends anywhere ---- */

typedef struct kernel_meter { long asked, refused; } kernel_meter; /* allocations so far; the one refused */

static inline void *kernel_meter_alloc(void *user, size_t size)
{
    kernel_meter *m = user;
    return ++m->asked == m->refused ? NULL : malloc(size);
}

static inline void kernel_meter_free(void *user, void *block)
{
    (void)user;
    free(block);
}

/* Each case again with its n-th allocation refused, for every n: how many then gave anything but RG_NOMEM, or
 * the answer that they should. */
static inline int kernel_cases_starved(const kernel_case *cases, size_t count)
{
    int wrong = 0;
    char text[512];
    for (size_t i = 0; i < count; i++) {
        bool refused = true;
        for (long n = 2; refused; n++) { /* the first is the context's own */
            kernel_meter meter = {.refused = n};
            rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .alloc = kernel_meter_alloc,
                                                  .free = kernel_meter_free, .user = &meter});
            rg_err err = cx ? kernel_case_run(cx, &cases[i], text, sizeof text) : RG_NOMEM;
            refused = meter.asked >= n;
            if (err == RG_NOMEM ? !refused : err != cases[i].err) {
                fprintf(stderr, "%s(%s), allocation %ld refused: error %d: %s\n", cases[i].op,
                        cases[i].inputs, n, (int)err, text);
                wrong++;
            }
            rg_ctx_free(cx);
        }
    }
    return wrong;
}

#endif
