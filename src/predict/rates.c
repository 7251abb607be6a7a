/* rates.c - what a user said of money and carbon, and which figures of the tables that means for a device.
 *
 *     2.5                        dollars for an hour of the device
 *     aws, any                   the cheapest machine of that provider, or of all, that has the device
 *     aws:p5.48xlarge            that machine, where it is cheapest; aws:p5.48xlarge@us-east-1: there
 *
 * A machine with several devices costs each of them an equal share. The grid is the one asked for, else that
 * of the price's region, else the world's.
 */
#include "predict/cost.h"

#include <math.h>
#include <time.h>

static const char any[] = "any";

const rg_rates *rg_rates_ref(const rg_rates *rates)
{
    __atomic_add_fetch(&((rg_rates *)(uintptr_t)rates)->refs, 1, __ATOMIC_RELAXED);
    return rates;
}

void rg_rates_free(const rg_rates *constant)
{
    rg_rates *rates = (rg_rates *)(uintptr_t)constant;
    if (!rates || __atomic_sub_fetch(&rates->refs, 1, __ATOMIC_ACQ_REL)) return;
    rg_arena arena = rates->arena; /* the rates themselves lie in it */
    rg_arena_done(&arena);
}

/* ---- the price ---- */

/* Cuts "aws:p5.48xlarge@us-east-1"; parts that are not there are empty. */
typedef struct price_name { rg_str provider, instance, region; } price_name;

static price_name cut_name(const char *text)
{
    price_name n = {0};
    rg_str rest = rg_str_of(text), front;
    rg_str_cut(&rest, ':', &n.provider);
    if (rg_str_cut(&rest, '@', &front)) n.instance = front;
    n.region = rest;
    return n;
}

static bool is_named(const rg_price *p, price_name n)
{
    if (!rg_str_is(n.provider, any) && !rg_str_is(n.provider, p->provider)) return false;
    if (n.instance.size && !rg_str_is(n.instance, p->instance)) return false;
    return !n.region.size || (p->region && rg_str_is(n.region, p->region));
}

static rg_err unknown_price(rg_ctx *cx, const char *text, const rg_price *rows, size_t count)
{
    const char **names = RG_NEW(&cx->arena, const char *, 2 * count + 1);
    if (!names) return rg_nomem(cx);
    for (size_t i = 0; i < count; i++) {
        names[2 * i] = rg_arena_printf(&cx->arena, "%s:%s", rows[i].provider, rows[i].instance);
        names[2 * i + 1] = i && rows[i].provider == rows[i - 1].provider ? names[2 * i] : rows[i].provider;
        if (!names[2 * i]) return rg_nomem(cx);
    }
    size_t kept = 0; /* neighbors are equal where a machine stands in several regions */
    for (size_t i = 0; i < 2 * count; i++) {
        bool known = false;
        for (size_t k = 0; k < kept && !known; k++) known = strcmp(names[k], names[i]) == 0;
        if (!known) names[kept++] = names[i];
    }
    return rg_unknown_name(cx, "price", text, names, kept, "`ridge prices` lists all");
}

static rg_err read_price(rg_ctx *cx, rg_rates *r)
{
    const rg_price *rows;
    size_t count;
    double typed;
    r->usd_per_h = NAN;
    if (!r->asked) return r->spot ? rg_fail(cx, RG_USAGE, "--spot needs a --price of the tables") : RG_OK;
    if (rg_str_real(rg_str_of(r->asked), &typed)) {
        if (!(typed >= 0) || isinf(typed))
            return rg_fail(cx, RG_USAGE, "--price: %g dollars an hour are not possible", typed);
        if (r->spot) return rg_fail(cx, RG_USAGE, "--spot: $%g an hour is the price already", typed);
        r->usd_per_h = typed;
        return RG_OK;
    }
    RG_TRY(rg_prices_read(cx, &r->arena, &rows, &count));
    r->prices = RG_NEW(&r->arena, const rg_price *, count + 1);
    if (!r->prices) return rg_nomem(cx);
    price_name name = cut_name(r->asked);
    for (size_t i = 0; i < count; i++)
        if (is_named(&rows[i], name)) r->prices[r->price_count++] = &rows[i];
    return r->price_count ? RG_OK : unknown_price(cx, r->asked, rows, count);
}

/* ---- a machine of one's own ---- */

