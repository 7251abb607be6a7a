/* learn_doc.c - `ridge learn`: lessons from files, taught key by key, written where they are no worse, and
 * the report of how they do.
 */
#include "learn/graph_teach.h"
#include "learn/teach.h"
#include "report/doc.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SCORES(name, heading)                                                                              \
    {name, heading, RG_UNIT_FRACTION, true}, {name "_median", "median", RG_UNIT_FRACTION, false},           \
    {name "_tau", "tau", RG_UNIT_NONE, false}
#define INTERVALS(name)                                                                                    \
    {name "_coverage", "in 90 %", RG_UNIT_FRACTION, false}, {name "_width", "wide", RG_UNIT_FRACTION, false}

static const rg_column card_columns[] = {
    {"key", "key", RG_UNIT_NONE, false},    {"device", "device", RG_UNIT_NONE, false},
    {"rows", "rows", RG_UNIT_COUNT, false}, SCORES("base", "analytic"),
    SCORES("known", "known"),               INTERVALS("known"),
    SCORES("unknown", "held out"),          INTERVALS("unknown"),
};
static const rg_column key_columns[] = {
    {"key", "key", RG_UNIT_NONE, false},          {"rows", "rows", RG_UNIT_COUNT, false},
    SCORES("base", "analytic"),                   SCORES("known", "known"),
    INTERVALS("known"),                           SCORES("unknown", "held out"),
    INTERVALS("unknown"),                         {"reach", "reach", RG_UNIT_NONE, false},
    {"pooled", "pooled", RG_UNIT_NONE, false},    {"trust", "trust", RG_UNIT_NONE, false},
    {"shared", "shared", RG_UNIT_NONE, false},
    {"known_spread", "spread", RG_UNIT_NONE, false},
    {"unknown_spread", "held-out spread", RG_UNIT_NONE, false}, {"byte", "file", RG_UNIT_BYTE, false},
    {"written", "written", RG_UNIT_NONE, false},
};

static const rg_column few_columns[] = {
    {"key", "key", RG_UNIT_NONE, false}, {"rows", "rows", RG_UNIT_COUNT, false},
};

enum { ROWS_LEAST = 100 };       /* of a key: below, its forecasts stay analytic */

typedef struct report { rg_doc *doc; rg_item *keys, *cards, *few; } report;

rg_err rg_learned_folder(rg_ctx *cx, const char *dir)
{
    if (!dir || rg_path_is_dir(dir)) return RG_OK;
    return rg_fail(cx, RG_INPUT, "%s: there is no such folder", dir);
}

/* Beside its place, then there: whoever forecasts meanwhile reads the old one or the new one. */
rg_err rg_learned_write(rg_ctx *cx, const char *path, rg_str bytes)
{
    const char *beside = rg_arena_printf(&cx->arena, "%s.new", path);
    FILE *file = beside ? fopen(beside, "wb") : NULL;
    if (!beside) return rg_nomem(cx);
    if (!file) return rg_fail(cx, RG_INPUT, "%s: %s", beside, strerror(errno));
    size_t written = fwrite(bytes.data, 1, bytes.size, file);
    if (!fclose(file) && written == bytes.size && !rename(beside, path)) return RG_OK;
    rg_err err = rg_fail(cx, RG_INPUT, "%s: %s", path, strerror(errno));
    remove(beside);
    return err;
}

rg_err rg_trees_save(rg_ctx *cx, const rg_trees *trees, const char *dir)
{
    rg_str bytes;
    const char *path = rg_arena_printf(&cx->arena, "%s/%s.trees", dir, trees->key);
    if (!path) return rg_nomem(cx);
    RG_TRY(rg_trees_write(cx, trees, &bytes));
    return rg_learned_write(cx, path, bytes);
}

static const rg_trees_member *pooled_of(const rg_trees *t)
{
    for (size_t i = 0; i < t->member_count; i++)
        if (rg_member_is_pooled(&t->members[i])) return &t->members[i];
    return NULL;
}

