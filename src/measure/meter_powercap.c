/* meter_powercap.c - RAPL as the kernel's powercap folder shows it: energy of packages and of their memory.
 *
 *     intel-rapl:0        name package-0     energy_uj, max_energy_range_uj
 *     intel-rapl:0:0      name core          part of the package
 *     intel-rapl:0:1      name dram          beside it
 *     intel-rapl:1        name psys          the whole platform, packages included
 *
 * AMD's processors show the same names without dram. intel-rapl-mmio:* are the packages once more. The
 * registers are of 32 bits, so a step is the range over 2^32; they are brought up to date every millisecond
 * (Intel 64 and IA-32 Architectures Software Developer's Manual, vol. 3B, 15.10; kernel's amd_energy.rst).
 */
#include "hw/detect.h"
#include "measure/meter.h"

#include <errno.h>

enum { ZONE_MAX = 16, PART_MAX = 8 }; /* packages and dies; parts of one */
#define FOLDER     "/sys/class/powercap"
#define UPDATE_S   1e-3
#define COUNTER_STEPS 0x1p32

/* Adds the zone where its name begins with `name`; *met: there is one. */
static rg_err add_zone(rg_ctx *cx, const char *root, const char *zone, const char *name, rg_gauge *g,
                       bool *met)
{
    char text[48];
    double range_uj = 0;
    if (!rg_sysfs_text(text, sizeof text, root, FOLDER "/%s/name", zone) ||
        !rg_str_starts(rg_str_of(text), name)) return RG_OK;
    *met = true;
    rg_channel *c = rg_gauge_add(g, text);
    if (!c) return rg_fail(cx, RG_UNSUPPORTED, "more than %d zones", RG_CHANNEL_MAX);
    if (!rg_channel_file(c, 0, root, FOLDER "/%s/energy_uj", zone))
        return rg_fail(cx, RG_UNSUPPORTED, FOLDER "/%s/energy_uj (%s): %s%s", zone, text, strerror(errno),
                       errno == EACCES ? "; since Linux 5.10 only root may read it" : "");
    rg_sysfs_real(&range_uj, root, FOLDER "/%s/max_energy_range_uj", zone);
    c->scale = 1e-6;
    c->range_j = range_uj * c->scale;
    g->resolution += c->range_j > 0 ? c->range_j / COUNTER_STEPS : c->scale;
    return RG_OK;
}

static rg_err open_powercap(rg_ctx *cx, const rg_meter_opt *opt, rg_gauge *g)
{
    bool package = false, dram = false;
    char zone[32];
    for (int i = 0; i < ZONE_MAX; i++) {
        snprintf(zone, sizeof zone, "intel-rapl:%d", i);
        RG_TRY(add_zone(cx, opt->root, zone, "package", g, &package));
        for (int k = 0; k < PART_MAX; k++) {
            snprintf(zone, sizeof zone, "intel-rapl:%d:%d", i, k);
            RG_TRY(add_zone(cx, opt->root, zone, "dram", g, &dram));
        }
    }
    if (!package)
        return rg_fail(cx, RG_UNSUPPORTED,
                       "no package in " FOLDER ": no driver for RAPL, or a virtual machine");
    g->scope = dram ? RG_COVER_PACKAGE_DRAM : RG_COVER_PACKAGE;
    g->update_s = UPDATE_S;
    return RG_OK;
}

RG_METER(powercap) = {
    .name = "powercap", .brief = "RAPL counters of " FOLDER, .rank = 10, .subject = RG_OF_PROCESSOR,
    .provenance = RG_MEASURED, .open = open_powercap, .read = rg_gauge_read_files,
    .close = rg_gauge_close_files,
};