typedef struct owned_reading { rg_owned owned; double utilization, pue; } owned_reading;

/* Least and most; `open`: more than the least. */
static const struct owned_field {
    const char *key;
    size_t at;
    double min, max;
    bool open, required;
} owned_fields[] = {
#define AT(member) offsetof(owned_reading, member)
    {"price_usd", AT(owned.price_usd), 0, 1e12, false, true},
    {"years", AT(owned.years), 0, 100, true, true},
    {"tariff_usd_per_kwh", AT(owned.tariff_usd_per_kwh), 0, 1e3, false, true},
    {"devices", AT(owned.devices), 0, 1e6, true, false},
    {"utilization", AT(utilization), 0, 1, true, false},
    {"pue", AT(pue), 1, 100, false, false},
#undef AT
};

static rg_err read_owned_entry(rg_ctx *cx, rg_str entry, owned_reading *out, bool *given)
{
    rg_str key, value = entry;
    double x;
    rg_str_cut(&value, '=', &key);
    for (size_t i = 0; i < RG_COUNT(owned_fields); i++) {
        const struct owned_field *f = &owned_fields[i];
        if (!rg_str_is(key, f->key)) continue;
        if (!rg_str_real(value, &x) || !(x >= f->min) || x > f->max || (f->open && x == f->min))
            return rg_fail(cx, RG_USAGE, "--owned: %s: '%.*s' is no number %s %g and at most %g", f->key,
                           RG_STR(value), f->open ? "above" : "from", f->min, f->max);
        memcpy((char *)out + f->at, &x, sizeof x);
        given[i] = true;
        return RG_OK;
    }
    return rg_fail(cx, RG_USAGE, "--owned: '%.*s' is none of price_usd, years, tariff_usd_per_kwh, devices, "
                   "utilization, pue", RG_STR(key));
}

static rg_err read_owned(rg_ctx *cx, const char *text, rg_rates *r)
{
    owned_reading reading = {.owned = {.devices = 1}, .utilization = r->utilization, .pue = r->pue};
    bool given[RG_COUNT(owned_fields)] = {false};
    rg_str rest = rg_str_of(text), entry;
    if (r->asked) return rg_fail(cx, RG_USAGE, "--owned and --price: a machine is owned or rented");
    while (rg_str_cut(&rest, ',', &entry)) RG_TRY(read_owned_entry(cx, entry, &reading, given));
    for (size_t i = 0; i < RG_COUNT(owned_fields); i++)
        if (owned_fields[i].required && !given[i])
            return rg_fail(cx, RG_USAGE, "--owned: %s is missing", owned_fields[i].key);
    r->is_owned = true;
    r->owned = reading.owned;
    r->utilization = reading.utilization;
    r->pue = reading.pue;
    return RG_OK;
}

/* ---- the grid ---- */

static rg_err read_grid(rg_ctx *cx, const char *region, rg_rates *r)
{
    RG_TRY(rg_grids_read(cx, &r->arena, &r->grids, &r->grid_count));
    if (!rg_grid_named(r->grids, r->grid_count, RG_GRID_WORLD))
        return rg_fail(cx, RG_FORMAT, "data/carbon has no region '%s'", RG_GRID_WORLD);
    if (!region) return RG_OK;
    r->grid = rg_grid_named(r->grids, r->grid_count, region);
    if (r->grid) return RG_OK;
    const char **names = RG_NEW(&cx->arena, const char *, 2 * r->grid_count + 1);
    if (!names) return rg_nomem(cx);
    for (size_t i = 0; i < r->grid_count; i++) {
        names[2 * i] = r->grids[i].name;
        names[2 * i + 1] = r->grids[i].id;
    }
    return rg_unknown_name(cx, "region", region, names, 2 * r->grid_count, "`ridge regions` lists all");
}

/* ---- the whole ---- */

/* What was left out is 1. */
static rg_err read_factors(rg_ctx *cx, const rg_rates_opt *o, rg_rates *r)
{
    r->utilization = o->utilization == 0 ? 1 : o->utilization;
    r->pue = o->pue == 0 ? 1 : o->pue;
    if (!(r->utilization > 0 && r->utilization <= 1))
        return rg_fail(cx, RG_USAGE, "--utilization: %g is not above 0 and at most 1", r->utilization);
    if (!(r->pue >= 1 && r->pue <= 100))
        return rg_fail(cx, RG_USAGE, "--pue: %g is not from 1 to 100", r->pue);
    return RG_OK;
}

