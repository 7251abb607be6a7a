/* detect.c - this machine as a device: "host".
 *
 * Cores and caches are hwloc's, features cpuid's, clocks, memory and limits the kernel's. What a core does in
 * a clock comes from data/cpu/cores.json, and so does what no machine tells: cache bandwidths, latencies,
 * energies. Each figure's source says which of these it is; the result passes the same rules as any profile.
 *
 *     op/s = cores x 2 x (width of a clock's multiply-adds) / (width of the type) x clock with all cores busy
 */
#include "hw/detect.h"
#include "hw/profile.h"

#include <math.h>

typedef struct build {
    rg_ctx *cx;
    const char *root;
    rg_device *d;
    const rg_core_data *data;
    rg_cpu cpu;
    rg_topology topology;
    rg_limit limit;
    double work_hz[RG_CORE_KIND_MAX];               /* by engine: clock with all cores busy */
    const rg_core_row *row[RG_CORE_KIND_MAX];
} build;

/* Which pipes do what: a row is a peak where the processor has one of the features (or none is needed). */
typedef enum width { WIDTH_SCALAR, WIDTH_FMA, WIDTH_DOT, WIDTH_THIRD, WIDTH_MATRIX } width;
static const struct {
    rg_unit_kind unit;
    rg_hw_dtype dtype;
    const char *accumulate;
    unsigned any, none; /* features; any 0: every processor */
    width width;
} pipes[] = {
    {RG_SCALAR, RG_HW_F64, "f64", 0, 0, WIDTH_SCALAR},
    {RG_SCALAR, RG_HW_F32, "f32", 0, 0, WIDTH_SCALAR},
    {RG_VECTOR, RG_HW_F64, "f64", 0, 0, WIDTH_FMA},
    {RG_VECTOR, RG_HW_F32, "f32", 0, 0, WIDTH_FMA},
    {RG_VECTOR, RG_HW_BF16, "f32", RG_CPU_BIT(AVX512_BF16) | RG_CPU_BIT(NEON_BF16), 0, WIDTH_FMA},
    {RG_VECTOR, RG_HW_F16, "f16", RG_CPU_BIT(AVX512_FP16) | RG_CPU_BIT(NEON_FP16), 0, WIDTH_FMA},
#define DOT (RG_CPU_BIT(AVX512_VNNI) | RG_CPU_BIT(AVX_VNNI) | RG_CPU_BIT(NEON_DOT))
    {RG_VECTOR, RG_HW_I8, "i32", DOT, 0, WIDTH_DOT},
    /* multiply, widen, add: three instructions */
    {RG_VECTOR, RG_HW_I8, "i32", RG_CPU_BIT(AVX2), DOT, WIDTH_THIRD},
    {RG_MATRIX, RG_HW_BF16, "f32", RG_CPU_BIT(AMX_BF16), 0, WIDTH_MATRIX},
    {RG_MATRIX, RG_HW_F16, "f32", RG_CPU_BIT(AMX_FP16), 0, WIDTH_MATRIX},
    {RG_MATRIX, RG_HW_I8, "i32", RG_CPU_BIT(AMX_INT8), 0, WIDTH_MATRIX},
};

static double op_per_clock(const build *b, const rg_core_row *row, rg_hw_dtype dtype, width w)
{
    double fma_bit = row->fma_bit > 0 ? row->fma_bit : 2.0 * b->cpu.simd_bit, bits = rg_hw_dtype_bits(dtype);
    if (!(b->cpu.features & RG_CPU_BIT(FMA))) fma_bit /= 2; /* one pipe multiplies, the other adds */
    switch (w) {
    case WIDTH_SCALAR: return b->data->scalar_op_per_clock;
    case WIDTH_FMA: return 2 * fma_bit / bits;
    case WIDTH_DOT: return 2 * (row->dot_bit > 0 ? row->dot_bit : fma_bit) / bits;
    case WIDTH_THIRD: return 2 * fma_bit / bits / 3;
    case WIDTH_MATRIX: return 2 * row->matrix_bit / bits;
    }
    return 0;
}

