/* gaussian.c - regression by a Gaussian process (Rasmussen and Williams, Gaussian Processes for Machine
 * Learning, 2006, eq. 2.25) with a mean of 0, features scaled to a standard deviation of 1 and divided by the
 * root of their number:
 *
 *     k(a, b) = 1 + a.b + exp(-|a - b|^2 / (2 l^2))        w(x) = (K + s^2 I)^-1 k(x)
 *
 * A level, a plane and what is near: with few examples it is a mean, with many it follows them; the plane
 * only where there are more examples than features, as it has to be left to what was seen. Only ratios
 * matter, as weights are the same for k and s^2 times anything.
 */
#include "predict/gaussian.h"

#include <math.h>

/* After scaling, points of a cloud are about sqrt(2) apart: a good part of that. s^2 is the share of what is
 * noise. Any length of 0.3 to 1, and noise of 0.003 to 0.03, serve about as well. */
#define LENGTH 0.6
#define NOISE 0.01

struct rg_gaussian {
    size_t count, features;
    bool sloped;                 /* more examples than features: a plane can be told from them */
    double *x, *mean, *scale;    /* x scaled: [count, features] */
    double *factor;              /* lower, [count, count]: factor factor^T = K + s^2 I */
    double *point;               /* room for one that is asked for */
};

static double alike(const rg_gaussian *g, const double *a, const double *b)
{
    double dot = 0, apart = 0;
    for (size_t i = 0; i < g->features; i++) {
        dot += a[i] * b[i];
        apart += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return 1 + (g->sloped ? dot : 0) + exp(-apart / (2 * LENGTH * LENGTH));
}

/* A feature that is the same everywhere tells nothing and is not counted. */
static void find_scale(rg_gaussian *g, const double *x)
{
    double told = 0;
    for (size_t k = 0; k < g->features; k++) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < g->count; i++) sum += x[i * g->features + k];
        g->mean[k] = sum / (double)g->count;
        for (size_t i = 0; i < g->count; i++) {
            double d = x[i * g->features + k] - g->mean[k];
            square += d * d;
        }
        double spread = sqrt(square / (double)g->count);
        bool tells = spread > 1e-9 * (fabs(g->mean[k]) + 1e-9);
        g->scale[k] = tells ? 1 / spread : 0;
        told += tells;
    }
    for (size_t k = 0; k < g->features; k++) g->scale[k] /= sqrt(fmax(told, 1));
}

static void scale_point(const rg_gaussian *g, const double *x, double *out)
{
    for (size_t k = 0; k < g->features; k++) out[k] = (x[k] - g->mean[k]) * g->scale[k];
}

static void factorize(rg_gaussian *g)
{
    size_t n = g->count, d = g->features;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k <= i; k++) {
            double *row = &g->factor[i * n], *other = &g->factor[k * n];
            double sum = alike(g, &g->x[i * d], &g->x[k * d]) + (i == k ? NOISE : 0);
            for (size_t m = 0; m < k; m++) sum -= row[m] * other[m];
            row[k] = k < i ? sum / other[k] : sqrt(fmax(sum, NOISE / 2));
        }
}

rg_err rg_gaussian_fit(rg_ctx *cx, const double *x, size_t count, size_t features, rg_gaussian **out)
{
    rg_arena *arena = &cx->arena;
    rg_gaussian *g = RG_NEW(arena, rg_gaussian, 1);
    *out = g;
    if (!g) return rg_nomem(cx);
    *g = (rg_gaussian){count, features, count > features + 1, RG_NEW(arena, double, count * features + 1),
                       RG_NEW(arena, double, features + 1), RG_NEW(arena, double, features + 1),
                       RG_NEW(arena, double, count * count + 1), RG_NEW(arena, double, features + 1)};
    if (!g->x || !g->mean || !g->scale || !g->factor || !g->point) return rg_nomem(cx);
    if (!count) return RG_OK;
    find_scale(g, x);
    for (size_t i = 0; i < count; i++) scale_point(g, &x[i * features], &g->x[i * features]);
    factorize(g);
    return RG_OK;
}

void rg_gaussian_weights(const rg_gaussian *g, const double *x, double *w)
{
    size_t n = g->count;
    scale_point(g, x, g->point);
    for (size_t i = 0; i < n; i++) {
        w[i] = alike(g, g->point, &g->x[i * g->features]);
        for (size_t m = 0; m < i; m++) w[i] -= g->factor[i * n + m] * w[m];
        w[i] /= g->factor[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t m = i + 1; m < n; m++) w[i] -= g->factor[m * n + i] * w[m];
        w[i] /= g->factor[i * n + i];
    }
}