static rg_err read_today(rg_ctx *cx, const char *today, rg_rates *r)
{
    if (!today) r->today = (int64_t)time(NULL) / (24 * 60 * 60);
    else if (!rg_day_read(today, &r->today))
        return rg_fail(cx, RG_USAGE, "'%.64s' is no day such as 2026-09-25", today);
    return RG_OK;
}

static rg_err read_all(rg_ctx *cx, const rg_rates_opt *o, rg_rates *r)
{
    r->spot = o->spot;
    r->asked = o->price ? rg_arena_cstr(&r->arena, rg_str_of(o->price)) : NULL;
    if (o->price && !r->asked) return rg_nomem(cx);
    RG_TRY(read_factors(cx, o, r));
    RG_TRY(read_today(cx, o->today, r));
    RG_TRY(read_price(cx, r));
    if (o->owned) RG_TRY(read_owned(cx, o->owned, r));
    return read_grid(cx, o->region, r);
}

rg_err rg_rates_new(rg_ctx *cx, const rg_rates_opt *opt, const rg_rates **out)
{
    rg_rates_opt o = {0};
    *out = NULL;
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    rg_rates *r = RG_NEW_OWN(cx, rg_rates);
    if (!r) return rg_nomem(cx);
    r->refs = 1;
    rg_err err = read_all(cx, &o, r);
    if (err) rg_rates_free(r);
    else *out = r;
    return err;
}

/* ---- for a device ---- */

static double machine_usd_per_h(const rg_price *p, bool spot)
{
    return spot ? p->spot_usd_per_h : p->on_demand_usd_per_h;
}

/* The id of a device in a power mode is "ID@MODE"; a price holds for all of them. */
static bool has_device(const rg_price *p, const char *id)
{
    size_t size = strcspn(id, "@");
    return strncmp(p->device, id, size) == 0 && p->device[size] == 0;
}

/* The cheapest for each device, of those that have it; of equals the newest. */
static void choose_price(const rg_rates *r, const char *id, rg_rate_card *card)
{
    double best = INFINITY;
    card->missing = "the price asked for is not of this device";
    for (size_t i = 0; i < r->price_count; i++) {
        const rg_price *p = r->prices[i];
        double usd = machine_usd_per_h(p, r->spot) / p->count;
        if (!has_device(p, id)) continue;
        if (!card->price) card->missing = "its spot price is not known"; /* unless what follows has one */
        if (!(usd > 0) || usd > best || (usd == best && strcmp(p->date, card->price->date) <= 0)) continue;
        best = usd;
        card->price = p;
        card->missing = NULL;
    }
    int64_t day;
    if (!card->price) return;
    card->rates.usd_per_h = best;
    if (rg_day_read(card->price->date, &day)) card->age_days = r->today > day ? r->today - day : 0;
}

static void choose_grid(const rg_rates *r, rg_rate_card *card)
{
    card->grid = r->grid;
    card->grid_why = "as asked";
    if (card->grid) return;
    if (card->price && card->price->region) {
        char id[128];
        snprintf(id, sizeof id, "%s:%s", card->price->provider, card->price->region);
        card->grid = rg_grid_named(r->grids, r->grid_count, id);
        card->grid_why = "where the price is from";
        if (card->grid) return;
    }
    card->grid = rg_grid_named(r->grids, r->grid_count, RG_GRID_WORLD);
    card->grid_why = "assumed: nobody said where";
}

void rg_rates_for(const rg_rates *r, const rg_device *device, rg_rate_card *out)
{
    *out = (rg_rate_card){.rates = {.usd_per_h = NAN, .utilization = r->utilization, .pue = r->pue,
                                    .idle_w = device->idle_w}};
    if (r->is_owned) {
        out->rates.usd_per_h = rg_cost_write_off(r->owned.price_usd, r->owned.years) / r->owned.devices;
        out->rates.usd_per_kwh = r->owned.tariff_usd_per_kwh;
    } else if (r->price_count) {
        choose_price(r, device->id, out);
    } else {
        out->rates.usd_per_h = r->usd_per_h;
        out->missing = r->asked ? NULL : "no price was asked for";
    }
    choose_grid(r, out);
    out->rates.g_per_kwh = out->grid->g_per_kwh;
}
