/* map.h - graph x device x runtime -> plan: rows of nodes that run as one kernel, each placed on an engine,
 * tiled, in order, with static memory. `exec` will run it and `predict` prices it: the same object.
 */
#ifndef RG_MAP_H
#define RG_MAP_H

#include "analyze/analyze.h"
#include "hw/hw.h"

/* How a row sits on the machine. */
typedef struct rg_tiling {
    double tile[3];            /* m, n, k of one block, core chunk, systolic pass or KPU tile; 0: not tiled */
    double blocks;             /* independent pieces: thread blocks, core chunks, array passes */
    double per_unit;           /* blocks that one engine unit holds at a time */
    double waves;              /* rounds until all blocks have run: ceil(blocks / (units * per_unit)) */
    double units;              /* engine units that get work in the first round */
    double occupancy;          /* GPU: resident threads / limit; CPU: SIMD lanes filled; else: array filled */
    double utilization;        /* useful share of the peak while busy: waves x tile padding x lane fill */
    double split_k;            /* pieces that the reduction is cut into; 1: none */
    double trips;              /* of one block to memory, one after the other, for its slabs of k; 0: none */
    double traffic_byte[RG_LEVEL_LIMIT]; /* moved at each memory level of the device, nearest first */
} rg_tiling;

/* A convolution by Winograd's algorithm, in tiles of m x m results; of a row that is none: 0, 1, 1 and
 * nothing. */
typedef struct rg_winograd_row {
    int m;
    double products;           /* multiply-adds that are done, of those of the definition */
    double weights;            /* bytes of transformed weights, of the model's */
    double steps;              /* vector instructions of the transforms */
    double calls;              /* products of matrices */
    double room_byte;          /* for the tiles that are worked on at a time */
} rg_winograd_row;

typedef struct rg_row {
    uint64_t id;               /* hash of the sorted node names: stable where the grouping is the same */
    const char *name;          /* of the anchor node */
    const char *kind;          /* the rule that made it ("conv_bn_act"), or its operator's name */
    rg_family family;          /* of the anchor */
    uint32_t *steps; uint32_t step_count; /* of the facts, in order */
    uint32_t anchor;           /* step */
    double times;              /* trips of the enclosing loops */
    double kernels;            /* launches of one execution; more than 1: no fused kernel */
    bool folded;               /* of constants alone: computed once, when the model is loaded */
    uint32_t arm;              /* of an undecided If; 0: always */
    rg_work work;              /* once; what stays inside the row is not in its bytes */
    rg_width width;            /* of the anchor */
    double side_byte;          /* of work.in_byte: what members behind the anchor read (a residual), once */
    double saved_byte;         /* traffic that grouping keeps off memory */
    uint32_t *deps; uint32_t dep_count;   /* rows */
    uint32_t stage;
    /* placement */
    const rg_peak *peak;       /* unit that computes it; never NULL */
    rg_hw_dtype dtype;
    double op_per_clock;       /* all usable units of that kind together */
    double unit_count;         /* units of all engines that may be used: --threads limits cores ... */
    double unit_total;         /* ... and those that the device has */
    double filled;             /* of the reduction, the share that the stack has not filled up with zeros */
    double clock_share;        /* clock of these units relative to the device's fastest engine */
    const rg_efficiency *efficiency;
    rg_winograd_row winograd;
    rg_tiling tiling;
    const char *placed_why;    /* one clause: why this unit */
} rg_row;

/* One buffer in the activation block, alive from row `born` to row `dies`. in_place: more than one value
 * lies in it. */
typedef struct rg_buffer {
    rg_value_id value;         /* the first that lies in it */
    uint64_t offset_byte, size_byte;
    uint32_t born, dies;
    bool in_place;
} rg_buffer;

#define RG_NOWHERE UINT64_MAX

struct rg_plan {
    rg_arena arena;
    const rg_graph *graph;     /* at the planned precision */
    const rg_device *device;
    const rg_runtime *runtime;
    const rg_facts *facts;
    const char *precision;     /* as asked: "model" or a type */
    int threads;               /* CPU cores used; 0: all */
    rg_row *rows; uint32_t row_count; /* execution order */
    uint32_t stage_count;
    rg_buffer *buffers; uint32_t buffer_count;
    uint64_t block_byte;       /* of the static activation block */
    uint64_t *offset_of; /* by value: in the block; RG_NOWHERE: a constant, or it stays inside its row */
    double *live_byte; uint32_t peak_row; /* by row: live buffers */
    /* Of the block, caches; communication: of collectives. All of the largest pipeline stage, where Sends cut
     * the rows into several: buffers, block and live_byte, too. */
    double weight_byte, copies_byte, cache_byte, workspace_byte, communication_byte, overhead_byte;
    double peak_byte;          /* sum of rg_plan_memory_items */
    double beside_byte;        /* other weights, read between two runs: rg_plan_among */
    uint32_t pipeline_count, pipeline_largest; /* stages, 1 without a Send; the one that needs most */
    double reuse;              /* sum of buffer sizes / block */
    uint64_t hash;             /* graph, device, runtime, precision, rows */
    uint32_t refs;             /* atomic; last, so that a copy of the rest reads nothing that moves */
};

