/* runtime.c - a software stack from its profile: the format "ridge.runtime/1", and finding one.
 *
 * The customary runtime of a device kind is data as well: the profile that lists the kind in default_for.
 */
#include "hw/hw.h"
#include "hw/hw_type.h"
#include "hw/profile.h"
#include "hw/read.h"

#include <string.h>

#define AT(member) offsetof(rg_fuse_rule, member)
static const rg_field rule_fields[] = {
    {"name", RG_FIELD_TEXT, true, AT(name), .help = "the kind of row it makes"},
    {"anchor", RG_FIELD_TEXTS, true, AT(anchor), AT(anchor_count),
     .help = "operators or #families that begin a row"},
    {"follow", RG_FIELD_TEXTS, true, AT(follow), AT(follow_count),
     .help = "operators or #families that may join it"},
    {"max_nodes", RG_FIELD_COUNT, false, AT(max_nodes), .help = "most nodes of a row; 0: no limit"},
    {"kernels", RG_FIELD_COUNT, false, AT(kernels), .help = "launches of such a row; left out: 1"},
    {"why", RG_FIELD_TEXT, true, AT(why), .help = "one clause for the report"},
};
static const rg_record rule_record = RG_RECORD(rg_fuse_rule, rule_fields);
#undef AT

#define AT(member) offsetof(rg_efficiency, member)
static const rg_field efficiency_fields[] = {
    {"family", RG_FIELD_TEXT, true, AT(family),
     .help = "a kernel family, or default; FAMILY@KIND: on that kind of device"},
    {"compute", RG_FIELD_SHARE, true, AT(compute), .help = "share of the peak that large kernels reach"},
    {"memory", RG_FIELD_SHARE, true, AT(memory),
     .help = "share of the sustained bandwidth that large kernels reach"},
    {"start_k", RG_FIELD_REAL, false, AT(start_k),
     .help = "of the reduction, what beginning and ending a block of results takes as long as"},
    {"held_k", RG_FIELD_REAL, false, AT(held_k),
     .help = "elements of the longest row that its kernels hold in registers"},
    {"held_compute", RG_FIELD_SHARE, false, AT(held_compute),
     .help = "share of the peak that they reach with such rows"},
    {"source", RG_FIELD_TEXT, true, AT(source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record efficiency_record = RG_RECORD(rg_efficiency, efficiency_fields);
#undef AT

#define AT(member) offsetof(rg_library_tiles, member)
static const rg_field tiles_fields[] = {
    {"dtype", RG_FIELD_TEXT, true, AT(dtype), .help = "type of the products"},
    {"architectures", RG_FIELD_TEXTS, true, AT(architectures), AT(architecture_count),
     .help = "of the devices"},
    {"weights", RG_FIELD_FLAG, true, AT(weights), .help = "one operand is a weight, else none is"},
    {"sizes", RG_FIELD_REALS, true, AT(sizes), AT(size_count), .help = "rows, columns of each tile in turn"},
    {"in_waves", RG_FIELD_FLAG, false, AT(in_waves),
     .help = "blocks that are resident begin and end together; left out: each SM goes on by itself"},
    {"strays", RG_FIELD_SHARE, false, AT(strays),
     .help = "of what blocks ask of the last cache, that it lacks where weights just fill it; left out: not "
             "known"},
    {"source", RG_FIELD_TEXT, true, AT(source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record tiles_record = RG_RECORD(rg_library_tiles, tiles_fields);
#undef AT

/* What is read: the runtime, and what is spent before it is one. */
typedef struct profile {
    rg_runtime runtime;
    const char *like;
    int depth;               /* of "like" upon "like" */
} profile;

#define AT(member) offsetof(profile, runtime.member)
static const rg_field launch_fields[] = {
    {"host_clock_hz", RG_FIELD_POSITIVE, false, AT(host_clock_hz),
     .help = "clock of the host that these times hold for; left out: of any host"},
    {"launch_s", RG_FIELD_REAL, true, AT(launch_s), .help = "host time of one kernel"},
    {"linear_launches", RG_FIELD_POSITIVE, false, AT(linear_launches),
     .help = "host times of a kernel that a product with weights takes; left out: 1"},
    {"hidden", RG_FIELD_FLAG, true, AT(launch_hidden), .help = "launches run ahead of the device"},
    {"graph_s", RG_FIELD_REAL, true, AT(graph_s), .help = "fixed time of one inference"},
    {"sequence_s", RG_FIELD_REAL, false, AT(sequence_s),
     .help = "host time of each sequence in a step of a language model; left out: 0"},
    {"sequence_byte", RG_FIELD_REAL, false, AT(sequence_byte),
     .help = "what kernels that sample a sequence move through memory meanwhile; left out: 0"},
    {"branch_overlap", RG_FIELD_SHARE, false, AT(branch_overlap),
     .help = "of the parallelism between rows, the share that is used; left out: one stream"},
    {"source", RG_FIELD_TEXT, true, AT(launch_source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record launch_record = RG_RECORD(profile, launch_fields);

static const rg_field pad_fields[] = {
#define X(id, name, bits) \
    {name, RG_FIELD_COUNT, false, AT(pad[RG_HW_##id]), .help = "channels are a multiple of this many"},
    RG_HW_DTYPE_LIST(X)
#undef X
    {"source", RG_FIELD_TEXT, true, AT(pad_source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record pad_record = RG_RECORD(profile, pad_fields);

static const rg_field collective_fields[] = {
    {"one_shot_byte", RG_FIELD_POSITIVE, true, AT(one_shot_byte),
     .help = "all-reduces inside a node up to so many bytes take one kernel of its own"},
    {"two_shot_byte", RG_FIELD_POSITIVE, false, AT(two_shot_byte),
     .help = "... and up to so many bytes one that sums parts and hands them round"},
    {"source", RG_FIELD_TEXT, true, AT(collective_source),
     .help = "where the figure comes from: a key of sources, then words"},
};
static const rg_record collective_record = RG_RECORD(profile, collective_fields);

static const rg_field memory_fields[] = {
    {"overhead_byte", RG_FIELD_REAL, true, AT(memory_overhead_byte),
     .help = "context, allocator and code on the device"},
    {"workspace_fraction", RG_FIELD_REAL, true, AT(workspace_fraction),
     .help = "of the largest row's input and output"},
    {"weight_copies", RG_FIELD_REAL, false, AT(weight_copies),
     .help = "of the weights, that it keeps on a CPU beside the file's"},
    {"packs_weights", RG_FIELD_FLAG, false, AT(packs_weights),
     .help = "and those of products once more, as its kernels read them"},
    {"in_place", RG_FIELD_FLAG, true, AT(in_place),
     .help = "a result may take the place of an input that is read no more"},
    {"source", RG_FIELD_TEXT, true, AT(memory_source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record memory_record = RG_RECORD(profile, memory_fields);

static const rg_field interval_fields[] = {
    {"factor", RG_FIELD_POSITIVE, true, AT(interval_factor),
     .help = "90 % of real times lie within forecast / f .. forecast x f"},
    {"source", RG_FIELD_TEXT, true, AT(interval_source),
     .help = "where the figure comes from: a key of sources, then words"},
};
static const rg_record interval_record = RG_RECORD(profile, interval_fields);

static const char *const marks[] = {"ridge.runtime/1", NULL};

static const rg_field runtime_fields[] = {
    {"schema", RG_FIELD_MARK, true, .names = marks, .help = "the format of this file"},
    {"like", RG_FIELD_TEXT, false, offsetof(profile, like),
     .help = "id of a profile whose rules and figures hold where this one states none"},
    {"name", RG_FIELD_TEXT, true, AT(name), .help = "what people call it"},
    {"note", RG_FIELD_TEXT, false, AT(note), .help = "what a reader of its forecasts should know"},
    {"kinds", RG_FIELD_TEXTS, true, AT(kinds), AT(kind_count), .help = "device kinds that it runs on"},
    {"vendors", RG_FIELD_TEXTS, false, AT(vendors), AT(vendor_count),
     .help = "whose devices it runs on; left out: anybody's"},
    {"default_for", RG_FIELD_TEXTS, false, AT(default_for), AT(default_count),
     .help = "device kinds that take it when none is named"},
    {"learns_from", RG_FIELD_TEXTS, false, AT(teachers), AT(teacher_count),
     .help = "runtimes whose learned residuals it takes where it has none of its own"},
    {"launch", RG_FIELD_GROUP, true, .record = &launch_record, .help = "what starting kernels costs"},
    {"folds_constants", RG_FIELD_FLAG, true, AT(folds_constants),
     .help = "computes constant parts before the first inference"},
    {"fuses_attention", RG_FIELD_FLAG, true, AT(fuses_attention),
     .help = "runs a whole attention as one kernel"},
    {"strided_views", RG_FIELD_FLAG, false, AT(strided_views),
     .help = "transposes and slices are views with strides; a copy is made where a reader needs it dense"},
    {"merges_products", RG_FIELD_FLAG, false, AT(merges_products),
     .help = "products of the same rows by several weights are one: queries, keys and values; gate and up"},
    {"grouped_heads", RG_FIELD_COUNT, false, AT(grouped_heads),
     .help = "query heads that share keys and that its attention takes together, at most; left out: any"},
    {"tf32", RG_FIELD_TEXT, false, AT(tf32),
     .help = "f32 products on matrix units: allowed, conv; left out: never"},
    {"layout", RG_FIELD_TEXT, true, AT(layout), .help = "of images: nchw, nhwc, blocked"},
    {"winograd", RG_FIELD_FLAG, false, AT(winograd),
     .help = "3x3 convolutions on a CPU by Winograd's algorithm, where that is faster"},
    {"pad", RG_FIELD_GROUP, false, .record = &pad_record,
     .help = "channels that products on matrix units are filled up to, by type"},
    {"collective", RG_FIELD_GROUP, false, .record = &collective_record,
     .help = "what it has of its own for groups of devices"},
    {"memory", RG_FIELD_GROUP, true, .record = &memory_record,
     .help = "what it takes besides weights and activations"},
    {"interval", RG_FIELD_GROUP, true, .record = &interval_record,
     .help = "how wide a forecast without evidence is"},
    {"rules", RG_FIELD_ROWS, true, AT(rules), AT(rule_count), &rule_record,
     .help = "what becomes one kernel; the first match wins"},
    {"efficiencies", RG_FIELD_ROWS, true, AT(efficiencies), AT(efficiency_count), &efficiency_record,
     .help = "what its kernels reach"},
    {"tiles", RG_FIELD_ROWS, false, AT(tiles), AT(tile_count), &tiles_record,
     .help = "tiles of products, where its library has few"},
    {"sources", RG_FIELD_KEYED, true, AT(sources), AT(source_count), &rg_source_record,
     .help = "what source texts begin with"},
};
#undef AT
const rg_record rg_runtime_record = RG_RECORD(profile, runtime_fields);

static bool has(const char *const *list, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], word) == 0) return true;
    return false;
}

/* Each text of a list is one of `words`, which end in NULL. */
static rg_err check_words(rg_ctx *cx, const char *where, const char *const *list, size_t count,
                          const char *const *words)
{
    size_t known = 0;
    while (words[known]) known++;
    for (size_t i = 0; i < count; i++)
        if (!has(words, known, list[i]))
            return rg_fail(cx, RG_FORMAT, "%s[%zu]: '%.64s' is not known", where, i, list[i]);
    return RG_OK;
}

static rg_err check_rules(rg_ctx *cx, const rg_runtime *r)
{
    for (size_t i = 0; i < r->rule_count; i++) {
        const rg_fuse_rule *rule = &r->rules[i];
        if (!rule->anchor_count)
            return rg_fail(cx, RG_FORMAT, "rules[%zu].anchor: has 0 operators, needs at least 1", i);
        if (rule->max_nodes == 1)
            return rg_fail(cx, RG_FORMAT, "rules[%zu].max_nodes: 1 would group nothing", i);
    }
    return RG_OK;
}

static rg_err check_efficiencies(rg_ctx *cx, const rg_runtime *r)
{
    for (size_t i = 0; i < r->efficiency_count; i++) {
        const char *at = strchr(r->efficiencies[i].family, '@'), *kind = at ? at + 1 : NULL;
        if (kind)
            RG_TRY_NOTE(cx, check_words(cx, "family", &kind, 1, rg_device_kind_names),
                        "efficiencies[%zu]", i);
    }
    if (rg_runtime_efficiency(r, "default", RG_DEVICE_CPU)) return RG_OK;
    return rg_fail(cx, RG_FORMAT, "efficiencies: there is none for default");
}

static rg_err check_sources(rg_ctx *cx, const rg_runtime *r)
{
    const struct { const char *where, *text; } texts[] = {
        {"launch", r->launch_source},     {"pad", r->pad_source},
        {"memory", r->memory_source},     {"interval", r->interval_source},
        {"collective", r->collective_source},
    };
    for (size_t i = 0; i < RG_COUNT(texts); i++)
        if (texts[i].text && !rg_source_known(r->sources, r->source_count, texts[i].text))
            return rg_fail(cx, RG_FORMAT, "%s.source: '%.64s' does not begin with a key of sources",
                           texts[i].where, texts[i].text);
    for (size_t i = 0; i < r->efficiency_count; i++)
        if (!rg_source_known(r->sources, r->source_count, r->efficiencies[i].source))
            return rg_fail(cx, RG_FORMAT,
                           "efficiencies[%zu].source: '%.64s' does not begin with a key of sources", i,
                           r->efficiencies[i].source);
    for (size_t i = 0; i < r->tile_count; i++) {
        if (!rg_source_known(r->sources, r->source_count, r->tiles[i].source))
            return rg_fail(cx, RG_FORMAT, "tiles[%zu].source: '%.64s' does not begin with a key of sources",
                           i, r->tiles[i].source);
        if (r->tiles[i].size_count == 0 || r->tiles[i].size_count % 2)
            return rg_fail(cx, RG_FORMAT, "tiles[%zu].sizes: %zu numbers are no pairs", i,
                           r->tiles[i].size_count);
    }
    return RG_OK;
}

static rg_err check(rg_ctx *cx, const rg_runtime *r)
{
    static const char *const layouts[] = {"nchw", "nhwc", "blocked", NULL};
    static const char *const tf32[] = {"allowed", "conv", NULL};
    if (!r->kind_count) return rg_fail(cx, RG_FORMAT, "kinds: has 0 rows, needs at least 1");
    RG_TRY(check_words(cx, "kinds", r->kinds, r->kind_count, rg_device_kind_names));
    for (size_t i = 0; i < r->default_count; i++)
        if (!has(r->kinds, r->kind_count, r->default_for[i]))
            return rg_fail(cx, RG_FORMAT, "default_for[%zu]: '%.64s' is not in kinds", i, r->default_for[i]);
    RG_TRY(check_words(cx, "layout", &r->layout, 1, layouts));
    if (r->tf32) RG_TRY(check_words(cx, "tf32", &r->tf32, 1, tf32));
    if (r->interval_factor < 1)
        return rg_fail(cx, RG_FORMAT, "interval.factor: %g is below 1", r->interval_factor);
    RG_TRY(check_efficiencies(cx, r));
    RG_TRY(check_rules(cx, r));
    return check_sources(cx, r);
}

static rg_err read_profile(rg_ctx *cx, rg_arena *arena, rg_str json, const char *id, profile *p);

/* What a profile says it is like, without what names that one alone. */
static rg_err read_base(rg_ctx *cx, rg_arena *arena, const char *name, void *out)
{
    profile *p = out;
    rg_str json;
    RG_TRY(rg_profile_like(cx, "runtime", "runtime", name, &p->depth, &json));
    RG_TRY_NOTE(cx, read_profile(cx, arena, json, name, p), "like '%.64s'", name);
    p->runtime.name = p->runtime.note = NULL;
    p->runtime.default_for = NULL;
    p->runtime.default_count = 0;
    return RG_OK;
}

static rg_err read_profile(rg_ctx *cx, rg_arena *arena, rg_str json, const char *id, profile *p)
{
    RG_TRY(rg_read_record(cx, arena, json, &rg_runtime_record, read_base, p));
    if (!p->runtime.name) return rg_fail(cx, RG_FORMAT, "name: is missing (what people call it)");
    uint64_t seed = p->runtime.hash ? p->runtime.hash : RG_HASH_SEED;
    p->runtime.hash = rg_hash_str(rg_hash_str(seed, rg_str_of(id)), json);
    return RG_OK;
}

static rg_err parse_into(rg_ctx *cx, rg_arena *arena, rg_str json, const char *id, rg_runtime **out)
{
    profile *p = RG_NEW(arena, profile, 1);
    if (!p) return rg_nomem(cx);
    RG_TRY(read_profile(cx, arena, json, id, p));
    p->runtime.id = rg_arena_cstr(arena, rg_str_of(id));
    if (!p->runtime.id) return rg_nomem(cx);
    p->runtime.refs = 1;
    *out = &p->runtime;
    return check(cx, *out);
}

rg_err rg_runtime_parse(rg_ctx *cx, rg_str json, const char *id, const rg_runtime **out)
{
    rg_runtime *runtime = NULL;
    rg_arena arena;
    if (json.size > RG_PROFILE_MAX)
        return rg_fail(cx, RG_LIMIT, "%s.json: %zu bytes exceed %d", id, json.size, RG_PROFILE_MAX);
    rg_arena_init(&arena, cx);
    rg_err err = parse_into(cx, &arena, json, id, &runtime);
    if (err) {
        rg_arena_done(&arena);
        return rg_note(cx, err, "%s.json", id);
    }
    runtime->arena = arena;
    *out = runtime;
    return RG_OK;
}

const rg_runtime *rg_runtime_ref(const rg_runtime *runtime)
{
    __atomic_add_fetch(&((rg_runtime *)(uintptr_t)runtime)->refs, 1, __ATOMIC_RELAXED);
    return runtime;
}

void rg_runtime_free(const rg_runtime *runtime)
{
    if (!runtime || __atomic_sub_fetch(&((rg_runtime *)(uintptr_t)runtime)->refs, 1, __ATOMIC_ACQ_REL))
        return;
    const rg_runtime *base = runtime->base;
    rg_arena arena = runtime->arena; /* the runtime lies in it */
    rg_arena_done(&arena);
    rg_runtime_free(base);
}

rg_err rg_runtime_clone(rg_ctx *cx, const rg_runtime *runtime, rg_runtime **out)
{
    rg_arena arena;
    *out = NULL;
    rg_arena_init(&arena, cx);
    rg_runtime *r = RG_NEW(&arena, rg_runtime, 1);
    rg_efficiency *efficiencies = RG_NEW(&arena, rg_efficiency, runtime->efficiency_count);
    if (!r || !efficiencies) {
        rg_arena_done(&arena);
        return rg_nomem(cx);
    }
    memcpy(r, runtime, offsetof(rg_runtime, refs));
    memcpy(efficiencies, runtime->efficiencies, runtime->efficiency_count * sizeof *efficiencies);
    r->efficiencies = efficiencies;
    r->arena = arena;
    r->refs = 1;
    r->base = rg_runtime_ref(runtime);
    *out = r;
    return RG_OK;
}

const rg_efficiency *rg_runtime_efficiency(const rg_runtime *runtime, const char *family,
                                           rg_device_kind kind)
{
    enum { EXACT, FAMILY, DEFAULT, WAYS }; /* to match, best first */
    const rg_efficiency *found[WAYS] = {0};
    for (size_t i = 0; i < runtime->efficiency_count; i++) {
        const rg_efficiency *e = &runtime->efficiencies[i];
        rg_str on = rg_str_of(e->family), name;
        bool special = strchr(e->family, '@') && rg_str_cut(&on, '@', &name);
        if (special && rg_str_is(name, family) && rg_str_is(on, rg_device_kind_name(kind))) found[EXACT] = e;
        else if (strcmp(e->family, family) == 0) found[FAMILY] = e;
        else if (strcmp(e->family, "default") == 0) found[DEFAULT] = e;
    }
    return found[EXACT] ? found[EXACT] : found[FAMILY] ? found[FAMILY] : found[DEFAULT];
}

const rg_library_tiles *rg_runtime_tiles(const rg_runtime *runtime, const char *architecture,
                                         const char *dtype, bool weights)
{
    for (size_t i = 0; i < runtime->tile_count && architecture; i++) {
        const rg_library_tiles *t = &runtime->tiles[i];
        if (t->weights == weights && strcmp(t->dtype, dtype) == 0
            && has(t->architectures, t->architecture_count, architecture))
            return t;
    }
    return NULL;
}

bool rg_runtime_runs_on(const rg_runtime *runtime, const rg_device *device)
{
    return has(runtime->kinds, runtime->kind_count, rg_device_kind_name(device->kind)) &&
           (!runtime->vendor_count || has(runtime->vendors, runtime->vendor_count, device->vendor));
}

rg_err rg_runtime_ids(rg_ctx *cx, const char *const **ids, size_t *count)
{
    return rg_data_list(cx, "runtime", ids, count);
}

static rg_err read_known(rg_ctx *cx, const char *id, const rg_runtime **out)
{
    rg_str json;
    RG_TRY(rg_profile_read(cx, "runtime", id, &json));
    return rg_runtime_parse(cx, json, id, out);
}

/* The first that is customary for the kind and runs on the device; a vendor's own before anybody's. */
static rg_err find_default(rg_ctx *cx, const rg_device *device, const rg_runtime **out)
{
    const char *kind = rg_device_kind_name(device->kind), *const *ids;
    size_t count;
    *out = NULL;
    RG_TRY(rg_runtime_ids(cx, &ids, &count));
    for (size_t i = 0; i < count; i++) {
        const rg_runtime *r;
        rg_err err = read_known(cx, ids[i], &r);
        if (err) {
            rg_runtime_free(*out);
            *out = NULL;
            return err;
        }
        bool fits = has(r->default_for, r->default_count, kind) && rg_runtime_runs_on(r, device);
        bool better = fits && (!*out || (r->vendor_count && !(*out)->vendor_count));
        rg_runtime_free(better ? *out : r);
        if (better) *out = r;
    }
    if (*out) return RG_OK;
    return rg_fail(cx, RG_INPUT, "no runtime of data/runtime is the default for a %s; name one", kind);
}

static rg_err find_named(rg_ctx *cx, const char *id, const rg_runtime **out)
{
    bool known;
    if (rg_profile_is_path(id)) {
        rg_str json;
        const char *name;
        RG_TRY(rg_profile_load(cx, id, &json, &name));
        return rg_runtime_parse(cx, json, name, out);
    }
    RG_TRY(rg_profile_has(cx, "runtime", id, &known));
    if (known) return read_known(cx, id, out);
    return rg_profile_unknown(cx, "runtime", "runtime", id, "left out, the device decides");
}

rg_err rg_runtime_find(rg_ctx *cx, const char *id, const rg_device *device, const rg_runtime **out)
{
    const rg_runtime *runtime;
    if (!id && !device) return rg_fail(cx, RG_INPUT, "neither a runtime nor a device is named");
    if (!id) return find_default(cx, device, out);
    RG_TRY(find_named(cx, id, &runtime));
    if (device && !rg_runtime_runs_on(runtime, device)) {
        rg_fail(cx, RG_UNSUPPORTED, "runtime '%s' does not run on %s '%s'; it runs on %s%s%s", runtime->id,
                rg_device_kind_name(device->kind), device->id, runtime->kinds[0],
                runtime->vendor_count ? " of " : "", runtime->vendor_count ? runtime->vendors[0] : "");
        rg_runtime_free(runtime);
        return RG_UNSUPPORTED;
    }
    *out = runtime;
    return RG_OK;
}
