/* cpu_process.c - what is known of a processor by its name alone: the thermal design power that its maker
 * states (data/cpu/tdp.json), and the process that cores of an architecture are made in
 * (data/cpu/process.json).
 *
 * Systems decorate names: "Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz" is the list's "Intel Xeon E3-1240 v2".
 * What is compared are the words, in lower case, without what says nothing.
 */
#include "hw/hw.h"
#include "hw/read.h"

#include <string.h>

/* ---- names ---- */

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }

static bool is_word(rg_str word, const char *text)
{
    if (word.size != strlen(text)) return false;
    for (size_t i = 0; i < word.size; i++)
        if (lower(word.data[i]) != text[i]) return false;
    return true;
}

/* "(R)" and "(TM)" stand behind a word without a blank. */
static rg_str without_mark(rg_str word)
{
    static const char *const marks[] = {"(r)", "(tm)"};
    for (size_t i = 0; i < RG_COUNT(marks); i++) {
        size_t size = strlen(marks[i]);
        if (word.size > size && is_word((rg_str){word.data + word.size - size, size}, marks[i]))
            word.size -= size;
    }
    return word;
}

static bool ends_in(rg_str word, const char *end)
{
    size_t size = strlen(end);
    return word.size > size && is_word((rg_str){word.data + word.size - size, size}, end);
}

/* The next word that says something, "" at the end; what stands behind "@" is a clock. */
static rg_str next_word(rg_str *rest)
{
    rg_str word;
    while (rg_str_cut(rest, ' ', &word)) {
        word = without_mark(word);
        if (is_word(word, "@")) break;
        if (word.size && !is_word(word, "cpu") && !is_word(word, "processor") && !ends_in(word, "-core"))
            return word;
    }
    return (rg_str){0};
}

static bool same_name(rg_str a, rg_str b)
{
    for (;;) {
        rg_str x = next_word(&a), y = next_word(&b);
        if (x.size != y.size) return false;
        if (!x.size) return true;
        for (size_t i = 0; i < x.size; i++)
            if (lower(x.data[i]) != lower(y.data[i])) return false;
    }
}

/* ---- design powers ---- */

typedef struct rated { const char *watts; const char **names; size_t name_count; } rated;
typedef struct ratings { rated *rows; size_t count; rg_source *sources; size_t source_count; } ratings;

static const rg_field rated_fields[] = {
    {"names", RG_FIELD_TEXTS, true, offsetof(rated, names), offsetof(rated, name_count),
     .help = "of processors that are rated so"},
};
static const rg_record rated_record = RG_RECORD(rated, rated_fields);
static const char *const tdp_marks[] = {"ridge.tdp/1", NULL};
#define AT(member) offsetof(ratings, member)
static const rg_field tdp_fields[] = {
    {"schema", RG_FIELD_MARK, true, .names = tdp_marks, .help = "the format of this file"},
    {"watts", RG_FIELD_KEYED, true, AT(rows), AT(count), &rated_record, .help = "thermal design power"},
    {"sources", RG_FIELD_KEYED, true, AT(sources), AT(source_count), &rg_source_record,
     .help = "where all of it comes from"},
};
#undef AT
static const rg_record tdp_record = RG_RECORD(ratings, tdp_fields);

static bool lists(const rated *row, rg_str name)
{
    for (size_t i = 0; i < row->name_count; i++)
        if (same_name(rg_str_of(row->names[i]), name)) return true;
    return false;
}

rg_err rg_cpu_tdp(rg_ctx *cx, rg_str name, double *tdp_w)
{
    ratings all = {0};
    rg_str json;
    *tdp_w = 0;
    RG_TRY(rg_data_read(cx, "cpu/tdp.json", &json));
    RG_TRY_NOTE(cx, rg_read_record(cx, &cx->arena, json, &tdp_record, NULL, &all), "cpu/tdp.json");
    for (size_t i = 0; i < all.count; i++) {
        if (!lists(&all.rows[i], name)) continue;
        if (rg_str_real(rg_str_of(all.rows[i].watts), tdp_w) && *tdp_w > 0) return RG_OK;
        *tdp_w = 0;
        return rg_fail(cx, RG_FORMAT, "cpu/tdp.json: '%.32s' is no power above 0 W", all.rows[i].watts);
    }
    return RG_OK;
}

/* ---- processes ---- */

typedef struct made { const char *architecture, *source; double node_nm; } made;
typedef struct processes { made *rows; size_t count; rg_source *sources; size_t source_count; } processes;

static const rg_field made_fields[] = {
    {"node_nm", RG_FIELD_POSITIVE, true, offsetof(made, node_nm), .help = "that the process is named by"},
    {"source", RG_FIELD_TEXT, true, offsetof(made, source), .help = "a key of sources, then words"},
};
static const rg_record made_record = RG_RECORD(made, made_fields);
static const char *const marks[] = {"ridge.process/1", NULL};
#define AT(member) offsetof(processes, member)
static const rg_field fields[] = {
    {"schema", RG_FIELD_MARK, true, .names = marks, .help = "the format of this file"},
    {"architectures", RG_FIELD_KEYED, true, AT(rows), AT(count), &made_record,
     .help = "as profiles spell them"},
    {"sources", RG_FIELD_KEYED, true, AT(sources), AT(source_count), &rg_source_record,
     .help = "what source texts begin with"},
};
#undef AT
static const rg_record record = RG_RECORD(processes, fields);

rg_err rg_cpu_node(rg_ctx *cx, const char *architecture, double *node_nm)
{
    processes all = {0};
    rg_str json;
    *node_nm = 0;
    RG_TRY(rg_data_read(cx, "cpu/process.json", &json));
    RG_TRY_NOTE(cx, rg_read_record(cx, &cx->arena, json, &record, NULL, &all), "cpu/process.json");
    for (size_t i = 0; i < all.count; i++) {
        if (!rg_source_known(all.sources, all.source_count, all.rows[i].source))
            return rg_fail(cx, RG_FORMAT,
                           "cpu/process.json: %s: '%.64s' does not begin with a key of sources",
                           all.rows[i].architecture, all.rows[i].source);
        if (architecture && strcmp(all.rows[i].architecture, architecture) == 0)
            *node_nm = all.rows[i].node_nm;
    }
    return RG_OK;
}
