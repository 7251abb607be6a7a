/* fast_recurrent.c - LSTM, GRU and RNN in f32 over whole sequences.
 *
 *     x part   of all steps: one product X W + Wb, some steps at a time      workers share it as any product
 *     h part   of each step: h R + Rb, then what the cell does               workers share the units
 *
 * Columns of both parts are ordered so that what a unit needs lies together: blocks of as many units as a
 * packed panel is wide, and in a block one panel for each gate. A worker that has some blocks reads nobody
 * else's sums, and its part of R stays in its own cache. Only h has to be known by all before the next step,
 * which is why it has two places. A GRU that resets before its product has two phases a step:
 *
 *     phase 0   z, r from h          phase 1   the new state from r h
 *
 * Layers small enough for one core, and both directions on two workers, need no barriers at all. Lengths of
 * sequences and rare activations are left to the plain kernel (op/recurrent.c), where the equations are.
 */
#include "exec/fast.h"
#include "exec/mathf.h"

#include <math.h>
#include <string.h>

enum {
    PHASES_MAX = 2, DIRECTIONS_MAX = 2, CURVES_MAX = 3,
    CHUNK_FLOATS = 512 * 1024,   /* x parts at a time: 2 MB, in a third cache */
    ALONE_FLOATS = 48 * 1024,    /* R below 192 KB: one worker is done before two have met */
    ALIGN_FLOATS = 16,
};

enum { X, W, R, B, LENGTHS, FIRST_H, FIRST_C, PEEPHOLES };

typedef struct recurrent recurrent;

/* One kind of layer. Gates of the second phase follow those of the first, as ONNX orders them, too. */
typedef struct kind {
    const char *op;
    int gates, curves;
    const char *variant;         /* an attribute */
    rg_act presets[CURVES_MAX];
    /* One block of one sequence: the phase's gates, of which h has the h parts at first; the state h that
     * was, that will be, and the other one: c, or r h. */
    void (*cell)(const recurrent *s, int phase, int direction, int64_t unit, const float *x, float *h,
                 const float *old, float *state, float *now);
} kind;

struct recurrent {
    const kind *is;
    int64_t length, batch, input, hidden, units, blocks; /* units: of a block */
    int directions, phases, phase_gates[PHASES_MAX];
    bool batch_first, reverse, variant;
    float clip;
    rg_epilogue curve[DIRECTIONS_MAX][CURVES_MAX];
    const float *peephole;       /* [directions, 3, padded units]; or NULL */
    const float *w[DIRECTIONS_MAX], *wb[DIRECTIONS_MAX];
    const float *r[DIRECTIONS_MAX][PHASES_MAX], *rb[DIRECTIONS_MAX][PHASES_MAX];
    const float *x, *first_h, *first_c;
    float *y, *last_h, *last_c;
    const int32_t *x_row;        /* [length * batch]: of batch_first */
    int64_t columns, chunk;      /* of all gates; steps */
    char *const *room;
    size_t x_at, sums_at, h_at, c_at, reset_at; /* in floats */
};

static int64_t padded(const recurrent *s) { return s->blocks * s->units; }

/* ---- cells ---- */

/* curve(clip(sum)) of one panel. */
static void bend(const recurrent *s, const rg_epilogue *curve, float *sum, int64_t count)
{
    if (s->clip < INFINITY)
        for (int64_t i = 0; i < count; i++) sum[i] = rg_betweenf(sum[i], -s->clip, s->clip);
    rg_act_run(curve, sum, sum, count);
}

static void rnn_cell(const recurrent *s, int phase, int direction, int64_t unit, const float *x, float *h,
                     const float *old, float *state, float *now)
{
    (void)phase, (void)unit, (void)old, (void)state;
    for (int64_t i = 0; i < s->units; i++) now[i] = x[i] + h[i];
    bend(s, &s->curve[direction][0], now, s->units);
}

