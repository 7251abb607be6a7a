/* judge_edge.c - small machines (desktop processors, modules for robots): operators, benchmarks, fused parts
 * of networks and whole ones, with PyTorch or NumPy, one call at a time.
 *
 * A part of a network is known by its modules, operations and bytes; it is priced as
 *
 *     launches L                                host, one after the other
 *     max(F / (peak e_c), B / (bandwidth e_m))  device
 *
 * On a GPU kernels run behind the launches that follow: t = max(n L, L + device); on a CPU t = n L + device.
 * Whole models are priced by their graph. A sum of parts that were timed one at a time waits for each of
 * them, so nothing is hidden: its launches come on top.
 *
 * A module's GPU is launched by its own processor, whose profile has the GPU's id with "-cpu" behind it and
 * the same power modes.
 */
#include "learn/edge_piece.h"
#include "learn/judge_model.h"

#include "op/op.h"
#include "predict/predict.h"

#include <math.h>
#include <string.h>

enum { EAGER, MODULE }; /* of runtimes[] */
/* Calls on a CPU, whatever they compute, at CALL_HZ: of NumPy's functions (assumed), of an operator of
 * PyTorch, of a module of it, Python included. The last two are those of the smallest ones on a desktop
 * processor. */
#define NUMPY_CALL_S 1e-6
#define OPERATOR_CALL_S 3e-6
#define MODULE_CALL_S 12e-6
#define CALL_HZ 5e9
/* Of a module's call, what is left where it moves no data, and where it moves but computes nothing: views
 * launch nothing. Of all modules of that kind of the same measurements. */
static const struct { double idle, move; } call_share[] = {{0.4, 0.7}, {0.25, 0.4}}; /* GPU, CPU */
enum { PRODUCT_CALLS = 3 }; /* as in edge_piece.c */

/* ---- the machine ---- */

typedef struct machine {
    const rg_device *device;
    const rg_runtime *runtime;
    double host_hz;
    bool tf32;
    rg_learning learning;
} machine;

/* In the mode that the row names, where it is one of the device's; else as it is. */
static rg_err in_mode(rg_ctx *cx, const rg_device *device, rg_str mode, const rg_device **out)
{
    const char *name = rg_arena_cstr(&cx->arena, mode);
    if (!name) return rg_nomem(cx);
    rg_err err = mode.size && device->mode_count ? rg_device_in_mode(cx, device, name, out) : RG_INPUT;
    if (err == RG_INPUT) *out = rg_device_ref(device);
    return err == RG_INPUT ? RG_OK : err;
}

/* The clock of the processor beside the GPU in the same mode; 0: it has no profile. */
static rg_err host_clock(rg_ctx *cx, const rg_device *gpu, double *out)
{
    const char *at = strchr(gpu->id, '@');
    int size = at ? (int)(at - gpu->id) : (int)strlen(gpu->id);
    const char *name = rg_arena_printf(&cx->arena, "%.*s-cpu", size, gpu->id);
    const rg_device *cpu = NULL, *found = NULL;
    *out = 0;
    if (!name) return rg_nomem(cx);
    rg_err err = rg_device_find(cx, name, &found);
    if (err) return err == RG_NOMEM ? err : RG_OK;
    err = in_mode(cx, found, rg_str_of(at ? at + 1 : ""), &cpu);
    if (!err) *out = rg_device_clock_max(cpu);
    if (!err) rg_device_free(cpu);
    rg_device_free(found);
    return err;
}

/* "fp32(tf32 on)" and "tf32" are products of f32 on tensor cores, which rows that do not say so do without.
 */
static bool has_tf32(const rg_exam *exam)
{
    rg_str text = rg_exam_text(exam, "precision"), name;
    return rg_str_is(text, "tf32") || (rg_str_cut(&text, '(', &name) && rg_str_is(text, "tf32 on)"));
}

