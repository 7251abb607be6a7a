/* hw.h - machines and software stacks, as data: what data/hw/ID.json and data/runtime/ID.json say, checked.
 *
 * A device is read once, is constant from there and owns its arena. Code that knows a product name is a bug.
 * Units are SI; every figure in a profile has a source beside it (rg_device.sources by key).
 */
#ifndef RG_HW_H
#define RG_HW_H

#include "base/base.h"
#include "base/limits.h"

/* Element types that machines have peaks for; hw must not see the IR's. Map with rg_hw_dtype_* in map/. */
#define RG_HW_DTYPE_LIST(X) \
    X(F64, "f64", 64) X(F32, "f32", 32) X(TF32, "tf32", 32) X(BF16, "bf16", 16) X(F16, "f16", 16) \
    X(F8, "f8", 8) X(I8, "i8", 8) X(I4, "i4", 4)
typedef enum rg_hw_dtype {
#define X(id, name, bits) RG_HW_##id,
    RG_HW_DTYPE_LIST(X)
#undef X
    RG_HW_DTYPE_COUNT
} rg_hw_dtype;
const char *rg_hw_dtype_name(rg_hw_dtype dtype);
bool rg_hw_dtype_named(rg_str name, rg_hw_dtype *out);
int rg_hw_dtype_bits(rg_hw_dtype dtype);   /* of storage: tf32 is stored in 32 */

typedef enum rg_device_kind {
    RG_DEVICE_CPU, RG_DEVICE_GPU, RG_DEVICE_TPU, RG_DEVICE_KPU, RG_DEVICE_NPU, RG_DEVICE_KIND_COUNT
} rg_device_kind;
const char *rg_device_kind_name(rg_device_kind kind);

typedef enum rg_unit_kind { RG_SCALAR, RG_VECTOR, RG_MATRIX } rg_unit_kind; /* which pipes of an engine */
const char *rg_unit_kind_name(rg_unit_kind unit);

typedef struct rg_engine {           /* P cores, E cores, SMs, MXUs, tile engines */
    const char *id, *kind;           /* kind: core, sm, mxu, tile */
    double count, clock_base_hz, clock_max_hz;
    int threads;                     /* resident threads of one unit: of a core, or the limit of an SM */
    int blocks, warp;                /* GPU: resident blocks of an SM, lanes of a warp; else 0 */
    double register_byte, shared_byte; /* of one unit; 0: not stated */
    bool bulk_copies;                /* into shared memory run by themselves, without threads */
    int simd_bit;                    /* CPU */
    int tile[2];                     /* systolic or tile array; 0 */
    const char *source;
} rg_engine;

typedef struct rg_peak {
    int engine;                      /* index into engines */
    rg_unit_kind unit;
    rg_hw_dtype dtype;
    const char *accumulate;
    double op_per_clock;             /* of one engine unit; a multiply-add is two */
    double at_clock_hz, op_per_s;    /* as published, whole device */
    double alone_op_per_s;           /* of one engine unit while the others rest; 0: its share of the whole */
    const char *source;
} rg_peak;

typedef enum rg_scope { RG_SCOPE_UNIT, RG_SCOPE_CLUSTER, RG_SCOPE_DEVICE } rg_scope;
typedef struct rg_level {            /* nearest first; the last is main memory */
    const char *name;
    rg_scope scope;
    double sharers, count;           /* engine units that share one instance; instances */
    double capacity_byte, usable_byte; /* of one instance */
    double parts;                    /* of one instance, that each keep what their units read; 0: one */
    double read_byte_per_s, write_byte_per_s; /* whole device */
    double alone_read_byte_per_s;    /* of one engine unit while the others rest; 0: not stated */
    double sustained_fraction;       /* reachable share of the peak; 1 when not stated */
    double paced_hz;                 /* core clock below which it gets slower; 0: none */
    double paced_floor_hz;           /* ... and no further below this one; 0: without end */
    double paced_power;              /* of the clock, that it goes with between them; 0: 2 */
    double latency_s, pj_per_byte;
    const char *source;
} rg_level;

