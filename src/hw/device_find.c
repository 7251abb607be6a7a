/* device_find.c - a device by what people type:
 * host, an id of data/hw, one of its other names, or a profile file.
 *
 * Other names are looked for in the profiles each time: there is no index to fall out of step with the data.
 * Only a profile whose text mentions the name is parsed, which keeps the search near a millisecond.
 */
#include "hw/hw.h"
#include "hw/profile.h"

#include <string.h>
#include <strings.h>

static bool answers_to(const rg_device *device, const char *name)
{
    if (strcasecmp(device->id, name) == 0) return true;
    for (size_t i = 0; i < device->alias_count; i++)
        if (strcasecmp(device->aliases[i], name) == 0) return true;
    return false;
}

/* Whether `name` stands anywhere in the text, case ignored. */
static bool mentions(rg_str text, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i + size <= text.size; i++)
        if (strncasecmp(text.data + i, name, size) == 0) return true;
    return false;
}

static rg_err read_known(rg_ctx *cx, const char *id, const rg_device **out)
{
    rg_str json;
    RG_TRY(rg_profile_read(cx, "hw", id, &json));
    return rg_device_parse(cx, json, id, out);
}

rg_err rg_device_named(rg_ctx *cx, const char *name, const char **id)
{
    const char *const *ids;
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
        if (strcasecmp(ids[i], name) != 0 && !mentions(json, name)) continue;
        RG_TRY(rg_device_parse(cx, json, ids[i], &device));
        if (answers_to(device, name)) {
            rg_text_printf(&found, "%s%s", matches++ ? ", " : "", ids[i]);
            *id = ids[i];
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

static rg_err find_file(rg_ctx *cx, const char *path, const rg_device **out)
{
    rg_str json;
    const char *id;
    RG_TRY(rg_profile_load(cx, path, &json, &id));
    return rg_device_parse(cx, json, id, out);
}

rg_err rg_device_find(rg_ctx *cx, const char *id, const rg_device **out)
{
    bool known;
    if (!id || !*id) return rg_fail(cx, RG_INPUT, "no device is named; `ridge devices` lists them");
    if (strcmp(id, "host") == 0) return rg_device_detect(cx, out);
    if (rg_profile_is_path(id)) return find_file(cx, id, out);
    RG_TRY(rg_profile_has(cx, "hw", id, &known));
    if (known) return read_known(cx, id, out);
    const char *named;
    RG_TRY(rg_device_named(cx, id, &named));
    if (named) return read_known(cx, named, out);
    return rg_profile_unknown(cx, "hw", "device", id, "`ridge devices` lists all, host is this machine");
}
