/* graph_teach.c - networks over rows, taught by gradients.
 *
 *     loss(e) = d^2 (sqrt(1 + (e/d)^2) - 1)         e = r - log(measured / sum of rows)
 *
 * (pseudo-Huber: squares near 0, lengths beyond d, so that a disturbed run pulls no harder than others.) Adam
 * (Kingma & Ba 2015) with decoupled decay of weights (Loshchilov & Hutter 2019) over all graphs at once.
 *
 * Families of models are dealt to five folds. A member is stopped where it does best on a fold that it is not
 * taught; members that differ in that fold answer together. How they do is told by each fold in turn, of
 * members that neither learned from it nor were stopped by it:
 *
 *     held out k, stopped by j != k     5 x 4 members     errors
 *     stopped by j                      5 members         what is written
 */
#include "learn/graph_teach.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    HIDDEN = 16, ROUNDS = 2,
    FOLDS = 5, PIECES = FOLDS * (FOLDS - 1) + FOLDS,
    EPOCHS = 300, PATIENCE = 40, /* at most, and without getting better */
    GRAPHS_MAX = 400,            /* of an epoch: more take hours and repeat each other */
};
#define ROUNDED   0.1            /* d */
#define RATE      0.01
#define DECAY     0.01
#define BETA1     0.9
#define BETA2     0.999
#define TINY      1e-8
/* A feature that hardly differs is not blown up to one that does. */
#define SCALE_MIN 0.05

/* ---- one graph, backwards ---- */

typedef struct back {
    const rg_graphnet *net;
    const rg_row_graph *g;
    const double *w;
    double *slope;               /* of w */
    const double *state, *given; /* as rg_graphnet_run has left them */
    double *d_state, *d_given, *readers;
} back;

/* dz through one row of a layer: slopes of its matrix and bias, and what goes on to its inputs. */
static void layer_back(const double *matrix, double *slope, const double *in, size_t inputs, size_t hidden,
                       const double *out, const double *d_out, double *d_in)
{
    double dz[RG_GRAPHNET_HIDDEN];
    for (size_t k = 0; k < hidden; k++) {
        dz[k] = d_out[k] * (1 - out[k] * out[k]);
        slope[hidden * inputs + k] += dz[k];
    }
    for (size_t i = 0; i < inputs; i++)
        for (size_t k = 0; k < hidden; k++) slope[i * hidden + k] += dz[k] * in[i];
    for (size_t i = 0; d_in && i < inputs; i++)
        for (size_t k = 0; k < hidden; k++) d_in[i] += dz[k] * matrix[i * hidden + k];
}

/* Of round t: from states t + 1 to states t. at: where its weights begin. */
static void round_back(const back *b, size_t t, size_t at)
{
    size_t h = (size_t)b->net->hidden, nodes = b->g->count;
    const double *state = b->state + t * nodes * h, *given = b->given + t * nodes * 2 * h;
    double *d_state = b->d_state + t * nodes * h;
    memset(b->d_given, 0, nodes * 2 * h * sizeof *b->d_given);
    memset(b->readers, 0, nodes * sizeof *b->readers);
    for (uint32_t e = 0; e < b->g->first[nodes]; e++) b->readers[b->g->from[e]]++;
    for (size_t i = 0; i < nodes; i++) {
        double in[3 * RG_GRAPHNET_HIDDEN], d_in[3 * RG_GRAPHNET_HIDDEN] = {0};
        memcpy(in, state + i * h, h * sizeof *in);
        memcpy(in + h, given + i * 2 * h, 2 * h * sizeof *in);
        layer_back(b->w + at, b->slope + at, in, 3 * h, h, state + (nodes + i) * h,
                   d_state + (nodes + i) * h, d_in);
        for (size_t k = 0; k < h; k++) d_state[i * h + k] += d_in[k];
        memcpy(b->d_given + i * 2 * h, d_in + h, 2 * h * sizeof *d_in);
    }
    for (size_t i = 0; i < nodes; i++) {
        double sources = b->g->first[i + 1] - b->g->first[i];
        for (uint32_t e = b->g->first[i]; e < b->g->first[i + 1]; e++) {
            size_t j = b->g->from[e];
            for (size_t k = 0; k < h; k++) {
                d_state[j * h + k] += b->d_given[i * 2 * h + k] / sources;
                d_state[i * h + k] += b->d_given[j * 2 * h + h + k] / b->readers[j];
            }
        }
    }
}