/* With two phases, z waits for the second where h will be. */
static void gru_cell(const recurrent *s, int phase, int direction, int64_t unit, const float *x, float *h,
                     const float *old, float *state, float *now)
{
    int64_t n = s->units;
    const float *z = phase ? now : h, *reset = h + n;
    float *g = phase ? h : h + 2 * n;
    (void)unit;
    if (phase == 0) {
        for (int64_t i = 0; i < 2 * n; i++) h[i] += x[i];
        bend(s, &s->curve[direction][0], h, 2 * n);
    }
    if (phase == 0 && s->phases == 2) {
        for (int64_t i = 0; i < n; i++) state[i] = reset[i] * old[i], now[i] = z[i];
        return;
    }
    for (int64_t i = 0; i < n && phase == 1; i++) g[i] += x[i];
    for (int64_t i = 0; i < n && phase == 0; i++) g[i] = x[2 * n + i] + reset[i] * g[i];
    bend(s, &s->curve[direction][1], g, n);
    for (int64_t i = 0; i < n; i++) now[i] = (1 - z[i]) * g[i] + z[i] * old[i];
}

static void lstm_cell(const recurrent *s, int phase, int direction, int64_t unit, const float *x, float *h,
                      const float *old, float *state, float *now)
{
    int64_t n = s->units;
    float *in = h, *out = in + n, *forget = out + n, *cell = forget + n;
    const rg_epilogue *curve = s->curve[direction];
    const float *p = s->peephole ? s->peephole + direction * 3 * padded(s) + unit : NULL;
    const float *po = p ? p + padded(s) : NULL, *pf = p ? po + padded(s) : NULL;
    (void)phase, (void)old;
    for (int64_t i = 0; i < 4 * n; i++) h[i] += x[i];
    for (int64_t i = 0; i < n && p; i++) in[i] += p[i] * state[i], forget[i] += pf[i] * state[i];
    if (p) bend(s, &curve[0], in, n), bend(s, &curve[0], forget, n);
    else bend(s, &curve[0], in, 3 * n); /* the output gate waits for nothing */
    bend(s, &curve[1], cell, n);
    for (int64_t i = 0; i < n && s->variant; i++) forget[i] = 1 - in[i];
    for (int64_t i = 0; i < n; i++) now[i] = state[i] = forget[i] * state[i] + in[i] * cell[i];
    for (int64_t i = 0; i < n && p; i++) out[i] += po[i] * state[i];
    if (p) bend(s, &curve[0], out, n);
    rg_act_run(&curve[2], now, now, n);
    for (int64_t i = 0; i < n; i++) now[i] *= out[i];
}

static const kind kinds[] = {
    {"RNN", 1, 1, NULL, {RG_ACT_TANH}, rnn_cell},
    {"GRU", 3, 2, "linear_before_reset", {RG_ACT_SIGMOID, RG_ACT_TANH}, gru_cell},
    {"LSTM", 4, 3, "input_forget", {RG_ACT_SIGMOID, RG_ACT_TANH, RG_ACT_TANH}, lstm_cell},
};

/* ---- a run ---- */

/* A worker's blocks of one direction: from..to-1. */
typedef struct share { int64_t from, to; } share;

static float *place(const recurrent *s, size_t at) { return (float *)(void *)*s->room + at; }

/* h before step `step`, or after it for step + 1: [batch, padded units]. */
static float *state_h(const recurrent *s, int d, int64_t step)
{
    return place(s, s->h_at) + (step % 2 * s->directions + d) * s->batch * padded(s);
}

static int64_t time_of(const recurrent *s, int d, int64_t step)
{
    return s->reverse || d == 1 ? s->length - 1 - step : step;
}

/* The states that are given, or zeros; what pads them is zero for ever. Of layout 1 they are [batch,
 * directions]. */
static void load_state(const recurrent *s, const float *given, int d, float *to)
{
    for (int64_t b = 0; b < s->batch; b++, to += padded(s)) {
        int64_t at = (s->batch_first ? b * s->directions + d : d * s->batch + b) * s->hidden;
        memset(to, 0, (size_t)padded(s) * sizeof *to);
        if (given) memcpy(to, given + at, (size_t)s->hidden * sizeof *to);
    }
}

