/* device_words.c - a device by the words of a name that no profile spells that way:
 * "nvidia_h100_sxm5_80gb_hbm3", "Jetson Orin AGX (CPU)", "A100 SXM4 40 GB".
 *
 * A name is taken apart at whatever is no letter or digit. Each of its words must be one of the words of a
 * profile's id, name and other names, alone or joined with the next ("rtx 3060" in "RTX3060"), except for
 * words that tell boards of one chip apart, or nothing at all: the form of the board, the capacity and type
 * of its memory, sockets, words such as "graphics". Of several profiles that have all words,
 *
 *     cost = words of its id that the name lacks + 2 (another form) + 8 |ln(capacity / named capacity)|
 *
 * decides, and after it what the name without those words would find ("orin-nx soc" is what "orin-nx" is;
 * "a100 40gb" has the form that "a100" stands for). Two profiles of equal cost are an ambiguous name. A
 * capacity that is off by more than a quarter is another board (b200: 192 GB announced, 180 GB sold). Words
 * without a model's number ("jetson", "blackwell") name a device only where none of its id's words is left
 * out.
 */
#include "hw/hw.h"
#include "hw/profile.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { WORDS = 24, WORD_SIZE = 24, OWN_WORDS = 192 };

typedef struct words {
    char word[WORDS][WORD_SIZE]; /* lower case; neither forms, capacities nor words without weight */
    int count;
    char form[WORD_SIZE]; /* "" where the name has none */
    double gigabyte;      /* 0 where the name has none */
} words;

typedef struct own_words {
    char word[OWN_WORDS][WORD_SIZE];
    int count;
} own_words;

/* Says nothing about which device it is, or only what its other words say already. */
static bool weightless(const char *w)
{
    static const char *const list[] = {
        "accelerator", "ai",        "am5",     "amd",      "bga",      "board",     "chip",     "core",
        "data",        "developer", "devkit",  "edge",     "engine",   "gaming",    "geforce",  "gpu",
        "card",        "google",    "center",  "graphics", "instinct", "kit",       "intel",    "module",
        "nvidia",      "oam",       "r",       "tm",       "series",   "processor", "qualcomm", "soc",
        "tesla",       "unit",      "samsung", "with",
    };
    static const char *const beginnings[] = {"hbm", "gddr", "lpddr", "lga", "ddr"};
    for (size_t i = 0; i < RG_COUNT(list); i++)
        if (strcmp(w, list[i]) == 0) return true;
    for (size_t i = 0; i < RG_COUNT(beginnings); i++)
        if (strncmp(w, beginnings[i], strlen(beginnings[i])) == 0) return true;
    return false;
}

/* "sxm5" is "sxm": a chip has one generation of it. */
static const char *form_of(const char *w)
{
    static const char *const forms[] = {"sxm", "pcie", "nvl"};
    for (size_t i = 0; i < RG_COUNT(forms); i++) {
        size_t size = strlen(forms[i]);
        if (strncmp(w, forms[i], size) != 0) continue;
        if (!w[size] || (isdigit((unsigned char)w[size]) && !w[size + 1])) return forms[i];
    }
    return NULL;
}

/* "80gb", "80g", or "80" before "gb": its number; else 0. */
static double gigabytes(const char *w, const char *next)
{
    double value = 0;
    const char *at = w;
    for (; isdigit((unsigned char)*at); at++) value = 10 * value + (*at - '0');
    if (at == w) return 0;
    if (strcmp(at, "gb") == 0 || strcmp(at, "g") == 0) return value;
    return !*at && next && strcmp(next, "gb") == 0 ? value : 0;
}

/* The next word of text from *at on; false at its end. Longer ones are cut: no device has such. */
static bool next_word(const char *text, size_t *at, char *word)
{
    size_t size = 0;
    while (text[*at] && !isalnum((unsigned char)text[*at])) ++*at;
    for (; isalnum((unsigned char)text[*at]); ++*at)
        if (size + 1 < WORD_SIZE) word[size++] = (char)tolower((unsigned char)text[*at]);
    word[size] = 0;
    return size > 0;
}

/* False where it has more words than any device's name. */
static bool take_apart(const char *name, words *out)
{
    char all[WORDS][WORD_SIZE];
    size_t at = 0;
    int count = 0;
    while (count < WORDS && next_word(name, &at, all[count])) count++;
    *out = (words){0};
    for (int i = 0; i < count; i++) {
        const char *form = form_of(all[i]);
        double capacity = gigabytes(all[i], i + 1 < count ? all[i + 1] : NULL);
        if (form) memcpy(out->form, form, strlen(form) + 1);
        else if (capacity > 0) out->gigabyte = capacity;
        else if (strcmp(all[i], "gb") != 0 && !weightless(all[i]))
            memcpy(out->word[out->count++], all[i], WORD_SIZE);
    }
    return count < WORDS;
}

static void collect(own_words *own, const char *text)
{
    size_t at = 0;
    while (own->count < OWN_WORDS && next_word(text, &at, own->word[own->count])) own->count++;
}

static bool has(const own_words *own, const char *word)
{
    for (int i = 0; i < own->count; i++)
        if (strcmp(own->word[i], word) == 0) return true;
    return false;
}

static bool has_joined(const own_words *own, const char *a, const char *b)
{
    char both[WORD_SIZE];
    size_t m = strlen(a), n = strlen(b);
    if (m + n + 1 > sizeof both) return false;
    memcpy(both, a, m);
    memcpy(both + m, b, n + 1);
    return has(own, both);
}

