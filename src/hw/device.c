/* device.c - a machine from its profile, and what is looked up in it.
 *
 * The tables below are the format "ridge.device/1":
 * key, type, whether it must be there, where it goes, its meaning.
 */
#include "hw/hw.h"
#include "hw/hw_type.h"
#include "hw/profile.h"
#include "hw/read.h"

#include <math.h>
#include <string.h>

/* NAME fields store an int where the struct has an enum. */
_Static_assert(sizeof(rg_device_kind) == sizeof(int) && sizeof(rg_unit_kind) == sizeof(int) &&
               sizeof(rg_hw_dtype) == sizeof(int) && sizeof(rg_scope) == sizeof(int),
               "enums are as wide as int");

#define AT(member) offsetof(rg_engine, member)
static const rg_field engine_fields[] = {
    {"id", RG_FIELD_TEXT, true, AT(id),
     .help = "what peaks call it; first, because references look for it there"},
    {"kind", RG_FIELD_TEXT, true, AT(kind), .help = "core, sm, mxu, tile"},
    {"count", RG_FIELD_POSITIVE, true, AT(count), .help = "units of this engine"},
    {"clock_base_hz", RG_FIELD_POSITIVE, true, AT(clock_base_hz), .help = "guaranteed clock"},
    {"clock_max_hz", RG_FIELD_POSITIVE, true, AT(clock_max_hz), .help = "highest clock"},
    {"threads", RG_FIELD_COUNT, true, AT(threads), .help = "resident threads of one unit"},
    {"blocks", RG_FIELD_COUNT, false, AT(blocks), .help = "resident thread blocks of one unit"},
    {"warp", RG_FIELD_COUNT, false, AT(warp), .help = "lanes of a warp"},
    {"register_byte", RG_FIELD_REAL, false, AT(register_byte), .help = "register file of one unit"},
    {"shared_byte", RG_FIELD_REAL, false, AT(shared_byte), .help = "shared memory of one unit"},
    {"bulk_copies", RG_FIELD_FLAG, false, AT(bulk_copies),
     .help = "copies into shared memory run by themselves, without threads"},
    {"simd_bit", RG_FIELD_COUNT, false, AT(simd_bit), .help = "width of a vector register"},
    {"tile", RG_FIELD_PAIR, false, AT(tile), .help = "rows and columns of a systolic or tile array"},
    {"source", RG_FIELD_TEXT, true, AT(source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record engine_record = RG_RECORD(rg_engine, engine_fields);
#undef AT

#define AT(member) offsetof(rg_peak, member)
static const rg_field peak_fields[] = {
    {"engine", RG_FIELD_REF, true, AT(engine), offsetof(rg_device, engine_count), &engine_record,
     offsetof(rg_device, engines), .help = "id of the engine that has it"},
    {"unit", RG_FIELD_NAME, true, AT(unit), .names = rg_unit_kind_names, .help = "pipes of the engine"},
    {"dtype", RG_FIELD_NAME, true, AT(dtype), .names = rg_hw_dtype_names, .help = "type of the operands"},
    {"accumulate", RG_FIELD_TEXT, true, AT(accumulate), .help = "type of the sums"},
    {"dense", RG_FIELD_TRUE, true,
     .help = "structured sparsity doubles published peaks; only dense ones belong here"},
    {"op_per_clock", RG_FIELD_POSITIVE, true, AT(op_per_clock),
     .help = "of one engine unit; a multiply-add is two"},
    {"at_clock_hz", RG_FIELD_POSITIVE, true, AT(at_clock_hz), .help = "clock of the published figure"},
    {"op_per_s", RG_FIELD_POSITIVE, true, AT(op_per_s), .help = "whole device, as published"},
    {"alone_op_per_s", RG_FIELD_POSITIVE, false, AT(alone_op_per_s),
     .help = "of one engine unit while the others rest"},
    {"source", RG_FIELD_TEXT, true, AT(source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record peak_record = RG_RECORD(rg_peak, peak_fields);
#undef AT

#define AT(member) offsetof(rg_level, member)
static const rg_field level_fields[] = {
    {"name", RG_FIELD_TEXT, true, AT(name), .help = "l1, l2, hbm"},
    {"scope", RG_FIELD_NAME, true, AT(scope), .names = rg_scope_names, .help = "who shares one instance"},
    {"sharers", RG_FIELD_POSITIVE, true, AT(sharers), .help = "engine units that share one instance"},
    {"count", RG_FIELD_POSITIVE, true, AT(count), .help = "instances"},
    {"capacity_byte", RG_FIELD_POSITIVE, true, AT(capacity_byte), .help = "of one instance"},
    {"usable_byte", RG_FIELD_POSITIVE, true, AT(usable_byte),
     .help = "of one instance, what a program can have"},
    {"parts", RG_FIELD_POSITIVE, false, AT(parts),
     .help = "of one instance, each of which keeps what its own units read"},
    {"read_byte_per_s", RG_FIELD_POSITIVE, true, AT(read_byte_per_s), .help = "peak of the whole device"},
    {"write_byte_per_s", RG_FIELD_POSITIVE, true, AT(write_byte_per_s), .help = "peak of the whole device"},
    {"alone_read_byte_per_s", RG_FIELD_POSITIVE, false, AT(alone_read_byte_per_s),
     .help = "of one engine unit while the others rest"},
    {"sustained_fraction", RG_FIELD_SHARE, false, AT(sustained_fraction),
     .help = "reachable share of the peak"},
    {"paced_hz", RG_FIELD_POSITIVE, false, AT(paced_hz),
     .help = "core clock below which it falls behind"},
    {"paced_floor_hz", RG_FIELD_POSITIVE, false, AT(paced_floor_hz), .help = "... and below this no further"},
    {"paced_power", RG_FIELD_POSITIVE, false, AT(paced_power), .help = "... as this power of the clock"},
    {"latency_s", RG_FIELD_POSITIVE, true, AT(latency_s), .help = "of one dependent load"},
    {"pj_per_byte", RG_FIELD_REAL, true, AT(pj_per_byte), .help = "energy of moving one byte"},
    {"source", RG_FIELD_TEXT, true, AT(source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record level_record = RG_RECORD(rg_level, level_fields);
#undef AT

#define AT(member) offsetof(rg_link, member)
static const rg_field link_fields[] = {
    {"name", RG_FIELD_TEXT, true, AT(name), .help = "nvlink4, pcie5-x16"},
    {"to", RG_FIELD_TEXT, true, AT(to), .help = "peer, network or host"},
    {"byte_per_s", RG_FIELD_POSITIVE, true, AT(byte_per_s), .help = "of one link in one direction"},
    {"latency_s", RG_FIELD_POSITIVE, true, AT(latency_s), .help = "of one step with the smallest message"},
    {"start_s", RG_FIELD_POSITIVE, false, AT(start_s), .help = "of one transfer, whatever its steps"},
    {"sustained_fraction", RG_FIELD_SHARE, false, AT(sustained_fraction),
     .help = "reachable share of the bandwidth"},
    {"devices", RG_FIELD_POSITIVE, false, AT(devices), .help = "that one such fabric joins"},
    {"count", RG_FIELD_POSITIVE, false, AT(count), .help = "links of a device that work at once"},
    {"pj_per_byte", RG_FIELD_REAL, false, AT(pj_per_byte), .help = "energy of moving one byte"},
    {"source", RG_FIELD_TEXT, true, AT(source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record link_record = RG_RECORD(rg_link, link_fields);
#undef AT

#define AT(member) offsetof(rg_power_mode, member)
static const rg_field mode_fields[] = {
    {"name", RG_FIELD_TEXT, true, AT(name), .help = "what the vendor calls it"},
    {"cap_w", RG_FIELD_POSITIVE, true, AT(cap_w), .help = "power limit in this mode"},
    {"clock_max_hz", RG_FIELD_POSITIVE, false, AT(clock_max_hz), .help = "highest clock in this mode"},
    {"unit_count", RG_FIELD_POSITIVE, false, AT(unit_count),
     .help = "units of the first engine that stay switched on"},
    {"memory_byte_per_s", RG_FIELD_POSITIVE, false, AT(memory_byte_per_s),
     .help = "bandwidth of main memory in this mode"},
    {"aliases", RG_FIELD_TEXTS, false, AT(aliases), AT(alias_count),
     .help = "other names that find the device in this mode"},
};
static const rg_record mode_record = RG_RECORD(rg_power_mode, mode_fields);
#undef AT

static const rg_field vf_fields[] = {
    {"clock_hz", RG_FIELD_POSITIVE, true, offsetof(rg_vf, clock_hz), .help = "clock of this point"},
    {"voltage_v", RG_FIELD_POSITIVE, true, offsetof(rg_vf, voltage_v),
     .help = "supply voltage at this clock"},
};
static const rg_record vf_record = RG_RECORD(rg_vf, vf_fields);

/* What is read: the device, and what is spent before it is one. */
typedef struct origin {    /* what the profile that this one is like had, before it was changed */
    const rg_engine *engines; size_t engine_count;
    const rg_level *levels;   size_t level_count;
    const rg_peak *peaks;    /* the list itself: still the same one if this profile states none */
} origin;

typedef struct profile {
    rg_device device;
    double at_voltage_v;
    const char *like;
    origin base;
    int depth;               /* of "like" upon "like" */
} profile;

#define AT(member) offsetof(profile, device.member)
static const rg_field power_fields[] = {
    {"idle_w", RG_FIELD_REAL, true, AT(idle_w), .help = "awake without work"},
    {"active_w", RG_FIELD_REAL, false, AT(active_w),
     .help = "clock tree, leakage and front ends of all units at work"},
    {"ready_w", RG_FIELD_REAL, false, AT(ready_w), .help = "of that, what is left between kernels"},
    {"cap_w", RG_FIELD_POSITIVE, true, AT(cap_w), .help = "what the device may draw"},
    {"modes", RG_FIELD_ROWS, false, AT(modes), AT(mode_count), &mode_record,
     .help = "other limits it can be set to"},
    {"source", RG_FIELD_TEXT, true, AT(power_source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record power_record = RG_RECORD(profile, power_fields);

static const rg_field op_fields[] = {
#define X(id, name, bits) \
    {name, RG_FIELD_POSITIVE, false, AT(pj_per_op[RG_HW_##id]), .help = "pJ an operation"},
    RG_HW_DTYPE_LIST(X)
#undef X
};
static const rg_record op_record = RG_RECORD(profile, op_fields);

static const rg_field energy_fields[] = {
    {"pj_per_op", RG_FIELD_GROUP, true, .record = &op_record, .help = "dynamic energy by type"},
    {"at_voltage_v", RG_FIELD_POSITIVE, false, offsetof(profile, at_voltage_v),
     .help = "voltage that the energies hold at; without it that of the highest clock"},
    {"source", RG_FIELD_TEXT, true, AT(energy_source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record energy_record = RG_RECORD(profile, energy_fields);

static const rg_field made_on_fields[] = {
    {"cpu", RG_FIELD_TEXT, true, AT(made_on.cpu), .help = "what the processor calls itself"},
    {"cores", RG_FIELD_POSITIVE, true, AT(made_on.cores), .help = "that a process could use"},
    {"kernel", RG_FIELD_TEXT, true, AT(made_on.kernel), .help = "name and release of the system"},
    {"date", RG_FIELD_TEXT, true, AT(made_on.date), .help = "of the measurement"},
};
static const rg_record made_on_record = RG_RECORD(profile, made_on_fields);

static const char *const marks[] = {"ridge.device/1", NULL};

static const rg_field device_fields[] = {
    {"schema", RG_FIELD_MARK, true, .names = marks, .help = "the format of this file"},
    {"like", RG_FIELD_TEXT, false, offsetof(profile, like),
     .help = "id of a profile whose figures hold where this one states none"},
    {"name", RG_FIELD_TEXT, true, AT(name), .help = "what people call it"},
    {"vendor", RG_FIELD_TEXT, true, AT(vendor), .help = "who makes it"},
    {"kind", RG_FIELD_NAME, true, AT(kind), .names = rg_device_kind_names,
     .help = "which mapping rules it follows"},
    {"architecture", RG_FIELD_TEXT, true, AT(architecture), .help = "the family of its cores"},
    {"year", RG_FIELD_COUNT, true, AT(year), .help = "of release"},
    {"aliases", RG_FIELD_TEXTS, true, AT(aliases), AT(alias_count), .help = "other names that find it"},
    {"modelled", RG_FIELD_FLAG, true, AT(modelled), .help = "true: there is no silicon to compare with"},
    {"note", RG_FIELD_TEXT, false, AT(note), .help = "what a reader of its forecasts should know"},
    {"engines", RG_FIELD_ROWS, true, AT(engines), AT(engine_count), &engine_record, .help = "what computes"},
    {"peaks", RG_FIELD_ROWS, true, AT(peaks), AT(peak_count), &peak_record,
     .help = "how fast, by engine, unit and type"},
    {"levels", RG_FIELD_ROWS, true, AT(levels), AT(level_count), &level_record,
     .help = "memory, nearest first"},
    {"links", RG_FIELD_ROWS, false, AT(links), AT(link_count), &link_record, .help = "ways to other devices"},
    {"power", RG_FIELD_GROUP, true, .record = &power_record, .help = "limits of the whole device"},
    {"energy", RG_FIELD_GROUP, true, .record = &energy_record, .help = "of computing; moving is in levels"},
    {"vf", RG_FIELD_ROWS, false, AT(vf), AT(vf_count), &vf_record, .help = "voltage by clock, ascending"},
    {"vf_source", RG_FIELD_TEXT, false, AT(vf_source), .help = "where the points come from"},
    {"clocks", RG_FIELD_REALS, false, AT(clocks_hz), AT(clock_count),
     .help = "legal fixed clocks in Hz, ascending"},
    {"clocks_source", RG_FIELD_TEXT, false, AT(clocks_source), .help = "where the clocks come from"},
    {"launch_s", RG_FIELD_POSITIVE, true, AT(launch_s),
     .help = "floor of one kernel, or of one fork and join"},
    {"launch_source", RG_FIELD_TEXT, true, AT(launch_source), .help = "where that figure comes from"},
    {"sources", RG_FIELD_KEYED, true, AT(sources), AT(source_count), &rg_source_record,
     .help = "what source texts begin with"},
    {"made_on", RG_FIELD_GROUP, false, .record = &made_on_record,
     .help = "the machine that the figures were measured on"},
};
#undef AT
const rg_record rg_device_record = RG_RECORD(profile, device_fields);

/* The inverse of rg_device_voltage: the lowest clock that runs at this voltage. */
static double clock_at(const rg_device *d, double voltage_v)
{
    const rg_vf *v = d->vf;
    size_t i = 0;
    while (i < d->vf_count && v[i].voltage_v < voltage_v) i++;
    if (i == 0) return v[0].clock_hz;
    if (i == d->vf_count) return v[i - 1].clock_hz;
    double share = (voltage_v - v[i - 1].voltage_v) / (v[i].voltage_v - v[i - 1].voltage_v);
    return v[i - 1].clock_hz + share * (v[i].clock_hz - v[i - 1].clock_hz);
}

/* The struct holds energies and active power at the highest clock; a profile may state them at another
 * voltage. An operation takes E ~ V^2, clock tree and front ends P ~ f V^2. */
static void settle(profile *p)
{
    rg_device *d = &p->device;
    for (size_t i = 0; i < d->level_count; i++)
        if (d->levels[i].sustained_fraction == 0) d->levels[i].sustained_fraction = 1;
    for (size_t i = 0; i < d->link_count; i++) {
        rg_link *l = &d->links[i];
        if (l->sustained_fraction == 0) l->sustained_fraction = 1;
        if (l->count == 0) l->count = 1;
        if (l->start_s == 0) l->start_s = d->launch_s;
    }
    if (!d->vf_count || p->at_voltage_v == 0) return;
    double top_hz = rg_device_clock_max(d), ratio = rg_device_voltage(d, top_hz) / p->at_voltage_v;
    for (size_t i = 0; i < RG_HW_DTYPE_COUNT; i++) d->pj_per_op[i] *= ratio * ratio;
    d->active_w *= ratio * ratio * top_hz / clock_at(d, p->at_voltage_v);
    d->ready_w *= ratio * ratio * top_hz / clock_at(d, p->at_voltage_v);
}

static rg_err read_profile(rg_ctx *cx, rg_arena *arena, rg_str json, const char *id, profile *p);

static void *copy(rg_arena *arena, const void *rows, size_t count, size_t size)
{
    void *to = rg_arena_array(arena, count, size);
    return to && count ? memcpy(to, rows, count * size) : to;
}

/* What a profile says it is like, without what names that one alone. */
static rg_err read_base(rg_ctx *cx, rg_arena *arena, const char *name, void *out)
{
    profile *p = out;
    rg_str json;
    RG_TRY(rg_profile_like(cx, "hw", "device", name, &p->depth, &json));
    RG_TRY_NOTE(cx, read_profile(cx, arena, json, name, p), "like '%.64s'", name);
    rg_device *d = &p->device;
    d->name = d->note = NULL;
    d->aliases = NULL;
    d->alias_count = 0;
    p->base = (origin){
        .engines = copy(arena, d->engines, d->engine_count, sizeof *d->engines),
        .levels = copy(arena, d->levels, d->level_count, sizeof *d->levels),
        .peaks = d->peaks, .engine_count = d->engine_count, .level_count = d->level_count,
    };
    return p->base.engines && p->base.levels ? RG_OK : rg_nomem(cx);
}

/* Peaks and memories that the profile takes over from its base follow its own units and clocks. A memory that
 * it states is told by its figure, which is no longer the base's; peaks are stated all together or not at
 * all. */
static rg_err follow_engines(rg_ctx *cx, rg_arena *arena, const origin *b, const char *like, rg_device *d)
{
    if (!b->engines || d->engine_count != b->engine_count) return RG_OK;
    const rg_engine *first = &d->engines[0];
    double units = first->count / b->engines[0].count,
           clock = first->clock_max_hz / b->engines[0].clock_max_hz;
    for (size_t i = 0; d->peaks == b->peaks && i < d->peak_count; i++) {
        const rg_engine *e = &d->engines[d->peaks[i].engine], *before = &b->engines[d->peaks[i].engine];
        double share = e->clock_max_hz / before->clock_max_hz;
        if (e->count == before->count && share == 1) continue;
        d->peaks[i].at_clock_hz *= share;
        d->peaks[i].op_per_s *= e->count / before->count * share;
        d->peaks[i].source =
            rg_arena_printf(arena, "%s; scaled from %s by units and clock", d->peaks[i].source, like);
        if (!d->peaks[i].source) return rg_nomem(cx);
    }
    for (size_t i = 0; i < d->level_count && i < b->level_count; i++) {
        rg_level *l = &d->levels[i];
        if (l->scope == RG_SCOPE_DEVICE && l->sharers == b->engines[0].count) l->sharers = first->count;
        if (l->scope != RG_SCOPE_UNIT || l->read_byte_per_s != b->levels[i].read_byte_per_s) continue;
        l->count = l->count * first->count / b->engines[0].count; /* stays whole: 82 x (28 / 82) is not 28 */
        l->read_byte_per_s *= units * clock;
        l->write_byte_per_s *= units * clock;
    }
    return RG_OK;
}

static rg_err read_profile(rg_ctx *cx, rg_arena *arena, rg_str json, const char *id, profile *p)
{
    p->base = (origin){0};
    RG_TRY(rg_read_record(cx, arena, json, &rg_device_record, read_base, p));
    RG_TRY(follow_engines(cx, arena, &p->base, p->like, &p->device));
    if (!p->device.name) return rg_fail(cx, RG_FORMAT, "name: is missing (what people call it)");
    uint64_t seed = p->device.hash ? p->device.hash : RG_HASH_SEED;
    p->device.hash = rg_hash_str(rg_hash_str(seed, rg_str_of(id)), json);
    return RG_OK;
}

static rg_err parse_into(rg_ctx *cx, rg_arena *arena, rg_str json, const char *id, rg_device **out)
{
    profile *p = RG_NEW(arena, profile, 1);
    if (!p) return rg_nomem(cx);
    RG_TRY(read_profile(cx, arena, json, id, p));
    p->device.id = rg_arena_cstr(arena, rg_str_of(id));
    if (!p->device.id) return rg_nomem(cx);
    p->device.refs = 1;
    RG_TRY(rg_device_check(cx, &p->device));
    settle(p);
    *out = &p->device;
    return RG_OK;
}

rg_err rg_device_parse(rg_ctx *cx, rg_str json, const char *id, const rg_device **out)
{
    rg_device *device = NULL;
    rg_arena arena;
    if (json.size > RG_PROFILE_MAX)
        return rg_fail(cx, RG_LIMIT, "%s.json: %zu bytes exceed %d", id, json.size, RG_PROFILE_MAX);
    rg_arena_init(&arena, cx);
    rg_err err = parse_into(cx, &arena, json, id, &device);
    if (err) {
        rg_arena_done(&arena);
        return rg_note(cx, err, "%s.json", id);
    }
    device->arena = arena;
    *out = device;
    return RG_OK;
}

rg_err rg_device_write(rg_ctx *cx, const rg_device *device, rg_str *json)
{
    profile p = {0};
    memcpy(&p.device, device, offsetof(rg_device, refs));
    return rg_write_record(cx, &rg_device_record, &p, json);
}

const rg_device *rg_device_ref(const rg_device *device)
{
    __atomic_add_fetch(&((rg_device *)(uintptr_t)device)->refs, 1, __ATOMIC_RELAXED);
    return device;
}

void rg_device_free(const rg_device *device)
{
    if (!device || __atomic_sub_fetch(&((rg_device *)(uintptr_t)device)->refs, 1, __ATOMIC_ACQ_REL)) return;
    const rg_device *base = device->base;
    rg_arena arena = device->arena; /* the device lies in it */
    rg_arena_done(&arena);
    rg_device_free(base); /* as deep as clones of clones: a mode, then a change */
}

rg_err rg_device_clone(rg_ctx *cx, const rg_device *device, rg_device **out)
{
    rg_arena arena;
    *out = NULL;
    rg_arena_init(&arena, cx);
    rg_device *d = RG_NEW(&arena, rg_device, 1);
    if (d) {
        memcpy(d, device, offsetof(rg_device, refs));
        d->engines = copy(&arena, d->engines, d->engine_count, sizeof *d->engines);
        d->peaks = copy(&arena, d->peaks, d->peak_count, sizeof *d->peaks);
        d->levels = copy(&arena, d->levels, d->level_count, sizeof *d->levels);
        d->links = copy(&arena, d->links, d->link_count, sizeof *d->links);
        d->modes = copy(&arena, d->modes, d->mode_count, sizeof *d->modes);
    }
    if (!d || arena.failed) {
        rg_arena_done(&arena);
        return rg_nomem(cx);
    }
    d->arena = arena;
    d->refs = 1;
    d->base = rg_device_ref(device);
    *out = d;
    return RG_OK;
}

const char *rg_device_id(const rg_device *device) { return device->id; }

/* Sums of 32 bits or more are what stacks use unless they are told otherwise: narrower ones lose digits in
 * long products. Where a device is faster with those (GeForce tensor cores), that rate is not the customary
 * one. */
static bool wide_sums(const rg_peak *p)
{
    int64_t bits;
    rg_str text = rg_str_of(p->accumulate);
    return text.size > 1 && rg_str_int((rg_str){text.data + 1, text.size - 1}, &bits) && bits >= 32;
}

static bool is_better(const rg_peak *a, const rg_peak *b)
{
    return wide_sums(a) == wide_sums(b) ? a->op_per_s > b->op_per_s : wide_sums(a);
}

const rg_peak *rg_device_peak(const rg_device *device, int engine, int unit, rg_hw_dtype dtype)
{
    const rg_peak *best = NULL;
    for (size_t i = 0; i < device->peak_count; i++) {
        const rg_peak *p = &device->peaks[i];
        if (p->dtype != dtype || (engine >= 0 && p->engine != engine) || (unit >= 0 && (int)p->unit != unit))
            continue;
        if (!best || is_better(p, best)) best = p;
    }
    return best;
}

const rg_level *rg_device_memory(const rg_device *device) { return &device->levels[device->level_count - 1]; }

double rg_device_voltage(const rg_device *device, double clock_hz)
{
    const rg_vf *v = device->vf;
    size_t count = device->vf_count;
    if (!count) return 1;
    if (clock_hz <= v[0].clock_hz) return v[0].voltage_v;
    for (size_t i = 1; i < count; i++) {
        if (clock_hz > v[i].clock_hz) continue;
        double share = (clock_hz - v[i - 1].clock_hz) / (v[i].clock_hz - v[i - 1].clock_hz);
        return v[i - 1].voltage_v + share * (v[i].voltage_v - v[i - 1].voltage_v);
    }
    return v[count - 1].voltage_v;
}

/* What joins the core to main memory gets slower faster than the core below some clock f_p, down to f_l:
 *
 *     T(f) = T (1 + (f_p / max(f, f_l))^4n)^(1/4)        far below f_p it goes with 1 / f^n
 *
 * Decoding on V100 in the sweeps of ai-inference-energy (MIT licence), the shortest of three runs at each of
 * 59 clocks: n = 3.7 from 805 to 605 MHz and level below leave a mean error of 3.0 %, 4.8 % below 700 MHz;
 * n = 2 without an end 3.7 and 6.5 %, n = 1 8.5 and 18 %. How soon the one turns into the other is assumed.
 */
double rg_device_pace(const rg_device *device, double clock_hz)
{
    const rg_level *memory = rg_device_memory(device);
    double n = memory->paced_power > 0 ? memory->paced_power : 2;
    double slow = memory->paced_hz / fmax(clock_hz, memory->paced_floor_hz);
    return memory->paced_hz > 0 ? pow(1 + pow(slow, 4 * n), 0.25) : 1;
}

double rg_device_clock_max(const rg_device *device)
{
    double clock_hz = 0;
    for (size_t i = 0; i < device->engine_count; i++)
        clock_hz = fmax(clock_hz, device->engines[i].clock_max_hz);
    return clock_hz;
}
