/* study_limits.h - what one inference may take at most, and the verdict on points held against that. */
#ifndef RG_STUDY_LIMITS_H
#define RG_STUDY_LIMITS_H

#include "report/doc.h"
#include "study/study.h"

/* A caller's limits, of whatever size its header knew; NULL: none. */
rg_limits rg_limits_of(const rg_limits *limits);
bool rg_limits_any(const rg_limits *limits);
/* "latency at most 5.00 ms, power at most 75.0 W"; empty: there are none. */
void rg_limits_print(const rg_limits *limits, char *text, size_t size);

/* The limit that a point comes nearest to or passes by most; name NULL: there is none. */
typedef struct rg_excess {
    const char *name;
    rg_unit unit;
    double figure, limit;
    double factor;               /* figure / limit; at most 1: all are kept */
} rg_excess;
rg_excess rg_limits_excess(const rg_limits *limits, const rg_point *p);
/* It has a forecast, fits, and keeps all of them. */
bool rg_limits_keep(const rg_limits *limits, const rg_point *p);

/* Of points that have a forecast: object "verdict" and its section. Of equals the first is named. */
void rg_limits_verdict(rg_doc *doc, const rg_study *s, const rg_limits *limits, const rg_point *const *points,
                       size_t count);

#endif
