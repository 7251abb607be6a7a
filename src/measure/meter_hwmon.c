/* meter_hwmon.c - sensor chips of /sys/class/hwmon whose energy or power is known to be of something: of the
 * processor, of a graphics processor, of the whole machine. Chips that are not in the table are not guessed
 * at.
 *
 *     hwmonN/name                  amd_energy      amdgpu            power_meter
 *     hwmonN/energyM_input         µJ
 *     hwmonN/powerM_average, _input                µW                µW
 *     hwmonN/powerM_average_interval, update_interval                ms
 *
 * Units and names are those of the kernel's hwmon/sysfs-interface.rst.
 */
#include "hw/detect.h"
#include "measure/meter.h"

#include <errno.h>

enum { CHIP_MAX = 64, INPUT_MAX = 512 }; /* hwmonN; energyM of a chip: amd_energy has one a core */
#define FOLDER        "/sys/class/hwmon/hwmon%d"
#define SENSOR_S      1.0    /* many drivers keep a reading for a second; where nothing else is stated */
#define MICRO         1e-6
#define RAPL_S        1e-3   /* kernel's amd_energy.rst: registers are updated every 1 ms ... */
#define RAPL_COARSE_J 125e-6 /* ... in steps of 0.125 mJ where they are coarse */

static const struct {
    const char *chip, *label;    /* label: what it has to begin with; NULL: any, or none */
    const char *kind, *forms[2]; /* of the files: the first form that is there */
    rg_cover scope;
    int input_max;
    double update_s, resolution;
} chips[] = {
    {"amd_energy", "Esocket", "energy", {"input"}, RG_COVER_PACKAGE, INPUT_MAX, RAPL_S, RAPL_COARSE_J},
    {"amdgpu", NULL, "power", {"average", "input"}, RG_COVER_GPU, 1, SENSOR_S, MICRO},
    {"power_meter", NULL, "power", {"average"}, RG_COVER_WALL, 1, SENSOR_S, MICRO}, /* ACPI 4.0, 10.4 */
};

/* How often it has a new figure, where the chip says so. */
static double update_s(const char *root, int chip, double preset_s)
{
    double ms;
    if (rg_sysfs_real(&ms, root, FOLDER "/power1_average_interval", chip) && ms > 0) return ms * 1e-3;
    if (rg_sysfs_real(&ms, root, FOLDER "/update_interval", chip) && ms > 0) return ms * 1e-3;
    return preset_s;
}

static bool is_meant(const char *root, int chip, const char *kind, int input, const char *label)
{
    char text[64];
    return !label || (rg_sysfs_text(text, sizeof text, root, FOLDER "/%s%d_label", chip, kind, input) &&
                      rg_str_starts(rg_str_of(text), label));
}

static rg_err add_input(rg_ctx *cx, const char *root, int chip, size_t row, int input, rg_gauge *g)
{
    const char *kind = chips[row].kind;
    char file[48];
    if (!is_meant(root, chip, kind, input, chips[row].label)) return RG_OK;
    for (size_t k = 0; k < RG_COUNT(chips[row].forms) && chips[row].forms[k]; k++) {
        snprintf(file, sizeof file, "%s%d_%s", kind, input, chips[row].forms[k]);
        rg_channel *c = rg_gauge_add(g, file);
        if (!c) return rg_fail(cx, RG_UNSUPPORTED, "more than %d inputs", RG_CHANNEL_MAX);
        if (rg_channel_file(c, 0, root, FOLDER "/%s", chip, file)) {
            c->scale = MICRO;
            g->scope = chips[row].scope;
            g->update_s = update_s(root, chip, chips[row].update_s);
            g->resolution += chips[row].resolution;
            return RG_OK;
        }
        if (errno != ENOENT)
            return rg_fail(cx, RG_UNSUPPORTED, FOLDER "/%s (%s): %s", chip, file, chips[row].chip,
                           strerror(errno));
        g->count--;
    }
    return RG_OK;
}

/* All inputs of all chips that are called as the meter is. */
static rg_err open_chips(rg_ctx *cx, const rg_meter_opt *opt, rg_gauge *g)
{
    const char *chip = g->meter->name;
    char name[64];
    for (int i = 0; i < CHIP_MAX; i++) {
        if (!rg_sysfs_text(name, sizeof name, opt->root, FOLDER "/name", i) || strcmp(name, chip) != 0)
            continue;
        for (size_t row = 0; row < RG_COUNT(chips); row++)
            for (int k = 1; strcmp(chips[row].chip, chip) == 0 && k <= chips[row].input_max; k++)
                RG_TRY(add_input(cx, opt->root, i, row, k, g));
    }
    if (g->count) return RG_OK;
    return rg_fail(cx, RG_UNSUPPORTED, "no %s among the chips of /sys/class/hwmon", chip);
}

RG_METER(amd_energy) = {
    .name = "amd_energy", .brief = "RAPL counters of AMD's sockets", .rank = 30,
    .subject = RG_OF_PROCESSOR, .provenance = RG_MEASURED, .open = open_chips, .read = rg_gauge_read_files,
    .close = rg_gauge_close_files,
};
RG_METER(power_meter) = {
    .name = "power_meter", .brief = "the machine's own meter, by ACPI", .rank = 50, .subject = RG_OF_BOARD,
    .provenance = RG_SAMPLED, .open = open_chips, .read = rg_gauge_read_files, .close = rg_gauge_close_files,
};
RG_METER(amdgpu) = {
    .name = "amdgpu", .brief = "power of AMD's graphics processors", .rank = 85, .subject = RG_OF_GPU,
    .provenance = RG_SAMPLED, .open = open_chips, .read = rg_gauge_read_files, .close = rg_gauge_close_files,
};