static rg_err add_engines(build *b)
{
    rg_device *d = b->d;
    const rg_topology *t = &b->topology;
    double allowed = b->limit.cpus > 0 && b->limit.cpus < t->cores ? b->limit.cpus / t->cores : 1;
    d->engine_count = t->kind_count;
    d->engines = RG_NEW(&d->arena, rg_engine, t->kind_count);
    if (!d->engines) return rg_nomem(b->cx);
    for (size_t i = 0; i < t->kind_count; i++) {
        const rg_core_kind *kind = &t->kinds[i];
        rg_clock clock = rg_clock_read(b->root, &b->cpu, kind->first_cpu);
        bool turbo = clock.max_hz > clock.base_hz;
        b->row[i] = rg_core_row_find(b->data, &b->cpu, kind->type);
        b->work_hz[i] = turbo ? fmax(clock.base_hz, clock.max_hz * b->data->all_core_share) : clock.max_hz;
        d->engines[i] = (rg_engine){
            .id = rg_arena_printf(&d->arena, t->kind_count > 1 ? "core-%zu" : "core", i), .kind = "core",
            .count = kind->cores * allowed, .clock_base_hz = clock.base_hz, .clock_max_hz = clock.max_hz,
            .threads = kind->threads, .simd_bit = b->cpu.simd_bit,
            .source = rg_arena_printf(&d->arena, "hwloc; %g cores x %d threads%s; clock from %s", kind->cores,
                                      kind->threads, allowed < 1 ? ", cut by the control group" : "",
                                      clock.source),
        };
        if (!d->engines[i].id || !d->engines[i].source) return rg_nomem(b->cx);
    }
    return RG_OK;
}

static rg_err add_peaks(build *b)
{
    rg_device *d = b->d;
    d->peaks = RG_NEW(&d->arena, rg_peak, d->engine_count * RG_COUNT(pipes));
    if (!d->peaks) return rg_nomem(b->cx);
    for (size_t e = 0; e < d->engine_count; e++) {
        const char *clock = b->work_hz[e] < d->engines[e].clock_max_hz ? "estimated" : "as read";
        const char *source = rg_arena_printf(&d->arena, "cores; %s: %s; clock with all cores busy %s",
                                             b->row[e]->name, b->row[e]->source, clock);
        if (!source) return rg_nomem(b->cx);
        for (size_t i = 0; i < RG_COUNT(pipes); i++) {
            double ops = op_per_clock(b, b->row[e], pipes[i].dtype, pipes[i].width);
            if (pipes[i].any && !(b->cpu.features & pipes[i].any)) continue;
            if (b->cpu.features & pipes[i].none || ops == 0) continue;
            d->peaks[d->peak_count++] = (rg_peak){
                .engine = (int)e, .unit = pipes[i].unit, .dtype = pipes[i].dtype,
                .accumulate = pipes[i].accumulate, .op_per_clock = ops, .at_clock_hz = b->work_hz[e],
                .op_per_s = d->engines[e].count * ops * b->work_hz[e], .source = source,
            };
        }
    }
    return RG_OK;
}

static rg_level cache_level(const build *b, const rg_cache *cache)
{
    static const char *const names[] = {"l1", "l2", "l3", "l4"};
    const rg_core_data *data = b->data;
    int at = cache->level > 3 ? 2 : cache->level - 1; /* an l4 is priced as an l3 */
    double read = 0;
    for (size_t e = 0; e < b->d->engine_count; e++)
        read += b->d->engines[e].count * b->row[e]->byte_per_clock[at] * b->work_hz[e];
    return (rg_level){
        .name = names[cache->level - 1],
        .scope = cache->cores <= 1 ? RG_SCOPE_UNIT : cache->count > 1 ? RG_SCOPE_CLUSTER : RG_SCOPE_DEVICE,
        .sharers = cache->cores, .count = cache->count,
        .capacity_byte = cache->capacity_byte, .usable_byte = cache->capacity_byte,
        .read_byte_per_s = read, .write_byte_per_s = read * data->write_share, .sustained_fraction = 1,
        .latency_s = data->cache_clocks[at] / b->work_hz[0], .pj_per_byte = data->pj_per_byte[at],
        .source = "hwloc; size and sharing; bandwidth, latency and energy estimated by data/cpu/cores.json",
    };
}

/* Peak bandwidth: the firmware's modules, else as many channels as
 * such a package usually has, but no more than the cores can draw. */
static double memory_rate(const build *b, const rg_dram *dram)
{
    const rg_core_data *data = b->data;
    const rg_topology *t = &b->topology;
    if (dram->byte_per_s > 0) return dram->byte_per_s;
    double channels = t->cores / t->packages > data->server_cores ? data->server_channels : data->channels;
    return fmin(t->packages * channels * data->channel_byte_per_s, t->cores * data->core_byte_per_s);
}