static void inputs_back(const back *b)
{
    size_t h = (size_t)b->net->hidden, inputs = b->net->feature_count;
    for (size_t i = 0; i < b->g->count; i++) {
        double x[RG_GRAPHNET_INPUTS];
        for (size_t k = 0; k < inputs; k++) x[k] = rg_graphnet_input(b->net, b->g->x + i * b->g->inputs, k);
        layer_back(b->w, b->slope, x, inputs, h, b->state + i * h, b->d_state + i * h, NULL);
    }
}

double rg_graph_loss(const rg_graphnet *net, size_t member, const rg_row_graph *g, double target,
                     double *room, double *slope)
{
    size_t h = (size_t)net->hidden, rounds = (size_t)net->rounds, nodes = g->count;
    size_t states = nodes * (rounds + 1) * h,
           last = rg_graphnet_weight_count(net->feature_count, net->hidden, 0);
    double e = (rg_graphnet_run(net, member, g, room) - target) / ROUNDED, root = sqrt(1 + e * e);
    double *behind = room + rg_graphnet_room(net, g);
    back b = {net, g, net->members[member].weights, slope, room, room + states, behind, behind + states,
              behind + states + nodes * 2 * h};
    last -= h + 1; /* where the first round's weights begin */
    size_t output = last + rounds * (3 * h * h + h);
    for (size_t i = 0; i < nodes; i++) {
        double said = ROUNDED * e / root * g->share[i];
        b.slope[output + (rounds + 1) * h] += said;
        for (size_t t = 0; t <= rounds; t++)
            for (size_t k = 0; k < h; k++) {
                b.slope[output + t * h + k] += said * room[(t * nodes + i) * h + k];
                b.d_state[(t * nodes + i) * h + k] = said * b.w[output + t * h + k];
            }
    }
    for (size_t t = rounds; t-- > 0;) round_back(&b, t, last + t * (3 * h * h + h));
    inputs_back(&b);
    return ROUNDED * ROUNDED * (root - 1);
}

/* ---- a member ---- */

typedef struct school {
    const rg_graph_lesson *lesson;
    uint8_t *fold;               /* by family */
    rg_graphnet *nets;           /* [FOLDS + 1]: without a fold; the last: of all */
    size_t room;                 /* doubles that any graph needs */
    int epochs;
} school;

typedef struct piece { rg_graphnet *net; size_t member; int held, stop; } piece;

/* Members of net k are stopped by the folds but k, in order; of the last one by all. */
static piece piece_of(const school *s, size_t index)
{
    size_t net = index / (FOLDS - 1), member = index % (FOLDS - 1);
    if (net >= FOLDS) net = FOLDS, member = index - FOLDS * (FOLDS - 1);
    int stop = (int)member + (net < FOLDS && member >= net);
    return (piece){&s->nets[net], member, net < FOLDS ? (int)net : -1, stop};
}

static int fold_of(const school *s, size_t example) { return s->fold[s->lesson->examples[example].family]; }

/* Uniform with the variance that keeps the size of states (Glorot & Bengio 2010); outputs begin with nothing.
 */
static void draw(rg_graphnet_member *m, size_t inputs, uint64_t seed)
{
    double *w = m->weights, *end = w + m->weight_count;
    const size_t widths[] = {inputs, 3 * HIDDEN, 3 * HIDDEN};
    memset(w, 0, m->weight_count * sizeof *w);
    for (size_t t = 0; t < RG_COUNT(widths) && w < end; t++, w += HIDDEN * widths[t - 1] + HIDDEN)
        for (size_t i = 0; i < HIDDEN * widths[t]; i++)
            w[i] = sqrt(6.0 / (double)(widths[t] + HIDDEN)) * (2 * rg_random_unit(&seed) - 1);
}
_Static_assert(ROUNDS == 2, "draw() knows the widths of so many");

typedef struct course { double *slope, *mean, *square, *best, *room; size_t count; int step; } course;

static rg_err open_course(rg_ctx *cx, const school *s, const piece *p, course *c)
{
    c->count = p->net->members[p->member].weight_count;
    c->slope = RG_NEW(&cx->arena, double, c->count);
    c->mean = RG_NEW(&cx->arena, double, c->count);
    c->square = RG_NEW(&cx->arena, double, c->count);
    c->best = RG_NEW(&cx->arena, double, c->count);
    c->room = RG_NEW(&cx->arena, double, 3 * s->room);
    return c->slope && c->mean && c->square && c->best && c->room ? RG_OK : rg_nomem(cx);
}

/* One step down the mean slope of `graphs` graphs. */
static void descend(double *w, course *c, double graphs)
{
    c->step++;
    for (size_t i = 0; i < c->count; i++) {
        double slope = c->slope[i] / graphs;
        c->mean[i] = BETA1 * c->mean[i] + (1 - BETA1) * slope;
        c->square[i] = BETA2 * c->square[i] + (1 - BETA2) * slope * slope;
        double mean = c->mean[i] / (1 - pow(BETA1, c->step)),
               square = c->square[i] / (1 - pow(BETA2, c->step));
        w[i] -= RATE * (mean / (sqrt(square) + TINY) + DECAY * w[i]);
    }
}

