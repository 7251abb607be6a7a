/* meter_nvml.c - NVIDIA's management library, opened at run time: the counter of energy that devices have
 * since Volta (mJ since the driver was loaded), and readings of power (mW) on those before it.
 *
 * All devices that answer are added up. Neither figure is new at every call: sensors were seen to change
 * every 20 to 100 ms, and since Ampere power is a mean over the last second (NVML's reference on
 * nvmlDeviceGetPowerUsage; Yang et al., "Part-time Power Measurements", arXiv:2312.02741, which also finds
 * errors of 5 %, as NVML's reference states for its first devices).
 */
#include "measure/meter.h"

#include <dlfcn.h>

#define UPDATE_S     0.1
#define AVERAGE_S    1.0
#define ERROR_SHARE  0.05
#define ENERGY_STEP  1e-3 /* mJ */
#define POWER_STEP   1e-3 /* mW */

/* The part of its interface that is used; handles are opaque, 0 is success. */
typedef struct nvml {
    void *library;
    bool started;
    int (*init)(void);
    int (*done)(void);
    int (*count)(unsigned *count);
    int (*handle)(unsigned index, void **device);
    int (*name)(void *device, char *name, unsigned size);
    int (*energy)(void *device, unsigned long long *mj);
    int (*power)(void *device, unsigned *mw);
    void *devices[RG_CHANNEL_MAX];
} nvml;

static rg_err load(rg_ctx *cx, nvml *n, const char *library)
{
    const struct { const char *symbol; void *slot; } symbols[] = {
        {"nvmlInit_v2", &n->init},
        {"nvmlShutdown", &n->done},
        {"nvmlDeviceGetCount_v2", &n->count},
        {"nvmlDeviceGetHandleByIndex_v2", &n->handle},
        {"nvmlDeviceGetName", &n->name},
        {"nvmlDeviceGetTotalEnergyConsumption", &n->energy},
        {"nvmlDeviceGetPowerUsage", &n->power},
    };
    n->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!n->library) return rg_fail(cx, RG_UNSUPPORTED, "no %s", library);
    for (size_t i = 0; i < RG_COUNT(symbols); i++) {
        void *address = dlsym(n->library, symbols[i].symbol);
        /* ISO C has no cast from object to function pointers */
        if (address) memcpy(symbols[i].slot, &address, sizeof address);
    }
    if (!n->init || !n->done || !n->count || !n->handle)
        return rg_fail(cx, RG_UNSUPPORTED, "%s lacks functions that every NVML has", library);
    int code = n->init();
    if (code) return rg_fail(cx, RG_UNSUPPORTED, "%s does not start: error %d", library, code);
    n->started = true;
    return RG_OK;
}

/* 0, or why not; *x in J or W. */
static int read_one(const nvml *n, void *device, bool energy, double *x)
{
    enum { NOT_SUPPORTED = 3 };
    unsigned long long mj = 0;
    unsigned mw = 0;
    if (!(energy ? n->energy != NULL : n->power != NULL)) return NOT_SUPPORTED;
    int code = energy ? n->energy(device, &mj) : n->power(device, &mw);
    *x = energy ? (double)mj * ENERGY_STEP : mw * POWER_STEP;
    return code;
}

static bool wants_energy(const rg_gauge *g) { return g->meter->provenance == RG_MEASURED; }

static rg_err open_nvml(rg_ctx *cx, const rg_meter_opt *opt, rg_gauge *g)
{
    bool energy = wants_energy(g);
    nvml *n = RG_NEW(&cx->arena, nvml, 1);
    unsigned count = 0;
    int code = 0;
    double x;
    if (!n) return rg_nomem(cx);
    g->state = n;
    RG_TRY(load(cx, n, opt->nvml ? opt->nvml : "libnvidia-ml.so.1"));
    if (n->count(&count) || !count) return rg_fail(cx, RG_UNSUPPORTED, "NVML shows no device");
    for (unsigned i = 0; i < count; i++) {
        void *device = NULL;
        char name[48];
        int failed = n->handle(i, &device);
        if (!failed) failed = read_one(n, device, energy, &x);
        if (failed) {
            code = failed;
            continue;
        }
        if (!n->name || n->name(device, name, sizeof name)) snprintf(name, sizeof name, "device %u", i);
        rg_channel *c = rg_gauge_add(g, name);
        if (!c) return rg_fail(cx, RG_UNSUPPORTED, "more than %d devices", RG_CHANNEL_MAX);
        n->devices[g->count - 1] = device;
        g->resolution += energy ? ENERGY_STEP : POWER_STEP;
    }
    g->scope = RG_COVER_GPU;
    g->update_s = UPDATE_S;
    g->lag_s = energy ? UPDATE_S : AVERAGE_S;
    g->error_share = ERROR_SHARE;
    if (g->count) return RG_OK;
    return rg_fail(cx, RG_UNSUPPORTED, "no device says its %s: NVML's error %d", energy ? "energy" : "power",
                   code);
}

static bool read_nvml(rg_gauge *g, double *x)
{
    const nvml *n = g->state;
    for (int i = 0; i < g->count; i++)
        if (read_one(n, n->devices[i], wants_energy(g), &x[i])) return false;
    return true;
}

static void close_nvml(rg_gauge *g)
{
    nvml *n = g->state;
    if (!n) return;
    if (n->started) n->done();
    if (n->library) dlclose(n->library);
}

RG_METER(nvml) = {
    .name = "nvml", .brief = "counters of energy of NVIDIA's devices", .rank = 60, .subject = RG_OF_GPU,
    .provenance = RG_MEASURED, .open = open_nvml, .read = read_nvml, .close = close_nvml,
};
RG_METER(nvml_power) = {
    .name = "nvml_power", .brief = "power of NVIDIA's devices", .rank = 70, .subject = RG_OF_GPU,
    .provenance = RG_SAMPLED, .open = open_nvml, .read = read_nvml, .close = close_nvml,
};
