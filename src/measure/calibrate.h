/* calibrate.h - this machine's figures by measurement: what there is to measure, measuring it, and what
 * becomes of the detected profile then.
 *
 *     detected device --plan--> gauges --run--> gauges with figures --apply--> measured device
 *
 * Only `run` looks at a clock: everything else can be tried with figures that a test makes up.
 */
#ifndef RG_CALIBRATE_H
#define RG_CALIBRATE_H

#include "hw/detect.h"
#include "report/doc.h"

typedef enum rg_gauge_kind {
    RG_GAUGE_CLOCK,              /* Hz */
    RG_GAUGE_PEAK,               /* op/s */
    RG_GAUGE_READ, RG_GAUGE_WRITE, RG_GAUGE_COPY, /* byte/s; of a copy, bytes read and bytes written */
    RG_GAUGE_LATENCY, RG_GAUGE_FORK, /* s */
    RG_GAUGE_KIND_COUNT
} rg_gauge_kind;

/* One figure: what it is, and what came out. */
typedef struct rg_gauge {
    rg_gauge_kind kind;
    int engine;                  /* whose cores; -1: those of all engines */
    int row;                     /* of the device's peaks or levels; else 0 */
    bool all;                    /* one thread on each of those cores, else one thread on one */
    int cores;                   /* that take part */
    double footprint_byte;       /* of one thread; 0 but for memory */
    const char *how;             /* instructions of a peak, or NULL */
    /* after the run; samples 0: not measured */
    double value, best;          /* the median of the samples, and the best of them */
    double spread;               /* of the middle half of the samples, from end to end, over the value */
    size_t samples;
    bool disturbed;              /* too few samples are without others: the value is that of the fast tenth */
} rg_gauge;

typedef struct rg_calibration {
    const rg_device *detected;
    unsigned features;           /* RG_CPU_BIT */
    cpu_set_t cpus[RG_CORE_KIND_MAX]; /* by engine: one processor of each core that may be used */
    rg_gauge *gauges; size_t count;
    rg_made_on on;
    double turn_s; int turns; double foreign_max;
} rg_calibration;

/* What can be measured of c->detected with c->features on c->cpus; in cx's arena. */
rg_err rg_calibrate_plan(rg_ctx *cx, rg_calibration *c) RG_CHECKED;
/* Takes all of them in turns. */
rg_err rg_calibrate_run(rg_ctx *cx, rg_calibration *c,
                        bool (*progress)(void *user, size_t done, size_t total), void *user) RG_CHECKED;
/* The detected device with what the gauges say in place of what was estimated. RG_FAILED: they contradict
 * each other. */
rg_err rg_calibrate_apply(rg_ctx *cx, const rg_calibration *c, const rg_device **out) RG_CHECKED;
/* "ridge.calibration/1"; path: where the profile went. */
void rg_calibrate_describe(rg_doc *doc, const rg_calibration *c, const rg_device *measured, const char *path);

/* NULL: there is none, or it has no samples. */
const rg_gauge *rg_gauge_find(const rg_calibration *c, rg_gauge_kind kind, int engine, int row, bool all);
/* Of the whole device, where a control group leaves it less than its cores, or more cores than took part. */
double rg_gauge_scaled(const rg_calibration *c, const rg_gauge *g);

#endif
