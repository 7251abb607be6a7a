/* bench_result.c - the figures of each player of a contest, and its result in the document.
 *
 *     ratio    = median / median of the reference with as many threads
 *     error_l2 = max over outputs of |a - r| / |r|        r: what the plain kernels give, where the model is
 * so small that they are quick, else the reference's
 */
#include "measure/bench.h"

#include "analyze/analyze.h"
#include "base/statistics.h"

#include <math.h>

#define SMALL_FLOP 2e8 /* of a model that the plain kernels run in about a second */

/* ---- time ---- */

static rg_err take_samples(rg_contest *m, rg_player *p)
{
    rg_ctx *cx = m->b->cx;
    const rg_lane *lane = &p->lane;
    p->disturbed = lane->calm_count < (size_t)m->b->opt.samples;
    size_t calm = lane->calm_count, count = calm + (p->disturbed ? lane->disturbed_count : 0);
    p->samples_s = RG_NEW(&cx->arena, double, count + 1);
    double *sorted = RG_NEW(&cx->arena, double, count + 1);
    if (!p->samples_s || !sorted) return rg_nomem(cx);
    if (calm) memcpy(p->samples_s, lane->calm_s, calm * sizeof *sorted);
    if (count > calm) memcpy(p->samples_s + calm, lane->disturbed_s, (count - calm) * sizeof *sorted);
    if (count) memcpy(sorted, p->samples_s, count * sizeof *sorted);
    rg_sort_ascending(sorted, count);
    p->sample_count = count;
    p->median_s = rg_percentile(sorted, count, 0.5);
    p->p90_s = rg_percentile(sorted, count, 0.9);
    p->p99_s = rg_percentile(sorted, count, 0.99);
    return RG_OK;
}

static rg_err compare_times(rg_contest *m)
{
    rg_bench *b = m->b;
    for (size_t i = 0; i < m->count; i++) {
        rg_player *p = &m->players[i], *reference = NULL;
        p->ratio = NAN;
        for (size_t k = 0; k < m->count; k++)
            if (m->players[k].backend == b->reference && m->players[k].job.threads == p->job.threads)
                reference = &m->players[k];
        if (!reference || !(reference->median_s > 0)) continue;
        p->ratio = p->median_s / reference->median_s;
        if (p == reference) continue;
        if (!RG_GROW(&b->cx->arena, b->ratios, b->ratio_count, b->ratio_capacity)) return rg_nomem(b->cx);
        b->ratios[b->ratio_count++] = (rg_ratio){p->backend, p->job.threads, m->model, p->ratio};
    }
    return RG_OK;
}

/* ---- outputs ---- */

/* Outputs of a run, as far as they are to be had: NULL where not. */
typedef struct answers { const char *who; rg_datum **items; uint32_t count; } answers;

static rg_err take_answers(rg_contest *m, const rg_backend *backend, void *state, answers *out)
{
    rg_ctx *cx = m->b->cx;
    out->who = backend->name;
    out->count = m->forms[RG_FORM_BUILT].g->regions[RG_MAIN].output_count;
    out->items = RG_NEW(&cx->arena, rg_datum *, out->count + 1);
    if (!out->items) return rg_nomem(cx);
    for (uint32_t i = 0; backend->output && i < out->count; i++)
        if (backend->output(cx, state, i, &out->items[i])) out->items[i] = NULL;
    return RG_OK;
}

static void free_answers(answers *a)
{
    for (uint32_t i = 0; a->items && i < a->count; i++) rg_datum_free(a->items[i]);
}

static const rg_backend *plain_backend(void)
{
    for (int i = 0; i < rg_backend_count; i++)
        if (strcmp(rg_backend_table[i]->name, "naive") == 0) return rg_backend_table[i];
    return NULL;
}

static bool is_small(rg_contest *m)
{
    const rg_facts *facts = NULL;
    bool small = !rg_facts_make(m->b->cx, m->forms[RG_FORM_BUILT].g, &facts) && facts->flop <= SMALL_FLOP;
    rg_facts_free(facts);
    return small;
}

