/* feed.c - which file is for which input, by whom it is read, and whether it fits.
 *
 * A file must be what the input takes: nothing is cast or reshaped behind the user's back. The error says
 * what the input takes and what the file has.
 */
#include "measure/feed.h"

#include "format/npy.h"
#include "format/onnx_value.h"

#include <string.h>

/* ---- readers, by the end of the file's name ---- */

typedef struct feeding {
    rg_ctx *cx;
    const rg_graph *g;
    const rg_run_opt *opt;
    rg_feed *feeds;
} feeding;

/* What input `index` gets out of a file. */
typedef rg_err read_file(const feeding *f, uint32_t index, const char *path, rg_datum **out,
                         const char **text);

static const rg_value *input_at(const feeding *f, uint32_t index)
{
    return &f->g->values[f->g->regions[RG_MAIN].inputs[index]];
}

static rg_err read_npy(const feeding *f, uint32_t index, const char *path, rg_datum **out, const char **text)
{
    (void)index, (void)text;
    return rg_npy_read(f->cx, path, out);
}

/* The array of the input's name, or the only one. */
static rg_err read_npz(const feeding *f, uint32_t index, const char *path, rg_datum **out, const char **text)
{
    const char *const *names;
    size_t count, at = 0;
    (void)text;
    RG_TRY(rg_npz_names(f->cx, path, &names, &count));
    while (at < count && !rg_str_is(input_at(f, index)->name, names[at])) at++;
    if (at == count && count != 1)
        return rg_fail(f->cx, RG_INPUT, "%s: none of its %zu arrays has the input's name", path, count);
    return rg_npz_read(f->cx, path, names[at < count ? at : 0], out);
}

static rg_err read_pb(const feeding *f, uint32_t index, const char *path, rg_datum **out, const char **text)
{
    (void)text;
    return rg_onnx_value_read(f->cx, path, &input_at(f, index)->type, out);
}

static rg_err read_picture(const feeding *f, uint32_t index, const char *path, rg_datum **out,
                           const char **text)
{
    return rg_feed_picture(f->cx, f->opt, path, &input_at(f, index)->type, out, text);
}

static rg_err read_sound(const feeding *f, uint32_t index, const char *path, rg_datum **out,
                         const char **text)
{
    return rg_feed_sound(f->cx, f->opt, path, &input_at(f, index)->type, out, text);
}

static const struct { const char *suffix; read_file *read; } readers[] = {
    {".npy", read_npy},      {".npz", read_npz},     {".pb", read_pb},       {".png", read_picture},
    {".jpg", read_picture},  {".jpeg", read_picture}, {".webp", read_picture}, {".bmp", read_picture},
    {".ppm", read_picture},  {".pgm", read_picture}, {".pnm", read_picture}, {".wav", read_sound},
};

static rg_err reader_of(rg_ctx *cx, const char *path, read_file **out)
{
    const char *dot = strrchr(rg_path_base(path), '.');
    rg_text known;
    *out = NULL;
    rg_text_init(&known, &cx->arena);
    for (size_t i = 0; i < RG_COUNT(readers); i++) {
        /* names of cameras are in capitals: a distance without cases is 0 */
        if (dot && rg_str_distance(rg_str_of(dot), rg_str_of(readers[i].suffix)) == 0) *out = readers[i].read;
        rg_text_printf(&known, " %s", readers[i].suffix);
    }
    if (known.failed) return rg_nomem(cx);
    if (*out) return RG_OK;
    return rg_fail(cx, RG_UNSUPPORTED, "%s: what can be read:%s", path, known.data);
}

/* ---- does it fit? ---- */

static void print_datum(const rg_graph *g, const rg_datum *d, rg_text *text)
{
    rg_type type = d->kind == RG_KIND_TENSOR ? rg_type_tensor(d->array.dtype, d->array.rank, d->array.dim)
                                             : d->type;
    rg_type_print(g, &type, text);
}

