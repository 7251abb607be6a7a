/* kernel_run.h - one node run by its plain kernel, from text: rows of operator, inputs, attributes and the
 * outputs that are wanted, elements included ("f32[2]=1,2 i64[]=3"). Outputs hold garbage before.
 */
#ifndef KERNEL_RUN_H
#define KERNEL_RUN_H

#include "case_graph.h"
#include "exec/exec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { KERNEL_OUT_MAX = 8 };

typedef struct kernel_row { const char *op, *inputs, *attrs, *wanted; } kernel_row;

/* "Relu", or "ai.onnx.ml:Scaler". */
static inline const rg_op *kernel_op(const char *text)
{
    rg_str name = rg_str_of(text), domain;
    rg_str_cut(&name, ':', &domain);
    return name.size ? rg_op_find(domain, name) : rg_op_find(rg_str_of(""), domain);
}

/* `strings`: what the graph's first input holds, where the text cannot say it; NULL for none. */
static inline rg_err kernel_run(rg_ctx *cx, const kernel_row *row, const rg_datum *strings,
                                const rg_naive_opt *opt, const rg_datum **out)
{
    const rg_op *op = kernel_op(row->op);
    rg_naive *naive = NULL;
    rg_graph *g = NULL;
    assert_non_null(op);
    rg_err err = case_graph(cx, op, &(rg_case){row->inputs, row->attrs, row->wanted}, &g);
    if (!err) err = case_infer(cx, g);
    if (!err) err = rg_naive_new(cx, g, opt, &naive);
    if (!err) err = rg_naive_run(cx, naive, &strings, out);
    rg_naive_free(naive);
    rg_graph_free(g);
    return err;
}

/* The constant that a token like "f32[2]=1,2" states. */
static inline rg_datum *kernel_datum(rg_ctx *cx, rg_str token)
{
    rg_graph *g = NULL;
    rg_value_id id = 0;
    rg_datum *out = NULL;
    assert_int_equal(rg_graph_new(cx, &g), RG_OK);
    assert_int_equal(case_value(cx, g, token, true, &id), RG_OK);
    assert_int_equal(rg_datum_of(cx, g->values[id].data, &out), RG_OK);
    rg_graph_free(g);
    return out;
}

static inline void kernel_check(rg_ctx *cx, const kernel_row *row)
{
    const rg_datum *out[KERNEL_OUT_MAX] = {NULL};
    rg_str rest = rg_str_of(row->wanted), token;
    char text[256], why[512];
    rg_err err = kernel_run(cx, row, NULL, &(rg_naive_opt){.poison = true}, out);
    if (err) fail_msg("%s(%s) {%s}: %s", row->op, row->inputs, row->attrs, rg_ctx_error(cx));
    for (int i = 0; rest.size > 0 && rg_str_cut(&rest, ' ', &token); i++) {
        if (rg_str_is(token, "_")) {
            i--; /* no output of the graph */
            continue;
        }
        rg_datum *wanted = kernel_datum(cx, token);
        double tolerance = rg_dtype_is_float(wanted->array.dtype) ? 1e-6 : 0;
        bool same = rg_datum_close(out[i], wanted, tolerance, tolerance, text, sizeof text);
        rg_str_print(why, sizeof why, "%s(%s) {%s}: output %d %s", row->op, row->inputs, row->attrs, i, text);
        rg_datum_free(wanted);
        if (!same) fail_msg("%s", why);
    }
    for (int i = 0; i < KERNEL_OUT_MAX; i++) rg_datum_free(out[i]);
}

#define KERNEL_CHECK_ALL(cx, rows) \
    for (size_t row_ = 0; row_ < RG_COUNT(rows); row_++) kernel_check((cx), &(rows)[row_])

/* It fails, with this error. */
static inline void kernel_check_fails(rg_ctx *cx, const kernel_row *row, rg_err wanted)
{
    const rg_datum *out[KERNEL_OUT_MAX] = {NULL};
    rg_err err = kernel_run(cx, row, NULL, &(rg_naive_opt){.poison = true}, out);
    for (int i = 0; i < KERNEL_OUT_MAX; i++) rg_datum_free(out[i]);
    if (err != wanted)
        fail_msg("%s(%s) {%s}: error %d, wanted %d", row->op, row->inputs, row->attrs, (int)err, (int)wanted);
}

#endif
