/* cpu_power.h - what a processor's package draws, by how busy it is: where no counter of energy can be read.
 */
#ifndef RG_CPU_POWER_H
#define RG_CPU_POWER_H

#include "hw/hw.h"

typedef struct rg_cpu_package {
    double idle_w;               /* all cores asleep */
    double awake_w;              /* what one core's being awake adds: fabric, caches, clock trees */
    double core_w;               /* one core, with one thread, at the clock of all cores */
    double cap_w;
    double cores, threads;       /* threads: of all cores together */
    double slowest;              /* lowest clock, of the clock of all cores */
    double slowest_voltage;      /* its voltage, of that clock's */
    bool own_fabric;             /* the fabric has a clock of its own */
} rg_cpu_package;

/* So many threads at work, each for this share of the time; busy: 0 to 1. */
typedef struct rg_cpu_load { double threads, busy; } rg_cpu_load;

double rg_cpu_power_w(const rg_cpu_package *package, rg_cpu_load load);

/* By its profile, the process of its cores included; RG_UNSUPPORTED: it is no CPU. */
rg_err rg_cpu_package_of(rg_ctx *cx, const rg_device *device, rg_cpu_package *out) RG_CHECKED;
/* By its thermal design power alone. */
rg_cpu_package rg_cpu_package_rated(double tdp_w, double threads);

/* Idle power and what the load adds, each as measured: two readings settle both, one the whole. */
typedef struct rg_cpu_reading { rg_cpu_load load; double power_w; } rg_cpu_reading;
void rg_cpu_package_fit(rg_cpu_package *package, const rg_cpu_reading *readings, size_t count);

#endif
