/* perf_counter.c - perf_event_open(2), one event a counter.
 *
 * Events are inherited by threads that are made later, so counters are opened before a backend makes its own.
 * They stand still until somebody begins: timing is not to pay for them. Only what happens outside the kernel
 * is counted, which users may do without being root (perf_event_paranoid 2).
 *
 *     count = (v1 - v0) (wanted1 - wanted0) / (kept1 - kept0)
 *
 * since a processor with fewer registers than events lets them take turns.
 */
#include "measure/perf_counter.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#endif

static const char *const names[] = {
#define X(id, name) name,
    RG_COUNTER_LIST(X)
#undef X
};
const char *rg_counter_name(rg_counter counter) { return names[counter]; }

#if defined(__linux__)
static const uint64_t events[] = {
    [RG_COUNTER_CYCLES] = PERF_COUNT_HW_CPU_CYCLES,
    [RG_COUNTER_INSTRUCTIONS] = PERF_COUNT_HW_INSTRUCTIONS,
    [RG_COUNTER_LLC_MISSES] = PERF_COUNT_HW_CACHE_MISSES,
};

static int open_event(rg_counter counter)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_HARDWARE, .size = sizeof attr, .config = events[counter], .disabled = 1,
        .inherit = 1, .exclude_kernel = 1, .exclude_hv = 1,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
    };
    return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void count_on(int file, bool on)
{
    ioctl(file, on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
}
#else
static int open_event(rg_counter counter)
{
    (void)counter;
    errno = ENOSYS;
    return -1;
}

static void count_on(int file, bool on) { (void)file, (void)on; }
#endif

static const char *why(int error)
{
    switch (error) {
    case ENOENT: case EOPNOTSUPP: return "this processor, or this virtual machine, does not count it";
    case EACCES: case EPERM: return "not permitted; kernel.perf_event_paranoid at 2 or below would do";
    default: return strerror(error);
    }
}

void rg_counters_open(rg_counters *c, int (*open)(rg_counter counter))
{
    bool any = false;
    *c = (rg_counters){0};
    for (int i = 0; i < RG_COUNTER_COUNT; i++) {
        c->file[i] = (open ? open : open_event)((rg_counter)i);
        any |= c->file[i] >= 0;
        if (c->file[i] < 0 && !*c->reason)
            snprintf(c->reason, sizeof c->reason, "%s: %s", names[i], why(errno));
    }
    if (any) *c->reason = 0;
}

/* False: it has stopped to be there. */
static bool look(int file, rg_count *out) { return read(file, out, sizeof *out) == (ssize_t)sizeof *out; }

void rg_counters_begin(rg_counters *c)
{
    for (int i = 0; i < RG_COUNTER_COUNT; i++) {
        if (c->file[i] < 0) continue;
        if (!look(c->file[i], &c->begun[i])) c->begun[i] = (rg_count){0};
        count_on(c->file[i], true);
    }
}

void rg_counters_end(rg_counters *c, double count[RG_COUNTER_COUNT])
{
    for (int i = 0; i < RG_COUNTER_COUNT; i++)
        if (c->file[i] >= 0) count_on(c->file[i], false);
    for (int i = 0; i < RG_COUNTER_COUNT; i++) {
        rg_count now;
        count[i] = NAN;
        if (c->file[i] < 0 || !look(c->file[i], &now)) continue;
        double kept_ns = (double)(now.kept_ns - c->begun[i].kept_ns);
        double wanted_ns = (double)(now.wanted_ns - c->begun[i].wanted_ns);
        if (kept_ns > 0) count[i] = (double)(now.value - c->begun[i].value) * wanted_ns / kept_ns;
    }
}

void rg_counters_close(rg_counters *c)
{
    for (int i = 0; i < RG_COUNTER_COUNT; i++) {
        if (c->file[i] >= 0) close(c->file[i]);
        c->file[i] = -1;
    }
}
