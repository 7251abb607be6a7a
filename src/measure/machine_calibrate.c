/* machine_calibrate.c - `ridge calibrate`: this machine measured, written down as its profile, and reported.
 *
 * The profile goes to a file beside its place first, which then takes its name: whoever reads it meanwhile
 * finds the old one or the new one, never half of one.
 */
#include "measure/calibrate.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A turn is a few ticks of /proc/stat, which are of 10 ms: one of them may be counted to either side without
 * anybody being there, so that the limit lies above one tick. */
static const struct { double turn_s, foreign_max; int turns; } modes[] = {
    [false] = {0.08, 0.15, 3},
    [true] = {0.04, 0.3, 2},     /* quick */
};

/* Detection in full: what is measured replaces it, an older calibration is no part of it. */
static rg_err look(rg_ctx *cx, rg_calibration *c)
{
    rg_topology topology;
    rg_cpu cpu;
    RG_TRY(rg_device_detect(cx, &c->detected));
    RG_TRY(rg_topology_read(cx, &topology));
    rg_cpu_read(&cpu, "");
    c->features = cpu.features;
    for (size_t e = 0; e < topology.kind_count && e < c->detected->engine_count; e++)
        c->cpus[e] = topology.kinds[e].cpus;
    RG_TRY(rg_host_made_on(cx, c->detected, &c->on));
    char date[sizeof "2000-01-31"];
    time_t now = time(NULL);
    struct tm day;
    if (!gmtime_r(&now, &day) || !strftime(date, sizeof date, "%Y-%m-%d", &day))
        return rg_fail(cx, RG_FAILED, "this machine does not know what day it is");
    c->on.date = rg_arena_printf(&cx->arena, "%s", date);
    return c->on.date ? RG_OK : rg_nomem(cx);
}

/* The folders above the customary place; of a file that the user names they have to be there. */
static rg_err make_folders(rg_ctx *cx, const char *path)
{
    const char *dir = rg_path_dir(&cx->arena, path);
    if (!dir) return rg_nomem(cx);
    if (rg_path_is_dir(dir)) return RG_OK;
    if (strcmp(dir, path) != 0 && strcmp(dir, ".") != 0) RG_TRY(make_folders(cx, dir));
    if (!mkdir(dir, 0777) || errno == EEXIST) return RG_OK;
    return rg_fail(cx, RG_FAILED, "%s: %s", dir, strerror(errno));
}

static rg_err write_text(rg_ctx *cx, const char *path, rg_str text)
{
    FILE *file = fopen(path, "w");
    if (!file) return rg_fail(cx, RG_FAILED, "%s: %s", path, strerror(errno));
    bool whole = fwrite(text.data, 1, text.size, file) == text.size;
    whole = whole && fputc('\n', file) != EOF;
    if (!fclose(file) && whole) return RG_OK;
    return rg_fail(cx, RG_FAILED, "%s: %s", path, strerror(errno));
}

static rg_err save(rg_ctx *cx, const rg_device *measured, const char *path)
{
    rg_str json;
    const char *beside = rg_arena_printf(&cx->arena, "%s.new", path);
    if (!beside) return rg_nomem(cx);
    RG_TRY(rg_device_write(cx, measured, &json));
    rg_err err = write_text(cx, beside, json);
    if (!err && rename(beside, path)) err = rg_fail(cx, RG_FAILED, "%s: %s", path, strerror(errno));
    if (err) unlink(beside);
    return err;
}

/* Where the profile goes; known before the work, so that a wrong name does not cost it. */
static rg_err find_place(rg_ctx *cx, const char *asked, const char **path)
{
    *path = asked;
    if (asked) return RG_OK;
    RG_TRY(rg_host_profile_path(cx, path));
    if (*path) return make_folders(cx, *path);
    return rg_fail(cx, RG_USAGE,
                   "no place for the profile: RIDGE_HOST is empty or HOME is not set; --output names "
                   "a file");
}

static rg_err measure(rg_ctx *cx, rg_calibration *c, const rg_calibrate_opt *opt, const rg_device **out)
{
    RG_TRY(look(cx, c));
    RG_TRY(rg_calibrate_plan(cx, c));
    RG_TRY(rg_calibrate_run(cx, c, opt->progress, opt->user));
    return rg_calibrate_apply(cx, c, out);
}

rg_err rg_calibrate_doc(rg_ctx *cx, const rg_calibrate_opt *opt, rg_doc **out)
{
    rg_calibrate_opt o = {0};
    rg_calibration c = {0};
    const rg_device *measured = NULL;
    const char *path;
    rg_doc *doc = NULL;
    *out = NULL;
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    c.turn_s = modes[o.quick].turn_s;
    c.turns = modes[o.quick].turns;
    c.foreign_max = modes[o.quick].foreign_max;
    RG_TRY(find_place(cx, o.output, &path));
    rg_err err = measure(cx, &c, &o, &measured);
    if (!err) err = save(cx, measured, path);
    if (!err) err = rg_doc_new(cx, "ridge.calibration/1", &doc);
    if (!err) {
        rg_calibrate_describe(doc, &c, measured, path);
        err = rg_doc_done(cx, doc);
    }
    rg_device_free(measured);
    rg_device_free(c.detected);
    if (!err) *out = doc;
    else rg_doc_free(doc);
    return err;
}
