/* lesson.c - the witness that collects lessons while files are judged. */
#include "learn/lesson.h"

#include "map/map.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Beyond a factor of 50 a measurement is of something else than its columns say. */
#define RESIDUAL_MOST 3.9

enum { KEY_SIZE = 80 };

/* What the forecast of one case looks like. */
typedef struct sight {
    bool seen;
    char key[KEY_SIZE], power_key[KEY_SIZE];
    float x[RG_TREES_FEATURES];
    double base_s, rest_s, base_w;
    const rg_device *device;
    uint64_t group;
} sight;

typedef struct collecting {
    rg_lessons *lessons;
    bool whole;
    const char *file;            /* base name */
    const char *device;          /* id; NULL: any */
    sight *sights;               /* by case */
} collecting;

void rg_lessons_init(rg_ctx *cx, rg_lessons *lessons)
{
    *lessons = (rg_lessons){0};
    rg_arena_init(&lessons->arena, cx);
    rg_map_init(&lessons->keys, &lessons->arena);
    rg_map_init(&lessons->names, &lessons->arena);
}

void rg_lessons_done(rg_lessons *lessons)
{
    for (size_t i = 0; i < lessons->device_count; i++) rg_device_free(lessons->devices[i]);
    rg_arena_done(&lessons->arena);
}

static rg_err begin(rg_ctx *cx, void *user, const rg_evaluation *e)
{
    collecting *c = user;
    c->sights = RG_NEW(&cx->arena, sight, e->cases + 1);
    return c->sights ? RG_OK : rg_nomem(cx);
}

/* What would be known together: the model and its family where there is one, else the shape. */
static uint64_t group_of(const rg_exam *exam)
{
    rg_str family = rg_exam_text(exam, "family"), model = rg_exam_text(exam, "model");
    rg_str name = family.size ? family : model;
    if (name.size) return rg_hash(RG_HASH_SEED, name.data, name.size);
    uint64_t hash = RG_HASH_SEED;
    for (int i = 0; i < RG_JUDGE_COLUMNS && exam->judge->columns[i]; i++)
        if (strcmp(exam->judge->columns[i], exam->judge->device) != 0)
            hash = rg_hash(hash, exam->cells[i].data, exam->cells[i].size);
    return hash;
}

static rg_err put_keys(rg_ctx *cx, const rg_forecast *f, uint32_t row, sight *s)
{
    const char *key, *power, *runtime = f->plan->runtime->id;
    RG_TRY(rg_learned_key(cx, f, row, runtime, RG_TARGET_LATENCY, &key));
    RG_TRY(rg_learned_key(cx, f, row, runtime, RG_TARGET_POWER, &power));
    if (strlen(power) >= KEY_SIZE) return rg_fail(cx, RG_LIMIT, "the key %s exceeds %d", power, KEY_SIZE);
    memcpy(s->key, key, strlen(key) + 1);
    memcpy(s->power_key, power, strlen(power) + 1);
    return RG_OK;
}

/* What a kernel is measured for is its products, whatever is rounded around them; else what takes longest.
 */
static bool is_ahead(const rg_forecast *f, uint32_t row, uint32_t other)
{
    double a = f->plan->rows[row].work.mac, b = f->plan->rows[other].work.mac;
    return a != b ? a > b : f->rows[row].total_s > f->rows[other].total_s;
}

static rg_err see(rg_ctx *cx, void *user, const rg_exam *exam, const rg_forecast *f, rg_view view)
{
    const collecting *c = user;
    sight *s = &c->sights[exam->index];
    uint32_t longest = 0;
    const char *without = c->lessons->without;
    bool whole = view.whole;
    if (whole != c->whole || f->plan->row_count == 0 || !exam->device) return RG_OK;
    if (c->device && strcmp(exam->device->id, c->device) != 0) return RG_OK;
    if (without && strcmp(exam->device->id, without) == 0) return RG_OK;
    if (rg_is_doubted(c->lessons, exam)) return RG_OK;
    for (uint32_t r = 1; r < f->plan->row_count && !view.row; r++)
        if (is_ahead(f, r, longest)) longest = r;
    if (view.row) longest = view.row - 1;
    s->device = exam->device;
    s->group = group_of(exam);
    s->base_s = whole ? f->latency_s.value : f->rows[longest].total_s;
    s->rest_s = view.row ? 0 : f->latency_s.value - s->base_s;
    s->base_w = view.devices * (whole ? f->power_w.value : f->rows[longest].power_w);
    if (whole) rg_feature_whole(f, s->x);
    else rg_feature_row(f, longest, s->x);
    s->seen = s->base_s > 0;
    return put_keys(cx, f, whole ? RG_WHOLE : longest, s);
}

