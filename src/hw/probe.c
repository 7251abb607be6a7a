/* probe.c - what this machine can measure, for `ridge doctor`:
 * each probe is there or not, and one sentence says why.
 *
 * A probe that finds nothing says what is lost by it,
 * because a missing meter is a reason to print, not a zero.
 */
#include "hw/detect.h"

#include <errno.h>
#include <hwloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/perf_event.h>
#endif

/* Leaves text NULL without memory. */
static rg_err say(rg_ctx *cx, rg_probe *out, bool present, const char *format, ...) RG_PRINTF(4, 5);
static rg_err say(rg_ctx *cx, rg_probe *out, bool present, const char *format, ...)
{
    char text[RG_PATH_LIMIT];
    va_list args;
    va_start(args, format);
    rg_str_vprint(text, sizeof text, format, args);
    va_end(args);
    out->present = present;
    out->text = rg_arena_cstr(&cx->arena, rg_str_of(text));
    return out->text ? RG_OK : rg_nomem(cx);
}

static rg_err probe_topology(rg_ctx *cx, rg_probe *out)
{
    rg_topology t;
    unsigned v = hwloc_get_api_version();
    rg_err err = rg_topology_read(cx, &t);
    if (err) return err == RG_NOMEM ? err : say(cx, out, false, "%s", rg_ctx_error(cx));
    return say(cx, out, true, "cores %g, threads %g, packages %g, NUMA nodes %g (hwloc API %u.%u)", t.cores,
               t.threads, t.packages, t.numa_nodes, v >> 16, v >> 8 & 255);
}

static rg_err probe_virtual(rg_ctx *cx, rg_probe *out)
{
    rg_cpu cpu;
    rg_cpu_read(&cpu, "");
    bool is_virtual = cpu.features & RG_CPU_BIT(VIRTUAL);
    if (!is_virtual)
        return say(cx, out, true, "no hypervisor shows itself: clocks and caches are this machine's own");
    return say(cx, out, false, "a virtual machine (%s): neighbors disturb timings, power cannot be read",
               *cpu.hypervisor ? cpu.hypervisor : "unnamed");
}

static rg_err probe_vector(rg_ctx *cx, rg_probe *out)
{
    char text[256];
    rg_cpu cpu;
    rg_cpu_read(&cpu, "");
    unsigned matrix = RG_CPU_BIT(AMX_TILE) | RG_CPU_BIT(AMX_BF16) | RG_CPU_BIT(AMX_INT8) |
                      RG_CPU_BIT(AMX_FP16);
    rg_cpu_feature_text(&cpu, ~(matrix | RG_CPU_BIT(VIRTUAL)), text, sizeof text);
    return say(cx, out, *text, "%s; registers of %d bit", *text ? text : "no vector extension that is known",
               cpu.simd_bit);
}

static rg_err probe_matrix(rg_ctx *cx, rg_probe *out)
{
    char text[64];
    rg_cpu cpu;
    rg_cpu_read(&cpu, "");
    rg_cpu_feature_text(&cpu, RG_CPU_BIT(AMX_BF16) | RG_CPU_BIT(AMX_INT8) | RG_CPU_BIT(AMX_FP16), text,
                        sizeof text);
    return say(cx, out, *text, "%s", *text ? text : "no AMX: products run on the vector units");
}