static void store_state(const recurrent *s, const float *from, int d, float *to)
{
    for (int64_t b = 0; b < s->batch && to; b++, from += padded(s)) {
        int64_t at = (s->batch_first ? b * s->directions + d : d * s->batch + b) * s->hidden;
        memcpy(to + at, from, (size_t)s->hidden * sizeof *to);
    }
}

/* Units from..to-1 of the new h into Y. */
static void store_step(const recurrent *s, const float *h, int d, int64_t t, int64_t from, int64_t to)
{
    if (to > s->hidden) to = s->hidden;
    for (int64_t b = 0; b < s->batch && s->y; b++) {
        int64_t block =
            s->batch_first ? (b * s->length + t) * s->directions + d : (t * s->directions + d) * s->batch + b;
        memcpy(s->y + block * s->hidden + from, h + b * padded(s) + from, (size_t)(to - from) * sizeof *h);
    }
}

/* X W + Wb of `count` steps from `step` on, this worker's share. */
static void input_part(const recurrent *s, int d, int64_t step, int64_t count, rg_part part)
{
    int64_t t = s->reverse || d == 1 ? s->length - step - count : step;
    rg_gemm g = {.m = count * s->batch,
                 .n = s->columns,
                 .k = s->input,
                 .a = s->x,
                 .a_step = s->input,
                 .packed = s->w[d],
                 .c_step = s->columns,
                 .c_block = RG_BLOCK,
                 .epilogue = {.bias = s->wb[d]}};
    g.c = place(s, s->x_at) + d * s->chunk * s->batch * s->columns;
    if (s->x_row) g.a_row = s->x_row + t * s->batch;
    else g.a += t * s->batch * s->input;
    rg_gemm_run(&g, part);
}

/* First of a phase's columns among those of all gates. */
static int64_t phase_column(const recurrent *s, int phase)
{
    return phase ? s->phase_gates[0] * padded(s) : 0;
}

/* A worker's blocks of one phase of a step: h R + Rb, then the cells. */
static void run_phase(const recurrent *s, int phase, int d, int64_t step, int64_t chunk_step, int64_t count,
                      share own)
{
    int64_t wide = s->phase_gates[phase] * s->units, all = s->columns, first = phase_column(s, phase);
    const float *old = state_h(s, d, step), *from = old;
    float *reset = place(s, s->reset_at) + d * s->batch * padded(s),
          *c = place(s, s->c_at) + d * s->batch * padded(s);
    float *sums = place(s, s->sums_at) + d * s->batch * all + first, *now = state_h(s, d, step + 1);
    if (phase) from = reset;
    rg_gemm g = {.m = s->batch,
                 .n = (own.to - own.from) * wide,
                 .k = s->hidden,
                 .a = from,
                 .a_step = padded(s),
                 .packed = s->r[d][phase] + own.from * wide * s->hidden,
                 .c = sums + own.from * wide,
                 .c_step = all,
                 .c_block = RG_BLOCK,
                 .epilogue = {.bias = s->rb[d][phase] + own.from * wide}};
    rg_gemm_run(&g, RG_ALONE);
    int64_t at =
        s->reverse || d == 1 ? count - 1 - chunk_step : chunk_step; /* of the chunk's steps, in time */
    const float *x = place(s, s->x_at) + (d * s->chunk + at) * s->batch * all + first;
    float *state = s->phases == 2 ? reset : c;
    for (int64_t b = 0; b < s->batch; b++)
        for (int64_t i = own.from; i < own.to; i++) {
            int64_t unit = i * s->units, u = b * padded(s) + unit;
            s->is->cell(s, phase, d, unit, x + b * all + i * wide, sums + b * all + i * wide, old + u,
                        state + u, now + u);
        }
}

