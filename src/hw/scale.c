/* scale.c - what follows when an engine gets other units or clocks: by a power mode, or by a what-if.
 *
 *     peak ~ units x clock      private memory ~ units x clock      P_active ~ units x clock x V(f)^2
 *     energy of an operation, and of a byte on the chip ~ V(f)^2    f: the highest clock of the device
 *
 * Energies of a device hold at its highest clock (device.c), so they move when that does.
 */
#include "hw/profile.h"

#include <math.h>

/* Main memory has a supply of its own. */
static void scale_energy(rg_device *d, double voltage, double activity)
{
    double v2 = voltage * voltage;
    for (int i = 0; i < RG_HW_DTYPE_COUNT; i++) d->pj_per_op[i] *= v2;
    for (size_t i = 0; i + 1 < d->level_count; i++) d->levels[i].pj_per_byte *= v2;
    d->active_w *= activity * v2;
    d->ready_w *= activity * v2;
}

void rg_engine_scale(rg_device *d, size_t index, double units, double clock)
{
    rg_engine *e = &d->engines[index];
    double before_hz = rg_device_clock_max(d);
    e->count *= units;
    e->clock_max_hz *= clock;
    e->clock_base_hz = fmin(e->clock_base_hz, e->clock_max_hz);
    for (size_t i = 0; i < d->peak_count; i++) {
        if ((size_t)d->peaks[i].engine != index) continue;
        d->peaks[i].at_clock_hz *= clock;
        d->peaks[i].op_per_s *= units * clock;
    }
    double after_hz = rg_device_clock_max(d);
    if (index > 0) units = 1; /* memories and power go with the first engine, which does most of the work */
    for (size_t i = 0; i < d->level_count && index == 0; i++) {
        rg_level *l = &d->levels[i];
        if (l->scope == RG_SCOPE_DEVICE) l->sharers *= units;
        if (l->scope != RG_SCOPE_UNIT) continue;
        l->count *= units;
        l->read_byte_per_s *= units * clock;
        l->write_byte_per_s *= units * clock;
    }
    scale_energy(d, rg_device_voltage(d, after_hz) / rg_device_voltage(d, before_hz),
                 units * after_hz / before_hz);
}
