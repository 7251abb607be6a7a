/* link.c - what moving data between devices takes: the alpha-beta model with the fill of the pipe.
 *
 *     t = start + steps latency + T + 2 sqrt(start T)        T = wire / rate
 *
 *                        steps            wire, of `byte`
 *     all-reduce  ring   2 (n - 1)        2 (n - 1) / n      n devices in a circle, each passes on parts
 *                 tree   2 ceil(log2 n)   2                  up and down, two trees that share the data
 *     gather,     ring   n - 1            (n - 1) / n
 *     scatter     tree   ceil(log2 n)     (n - 1) / n        parts double (halve) from step to step
 *     all-to-all         n - 1            (n - 1) / n        with one partner after the other
 *     send               1                1
 *
 * The last term: a collective cuts its data into pieces that follow each other through the steps. Each piece
 * costs a start, and the first piece has to arrive before the second device can do anything. With the best
 * number of pieces the time is (sqrt(start) + sqrt(T))^2. A send has nobody behind it to keep waiting: no
 * such term.
 *
 * Across nodes: scatter inside, reduce between, gather inside, so that every device's network link carries
 * only its own part. The cheaper of ring and tree is taken, between nodes and in fabrics of more than a host;
 * inside one host a library's tree is a chain, as long as the ring.
 *
 * Hockney 1994 (alpha-beta); Thakur, Rabenseifner, Gropp 2005; Sanders, Speck, Traff 2009 (two trees).
 */
#include "predict/link.h"

#include <assert.h>
#include <math.h>

/* Name inside a node and between nodes; steps; wire bytes a byte. */
typedef struct shape { const char *name, *between; double steps, wire; } shape;

static double rounds(double n) { return ceil(log2(n)); }

static shape ring_of(rg_collective_kind kind, double n)
{
    shape ring = {"ring", "ring between nodes", n - 1, (n - 1) / n};
    switch (kind) {
    case RG_ALL_REDUCE: ring.steps *= 2, ring.wire *= 2; break;
    case RG_ALL_GATHER: case RG_REDUCE_SCATTER: break;
    case RG_ALL_TO_ALL: ring.name = "pairwise", ring.between = "pairwise between nodes"; break;
    case RG_SEND: return (shape){"copy", "copy between nodes", 1, 1};
    }
    return ring;
}

static shape tree_of(rg_collective_kind kind, double n)
{
    shape tree = {"tree", "tree between nodes", rounds(n), (n - 1) / n};
    switch (kind) {
    case RG_ALL_REDUCE: tree.steps *= 2, tree.wire = 2; break;
    case RG_ALL_GATHER: case RG_REDUCE_SCATTER: break;
    case RG_ALL_TO_ALL: case RG_SEND: return ring_of(kind, n);
    }
    return tree;
}

static double sum_of(const rg_collective_terms *t) { return t->alpha_s + t->beta_s + t->fill_s; }

/* One algorithm over one fabric, without the start: `trips` times where it leads through the host's memory.
 */
static rg_collective_terms over(const rg_link *link, rg_collective_kind kind, shape s, double n, double trips,
                                double byte)
{
    double wire = s.wire * byte * trips;
    rg_collective_terms t = {
        .alpha_s = s.steps * trips * link->latency_s, .beta_s = wire / rg_link_rate(link, n),
        .steps = s.steps * trips, .wire_byte = wire, .link_j = wire * link->pj_per_byte * 1e-12,
        .algorithm = s.name, .link = link,
    };
    if (kind != RG_SEND) t.fill_s = 2 * sqrt(link->start_s * t.beta_s);
    return t;
}

static rg_collective_terms inside_node(const rg_reach *reach, rg_collective_kind kind, double byte)
{
    double n = reach->inside;
    rg_collective_terms ring = over(reach->inner, kind, ring_of(kind, n), n, reach->trips, byte);
    if (n <= RG_HOST_DEVICES) return ring; /* in one host a tree is a chain */
    rg_collective_terms tree = over(reach->inner, kind, tree_of(kind, n), n, reach->trips, byte);
    return sum_of(&tree) < sum_of(&ring) ? tree : ring;
}

/* What happens inside a node before and after what happens between nodes; RG_SEND: nothing. `parted`: each
 * device has only its part of the tensor by then. */
typedef struct hierarchy { rg_collective_kind before, after; bool parted; } hierarchy;
static const hierarchy hierarchies[] = {
    [RG_ALL_REDUCE]     = {RG_REDUCE_SCATTER, RG_ALL_GATHER, true},
    [RG_ALL_GATHER]     = {RG_SEND, RG_ALL_GATHER, true},
    [RG_REDUCE_SCATTER] = {RG_REDUCE_SCATTER, RG_SEND, true},
    [RG_ALL_TO_ALL]     = {RG_ALL_TO_ALL, RG_SEND, false},
    [RG_SEND]           = {RG_SEND, RG_SEND, false},
};