static rg_err machine_open(rg_ctx *cx, const rg_exam *exam, machine *m)
{
    *m = (machine){.runtime = exam->runtimes[EAGER], .tf32 = has_tf32(exam), .learning = exam->learning};
    RG_TRY(in_mode(cx, exam->device, rg_exam_text(exam, "power_mode"), &m->device));
    if (m->device->kind != RG_DEVICE_GPU) return RG_OK;
    rg_err err = host_clock(cx, m->device, &m->host_hz);
    if (err) rg_device_free(m->device);
    if (m->host_hz > 0) m->runtime = exam->runtimes[MODULE];
    return err;
}

static bool is_cpu(const machine *m) { return m->device->kind == RG_DEVICE_CPU; }

/* Host time of one module. */
static double call_s(const machine *m)
{
    double stated_hz = m->runtime->host_clock_hz;
    if (is_cpu(m)) return MODULE_CALL_S * CALL_HZ / rg_device_clock_max(m->device);
    return m->runtime->launch_s * (m->host_hz > 0 && stated_hz > 0 ? stated_hz / m->host_hz : 1);
}

/* The runtime with calls as they are timed alone: of `cpu_s` on a CPU; nothing is spent around them. */
static rg_err with_calls(rg_ctx *cx, const machine *m, double cpu_s, rg_runtime **out)
{
    RG_TRY(rg_runtime_clone(cx, m->runtime, out));
    (*out)->graph_s = 0;
    (*out)->tf32 = m->tf32 ? "allowed" : NULL;
    if (is_cpu(m)) (*out)->launch_s = cpu_s, (*out)->host_clock_hz = CALL_HZ;
    return RG_OK;
}

/* Products that are called again and again have their weights as the library wants them: they stream. */
static void stream_products(rg_runtime *runtime)
{
    for (size_t i = 0; i < runtime->efficiency_count; i++)
        if (strcmp(runtime->efficiencies[i].family, "gemm@cpu") == 0) runtime->efficiencies[i].memory = 1;
}

/* ---- graphs ---- */

typedef struct wish { const char *precision; int threads; bool apart, whole; } wish;

/* What waiting for each row adds: the launches that its kernels were hidden behind. */
static double apart_s(const rg_forecast *f, const machine *m)
{
    double sum = 0;
    for (size_t i = 0; i < f->plan->row_count; i++) {
        const rg_row *row = &f->plan->rows[i];
        bool product = row->family == RG_FAMILY_GEMM || row->family == RG_FAMILY_CONV;
        double own = f->rows[i].total_s, host = row->kernels * call_s(m) * (product ? PRODUCT_CALLS : 1);
        sum += fmax(own, host) - own;
    }
    return sum;
}

static rg_err price(rg_ctx *cx, const rg_graph *g, const machine *m, const rg_runtime *runtime, wish w,
                    double *out)
{
    const rg_plan *plan = NULL;
    const rg_forecast *f = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .precision = w.precision, .threads = w.threads};
    rg_forecast_opt how = {.size = sizeof how, .host_hz = m->host_hz, .learning = m->learning};
    if (!w.whole && how.learning == RG_LEARN_ALL) how.learning = RG_LEARN_ROWS;
    rg_err err = rg_plan_make(cx, g, m->device, runtime, &opt, &plan);
    if (!err) err = rg_forecast_make(cx, plan, &how, &f);
    if (!err) *out = f->latency_s.value + (w.apart ? apart_s(f, m) : 0);
    rg_forecast_free(f);
    rg_plan_free(plan);
    return err;
}

/* NumPy: one core, but for what goes to a BLAS; its calls cost next to nothing. Modules of a batch
 * wait for the GPU each time; other operators follow each other. */
static rg_err price_piece(rg_ctx *cx, rg_graph *g, const machine *m, bool numpy, bool blas, bool module,
                          double *out)
{
    wish w = {.threads = numpy && !blas ? 1 : 0, .apart = module && !is_cpu(m)};
    rg_runtime *runtime = NULL;
    rg_err err = rg_graph_resolve(cx, g);
    if (!err) err = rg_graph_infer(cx, g);
    if (!err) err = with_calls(cx, m, numpy ? NUMPY_CALL_S : OPERATOR_CALL_S, &runtime);
    if (!err) stream_products(runtime);
    if (!err) err = price(cx, g, m, runtime, w, out);
    if (!err && w.apart) *out += call_s(m);
    rg_runtime_free(runtime);
    rg_graph_free(g);
    return err;
}

