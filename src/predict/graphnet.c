/* graphnet.c - a graph network over the rows of a plan: its file, and its answer.
 *
 *     h0_i     = tanh(W x_i + b)
 *     h(t+1)_i = tanh(S h(t)_i + P mean_{j -> i} h(t)_j + N mean_{i -> j} h(t)_j + c)
 *     r        = sum_i share_i (sum_t v_t . h(t)_i + d)
 *
 * x: standardized features, cut at 3 standard deviations, so that what was never measured moves an answer no
 * further than what was. Means over neighbors, so that a row with many readers is not another matter
 * (Hamilton et al. 2017, "Inductive representation learning on large graphs"); all rounds are heard at the
 * end (Xu et al. 2018, "Representation learning on graphs with jumping knowledge networks"). Shares as
 * weights: two halves of a row say what the row says.
 */
#include "predict/graphnet.h"

#include "hw/read.h"
#include "predict/residual.h"

#include <math.h>
#include <string.h>

/* ---- the file ---- */

#define AT(member) offsetof(rg_graphnet_member, member)
static const rg_field member_fields[] = {
    {"weights", RG_FIELD_NUMBERS, true, AT(weights), AT(weight_count), .help = "input, rounds, output"},
};
#undef AT
static const rg_record member_record = RG_RECORD(rg_graphnet_member, member_fields);

static const char *const marks[] = {"ridge.graphnet/1", NULL};
#define AT(member) offsetof(rg_graphnet, member)
static const rg_field file_fields[] = {
    {"schema", RG_FIELD_MARK, true, .names = marks, .help = "the format of this file"},
    {"key", RG_FIELD_TEXT, true, AT(key), .help = "what it corrects: runtime.sort.type"},
    {"made_of", RG_FIELD_TEXT, true, AT(made_of), .help = "files of measurements"},
    {"data_hash", RG_FIELD_TEXT, true, AT(data_hash), .help = "of the measurements"},
    {"features", RG_FIELD_TEXTS, true, AT(features), AT(feature_count), .help = "names, in order"},
    {"mean", RG_FIELD_NUMBERS, true, AT(mean), AT(mean_count), .help = "of each feature"},
    {"scale", RG_FIELD_REALS, true, AT(scale), AT(scale_count), .help = "standard deviation of each"},
    {"hidden", RG_FIELD_COUNT, true, AT(hidden), .help = "numbers of a row's state"},
    {"rounds", RG_FIELD_COUNT, true, AT(rounds), .help = "how often rows hear their neighbors"},
    {"graphs", RG_FIELD_COUNT, true, AT(graphs), .help = "measurements that it was made of"},
    {"families", RG_FIELD_COUNT, true, AT(families), .help = "that these belong to"},
    {"base", RG_FIELD_REAL, true, AT(base), .help = "mean error of the sum of rows"},
    {"held_out", RG_FIELD_REAL, true, AT(held_out), .help = "mean error on families held out"},
    {"spread", RG_FIELD_REAL, true, AT(spread), .help = "90 % of |log error| of those"},
    {"members", RG_FIELD_ROWS, true, AT(members), AT(member_count), &member_record,
     .help = "networks whose mean answers"},
};
#undef AT
static const rg_record file_record = RG_RECORD(rg_graphnet, file_fields);

size_t rg_graphnet_weight_count(size_t inputs, int hidden, int rounds)
{
    size_t h = (size_t)hidden, r = (size_t)rounds;
    return h * inputs + h + r * (3 * h * h + h) + (r + 1) * h + 1;
}

