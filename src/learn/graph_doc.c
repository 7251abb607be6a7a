/* graph_doc.c - `ridge learn --graph`: networks over the rows of whole inferences, a key at a time; written
 * where they do better than the sum of rows on families of models held out, and reported in any case.
 */
#include "learn/graph_teach.h"
#include "learn/teach.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const rg_column network_columns[] = {
    {"key", "key", RG_UNIT_NONE, false},          {"graphs", "inferences", RG_UNIT_COUNT, false},
    {"families", "families", RG_UNIT_COUNT, false}, {"base", "sum of rows", RG_UNIT_FRACTION, false},
    {"held_out", "family held out", RG_UNIT_FRACTION, true},
    {"spread", "90 % held out", RG_UNIT_NONE, false}, {"byte", "file", RG_UNIT_BYTE, false},
    {"written", "written", RG_UNIT_NONE, false},
};
static const rg_column family_columns[] = {
    {"key", "key", RG_UNIT_NONE, false},          {"family", "family", RG_UNIT_NONE, false},
    {"graphs", "inferences", RG_UNIT_COUNT, false}, {"base", "sum of rows", RG_UNIT_FRACTION, false},
    {"held_out", "family held out", RG_UNIT_FRACTION, true},
};

typedef struct listing { rg_doc *doc; rg_item *networks, *families; } listing;

static rg_err save(rg_ctx *cx, const rg_graphnet *net, const char *dir, rg_str text)
{
    const char *path = rg_arena_printf(&cx->arena, "%s/%s.graphnet", dir, net->key);
    return path ? rg_learned_write(cx, path, text) : rg_nomem(cx);
}

static rg_err add_key(rg_ctx *cx, listing *l, const rg_graph_taught *t, const rg_learn_opt *opt)
{
    const rg_graphnet *net = t->net;
    rg_str text;
    bool kept = t->better || opt->force;
    RG_TRY(rg_graphnet_write(cx, net, &text));
    if (opt->out && kept) RG_TRY(save(cx, net, opt->out, text));
    rg_item *k = rg_doc_object(l->doc, l->networks, NULL);
    rg_doc_str(l->doc, k, "key", net->key);
    rg_doc_int(l->doc, k, "graphs", net->graphs);
    rg_doc_int(l->doc, k, "families", net->families);
    rg_doc_real(l->doc, k, "base", net->base);
    rg_doc_real(l->doc, k, "held_out", net->held_out);
    rg_doc_real(l->doc, k, "spread", net->spread);
    rg_doc_int(l->doc, k, "byte", (int64_t)text.size);
    rg_doc_str(l->doc, k, "written", !kept ? "kept the sum of rows" : opt->out ? "yes" : "no");
    for (size_t i = 0; i < t->card_count; i++) {
        rg_item *c = rg_doc_object(l->doc, l->families, NULL);
        rg_doc_str(l->doc, c, "key", net->key);
        rg_doc_str(l->doc, c, "family", t->cards[i].family);
        rg_doc_int(l->doc, c, "graphs", (int64_t)t->cards[i].graphs);
        rg_doc_real(l->doc, c, "base", t->cards[i].base);
        rg_doc_real(l->doc, c, "held_out", t->cards[i].held_out);
    }
    return RG_OK;
}

/* In a context of its own: what teaching takes is given back before the next key. */
static rg_err teach_key(rg_ctx *cx, listing *l, const rg_graph_lesson *lesson, const rg_learn_opt *opt)
{
    rg_graph_taught taught;
    rg_ctx *own = rg_ctx_worker(cx);
    if (!own) return rg_nomem(cx);
    rg_err err = rg_graph_teach(own, lesson, 0, opt->workers, &taught);
    if (!err) {
        taught.net->made_of = lesson->made_of.data;
        taught.net->data_hash = rg_arena_printf(&own->arena, "%016llx", (unsigned long long)lesson->hash);
        err = taught.net->data_hash ? add_key(own, l, &taught, opt) : rg_nomem(own);
    }
    if (err) rg_fail(cx, err, "%s: %s", lesson->key, rg_ctx_error(own));
    rg_ctx_free(own);
    return err;
}

static rg_err teach_keys(rg_ctx *cx, listing *l, const rg_graph_lessons *lessons, const rg_learn_opt *opt)
{
    rg_err last = RG_OK;
    for (size_t i = 0; i < lessons->count; i++) {
        const rg_graph_lesson *lesson = &lessons->items[i];
        if (opt->key && !rg_str_starts(rg_str_of(lesson->key), opt->key)) continue;
        rg_err err = teach_key(cx, l, lesson, opt);
        if (err == RG_UNSUPPORTED) last = err; /* too few families; others may have enough */
        else RG_TRY(err);
    }
    if (l->networks->count) return RG_OK;
    return last ? last : rg_fail(cx, RG_INPUT, "no whole inference of the files teaches anything");
}

rg_err rg_graph_learn(rg_ctx *cx, const char *const *files, size_t count, const rg_learn_opt *opt,
                      rg_doc *doc)
{
    listing l = {.doc = doc};
    rg_graph_lessons lessons;
    rg_evaluate_opt how = {.size = sizeof how, .workers = opt->workers, .progress = opt->progress,
                           .user = opt->user, .learning = RG_LEARN_ROWS};
    l.networks = rg_doc_array(doc, rg_doc_root(doc), "networks");
    l.families = rg_doc_array(doc, rg_doc_root(doc), "families");
    rg_graph_lessons_init(cx, &lessons);
    lessons.rules.without = opt->without;
    rg_err err = rg_doubts_read(cx, &lessons.rules);
    for (size_t i = 0; i < count && !err; i++) err = rg_graph_lessons_add(cx, &lessons, files[i], &how);
    if (!err) err = teach_keys(cx, &l, &lessons, opt);
    rg_graph_lessons_done(&lessons);
    rg_doc_section(doc, 1, "Networks over rows");
    rg_doc_table(doc, "networks", l.networks, network_columns, RG_COUNT(network_columns), 0);
    rg_doc_table(doc, "families", l.families, family_columns, RG_COUNT(family_columns), 0);
    return err;
}