/* Every how manyth graph is taken, so that an epoch has GRAPHS_MAX at most. */
static size_t stride_of(const school *s) { return (s->lesson->count + GRAPHS_MAX - 1) / GRAPHS_MAX; }

static double loss_of_fold(const school *s, const piece *p, course *c)
{
    double sum = 0, count = 0;
    for (size_t i = 0; i < s->lesson->count; i += stride_of(s)) {
        const rg_graph_example *e = &s->lesson->examples[i];
        if (fold_of(s, i) != p->stop) continue;
        double off = (rg_graphnet_run(p->net, p->member, &e->g, c->room) - e->r) / ROUNDED;
        sum += sqrt(1 + off * off) - 1;
        count++;
    }
    return count > 0 ? sum / count : 0;
}

static void epoch(const school *s, const piece *p, course *c)
{
    double count = 0;
    memset(c->slope, 0, c->count * sizeof *c->slope);
    for (size_t i = 0; i < s->lesson->count; i += stride_of(s)) {
        const rg_graph_example *e = &s->lesson->examples[i];
        if (fold_of(s, i) == p->stop || fold_of(s, i) == p->held) continue;
        rg_graph_loss(p->net, p->member, &e->g, e->r, c->room, c->slope);
        count++;
    }
    if (count > 0) descend(p->net->members[p->member].weights, c, count);
}

/* The best of all epochs on the fold that stops it; that may be none. */
static rg_err train(rg_ctx *cx, void *user, size_t index)
{
    const school *s = user;
    piece p = piece_of(s, index);
    rg_graphnet_member *m = &p.net->members[p.member];
    course c = {0};
    RG_TRY(open_course(cx, s, &p, &c));
    draw(m, p.net->feature_count, index + 1);
    double least = loss_of_fold(s, &p, &c);
    memcpy(c.best, m->weights, c.count * sizeof *c.best);
    for (int i = 0, since = 0; i < s->epochs && since < PATIENCE; i++, since++) {
        epoch(s, &p, &c);
        double loss = loss_of_fold(s, &p, &c);
        if (loss >= least) continue;
        least = loss;
        since = -1;
        memcpy(c.best, m->weights, c.count * sizeof *c.best);
    }
    memcpy(m->weights, c.best, c.count * sizeof *c.best);
    return RG_OK;
}

/* ---- all of them ---- */

/* Over the rows of all graphs but those of a fold, by their share of the time. */
static void standardize(const school *s, rg_graphnet *net, int held)
{
    for (size_t k = 0; k < net->feature_count; k++) {
        double weight = 0, sum = 0, square = 0;
        for (size_t i = 0; i < s->lesson->count; i++) {
            const rg_row_graph *g = &s->lesson->examples[i].g;
            for (uint32_t n = 0; n < g->count && fold_of(s, i) != held; n++) {
                double x = (double)g->x[(size_t)n * g->inputs + k];
                weight += g->share[n], sum += g->share[n] * x, square += g->share[n] * x * x;
            }
        }
        net->mean[k] = weight > 0 ? sum / weight : 0;
        double variance = weight > 0 ? square / weight - net->mean[k] * net->mean[k] : 0;
        net->scale[k] = fmax(sqrt(fmax(variance, 0)), SCALE_MIN);
    }
}

static rg_err make_net(rg_ctx *cx, const school *s, rg_graphnet *net, int held)
{
    size_t inputs = rg_graphnet_inputs();
    *net = (rg_graphnet){
        .key = s->lesson->key, .feature_count = inputs, .mean_count = inputs, .scale_count = inputs,
        .hidden = HIDDEN, .rounds = ROUNDS, .member_count = held < 0 ? FOLDS : FOLDS - 1,
        .graphs = (int)s->lesson->count, .families = (int)s->lesson->family_count,
        .features = RG_NEW(&cx->arena, const char *, inputs), .mean = RG_NEW(&cx->arena, double, inputs),
        .scale = RG_NEW(&cx->arena, double, inputs),
        .members = RG_NEW(&cx->arena, rg_graphnet_member, FOLDS),
    };
    if (!net->features || !net->mean || !net->scale || !net->members) return rg_nomem(cx);
    for (size_t i = 0; i < inputs; i++) net->features[i] = rg_graphnet_input_name(i);
    for (size_t m = 0; m < net->member_count; m++) {
        size_t count = rg_graphnet_weight_count(inputs, HIDDEN, ROUNDS);
        net->members[m] = (rg_graphnet_member){RG_NEW(&cx->arena, double, count), count};
        if (!net->members[m].weights) return rg_nomem(cx);
    }
    standardize(s, net, held);
    return rg_graphnet_resolve(cx, net);
}