static rg_err add_levels(build *b)
{
    rg_device *d = b->d;
    rg_dram dram = rg_dram_read(b->root);
    double limit = b->limit.memory_byte, rate = memory_rate(b, &dram);
    if (!(dram.total_byte > 0))
        return rg_fail(b->cx, RG_FAILED, "the size of this machine's memory cannot be read");
    d->levels = RG_NEW(&d->arena, rg_level, b->topology.cache_count + 1);
    if (!d->levels) return rg_nomem(b->cx);
    for (size_t i = 0; i < b->topology.cache_count; i++)
        d->levels[d->level_count++] = cache_level(b, &b->topology.caches[i]);
    d->levels[d->level_count++] = (rg_level){
        .name = "dram", .scope = RG_SCOPE_DEVICE, .sharers = b->topology.cores, .count = 1,
        .capacity_byte = dram.total_byte,
        .usable_byte = limit > 0 && limit < dram.total_byte ? limit : dram.total_byte,
        .read_byte_per_s = rate, .write_byte_per_s = rate,
        .sustained_fraction = b->data->memory_sustained_fraction,
        .latency_s = b->data->memory_latency_s, .pj_per_byte = b->data->memory_pj_per_byte,
        .source = dram.byte_per_s > 0
            ? rg_arena_printf(&d->arena, "sysfs; %s; latency, energy and sustained share estimated",
                              dram.text)
            : rg_arena_printf(&d->arena, "estimated; bandwidth from %g cores in %g packages: the table of "
                              "memory modules is not readable; size from sysfs", b->topology.cores,
                              b->topology.packages),
    };
    return d->levels[d->level_count - 1].source ? RG_OK : rg_nomem(b->cx);
}

/* Idle, working cores and every f32 operation at the peak come to the cap;
 * other types scale with their width. */
static rg_err add_power(build *b)
{
    rg_device *d = b->d;
    const rg_core_data *data = b->data;
    double rapl_w = rg_rapl_cap_w(b->root), op_per_s = 0, max_hz = rg_device_clock_max(d);
    d->cap_w = rapl_w > 0 ? rapl_w : data->core_w * b->topology.cores;
    d->idle_w = d->cap_w * data->idle_share;
    d->active_w = d->cap_w * data->active_share;
    d->power_source = rapl_w > 0 ? "sysfs; cap from RAPL; idle and active_w estimated as shares of it"
                                 : "estimated; no RAPL: watts for each core, idle and active_w as shares";
    for (size_t i = 0; i < d->peak_count; i++)
        if (d->peaks[i].unit == RG_VECTOR && d->peaks[i].dtype == RG_HW_F32) op_per_s += d->peaks[i].op_per_s;
    double f32_pj = (d->cap_w - d->idle_w - d->active_w) / op_per_s * 1e12;
    for (int i = 0; i < RG_HW_DTYPE_COUNT; i++)
        d->pj_per_op[i] = f32_pj * rg_hw_dtype_bits((rg_hw_dtype)i) / 32;
    d->energy_source = "estimated; idle, active_w and f32 at its peak come to the cap; "
                       "other types by their width";
    d->vf_count = data->vf_count;
    d->vf = RG_NEW(&d->arena, rg_vf, data->vf_count);
    if (!d->vf) return rg_nomem(b->cx);
    for (size_t i = 0; i < data->vf_count; i++)
        d->vf[i] = (rg_vf){data->vf[i].clock_share * max_hz, data->vf[i].voltage_v};
    d->vf_source = "estimated; voltages at shares of the highest clock";
    d->clocks_hz = RG_NEW(&d->arena, double, RG_CLOCK_STEP_MAX);
    if (!d->clocks_hz) return rg_nomem(b->cx);
    d->clock_count = rg_clock_steps(b->root, d->clocks_hz);
    d->clocks_source = d->clock_count ? "sysfs; cpufreq" : NULL;
    d->launch_s = data->launch_s;
    d->launch_source = "estimated; fork and join of a warm thread pool";
    return RG_OK;
}

static rg_err add_sources(build *b)
{
    static const rg_source own[] = {
        {"hwloc", "hwloc: topology of this machine", "https://www.open-mpi.org/projects/hwloc/"},
        {"sysfs", "files of /sys and /proc on this machine", NULL},
        {"cores", "data/cpu/cores.json: what cores do in a clock, by cpuid", NULL},
    };
    size_t count = RG_COUNT(own) + b->data->source_count;
    b->d->sources = RG_NEW(&b->d->arena, rg_source, count);
    if (!b->d->sources) return rg_nomem(b->cx);
    for (size_t i = 0; i < count; i++)
        b->d->sources[i] = i < RG_COUNT(own) ? own[i] : b->data->sources[i - RG_COUNT(own)];
    b->d->source_count = count;
    return RG_OK;
}

