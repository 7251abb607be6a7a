/* judging.c - files of measurements judged: which kinds they have, rows of the same identity forecast once,
 * over the cores.
 */
#include "learn/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a forecast may see ---- */

rg_str rg_exam_text(const rg_exam *exam, const char *column)
{
    for (int i = 0; i < RG_JUDGE_COLUMNS && exam->judge->columns[i]; i++)
        if (strcmp(exam->judge->columns[i], column) == 0) return exam->cells[i];
    return (rg_str){0}; /* it is none of its columns */
}

static double number_of(rg_str cell)
{
    double x;
    return rg_str_real(cell, &x) && !isinf(x) ? x : NAN;
}

double rg_exam_real(const rg_exam *exam, const char *column) { return number_of(rg_exam_text(exam, column)); }

int64_t rg_exam_int(const rg_exam *exam, const char *column)
{
    double x = rg_exam_real(exam, column);
    return x >= 0 && x < 1e15 && x == floor(x) ? (int64_t)x : -1;
}

double rg_exam_pair(const rg_exam *exam, const char *column, const char *key)
{
    rg_str rest = rg_exam_text(exam, column), pair, name;
    while (rg_str_cut(&rest, ';', &pair))
        if (rg_str_cut(&pair, '=', &name) && rg_str_is(name, key)) return number_of(pair);
    return NAN;
}

bool rg_exam_flag(const rg_exam *exam, const char *column)
{
    rg_str cell = rg_exam_text(exam, column);
    return rg_str_is(cell, "True") || rg_str_is(cell, "true") || rg_str_is(cell, "1");
}

void rg_exam_interval(const rg_exam *exam, int quantity, rg_estimate estimate)
{
    if (exam->spread && estimate.value > 0) exam->spread[quantity] = log(estimate.high / estimate.value);
}

rg_err rg_exam_show(rg_ctx *cx, const rg_exam *exam, const rg_forecast *f, rg_view view)
{
    return exam->witness ? exam->witness->see(cx, exam->witness->user, exam, f, view) : RG_OK;
}

/* ---- one kind of one file ---- */

typedef struct judging {
    rg_ctx *cx;
    rg_evaluation *e;
    const rg_evaluate_opt *opt;
    const rg_witness *witness;
    size_t at[RG_JUDGE_COLUMNS]; int columns;
    size_t measured[RG_JUDGE_QUANTITIES]; int quantities;
    rg_str *keys;                  /* cells of each case, `columns` of them */
    uint32_t *case_of;             /* by verdict */
    double (*answers)[2 * RG_JUDGE_QUANTITIES]; /* by case, forecasts and then their spreads; those of curves
                                                  * are in their settings */
    const char **errors;           /* by case */
    rg_arena *texts;               /* by case */
    rg_map names;                  /* of devices -> 1 + index */
    const rg_device **devices; const char **unknown; uint32_t device_count; /* by name: one of both */
    const rg_runtime *runtimes[RG_JUDGE_RUNTIMES];
} judging;

static bool has_columns(judging *j, const rg_table *t, const rg_judge *judge)
{
    bool measured = false;
    for (j->columns = 0; j->columns < RG_JUDGE_COLUMNS && judge->columns[j->columns]; j->columns++) {
        bool needed = !judge->required || j->columns < judge->required;
        j->at[j->columns] = rg_table_column(t, judge->columns[j->columns]);
        if (needed && j->at[j->columns] == SIZE_MAX) return false;
    }
    for (j->quantities = 0; j->quantities < RG_JUDGE_QUANTITIES && judge->quantities[j->quantities].name;
         j->quantities++) {
        j->measured[j->quantities] = rg_table_column(t, judge->quantities[j->quantities].column);
        measured |= j->measured[j->quantities] != SIZE_MAX;
    }
    return measured && (!judge->where || rg_table_column(t, judge->where) != SIZE_MAX);
}

/* Empty where the file has no such column. */
static rg_str cell_at(const judging *j, size_t row, size_t column)
{
    return column == SIZE_MAX ? (rg_str){0} : rg_table_cell(j->e->table, row, column);
}

static bool is_of_kind(const judging *j, size_t row)
{
    const rg_judge *judge = j->e->judge;
    rg_str cells[RG_JUDGE_COLUMNS];
    for (int i = 0; i < j->columns; i++) cells[i] = cell_at(j, row, j->at[i]);
    if (judge->has && !judge->has(&(rg_exam){.judge = judge, .cells = cells})) return false;
    if (!judge->where) return true;
    rg_str cell = rg_table_cell(j->e->table, row, rg_table_column(j->e->table, judge->where));
    return rg_str_is(cell, judge->where_is);
}