/* f32 where nothing is said. */
static rg_err find_dtype(rg_ctx *cx, const rg_exam *exam, rg_dtype *out)
{
    rg_str text = rg_exam_text(exam, "precision"), name;
    *out = RG_F32;
    if (!rg_str_cut(&text, '(', &name) || rg_str_is(name, "tf32")) return RG_OK;
    *out = rg_dtype_named(name);
    if (rg_dtype_is_float(*out) || rg_dtype_is_int(*out)) return RG_OK;
    return rg_fail(cx, RG_UNSUPPORTED, "precision '%.*s' is no type of numbers that is known", RG_STR(name));
}

static rg_err run_piece(rg_ctx *cx, const rg_exam *exam, const machine *m, rg_str op, rg_str shape,
                        double *out)
{
    rg_graph *g = NULL;
    rg_dtype dtype;
    int64_t batch = rg_exam_int(exam, "batch");
    rg_str framework = rg_edge_member(shape, "framework"), maker = rg_edge_member(shape, "implementation");
    bool numpy = rg_str_is(framework, "numpy") || rg_str_starts(maker, "numpy");
    RG_TRY(find_dtype(cx, exam, &dtype));
    bool blas = !rg_str_starts(op, "stream_") && (dtype == RG_F32 || dtype == RG_F64);
    RG_TRY(rg_edge_piece(cx, op, shape, batch < 1 ? 1 : batch, dtype, &g));
    return price_piece(cx, g, m, numpy, blas, batch >= 1, out);
}

/* ---- whole models ---- */

static rg_err run_model(rg_ctx *cx, const rg_exam *exam, const machine *m, bool apart, double *out)
{
    rg_graph *g = NULL;
    rg_dtype dtype;
    int64_t batch = rg_exam_int(exam, "batch");
    const char *name = rg_arena_cstr(&cx->arena, rg_exam_text(exam, "model"));
    if (!name) return rg_nomem(cx);
    RG_TRY(find_dtype(cx, exam, &dtype));
    RG_TRY(rg_judge_model(cx, name, (rg_model_sizes){.batch = batch < 1 ? 1 : batch}, &g));
    rg_runtime *runtime = NULL;
    rg_err err = with_calls(cx, m, MODULE_CALL_S, &runtime);
    if (!err) err = price(cx, g, m, runtime, (wish){rg_dtype_name(dtype), 0, apart, !apart}, out);
    rg_runtime_free(runtime);
    rg_graph_free(g);
    return err;
}

/* ---- parts by their totals ---- */

static const char *family_of(rg_str op)
{
    if (rg_str_starts(op, "conv2d")) return "conv";
    return rg_str_is(op, "matmul") ? "gemm" : "elementwise";
}

/* A type that a CPU has no peak for goes through its scalar unit, element by element. */
static const rg_peak *peak_of(const machine *m, rg_dtype dtype)
{
    rg_hw_dtype type = dtype == RG_F16 ? RG_HW_F16 : dtype == RG_BF16 ? RG_HW_BF16 : RG_HW_F32;
    const rg_peak *peak = rg_device_peak(m->device, -1, -1, type);
    if (!peak && is_cpu(m)) peak = rg_device_peak(m->device, -1, RG_SCALAR, RG_HW_F32);
    return peak ? peak : rg_device_peak(m->device, -1, -1, RG_HW_F32);
}

/* On a CPU what fits into the last cache is there still: a part is called again and again. */
static const rg_level *level_of(const machine *m, double byte)
{
    const rg_device *d = m->device;
    const rg_level *cache = is_cpu(m) && d->level_count > 1 ? &d->levels[d->level_count - 2] : NULL;
    return cache && byte <= cache->usable_byte * cache->count ? cache : rg_device_memory(d);
}