typedef struct rg_link {
    const char *name, *to;           /* to: "peer" (inside one node), "network" (between nodes), "host" */
    double byte_per_s;               /* one direction, of one link */
    double latency_s;                /* of one step */
    double start_s;                  /* of one transfer; the device's launch_s when not stated */
    double sustained_fraction;       /* reachable share of the peak; 1 when not stated */
    double devices;                  /* that one such fabric joins; 0: not stated, any number */
    double count;                    /* links of a device that work at once; 1 when not stated */
    double pj_per_byte;              /* 0: not stated */
    const char *source;
} rg_link;
typedef struct rg_vf { double clock_hz, voltage_v; } rg_vf;
/* A setting that changes more than the limit: fields of 0 stay as they are. */
typedef struct rg_power_mode {
    const char *name;
    double cap_w, clock_max_hz;
    double unit_count;               /* of the first engine that stay switched on */
    double memory_byte_per_s;        /* of main memory */
    const char **aliases; size_t alias_count; /* names of the device in this mode */
} rg_power_mode;
typedef struct rg_source { const char *key, *title, *url; } rg_source;
/* The machine that figures were measured on, and when: they hold for no other. All NULL: not measured. */
typedef struct rg_made_on { const char *cpu, *kernel, *date; double cores; } rg_made_on;

struct rg_device {
    rg_arena arena;
    const rg_device *base;           /* what this was cloned from and shares its strings with, or NULL */
    const char *id, *name, *vendor, *architecture, *note;
    rg_device_kind kind;
    int year;                        /* of release; 0: not known */
    bool modelled;                   /* no silicon to compare with: forecasts say "not validated" */
    bool detected;                   /* made by rg_device_detect, not from a profile */
    rg_made_on made_on;
    const char **aliases; size_t alias_count;
    rg_engine *engines; size_t engine_count;
    rg_peak *peaks;     size_t peak_count;
    rg_level *levels;   size_t level_count;
    rg_link *links;     size_t link_count;
    double idle_w, cap_w;
    double active_w;                 /* clock tree, leakage, front ends at the highest clock; 0: not stated */
    double ready_w;                  /* of that, what is left between kernels; at the highest clock */
    rg_power_mode *modes; size_t mode_count;
    double pj_per_op[RG_HW_DTYPE_COUNT]; /* dynamic, at the highest clock's voltage; 0: not stated */
    rg_vf *vf;          size_t vf_count;     /* ascending clock */
    double *clocks_hz;  size_t clock_count;  /* ascending; legal fixed clocks; may be empty */
    double launch_s;                 /* floor of one kernel on an idle stream, or one fork-join */
    rg_source *sources; size_t source_count;
    /* NULL: nothing to source */
    const char *power_source, *energy_source, *launch_source, *vf_source, *clocks_source;
    uint64_t hash;
    uint32_t refs;                   /* atomic; last, so that a copy of the rest reads nothing that moves */
};

/* From a profile's text; `id` is the file's name. "like" begins with another profile's figures (device.c).
 * Unknown keys, wrong types, a breach of the consistency rules (rg_device_check) are RG_FORMAT, naming file,
 * path and numbers: "t4.json: peaks[2].op_per_s: ...". */
rg_err rg_device_parse(rg_ctx *cx, rg_str json, const char *id, const rg_device **out) RG_CHECKED;
/* count × op_per_clock × at_clock = op_per_s within 3 %; narrower types not slower within one engine, unit
 * and accumulate type; cap >= idle; capacities >= usable;
 * vf ascending; every source key resolves; >= 1 peak and level. */
rg_err rg_device_check(rg_ctx *cx, const rg_device *device) RG_CHECKED;
/* The device as it is in one of its power modes, "ID@MODE"; `mode` as the profile spells it, case ignored.
 * RG_INPUT names those that there are. */
rg_err rg_device_in_mode(rg_ctx *cx, const rg_device *device, const char *mode,
                         const rg_device **out) RG_CHECKED;
/* This machine: hwloc, cpuid, sysfs; unknown figures are estimated and their source says so. */
rg_err rg_device_detect(rg_ctx *cx, const rg_device **out) RG_CHECKED;
/* A profile that rg_device_parse reads back as the same device (hw/store.c); in cx's arena. */
rg_err rg_device_write(rg_ctx *cx, const rg_device *device, rg_str *json) RG_CHECKED;

/* ---- "host": as measured by ridge calibrate, else as detected (hw/host.c) ---- */

/* $RIDGE_HOST, else ridge/hw/host.json in $XDG_DATA_HOME or ~/.local/share; NULL: RIDGE_HOST is empty, or
 * there is no home. */
rg_err rg_host_profile_path(rg_ctx *cx, const char **out) RG_CHECKED;
/* What a measured profile of `detected` has to agree with; no date. The kernel's name is in cx's arena. */
rg_err rg_host_made_on(rg_ctx *cx, const rg_device *detected, rg_made_on *out) RG_CHECKED;
/* The profile at the path where it was measured on this machine, else `detected` with a note that says why
 * not; path NULL, or no file there: `detected`. */