/* "CELL\x1fCELL...": the index of what has these cells, 1 for the first. */
static rg_err intern(judging *j, rg_map *map, const rg_str *cells, int count, uint32_t *number, uint32_t *out)
{
    rg_text key;
    rg_text_init(&key, &j->cx->arena);
    for (int i = 0; i < count; i++) {
        rg_text_put(&key, cells[i]);
        rg_text_char(&key, 0x1f);
    }
    if (key.failed) return rg_nomem(j->cx);
    rg_str name = {key.data, key.size};
    *out = rg_map_get(map, name);
    if (!*out && !rg_map_put(map, name, *out = ++*number)) return rg_nomem(j->cx);
    return RG_OK;
}

static rg_str cell_named(const judging *j, const rg_str *cells, const char *column)
{
    rg_exam exam = {.judge = j->e->judge, .cells = cells};
    return column ? rg_exam_text(&exam, column) : (rg_str){0};
}

/* Of the cells device, family, and what stands behind the family's. */
static rg_err add_group(const judging *j, const rg_str *cells, rg_group *out)
{
    const char *const *finer = j->e->judge->finer;
    rg_text family;
    *out = (rg_group){cells[0], cells[1]};
    if (!finer[0]) return RG_OK;
    rg_text_init(&family, &j->e->arena);
    rg_text_put(&family, cells[1]);
    for (int i = 0; i < RG_JUDGE_FINER && finer[i]; i++) {
        rg_text_char(&family, ' ');
        rg_text_put(&family, cells[2 + i]);
    }
    out->family = (rg_str){family.data, family.size};
    return family.failed ? rg_nomem(j->cx) : RG_OK;
}

static rg_err add_row(judging *j, rg_map *cases, rg_map *groups, size_t row, uint32_t *case_count,
                      uint32_t *group_count)
{
    rg_evaluation *e = j->e;
    rg_str cells[RG_JUDGE_COLUMNS];
    rg_verdict *v = &e->verdicts[e->count];
    bool measured = false;
    for (int i = 0; i < j->columns; i++) cells[i] = cell_at(j, row, j->at[i]);
    for (int i = 0; i < j->quantities; i++) {
        double x = number_of(cell_at(j, row, j->measured[i])) * e->judge->quantities[i].scale;
        v->measured[i] = x > 0 ? x : NAN;
        v->spread[i] = NAN;
        measured |= x > 0;
    }
    if (!measured) return RG_OK;
    rg_str group[2 + RG_JUDGE_FINER] = {cell_named(j, cells, e->judge->device),
                                        cell_named(j, cells, e->judge->family)};
    for (int i = 0; i < RG_JUDGE_FINER; i++) group[2 + i] = cell_named(j, cells, e->judge->finer[i]);
    uint32_t before = *case_count, known = *group_count;
    RG_TRY(intern(j, cases, cells, j->columns, case_count, &j->case_of[e->count]));
    RG_TRY(intern(j, groups, group, 2 + RG_JUDGE_FINER, group_count, &v->group));
    if (*case_count > before)
        memcpy(&j->keys[before * (size_t)j->columns], cells, sizeof *cells * (size_t)j->columns);
    if (*group_count > known) RG_TRY(add_group(j, group, &e->groups[known]));
    v->group--;
    j->case_of[e->count]--;
    v->row = (uint32_t)row;
    e->count++;
    return RG_OK;
}

static rg_err list_rows(judging *j)
{
    rg_evaluation *e = j->e;
    rg_map cases, groups;
    uint32_t case_count = 0, group_count = 0;
    size_t rows = e->table->row_count;
    rg_map_init(&cases, &j->cx->arena);
    rg_map_init(&groups, &j->cx->arena);
    e->verdicts = RG_NEW(&e->arena, rg_verdict, rows + 1);
    e->groups = RG_NEW(&e->arena, rg_group, rows + 1);
    j->keys = RG_NEW(&j->cx->arena, rg_str, (rows + 1) * (size_t)j->columns);
    j->case_of = RG_NEW(&j->cx->arena, uint32_t, rows + 1);
    if (!e->verdicts || !e->groups || !j->keys || !j->case_of) return rg_nomem(j->cx);
    for (size_t i = 0; i < rows; i++)
        if (is_of_kind(j, i)) RG_TRY(add_row(j, &cases, &groups, i, &case_count, &group_count));
    e->cases = case_count;
    e->group_count = group_count;
    return RG_OK;
}

