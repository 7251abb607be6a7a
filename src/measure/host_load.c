/* host_load.c - /proc/stat, affinity, and a fingerprint of the machine.
 *
 *     cpu1 user nice system idle iowait irq softirq steal guest guest_nice       ticks since boot
 *
 * Busy is all that is neither idle nor waiting; steal is busy too: the hypervisor gave the processor to
 * somebody else. What this process used itself is taken off; the rest is foreign.
 */
#include "measure/host_load.h"

#include "hw/detect.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

double rg_host_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

rg_err rg_host_allowed(rg_ctx *cx, cpu_set_t *out)
{
    if (!sched_getaffinity(0, sizeof *out, out)) return RG_OK;
    return rg_fail(cx, RG_FAILED, "the processors of this process: %s", strerror(errno));
}

void rg_host_choose(const cpu_set_t *allowed, int count, cpu_set_t *out)
{
    CPU_ZERO(out);
    for (size_t i = CPU_SETSIZE; i-- > 0 && CPU_COUNT(out) < count;)
        if (CPU_ISSET(i, allowed)) CPU_SET(i, out);
}

rg_err rg_host_pin(rg_ctx *cx, const cpu_set_t *cpus)
{
    if (!sched_setaffinity(0, sizeof *cpus, cpus)) return RG_OK;
    return rg_fail(cx, RG_FAILED, "pinning to %d processors: %s", CPU_COUNT(cpus), strerror(errno));
}

/* ---- load ---- */

static double own_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* Ticks that were not idle; guests are in user already. */
static double busy_ticks(rg_str line)
{
    enum { IDLE = 3, IOWAIT = 4, GUEST = 8 };
    double sum = 0, ticks;
    rg_str word;
    for (int i = 0; i < GUEST && rg_str_cut(&line, ' ', &word);) {
        if (!word.size) continue;
        if (i != IDLE && i != IOWAIT && rg_str_real(word, &ticks)) sum += ticks;
        i++;
    }
    return sum;
}

rg_host_load rg_host_load_read(const char *root, const cpu_set_t *some)
{
    char text[16384]; /* a line takes 60 bytes or so: 250 processors; others are not watched alone */
    rg_host_load load = {.at_s = rg_host_now_s(), .own_s = own_s()};
    double tick_s = 1 / (double)sysconf(_SC_CLK_TCK);
    if (!rg_sysfs_whole(text, sizeof text, root, "/proc/stat")) return load;
    rg_str rest = rg_str_of(text), line, word;
    while (rg_str_cut(&rest, '\n', &line) && rg_str_starts(line, "cpu")) {
        int64_t cpu;
        rg_str_cut(&line, ' ', &word);
        double busy_s = busy_ticks(line) * tick_s;
        if (word.size == 3) load.all_s = busy_s, load.known = true;
        else if (rg_str_int((rg_str){word.data + 3, word.size - 3}, &cpu) && cpu >= 0 && cpu < CPU_SETSIZE) {
            load.cpus++;
            if (CPU_ISSET((size_t)cpu, some)) load.some_s += busy_s;
        }
    }
    return load;
}

double rg_host_foreign(const rg_host_load *before, const rg_host_load *after, int some_count)
{
    double span_s = after->at_s - before->at_s, own = after->own_s - before->own_s;
    if (!before->known || !after->known || span_s <= 0 || after->cpus < 1 || some_count < 1) return -1;
    double all = (after->all_s - before->all_s - own) / (span_s * after->cpus);
    double some = (after->some_s - before->some_s - own) / (span_s * some_count);
    double most = all > some ? all : some;
    return most < 0 ? 0 : most > 1 ? 1 : most;
}

/* ---- fingerprint ---- */

void rg_host_read(rg_host *out, const char *root)
{
    struct utsname system;
    rg_cpu cpu;
    *out = (rg_host){.cpus = (int)sysconf(_SC_NPROCESSORS_ONLN)};
    rg_cpu_read(&cpu, root);
    rg_clock clock = rg_clock_read(root, &cpu, 0);
    snprintf(out->cpu, sizeof out->cpu, "%s", cpu.name);
    snprintf(out->hypervisor, sizeof out->hypervisor, "%s", cpu.hypervisor);
    rg_str_print(out->clock, sizeof out->clock, "%.0f MHz (%s)", clock.max_hz / 1e6, clock.source);
    if (!rg_sysfs_text(out->governor, sizeof out->governor, root,
                       "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) out->governor[0] = 0;
    if (!uname(&system))
        snprintf(out->kernel, sizeof out->kernel, "%.30s %.90s", system.sysname, system.release);
}
