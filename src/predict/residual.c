/* residual.c - the residuals of rows and of whole forecasts, from the trees of their keys.
 *
 *     r = trust (sum_d w_d r_d + w_0 r_0) / (sum_d w_d + w_0)       w_d = exp(-(|t - t_d| / reach)^2)
 *
 * r_d: the member of device d; t: traits, logarithms of what a device is made of; r_0, w_0: the member of all
 * devices together. Of the others the nearest two are heard: more say little that is new, and each costs a
 * forecast its trees. reach, w_0 and trust are those that did best on devices held out. A device that was
 * measured is answered by its own member, and by that of all with the weight v that did best on families or
 * shapes held out of both, which is often 0:
 *
 *     r = (1 - v) r_own + v r_0       of whole inferences (1 - u) r + u m
 *
 * m: the middle of what these members were taught; u did best on families held out, which are answered better
 * by less than all that trees say of others.
 *
 * A GPU may be measured behind any host, one call at a time, and short rows then tell how fast that one was.
 * The clock starts, the host gets the kernel on its way, and then takes as long again to come back, while the
 * device computes. In a queue of rows it runs ahead instead, and its time hides behind that of others:
 *
 *     s(h) = max(h, u + h / 2) alone      q(h) = max(h, u) in a queue      base: max(1, u)
 *
 * u: here the device's time, in hosts of the profile; h: of this device, the median of measured / base
 * where u < 1/2; of one that was not measured the middle of the others'. Members are taught what is left of
 * rows when s(h) is taken off, which carries over to devices that are faster or slower behind the same host,
 * and log s(h) / max(1, u), or q(h) in place of s(h), is added to the answer.
 * (NeuSight's elementwise operators on T4, P4, V100, P100: what long ones take beyond their traffic is 0.50
 * to 0.55 of what short ones take, 0.56 to 0.64 on A100, with a spread of 1 %.)
 */
#include "predict/residual.h"

#include "base/statistics.h"

#include <math.h>
#include <string.h>

/* Ten years of releases weigh as much as a factor of 16 in a rate: generations change kernels. */
#define YEARS_A_TRAIT 2.5
/* Twice the lanes in step are another vendor: as far as a factor of 16 in a rate. */
#define WARP_TRAIT 4

void rg_traits(const rg_device *device, double out[RG_TRAITS])
{
    const rg_peak *lanes = rg_device_peak(device, -1, RG_VECTOR, RG_HW_F32),
                  *matrix = rg_device_peak(device, -1, RG_MATRIX, RG_HW_F16);
    const rg_level *memory = rg_device_memory(device);
    const rg_level *cache = device->level_count > 1 ? memory - 1 : memory;
    double vector = lanes ? lanes->op_per_s : 1e9;
    out[0] = log2(vector);
    out[1] = log2(matrix ? matrix->op_per_s : vector);
    out[2] = log2(memory->read_byte_per_s);
    out[3] = log2(fmax(cache->capacity_byte, 1)) / 2;
    out[4] = log2(fmax(device->engines[0].count, 1)) / 2;
    out[5] = (device->year ? device->year : 2020) / YEARS_A_TRAIT;
    out[6] = log2(rg_device_clock_max(device));
    /* the lanes that run in step decide whose libraries and compilers a device has */
    out[7] = WARP_TRAIT * log2(fmax(device->engines[0].warp, 1));
}