/* A name is looked up once: it may be an alias, which takes reading every profile. */
static rg_err find_device(judging *j, rg_str name)
{
    if (rg_map_get(&j->names, name)) return RG_OK;
    const char *text = rg_arena_cstr(&j->cx->arena, name);
    uint32_t at = j->device_count++;
    if (!text || !rg_map_put(&j->names, name, at + 1)) return rg_nomem(j->cx);
    rg_err err = rg_device_find(j->cx, text, &j->devices[at]);
    if (!err || err == RG_NOMEM) return err;
    j->unknown[at] = rg_arena_cstr(&j->cx->arena, rg_str_of(rg_ctx_error(j->cx)));
    return j->unknown[at] ? RG_OK : rg_nomem(j->cx);
}

static rg_err find_devices(judging *j)
{
    const rg_evaluation *e = j->e;
    rg_map_init(&j->names, &j->cx->arena);
    j->devices = RG_NEW(&j->cx->arena, const rg_device *, e->group_count + 1);
    j->unknown = RG_NEW(&j->cx->arena, const char *, e->group_count + 1);
    if (!j->devices || !j->unknown) return rg_nomem(j->cx);
    for (size_t g = 0; g < e->group_count; g++) RG_TRY(find_device(j, e->groups[g].device));
    return RG_OK;
}

static rg_err find_runtimes(judging *j)
{
    const char *const *names = j->e->judge->runtimes;
    for (int i = 0; i < RG_JUDGE_RUNTIMES && names[i]; i++)
        RG_TRY(rg_runtime_find(j->cx, names[i], NULL, &j->runtimes[i]));
    return RG_OK;
}

static rg_err answer(rg_ctx *cx, void *user, size_t index)
{
    judging *j = user;
    const rg_str *cells = &j->keys[index * (size_t)j->columns];
    uint32_t device = rg_map_get(&j->names, cell_named(j, cells, j->e->judge->device)) - 1;
    double *out = j->answers[index], *spread = out + RG_JUDGE_QUANTITIES;
    rg_exam exam = {j->e->judge, cells, j->devices[device], j->runtimes, index, j->opt->learning, j->witness,
                    spread};
    const char *why = j->e->judge->any_device ? NULL : j->unknown[device];
    rg_err err = RG_OK;
    for (int i = 0; i < RG_JUDGE_QUANTITIES; i++) out[i] = spread[i] = NAN;
    if (!why) err = j->e->judge->forecast(cx, &exam, out);
    if (err == RG_NOMEM || err == RG_INTERNAL || err == RG_INTERRUPTED) return err;
    if (err) why = rg_ctx_error(cx);
    if (!why) return RG_OK;
    for (int i = 0; i < RG_JUDGE_QUANTITIES; i++) out[i] = NAN;
    j->errors[index] = rg_arena_cstr(&j->texts[index], rg_str_of(why));
    return j->errors[index] ? RG_OK : rg_nomem(cx);
}

/* A kind that can do both forecasts curves where there are probes. */
static bool is_curved(const judging *j)
{
    const rg_judge *judge = j->e->judge;
    return judge->curve && (!judge->forecast || j->opt->probes > 0);
}

/* As `answer`, of a whole curve. */
static rg_err answer_curve(rg_ctx *cx, void *user, size_t index)
{
    judging *j = user;
    rg_curve *curve = &j->e->curves[index];
    rg_str name = j->e->groups[curve->group].device;
    const char *why = j->e->judge->any_device ? NULL : j->unknown[rg_map_get(&j->names, name) - 1];
    rg_err err = why ? RG_OK : rg_curve_sit(cx, j->e, j->opt, index);
    if (err == RG_NOMEM || err == RG_INTERNAL || err == RG_INTERRUPTED || err == RG_USAGE) return err;
    if (err) why = rg_ctx_error(cx);
    for (uint32_t i = 0; i < curve->count && !why; i++) {
        const char **text = &curve->settings[i].error;
        if (*text && !(*text = rg_arena_cstr(&j->texts[index], rg_str_of(*text)))) return rg_nomem(cx);
    }
    if (!why) return RG_OK;
    curve->error = rg_arena_cstr(&j->texts[index], rg_str_of(why));
    return curve->error ? RG_OK : rg_nomem(cx);
}