/* Which blocks of direction d are a worker's. Small layers are not divided. */
static share share_of(const recurrent *s, int d, int worker, int workers)
{
    bool whole = s->columns * s->hidden < ALONE_FLOATS;
    int64_t from, to, first = d * s->blocks;
    rg_part_of((rg_part){NULL, worker, workers}, s->directions * s->blocks, whole ? s->blocks : 1, &from,
               &to);
    share own = {from - first, to - first};
    if (own.from < 0) own.from = 0;
    if (own.to > s->blocks) own.to = s->blocks;
    return own;
}

/* Somebody has a part of a direction: all have to wait for each other. */
static bool is_shared(const recurrent *s, int workers)
{
    for (int w = 0; w < workers; w++)
        for (int d = 0; d < s->directions; d++) {
            share own = share_of(s, d, w, workers);
            if (own.from < own.to && own.to - own.from < s->blocks) return true;
        }
    return false;
}

static void run_steps(const recurrent *s, int64_t step, int64_t count, bool shared, rg_part part)
{
    for (int64_t i = 0; i < count; i++)
        for (int phase = 0; phase < s->phases; phase++) {
            for (int d = 0; d < s->directions; d++) {
                share own = share_of(s, d, part.worker, part.workers);
                if (own.from >= own.to) continue;
                run_phase(s, phase, d, step + i, i, count, own);
                if (phase == s->phases - 1)
                    store_step(s, state_h(s, d, step + i + 1), d, time_of(s, d, step + i),
                               own.from * s->units, own.to * s->units);
            }
            if (shared) rg_team_barrier(part);
        }
}

static void run(void *state, rg_part part)
{
    const recurrent *s = state;
    bool shared = is_shared(s, part.workers);
    for (int d = 0; d < s->directions && part.worker == 0; d++) {
        load_state(s, s->first_h, d, state_h(s, d, 0));
        memset(state_h(s, d, 1), 0, (size_t)(s->batch * padded(s)) * sizeof(float));
        load_state(s, s->first_c, d, place(s, s->c_at) + d * s->batch * padded(s));
    }
    for (int64_t step = 0; step < s->length; step += s->chunk) {
        int64_t count = s->length - step < s->chunk ? s->length - step : s->chunk;
        if (step) rg_team_barrier(part); /* all are done with the x parts before */
        for (int d = 0; d < s->directions; d++) input_part(s, d, step, count, part);
        rg_team_barrier(part);
        run_steps(s, step, count, shared, part);
    }
    rg_team_barrier(part);
    for (int d = 0; d < s->directions && part.worker == 0; d++) {
        store_state(s, state_h(s, d, s->length), d, s->last_h);
        store_state(s, place(s, s->c_at) + d * s->batch * padded(s), d, s->last_c);
    }
}

/* ---- making ---- */

static const rg_array *input_of(const rg_fast_row *r, uint32_t i)
{
    const rg_node *n = r->site.node;
    return i < n->in_count && n->in[i] ? rg_fast_array(r, n->in[i]) : NULL;
}

static bool fits(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    const rg_array *x = input_of(r, X), *weights = input_of(r, R);
    for (uint32_t i = 0; i < n->in_count; i++) {
        bool weight = i == W || i == R || i == B || i == PEEPHOLES;
        if (!n->in[i]) continue;
        if (i == LENGTHS || !rg_fast_is_f32(r, n->in[i]) || (weight && !rg_fast_is_constant(r, n->in[i])))
            return false;
    }
    return x->count > 0 && weights->count > 0 && x->count / x->dim[2] <= INT32_MAX / x->dim[2];
}

/* What activations may name here; alpha and beta have to be the presets of the functions. */
static bool read_curves(const rg_fast_row *r, recurrent *s)
{
    static const struct { const char *name; rg_act act; } names[] = {
        {"Sigmoid", RG_ACT_SIGMOID}, {"Tanh", RG_ACT_TANH}, {"Relu", RG_ACT_RELU},
    };
    const rg_attr *list = rg_node_attr(r->site.node, "activations");
    uint32_t count = (uint32_t)(s->is->curves * s->directions);
    if (list && (list->kind != RG_ATTR_STRINGS || list->count != count)) return false;
    for (uint32_t i = 0; i < count; i++) {
        rg_epilogue *curve = &s->curve[(int)i / s->is->curves][(int)i % s->is->curves];
        if (!list) curve->act = s->is->presets[(int)i % s->is->curves];
        for (size_t k = 0; list && k < RG_COUNT(names); k++)
            if (rg_str_distance(list->strings[i], rg_str_of(names[k].name)) == 0) curve->act = names[k].act;
        if (curve->act == RG_ACT_NONE) return false;
    }
    return true;
}