rg_err rg_host_choose_profile(rg_ctx *cx, const char *path, const rg_device *detected,
                              const rg_device **out) RG_CHECKED;
const rg_device *rg_device_ref(const rg_device *device);
/* A copy whose engines, peaks, levels, links and modes may be changed before it is given away; it keeps
 * `device`. */
rg_err rg_device_clone(rg_ctx *cx, const rg_device *device, rg_device **out) RG_CHECKED;
/* Fastest peak for a dtype among engines and units, of those with sums of 32 bits or more if there are any;
 * NULL when there is none. engine -1, unit -1: any. */
const rg_peak *rg_device_peak(const rg_device *device, int engine, int unit, rg_hw_dtype dtype);
const rg_level *rg_device_memory(const rg_device *device); /* main memory: the last level */
/* Devices that a host holds where no profile says so: servers with more are rare. */
#define RG_HOST_DEVICES 8.0
/* Which links join a group: `inside` of its devices by the inner link, `nodes` times as many by the outer
 * one. No outer link: nodes is 1; no inner link: inside is 1. */
typedef struct rg_reach {
    const rg_link *inner, *outer;
    double inside, nodes;
    double trips;                    /* over the inner link: 2 where data pass through the host's memory */
} rg_reach;
/* `group` devices whose numbers are `stride` apart. The fastest peer link whose fabric is wide enough; else
 * the widest with the network; else the host's link. False where nothing joins so many. reach.c */
bool rg_device_reach(const rg_device *device, double group, double stride, rg_reach *out);
/* Sustained, of one device in a group of `devices`: all links to different neighbors work at once. */
double rg_link_rate(const rg_link *link, double devices);
/* Interpolated V-f, clamped at its ends; 1 without points. */
double rg_device_voltage(const rg_device *device, double clock_hz);
double rg_device_clock_max(const rg_device *device);       /* of its fastest engine */
/* What main memory takes longer at a core clock than where nothing paces it; 1 where no profile says. */
double rg_device_pace(const rg_device *device, double clock_hz);

/* ---- processors by their names (hw/cpu_process.c) ---- */

/* Thermal design power as its maker states it; 0: it is not listed. "AMD EPYC 8024P 8-Core Processor" is
 * found.
 */
rg_err rg_cpu_tdp(rg_ctx *cx, rg_str name, double *tdp_w) RG_CHECKED;
/* The nanometres that the process of an architecture's cores is named by; 0: not known. */
rg_err rg_cpu_node(rg_ctx *cx, const char *architecture, double *node_nm) RG_CHECKED;

/* ---- runtimes: data/runtime/ID.json (hw/runtime.c) ---- */

/* One grouping rule: an anchor and what may join its row behind it.
 * Names are ONNX operators or #family names. */
typedef struct rg_fuse_rule {
    const char *name;                        /* "conv_bn_act": the kind of the row it makes */
    const char **anchor; size_t anchor_count;   /* {"Conv"} */
    const char **follow; size_t follow_count;   /* {"BatchNormalization", "Add", "#activation"}:
                                                 * any order, any number */
    int max_nodes;                           /* of the row; 0: no limit */
    int kernels;                             /* launches of the row; 0: 1 */
    const char *why;                         /* one clause for the report */
} rg_fuse_rule;

/* What big well-shaped kernels of a family reach:
 * shares of the peak, and of the *sustained* bandwidth of a level. */
typedef struct rg_efficiency {
    const char *family; double compute, memory;
    double start_k; /* of products: beginning and ending a block of results takes as long as so much of k */
    double held_k, held_compute; /* rows of up to so many elements stay in registers, and reach so much */
    const char *source;
} rg_efficiency;

/* The tiles that its library has for products of a type on some architectures, where it has few. */
typedef struct rg_library_tiles {
    const char *dtype;
    const char **architectures; size_t architecture_count;
    bool weights;                            /* of products with a weight, else of two activations */
    double *sizes; size_t size_count;        /* m, n, m, n, ... */
    bool in_waves;                           /* blocks that are resident begin and end together: tile_gpu.c */
    double strays; /* of what blocks ask of the last cache, this share comes from main
                    * memory where the weights just fill it (tile_gpu.c); 0: not known */
    const char *source;
} rg_library_tiles;