static rg_err probe_cpufreq(rg_ctx *cx, rg_probe *out)
{
    char governor[64] = "unknown";
    rg_cpu cpu;
    rg_cpu_read(&cpu, "");
    rg_clock clock = rg_clock_read("", &cpu, 0);
    bool present = strcmp(clock.source, "cpufreq") == 0;
    rg_sysfs_text(governor, sizeof governor, "", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    if (present)
        return say(cx, out, true, "%.2f to %.2f GHz, governor %s", clock.base_hz * 1e-9, clock.max_hz * 1e-9,
                   governor);
    return say(cx, out, false, "no cpufreq: clocks cannot be set or followed; %.2f GHz from %s",
               clock.base_hz * 1e-9, clock.source);
}

static rg_err probe_rapl(rg_ctx *cx, rg_probe *out)
{
    static const char path[] = "/sys/class/powercap/intel-rapl:0/energy_uj";
    double energy;
    if (access(path, F_OK)) return say(cx, out, false, "no %s: energy is estimated", path);
    if (!rg_sysfs_real(&energy, "", path))
        return say(cx, out, false, "%s is not readable (root only): energy is estimated", path);
    return say(cx, out, true, "package energy counter readable, cap %.0f W", rg_rapl_cap_w(""));
}

static rg_err probe_sensors(rg_ctx *cx, rg_probe *out)
{
    enum { CHIP_MAX = 64 };
    double value;
    int chips = 0, meters = 0;
    for (int i = 0; i < CHIP_MAX; i++) {
        char name[64];
        if (!rg_sysfs_text(name, sizeof name, "", "/sys/class/hwmon/hwmon%d/name", i)) continue;
        chips++;
        meters += rg_sysfs_real(&value, "", "/sys/class/hwmon/hwmon%d/power1_input", i) ||
                  rg_sysfs_real(&value, "", "/sys/class/hwmon/hwmon%d/power1_average", i);
    }
    return say(cx, out, meters > 0, "%d sensor chips in /sys/class/hwmon, %d with a power reading", chips,
               meters);
}

static rg_err probe_counters(rg_ctx *cx, rg_probe *out)
{
#if defined(__linux__)
    struct perf_event_attr attr = {
        .type = PERF_TYPE_HARDWARE, .size = sizeof attr, .config = PERF_COUNT_HW_CPU_CYCLES,
        .disabled = 1, .exclude_kernel = 1, .exclude_hv = 1,
    };
    double paranoid = NAN;
    rg_sysfs_real(&paranoid, "", "/proc/sys/kernel/perf_event_paranoid");
    long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
    if (fd < 0)
        return say(cx, out, false,
                   "no cycle counter: %s (perf_event_paranoid %g): cache misses cannot be counted",
                   strerror(errno), paranoid);
    close((int)fd);
    return say(cx, out, true, "hardware cycle counter opens (perf_event_paranoid %g)", paranoid);
#else
    return say(cx, out, false, "performance counters are read on Linux only");
#endif
}

/* Where `program` is on the search path. */
static bool on_path(const char *program, char *buffer, size_t size)
{
    rg_str rest = rg_str_of(getenv("PATH")), folder;
    while (rg_str_cut(&rest, ':', &folder)) {
        int used = snprintf(buffer, size, "%.*s/%s", RG_STR(folder), program);
        if (used > 0 && (size_t)used < size && !access(buffer, X_OK)) return true;
    }
    return false;
}

static rg_err probe_program(rg_ctx *cx, rg_probe *out, const char *program, const char *lost)
{
    char path[RG_PATH_LIMIT];
    bool found = on_path(program, path, sizeof path);
    return found ? say(cx, out, true, "%s", path)
                 : say(cx, out, false, "no %s on the search path: %s", program, lost);
}

static rg_err probe_nvidia_smi(rg_ctx *cx, rg_probe *out)
{
    return probe_program(cx, out, "nvidia-smi", "it stands in for NVML where that cannot be opened");
}

static rg_err probe_dcgmi(rg_ctx *cx, rg_probe *out)
{
    return probe_program(cx, out, "dcgmi", "activity counters of NVIDIA devices cannot be read");
}

static rg_err probe_compiler(rg_ctx *cx, rg_probe *out)
{
    return probe_program(cx, out, "cc", "generated kernels cannot be built");
}

static rg_err probe_limits(rg_ctx *cx, rg_probe *out)
{
    rg_limit limit = rg_limit_read("");
    char cpus[32] = "all", memory[32] = "all";
    if (limit.cpus > 0) rg_str_print(cpus, sizeof cpus, "%.3g", limit.cpus);
    if (limit.memory_byte > 0) rg_unit_print(memory, sizeof memory, limit.memory_byte, RG_UNIT_BYTE);
    bool limited = limit.cpus > 0 || limit.memory_byte > 0;
    return say(cx, out, true, "%s; processors: %s, memory: %s", limited ? "limited" : "no limit", cpus,
               memory);
}

static rg_err probe_modules(rg_ctx *cx, rg_probe *out)
{
    rg_dram dram = rg_dram_read("");
    char rate[32], size[32];
    rg_unit_print(rate, sizeof rate, dram.byte_per_s, RG_UNIT_BYTE_PER_S);
    rg_unit_print(size, sizeof size, dram.total_byte, RG_UNIT_BYTE);
    if (dram.byte_per_s > 0) return say(cx, out, true, "%s, %s at peak: %s", size, rate, dram.text);
    return say(cx, out, false, "%s; the firmware's table of modules is not readable: bandwidth is estimated",
               size);
}

static const struct { const char *name; rg_err (*read)(rg_ctx *cx, rg_probe *out); } probes[] = {
    {"topology", probe_topology},     {"bare metal", probe_virtual},    {"vector unit", probe_vector},
    {"matrix unit", probe_matrix},    {"clocks", probe_cpufreq},        {"memory modules", probe_modules},
    {"limits", probe_limits},         {"RAPL", probe_rapl},             {"sensors", probe_sensors},
    {"counters", probe_counters},     {"NVML", rg_nvml_probe},          {"nvidia-smi", probe_nvidia_smi},
    {"dcgmi", probe_dcgmi},           {"compiler", probe_compiler},
};

rg_err rg_hw_probes(rg_ctx *cx, const rg_probe **out, size_t *count)
{
    rg_probe *list = RG_NEW(&cx->arena, rg_probe, RG_COUNT(probes));
    if (!list) return rg_nomem(cx);
    for (size_t i = 0; i < RG_COUNT(probes); i++) {
        list[i].name = probes[i].name;
        RG_TRY(probes[i].read(cx, &list[i]));
    }
    *out = list;
    *count = RG_COUNT(probes);
    return RG_OK;
}