static rg_err check_form(rg_ctx *cx, const rg_graphnet *net)
{
    const struct { const char *name; size_t is, least, most; } counts[] = {
        {"features", net->feature_count, 1, RG_GRAPHNET_INPUTS},
        {"hidden", (size_t)net->hidden, 1, RG_GRAPHNET_HIDDEN},
        {"rounds", (size_t)net->rounds, 0, RG_GRAPHNET_ROUNDS},
        {"members", net->member_count, 1, RG_GRAPHNET_MEMBERS},
    };
    for (size_t i = 0; i < RG_COUNT(counts); i++)
        if (counts[i].is < counts[i].least || counts[i].is > counts[i].most)
            return rg_fail(cx, RG_LIMIT, "%s: %zu is not from %zu to %zu", counts[i].name, counts[i].is,
                           counts[i].least, counts[i].most);
    if (net->mean_count != net->feature_count || net->scale_count != net->feature_count)
        return rg_fail(cx, RG_FORMAT, "%zu features, %zu means and %zu scales", net->feature_count,
                       net->mean_count, net->scale_count);
    size_t weights = rg_graphnet_weight_count(net->feature_count, net->hidden, net->rounds);
    for (size_t m = 0; m < net->member_count; m++)
        if (net->members[m].weight_count != weights)
            return rg_fail(cx, RG_FORMAT, "members[%zu]: %zu weights in place of %zu", m,
                           net->members[m].weight_count, weights);
    return RG_OK;
}

rg_err rg_graphnet_parse(rg_ctx *cx, rg_str text, const char *name, rg_graphnet **out)
{
    rg_graphnet *net = RG_NEW_OWN(cx, rg_graphnet);
    if (!net) return rg_nomem(cx);
    rg_err err = rg_read_record(cx, &net->arena, text, &file_record, NULL, net);
    if (!err) err = check_form(cx, net);
    if (err) {
        rg_graphnet_free(net);
        return rg_note(cx, err, "%s", name);
    }
    *out = net;
    return RG_OK;
}

void rg_graphnet_free(const rg_graphnet *net)
{
    if (!net) return;
    rg_arena arena = net->arena; /* it lies in it itself */
    rg_arena_done(&arena);
}

rg_err rg_graphnet_write(rg_ctx *cx, const rg_graphnet *net, rg_str *out)
{
    return rg_write_record(cx, &file_record, net, out);
}

/* ---- rows as a graph ---- */

size_t rg_graphnet_inputs(void) { return rg_feature_count(RG_OF_ROW) + 1; }

const char *rg_graphnet_input_name(size_t column)
{
    return column < rg_feature_count(RG_OF_ROW) ? rg_feature_name(RG_OF_ROW, column) : RG_GRAPHNET_SHARE;
}

_Static_assert(RG_GRAPHNET_INPUTS <= UINT8_MAX, "columns are bytes");

rg_err rg_graphnet_resolve(rg_ctx *cx, rg_graphnet *net)
{
    size_t count = rg_graphnet_inputs();
    for (size_t i = 0; i < net->feature_count; i++) {
        size_t at = 0;
        while (at < count && strcmp(rg_graphnet_input_name(at), net->features[i]) != 0) at++;
        if (at == count)
            return rg_fail(cx, RG_FORMAT, "features[%zu]: '%.64s' is none of the %zu that are known", i,
                           net->features[i], count);
        net->columns[i] = (uint8_t)at;
    }
    return RG_OK;
}

/* A share of a millionth and none are the same to it. */
#define SHARE_LEAST 1e-6

static void put_row(const rg_forecast *f, uint32_t row, double all_s, rg_row_graph *g, uint32_t node)
{
    float *x = g->x + (size_t)node * g->inputs;
    g->share[node] = f->rows[row].total_s / all_s;
    rg_feature_row(f, row, x);
    x[g->inputs - 1] = (float)log2(fmax(g->share[node], SHARE_LEAST));
}

/* What takes no time (views, what was folded) hands on what it was handed: it stands for its first source. */
static uint32_t stand_for(const rg_plan *plan, uint32_t row, const uint32_t *node_of)
{
    const rg_row *r = &plan->rows[row];
    for (uint32_t i = 0; i < r->dep_count; i++)
        if (r->deps[i] < row && node_of[r->deps[i]]) return node_of[r->deps[i]];
    return 0;
}