static rg_err add_note(build *b)
{
    char gpu[96];
    rg_text note;
    rg_text_init(&note, &b->d->arena);
    rg_text_printf(&note, RG_DETECTED_NOTE);
    if (b->cpu.features & RG_CPU_BIT(VIRTUAL))
        rg_text_printf(&note, " A virtual machine (%s): no power meter of its own, "
                       "neighbors share caches and memory.",
                       *b->cpu.hypervisor ? b->cpu.hypervisor : "unnamed");
    if (b->limit.cpus > 0) rg_text_printf(&note, " The control group allows %.3g processors.", b->limit.cpus);
    if (b->limit.memory_byte > 0)
        rg_text_printf(&note, " The control group allows %.4g GB.", b->limit.memory_byte * 1e-9);
    if (rg_gpu_name(b->root, gpu, sizeof gpu)) {
        const char *id;
        RG_TRY(rg_device_named(b->cx, gpu, &id));
        rg_text_printf(&note, " It also has a %s: %s%s.", gpu,
                       id ? "forecast it as " : "no profile answers to that name", id ? id : "");
    }
    b->d->note = note.data;
    return note.failed ? rg_nomem(b->cx) : RG_OK;
}

/* Over what a forecast reads; two hosts with the same figures are the same device. */
static uint64_t hash_of(const rg_device *d)
{
    uint64_t h = rg_hash_str(RG_HASH_SEED, rg_str_of(d->name));
    for (size_t i = 0; i < d->engine_count; i++)
        h = rg_hash(h, &(double[]){d->engines[i].count, d->engines[i].clock_base_hz,
                                   d->engines[i].clock_max_hz}, 3 * sizeof(double));
    for (size_t i = 0; i < d->peak_count; i++) h = rg_hash(h, &d->peaks[i].op_per_s, sizeof(double));
    for (size_t i = 0; i < d->level_count; i++)
        h = rg_hash(h, &(double[]){d->levels[i].usable_byte, d->levels[i].read_byte_per_s,
                                   d->levels[i].pj_per_byte}, 3 * sizeof(double));
    return rg_hash(h, &(double[]){d->cap_w, d->idle_w, d->launch_s}, 3 * sizeof(double));
}

static rg_err assemble(build *b)
{
    rg_device *d = b->d;
    rg_cpu_read(&b->cpu, b->root);
    b->limit = rg_limit_read(b->root);
    RG_TRY(rg_topology_read(b->cx, &b->topology));
    RG_TRY(rg_core_data_read(b->cx, &d->arena, &b->data));
    d->id = "host";
    d->kind = RG_DEVICE_CPU;
    d->detected = true;
    d->refs = 1;
    d->name = rg_arena_cstr(&d->arena, rg_str_of(*b->cpu.name ? b->cpu.name : "this machine"));
    d->vendor = rg_arena_cstr(&d->arena, rg_str_of(*b->cpu.vendor ? b->cpu.vendor : "unknown"));
    if (!d->name || !d->vendor) return rg_nomem(b->cx);
    RG_TRY(add_engines(b));
    RG_TRY(add_peaks(b));
    RG_TRY(add_levels(b));
    RG_TRY(add_power(b));
    RG_TRY(add_sources(b));
    RG_TRY(add_note(b));
    d->architecture = b->row[0]->name;
    d->hash = hash_of(d);
    return rg_device_check(b->cx, d);
}

rg_err rg_device_detect_at(rg_ctx *cx, const char *root, const rg_device **out)
{
    rg_arena arena;
    rg_arena_init(&arena, cx);
    rg_device *d = RG_NEW(&arena, rg_device, 1);
    if (!d) return rg_nomem(cx); /* nothing to free: the first allocation failed */
    d->arena = arena;
    build b = {.cx = cx, .root = root, .d = d};
    rg_err err = assemble(&b);
    if (err) {
        arena = d->arena; /* the device lies in it */
        rg_arena_done(&arena);
        return rg_note(cx, err, "host");
    }
    *out = d;
    return RG_OK;
}

rg_err rg_device_detect(rg_ctx *cx, const rg_device **out) { return rg_device_detect_at(cx, "", out); }