static bool fits(const rg_graph *g, const rg_type *t, const rg_datum *d)
{
    if (t->kind != d->kind) return t->kind == RG_KIND_UNKNOWN;
    if (d->kind != RG_KIND_TENSOR) return true;
    if (t->dtype != RG_DTYPE_NONE && t->dtype != d->array.dtype) return false;
    if (t->rank >= 0 && t->rank != d->array.rank) return false;
    for (int k = 0; k < t->rank; k++) {
        const rg_dim_expr *e = rg_dim_expr_of(&g->dims, t->dim[k]);
        if (!e && t->dim[k] != d->array.dim[k]) return false;
        if (e && e->op == RG_DIM_SYMBOL && (d->array.dim[k] < e->min || d->array.dim[k] > e->max))
            return false;
    }
    return true;
}

static rg_err check(const feeding *f, uint32_t index, const char *path, const rg_datum *d, const char *hint)
{
    const rg_value *v = input_at(f, index);
    rg_text wanted, has;
    if (fits(f->g, &v->type, d)) return RG_OK;
    rg_text_init(&wanted, &f->cx->arena);
    rg_text_init(&has, &f->cx->arena);
    rg_type_print(f->g, &v->type, &wanted);
    print_datum(f->g, d, &has);
    if (wanted.failed || has.failed) return rg_nomem(f->cx);
    return rg_fail(f->cx, RG_SHAPE, "input '%.*s' takes %.*s, %s has %.*s%s", RG_STR(v->name),
                   RG_STR(((rg_str){wanted.data, wanted.size})), path, RG_STR(((rg_str){has.data, has.size})),
                   hint);
}

/* A symbol is one size, wherever it stands. */
static rg_err check_symbols(const feeding *f)
{
    typedef struct place { uint32_t index; int axis; } place;
    const rg_region *model = &f->g->regions[RG_MAIN];
    rg_map seen;
    place *places = RG_NEW(&f->cx->arena, place, (size_t)model->input_count * RG_RANK_MAX + 1);
    if (!places) return rg_nomem(f->cx);
    rg_map_init(&seen, &f->cx->arena);
    for (uint32_t i = 0, count = 0; i < model->input_count; i++) {
        const rg_type *t = &input_at(f, i)->type;
        const rg_datum *d = f->feeds[i].datum;
        for (int k = 0; d && d->kind == RG_KIND_TENSOR && k < t->rank; k++) {
            const rg_dim_expr *e = rg_dim_expr_of(&f->g->dims, t->dim[k]);
            if (!e || e->op != RG_DIM_SYMBOL) continue;
            uint32_t at = rg_map_get(&seen, e->name);
            if (!at) {
                places[count++] = (place){i, k};
                if (!rg_map_put(&seen, e->name, count)) return rg_nomem(f->cx);
                continue;
            }
            const place *first = &places[at - 1];
            int64_t size = f->feeds[first->index].datum->array.dim[first->axis];
            if (size != d->array.dim[k])
                return rg_fail(f->cx, RG_SHAPE, "'%.*s' is %lld in input '%.*s' and %lld in input '%.*s'",
                               RG_STR(e->name), (long long)size, RG_STR(input_at(f, first->index)->name),
                               (long long)d->array.dim[k], RG_STR(input_at(f, i)->name));
        }
    }
    return RG_OK;
}

/* ---- which file is for which input ---- */

uint32_t rg_feeds_find(const rg_graph *g, rg_str name)
{
    const rg_region *model = &g->regions[RG_MAIN];
    uint32_t index = 0;
    while (index < model->input_count && !rg_str_eq(g->values[model->inputs[index]].name, name)) index++;
    return index;
}

static bool find_input(const feeding *f, rg_str name, uint32_t *index)
{
    *index = rg_feeds_find(f->g, name);
    return *index < f->g->regions[RG_MAIN].input_count;
}

/* Names the inputs that there are. */
static rg_err fail_name(const feeding *f, const char *path, const char *why)
{
    const rg_region *model = &f->g->regions[RG_MAIN];
    rg_text known;
    rg_text_init(&known, &f->cx->arena);
    for (uint32_t i = 0; i < model->input_count; i++)
        rg_text_printf(&known, " %.*s", RG_STR(input_at(f, i)->name));
    if (known.failed) return rg_nomem(f->cx);
    return rg_fail(f->cx, RG_INPUT, "%s: %s; inputs:%s", path, why,
                   model->input_count ? known.data : " none");
}