static void read_sizes(const rg_fast_row *r, recurrent *s)
{
    const rg_array *x = input_of(r, X), *w = input_of(r, R);
    rg_str direction = rg_op_str(&r->site, "direction");
    s->batch_first = rg_op_int(&r->site, "layout") != 0;
    s->reverse = rg_str_is(direction, "reverse");
    s->length = x->dim[s->batch_first], s->batch = x->dim[!s->batch_first], s->input = x->dim[2];
    s->directions = (int)w->dim[0];
    s->hidden = w->dim[2];
    s->units = rg_gemm_nr();
    s->blocks = (s->hidden + s->units - 1) / s->units;
    s->columns = s->is->gates * padded(s);
    s->clip = rg_op_has(&r->site, "clip") ? (float)rg_op_real(&r->site, "clip") : INFINITY;
    s->variant = s->is->variant && rg_op_int(&r->site, s->is->variant);
    bool two = s->is->cell == gru_cell && !s->variant;
    s->phases = two ? 2 : 1;
    s->phase_gates[0] = two ? 2 : s->is->gates;
    s->phase_gates[1] = s->is->gates - s->phase_gates[0];
    s->chunk = CHUNK_FLOATS / (s->directions * s->batch * s->columns) + 1;
    if (s->chunk > s->length) s->chunk = s->length;
}

/* Row of W, R or B, [gates, hidden], of a phase's column; -1: padding. */
static int64_t row_of(const recurrent *s, int phase, int64_t column)
{
    int64_t wide = s->phase_gates[phase] * s->units, gate = column % wide / s->units;
    int64_t unit = column / wide * s->units + column % s->units;
    return unit < s->hidden ? ((phase ? s->phase_gates[0] : 0) + gate) * s->hidden + unit : -1;
}

/* weights [gates * hidden, k], transposed into the order of columns; b [gates * hidden]: likewise, or zeros.
 */
static void order(const recurrent *s, int phase, const float *weights, int64_t k, const float *b,
                  int64_t step, float *ordered, float *bias)
{
    for (int64_t j = 0; j < s->phase_gates[phase] * padded(s); j++) {
        int64_t row = row_of(s, phase, j);
        for (int64_t p = 0; p < k && ordered; p++) ordered[p * step + j] = row < 0 ? 0 : weights[row * k + p];
        bias[j] = row < 0 || !b ? 0 : b[row];
    }
}

/* Of one direction: W as one product of all gates, R as one a phase. */
static rg_err pack(const rg_fast_row *r, recurrent *s, int d)
{
    const rg_array *b = input_of(r, B);
    int64_t rows = s->is->gates * s->hidden, most = s->input > s->hidden ? s->input : s->hidden;
    const float *w = (const float *)input_of(r, W)->data + d * rows * s->input;
    const float *wr = (const float *)input_of(r, R)->data + d * rows * s->hidden;
    const float *wb = b ? (const float *)b->data + d * 2 * rows : NULL;
    bool made;
    float *packed = RG_WEIGHTS(r, float, rg_gemm_packed_count(s->input, s->columns), &made);
    float *ordered = made ? NULL : RG_NEW(&r->cx->arena, float, most * s->columns);
    float *bias = RG_NEW(r->arena, float, 2 * s->columns), *bias_r = bias + s->columns;
    if (!packed || !bias || (!made && !ordered)) return rg_nomem(r->cx);
    for (int phase = 0; phase < s->phases; phase++) {
        int64_t first = phase_column(s, phase);
        order(s, phase, w, s->input, wb, s->columns, ordered ? ordered + first : NULL, bias + first);
    }
    if (!made) rg_gemm_pack(ordered, s->columns, 1, s->input, s->columns, packed, RG_ALONE);
    s->w[d] = packed;
    s->wb[d] = bias;
    for (int phase = 0; phase < s->phases; phase++) {
        int64_t n = s->phase_gates[phase] * padded(s), first = phase_column(s, phase);
        packed = RG_WEIGHTS(r, float, rg_gemm_packed_count(s->hidden, n), &made);
        if (!packed || (!made && !ordered)) return rg_nomem(r->cx);
        order(s, phase, wr, s->hidden, wb ? wb + rows : NULL, n, made ? NULL : ordered, bias_r + first);
        if (!made) rg_gemm_pack(ordered, n, 1, s->hidden, n, packed, RG_ALONE);
        s->r[d][phase] = packed;
        s->rb[d][phase] = bias_r + first;
    }
    return RG_OK;
}