typedef struct entrant { uint32_t family; size_t graphs; const char *name; } entrant;

static int by_graphs(const void *a, const void *b)
{
    const entrant *x = a, *y = b;
    if (x->graphs != y->graphs) return x->graphs < y->graphs ? 1 : -1;
    return strcmp(x->name, y->name);
}

/* The largest families first, each to the fold that has the fewest graphs. */
static rg_err deal(rg_ctx *cx, school *s)
{
    const rg_graph_lesson *l = s->lesson;
    entrant *all = RG_NEW(&cx->arena, entrant, l->family_count);
    size_t sizes[FOLDS] = {0};
    s->fold = RG_NEW(&cx->arena, uint8_t, l->family_count);
    if (!all || !s->fold) return rg_nomem(cx);
    for (uint32_t i = 0; i < l->family_count; i++) all[i] = (entrant){i, 0, l->families[i]};
    for (size_t i = 0; i < l->count; i++) all[l->examples[i].family].graphs++;
    qsort(all, l->family_count, sizeof *all, by_graphs);
    for (size_t i = 0; i < l->family_count; i++) {
        uint8_t least = 0;
        for (uint8_t k = 1; k < FOLDS; k++)
            if (sizes[k] < sizes[least]) least = k;
        s->fold[all[i].family] = least;
        sizes[least] += all[i].graphs;
    }
    return RG_OK;
}

/* ---- how they do ---- */

static double ape(double error) { return fabs(expm1(error)); }

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Errors of each graph by the network that has not seen its family. */
static rg_err examine(rg_ctx *cx, const school *s, rg_graph_taught *out)
{
    const rg_graph_lesson *l = s->lesson;
    double *errors = RG_NEW(&cx->arena, double, l->count), base = 0, held_out = 0;
    out->cards = RG_NEW(&cx->arena, rg_family_card, l->family_count);
    if (!errors || !out->cards) return rg_nomem(cx);
    out->card_count = l->family_count;
    for (size_t i = 0; i < l->count; i++) {
        const rg_graph_example *e = &l->examples[i];
        rg_family_card *card = &out->cards[e->family];
        double r;
        RG_TRY(rg_graphnet_answer(cx, &s->nets[fold_of(s, i)], &e->g, &r));
        card->family = l->families[e->family];
        card->graphs++;
        card->base += ape(-e->r);
        card->held_out += ape(r - e->r);
        base += ape(-e->r);
        held_out += ape(r - e->r);
        errors[i] = fabs(r - e->r);
    }
    for (size_t i = 0; i < out->card_count; i++) {
        out->cards[i].base /= (double)out->cards[i].graphs;
        out->cards[i].held_out /= (double)out->cards[i].graphs;
    }
    qsort(errors, l->count, sizeof *errors, by_size);
    size_t at = (size_t)ceil(0.9 * (double)(l->count + 1)); /* split conformal, as of trees */
    out->net->spread = errors[at > l->count ? l->count - 1 : at - 1];
    out->net->base = base / (double)l->count;
    out->net->held_out = held_out / (double)l->count;
    out->better = held_out < base;
    return RG_OK;
}

rg_err rg_graph_teach(rg_ctx *cx, const rg_graph_lesson *lesson, int epochs, size_t workers,
                      rg_graph_taught *out)
{
    school s = {.lesson = lesson, .epochs = epochs ? epochs : EPOCHS};
    *out = (rg_graph_taught){0};
    if (lesson->family_count < 2 * FOLDS)
        return rg_fail(cx, RG_UNSUPPORTED, "%s: %zu families of models; %d are needed to hold some out",
                       lesson->key, lesson->family_count, 2 * FOLDS);
    s.nets = RG_NEW(&cx->arena, rg_graphnet, FOLDS + 1);
    if (!s.nets) return rg_nomem(cx);
    RG_TRY(deal(cx, &s));
    for (int k = 0; k <= FOLDS; k++) RG_TRY(make_net(cx, &s, &s.nets[k], k < FOLDS ? k : -1));
    for (size_t i = 0; i < lesson->count; i++) {
        size_t room = rg_graphnet_room(&s.nets[0], &lesson->examples[i].g);
        if (room > s.room) s.room = room;
    }
    rg_workers work = {.count = PIECES, .threads = workers, .run = train, .user = &s};
    RG_TRY(rg_workers_run(cx, &work));
    out->net = &s.nets[FOLDS];
    return examine(cx, &s, out);
}
