/* detect.h - the pieces that this machine's profile is put together from. Private to hw/.
 *
 * `root` stands before every path under /proc and /sys: "" on a real machine, a directory of fixtures in
 * tests. What cannot be read is zero or false, never an error: a container may hide any of it.
 */
#ifndef RG_DETECT_H
#define RG_DETECT_H

#include "hw/hw.h"

#include <sched.h>

/* How the note of a detected device begins; a measured one has another. */
#define RG_DETECTED_NOTE "Detected, not measured: peaks and bandwidths are what such cores do."

/* ---- sysfs.c: small text files ---- */

/* The first line, without its newline. */
bool rg_sysfs_text(char *buffer, size_t size, const char *root, const char *path, ...) RG_PRINTF(4, 5);
bool rg_sysfs_whole(char *buffer, size_t size, const char *root, const char *path); /* all lines that fit */
bool rg_sysfs_real(double *out, const char *root, const char *path, ...) RG_PRINTF(3, 4);
/* What follows "KEY:" (blanks trimmed) on the first line that begins with KEY. */
bool rg_sysfs_entry(char *buffer, size_t size, const char *root, const char *path, const char *key);

/* ---- detect_cpu.c: what the processor says of itself ---- */

#define RG_CPU_FEATURE_LIST(X)                                                                            \
    X(FMA, "FMA") X(AVX, "AVX") X(AVX2, "AVX2") X(AVX512F, "AVX-512F") X(AVX512BW, "AVX-512BW")           \
    X(AVX512_VNNI, "AVX-512-VNNI") X(AVX_VNNI, "AVX-VNNI") X(AVX512_BF16, "AVX-512-BF16")                 \
    X(AVX512_FP16, "AVX-512-FP16") X(AMX_TILE, "AMX-TILE") X(AMX_BF16, "AMX-BF16") X(AMX_INT8, "AMX-INT8") \
    X(AMX_FP16, "AMX-FP16") X(NEON, "NEON") X(NEON_FP16, "NEON-FP16") X(NEON_DOT, "NEON-DOTPROD")         \
    X(NEON_BF16, "NEON-BF16") X(SVE, "SVE") X(VIRTUAL, "virtual machine")
enum {
#define X(id, name) RG_CPU_##id,
    RG_CPU_FEATURE_LIST(X)
#undef X
    RG_CPU_FEATURE_COUNT
};
#define RG_CPU_BIT(id) (1u << RG_CPU_##id)

typedef struct rg_cpu {
    char vendor[16], name[64], hypervisor[16]; /* vendor: "GenuineIntel"; "0x41" and the like on Arm */
    int family, model;
    unsigned features;                         /* RG_CPU_BIT: present and enabled by the system */
    int simd_bit;
    double base_hz, max_hz;                    /* as cpuid states them; 0: it does not */
} rg_cpu;
void rg_cpu_read(rg_cpu *out, const char *root);
/* "FMA AVX AVX2": the features of `mask` that it has. Returns `buffer`. */
const char *rg_cpu_feature_text(const rg_cpu *cpu, unsigned mask, char *buffer, size_t size);

/* ---- detect_topology.c: what hwloc sees, less what this process may not run on ---- */

typedef struct rg_core_kind {
    double cores;
    int threads, first_cpu; /* of one core; of the first core */
    char type[32];
    cpu_set_t cpus;         /* the first processor of each of its cores */
} rg_core_kind;

typedef struct rg_cache {
    int level;
    double count, cores, capacity_byte; /* instances, cores that share one, of one */
} rg_cache;

enum { RG_CORE_KIND_MAX = 4, RG_CACHE_LEVEL_MAX = 4 };
typedef struct rg_topology {
    rg_core_kind kinds[RG_CORE_KIND_MAX]; size_t kind_count; /* at least one; fastest first */
    rg_cache caches[RG_CACHE_LEVEL_MAX];  size_t cache_count; /* nearest first */
    double cores, threads, packages, numa_nodes;
} rg_topology;
rg_err rg_topology_read(rg_ctx *cx, rg_topology *out) RG_CHECKED;

/* ---- detect_clock.c ---- */

typedef struct rg_clock {
    double base_hz, max_hz;
    const char *source; /* "cpufreq", "cpuid", "cpuinfo", "estimated" */
} rg_clock;
rg_clock rg_clock_read(const char *root, const rg_cpu *cpu, int cpu_number);
/* Legal fixed clocks in Hz, ascending, where the driver lists them; 0 of them elsewhere. */
enum { RG_CLOCK_STEP_MAX = 64 };
size_t rg_clock_steps(const char *root, double clocks_hz[RG_CLOCK_STEP_MAX]);

/* ---- detect_memory.c ---- */

typedef struct rg_dram {
    double total_byte, byte_per_s; /* 0: not readable */
    char text[64];
} rg_dram;
rg_dram rg_dram_read(const char *root);

/* ---- detect_limit.c: what the system lets this process have ---- */

/* Of control groups, version 1 or 2; 0: none. */
typedef struct rg_limit { double cpus, memory_byte; } rg_limit;
rg_limit rg_limit_read(const char *root);
/* Watts of all packages that RAPL may draw for long; 0: no powercap. */
double rg_rapl_cap_w(const char *root);

/* ---- detect_gpu.c ---- */

/* The first graphics processor that the kernel driver names; false: none. */
bool rg_gpu_name(const char *root, char *buffer, size_t size);
rg_err rg_nvml_probe(rg_ctx *cx, rg_probe *out) RG_CHECKED;

/* ---- cores.c: data/cpu/cores.json ---- */

typedef struct rg_core_row {
    const char *vendor, *core_type, *name, *source;
    int family;
    double *models; size_t model_count;        /* none: any */
    double fma_bit, dot_bit, matrix_bit;       /* of multiply-adds a clock; 0: not stated, as fma_bit, none */
    double byte_per_clock[RG_CACHE_LEVEL_MAX]; /* l1, l2, l3 */
} rg_core_row;

typedef struct rg_share_point { double clock_share, voltage_v; } rg_share_point;

typedef struct rg_core_data {
    rg_core_row *rows; size_t row_count;
    double scalar_op_per_clock, all_core_share, cache_clocks[RG_CACHE_LEVEL_MAX], write_share;
    double core_byte_per_s, channel_byte_per_s, channels, server_channels, server_cores;
    double memory_latency_s, memory_sustained_fraction;
    double pj_per_byte[RG_CACHE_LEVEL_MAX], memory_pj_per_byte;
    double core_w, idle_share, active_share, launch_s;
    rg_share_point *vf; size_t vf_count;
    const char *source;
    rg_source *sources; size_t source_count;
} rg_core_data;
rg_err rg_core_data_read(rg_ctx *cx, rg_arena *arena, const rg_core_data **out) RG_CHECKED;
/* First row that fits; the last one fits everything. core_type as hwloc names it, or "". */
const rg_core_row *rg_core_row_find(const rg_core_data *data, const rg_cpu *cpu, const char *core_type);

/* ---- detect.c ---- */

/* The profile of the machine that `root` shows (hwloc and cpuid still answer for the real one). */
rg_err rg_device_detect_at(rg_ctx *cx, const char *root, const rg_device **out) RG_CHECKED;

#endif
