/* detect_clock.c - the clocks of a core: cpufreq where the kernel governs them,
 * else what cpuid or the kernel states.
 *
 * In a virtual machine there is usually only the "cpu MHz" of /proc/cpuinfo, the rate of the time stamp
 * counter: the nominal clock, not the turbo that the core may run at.
 * Forecasts for such a host are slow rather than fast.
 */
#include "hw/detect.h"

#include <stdlib.h>

#define CPUFREQ "/sys/devices/system/cpu/cpu%d/cpufreq/"
#define FALLBACK_HZ 2e9 /* a server's base clock; the source says "estimated" */

rg_clock rg_clock_read(const char *root, const rg_cpu *cpu, int cpu_number)
{
    double khz = 0, mhz = 0;
    char text[64];
    if (rg_sysfs_real(&khz, root, CPUFREQ "cpuinfo_max_freq", cpu_number) && khz > 0) {
        rg_clock clock = {khz * 1e3, khz * 1e3, "cpufreq"};
        if (rg_sysfs_real(&khz, root, CPUFREQ "base_frequency", cpu_number) && khz > 0)
            clock.base_hz = khz * 1e3;
        else if (cpu->base_hz > 0) clock.base_hz = cpu->base_hz;
        if (clock.base_hz > clock.max_hz) clock.base_hz = clock.max_hz;
        return clock;
    }
    if (cpu->base_hz > 0)
        return (rg_clock){cpu->base_hz, cpu->max_hz > cpu->base_hz ? cpu->max_hz : cpu->base_hz, "cpuid"};
    if (rg_sysfs_entry(text, sizeof text, root, "/proc/cpuinfo", "cpu MHz") &&
        rg_str_real(rg_str_of(text), &mhz) && mhz > 0)
        return (rg_clock){mhz * 1e6, mhz * 1e6, "cpuinfo"};
    return (rg_clock){FALLBACK_HZ, FALLBACK_HZ, "estimated"};
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

size_t rg_clock_steps(const char *root, double clocks_hz[RG_CLOCK_STEP_MAX])
{
    char text[1024];
    size_t count = 0, kept = 0;
    double khz;
    if (!rg_sysfs_text(text, sizeof text, root, CPUFREQ "scaling_available_frequencies", 0)) return 0;
    rg_str rest = rg_str_of(text), word;
    while (count < RG_CLOCK_STEP_MAX && rg_str_cut(&rest, ' ', &word))
        if (rg_str_real(word, &khz) && khz > 0) clocks_hz[count++] = khz * 1e3;
    qsort(clocks_hz, count, sizeof *clocks_hz, ascending);
    for (size_t i = 0; i < count; i++)
        if (!kept || clocks_hz[i] > clocks_hz[kept - 1]) clocks_hz[kept++] = clocks_hz[i];
    return kept;
}