/* Takes the datum over; the hint is for when it does not fit. */
static rg_err give(const feeding *f, uint32_t index, const char *path, rg_datum *datum, const char *text,
                   const char *hint)
{
    rg_feed *feed = &f->feeds[index];
    if (feed->datum) {
        rg_datum_free(datum);
        return rg_fail(f->cx, RG_USAGE, "input '%.*s' has two files: %s and %s",
                       RG_STR(input_at(f, index)->name), feed->file, path);
    }
    *feed = (rg_feed){.datum = datum, .file = path, .text = text};
    return check(f, index, path, datum, hint);
}

static rg_err take(const feeding *f, uint32_t index, const char *path, read_file *read)
{
    rg_datum *datum = NULL;
    const char *text = NULL;
    RG_TRY_NOTE(f->cx, read(f, index, path, &datum, &text), "input '%.*s'", RG_STR(input_at(f, index)->name));
    return give(f, index, path, datum, text,
                read == read_picture ? "; --resize and --layout make it fit" : "");
}

/* What numpy.savez was given without names is arr_0, arr_1, ... */
static bool find_nameless(const feeding *f, rg_str name, uint32_t *index)
{
    static const char nameless[] = "arr_";
    size_t cut = sizeof nameless - 1;
    int64_t at;
    if (!rg_str_starts(name, nameless) || !rg_str_int((rg_str){name.data + cut, name.size - cut}, &at))
        return false;
    *index = (uint32_t)at;
    return at >= 0 && at < f->g->regions[RG_MAIN].input_count;
}

/* Every array is for the input of its name. */
static rg_err take_all(const feeding *f, const char *path)
{
    const char *const *names;
    size_t count;
    RG_TRY(rg_npz_names(f->cx, path, &names, &count));
    for (size_t i = 0; i < count; i++) {
        rg_str name = rg_str_of(names[i]);
        uint32_t index;
        rg_datum *datum;
        if (!find_input(f, name, &index) && !find_nameless(f, name, &index)) {
            const char *why = rg_arena_printf(&f->cx->arena, "its array '%s' is for no input", names[i]);
            return why ? fail_name(f, path, why) : rg_nomem(f->cx);
        }
        RG_TRY(rg_npz_read(f->cx, path, names[i], &datum));
        RG_TRY(give(f, index, path, datum, NULL, ""));
    }
    return RG_OK;
}

/* "NAME=FILE", or FILE. */
static rg_err take_word(const feeding *f, const char *word)
{
    const char *equals = strchr(word, '=');
    uint32_t index = 0;
    read_file *read;
    bool named = equals && find_input(f, (rg_str){word, (size_t)(equals - word)}, &index);
    const char *path = named ? equals + 1 : word;
    if (equals && !named) return fail_name(f, word, "what stands before '=' is no input");
    RG_TRY(reader_of(f->cx, path, &read));
    if (!named && read == read_npz) return take_all(f, path);
    if (!named && f->g->regions[RG_MAIN].input_count != 1)
        return fail_name(f, word, "NAME=FILE says for which input it is");
    return take(f, index, path, read);
}

rg_err rg_feeds_read(rg_ctx *cx, const rg_graph *g, const rg_run_opt *opt, rg_feed *feeds)
{
    const feeding f = {cx, g, opt, feeds};
    for (size_t i = 0; i < opt->input_count; i++) RG_TRY(take_word(&f, opt->inputs[i]));
    return check_symbols(&f);
}

void rg_feeds_done(const rg_graph *g, rg_feed *feeds)
{
    for (uint32_t i = 0; feeds && i < g->regions[RG_MAIN].input_count; i++) rg_datum_free(feeds[i].datum);
}

static bool is_missing(const rg_graph *g, const rg_feed *feeds, const rg_value *v)
{
    return !v->data && !feeds[rg_feeds_find(g, v->name)].datum;
}

