/* meter_ina.c - supplies of a board with Texas Instruments' monitors of current, as Jetson boards have them.
 *
 *     /sys/class/hwmon/hwmonN/name                      ina3221
 *         in1_label VDD_IN, in1_input mV, curr1_input mA, shunt1_resistor µOhm     channels 1..3
 *     /sys/class/hwmon/hwmonN/name                      ina226 and the like
 *         power1_input µW
 *     /sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_0, in_power0_input mW     before L4T 34
 *
 * Rails overlap: VDD_IN feeds the others. So only rails that are known to be the whole module together are
 * added up (board); else those of the processor (rail); else there is no figure.
 */
#include "hw/detect.h"
#include "measure/meter.h"

#include <dirent.h>
#include <errno.h>

enum { CHIP_MAX = 64, RAIL_MAX = 3, WHOLE_MAX = 6 };
#define HWMON      "/sys/class/hwmon/hwmon%d"
#define IIO        "/sys/bus/i2c/drivers/ina3221x"
#define UPDATE_S   0.1    /* where the driver states nothing */
#define UPDATE_MIN_S 0.01 /* faster readings would be load themselves */
#define STEP_V     40e-6  /* of the voltage over the shunt: INA3221 data sheet, 7.3.3 */
#define SHUNT_OHM  5e-3   /* of Jetson boards, where the driver does not say */
#define STEP_W     0.04   /* 40 uV over 5 mOhm at 5 V */