static void put_edges(const rg_plan *plan, const uint32_t *node_of, uint32_t row, rg_row_graph *g,
                      uint32_t node)
{
    const rg_row *r = &plan->rows[row];
    uint32_t begin = g->first[node], at = begin;
    for (uint32_t i = 0; i < r->dep_count; i++) {
        uint32_t from = r->deps[i] < row ? node_of[r->deps[i]] : 0, k = begin; /* index + 1 */
        while (k < at && g->from[k] != from - 1) k++;
        if (from && k == at) g->from[at++] = from - 1;
    }
    g->first[node + 1] = at;
}

rg_err rg_row_graph_of(rg_ctx *cx, rg_arena *arena, const rg_forecast *f, rg_row_graph *out)
{
    const rg_plan *plan = f->plan;
    uint32_t rows = plan->row_count, count = 0;
    size_t edges = 0;
    double all_s = 0;
    for (uint32_t r = 0; r < rows; r++) {
        count += f->rows[r].total_s > 0;
        edges += plan->rows[r].dep_count;
        all_s += f->rows[r].total_s;
    }
    *out = (rg_row_graph){.inputs = (uint32_t)rg_graphnet_inputs()};
    uint32_t *node_of = RG_NEW(&cx->arena, uint32_t, rows + 1);
    out->x = RG_NEW(arena, float, ((size_t)count + 1) * out->inputs);
    out->share = RG_NEW(arena, double, count + 1);
    out->first = RG_NEW(arena, uint32_t, count + 2);
    out->from = RG_NEW(arena, uint32_t, edges + 1);
    if (!node_of || !out->x || !out->share || !out->first || !out->from) return rg_nomem(cx);
    for (uint32_t r = 0; r < rows; r++) {
        if (!(f->rows[r].total_s > 0)) {
            node_of[r] = stand_for(plan, r, node_of);
            continue;
        }
        put_row(f, r, all_s, out, out->count);
        put_edges(plan, node_of, r, out, out->count);
        node_of[r] = ++out->count;
    }
    return RG_OK;
}

/* ---- running ---- */

size_t rg_graphnet_room(const rg_graphnet *net, const rg_row_graph *g)
{
    size_t h = (size_t)net->hidden, rounds = (size_t)net->rounds, nodes = (size_t)g->count + 1;
    return nodes * ((rounds + 1) * h + rounds * 2 * h + 1);
}

/* out = tanh(in matrix [inputs][hidden] + bias [hidden]); sums side by side are vectors. */
static void layer(const double *matrix, const double *in, size_t inputs, size_t hidden, double *out)
{
    double sum[RG_GRAPHNET_HIDDEN];
    memcpy(sum, matrix + hidden * inputs, hidden * sizeof *sum);
    for (size_t i = 0; i < inputs; i++)
        for (size_t k = 0; k < hidden; k++) sum[k] += matrix[i * hidden + k] * in[i];
    for (size_t k = 0; k < hidden; k++) out[k] = tanh(sum[k]);
}

/* given: [count][2 hidden]. readers: [count], room. */
static void hear(const rg_row_graph *g, const double *state, size_t h, double *given, double *readers)
{
    memset(given, 0, (size_t)g->count * 2 * h * sizeof *given);
    memset(readers, 0, (size_t)g->count * sizeof *readers);
    for (uint32_t e = 0; e < g->first[g->count]; e++) readers[g->from[e]]++;
    for (uint32_t i = 0; i < g->count; i++) {
        double sources = g->first[i + 1] - g->first[i];
        for (uint32_t e = g->first[i]; e < g->first[i + 1]; e++) {
            size_t j = g->from[e];
            for (size_t k = 0; k < h; k++) {
                given[(size_t)i * 2 * h + k] += state[j * h + k] / sources;
                given[j * 2 * h + h + k] += state[(size_t)i * h + k] / readers[j];
            }
        }
    }
}

static void first_states(const rg_graphnet *net, const double *weights, const rg_row_graph *g, double *state)
{
    double x[RG_GRAPHNET_INPUTS];
    for (uint32_t i = 0; i < g->count; i++) {
        for (size_t k = 0; k < net->feature_count; k++)
            x[k] = rg_graphnet_input(net, g->x + (size_t)i * g->inputs, k);
        layer(weights, x, net->feature_count, (size_t)net->hidden, state + i * (size_t)net->hidden);
    }
}