static rg_err find_lesson(rg_ctx *cx, rg_lessons *l, const char *key, rg_features_of of, rg_lesson **out)
{
    uint32_t at = rg_map_get(&l->keys, rg_str_of(key));
    if (!at) {
        if (!RG_GROW(&l->arena, l->items, l->count, l->capacity)) return rg_nomem(cx);
        const char *name = rg_arena_cstr(&l->arena, rg_str_of(key));
        l->items[l->count] = (rg_lesson){.key = name, .of = of, .features = rg_feature_count(of),
                                         .hash = RG_HASH_SEED};
        rg_text_init(&l->items[l->count].made_of, &l->arena);
        at = (uint32_t)++l->count;
        if (!name || !rg_map_put(&l->keys, rg_str_of(name), at)) return rg_nomem(cx);
    }
    *out = &l->items[at - 1];
    return RG_OK;
}

static rg_err find_device(rg_ctx *cx, rg_lessons *l, const rg_device *device, uint32_t *out)
{
    uint32_t at = rg_map_get(&l->names, rg_str_of(device->id));
    if (!at) {
        if (!RG_GROW(&l->arena, l->devices, l->device_count, l->device_capacity)) return rg_nomem(cx);
        l->devices[l->device_count++] = rg_device_ref(device);
        at = (uint32_t)l->device_count;
        if (!rg_map_put(&l->names, rg_str_of(device->id), at)) return rg_nomem(cx);
    }
    *out = at - 1;
    return RG_OK;
}

rg_err rg_lesson_note_file(rg_ctx *cx, rg_text *made_of, const char *file)
{
    size_t size = strlen(file), before = made_of->size - size; /* of the last name, if that is it */
    bool last = made_of->size >= size && memcmp(made_of->data + before, file, size) == 0 &&
                (before == 0 || made_of->data[before - 1] == ' ');
    if (!last) rg_text_printf(made_of, "%s%s", made_of->size ? " " : "", file);
    return made_of->failed ? rg_nomem(cx) : RG_OK;
}

static rg_err add_row(rg_ctx *cx, collecting *c, const sight *s, const char *key, double r,
                      rg_lesson_part part)
{
    rg_lessons *l = c->lessons;
    rg_lesson *lesson = NULL;
    uint32_t device = 0;
    if (!(fabs(r) < RESIDUAL_MOST)) return RG_OK;
    RG_TRY(find_lesson(cx, l, key, c->whole ? RG_OF_WHOLE : RG_OF_ROW, &lesson));
    RG_TRY(find_device(cx, l, s->device, &device));
    size_t n = lesson->count, columns = lesson->features;
    while (lesson->x_capacity < (n + 1) * columns) {
        size_t full = lesson->x_capacity;
        if (!RG_GROW(&l->arena, lesson->x, full, lesson->x_capacity)) return rg_nomem(cx);
    }
    if (!RG_GROW(&l->arena, lesson->r, n, lesson->r_capacity)
        || !RG_GROW(&l->arena, lesson->device, n, lesson->device_capacity)
        || !RG_GROW(&l->arena, lesson->group, n, lesson->group_capacity)
        || !RG_GROW(&l->arena, lesson->part, n, lesson->part_capacity))
        return rg_nomem(cx);
    memcpy(lesson->x + n * columns, s->x, columns * sizeof *s->x);
    lesson->r[n] = (float)r;
    lesson->part[n] = part;
    lesson->device[n] = device;
    lesson->group[n] = s->group;
    lesson->count++;
    lesson->hash = rg_hash(lesson->hash, &lesson->r[n], sizeof *lesson->r);
    lesson->hash = rg_hash(lesson->hash, s->x, columns * sizeof *s->x);
    return rg_lesson_note_file(cx, &lesson->made_of, c->file);
}