/* A file that stands and held up better on devices held out, or else on groups, is not replaced; one that
 * does not tell its medians is older than its intervals are, and is. */
static rg_err is_worse(rg_ctx *cx, const char *path, const rg_trees *trees, bool *out)
{
    rg_file *file = NULL;
    rg_trees *old = NULL;
    *out = false;
    if (rg_file_map(cx, path, &file)) return RG_OK; /* there is none */
    rg_err err = rg_trees_parse(cx, rg_file_bytes(file), path, &old);
    const rg_trees_member *a = err ? NULL : pooled_of(old), *b = pooled_of(trees);
    bool told = a && a->known_median + a->unknown_median > 0;
    if (told && b && strcmp(old->data_hash, trees->data_hash) == 0) {
        bool by_device = a->unknown > 0 && b->unknown > 0;
        double was = by_device ? a->unknown : a->known, is = by_device ? b->unknown : b->known;
        *out = was > 0 && is > was * 1.02; /* two runs differ by as much where libraries do */
    }
    rg_trees_free(old);
    rg_file_unref(file);
    return err == RG_NOMEM ? err : RG_OK;
}

/* The figures of a card, of a key or of a device. */
static void add_card(rg_doc *doc, rg_item *to, const rg_report_card *card)
{
    rg_doc_int(doc, to, "rows", (int64_t)card->rows);
    rg_doc_real(doc, to, "base", card->base.mean);
    rg_doc_real(doc, to, "base_median", card->base.median);
    rg_doc_real(doc, to, "base_tau", card->base.tau);
    rg_doc_real(doc, to, "known", card->known.mean);
    rg_doc_real(doc, to, "known_median", card->known.median);
    rg_doc_real(doc, to, "known_tau", card->known.tau);
    rg_doc_real(doc, to, "known_coverage", card->known.coverage);
    rg_doc_real(doc, to, "known_width", card->known.width);
    rg_doc_real(doc, to, "unknown", card->unknown.mean);
    rg_doc_real(doc, to, "unknown_median", card->unknown.median);
    rg_doc_real(doc, to, "unknown_tau", card->unknown.tau);
    rg_doc_real(doc, to, "unknown_coverage", card->unknown.coverage);
    rg_doc_real(doc, to, "unknown_width", card->unknown.width);
}

static rg_err add_key(rg_ctx *cx, report *r, const rg_taught *taught, const rg_learn_opt *opt)
{
    const rg_trees *t = taught->trees;
    rg_str bytes;
    bool worse = false;
    RG_TRY(rg_trees_write(cx, t, &bytes));
    if (opt->out) {
        const char *path = rg_arena_printf(&cx->arena, "%s/%s.trees", opt->out, t->key);
        if (!path) return rg_nomem(cx);
        if (!opt->force) RG_TRY(is_worse(cx, path, t, &worse));
        if (!worse) RG_TRY(rg_learned_write(cx, path, bytes));
    }
    rg_item *k = rg_doc_object(r->doc, r->keys, NULL);
    rg_doc_str(r->doc, k, "key", t->key);
    add_card(r->doc, k, &taught->cards[0]);
    rg_doc_real(r->doc, k, "reach", t->reach);
    rg_doc_real(r->doc, k, "pooled", t->pooled_weight);
    rg_doc_real(r->doc, k, "trust", t->trust);
    rg_doc_real(r->doc, k, "shared", t->pooled_share);
    rg_doc_real(r->doc, k, "known_spread", t->known_spread);
    rg_doc_real(r->doc, k, "unknown_spread", t->unknown_spread);
    rg_doc_int(r->doc, k, "byte", (int64_t)bytes.size);
    rg_doc_str(r->doc, k, "written", !opt->out ? "no" : worse ? "kept the better" : "yes");
    for (size_t i = 1; i < taught->card_count; i++) {
        rg_item *c = rg_doc_object(r->doc, r->cards, NULL);
        rg_doc_str(r->doc, c, "key", t->key);
        rg_doc_str(r->doc, c, "device", taught->cards[i].device);
        add_card(r->doc, c, &taught->cards[i]);
    }
    return RG_OK;
}