static rg_err read_peepholes(const rg_fast_row *r, recurrent *s)
{
    const rg_array *p = input_of(r, PEEPHOLES);
    if (!p) return RG_OK;
    float *all = RG_NEW(r->arena, float, s->directions * 3 * padded(s));
    if (!all) return rg_nomem(r->cx);
    for (int64_t i = 0; i < s->directions * 3; i++)
        memcpy(all + i * padded(s), (const float *)p->data + i * s->hidden, (size_t)s->hidden * sizeof *all);
    s->peephole = all;
    return RG_OK;
}

static rg_err order_rows(const rg_fast_row *r, recurrent *s)
{
    if (!s->batch_first) return RG_OK;
    int32_t *row = RG_NEW(r->arena, int32_t, s->length * s->batch);
    if (!row) return rg_nomem(r->cx);
    for (int64_t t = 0; t < s->length; t++)
        for (int64_t b = 0; b < s->batch; b++)
            row[t * s->batch + b] = (int32_t)((b * s->length + t) * s->input);
    s->x_row = row;
    return RG_OK;
}

static void find_room(const rg_fast_row *r, recurrent *s)
{
    size_t states = (size_t)(s->directions * s->batch * padded(s)),
           sums = (size_t)(s->directions * s->batch * s->columns);
    s->sums_at = s->x_at + sums * (size_t)s->chunk;
    s->h_at = s->sums_at + sums;
    s->c_at = s->h_at + 2 * states;
    s->reset_at = s->c_at + states;
    s->room = rg_fast_room(r, (s->reset_at + states + ALIGN_FLOATS) * sizeof(float));
}

static float *result(const rg_fast_row *r, uint32_t i)
{
    const rg_node *n = r->site.node;
    return i < n->out_count && n->out[i] ? rg_fast_array(r, n->out[i])->data : NULL;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const kind *is = NULL;
    *state = NULL;
    for (size_t i = 0; i < RG_COUNT(kinds); i++)
        if (rg_node_is(r->site.node, kinds[i].op)) is = &kinds[i];
    if (!is || !fits(r)) return RG_OK;
    recurrent *s = RG_NEW(r->arena, recurrent, 1);
    if (!s) return rg_nomem(r->cx);
    s->is = is;
    read_sizes(r, s);
    if (!read_curves(r, s)) return RG_OK;
    s->x = input_of(r, X)->data;
    s->first_h = input_of(r, FIRST_H) ? input_of(r, FIRST_H)->data : NULL;
    s->first_c = input_of(r, FIRST_C) ? input_of(r, FIRST_C)->data : NULL;
    s->y = result(r, 0), s->last_h = result(r, 1), s->last_c = result(r, 2);
    for (int d = 0; d < s->directions; d++) RG_TRY(pack(r, s, d));
    RG_TRY(read_peepholes(r, s));
    RG_TRY(order_rows(r, s));
    find_room(r, s);
    *state = s;
    return RG_OK;
}

RG_FAST(recurrent) = {
    .name = "recurrent", .brief = "LSTM, GRU and RNN over whole sequences", .make = make, .run = run,
};
