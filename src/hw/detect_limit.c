/* detect_limit.c - what the system lets this process have: control groups and the power cap.
 *
 * A limit holds for a whole subtree, so the tightest one from the process's group up to the root counts.
 * Version 2 has one tree ("0::/path"), version 1 one for each controller ("4:memory:/path"). Inside a
 * container the path may name a group outside of it:
 * those files are missing, and the walk ends at the container's own root.
 */
#include "hw/detect.h"

#include <string.h>

#define UNLIMITED_BYTE 0x1p62 /* version 1 says "no limit" by a number near 2^63 */

static void tighten(double *limit, double value)
{
    if (value > 0 && (*limit == 0 || value < *limit)) *limit = value;
}

/* cpu.max: "QUOTA PERIOD" or "max PERIOD" */
static void read_cpus_2(rg_limit *limit, const char *root, rg_str group)
{
    char text[64];
    double quota, period;
    if (!rg_sysfs_text(text, sizeof text, root, "/sys/fs/cgroup%.*s/cpu.max", RG_STR(group))) return;
    rg_str rest = rg_str_of(text), word;
    if (rg_str_cut(&rest, ' ', &word) && rg_str_real(word, &quota) && rg_str_real(rest, &period) &&
        period > 0)
        tighten(&limit->cpus, quota / period);
}

static void read_memory_2(rg_limit *limit, const char *root, rg_str group)
{
    double bytes;
    if (rg_sysfs_real(&bytes, root, "/sys/fs/cgroup%.*s/memory.max", RG_STR(group)))
        tighten(&limit->memory_byte, bytes);
}

static void read_cpus_1(rg_limit *limit, const char *root, rg_str group)
{
    double quota, period;
    if (rg_sysfs_real(&quota, root, "/sys/fs/cgroup/cpu%.*s/cpu.cfs_quota_us", RG_STR(group)) && quota > 0 &&
        rg_sysfs_real(&period, root, "/sys/fs/cgroup/cpu%.*s/cpu.cfs_period_us", RG_STR(group)) && period > 0)
        tighten(&limit->cpus, quota / period);
}

static void read_memory_1(rg_limit *limit, const char *root, rg_str group)
{
    double bytes;
    if (rg_sysfs_real(&bytes, root, "/sys/fs/cgroup/memory%.*s/memory.limit_in_bytes", RG_STR(group)) &&
        bytes < UNLIMITED_BYTE)
        tighten(&limit->memory_byte, bytes);
}

/* By the controllers of a line in /proc/self/cgroup; version 2 has none. */
static const struct {
    const char *controller;
    void (*read)(rg_limit *limit, const char *root, rg_str group);
} hierarchies[] = {
    {"", read_cpus_2}, {"", read_memory_2}, {"cpu", read_cpus_1}, {"memory", read_memory_1},
};

static bool controls(rg_str controllers, const char *name)
{
    rg_str word;
    if (!*name || !controllers.size) return !*name && !controllers.size;
    while (rg_str_cut(&controllers, ',', &word))
        if (rg_str_is(word, name)) return true;
    return false;
}

static void read_line(rg_limit *limit, const char *root, rg_str line)
{
    rg_str number, controllers;
    if (!rg_str_cut(&line, ':', &number) || !rg_str_cut(&line, ':', &controllers)) return;
    for (size_t i = 0; i < RG_COUNT(hierarchies); i++) {
        if (!controls(controllers, hierarchies[i].controller)) continue;
        for (rg_str group = line;; group.size--) { /* "/a/b", "/a", "" */
            hierarchies[i].read(limit, root, group);
            while (group.size && group.data[group.size - 1] != '/') group.size--;
            if (!group.size) break;
        }
    }
}

rg_limit rg_limit_read(const char *root)
{
    rg_limit limit = {0};
    char text[4096];
    if (!rg_sysfs_whole(text, sizeof text, root, "/proc/self/cgroup")) return limit;
    rg_str rest = rg_str_of(text), line;
    while (rg_str_cut(&rest, '\n', &line)) read_line(&limit, root, line);
    return limit;
}

double rg_rapl_cap_w(const char *root)
{
    enum { PACKAGE_MAX = 16 };
    double total_w = 0, microwatt;
    for (int i = 0; i < PACKAGE_MAX; i++)
        if (rg_sysfs_real(&microwatt, root,
                          "/sys/class/powercap/intel-rapl:%d/constraint_0_power_limit_uw", i))
            total_w += microwatt * 1e-6;
    return total_w;
}