static rg_err answer_rows(judging *j)
{
    rg_evaluation *e = j->e;
    rg_workers work = {.count = e->cases, .threads = j->opt->workers, .run = answer, .user = j,
                       .progress = j->opt->progress, .progress_user = j->opt->user};
    if (j->witness) RG_TRY(j->witness->begin(j->cx, j->witness->user, e));
    RG_TRY(rg_workers_run(j->cx, &work));
    if (j->witness) RG_TRY(j->witness->end(j->cx, j->witness->user, e, j->case_of));
    for (size_t i = 0; i < e->count; i++) {
        const char *text = j->errors[j->case_of[i]];
        const double *answers = j->answers[j->case_of[i]];
        memcpy(e->verdicts[i].forecast, answers, sizeof e->verdicts[i].forecast);
        memcpy(e->verdicts[i].spread, answers + RG_JUDGE_QUANTITIES, sizeof e->verdicts[i].spread);
        if (text && !(e->verdicts[i].error = rg_arena_cstr(&e->arena, rg_str_of(text))))
            return rg_nomem(j->cx);
    }
    return RG_OK;
}

static rg_err answer_curves(judging *j)
{
    rg_evaluation *e = j->e;
    rg_workers work = {.count = e->curve_count, .threads = j->opt->workers, .run = answer_curve, .user = j,
                       .progress = j->opt->progress, .progress_user = j->opt->user};
    for (size_t c = 0; c < e->curve_count; c++)
        for (uint32_t i = 0; i < e->curves[c].count; i++) {
            rg_exam *exam = &e->curves[c].settings[i].exam;
            exam->device = j->devices[rg_map_get(&j->names, e->groups[e->curves[c].group].device) - 1];
            exam->runtimes = j->runtimes;
            exam->learning = j->opt->learning;
        }
    RG_TRY(rg_workers_run(j->cx, &work));
    for (size_t i = 0; i < e->count; i++) {
        rg_verdict *v = &e->verdicts[i];
        const rg_curve *curve = &e->curves[v->curve];
        const rg_setting *setting = &curve->settings[v->setting];
        memcpy(v->forecast, setting->forecast, sizeof v->forecast);
        v->probe = setting->probe;
        const char *text = curve->error ? curve->error : setting->error;
        if (text && !(v->error = rg_arena_cstr(&e->arena, rg_str_of(text)))) return rg_nomem(j->cx);
    }
    return RG_OK;
}

static rg_err answer_all(judging *j)
{
    rg_evaluation *e = j->e;
    size_t texts = e->cases > e->curve_count ? e->cases : e->curve_count;
    j->answers = (void *)RG_NEW(&j->cx->arena, double, (e->cases + 1) * RG_JUDGE_QUANTITIES * 2);
    j->errors = RG_NEW(&j->cx->arena, const char *, e->cases + 1);
    j->texts = RG_NEW(&j->cx->arena, rg_arena, texts + 1);
    if (!j->answers || !j->errors || !j->texts) return rg_nomem(j->cx);
    for (size_t i = 0; i < texts; i++) rg_arena_init(&j->texts[i], j->cx);
    rg_err err = find_devices(j);
    if (!err) err = find_runtimes(j);
    if (!err) err = is_curved(j) ? answer_curves(j) : answer_rows(j);
    for (size_t i = 0; i < texts; i++) rg_arena_done(&j->texts[i]);
    for (uint32_t i = 0; i < j->device_count; i++) rg_device_free(j->devices[i]);
    for (int i = 0; i < RG_JUDGE_RUNTIMES; i++) rg_runtime_free(j->runtimes[i]);
    return err;
}

static rg_err judge(rg_ctx *cx, const rg_evaluate_opt *opt, rg_evaluation *e, judging *j)
{
    j->cx = cx, j->e = e, j->opt = opt;
    RG_TRY(list_rows(j));
    if (e->count) RG_TRY(rg_sitting_check(cx, e->judge, opt)); /* files of other kinds may share columns */
    if (e->count && is_curved(j)) RG_TRY(rg_curves_make(cx, e, j->keys, j->columns, j->case_of));
    return e->count ? answer_all(j) : RG_OK;
}

/* Columns that a file of that kind has and this one lacks, into `text`; answers their number, and how many it
 * has into *found. Of what was measured one is enough. */
static size_t list_missing(const rg_table *t, const rg_judge *judge, rg_text *text, size_t *found)
{
    size_t missing = 0, measured = 0;
    *found = 0;
    for (int i = 0; i < RG_JUDGE_COLUMNS && judge->columns[i]; i++) {
        if (rg_table_column(t, judge->columns[i]) != SIZE_MAX) ++*found;
        else if (!judge->required || i < judge->required)
            rg_text_printf(text, "%s%s", missing++ ? ", " : "", judge->columns[i]);
    }
    for (int i = 0; i < RG_JUDGE_QUANTITIES && judge->quantities[i].name; i++)
        measured += rg_table_column(t, judge->quantities[i].column) != SIZE_MAX;
    if (!measured) rg_text_printf(text, "%s%s", missing++ ? ", " : "", judge->quantities[0].column);
    return missing;
}

