/* axes.c - axes of values, and walks over several of them. */
#include "exec/axes.h"

static bool is_blocked(const rg_fast_row *r, rg_value_id v) { return r->blocked && r->blocked[v]; }

/* Axis 1 becomes two: blocks, and behind the others the channels of one. */
static void split_channels(rg_axes *a, int64_t channel_step)
{
    a->dim[1] = a->dim[1] > 1 ? a->dim[1] / RG_BLOCK : 1;
    a->rank = 5;
    a->step[4] = channel_step;
}

rg_axes rg_axes_of(const rg_fast_row *r, rg_value_id v)
{
    const rg_array *x = rg_fast_array(r, v);
    rg_axes a = {.rank = x->rank};
    for (int k = 0; k < x->rank; k++) a.dim[k] = x->dim[k];
    if (is_blocked(r, v)) {
        split_channels(&a, 1);
        a.dim[4] = RG_BLOCK;
    }
    int64_t step = 1;
    for (int k = a.rank - 1; k >= 0; step *= a.dim[k--]) a.step[k] = step;
    return a;
}

bool rg_axes_like(const rg_fast_row *r, rg_value_id v, rg_value_id result, rg_axes *out)
{
    const rg_array *y = rg_fast_array(r, result), *x = rg_fast_array(r, v);
    rg_axes own = rg_axes_of(r, v), a = {.rank = y->rank};
    bool blocks = is_blocked(r, result), mixed = is_blocked(r, v) != blocks;
    if (is_blocked(r, v) && !blocks) return false;
    if (!mixed && blocks) {
        a = own;
    } else {
        int64_t stride[RG_RANK_MAX];
        rg_array_strides(x, stride);
        for (int k = 0; k < y->rank; k++) {
            int from = k - (y->rank - x->rank);
            a.dim[k] = from < 0 ? 1 : x->dim[from];
            a.step[k] = from < 0 ? 0 : stride[from];
        }
        if (blocks) {
            int64_t channel_step = a.dim[1] > 1 ? a.step[1] : 0, channels = a.dim[1];
            if (!rg_axes_may_join(r, v, result)) return false;
            a.step[1] = channel_step * RG_BLOCK;
            split_channels(&a, channel_step);
            a.dim[4] = channels > 1 ? RG_BLOCK : 1;
        }
    }
    rg_axes whole = rg_axes_of(r, result);
    for (int k = 0; k < a.rank; k++) {
        if (a.dim[k] == 1) a.step[k] = 0;
        a.dim[k] = whole.dim[k];
    }
    *out = a;
    return true;
}

bool rg_axes_may_join(const rg_fast_row *r, rg_value_id v, rg_value_id result)
{
    const rg_type *x = &r->g->values[v].type, *y = &r->g->values[result].type;
    if (y->rank != 4 || x->rank > 4) return false;
    if (x->rank == 4) return true; /* either blocked too, or of no more than one channel or pixel */
    bool channels = x->rank == 3 && x->dim[0] > 1, pixels = false;
    for (int k = x->rank == 3 ? 1 : 0; k < x->rank; k++) pixels |= x->dim[k] > 1;
    return !(channels && pixels);
}

bool rg_walk_make(const rg_axes *axes, int operands, rg_walk *out)
{
    int64_t dim[RG_RANK_MAX], step[RG_OPERANDS][RG_RANK_MAX]; /* from the last axis on */
    int count = 0;
    *out = (rg_walk){.count = 1, .run = 1, .lines = 1};
    for (int k = axes->rank - 1; k >= 0; k--) {
        int64_t size = axes->dim[k];
        out->count *= size;
        if (size == 1) continue;
        bool goes_on = count > 0;
        for (int i = 0; i < operands && goes_on; i++)
            goes_on = axes[i].step[k] == step[i][count - 1] * dim[count - 1];
        if (goes_on) {
            dim[count - 1] *= size;
            continue;
        }
        dim[count] = size;
        for (int i = 0; i < operands; i++) step[i][count] = axes[i].step[k];
        count++;
    }
    if (out->count == 0) return true;
    if (count > 0) out->run = dim[0];
    if (count > 1) out->lines = dim[1];
    out->rank = count > 2 ? count - 2 : 0;
    for (int k = 0; k < out->rank; k++) out->dim[k] = dim[count - 1 - k];
    for (int i = 0; i < operands; i++) {
        if (count > 0 && step[i][0] > 1) return false;
        out->moves[i] = count == 0 || step[i][0] == 1;
        out->line_step[i] = count > 1 ? step[i][1] : 0;
        for (int k = 0; k < out->rank; k++) out->step[i][k] = step[i][count - 1 - k];
    }
    return true;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t rg_walk_next(const rg_walk *w, int64_t from, int64_t to, rg_span *out)
{
    int64_t in_run = from % w->run, line = from / w->run, outer = line / w->lines;
    line %= w->lines;
    for (int i = 0; i < RG_OPERANDS; i++)
        out->at[i] = line * w->line_step[i] + (w->moves[i] ? in_run : 0);
    for (int k = w->rank - 1; k >= 0; outer /= w->dim[k--])
        for (int i = 0; i < RG_OPERANDS; i++) out->at[i] += outer % w->dim[k] * w->step[i][k];
    bool part = in_run || to - from < w->run;
    out->run = part ? least(w->run - in_run, to - from) : w->run;
    out->lines = part ? 1 : least(w->lines - line, (to - from) / w->run);
    return out->run * out->lines;
}