static rg_err run_part(rg_ctx *cx, const rg_exam *exam, const machine *m, double *out)
{
    double flop = rg_exam_real(exam, "flops"), byte = rg_exam_real(exam, "bytes");
    double launches = rg_edge_launches(rg_exam_text(exam, "pattern")), call = call_s(m);
    rg_str op = rg_exam_text(exam, "op");
    rg_dtype dtype;
    if (!(flop >= 0) || !(byte >= 0))
        return rg_fail(cx, RG_UNSUPPORTED, "a part without operations and bytes");
    RG_TRY(find_dtype(cx, exam, &dtype));
    const char *family = family_of(op);
    const rg_efficiency *e = rg_runtime_efficiency(m->runtime, family, m->device->kind);
    const rg_peak *peak = peak_of(m, dtype);
    const rg_level *memory = level_of(m, byte);
    if (!peak) return rg_fail(cx, RG_UNSUPPORTED, "%s has no peak in f32", m->device->id);
    byte *= rg_dtype_bits(dtype) / 32.; /* stated for f32 */
    launches = flop > 0   ? fmax(launches, 1)
               : byte > 0 ? call_share[is_cpu(m)].move
                          : call_share[is_cpu(m)].idle;
    double device_s = fmax(flop / (peak->op_per_s * e->compute),
                           byte / (memory->read_byte_per_s * memory->sustained_fraction * e->memory));
    double before_s = is_cpu(m) ? launches * call : fmin(launches, 1) * call;
    *out = fmax(launches * call, before_s + device_s);
    return RG_OK;
}

/* ---- kinds ---- */

static rg_err dispatch(rg_ctx *cx, const rg_exam *exam, const machine *m, double *out)
{
    rg_str level = rg_exam_text(exam, "level"), op = rg_exam_text(exam, "op");
    if (rg_str_is(level, "subgraph")) return run_part(cx, exam, m, out);
    if (rg_str_starts(level, "model_"))
        return run_model(cx, exam, m, rg_str_is(level, "model_sum_of_subgraphs"), out);
    return run_piece(cx, exam, m, op, rg_exam_text(exam, "shape"), out);
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    machine m;
    RG_TRY(machine_open(cx, exam, &m));
    rg_err err = dispatch(cx, exam, &m, out);
    rg_device_free(m.device);
    return err;
}

RG_JUDGE(edge) = {
    .name = "edge", .brief = "Small machines: operators, parts of networks and whole ones, one at a time",
    .columns = {"level", "device", "power_mode", "model", "op", "pattern", "shape", "batch", "precision",
                "flops", "bytes"},
    .device = "device", .family = "level", .finer = {"op", "precision"},
    .runtimes = {"pytorch-eager", "pytorch-jetson"},
    .quantities = {{"latency", "latency_ms", 1e-3, RG_UNIT_SECOND}},
    .forecast = forecast,
};

/* "matmul 96x96x64" */
static bool names_piece(rg_str text, rg_str *op)
{
    static const char *const ops[] = {"matmul", "linear", "vector_add"};
    if (!rg_str_cut(&text, ' ', op) || !text.size) return false;
    for (size_t i = 0; i < RG_COUNT(ops); i++)
        if (rg_str_is(*op, ops[i])) return true;
    return false;
}

static bool is_piece(const rg_exam *exam)
{
    rg_str op;
    return names_piece(rg_exam_text(exam, "model"), &op);
}

static rg_err forecast_op(rg_ctx *cx, const rg_exam *exam, double *out)
{
    machine m;
    rg_str shape = rg_exam_text(exam, "model"), op;
    RG_TRY(machine_open(cx, exam, &m));
    rg_str_cut(&shape, ' ', &op);
    rg_err err = run_piece(cx, exam, &m, op, shape, out);
    rg_device_free(m.device);
    return err;
}

RG_JUDGE(edge_op) = {
    .name = "edge_op", .brief = "Small machines: operators by their sizes, one at a time",
    .columns = {"device", "model", "batch", "precision"}, .has = is_piece,
    .device = "device", .family = "precision", .runtimes = {"pytorch-eager", "pytorch-jetson"},
    .quantities = {{"latency", "latency_s", 1, RG_UNIT_SECOND}},
    .forecast = forecast_op,
};