/* Without a place of its own among the players. */
static rg_err ask_plain(rg_contest *m, const rg_backend *plain, answers *right)
{
    rg_ctx *cx = m->b->cx;
    const rg_form *form = &m->forms[RG_FORM_BUILT];
    rg_job job = {.path = form->path, .g = form->g, .in = form->in, .threads = 1};
    const char *version;
    void *state = NULL;
    rg_err err = plain->open(cx, &job, &state, &version);
    if (!err) err = plain->run(cx, state);
    if (!err) err = take_answers(m, plain, state, right);
    if (state) plain->close(state);
    return err == RG_NOMEM ? err : RG_OK; /* what it cannot run has no answers */
}

static rg_err find_answers(rg_contest *m, answers *right)
{
    const rg_backend *plain = plain_backend();
    for (size_t i = 0; i < m->count; i++)
        if (m->players[i].backend == plain) return take_answers(m, plain, m->players[i].state, right);
    if (plain && is_small(m)) RG_TRY(ask_plain(m, plain, right));
    for (size_t i = 0; i < m->count && !right->items; i++)
        if (m->players[i].backend == m->b->reference)
            return take_answers(m, m->b->reference, m->players[i].state, right);
    return RG_OK;
}

/* NAN: they cannot be compared. What is no number in both is equal. */
static double l2_apart(const rg_datum *x, const rg_datum *right)
{
    double apart = 0, size = 0;
    if (!x || !right || x->kind != RG_KIND_TENSOR || right->kind != RG_KIND_TENSOR) return NAN;
    const rg_array *a = &x->array, *r = &right->array;
    if (a->dtype != r->dtype || a->count != r->count || a->dtype == RG_STR) return NAN;
    if (rg_dtype_class(a->dtype) == 'c') return NAN;
    for (int64_t i = 0; i < a->count; i++) {
        double u = rg_get(a, i), v = rg_get(r, i);
        if (u == v || (isnan(u) && isnan(v))) u = v = isfinite(v) ? v : 0;
        apart += (u - v) * (u - v);
        size += v * v;
    }
    return apart == 0 ? 0 : sqrt(apart / size);
}

static rg_err compare_outputs(rg_contest *m, const answers *right)
{
    for (size_t i = 0; i < m->count; i++) {
        rg_player *p = &m->players[i];
        answers own = {0};
        if (!right->items || strcmp(right->who, p->backend->name) == 0) continue;
        RG_TRY(take_answers(m, p->backend, p->state, &own));
        for (uint32_t k = 0; k < own.count; k++) {
            double apart = l2_apart(own.items[k], right->items[k]);
            if (isnan(apart)) continue;
            p->error_l2 = isnan(p->error_l2) ? apart : fmax(p->error_l2, apart);
            p->error_of = right->who;
        }
        free_answers(&own);
    }
    return RG_OK;
}

rg_err rg_contest_figures(rg_contest *m)
{
    answers right = {0};
    for (size_t i = 0; i < m->count; i++) {
        m->players[i].error_l2 = NAN;
        RG_TRY(take_samples(m, &m->players[i]));
    }
    RG_TRY(compare_times(m));
    rg_err err = find_answers(m, &right);
    if (!err) err = compare_outputs(m, &right);
    free_answers(&right);
    return err;
}

/* ---- in the document ---- */

static void put_list(rg_doc *doc, rg_item *parent, const char *key, const double *x, size_t count)
{
    rg_item *list = rg_doc_array(doc, parent, key);
    for (size_t i = 0; i < count; i++) rg_doc_real(doc, list, NULL, x[i]);
}

