/* study_limits.c - limits on one inference as a list: what the caller said, what a point has, and by what
 * factor it passes the worst of them. Values at the limit keep it; intervals are not looked at.
 */
#include "study/study_limits.h"

#include <stdio.h>
#include <string.h>

static double latency(const rg_point *p) { return p->latency_s.value; }
static double power(const rg_point *p) { return p->power_w.value; }
static double memory(const rg_point *p) { return p->peak_memory_byte.value; }
static double energy(const rg_point *p) { return p->energy_j.value; }

static const struct limit {
    const char *name;
    size_t at;                   /* in rg_limits */
    double (*figure)(const rg_point *p);
    rg_unit unit;
} rows[] = {
    {"latency", offsetof(rg_limits, latency_s), latency, RG_UNIT_SECOND},
    {"power", offsetof(rg_limits, power_w), power, RG_UNIT_WATT},
    {"memory", offsetof(rg_limits, memory_byte), memory, RG_UNIT_BYTE},
    {"energy", offsetof(rg_limits, energy_j), energy, RG_UNIT_JOULE},
};

/* Not above 0: none was said. */
static double limit_of(const rg_limits *limits, const struct limit *row)
{
    double x;
    memcpy(&x, (const char *)limits + row->at, sizeof x);
    return x;
}

rg_limits rg_limits_of(const rg_limits *limits)
{
    rg_limits l = {.size = sizeof l};
    if (limits) memcpy(&l, limits, limits->size < sizeof l ? limits->size : sizeof l);
    return l;
}

bool rg_limits_any(const rg_limits *limits)
{
    bool any = false;
    for (size_t i = 0; i < RG_COUNT(rows); i++) any |= limit_of(limits, &rows[i]) > 0;
    return any;
}

void rg_limits_print(const rg_limits *limits, char *text, size_t size)
{
    char figure[32];
    size_t used = 0;
    *text = 0;
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        double limit = limit_of(limits, &rows[i]);
        if (limit <= 0 || used >= size) continue;
        rg_unit_print(figure, sizeof figure, limit, rows[i].unit);
        used += (size_t)snprintf(text + used, size - used, "%s%s at most %s", used ? ", " : "", rows[i].name,
                                 figure);
    }
}

rg_excess rg_limits_excess(const rg_limits *limits, const rg_point *p)
{
    rg_excess worst = {0};
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        double limit = limit_of(limits, &rows[i]), figure = rows[i].figure(p);
        if (limit > 0 && !(figure / limit <= worst.factor)) /* a figure that is not known keeps no limit */
            worst = (rg_excess){rows[i].name, rows[i].unit, figure, limit, figure / limit};
    }
    return worst;
}

bool rg_limits_keep(const rg_limits *limits, const rg_point *p)
{
    return !p->err && p->fits && rg_limits_excess(limits, p).factor <= 1;
}

size_t rg_study_within(const rg_study *study, const rg_limits *limits)
{
    rg_limits l = rg_limits_of(limits);
    size_t count = 0;
    for (size_t i = 0; i < study->point_count; i++) count += rg_limits_keep(&l, &study->points[i]);
    return count;
}