/* "; the nearest, gemm, needs dtype": the kind that fewest columns are missing of, and of which the file has
 * at least as many. Nothing where there is none. */
static rg_err say_nearest(rg_ctx *cx, const char *path, const char *kind, rg_text *out)
{
    rg_table *t;
    size_t least = SIZE_MAX;
    RG_TRY(rg_table_read(cx, path, &t));
    for (int i = 0; i < rg_judge_count; i++) {
        const rg_judge *judge = rg_judge_table[i];
        size_t found, missing;
        rg_text names;
        if (kind && strcmp(kind, judge->name) != 0) continue;
        rg_text_init(&names, &cx->arena);
        missing = list_missing(t, judge, &names, &found);
        if (names.failed || !missing || missing >= least || (!kind && found < missing)) continue;
        least = missing;
        out->size = 0;
        rg_text_printf(out, "; %s%s%s needs %s", kind ? "" : "the nearest, ", judge->name,
                       kind ? "" : ",", names.data);
    }
    rg_table_free(t);
    return out->failed ? rg_nomem(cx) : RG_OK;
}

/* fits: kinds whose columns the file has. */
static rg_err no_kind(rg_ctx *cx, const char *path, const char *kind, const rg_text *fits, size_t rows)
{
    rg_text names, near;
    if (fits->size && !rows)
        return rg_fail(cx, RG_FORMAT, "%s: it names the columns of %s and has no row", path, fits->data);
    if (fits->size)
        return rg_fail(cx, RG_FORMAT, "%s: it has the columns of %s, but none of its %zu rows a measurement",
                       path, fits->data, rows);
    rg_text_init(&near, &cx->arena);
    RG_TRY(say_nearest(cx, path, kind, &near));
    rg_text_init(&names, &cx->arena);
    for (int i = 0; i < rg_judge_count && !near.size; i++)
        rg_text_printf(&names, "%s%s", i ? ", " : "; known: ", rg_judge_table[i]->name);
    if (names.failed) return rg_nomem(cx);
    return rg_fail(cx, RG_FORMAT, "%s: its columns are those of no measurement%s%s%s", path,
                   kind ? " of kind " : "", kind ? kind : "", near.size ? near.data : names.data);
}

rg_err rg_evaluate_file(rg_ctx *cx, const char *path, const rg_evaluate_opt *opt, rg_evaluation **out,
                        size_t *count)
{
    return rg_judge_file(cx, path, opt, NULL, out, count);
}

rg_err rg_judge_file(rg_ctx *cx, const char *path, const rg_evaluate_opt *opt, const rg_witness *witness,
                     rg_evaluation **out, size_t *count)
{
    rg_evaluation *all = RG_NEW(&cx->arena, rg_evaluation, (size_t)rg_judge_count);
    *out = all;
    *count = 0;
    if (!all) return rg_nomem(cx);
    rg_err err = RG_OK;
    rg_text fits;
    size_t rows = 0;
    rg_text_init(&fits, &cx->arena);
    for (int i = 0; i < rg_judge_count && !err; i++) {
        const rg_judge *kind = rg_judge_table[i];
        judging j = {.witness = witness};
        if (opt->kind && strcmp(opt->kind, kind->name) != 0) continue;
        if (kind->teaches && !witness) continue;
        rg_evaluation *e = &all[(*count)++];
        *e = (rg_evaluation){.judge = kind};
        rg_arena_init(&e->arena, cx);
        err = rg_table_read(cx, path, &e->table);
        if (!err && has_columns(&j, e->table, kind)) {
            rg_text_printf(&fits, "%s%s", fits.size ? ", " : "", kind->name);
            rows = e->table->row_count;
            err = fits.failed ? rg_nomem(cx) : judge(cx, opt, e, &j);
        }
        if (!e->count) rg_evaluation_free(&all[--*count], 1);
    }
    if (!err && !*count) err = no_kind(cx, path, opt->kind, &fits, rows);
    if (err) rg_evaluation_free(all, *count);
    return err;
}

void rg_evaluation_free(rg_evaluation *evaluations, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rg_table_free(evaluations[i].table);
        rg_arena_done(&evaluations[i].arena);
    }
}