void rg_verdict_measured(const rg_evaluation *e, const rg_verdict *v, double *seconds, double *watt)
{
    *seconds = *watt = NAN;
    for (int i = 0; i < RG_JUDGE_QUANTITIES && e->judge->quantities[i].name; i++) {
        const rg_quantity *q = &e->judge->quantities[i];
        if (q->unit == RG_UNIT_SECOND && isnan(*seconds)) *seconds = v->measured[i];
        if (q->unit == RG_UNIT_WATT) *watt = v->measured[i];
    }
}

static rg_err end(rg_ctx *cx, void *user, const rg_evaluation *e, const uint32_t *case_of)
{
    collecting *c = user;
    for (size_t i = 0; i < e->count; i++) {
        const sight *s = &c->sights[case_of[i]];
        double seconds, watt;
        if (!s->seen || e->verdicts[i].dirty) continue;
        rg_verdict_measured(e, &e->verdicts[i], &seconds, &watt);
        double own_s = fmax(seconds - s->rest_s, 0.05 * seconds); /* the others may be priced too dear */
        rg_lesson_part part = {(float)(own_s / seconds), (float)(s->rest_s / seconds), (float)log(seconds)};
        rg_lesson_part all = {1, 0, (float)log(watt)};
        if (seconds > 0) RG_TRY(add_row(cx, c, s, s->key, log(own_s / s->base_s), part));
        if (watt > 0 && s->base_w > 0) RG_TRY(add_row(cx, c, s, s->power_key, log(watt / s->base_w), all));
    }
    return RG_OK;
}

rg_err rg_lessons_add(rg_ctx *cx, rg_lessons *lessons, const char *path, const rg_evaluate_opt *opt,
                      bool whole, const char *device)
{
    collecting c = {.lessons = lessons, .whole = whole, .file = rg_path_base(path), .device = device};
    rg_witness witness = {begin, see, end, &c};
    rg_evaluation *evaluations;
    size_t count;
    RG_TRY(rg_judge_file(cx, path, opt, &witness, &evaluations, &count));
    rg_evaluation_free(evaluations, count);
    return RG_OK;
}

/* ---- for other tools ---- */

static void print_lesson(const rg_lessons *l, const rg_lesson *lesson, FILE *file)
{
    fputs("residual,device,group", file);
    for (size_t i = 0; i < lesson->features; i++) fprintf(file, ",%s", rg_feature_name(lesson->of, i));
    for (size_t n = 0; n < lesson->count; n++) {
        char number[32];
        rg_str_print(number, sizeof number, "%.6g", (double)lesson->r[n]);
        fprintf(file, "\n%s,%s,%016llx", number, l->devices[lesson->device[n]]->id,
                (unsigned long long)lesson->group[n]);
        for (size_t i = 0; i < lesson->features; i++) {
            rg_str_print(number, sizeof number, "%.6g", (double)lesson->x[n * lesson->features + i]);
            fprintf(file, ",%s", number);
        }
    }
    fputs("\n", file);
}

rg_err rg_lessons_export(rg_ctx *cx, const rg_lessons *lessons, const char *dir)
{
    for (size_t i = 0; i < lessons->count; i++) {
        const char *path = rg_arena_printf(&cx->arena, "%s/%s.csv", dir, lessons->items[i].key);
        FILE *file = path ? fopen(path, "w") : NULL;
        if (!path) return rg_nomem(cx);
        if (!file) return rg_fail(cx, RG_INPUT, "%s: %s", path, strerror(errno));
        print_lesson(lessons, &lessons->items[i], file);
        bool wrong = ferror(file);
        if (fclose(file) || wrong) return rg_fail(cx, RG_INPUT, "%s: %s", path, strerror(errno));
    }
    return RG_OK;
}