/* DIR/KEY.held.csv: what was held out, and log(forecast / measured) of it. */
static rg_err export_held(rg_ctx *cx, const rg_lessons *lessons, const rg_taught *taught, const char *dir)
{
    rg_text text;
    const char *path = rg_arena_printf(&cx->arena, "%s/%s.held.csv", dir, taught->trees->key);
    rg_text_init(&text, &cx->arena);
    rg_text_printf(&text, "held,device,group,error\n");
    for (int unknown = 0; unknown < 2; unknown++) {
        const rg_held_rows *rows = unknown ? &taught->unknown : &taught->known;
        for (size_t i = 0; i < rows->count; i++) {
            char number[32];
            rg_str_print(number, sizeof number, "%.6g", rows->items[i].error);
            rg_text_printf(&text, "%s,%s,%016llx,%s\n", unknown ? "device" : "group",
                           lessons->devices[rows->items[i].device]->id,
                           (unsigned long long)rows->items[i].group, number);
        }
    }
    if (!path || text.failed) return rg_nomem(cx);
    return rg_learned_write(cx, path, (rg_str){text.data, text.size});
}

/* Each key in a context of its own: what one takes is given back before the next. */
static rg_err teach_key(rg_ctx *cx, report *r, rg_booster *booster, const rg_lessons *lessons,
                        const rg_lesson *lesson, const rg_learn_opt *opt)
{
    rg_taught taught;
    rg_ctx *own = rg_ctx_worker(cx);
    if (!own) return rg_nomem(cx);
    rg_err err = rg_teach(own, booster, lessons, lesson, &taught);
    if (!err) {
        taught.trees->made_of = lesson->made_of.data;
        taught.trees->data_hash = rg_arena_printf(&own->arena, "%016llx", (unsigned long long)lesson->hash);
        err = taught.trees->data_hash ? add_key(own, r, &taught, opt) : rg_nomem(own);
    }
    if (!err && opt->export_to) err = export_held(own, lessons, &taught, opt->export_to);
    if (err) rg_fail(cx, err, "%s: %s", lesson->key, rg_ctx_error(own));
    rg_ctx_free(own);
    return err;
}

static bool is_asked(const rg_learn_opt *opt, const rg_lesson *lesson)
{
    return !opt->key || rg_str_starts(rg_str_of(lesson->key), opt->key);
}

static rg_err find_asked(rg_ctx *cx, const rg_lessons *lessons, const rg_learn_opt *opt)
{
    rg_text keys;
    rg_text_init(&keys, &cx->arena);
    for (size_t i = 0; i < lessons->count; i++) {
        if (is_asked(opt, &lessons->items[i])) return RG_OK;
        rg_text_printf(&keys, "%s%s", i ? ", " : "", lessons->items[i].key);
    }
    if (keys.failed) return rg_nomem(cx);
    return rg_fail(cx, RG_INPUT, "--key: no key of the files begins with '%s'; they have %s", opt->key,
                   keys.data);
}

static rg_err teach_keys(rg_ctx *cx, report *r, rg_booster *booster, const rg_lessons *lessons,
                         const rg_learn_opt *opt)
{
    for (size_t i = 0; i < lessons->count; i++) {
        const rg_lesson *lesson = &lessons->items[i];
        if (!is_asked(opt, lesson)) continue;
        if (lesson->count < ROWS_LEAST) {
            rg_item *few = rg_doc_object(r->doc, r->few, NULL);
            rg_doc_str(r->doc, few, "key", lesson->key);
            rg_doc_int(r->doc, few, "rows", (int64_t)lesson->count);
            continue;
        }
        RG_TRY(teach_key(cx, r, booster, lessons, lesson, opt));
        if (opt->progress && !opt->progress(opt->user, i + 1, lessons->count))
            return rg_fail(cx, RG_INTERRUPTED, "interrupted after %zu of %zu keys", i + 1, lessons->count);
    }
    return RG_OK;
}

