/* judge_rowwise.c - operators on a matrix [rows, cols]: element by element, and row by row, as PyTorch calls
 * them, launch included. What ends in "u" has one scalar operand.
 */
#include "learn/judge_graph.h"

typedef enum operands { ALONE, WITH_ANOTHER, WITH_SCALAR, WITH_WEIGHTS } operands;

static const struct { const char *name, *type, *attrs; operands operands; } operators[] = {
    {"add", "Add", NULL, WITH_ANOTHER},  {"addu", "Add", NULL, WITH_SCALAR},
    {"sub", "Sub", NULL, WITH_ANOTHER},  {"subu", "Sub", NULL, WITH_SCALAR},
    {"mul", "Mul", NULL, WITH_ANOTHER},  {"mulu", "Mul", NULL, WITH_SCALAR},
    {"div", "Div", NULL, WITH_ANOTHER},  {"divu", "Div", NULL, WITH_SCALAR},
    {"pow", "Pow", NULL, WITH_ANOTHER},  {"powu", "Pow", NULL, WITH_SCALAR},
    {"relu", "Relu", NULL, ALONE},       {"gelu", "Gelu", NULL, ALONE},
    {"tanh", "Tanh", NULL, ALONE},       {"sigmoid", "Sigmoid", NULL, ALONE},
    {"softmax", "Softmax", "axis=-1", ALONE}, {"ln", "LayerNormalization", "axis=-1", WITH_WEIGHTS},
};

static rg_value_id build(rg_build *b, size_t op, rg_dtype dtype, int64_t rows, int64_t columns)
{
    const char *type = operators[op].type, *attrs = operators[op].attrs;
    rg_dim dim[] = {rows, columns};
    rg_value_id x = rg_build_input(b, "x", dtype, 2, dim), y, bias;
    switch (operators[op].operands) {
    case ALONE: break;
    case WITH_ANOTHER:
        y = rg_build_input(b, "y", dtype, 2, dim);
        return rg_build_node(b, type, attrs, x, y, -1);
    case WITH_SCALAR:
        y = rg_build_param(b, "scalar", dtype, 0, NULL);
        return rg_build_node(b, type, attrs, x, y, -1);
    case WITH_WEIGHTS:
        y = rg_build_param(b, "scale", dtype, 1, &columns);
        bias = rg_build_param(b, "bias", dtype, 1, &columns);
        return rg_build_node(b, type, attrs, x, y, bias, -1);
    }
    return rg_build_node(b, type, attrs, x, -1);
}

static rg_err run(rg_ctx *cx, const rg_exam *exam, size_t op, double *out)
{
    rg_build b;
    rg_graph *graph = NULL;
    rg_run_cost cost;
    rg_dtype dtype;
    int64_t rows, columns;
    RG_TRY(rg_judge_size(cx, exam, "rows", &rows));
    RG_TRY(rg_judge_size(cx, exam, "cols", &columns));
    RG_TRY(rg_judge_dtype(cx, exam, "dtype", &dtype));
    RG_TRY(rg_build_init(&b, cx, "operator"));
    rg_build_output(&b, "result", build(&b, op, dtype, rows, columns));
    RG_TRY(rg_build_done(&b, &graph));
    RG_TRY(rg_judge_graph(cx, exam, graph, exam->device, exam->runtimes[0], &cost));
    out[0] = cost.latency_s;
    return RG_OK;
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    rg_str op = rg_exam_text(exam, "op");
    for (size_t i = 0; i < RG_COUNT(operators); i++)
        if (rg_str_is(op, operators[i].name)) return run(cx, exam, i, out);
    return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no operator on rows that is known", RG_STR(op));
}

RG_JUDGE(rowwise) = {
    .name = "rowwise", .brief = "Operators on a matrix, element by element or row by row, with PyTorch",
    .columns = {"device", "op", "rows", "cols", "dtype"},
    .device = "device", .family = "op", .runtimes = {"pytorch-eager"},
    .quantities = {{"latency", "latency_us", 1e-6, RG_UNIT_SECOND}},
    .forecast = forecast,
};
