/* clock_law.h - time, power and energy of one run over the core clock: a law of few terms, fitted to whatever
 * is known: nothing but use of the units, one run at one clock, or several.
 *
 *     rg_clock_prior_of(device, use, &prior);
 *     rg_clock_law_fit(&prior, probes, 3, &law);
 *     rg_clock_law_at(&law, 1.2e9) -> time_s, power_w
 */
#ifndef RG_CLOCK_LAW_H
#define RG_CLOCK_LAW_H

#include "hw/hw.h"

typedef struct rg_clock_point { double clock_hz, time_s, power_w; } rg_clock_point;

typedef struct rg_clock_law {
    const rg_device *device;           /* its voltages; NULL, or one without any: the customary curve */
    double top_hz;                     /* the clock at which the terms hold */
    double core_s, memory_s;           /* each alone: goes with 1 / f; does not */
    double fixed_s;                    /* before or behind both: host, launches */
    double idle_w, active_w;           /* active: clock tree and leakage, goes with f v^2 */
    double core_j, memory_j;           /* of the run's work: goes with v^2; does not */
    double swing;                      /* v^2 = (V(f) / V(top))^(2 swing): 1 where the curve is right */
    double begin;                      /* where the curve of voltages begins to rise, of the top clock */
    bool paced;                        /* memory_s is main memory's: rg_device_pace */
    double bend;                       /* ln of where the voltage really does over that */
    double curved, curve[3];           /* share of a parabola of ln P, c0 + c1 x + c2 x^2; x: f over top */
} rg_clock_law;

/* What is thought before anything is measured: of each unknown a mean and a standard deviation. */
enum {
    RG_LAW_TIME,                       /* ln of the time at the top clock */
    RG_LAW_CORE,                       /* ln (core_s / memory_s) */
    RG_LAW_FIXED,                      /* logit of fixed_s / time */
    RG_LAW_POWER,                      /* ln of the power at the top clock that is not idle */
    RG_LAW_IDLE,                       /* ln idle_w */
    RG_LAW_ACTIVE, RG_LAW_MEMORY,      /* ln of each over the core's share of the power that is not idle */
    RG_LAW_SWING,                      /* ln swing */
    RG_LAW_BEND,                       /* bend */
    RG_LAW_DRAG,                       /* ln of the clock that the lowest probe had over the one it was set */
    RG_LAW_UNKNOWNS
};
typedef struct rg_clock_prior {
    const rg_device *device;
    double top_hz, begin;
    bool paced;
    double mean[RG_LAW_UNKNOWNS], spread[RG_LAW_UNKNOWNS];
} rg_clock_prior;

/* Shares of time in which arithmetic and main memory work, at the top clock, as counters see it: memory is
 * busy at 0.8. NAN: not known. */
typedef struct rg_clock_use { double core, memory; } rg_clock_use;

/* top_hz 0: the device's highest. */
void rg_clock_prior_of(const rg_device *device, double top_hz, rg_clock_use use, rg_clock_prior *out);
/* The most likely law. NAN in a probe: that was not measured. Without a time it is of 1 s at the top clock,
 * without a power of what the profile lets expect. */
void rg_clock_law_fit(const rg_clock_prior *prior, const rg_clock_point *probes, size_t count,
                      rg_clock_law *out);
/* A law that is thought to hold as the mean of a prior; spreads are those of rg_clock_prior_of. */
void rg_clock_prior_from(const rg_clock_law *law, rg_clock_prior *out);
/* E(to) / E(from) of a law fitted to the probes, with its 90 % interval: what is not known of each unknown
 * beforehand, as far as the probes leave it open. */
rg_estimate rg_clock_saving(const rg_clock_prior *prior, const rg_clock_point *probes, size_t count,
                            double from_hz, double to_hz);
rg_clock_point rg_clock_law_at(const rg_clock_law *law, double clock_hz);

/* Relative to that at the top clock. */
double rg_clock_voltage(const rg_device *device, double top_hz, double clock_hz);

typedef enum rg_clock_goal { RG_GOAL_EDP, RG_GOAL_ED2P, RG_GOAL_ENERGY, RG_GOAL_COUNT } rg_clock_goal;
const char *rg_clock_goal_name(rg_clock_goal goal); /* "edp", "ed2p", "energy" */
/* The least of E t, E t^2 or E among points that take no more than 1 + slowdown times the shortest time; a
 * power above cap_w counts as none. slowdown NAN, cap_w 0: no such bound. SIZE_MAX: no point keeps them. */
size_t rg_clock_choose(rg_clock_goal goal, const rg_clock_point *points, size_t count, double slowdown,
                       double cap_w);
/* Of each point whether no other is both as fast and as thrifty, and better in one. */
void rg_clock_front(const rg_clock_point *points, size_t count, bool *out);

#endif
