/* meter_perf.c - the same counters through perf events: who may not read powercap's files may be allowed to
 * count here (perf_event_paranoid 0, or CAP_PERFMON).
 *
 *     /sys/bus/event_source/devices/power/type                      12
 *     .../cpumask                                                   0,18   one processor of each package
 *     .../events/energy-pkg, energy-pkg.scale                       event=0x02, 2.3283064365386962890625e-10
 *
 * The kernel carries the counts on to 64 bits, so they do not wrap; they come in 2^-32 J, whatever the
 * hardware's step is.
 */
#include "hw/detect.h"
#include "measure/meter.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/perf_event.h>
#include <sys/syscall.h>
#endif

#define FOLDER   "/sys/bus/event_source/devices/power"
#define UPDATE_S 1e-3
#define STEP_J   0x1p-14 /* the coarsest step of Intel's processors; others have 2^-16 */

#if defined(__linux__)
static int open_event(uint32_t type, uint64_t config, int cpu)
{
    struct perf_event_attr attr = {.type = type, .size = sizeof attr, .config = config};
    return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}
#else
static int open_event(uint32_t type, uint64_t config, int cpu)
{
    (void)type, (void)config, (void)cpu;
    errno = ENOSYS;
    return -1;
}
#endif

/* One channel for each processor of "0,18" or "0-1". */
static rg_err add_event(rg_ctx *cx, const rg_meter_opt *opt, const char *event, rg_gauge *g)
{
    char path[96], text[64], cpus[256], name[48];
    double type, scale;
    snprintf(path, sizeof path, FOLDER "/events/%s", event);
    if (!rg_sysfs_text(text, sizeof text, opt->root, "%s", path))
        return rg_fail(cx, RG_UNSUPPORTED, "no %s: no driver for RAPL, or a virtual machine", path);
    const char *number = strchr(text, '=');
    uint64_t config = number ? strtoull(number + 1, NULL, 0) : 0; /* "event=0x02" */
    if (!config || !rg_sysfs_real(&scale, opt->root, "%s.scale", path) ||
        !rg_sysfs_real(&type, opt->root, FOLDER "/type") ||
        !rg_sysfs_text(cpus, sizeof cpus, opt->root, FOLDER "/cpumask"))
        return rg_fail(cx, RG_UNSUPPORTED, "%s is not as expected", path);
    rg_str rest = rg_str_of(cpus), range, low;
    while (rg_str_cut(&rest, ',', &range)) {
        int64_t first, last;
        if (!rg_str_cut(&range, '-', &low) || !rg_str_int(low, &first)) continue;
        if (!rg_str_int(range, &last)) last = first;
        for (int64_t cpu = first; cpu <= last; cpu++) {
            snprintf(name, sizeof name, "%s of cpu %lld", event, (long long)cpu);
            rg_channel *c = rg_gauge_add(g, name);
            if (!c) return rg_fail(cx, RG_UNSUPPORTED, "more than %d counters", RG_CHANNEL_MAX);
            c->scale = scale;
            c->file[0] = (opt->perf_open ? opt->perf_open : open_event)((uint32_t)type, config, (int)cpu);
            if (c->file[0] < 0) return rg_fail(cx, RG_UNSUPPORTED, "%s: %s", name, strerror(errno));
            g->resolution += STEP_J;
        }
    }
    return RG_OK;
}

static rg_err open_perf(rg_ctx *cx, const rg_meter_opt *opt, rg_gauge *g)
{
    double paranoid = 2; /* the kernel's preset */
    rg_err err = add_event(cx, opt, "energy-pkg", g);
    int packages = g->count;
    if (err && packages) {
        rg_sysfs_real(&paranoid, opt->root, "/proc/sys/kernel/perf_event_paranoid");
        return rg_note(cx, err, "perf_event_paranoid is %g, 0 would do", paranoid);
    }
    if (err) return err;
    if (!packages) return rg_fail(cx, RG_UNSUPPORTED, FOLDER "/cpumask names no processor");
    g->update_s = UPDATE_S;
    g->scope = add_event(cx, opt, "energy-ram", g) ? RG_COVER_PACKAGE : RG_COVER_PACKAGE_DRAM;
    while (g->scope == RG_COVER_PACKAGE && g->count > packages) { /* not all of them opened */
        int file = g->channels[--g->count].file[0];
        if (file >= 0) close(file);
    }
    return RG_OK;
}

static bool read_perf(rg_gauge *g, double *x)
{
    for (int i = 0; i < g->count; i++) {
        uint64_t count;
        if (read(g->channels[i].file[0], &count, sizeof count) != (ssize_t)sizeof count) return false;
        x[i] = (double)count * g->channels[i].scale;
    }
    return true;
}

RG_METER(perf) = {
    .name = "perf", .brief = "RAPL counters as perf events", .rank = 20, .subject = RG_OF_PROCESSOR,
    .provenance = RG_MEASURED, .open = open_perf, .read = read_perf, .close = rg_gauge_close_files,
};
