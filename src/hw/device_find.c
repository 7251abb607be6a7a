/* device_find.c - a device by what people type: host, an id of data/hw, one of its other names, a profile
 * file, or the words of a name (device_words.c); ID@MODE is a device in a power mode. Several by a word that
 * says something about them.
 *
 * Other names are looked for in the profiles each time: there is no index to fall out of step with the data.
 * Only a profile whose text mentions the name is parsed, which keeps the search near a millisecond.
 */
#include "hw/hw.h"
#include "hw/profile.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool among(const char *const *aliases, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(aliases[i], name) == 0) return true;
    return false;
}

/* Whether the device has that name: as it is (*mode NULL) or in one of its power modes. */
static bool answers_to(const rg_device *device, const char *name, const char **mode)
{
    *mode = NULL;
    if (strcasecmp(device->id, name) == 0 || strcasecmp(device->name, name) == 0) return true;
    if (among(device->aliases, device->alias_count, name)) return true;
    for (size_t i = 0; i < device->mode_count; i++) {
        if (!among(device->modes[i].aliases, device->modes[i].alias_count, name)) continue;
        *mode = device->modes[i].name;
        return true;
    }
    return false;
}

/* Most places differ in the first letter. */
bool rg_profile_mentions(rg_str text, const char *name)
{
    size_t size = strlen(name);
    char lower = (char)tolower((unsigned char)*name), upper = (char)toupper((unsigned char)*name);
    for (size_t i = 0; i + size <= text.size; i++) {
        char c = text.data[i];
        if ((c == lower || c == upper) && strncasecmp(text.data + i, name, size) == 0) return true;
    }
    return false;
}

/* Any id or profile file, no other name. */
static rg_err read_device(rg_ctx *cx, const char *id, const rg_device **out)
{
    rg_str json;
    if (rg_profile_is_path(id)) RG_TRY(rg_profile_load(cx, id, &json, &id));
    else RG_TRY(rg_profile_read(cx, "hw", id, &json));
    return rg_device_parse(cx, json, id, out);
}

rg_err rg_device_named(rg_ctx *cx, const char *name, const char **id)
{
    const char *const *ids, *mode;
    size_t count;
    rg_text found;
    *id = NULL;
    rg_text_init(&found, &cx->arena);
    RG_TRY(rg_device_ids(cx, &ids, &count));
    int matches = 0;
    for (size_t i = 0; i < count; i++) {
        const rg_device *device;
        rg_str json;
        RG_TRY(rg_profile_read(cx, "hw", ids[i], &json));
        if (strcasecmp(ids[i], name) != 0 && !rg_profile_mentions(json, name)) continue;
        RG_TRY(rg_device_parse(cx, json, ids[i], &device));
        if (answers_to(device, name, &mode)) {
            rg_text_printf(&found, "%s%s", matches++ ? ", " : "", ids[i]);
            *id = mode ? rg_arena_printf(&cx->arena, "%s@%s", ids[i], mode) : ids[i];
            found.failed |= !*id;
        }
        rg_device_free(device);
    }
    if (found.failed) return rg_nomem(cx);
    if (matches <= 1) return RG_OK;
    return rg_fail(cx, RG_INPUT, "device '%.64s' is ambiguous: %s answer to it", name, found.data);
}

rg_err rg_device_ids(rg_ctx *cx, const char *const **ids, size_t *count)
{
    return rg_data_list(cx, "hw", ids, count);
}

static bool is_about(const rg_device *d, const char *word)
{
    const char *texts[] = {d->id, d->name, d->vendor, d->architecture, rg_device_kind_name(d->kind)};
    for (size_t i = 0; i < RG_COUNT(texts); i++)
        if (rg_profile_mentions(rg_str_of(texts[i]), word)) return true;
    return false;
}

rg_err rg_device_search(rg_ctx *cx, const char *word, const char *const **ids, size_t *count)
{
    const char *const *all, **found;
    size_t total;
    *count = 0;
    RG_TRY(rg_device_ids(cx, &all, &total));
    *ids = found = RG_NEW(&cx->arena, const char *, total);
    if (!found) return rg_nomem(cx);
    for (size_t i = 0; i < total; i++) {
        const rg_device *device;
        RG_TRY(read_device(cx, all[i], &device));
        if (is_about(device, word)) found[(*count)++] = all[i];
        rg_device_free(device);
    }
    return RG_OK;
}

/* "ID@MODE", cut at the last '@': names of processors have one too ("... V2 @ 3.40GHz"). */
static rg_err find_in_mode(rg_ctx *cx, const char *id, const char *at, const rg_device **out)
{
    const rg_device *device = NULL;
    const char *name = rg_arena_cstr(&cx->arena, (rg_str){id, (size_t)(at - id)});
    if (!name) return rg_nomem(cx);
    RG_TRY(rg_device_find(cx, name, &device));
    rg_err err = rg_device_in_mode(cx, device, at + 1, out);
    rg_device_free(device);
    return err;
}

static rg_err find_host(rg_ctx *cx, const rg_device **out)
{
    const rg_device *detected;
    const char *path;
    RG_TRY(rg_host_profile_path(cx, &path));
    RG_TRY(rg_device_detect(cx, &detected));
    rg_err err = rg_host_choose_profile(cx, path, detected, out);
    rg_device_free(detected);
    return err;
}

rg_err rg_device_find(rg_ctx *cx, const char *id, const rg_device **out)
{
    bool known;
    *out = NULL;
    if (!id || !*id) return rg_fail(cx, RG_INPUT, "no device is named; `ridge devices` lists them");
    if (strcmp(id, "host") == 0) return find_host(cx, out);
    bool path = rg_profile_is_path(id);
    if (path && access(id, R_OK) == 0) return read_device(cx, id, out);
    RG_TRY(rg_profile_has(cx, "hw", id, &known));
    if (known) return read_device(cx, id, out);
    const char *named, *at = strrchr(id, '@');
    RG_TRY(rg_device_named(cx, id, &named)); /* "Ryzen 9 8945HS w/ Radeon 780M" looks like a path, too */
    if (named && (!at || strcmp(named, id) != 0)) return rg_device_find(cx, named, out);
    if (at && at != id && at[1]) return find_in_mode(cx, id, at, out);
    RG_TRY(rg_device_by_words(cx, id, &named));
    if (named) return read_device(cx, named, out);
    if (path) return read_device(cx, id, out); /* which says what is wrong with it */
    return rg_profile_unknown(cx, "hw", "device", id, "`ridge devices` lists all, host is this machine");
}