/* base_s: median of the model's first result. */
static void put_times(rg_doc *doc, rg_item *item, const rg_player *p, double base_s)
{
    rg_mean mean = rg_mean_of(p->samples_s, p->sample_count);
    rg_doc_real(doc, item, "median_s", p->median_s);
    rg_doc_real(doc, item, "p90_s", p->p90_s);
    rg_doc_real(doc, item, "p99_s", p->p99_s);
    rg_doc_quantity(doc, item, "mean_s",
                    (rg_estimate){mean.mean, mean.mean - mean.half, mean.mean + mean.half});
    rg_doc_real(doc, item, "p99_to_median", p->median_s > 0 ? p->p99_s / p->median_s : 1);
    rg_doc_real(doc, item, "speed_up", p->median_s > 0 ? base_s / p->median_s : 1);
    rg_doc_real(doc, item, "ratio", p->ratio);
}

/* What was measured beside the times, null where nobody knows. */
static void put_cost(rg_doc *doc, rg_item *item, const rg_trial *t)
{
    rg_doc_real(doc, item, "peak_memory_byte", t->peak_byte >= 0 ? t->peak_byte : NAN);
    if (t->allocations >= 0) rg_doc_int(doc, item, "allocations", t->allocations);
    else rg_doc_str(doc, item, "allocations", NULL);
    rg_doc_int(doc, item, "minor_faults", t->minor_faults);
    rg_doc_int(doc, item, "major_faults", t->major_faults);
}

static void put_counters(rg_doc *doc, rg_item *item, const rg_player *p)
{
    if (*p->counters.reason) rg_doc_str(doc, item, "counters", NULL);
    else {
        rg_item *c = rg_doc_object(doc, item, "counters");
        for (int i = 0; i < RG_COUNTER_COUNT; i++)
            rg_doc_real(doc, c, rg_counter_name((rg_counter)i), p->counts[i]);
        rg_doc_real(doc, c, "instructions_per_cycle",
                    p->counts[RG_COUNTER_INSTRUCTIONS] / p->counts[RG_COUNTER_CYCLES]);
    }
    rg_doc_str(doc, item, "counters_reason", *p->counters.reason ? p->counters.reason : NULL);
}

static rg_err put_result(const rg_contest *m, const rg_player *p)
{
    rg_doc *doc = m->b->doc;
    const rg_lane *lane = &p->lane;
    rg_item *item = rg_doc_object(doc, m->b->results, NULL);
    rg_doc_text(doc, item, "name", "%s %s x%d", rg_path_base(m->model), p->backend->name, p->job.threads);
    rg_doc_str(doc, item, "model", m->model);
    rg_doc_str(doc, item, "backend", p->backend->name);
    rg_doc_str(doc, item, "version", p->trial.version);
    rg_doc_str(doc, item, "form", rg_form_name(p->form));
    rg_doc_str(doc, item, "form_text", p->form_text);
    rg_doc_int(doc, item, "threads", p->job.threads);
    put_times(doc, item, p, m->players[0].median_s);
    rg_doc_real(doc, item, "error_l2", p->error_l2);
    rg_doc_str(doc, item, "error_of", p->error_of);
    put_cost(doc, item, &p->trial);
    rg_lane_energy_put(doc, item, &p->energy, p->median_s);
    put_counters(doc, item, p);
    rg_doc_real(doc, item, "foreign_cpu", lane->foreign >= 0 ? lane->foreign : NAN);
    rg_doc_flag(doc, item, "disturbed", p->disturbed);
    rg_doc_flag(doc, item, "steady", lane->steady);
    if (p->rows.plan && m->b->opt.against_forecast)
        RG_TRY(rg_row_times_put(m->b->cx, doc, item, &p->rows, p->median_s));
    put_list(doc, item, "samples_s", p->samples_s, p->sample_count);
    put_list(doc, item, "disturbed_s", lane->disturbed_s, p->disturbed ? 0 : lane->disturbed_count);
    return RG_OK;
}

rg_err rg_contest_put(rg_contest *m)
{
    for (size_t i = 0; i < m->count; i++) RG_TRY(put_result(m, &m->players[i]));
    return RG_OK;
}