/* Rails that are all of a module's input. AGX Orin's VDDQ_VDD2_1V8AO comes out of VIN_SYS_5V0. */
static const char *const wholes[][WHOLE_MAX] = {
    {"VDD_IN"},                                      /* TX2, Xavier NX, Orin NX and Nano */
    {"POM_5V_IN"},                                   /* Nano */
    {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"},    /* AGX Orin */
    {"GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"},   /* AGX Xavier */
};
static const char *const power_chips[] = {"ina219", "ina220", "ina226", "ina230",
                                          "ina231", "ina238", "ina260"};

static rg_channel *find(rg_gauge *g, const char *name)
{
    for (int i = 0; i < g->count; i++)
        if (strcmp(g->channels[i].name, name) == 0) return &g->channels[i];
    return NULL;
}

static bool is_whole(rg_gauge *g, const char *const *names)
{
    for (int i = 0; i < WHOLE_MAX && names[i]; i++)
        if (!find(g, names[i])) return false;
    return true;
}

static bool listed(const char *const *names, const char *name)
{
    for (int i = 0; i < WHOLE_MAX && names[i]; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

/* Keeps the rails of `names`, or with NULL those of the processor. */
static void keep(rg_gauge *g, const char *const *names)
{
    rg_gauge dropped = {0};
    int kept = 0;
    for (int i = 0; i < g->count; i++) {
        const char *name = g->channels[i].name;
        bool wanted = names ? listed(names, name) : strstr(name, "CPU") != NULL;
        if (wanted) g->channels[kept++] = g->channels[i];
        else dropped.channels[dropped.count++] = g->channels[i];
    }
    g->count = kept;
    rg_gauge_close_files(&dropped);
}

static rg_err choose(rg_ctx *cx, rg_gauge *g)
{
    char all[160] = "";
    if (!g->count) return rg_fail(cx, RG_UNSUPPORTED, "no monitor of a board's supplies");
    for (size_t i = 0; i < RG_COUNT(wholes); i++) {
        if (!is_whole(g, wholes[i])) continue;
        keep(g, wholes[i]);
        g->scope = RG_COVER_BOARD;
        return RG_OK;
    }
    for (int i = 0; i < g->count; i++) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, " %s", g->channels[i].name);
    }
    keep(g, NULL);
    g->scope = RG_COVER_RAIL;
    return g->count ? RG_OK : rg_fail(cx, RG_UNSUPPORTED, "nobody knows what these rails feed:%s", all);
}

static void slow_down(rg_gauge *g, double update_s)
{
    if (update_s < UPDATE_MIN_S) update_s = UPDATE_MIN_S;
    if (g->update_s < update_s) g->update_s = update_s;
}

/* mV times mA. A channel that nothing is connected to is disabled or has no label, or says NC. */
static rg_err add_ina3221(rg_ctx *cx, const char *root, int chip, rg_gauge *g)
{
    double update_ms = UPDATE_S * 1e3, shunt_uohm, mv;
    rg_sysfs_real(&update_ms, root, HWMON "/update_interval", chip);
    slow_down(g, update_ms * 1e-3);
    for (int rail = 1; rail <= RAIL_MAX; rail++) {
        char label[48];
        if (!rg_sysfs_text(label, sizeof label, root, HWMON "/in%d_label", chip, rail) ||
            strcmp(label, "NC") == 0 || !rg_sysfs_real(&mv, root, HWMON "/in%d_input", chip, rail)) continue;
        rg_channel *c = rg_gauge_add(g, label);
        if (!c) return rg_fail(cx, RG_UNSUPPORTED, "more than %d rails", RG_CHANNEL_MAX);
        if (!rg_channel_file(c, 0, root, HWMON "/in%d_input", chip, rail) ||
            !rg_channel_file(c, 1, root, HWMON "/curr%d_input", chip, rail))
            return rg_fail(cx, RG_UNSUPPORTED, "hwmon%d, %s: %s", chip, label, strerror(errno));
        c->scale = 1e-6;
        if (!rg_sysfs_real(&shunt_uohm, root, HWMON "/shunt%d_resistor", chip, rail) || shunt_uohm <= 0)
            shunt_uohm = SHUNT_OHM * 1e6;
        g->resolution += STEP_V / (shunt_uohm * 1e-6) * mv * 1e-3;
    }
    return RG_OK;
}

static rg_err add_power_chip(rg_ctx *cx, const char *root, int chip, const char *name, rg_gauge *g)
{
    char label[48];
    double update_ms = UPDATE_S * 1e3;
    if (!rg_sysfs_text(label, sizeof label, root, HWMON "/label", chip) &&
        !rg_sysfs_text(label, sizeof label, root, HWMON "/power1_label", chip))
        snprintf(label, sizeof label, "%s", name);
    rg_channel *c = rg_gauge_add(g, label);
    if (!c) return rg_fail(cx, RG_UNSUPPORTED, "more than %d rails", RG_CHANNEL_MAX);
    if (!rg_channel_file(c, 0, root, HWMON "/power1_input", chip))
        return rg_fail(cx, RG_UNSUPPORTED, "hwmon%d, %s: %s", chip, label, strerror(errno));
    c->scale = 1e-6;
    rg_sysfs_real(&update_ms, root, HWMON "/update_interval", chip);
    slow_down(g, update_ms * 1e-3);
    g->resolution += STEP_W;
    return RG_OK;
}

static rg_err open_ina(rg_ctx *cx, const rg_meter_opt *opt, rg_gauge *g)
{
    char name[48];
    for (int i = 0; i < CHIP_MAX; i++) {
        if (!rg_sysfs_text(name, sizeof name, opt->root, HWMON "/name", i)) continue;
        if (strcmp(name, "ina3221") == 0) RG_TRY(add_ina3221(cx, opt->root, i, g));
        for (size_t k = 0; k < RG_COUNT(power_chips); k++)
            if (strcmp(name, power_chips[k]) == 0) RG_TRY(add_power_chip(cx, opt->root, i, name, g));
    }
    return choose(cx, g);
}

/* ---- before L4T 34: industrial I/O ---- */

static rg_err add_iio(rg_ctx *cx, const char *root, const char *device, rg_gauge *g)
{
    for (int rail = 0; rail < RAIL_MAX; rail++) {
        char label[48];
        if (!rg_sysfs_text(label, sizeof label, root, "%s/rail_name_%d", device, rail) ||
            strcmp(label, "NC") == 0) continue;
        rg_channel *c = rg_gauge_add(g, label);
        if (!c) return rg_fail(cx, RG_UNSUPPORTED, "more than %d rails", RG_CHANNEL_MAX);
        if (!rg_channel_file(c, 0, root, "%s/in_power%d_input", device, rail))
            return rg_fail(cx, RG_UNSUPPORTED, "%s, %s: %s", device, label, strerror(errno));
        c->scale = 1e-3;
        g->resolution += STEP_W;
    }
    slow_down(g, UPDATE_S);
    return RG_OK;
}

/* Every folder below `path` whose name begins with `start`. */
static rg_err each_folder(rg_ctx *cx, const char *root, const char *path, const char *start, rg_gauge *g,
                          rg_err (*visit)(rg_ctx *cx, const char *root, const char *path, rg_gauge *g))
{
    const char *full = rg_arena_printf(&cx->arena, "%s%s", root, path);
    DIR *folder = full ? opendir(full) : NULL;
    rg_err err = RG_OK;
    for (struct dirent *entry; folder && !err && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.' || !rg_str_starts(rg_str_of(entry->d_name), start)) continue;
        const char *inner = rg_arena_printf(&cx->arena, "%s/%s", path, entry->d_name);
        err = inner ? visit(cx, root, inner, g) : rg_nomem(cx);
    }
    if (folder) closedir(folder);
    return err;
}

static rg_err add_chip(rg_ctx *cx, const char *root, const char *path, rg_gauge *g)
{
    return each_folder(cx, root, path, "iio", g, add_iio);
}

static rg_err open_iio(rg_ctx *cx, const rg_meter_opt *opt, rg_gauge *g)
{
    RG_TRY(each_folder(cx, opt->root, IIO, "", g, add_chip));
    return choose(cx, g);
}

RG_METER(ina) = {
    .name = "ina", .brief = "supplies of the board: INA monitors in hwmon", .rank = 40,
    .subject = RG_OF_BOARD, .provenance = RG_SAMPLED, .open = open_ina, .read = rg_gauge_read_files,
    .close = rg_gauge_close_files,
};
RG_METER(ina_iio) = {
    .name = "ina_iio", .brief = "the same on older Jetson systems", .rank = 45, .subject = RG_OF_BOARD,
    .provenance = RG_SAMPLED, .open = open_iio, .read = rg_gauge_read_files, .close = rg_gauge_close_files,
};