static rg_err collect(rg_ctx *cx, const char *const *files, size_t count, const rg_learn_opt *opt,
                      rg_lessons *lessons)
{
    RG_TRY(rg_doubts_read(cx, lessons));
    rg_evaluate_opt how = {.size = sizeof how, .workers = opt->workers, .progress = opt->progress,
                           .user = opt->user, .learning = opt->whole ? RG_LEARN_ROWS : RG_LEARN_NONE};
    for (size_t i = 0; i < count; i++) RG_TRY(rg_lessons_add(cx, lessons, files[i], &how, opt->whole, NULL));
    if (!lessons->count) return rg_fail(cx, RG_INPUT, "no row of the files teaches anything");
    RG_TRY(find_asked(cx, lessons, opt));
    return opt->export_to ? rg_lessons_export(cx, lessons, opt->export_to) : RG_OK;
}

/* What would be missed at the end is looked for first: judging the files takes minutes. */
static rg_err learn(rg_ctx *cx, const char *const *files, size_t count, const rg_learn_opt *opt, report *r)
{
    rg_lessons lessons;
    rg_booster *booster = NULL;
    bool teaches = opt->out || !opt->export_to;
    RG_TRY(rg_learned_folder(cx, opt->export_to));
    if (teaches) RG_TRY(rg_booster_open(cx, &booster));
    rg_lessons_init(cx, &lessons);
    lessons.without = opt->without;
    rg_err err = collect(cx, files, count, opt, &lessons);
    if (!err && teaches) err = teach_keys(cx, r, booster, &lessons, opt);
    rg_lessons_done(&lessons);
    rg_booster_close(booster);
    return err;
}

static void lay_out(const report *r)
{
    rg_doc_section(r->doc, 1, "What was learned");
    if (r->keys->count) rg_doc_table(r->doc, "keys", r->keys, key_columns, RG_COUNT(key_columns), 0);
    if (r->cards->count) rg_doc_table(r->doc, "devices", r->cards, card_columns, RG_COUNT(card_columns), 0);
    if (!r->few->count) return;
    rg_doc_say(r->doc, "Keys of fewer than %d rows stay analytic:", ROWS_LEAST);
    rg_doc_table(r->doc, "few", r->few, few_columns, RG_COUNT(few_columns), 0);
}

/* The id of a device that may be called by another name. */
static rg_err find_id(rg_ctx *cx, const char **name)
{
    const rg_device *device = NULL;
    if (!*name) return RG_OK;
    RG_TRY_NOTE(cx, rg_device_find(cx, *name, &device), "--without");
    *name = rg_arena_cstr(&cx->arena, rg_str_of(device->id));
    rg_device_free(device);
    return *name ? RG_OK : rg_nomem(cx);
}

rg_err rg_learn_doc(rg_ctx *cx, const char *const *files, size_t count, const rg_learn_opt *opt, rg_doc **out)
{
    report r;
    rg_learn_opt o = {0};
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    *out = NULL;
    RG_TRY(rg_learned_folder(cx, o.out));
    RG_TRY(find_id(cx, &o.without));
    RG_TRY(rg_doc_new(cx, "ridge.learn/1", &r.doc));
    r.keys = rg_doc_array(r.doc, rg_doc_root(r.doc), "keys");
    r.cards = rg_doc_array(r.doc, rg_doc_root(r.doc), "devices");
    r.few = rg_doc_array(r.doc, rg_doc_root(r.doc), "few");
    rg_err err = o.graph ? rg_graph_learn(cx, files, count, &o, r.doc) : learn(cx, files, count, &o, &r);
    if (!err && !o.graph) lay_out(&r);
    if (!err) err = rg_doc_done(cx, r.doc);
    if (err) rg_doc_free(r.doc);
    else *out = r.doc;
    return err;
}
