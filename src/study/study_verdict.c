/* study_verdict.c - the answer in a sentence: the fastest point that fits and keeps the limits, or where
 * there is none the one that passes its worst limit by the smallest factor.
 */
#include "study/study_limits.h"

#include <stdio.h>

typedef struct judging {
    const rg_study *s;
    const rg_limits *limits;
    const rg_point *const *points; size_t count; /* that have a forecast */
    size_t within;               /* that fit and keep the limits */
} judging;

static const rg_point *fastest(const judging *j)
{
    const rg_point *best = NULL;
    for (size_t i = 0; i < j->count; i++)
        if (rg_limits_keep(j->limits, j->points[i])
            && (!best || j->points[i]->latency_s.value < best->latency_s.value))
            best = j->points[i];
    return best;
}

/* Of those that are out, the one that is least so. */
static const rg_point *nearest(const judging *j, rg_excess *out)
{
    const rg_point *best = NULL;
    for (size_t i = 0; i < j->count; i++) {
        rg_excess excess = rg_limits_excess(j->limits, j->points[i]);
        if (!j->points[i]->fits || (best && excess.factor >= out->factor)) continue;
        best = j->points[i], *out = excess;
    }
    return best;
}

/* "2 of 6 keep the limits (latency at most 5.00 ms)"; nothing where all fit and nobody asked for more. */
static void print_kept(const judging *j, const char *asked, char *text, size_t size)
{
    const char *s = j->within == 1 ? "s" : "";
    *text = 0;
    if (*asked)
        snprintf(text, size, "%zu of %zu keep%s the limits (%s). ", j->within, j->s->point_count, s, asked);
    else if (j->within < j->count)
        snprintf(text, size, "%zu of %zu fit%s the memory of the device. ", j->within, j->count, s);
}

static void print_met(const judging *j, const rg_point *p, const char *asked, char *text, size_t size)
{
    char kept[256], where[256], latency[32];
    print_kept(j, asked, kept, sizeof kept);
    snprintf(text, size, "%sThe fastest%s is %s: %s.", kept, *kept ? " of them" : "",
             rg_point_print(j->s, p, true, where, sizeof where),
             rg_unit_print(latency, sizeof latency, p->latency_s.value, RG_UNIT_SECOND));
}

static void print_missed(const judging *j, const char *asked, char *text, size_t size)
{
    char where[256], figure[32], limit[32];
    rg_excess worst = {0};
    const rg_point *p = nearest(j, &worst);
    if (!p) {
        snprintf(text, size, "None of %zu fits the memory of its device.", j->count);
        return;
    }
    rg_str_print(text, size,
                 "None of %zu keeps the limits (%s). The nearest is %s: its %s is %s, %.3gx the limit of %s.",
                 j->s->point_count, asked, rg_point_print(j->s, p, true, where, sizeof where), worst.name,
                 rg_unit_print(figure, sizeof figure, worst.figure, worst.unit), worst.factor,
                 rg_unit_print(limit, sizeof limit, worst.limit, worst.unit));
}

void rg_limits_verdict(rg_doc *doc, const rg_study *s, const rg_limits *limits, const rg_point *const *points,
                       size_t count)
{
    char text[640], asked[160];
    const judging j = {s, limits, points, count, rg_study_within(s, limits)};
    const rg_point *best = fastest(&j);
    rg_limits_print(limits, asked, sizeof asked);
    if (best) print_met(&j, best, asked, text, sizeof text);
    else print_missed(&j, asked, text, sizeof text);
    rg_item *verdict = rg_doc_object(doc, rg_doc_root(doc), "verdict");
    rg_doc_flag(doc, verdict, "met", j.within > 0);
    rg_doc_int(doc, verdict, "within", (int64_t)j.within);
    rg_doc_int(doc, verdict, "of", (int64_t)s->point_count);
    rg_doc_str(doc, verdict, "text", text);
    rg_doc_section(doc, 2, "Verdict");
    rg_doc_say(doc, "%s", text);
}