struct rg_runtime {
    rg_arena arena;
    const rg_runtime *base; /* what this was cloned from and shares its strings with, or NULL */
    const char *id, *name, *note;
    const char **kinds; size_t kind_count;   /* device kinds it runs on: "cpu", "gpu", ... */
    const char **vendors; size_t vendor_count; /* whose devices it runs on; none: anybody's */
    const char **default_for; size_t default_count; /* device kinds whose customary runtime it is */
    const char **teachers; size_t teacher_count; /* runtimes whose learned residuals it takes where it has
                                                  * none of its own, in order */
    double host_clock_hz;                    /* of the host that launch_s and graph_s hold for; 0: of any */
    double launch_s;                         /* host time per kernel at host_clock_hz;
                                              * the floor is the device's */
    bool launch_hidden;                      /* launches run ahead: max(device, launch), not the sum */
    double graph_s;                          /* fixed cost of one inference */
    double linear_launches; /* of kernels' host times, that a product with weights takes; 0: one */
    double sequence_s;                       /* of each sequence that a step of a language model writes */
    double sequence_byte;                    /* that what samples it moves meanwhile */
    double branch_overlap;                   /* share of the parallelism between rows; 0: one stream */
    bool folds_constants, fuses_attention;   /* whole attention in one kernel (after recognition) */
    bool strided_views;                      /* rearranged tensors are views (map/strides.c) */
    bool merges_products;                    /* of the same rows by several weights: one product */
    int grouped_heads;                       /* query heads of the same keys that a block of its kernels for
                                              * few queries takes together, at most; 0: any number */
    const char *tf32;                        /* f32 on matrix units: "allowed", "conv" (convolutions only),
                                              * NULL: no */
    const char *layout;                      /* "nchw", "nhwc", "blocked" */
    bool winograd;                           /* 3x3 convolutions on a CPU by Winograd's algorithm, where that
                                              * is faster */
    int pad[RG_HW_DTYPE_COUNT];              /* elements that the channels of products on matrix units are
                                              * filled up to a multiple of; 0: as they are */
    double one_shot_byte;                    /* all-reduces inside a node up to so many bytes are one
                                              * kernel of the stack's own; 0: it has none */
    double two_shot_byte;                    /* ... and up to so many bytes, one of two rounds */
    double memory_overhead_byte;             /* context, allocator, code */
    double workspace_fraction;               /* of the largest row's input+output bytes */
    double weight_copies;                    /* of the weights, that it keeps on a CPU beside the file's */
    bool packs_weights;                      /* ... and those of products once more, as its kernels read them
                                              */
    bool in_place;                           /* results may take the place of an input
                                              * that nobody reads again */
    double interval_factor;                  /* prior: 90 % of real times lie within
                                              * forecast / f .. forecast * f */
    rg_fuse_rule *rules; size_t rule_count;  /* first match wins */
    rg_efficiency *efficiencies; size_t efficiency_count;
    rg_library_tiles *tiles; size_t tile_count; /* none: any tile */
    rg_source *sources; size_t source_count;
    /* pad, collective: NULL where none is */
    const char *launch_source, *pad_source, *collective_source, *memory_source, *interval_source;
    uint64_t hash;
    uint32_t refs;                           /* atomic; last, so that a copy of the rest
                                              * reads nothing that moves */
};
/* As rg_device_parse; "like" begins with another profile's rules and figures. */
rg_err rg_runtime_parse(rg_ctx *cx, rg_str json, const char *id, const rg_runtime **out) RG_CHECKED;
const rg_runtime *rg_runtime_ref(const rg_runtime *runtime);
/* A copy whose efficiencies and own fields may be changed before it is given away; it keeps `runtime`. */
rg_err rg_runtime_clone(rg_ctx *cx, const rg_runtime *runtime, rg_runtime **out) RG_CHECKED;
/* Of "FAMILY@KIND" where a stack is another on that kind of device, else of "FAMILY", else of "default". */
const rg_efficiency *rg_runtime_efficiency(const rg_runtime *runtime, const char *family,
                                           rg_device_kind kind);
/* NULL: nothing is known of that architecture's. */
const rg_library_tiles *rg_runtime_tiles(const rg_runtime *runtime, const char *architecture,
                                         const char *dtype, bool weights);
bool rg_runtime_runs_on(const rg_runtime *runtime, const rg_device *device);

/* What this machine can measure: for `ridge doctor` (hw/detect.c). */
/* "RAPL", false, "no /sys/class/powercap" */
typedef struct rg_probe { const char *name; bool present; const char *text; } rg_probe;
rg_err rg_hw_probes(rg_ctx *cx, const rg_probe **probes, size_t *count) RG_CHECKED;

#endif
