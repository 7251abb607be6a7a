/* evidence_doc.c - `ridge evidence`: the residuals that forecasts know, what they were made of, and how they
 * did on what was held out. Everything comes from the files of data/learned/ themselves.
 */
#include "learn/lesson.h"

#include "report/doc.h"

#include <math.h>
#include <string.h>

#define ERRORS(name, heading, bar)                                                                         \
    {name, heading, RG_UNIT_FRACTION, bar}, {name "_median", "median", RG_UNIT_FRACTION, false},            \
    {name "_tau", "tau", RG_UNIT_NONE, false}
#define INTERVALS(name)                                                                                    \
    {name "_coverage", "in 90 %", RG_UNIT_FRACTION, false}, {name "_width", "wide", RG_UNIT_FRACTION, false}

static const rg_column key_columns[] = {
    {"key", "key", RG_UNIT_NONE, false},             {"devices", "devices", RG_UNIT_COUNT, false},
    {"rows", "rows", RG_UNIT_COUNT, false},          ERRORS("analytic", "analytic", false),
    ERRORS("known", "device known", true),           {"within_known", "90 % within (x)", RG_UNIT_NONE, false},
    INTERVALS("known"),                              ERRORS("unknown", "device held out", true),
    {"within_unknown", "90 % within (x)", RG_UNIT_NONE, false}, INTERVALS("unknown"),
    {"validated", "validated", RG_UNIT_NONE, false},
};
static const rg_column device_columns[] = {
    {"key", "key", RG_UNIT_NONE, false},             {"device", "device", RG_UNIT_NONE, false},
    {"rows", "rows", RG_UNIT_COUNT, false},          ERRORS("analytic", "analytic", false),
    ERRORS("known", "device known", true),           INTERVALS("known"),
    ERRORS("unknown", "device held out", true),      INTERVALS("unknown"),
};

/* Devices that a held-out interval has to rest on before it counts as validated. */
enum { VALIDATED_FROM = 5 };

typedef struct listing { rg_ctx *cx; rg_doc *doc; rg_item *keys, *devices; } listing;

/* 0 stands for what was not tried. */
static double tried(double error) { return error > 0 ? error : NAN; }
static double told(double tau) { return tau != 0 ? tau : NAN; }

/* m NULL: nothing is told. */
static void add_errors(rg_doc *doc, rg_item *to, const rg_trees_member *m)
{
    const rg_trees_member none = {0};
    if (!m) m = &none;
    rg_doc_real(doc, to, "analytic", tried(m->analytic));
    rg_doc_real(doc, to, "analytic_median", tried(m->analytic_median));
    rg_doc_real(doc, to, "analytic_tau", told(m->analytic_tau));
    rg_doc_real(doc, to, "known", tried(m->known));
    rg_doc_real(doc, to, "known_median", tried(m->known_median));
    rg_doc_real(doc, to, "known_tau", told(m->known_tau));
    rg_doc_real(doc, to, "known_coverage", tried(m->known_coverage));
    rg_doc_real(doc, to, "known_width", tried(m->known_width));
    rg_doc_real(doc, to, "unknown", tried(m->unknown));
    rg_doc_real(doc, to, "unknown_median", tried(m->unknown_median));
    rg_doc_real(doc, to, "unknown_tau", told(m->unknown_tau));
    rg_doc_real(doc, to, "unknown_coverage", tried(m->unknown_coverage));
    rg_doc_real(doc, to, "unknown_width", tried(m->unknown_width));
}

static void add_member(listing *l, const rg_trees *t, const rg_trees_member *m)
{
    rg_item *d = rg_doc_object(l->doc, l->devices, NULL);
    rg_doc_str(l->doc, d, "key", t->key);
    rg_doc_str(l->doc, d, "device", m->device);
    rg_doc_int(l->doc, d, "rows", m->rows);
    add_errors(l->doc, d, m);
}

static void add_trees(listing *l, const rg_trees *t)
{
    rg_item *k = rg_doc_object(l->doc, l->keys, NULL);
    const rg_trees_member *all = NULL;
    int64_t rows = 0, devices = 0;
    for (size_t i = 0; i < t->member_count; i++) {
        const rg_trees_member *m = &t->members[i];
        if (rg_member_is_pooled(m)) {
            all = m;
            continue;
        }
        rows += m->rows;
        devices++;
        add_member(l, t, m);
    }
    rg_doc_str(l->doc, k, "key", t->key);
    rg_doc_int(l->doc, k, "devices", devices);
    rg_doc_int(l->doc, k, "rows", rows);
    add_errors(l->doc, k, all);
    rg_doc_real(l->doc, k, "within_known", t->known_spread > 0 ? exp(t->known_spread) : NAN);
    rg_doc_real(l->doc, k, "within_unknown", t->unknown_spread > 0 ? exp(t->unknown_spread) : NAN);
    rg_doc_str(l->doc, k, "validated",
               devices >= VALIDATED_FROM ? "on devices held out" : "not validated: few devices");
    rg_doc_str(l->doc, k, "made_of", t->made_of);
    rg_doc_str(l->doc, k, "data_hash", t->data_hash);
}

/* Names of data/learned/ that have the word. */
static rg_err list_all(listing *l, const char *word)
{
    const char *const *keys;
    size_t count;
    RG_TRY(rg_data_list(l->cx, "learned", &keys, &count));
    for (size_t i = 0; i < count; i++) {
        const rg_trees *trees;
        if (word && !strstr(keys[i], word)) continue;
        RG_TRY(rg_learned_find(l->cx, keys[i], rg_learned_scope(keys[i]), &trees));
        if (trees) add_trees(l, trees);
    }
    if (!l->keys->count && word)
        return rg_fail(l->cx, RG_INPUT, "nothing was learned of '%.64s'; `ridge evidence` lists all", word);
    return RG_OK;
}

rg_err rg_learned_doc(rg_ctx *cx, const char *word, rg_doc **out)
{
    listing l = {.cx = cx};
    *out = NULL;
    RG_TRY(rg_doc_new(cx, "ridge.evidence/1", &l.doc));
    l.keys = rg_doc_array(l.doc, rg_doc_root(l.doc), "keys");
    l.devices = rg_doc_array(l.doc, rg_doc_root(l.doc), "devices");
    rg_err err = list_all(&l, word);
    rg_doc_section(l.doc, 1, "What forecasts learned");
    rg_doc_say(l.doc,
               "Mean and median errors |forecast / measured - 1|, devices weighted equally: of the "
               "analytic base; with the device known and a fifth of the models or shapes held out; with "
               "the whole device held out; and Kendall's tau-b of each. Behind the latter what 90 %% "
               "intervals hold of what was held out, where others said how wide they have to be (other "
               "models or shapes; other devices), and how wide that is: (high - low) / forecast. Files are "
               "data/learned/KEY.trees.");
    rg_doc_table(l.doc, "keys", l.keys, key_columns, RG_COUNT(key_columns), 0);
    rg_doc_section(l.doc, 2, "By device");
    rg_doc_table(l.doc, "devices", l.devices, device_columns, RG_COUNT(device_columns), 0);
    if (!err) err = rg_doc_done(cx, l.doc);
    if (err) rg_doc_free(l.doc);
    else *out = l.doc;
    return err;
}
