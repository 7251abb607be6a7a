/* host.c - "host": the profile that ridge calibrate has measured on this machine, else what detection knows.
 *
 * A profile carries the machine that it was measured on. It is used while processor, cores and kernel are
 * those: in another virtual machine of the same home directory, or with half of the cores taken away, its
 * figures would be wrong without anybody noticing. Then this machine is detected as without it, and the note
 * says why.
 */
#include "hw/detect.h"
#include "hw/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The one place that asks the environment. */
rg_err rg_host_profile_path(rg_ctx *cx, const char **out)
{
    const char *own = getenv("RIDGE_HOST"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    *out = NULL;
    if (own) {
        *out = *own ? own : NULL;
        return RG_OK;
    }
    if (data && *data == '/') *out = rg_arena_printf(&cx->arena, "%s/ridge/hw/host.json", data);
    else if (home && *home) *out = rg_arena_printf(&cx->arena, "%s/.local/share/ridge/hw/host.json", home);
    else return RG_OK;
    return *out ? RG_OK : rg_nomem(cx);
}

rg_err rg_host_made_on(rg_ctx *cx, const rg_device *detected, rg_made_on *out)
{
    struct utsname system;
    *out = (rg_made_on){.cpu = detected->name};
    for (size_t i = 0; i < detected->engine_count; i++) out->cores += detected->engines[i].count;
    if (uname(&system)) snprintf(system.sysname, sizeof system.sysname, "unknown"), *system.release = 0;
    out->kernel = rg_arena_printf(&cx->arena, "%s %s", system.sysname, system.release);
    return out->kernel ? RG_OK : rg_nomem(cx);
}

/* NULL: they are the same machine. */
static const char *difference(rg_ctx *cx, const rg_made_on *then, const rg_made_on *now)
{
    if (!then->cpu) return "it does not say which machine it was measured on";
    if (strcmp(then->cpu, now->cpu) != 0)
        return rg_arena_printf(&cx->arena, "it was measured on %s, this is %s", then->cpu, now->cpu);
    if (fabs(then->cores - now->cores) > 1e-6 * now->cores)
        return rg_arena_printf(&cx->arena, "it was measured with %g cores, there are %g", then->cores,
                               now->cores);
    if (strcmp(then->kernel, now->kernel) != 0)
        return rg_arena_printf(&cx->arena, "it was measured under %s, this is %s", then->kernel, now->kernel);
    return NULL;
}

static rg_err explained(rg_ctx *cx, const char *path, const char *why, const rg_device *detected,
                        const rg_device **out)
{
    rg_device *d;
    RG_TRY(rg_device_clone(cx, detected, &d));
    d->note = rg_arena_printf(&d->arena, "%s %s is not used: %s; ridge calibrate measures anew.",
                              detected->note, path, why ? why : "no memory");
    if (d->note && why) {
        *out = d;
        return RG_OK;
    }
    rg_device_free(d);
    return rg_nomem(cx);
}

rg_err rg_host_choose_profile(rg_ctx *cx, const char *path, const rg_device *detected, const rg_device **out)
{
    const rg_device *measured = NULL;
    rg_made_on now;
    rg_str json;
    const char *id;
    if (!path || access(path, F_OK) != 0) {
        *out = rg_device_ref(detected);
        return RG_OK;
    }
    RG_TRY(rg_host_made_on(cx, detected, &now));
    rg_err err = rg_profile_load(cx, path, &json, &id);
    if (!err) err = rg_device_parse(cx, json, "host", &measured);
    if (err == RG_NOMEM) return err;
    if (err) {
        const char *why = rg_arena_printf(&cx->arena, "%s", rg_ctx_error(cx));
        return explained(cx, path, why, detected, out);
    }
    const char *why = difference(cx, &measured->made_on, &now);
    if (!why && !cx->arena.failed) {
        *out = measured;
        return RG_OK;
    }
    rg_device_free(measured);
    return explained(cx, path, why, detected, out);
}