rg_value_id rg_feeds_missing(const rg_graph *g, const rg_graph *sized, const rg_feed *feeds)
{
    const rg_region *model = &sized->regions[RG_MAIN];
    for (uint32_t i = 0; i < model->input_count; i++)
        if (is_missing(g, feeds, &sized->values[model->inputs[i]])) return model->inputs[i];
    return 0;
}

rg_err rg_feeds_shape(rg_ctx *cx, const rg_graph *g, const rg_feed *feeds, const char *before,
                      const char **out)
{
    const rg_region *model = &g->regions[RG_MAIN];
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_text_printf(&text, "%s", before ? before : "");
    for (uint32_t i = 0; i < model->input_count; i++) {
        const rg_value *v = &g->values[model->inputs[i]];
        const rg_datum *d = feeds[i].datum;
        bool open = v->type.rank < 0;
        for (int k = 0; k < v->type.rank; k++) open = open || !rg_dim_is_number(v->type.dim[k]);
        if (!open || !d || d->kind != RG_KIND_TENSOR || !d->array.rank) continue;
        rg_text_printf(&text, "%s%.*s=", text.size ? "," : "", RG_STR(v->name));
        for (int k = 0; k < d->array.rank; k++)
            rg_text_printf(&text, "%s%lld", k ? "x" : "", (long long)d->array.dim[k]);
    }
    *out = text.size ? text.data : NULL;
    return text.failed ? rg_nomem(cx) : RG_OK;
}

/* ---- made up ---- */

/* Floats are uniform in [-1, 1); integers of 8 bits, which are quantized values or pixels, take all values
 * that they have; wider ones are 0 and 1, which are valid as masks, flags, tokens and indices alike. */
static const char *make_up(const rg_array *a, uint64_t state)
{
    bool wide = rg_dtype_bits(a->dtype) > 8 || a->dtype == RG_BOOL;
    if (!rg_dtype_is_int(a->dtype) && a->dtype != RG_BOOL) {
        for (int64_t i = 0; i < a->count; i++) rg_put(a, i, 2 * rg_random_unit(&state) - 1);
        return "uniform in [-1, 1)";
    }
    for (int64_t i = 0; i < a->count; i++)
        rg_put_int(a, i, (int64_t)(rg_random_next(&state) >> 32 & (wide ? 1 : 0xff)));
    return wide ? "0 and 1" : "all values of its type";
}

static rg_err make_input(rg_ctx *cx, const rg_graph *g, const rg_value *v, uint64_t seed, rg_feed *feed)
{
    int64_t dim[RG_RANK_MAX];
    rg_datum *datum;
    if (v->type.kind != RG_KIND_TENSOR || v->type.rank < 0 || !rg_dtype_bits(v->type.dtype))
        return rg_fail(cx, RG_UNSUPPORTED,
                       "input '%.*s' is no tensor of numbers that could be made up: give a "
                       "file",
                       RG_STR(v->name));
    for (int k = 0; k < v->type.rank; k++) dim[k] = rg_dim_value(&g->dims, v->type.dim[k]);
    rg_err err = rg_datum_tensor(cx, v->type.dtype, v->type.rank, dim, &datum);
    if (err) return rg_note(cx, err, "input '%.*s'", RG_STR(v->name));
    feed->datum = datum;
    feed->text = make_up(&datum->array, rg_hash_str(rg_hash_u64(RG_HASH_SEED, seed), v->name));
    return RG_OK;
}

rg_err rg_feeds_make_up(rg_ctx *cx, const rg_graph *g, const rg_graph *sized, uint64_t seed, rg_feed *feeds)
{
    const rg_region *model = &sized->regions[RG_MAIN];
    for (uint32_t i = 0; i < model->input_count; i++) {
        const rg_value *v = &sized->values[model->inputs[i]];
        if (is_missing(g, feeds, v))
            RG_TRY(make_input(cx, sized, v, seed, &feeds[rg_feeds_find(g, v->name)]));
    }
    return RG_OK;
}
