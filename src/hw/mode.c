/* mode.c - a device in one of its power modes: another limit, lower clocks, units switched off.
 *
 * What depends on the first engine's units and clock follows them (scale.c); main memory takes the mode's
 * bandwidth where it states one.
 */
#include "hw/profile.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* "MODE_15W" and "mode15w" are 15W, "MAXNSUPER" is MAXN_SUPER: data sets and tools spell them in many ways.
 */
static bool is_called(const char *name, const char *typed)
{
    if (strncasecmp(typed, "mode", 4) == 0) typed += 4;
    for (;; name++, typed++) {
        while (*name == '_') name++;
        while (*typed == '_') typed++;
        if (tolower((unsigned char)*name) != tolower((unsigned char)*typed)) return false;
        if (!*name) return true;
    }
}

static const rg_power_mode *find(const rg_device *device, const char *mode)
{
    for (size_t i = 0; i < device->mode_count; i++)
        if (is_called(device->modes[i].name, mode)) return &device->modes[i];
    return NULL;
}

static rg_err fail_unknown(rg_ctx *cx, const rg_device *device, const char *mode)
{
    rg_text names;
    rg_text_init(&names, &cx->arena);
    for (size_t i = 0; i < device->mode_count; i++)
        rg_text_printf(&names, "%s%s", i ? ", " : "", device->modes[i].name);
    if (names.failed) return rg_nomem(cx);
    if (!names.size)
        return rg_fail(cx, RG_INPUT, "%s@%.64s: this device has no power modes", device->id, mode);
    return rg_fail(cx, RG_INPUT, "%s@%.64s: no such power mode; there are: %s", device->id, mode, names.data);
}

static rg_err apply(rg_ctx *cx, const rg_power_mode *mode, rg_device *d)
{
    const rg_engine *first = &d->engines[0];
    double units = mode->unit_count > 0 ? mode->unit_count / first->count : 1;
    double clock = mode->clock_max_hz > 0 ? mode->clock_max_hz / first->clock_max_hz : 1;
    rg_level *memory = &d->levels[d->level_count - 1];
    d->cap_w = mode->cap_w;
    rg_engine_scale(d, 0, units, clock);
    if (mode->memory_byte_per_s > 0) {
        memory->write_byte_per_s *= mode->memory_byte_per_s / memory->read_byte_per_s;
        memory->read_byte_per_s = mode->memory_byte_per_s;
    }
    d->mode_count = 0; /* it is in one: another would start from the wrong figures */
    d->id = rg_arena_printf(&d->arena, "%s@%s", d->id, mode->name);
    d->name = rg_arena_printf(&d->arena, "%s, mode %s", d->name, mode->name);
    d->hash = rg_hash_str(d->hash, rg_str_of(mode->name));
    return d->id && d->name ? RG_OK : rg_nomem(cx);
}

rg_err rg_device_in_mode(rg_ctx *cx, const rg_device *device, const char *mode, const rg_device **out)
{
    const rg_power_mode *m = find(device, mode);
    rg_device *d = NULL;
    *out = NULL;
    if (!m) return fail_unknown(cx, device, mode);
    RG_TRY(rg_device_clone(cx, device, &d));
    rg_err err = apply(cx, m, d);
    if (err) rg_device_free(d);
    else *out = d;
    return err;
}