static rg_collective_terms across_nodes(const rg_reach *reach, rg_collective_kind kind, double byte)
{
    const hierarchy *h = &hierarchies[kind];
    double part = h->parted ? byte / reach->inside : byte, n = reach->nodes, inner_s = 0;
    shape ring_shape = ring_of(kind, n), tree_shape = tree_of(kind, n);
    rg_collective_terms sum = over(reach->outer, kind, ring_shape, n, 1, part);
    rg_collective_terms tree = over(reach->outer, kind, tree_shape, n, 1, part);
    bool climbs = sum_of(&tree) < sum_of(&sum);
    if (climbs) sum = tree;
    double outer_s = sum_of(&sum);
    sum.algorithm = climbs ? tree_shape.between : ring_shape.between;
    const rg_collective_kind inside[] = {h->before, h->after};
    for (size_t i = 0; i < RG_COUNT(inside); i++) {
        if (inside[i] == RG_SEND || reach->inside <= 1) continue;
        rg_collective_terms t = inside_node(reach, inside[i], byte);
        inner_s += sum_of(&t);
        sum.alpha_s += t.alpha_s, sum.beta_s += t.beta_s, sum.fill_s += t.fill_s;
        sum.steps += t.steps, sum.wire_byte += t.wire_byte, sum.link_j += t.link_j;
    }
    if (inner_s > outer_s) sum.link = reach->inner;
    return sum;
}

/* One kernel carries all of it: the longest start of the links it uses. */
static double start_of(const rg_reach *reach, rg_collective_kind kind)
{
    if (!reach->outer) return reach->inner->start_s;
    bool both = reach->inside > 1 && kind != RG_SEND;
    return both ? fmax(reach->outer->start_s, reach->inner->start_s) : reach->outer->start_s;
}

/* Kernels that inference engines bring along, not of the libraries that rg_collective_s speaks of; nobody
 * passes on what another sent, so that no pipe has to be filled. One shot: every device reads what all others
 * have and sums it itself, between two meetings, n - 1 times the bytes. Two shots: it does so with its own
 * part, and then reads the sums of the others, one step more and the bytes of a ring. */
static rg_collective_terms shots(const rg_link *link, double n, double byte, double one_shot_byte)
{
    const shape one = {"one shot", "one shot", 2, n - 1};
    const shape two = {"two shots", "two shots", 3, 2 * (n - 1) / n};
    rg_collective_terms t = over(link, RG_SEND, byte <= one_shot_byte ? one : two, n, 1, byte);
    t.alpha_s += link->start_s;
    return t;
}

double rg_collective_s(const rg_device *device, rg_collective_kind kind, double devices, double stride,
                       double byte, rg_collective_terms *terms)
{
    rg_collective_terms t = {.algorithm = "none"};
    rg_reach reach;
    if (devices > 1 && byte > 0) {
        if (rg_device_reach(device, devices, stride, &reach)) {
            t = reach.outer ? across_nodes(&reach, kind, byte) : inside_node(&reach, kind, byte);
            t.alpha_s += start_of(&reach, kind);
        } else {
            t.alpha_s = INFINITY;
        }
    }
    if (terms) *terms = t;
    return sum_of(&t);
}

/* The larger of what goes in and what comes out is the whole tensor: of a gather its result, of a scatter its
 * input. */
double rg_collective_row_s(const rg_plan *plan, const rg_row *row, rg_collective_terms *terms)
{
    const rg_node *node = rg_node_at(plan->graph, plan->facts->steps[row->anchor].node);
    rg_collective_kind kind = RG_SEND;
    int64_t group = 1;
    bool known = rg_node_collective(node, &kind, &group);
    assert(known); /* nothing else has this family */
    (void)known;
    double byte = fmax(row->work.in_byte + row->work.weight_byte, row->work.out_byte);
    double stride = (double)rg_collective_stride(node);
    rg_collective_terms best, own;
    rg_collective_s(plan->device, kind, (double)group, stride, byte, &best);
    const rg_runtime *runtime = plan->runtime;
    bool shoots = kind == RG_ALL_REDUCE && best.link &&
                  byte <= fmax(runtime->one_shot_byte, runtime->two_shot_byte);
    rg_reach reach;
    if (shoots && rg_device_reach(plan->device, (double)group, stride, &reach) && !reach.outer &&
        reach.trips == 1) {
        own = shots(reach.inner, (double)group, byte, runtime->one_shot_byte);
        if (sum_of(&own) < sum_of(&best)) best = own;
    }
    if (terms) *terms = best;
    return sum_of(&best);
}