double rg_graphnet_run(const rg_graphnet *net, size_t member, const rg_row_graph *g, double *room)
{
    const double *w = net->members[member].weights;
    size_t h = (size_t)net->hidden, rounds = (size_t)net->rounds, nodes = g->count;
    double *given = room + nodes * (rounds + 1) * h, *readers = given + nodes * rounds * 2 * h, r = 0;
    double in[3 * RG_GRAPHNET_HIDDEN];
    first_states(net, w, g, room);
    w += h * net->feature_count + h;
    for (size_t t = 0; t < rounds; t++, w += 3 * h * h + h) {
        const double *state = room + t * nodes * h, *heard = given + t * nodes * 2 * h;
        hear(g, state, h, given + t * nodes * 2 * h, readers);
        for (size_t i = 0; i < nodes; i++) {
            memcpy(in, state + i * h, h * sizeof *in);
            memcpy(in + h, heard + i * 2 * h, 2 * h * sizeof *in);
            layer(w, in, 3 * h, h, room + ((t + 1) * nodes + i) * h);
        }
    }
    for (size_t i = 0; i < nodes; i++) {
        double said = w[(rounds + 1) * h];
        for (size_t t = 0; t <= rounds; t++)
            for (size_t k = 0; k < h; k++) said += w[t * h + k] * room[(t * nodes + i) * h + k];
        r += g->share[i] * said;
    }
    return r;
}

rg_err rg_graphnet_answer(rg_ctx *cx, const rg_graphnet *net, const rg_row_graph *g, double *r)
{
    double *room = RG_NEW(&cx->arena, double, rg_graphnet_room(net, g));
    *r = 0;
    if (!room) return rg_nomem(cx);
    for (size_t m = 0; m < net->member_count; m++)
        *r += rg_graphnet_run(net, m, g, room) / (double)net->member_count;
    return RG_OK;
}

/* ---- found by its key ---- */

static rg_err check_key(rg_ctx *cx, rg_graphnet *net, const char *path)
{
    size_t size = strlen(net->key);
    const char *name = rg_path_base(path);
    if (strncmp(name, net->key, size) != 0 || strcmp(name + size, ".graphnet") != 0)
        return rg_fail(cx, RG_FORMAT, "its key is %.64s", net->key);
    return rg_graphnet_resolve(cx, net);
}

static rg_err make_net(rg_ctx *cx, const char *path, const void **out)
{
    rg_str bytes;
    rg_graphnet *net;
    *out = NULL;
    if (!rg_data_has(cx, path)) return RG_OK;
    RG_TRY(rg_data_read(cx, path, &bytes));
    RG_TRY(rg_graphnet_parse(cx, bytes, path, &net));
    rg_err err = check_key(cx, net, path);
    if (err) {
        rg_graphnet_free(net);
        return rg_note(cx, err, "%s", path);
    }
    *out = net;
    return RG_OK;
}

static void free_net(const void *net) { rg_graphnet_free(net); }

rg_err rg_graphnet_for(rg_ctx *cx, const rg_forecast *f, const rg_graphnet **out)
{
    static const rg_maker maker = {make_net, free_net};
    const rg_runtime *runtime = f->plan->runtime;
    const void *found = NULL;
    for (size_t i = 0; i <= runtime->teacher_count && !found; i++) {
        const char *key, *from = i ? runtime->teachers[i - 1] : runtime->id;
        RG_TRY(rg_learned_key(cx, f, RG_WHOLE, from, RG_TARGET_LATENCY, &key));
        const char *path = rg_arena_printf(&cx->arena, "learned/%s.graphnet", key);
        if (!path) return rg_nomem(cx);
        RG_TRY(rg_ctx_keep(cx, path, &maker, &found));
    }
    *out = found;
    return RG_OK;
}