double rg_traits_distance2(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < RG_TRAITS; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static size_t count_nearer(const double *distance2, size_t count, size_t than)
{
    size_t nearer = 0;
    for (size_t i = 0; i < count; i++)
        nearer += distance2[i] < distance2[than] || (distance2[i] == distance2[than] && i < than);
    return nearer;
}

void rg_members_weigh(const double *distance2, size_t count, double reach, double *weights)
{
    for (size_t i = 0; i < count; i++) {
        double weight = exp(-distance2[i] / (reach * reach));
        bool heard = weight >= 1e-3 && count_nearer(distance2, count, i) < RG_MEMBERS_HEARD;
        weights[i] = heard ? weight : 0;
    }
}

#define BEFORE_START 0.5 /* of the host's time */

static double called_once(double host, double device) { return fmax(host, device + BEFORE_START * host); }

double rg_host_shift(double host, const float *row)
{
    double device = exp2(-rg_feature_issue(row));
    return host > 0 ? log(called_once(host, device) / fmax(1, device)) : 0;
}

double rg_host_ahead(double host, const float *row)
{
    double device = exp2(-rg_feature_issue(row));
    return host > 0 ? log(fmax(host, device) / fmax(1, device)) : 0;
}

bool rg_traits_share_stack(const double *a, const double *b) { return a[7] == b[7]; }

double rg_host_middle(double *hosts, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (hosts[i] > 0) hosts[kept++] = log(hosts[i]);
    rg_sort_ascending(hosts, kept);
    return kept ? exp(rg_percentile(hosts, kept, 0.5)) : 0;
}

static bool same_architecture(const rg_trees_member *m, const rg_device *device)
{
    return m->architecture && device->architecture && strcmp(m->architecture, device->architecture) == 0;
}

static void answer_known(rg_mixture *mixture, size_t own)
{
    const rg_trees *trees = mixture->trees;
    double left = 1;
    for (size_t i = 0; i < trees->member_count; i++) {
        bool pooled = rg_member_is_pooled(&trees->members[i]);
        mixture->weights[i] = pooled ? fmin(trees->pooled_share, left) : 0;
        left -= mixture->weights[i];
    }
    mixture->weights[own] = left;
    for (size_t i = 0; i < trees->member_count; i++) {
        mixture->middle += trees->middle_share * mixture->weights[i] * trees->members[i].middle;
        mixture->weights[i] *= 1 - trees->middle_share;
    }
    mixture->nearest = &trees->members[own];
    mixture->nearness = RG_NEAR_KNOWN;
}

/* How far members of other devices are; INFINITY: one that is not to be asked for its distance. */
static void measure(const rg_device *device, rg_mixture *m, double *distance2)
{
    double traits[RG_TRAITS], least = INFINITY;
    rg_traits(device, traits);
    for (size_t i = 0; i < m->trees->member_count; i++) {
        const rg_trees_member *one = &m->trees->members[i];
        distance2[i] = INFINITY;
        if (one->over || rg_member_is_pooled(one)) continue; /* they say nothing of a device alone */
        if (one->trait_count) distance2[i] = rg_traits_distance2(one->traits, traits);
        if (distance2[i] < least) m->nearest = one, least = distance2[i];
        if (same_architecture(one, device)) m->nearness = RG_NEAR_SISTER;
    }
}

/* Of members with the device's stack; where there is none, of all. */
static double middle_host(const rg_trees *trees, const rg_device *device, double *hosts)
{
    double traits[RG_TRAITS], middle = 0;
    rg_traits(device, traits);
    for (int any = 0; any < 2 && middle == 0; any++) {
        size_t count = 0;
        for (size_t i = 0; i < trees->member_count; i++) {
            const rg_trees_member *m = &trees->members[i];
            if (!m->trait_count || m->over) continue;
            if (any || rg_traits_share_stack(m->traits, traits)) hosts[count++] = m->host;
        }
        middle = rg_host_middle(hosts, count);
    }
    return middle;
}

/* NULL: there is none. */
static const rg_trees_member *member_of(const rg_trees *trees, const rg_device *device, bool over)
{
    for (size_t i = 0; i < trees->member_count; i++) {
        const rg_trees_member *m = &trees->members[i];
        if (m->over == over && strcmp(m->device, device->id) == 0) return m;
    }
    return NULL;
}

rg_err rg_mixture_of(rg_ctx *cx, const rg_trees *trees, const rg_device *device, rg_mixture *out)
{
    const rg_trees_member *own = member_of(trees, device, false), *over = member_of(trees, device, true);
    size_t count = trees->member_count;
    double all = 0;
    *out = (rg_mixture){.trees = trees, .device = device, .nearness = RG_NEAR_UNKNOWN};
    out->weights = RG_NEW(&cx->arena, double, count);
    double *distance2 = RG_NEW(&cx->arena, double, count);
    if (!out->weights || !distance2) return rg_nomem(cx);
    measure(device, out, distance2);
    rg_members_weigh(distance2, count, trees->reach, out->weights);
    for (size_t i = 0; i < count; i++) {
        if (rg_member_is_pooled(&trees->members[i])) out->weights[i] = trees->pooled_weight;
        all += out->weights[i];
    }
    for (size_t i = 0; i < count && all > 0; i++) out->weights[i] *= trees->trust / all;
    if (own) answer_known(out, (size_t)(own - trees->members));
    out->host = own ? own->host : middle_host(trees, device, distance2);
    if (!over) return RG_OK;
    out->weights[over - trees->members] = 1; /* fitted to what the others leave */
    out->nearest = over;
    out->nearness = RG_NEAR_KNOWN;
    return RG_OK;
}

/* Each feature beyond what was measured makes the answer less certain by a tenth (assumed). */
#define OUTSIDE_WIDENS 0.1

rg_err rg_trees_resolve(rg_ctx *cx, rg_trees *trees, rg_features_of scope)
{
    size_t count = rg_feature_count(scope);
    for (size_t i = 0; i < trees->feature_count; i++) {
        size_t at = 0;
        while (at < count && strcmp(rg_feature_name(scope, at), trees->features[i]) != 0) at++;
        if (at == count)
            return rg_fail(cx, RG_FORMAT, "features[%zu]: '%.64s' is none of the %zu that are known", i,
                           trees->features[i], count);
        trees->columns[i] = (uint8_t)at;
    }
    return RG_OK;
}

/* The trees' own features of all that there are, and all of the answer but what trees say. */
static void look(const rg_mixture *mixture, const float *all, float *x, rg_residual *out)
{
    const rg_trees *trees = mixture->trees;
    const double spreads[] = {trees->known_spread, trees->sister_spread, trees->unknown_spread};
    *out = (rg_residual){0};
    for (size_t i = 0; i < trees->feature_count; i++) {
        x[i] = all[trees->columns[i]];
        double margin = 0.02 * (trees->high[i] - trees->low[i]) + 1e-6; /* rounding of what was written */
        out->outside += (double)x[i] < trees->low[i] - margin || (double)x[i] > trees->high[i] + margin;
    }
    out->r = mixture->queued ? rg_host_ahead(mixture->host, all) : rg_host_shift(mixture->host, all);
    out->r += mixture->middle;
    bool own = mixture->nearness == RG_NEAR_KNOWN && mixture->nearest->spread > 0;
    out->spread = own ? mixture->nearest->spread : spreads[mixture->nearness];
    out->spread *= 1 + OUTSIDE_WIDENS * out->outside;
}

/* Of what a member says, its own host's part: older files leave it in, the profile's in the pooled member. */
static double host_of(const rg_mixture *mixture, const rg_trees_member *m, const float *all)
{
    if (mixture->trees->hosts_apart || mixture->host <= 0 || m->over) return 0;
    return rg_host_shift(rg_member_is_pooled(m) ? 1 : m->host, all);
}

void rg_residual_of(const rg_mixture *mixture, const float *all, rg_residual *out)
{
    const rg_trees *trees = mixture->trees;
    float x[RG_TREES_FEATURES];
    look(mixture, all, x, out);
    for (size_t i = 0; i < trees->member_count; i++) {
        const rg_trees_member *m = &trees->members[i];
        if (mixture->weights[i] > 0)
            out->r += mixture->weights[i]
                      * (rg_trees_sum(m, x) + rg_trees_line(trees, m, x) - host_of(mixture, m, all));
    }
}

rg_err rg_residuals_of(rg_ctx *cx, const rg_mixture *mixture, const float *all, size_t count,
                       rg_residual *out)
{
    const rg_trees *trees = mixture->trees;
    size_t stride = trees->feature_count;
    float *x = RG_NEW(&cx->arena, float, count * stride + 1);
    double *sums = RG_NEW(&cx->arena, double, count + 1);
    if (!x || !sums) return rg_nomem(cx);
    for (size_t k = 0; k < count; k++) look(mixture, all + k * RG_TREES_FEATURES, x + k * stride, &out[k]);
    for (size_t i = 0; i < trees->member_count; i++) {
        if (!(mixture->weights[i] > 0)) continue;
        const rg_trees_member *m = &trees->members[i];
        rg_trees_sums(m, x, stride, count, sums);
        for (size_t k = 0; k < count; k++) {
            double said = sums[k] + rg_trees_line(trees, m, x + k * stride);
            out[k].r += mixture->weights[i] * (said - host_of(mixture, m, all + k * RG_TREES_FEATURES));
        }
    }
    return RG_OK;
}

/* ---- files ---- */

const char *rg_type_class(rg_hw_dtype dtype)
{
    return dtype == RG_HW_BF16 ? "f16" : rg_hw_dtype_name(dtype);
}

static rg_err check_trees(rg_ctx *cx, rg_trees *trees, const char *path, rg_features_of scope)
{
    size_t size = strlen(trees->key);
    const char *name = rg_path_base(path);
    if (strncmp(name, trees->key, size) != 0 || strcmp(name + size, ".trees") != 0)
        return rg_fail(cx, RG_FORMAT, "its key is %.64s", trees->key);
    return rg_trees_resolve(cx, trees, scope);
}

/* For rg_ctx_keep, by the path below data/; NULL where there is no such file. */
rg_features_of rg_learned_scope(const char *key)
{
    const char *begin = strchr(key, '.');
    size_t size = begin ? strcspn(begin + 1, ".") : 0;
    for (int i = 0; i < RG_FAMILY_COUNT; i++) {
        const char *name = rg_family_name((rg_family)i);
        if (size && strlen(name) == size && strncmp(begin + 1, name, size) == 0) return RG_OF_ROW;
    }
    return RG_OF_WHOLE;
}

static rg_err make_trees(rg_ctx *cx, const char *path, rg_features_of scope, const void **out)
{
    rg_str bytes;
    rg_trees *trees;
    *out = NULL;
    if (!rg_data_has(cx, path)) return RG_OK;
    RG_TRY(rg_data_read(cx, path, &bytes));
    RG_TRY(rg_trees_parse(cx, bytes, path, &trees));
    rg_err err = check_trees(cx, trees, path, scope);
    if (err) {
        rg_trees_free(trees);
        return rg_note(cx, err, "%s", path);
    }
    *out = trees;
    return RG_OK;
}

static rg_err make_of_row(rg_ctx *cx, const char *path, const void **out)
{
    return make_trees(cx, path, RG_OF_ROW, out);
}

static rg_err make_of_whole(rg_ctx *cx, const char *path, const void **out)
{
    return make_trees(cx, path, RG_OF_WHOLE, out);
}

static void free_trees(const void *trees) { rg_trees_free(trees); }

rg_err rg_learned_find(rg_ctx *cx, const char *key, rg_features_of scope, const rg_trees **out)
{
    const void *found = NULL;
    const char *path = rg_arena_printf(&cx->arena, "learned/%s.trees", key);
    if (!path) return rg_nomem(cx);
    const rg_maker maker = {scope == RG_OF_WHOLE ? make_of_whole : make_of_row, free_trees};
    RG_TRY(rg_ctx_keep(cx, path, &maker, &found));
    *out = found;
    return RG_OK;
}

/* Of the whole, the type in which most is computed. A step that writes tokens waits for bytes, which features
 * count: models of all types teach it together. */
static rg_hw_dtype main_type(const rg_plan *plan)
{
    double flop[RG_HW_DTYPE_COUNT] = {0};
    int most = RG_HW_F32;
    for (uint32_t i = 0; i < plan->row_count; i++) {
        int type = (int)plan->rows[i].dtype;
        flop[type] += plan->rows[i].work.flop * plan->rows[i].times;
        if (flop[type] > flop[most]) most = type;
    }
    return (rg_hw_dtype)most;
}

rg_err rg_learned_key(rg_ctx *cx, const rg_forecast *f, uint32_t row, const char *runtime, rg_target target,
                      const char **out)
{
    const rg_row *r = row == RG_WHOLE ? NULL : &f->plan->rows[row];
    bool decodes = !r && strcmp(f->sort, "decode") == 0;
    *out = rg_arena_printf(&cx->arena, "%s.%s.%s%s", runtime, r ? rg_family_name(r->family) : f->sort,
                           decodes ? "any" : rg_type_class(r ? r->dtype : main_type(f->plan)),
                           target == RG_TARGET_POWER ? ".power" : "");
    return *out ? RG_OK : rg_nomem(cx);
}

static bool has_queue(const rg_forecast *f)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < f->plan->row_count; i++) rows += f->rows[i].latency_s > 0;
    return rows > 1;
}

rg_err rg_learned_for(rg_ctx *cx, const rg_forecast *f, uint32_t row, rg_target target, rg_mixture *out)
{
    const rg_runtime *runtime = f->plan->runtime;
    const rg_trees *trees = NULL;
    *out = (rg_mixture){0};
    for (size_t i = 0; i <= runtime->teacher_count && !trees; i++) {
        const char *key, *from = i ? runtime->teachers[i - 1] : runtime->id;
        RG_TRY(rg_learned_key(cx, f, row, from, target, &key));
        RG_TRY(rg_learned_find(cx, key, row == RG_WHOLE ? RG_OF_WHOLE : RG_OF_ROW, &trees));
    }
    if (trees) RG_TRY(rg_mixture_of(cx, trees, f->plan->device, out));
    out->queued = row != RG_WHOLE && has_queue(f);
    return RG_OK;
}