static bool has_all(const own_words *own, const words *w)
{
    for (int i = 0; i < w->count; i++) {
        if (has(own, w->word[i])) continue;
        if (i + 1 >= w->count || !has_joined(own, w->word[i], w->word[i + 1])) return false;
        i++;
    }
    return true;
}

static double capacity_of(const rg_device *d)
{
    double most = 0;
    for (size_t i = 0; i < d->level_count; i++)
        most = fmax(most, d->levels[i].count * d->levels[i].capacity_byte);
    return most / 1e9;
}

/* NAN: it is another device. lacks: words of its id that the name does not have. */
static double cost_of(const rg_device *d, const words *w, int *lacks)
{
    own_words own = {0};
    words id;
    *lacks = 0;
    collect(&own, d->id);
    collect(&own, d->name);
    for (size_t i = 0; i < d->alias_count; i++) collect(&own, d->aliases[i]);
    if (!has_all(&own, w) || !take_apart(d->id, &id)) return NAN;
    for (int i = 0; i < id.count; i++) {
        bool named = false;
        for (int k = 0; k < w->count; k++) named |= strcmp(id.word[i], w->word[k]) == 0;
        *lacks += !named;
    }
    double cost = *lacks;
    if (*w->form && *id.form && strcmp(w->form, id.form) != 0) cost += 2;
    double capacity = capacity_of(d);
    if (!(w->gigabyte > 0) || !(capacity > 0)) return cost;
    double off = fabs(log(capacity / w->gigabyte));
    return off > log(1.25) ? NAN : cost + 8 * off;
}

/* Whether a word is a model's number ("h100", "3060"), not that of a family or a generation ("jetson", "8").
 */
static bool is_model(const char *w)
{
    size_t digits = 0, size = strlen(w);
    for (size_t i = 0; i < size; i++) digits += isdigit((unsigned char)w[i]) != 0;
    return digits > 0 && (digits < size ? size >= 3 : digits >= 4);
}

/* The word that fewest profiles would have: the longest with a digit in it, else the longest. */
static const char *rarest(const words *w)
{
    const char *best = NULL;
    bool best_digit = false;
    for (int i = 0; i < w->count; i++) {
        bool digit = strpbrk(w->word[i], "0123456789") != NULL;
        if (best && (digit < best_digit || (digit == best_digit && strlen(w->word[i]) <= strlen(best))))
            continue;
        best = w->word[i];
        best_digit = digit;
    }
    return best;
}

typedef struct candidate {
    const char *id; /* NULL: none yet */
    double cost;
    int lacks;
    const char *other; /* of the same cost */
} candidate;

static rg_err consider(rg_ctx *cx, const char *id, const words *w, const char *rare, candidate *best)
{
    const rg_device *device;
    rg_str json;
    RG_TRY(rg_profile_read(cx, "hw", id, &json));
    if (!strstr(id, rare) && !rg_profile_mentions(json, rare))
        return RG_OK; /* parsing all would take a while */
    RG_TRY(rg_device_parse(cx, json, id, &device));
    int lacks;
    double cost = cost_of(device, w, &lacks);
    rg_device_free(device);
    if (!(cost >= 0) || (best->id && cost > best->cost + 1e-9)) return RG_OK;
    if (best->id && cost > best->cost - 1e-9) best->other = id;
    else *best = (candidate){id, cost, lacks, NULL};
    return RG_OK;
}

/* What the words alone find, without what stands around them: its id, or NULL. */
static rg_err find_plain(rg_ctx *cx, const words *w, const char **id)
{
    rg_text plain;
    rg_text_init(&plain, &cx->arena);
    for (int i = 0; i < w->count; i++) rg_text_printf(&plain, "%s%s", i ? "-" : "", w->word[i]);
    if (plain.failed) return rg_nomem(cx);
    return rg_device_named(cx, plain.data, id);
}

/* Of two boards of one chip, the one whose form the chip's own name stands for: `id`, or NULL. */
static void settle(const char *id, candidate *best)
{
    words kin, a, b;
    if (!id || !take_apart(id, &kin) || !take_apart(best->id, &a) || !take_apart(best->other, &b)) return;
    bool first = strcmp(best->id, id) == 0, second = strcmp(best->other, id) == 0;
    if (first == second) {
        first = strcmp(a.form, kin.form) == 0;
        second = strcmp(b.form, kin.form) == 0;
    }
    if (first == second) return;
    if (second) best->id = best->other;
    best->other = NULL;
}

rg_err rg_device_by_words(rg_ctx *cx, const char *name, const char **id)
{
    const char *const *ids;
    size_t count;
    words w;
    candidate best = {0};
    const char *plain;
    *id = NULL;
    if (!take_apart(name, &w) || !w.count) return RG_OK;
    const char *rare = rarest(&w);
    RG_TRY(rg_device_ids(cx, &ids, &count));
    for (size_t i = 0; i < count; i++) RG_TRY(consider(cx, ids[i], &w, rare, &best));
    if (!best.id) return RG_OK;
    RG_TRY(find_plain(cx, &w, &plain));
    if (best.other) settle(plain, &best);
    bool same = plain && strcmp(plain, best.id) == 0;
    if (best.lacks && !is_model(rare) && !same) return RG_OK; /* about several, though one may be nearest */
    if (best.other)
        return rg_fail(cx, RG_INPUT, "device '%.64s' is ambiguous: %s or %s", name, best.id, best.other);
    *id = best.id;
    return RG_OK;
}