const rg_plan *rg_plan_ref(const rg_plan *plan);
/* rg_plan_make in two steps, where one graph is planned for many machines: what holds on all of them, at the
 * precision of the plan; then the plan, whose option must name the same precision. */
rg_err rg_facts_at_precision(rg_ctx *cx, const rg_graph *graph, const char *precision,
                             const rg_facts **out) RG_CHECKED;
rg_err rg_plan_from(rg_ctx *cx, const rg_facts *facts, const rg_device *device, const rg_runtime *runtime,
                    const rg_plan_opt *opt, const rg_plan **out) RG_CHECKED;
/* ... of a part of something larger, which reads `beside_byte` of other weights between two runs of it:
 * they pass through the same caches, but are no part of this plan's memory. */
rg_err rg_plan_among(rg_ctx *cx, const rg_facts *facts, const rg_device *device, const rg_runtime *runtime,
                     const rg_plan_opt *opt, double beside_byte, const rg_plan **out) RG_CHECKED;
/* Rate of a row's unit in op/s when the device's fastest engine runs at clock_hz. */
double rg_row_rate(const rg_row *row, double clock_hz);
/* Type that a machine computes an IR type in; false for strings and the like. */
bool rg_hw_dtype_of(rg_dtype dtype, rg_hw_dtype *out);

/* ---- the stages, each in its own file, in this order ---- */
/* storage.c: by value, what of it a precision may store narrower; in cx's scratch arena. Resolved graphs. */
typedef enum rg_store { RG_STORE_PLAIN, RG_STORE_WEIGHT, RG_STORE_CACHE } rg_store;
rg_err rg_graph_stores(rg_ctx *cx, const rg_graph *g, const uint8_t **out) RG_CHECKED;
/* precision.c: a graph whose floating-point values have the asked type, and whose weights and caches are
 * stored as asked: "f16+w=i4g128+kv=f8". `precision` NULL or "model": the same graph. */
rg_err rg_graph_at_precision(rg_ctx *cx, const rg_graph *graph, const char *precision,
                             const rg_graph **out) RG_CHECKED;
/* autocast.c: f32 values of a graph of one's own as automatic mixed precision computes them. Resolved graphs.
 */
rg_err rg_graph_autocast(rg_ctx *cx, rg_graph *g, rg_dtype base) RG_CHECKED;
/* strides.c: by step, what the runtime does not carry out; step_of by node. */
rg_err rg_plan_strides(rg_ctx *cx, const rg_plan *plan, const rg_uses *uses, const uint32_t *step_of,
                       bool *strided) RG_CHECKED;
rg_err rg_plan_group(rg_ctx *cx, rg_plan *plan) RG_CHECKED;   /* group.c: rows from the runtime's rules */
rg_err rg_plan_place(rg_ctx *cx, rg_plan *plan) RG_CHECKED;   /* assign.c: engine, unit, type */
rg_err rg_plan_memory(rg_ctx *cx, rg_plan *plan) RG_CHECKED;  /* memory.c: lifetimes, offsets, peak */
void rg_plan_ways(rg_plan *plan);                             /* winograd_row.c: how it is computed */
void rg_plan_tile(rg_plan *plan);                             /* tile.c: by the device's kind */

/* What the peak is made of, in this order; caches and communication are left out where there are none. They
 * sum to peak_byte. memory.c */
enum { RG_MEMORY_ITEMS = 7 };
typedef struct rg_memory_item { const char *name; double byte; const char *text; } rg_memory_item;
int rg_plan_memory_items(const rg_plan *plan, rg_memory_item out[RG_MEMORY_ITEMS]);

void rg_row_retile(const rg_plan *plan, rg_row *row);         /* one row, after its work changed */

/* What a mapper of one device kind does for one row: fills row->tiling. tile_cpu.c, tile_gpu.c, tile_tpu.c,
 * tile_kpu.c */
typedef void (*rg_mapper)(const rg_plan *plan, rg_row *row);
void rg_tile_cpu(const rg_plan *plan, rg_row *row);
void rg_tile_gpu(const rg_plan *plan, rg_row *row);
void rg_tile_tpu(const rg_plan *plan, rg_row *row);
void rg_tile_kpu(const rg_plan *plan, rg_row *row);
void rg_tile_attention(const rg_plan *plan, rg_row *row); /* tile_attention.c: a fused one on a GPU */
/* Shared by them (tile.c). */
bool rg_row_is_product(const rg_row *row); /* GEMM, convolution, attention, recurrent: m, n, k matter */
double rg_ceil_div(double a, double b);
/* Bytes that a product moves when a nearer level holds blocks of tm x tn of the result: each operand is
 * read once per block row or column of the other, the result written once. */
double rg_product_traffic(const rg_row *row, double tm, double tn);
/* Fills the traffic of every memory level; block_m, block_n: what one engine unit works on, 0 where not
 * tiled. */
void rg_level_traffic(const rg_plan *plan, rg_row *row, double block_m, double block_n);

#endif
