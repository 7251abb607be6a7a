/* test_teach.c - lessons whose law is known, taught: what is left of the error on rows that were held out,
 * how many fresh rows the intervals hold, and that the same lesson gives the same bytes.
 */
#include "doc_json.h"
#include "learn/teach.h"
#include "tree_file.h"

#include <math.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

enum { DEVICES = 3, EACH = 96, MANY = 200 }; /* rows of a device; where its law takes more of them */
static const char *const ids[DEVICES] = {"t4", "a100-sxm-80gb", "h100-sxm"};

/* r = a line in one feature + a step in another + what the device is off by + noise, even from -noise on. */
typedef struct law { double scale[DEVICES], noise; } law;

static double law_of(const law *l, int device, const float *x, uint64_t *random)
{
    double noise = l->noise * (2 * rg_random_unit(random) - 1);
    return 0.2 * (double)x[0] + (x[1] > 0.5f ? 0.2 : -0.1) + l->scale[device] + noise;
}

/* Of eight values each: few rows teach trees such a law. */
static void draw_row(float *x, size_t features, uint64_t *random)
{
    memset(x, 0, features * sizeof *x);
    for (int i = 0; i < 3; i++) /* the third is of no use */
        x[i] = (float)floor(8 * rg_random_unit(random)) / 8;
}

typedef struct school { rg_lessons lessons; rg_lesson lesson; rg_booster *booster; } school;

static void open_school(rg_ctx *cx, school *s, const law *l, size_t each)
{
    uint64_t random = 11;
    size_t features = rg_feature_count(RG_OF_ROW), count = DEVICES * each, n = 0;
    if (rg_booster_open(cx, &s->booster)) fail_msg("%s", rg_ctx_error(cx));
    rg_lessons_init(cx, &s->lessons);
    rg_arena *arena = &s->lessons.arena;
    s->lessons.devices = RG_NEW(arena, const rg_device *, DEVICES);
    s->lesson = (rg_lesson){
        .key = "made.gemm.f32", .of = RG_OF_ROW, .features = features, .count = count,
        .x = RG_NEW(arena, float, count * features), .r = RG_NEW(arena, float, count),
        .device = RG_NEW(arena, uint32_t, count), .group = RG_NEW(arena, uint64_t, count),
    };
    for (int d = 0; d < DEVICES; d++) {
        if (rg_device_find(cx, ids[d], &s->lessons.devices[d])) fail_msg("%s", rg_ctx_error(cx));
        s->lessons.device_count++;
        for (size_t i = 0; i < each; i++, n++) {
            float *x = s->lesson.x + n * features;
            draw_row(x, features, &random);
            s->lesson.r[n] = (float)law_of(l, d, x, &random);
            s->lesson.device[n] = (uint32_t)d;
            s->lesson.group[n] = i; /* the same shapes on all devices, say */
        }
    }
}

static void close_school(school *s)
{
    rg_lessons_done(&s->lessons);
    rg_booster_close(s->booster);
}

static rg_taught taught(rg_ctx *cx, const school *s)
{
    rg_taught t;
    if (rg_teach(cx, s->booster, &s->lessons, &s->lesson, &t)) fail_msg("%s", rg_ctx_error(cx));
    t.trees->made_of = "made-up";
    t.trees->data_hash = "0";
    return t;
}

static bool can_teach(rg_ctx *cx)
{
    rg_booster *booster = NULL;
    if (rg_booster_open(cx, &booster)) return false;
    rg_booster_close(booster);
    return true;
}

/* Half of each measurement is something else, which the base has right: half of the error. */
static void a_part_counts_with_its_share(void **state)
{
    if (!can_teach(*state)) skip();
    const law alike = {.scale = {0.3, 0.3, 0.3}};
    school s = {0};
    open_school(*state, &s, &alike, EACH);
    rg_taught alone = taught(*state, &s);
    s.lesson.part = RG_NEW(&s.lessons.arena, rg_lesson_part, s.lesson.count);
    for (size_t i = 0; i < s.lesson.count; i++) s.lesson.part[i] = (rg_lesson_part){0.5F, 0.5F, 0};
    rg_taught beside = taught(*state, &s);
    assert_float_equal(beside.cards[0].base.mean, alone.cards[0].base.mean / 2, 1e-6);
    assert_float_equal(beside.cards[0].known.mean, alone.cards[0].known.mean / 2, 1e-6);
    close_school(&s);
}

/* Where the base is e^(-r / 2), e^(r / 2) was measured: the base has all rows in the opposite order, and what
 * was learned in the right one but for steps of a 40th and less, which trees blur. */
static void order_is_told_of_what_was_held_out(void **state)
{
    if (!can_teach(*state)) skip();
    const law alike = {.scale = {0.3, 0.3, 0.3}};
    school s = {0};
    open_school(*state, &s, &alike, EACH);
    s.lesson.part = RG_NEW(&s.lessons.arena, rg_lesson_part, s.lesson.count);
    for (size_t i = 0; i < s.lesson.count; i++)
        s.lesson.part[i] = (rg_lesson_part){1, 0, s.lesson.r[i] / 2};
    rg_taught t = taught(*state, &s);
    for (int i = 0; i <= DEVICES; i++) {
        const rg_report_card *card = &t.cards[i];
        assert_float_equal(card->base.tau, -1, 1e-9);
        if (!(card->known.tau > 0.8)) fail_msg("tau of known devices: %.3f", card->known.tau);
        if (!(card->unknown.tau > 0.8)) fail_msg("tau of others: %.3f", card->unknown.tau);
        assert_true(t.trees->members[i].known_tau == card->known.tau);
        assert_true(t.trees->members[i].unknown_tau == card->unknown.tau);
    }
    close_school(&s);
}

static void a_law_is_learned(void **state)
{
    if (!can_teach(*state)) skip();
    const law alike = {.scale = {0.3, 0.3, 0.3}};
    school s = {0};
    open_school(*state, &s, &alike, EACH);
    rg_taught t = taught(*state, &s);
    const rg_report_card *all = &t.cards[0];
    assert_int_equal(t.card_count, DEVICES + 1);
    assert_int_equal(all->rows, DEVICES * EACH);
    assert_true(all->base.mean > 0.2);         /* 1 - e^-0.45, about, of what the base is off by */
    assert_true(all->known.mean < 0.02);       /* steps of trees along the line */
    assert_true(all->unknown.mean < 0.02);     /* devices that are alike tell of each other */
    assert_true(t.trees->trust == 1);
    assert_true(t.trees->known_spread < 0.04 && t.trees->unknown_spread < 0.04);
    for (int i = 1; i <= DEVICES; i++) { /* what others say of a device holds there, where all are alike */
        const rg_held_score *s1 = &t.cards[i].unknown;
        if (!(s1->coverage >= 0.8)) fail_msg("%s: %.3f in 90 %%", t.cards[i].device, s1->coverage);
        assert_true(s1->median > 0 && s1->median <= s1->mean * 1.5 && s1->width > 0);
        assert_true(t.cards[i].known.coverage > 0.8 && t.trees->members[i].spread > 0);
        assert_true(t.trees->members[i].unknown_coverage == s1->coverage);
    }
    assert_int_equal(t.trees->member_count, DEVICES + 1);
    assert_true(rg_member_is_pooled(&t.trees->members[0]));
    close_school(&s);
}

/* What a device alone is off by cannot be known without it: known devices are right, the others are not, and
 * the intervals say so. */
static void what_is_of_one_device_stays_there(void **state)
{
    if (!can_teach(*state)) skip();
    const law own = {.scale = {0.8, -0.2, -0.9}};
    school s = {0};
    open_school(*state, &s, &own, EACH);
    rg_taught t = taught(*state, &s);
    assert_true(t.cards[0].known.mean < 0.02 && t.cards[0].unknown.mean > 0.2);
    assert_true(t.trees->unknown_spread > 10 * t.trees->known_spread);
    assert_true(t.trees->pooled_share == 0);
    close_school(&s);
}

/* Devices that are alike but for noise: what one member took for law all together average out. */
static void all_are_asked_where_that_helps(void **state)
{
    if (!can_teach(*state)) skip();
    const law noisy = {.noise = 0.6};
    school s = {0};
    open_school(*state, &s, &noisy, EACH);
    rg_taught t = taught(*state, &s);
    assert_true(t.trees->pooled_share > 0);
    close_school(&s);
}

/* Inferences of one device, of so many families in turn, each with its number as its only feature. */
static void open_families(rg_ctx *cx, school *s, int families)
{
    const law none = {.noise = 0};
    open_school(cx, s, &none, EACH);
    s->lesson.of = RG_OF_WHOLE;
    s->lesson.key = "made.whole.f32";
    s->lesson.count = EACH;
    for (size_t i = 0; i < s->lesson.count; i++) {
        float *x = s->lesson.x + i * s->lesson.features;
        memset(x, 0, s->lesson.features * sizeof *x);
        s->lesson.group[i] = i % (size_t)families;
        x[0] = (float)s->lesson.group[i];
    }
}

/* A law that is linear goes on beyond what members saw: of families side by side along it, the last are known
 * by those before. */
static void a_line_reaches_families_beyond(void **state)
{
    enum { FAMILIES = 10 };
    if (!can_teach(*state)) skip();
    school s = {0};
    open_families(*state, &s, FAMILIES);
    for (size_t i = 0; i < s.lesson.count; i++) s.lesson.r[i] = 0.2f * (float)s.lesson.group[i] - 0.9f;
    rg_taught t = taught(*state, &s);
    assert_true(t.trees->members[1].slope_count == s.lesson.features);
    assert_true(t.trees->members[1].slopes[0] > 0.05);
    assert_true(t.cards[0].known.mean < 0.12); /* steps of 0.2, of which ridge takes a tenth */
    close_school(&s);
}

/* Inferences of a few families, each off by a factor of its own: a feature tells them apart, and still
 * nothing is known of the one that is held out. */
static void families_are_held_out_as_a_whole(void **state)
{
    enum { FAMILIES = 8 };
    if (!can_teach(*state)) skip();
    school s = {0};
    open_families(*state, &s, FAMILIES);
    for (size_t i = 0; i < s.lesson.count; i++) {
        int family = (int)s.lesson.group[i];
        s.lesson.x[i * s.lesson.features] = (float)(family * 5 % FAMILIES); /* no order of factors */
        s.lesson.r[i] = family % 2 ? 0.3f : -0.3f;
    }
    rg_taught t = taught(*state, &s);
    assert_true(t.cards[0].known.mean > 0.2); /* of e^0.3 and e^-0.3 */
    assert_true(t.trees->known_spread > 0.25);
    if (t.trees->members[1].slope_count == 0) { /* what is written has seen them all */
        double r = rg_trees_sum(&t.trees->members[1], s.lesson.x);
        assert_true(fabs(r - (double)s.lesson.r[0]) < 0.1);
    }
    close_school(&s);
}

/* Most families are as the base says, two of eight take e^0.8 times as long, and no order of their features
 * tells of one that is held out: what members remember of two is said by half or less of the others. */
static void what_tells_nothing_of_others_is_believed_less(void **state)
{
    enum { FAMILIES = 8 };
    if (!can_teach(*state)) skip();
    school s = {0};
    open_families(*state, &s, FAMILIES);
    for (size_t i = 0; i < s.lesson.count; i++) {
        int family = (int)s.lesson.group[i];
        s.lesson.x[i * s.lesson.features] = (float)(family * 5 % FAMILIES);
        s.lesson.r[i] = family % 4 == 3 ? 0.8f : 0;
    }
    rg_taught t = taught(*state, &s);
    for (size_t i = 0; i < FAMILIES; i++) {
        const float *x = s.lesson.x + i * s.lesson.features;
        double r = rg_trees_sum(&t.trees->members[1], x) + rg_trees_line(t.trees, &t.trees->members[1], x);
        double far = i % 4 == 3 ? 0.6 : 0.2;
        if (!(fabs(r) < far)) fail_msg("family %zu: %.3f", i, r);
    }
    assert_true(t.cards[0].known.median < 0.1); /* 0.55 is what e^0.8 is off by, at most */
    close_school(&s);
}

/* Devices alike behind hosts that are not: 1, 2 and 4 times as slow as the profile's, which shows in each
 * one's rows by s(h) = max(h, u + h / 2). The hosts are found, and nothing is left for members to say; a
 * device held out is answered with the middle of the other two, so the one in the middle best. */
static void hosts_are_told_from_devices(void **state)
{
    static const double hosts[DEVICES] = {1, 2, 4};
    if (!can_teach(*state)) skip();
    const law none = {.noise = 0.02};
    school s = {0};
    uint64_t random = 3;
    size_t features = rg_feature_count(RG_OF_ROW), issue = 0;
    while (strcmp(rg_feature_name(RG_OF_ROW, issue), "issue") != 0) issue++;
    open_school(*state, &s, &none, EACH);
    for (size_t i = 0; i < DEVICES * EACH; i++) {
        float *x = s.lesson.x + i * features;
        x[issue] = (float)(12.0 * (double)(i % EACH) / EACH - 6); /* the same shapes on all */
        double u = exp2(-(double)x[issue]), h = hosts[s.lesson.device[i]];
        s.lesson.r[i] = (float)log(fmax(h, u + h / 2) / fmax(1, u));
    }
    rg_taught t = taught(*state, &s);
    for (int d = 0; d < DEVICES; d++) {
        assert_true(fabs(t.trees->members[d + 1].host / hosts[d] - 1) < 0.03);
        for (size_t i = 0; i < EACH; i += 17)
            assert_true(fabs(rg_trees_sum(&t.trees->members[d + 1], s.lesson.x + i * features)) < 0.03);
    }
    assert_true(t.trees->hosts_apart);
    for (size_t i = 0; i < DEVICES * EACH; i++) s.lesson.r[i] = (float)(2 * rg_random_unit(&random));
    rg_taught blurred = taught(*state, &s); /* no floor: something else takes longer than the base says */
    for (int d = 0; d < DEVICES; d++) assert_true(blurred.trees->members[d + 1].host == 0);
    assert_true(t.trees->members[0].host == 0 && !blurred.trees->hosts_apart);
    assert_true(t.cards[2].unknown.mean < 0.03);
    assert_true(t.cards[1].unknown.mean > 0.2 && t.cards[3].unknown.mean > 0.2);
    close_school(&s);
}

/* 90 % of fresh rows lie within the interval of a device that is known, but for three standard deviations of
 * a quantile of the rows that are held out, each of them once: sqrt(0.9 0.1 / 600) is 1.2 %. */
static void intervals_hold_fresh_rows(void **state)
{
    enum { FRESH = 1500 };
    if (!can_teach(*state)) skip();
    rg_ctx *cx = *state;
    const law noisy = {.scale = {0.2, 0, -0.3}, .noise = 0.25};
    school s = {0};
    open_school(cx, &s, &noisy, MANY);
    rg_taught t = taught(cx, &s);
    uint64_t random = 99;
    int inside = 0;
    for (int d = 0; d < DEVICES; d++) {
        rg_mixture mixture;
        assert_int_equal(rg_mixture_of(cx, t.trees, s.lessons.devices[d], &mixture), RG_OK);
        assert_true(mixture.nearness == RG_NEAR_KNOWN);
        for (int i = 0; i < FRESH; i++) {
            float x[RG_TREES_FEATURES];
            rg_residual said;
            draw_row(x, RG_TREES_FEATURES, &random);
            double r = law_of(&noisy, d, x, &random);
            rg_residual_of(&mixture, x, &said);
            inside += fabs(said.r - r) <= said.spread;
        }
    }
    double share = inside / (double)(DEVICES * FRESH);
    if (fabs(share - 0.9) > 3 * sqrt(0.9 * 0.1 / (DEVICES * MANY)))
        fail_msg("%.4f of fresh rows lie within e^%.3f", share, t.trees->known_spread);
    close_school(&s);
}

static void the_same_lesson_gives_the_same_bytes(void **state)
{
    if (!can_teach(*state)) skip();
    rg_ctx *cx = *state;
    const law noisy = {.noise = 0.2};
    rg_str bytes[2];
    for (int i = 0; i < 2; i++) {
        school s = {0};
        rg_trees *again = NULL;
        open_school(cx, &s, &noisy, EACH);
        rg_taught t = taught(cx, &s);
        assert_int_equal(rg_trees_write(cx, t.trees, &bytes[i]), RG_OK);
        if (rg_trees_parse(cx, bytes[i], "written", &again)) fail_msg("%s", rg_ctx_error(cx));
        for (size_t m = 0; m < again->member_count; m++) /* what is written is what was taught, rounded */
            assert_true(fabs(rg_trees_sum(&again->members[m], s.lesson.x)
                             - rg_trees_sum(&t.trees->members[m], s.lesson.x)) < 1e-3);
        rg_trees_free(again);
        close_school(&s);
    }
    assert_int_equal(bytes[0].size, bytes[1].size);
    assert_memory_equal(bytes[0].data, bytes[1].data, bytes[0].size);
}

/* ---- files ---- */

/* Products that take 30 us and a tenth more than half of the published rate of a T4 lets them. */
static void put_products(const char *path)
{
    static const int sizes[] = {64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("device,op,batch,m,n,k,dtype,latency_us\n", file);
    for (int i = 0; i < 300; i++) {
        int m = sizes[i % 10], n = sizes[i / 10 % 10], k = sizes[(i / 100 * 3 + i) % 10];
        double us = 30 + 1.1 * 2.0 * m * n * k / 4.05e6;
        char number[32];
        rg_str_print(number, sizeof number, "%.6g", us);
        fprintf(file, "t4,linear,1,%d,%d,%d,float32,%s\n", m, n, k, number);
    }
    assert_int_equal(fclose(file), 0);
}

static double mape_of(const char *dir, const char *path, rg_learning learning)
{
    rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = dir});
    rg_doc *doc = NULL;
    const rg_evaluate_opt opt = {.size = sizeof opt, .workers = 2, .learning = learning};
    if (rg_evaluate_doc(cx, &path, 1, &opt, &doc)) fail_msg("%s", rg_ctx_error(cx));
    json_t *json = doc_json(cx, doc), *result = json_array_get(json_object_get(json, "results"), 0);
    double mape = json_number_value(json_object_get(result, "mape"));
    json_decref(json);
    rg_doc_free(doc);
    rg_ctx_free(cx);
    return mape;
}

/* Residuals that were learned rest on features of products, the first on the most; each row is a point. */
static void check_importance(const char *dir, const char *path, const char *key)
{
    rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = dir});
    rg_doc *doc = NULL;
    const rg_evaluate_opt opt = {.size = sizeof opt, .workers = 2, .importance = true};
    if (rg_evaluate_doc(cx, &path, 1, &opt, &doc)) fail_msg("%s", rg_ctx_error(cx));
    json_t *json = doc_json(cx, doc);
    json_obeys(json, "evaluate");
    json_t *one = json_array_get(json_object_get(json, "importance"), 0);
    json_t *features = json_object_get(one, "features"),
           *result = json_array_get(json_object_get(json, "results"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "key")), key);
    assert_int_equal(json_integer_value(json_object_get(one, "rows")), 300);
    double before = INFINITY, splits = 0;
    for (size_t i = 0; i < json_array_size(features); i++) {
        json_t *f = json_array_get(features, i);
        double increase = json_number_value(json_object_get(f, "increase"));
        assert_true(increase <= before);
        before = increase;
        splits += json_number_value(json_object_get(f, "splits"));
    }
    double most = json_number_value(json_object_get(json_array_get(features, 0), "increase"));
    double error = json_number_value(json_object_get(one, "mape"));
    assert_true(most > error &&
                splits <= 1 + 1e-9); /* without it, the forecast is twice as far off at least */
    assert_int_equal(json_array_size(json_object_get(result, "points")), 300);
    json_decref(json);
    rg_doc_free(doc);
    rg_ctx_free(cx);
}

static void files_teach_forecasts(void **state)
{
    static const char key[] = "pytorch-eager.gemm.f32";
    char dir[64], into[80], path[80];
    rg_ctx *cx = *state;
    rg_doc *doc = NULL;
    const char *file = path;
    if (!can_teach(cx)) skip();
    overlay_make(dir, sizeof dir);
    snprintf(into, sizeof into, "%s/learned", dir);
    snprintf(path, sizeof path, "%s/products.csv", dir);
    put_products(path);
    double base = mape_of(dir, path, RG_LEARN_NONE); /* the program may have learned this key before */
    assert_true(base > 0.1);
    if (rg_learn_doc(cx, &file, 1, &(rg_learn_opt){.size = sizeof(rg_learn_opt), .out = into, .force = true,
                                                   .workers = 2}, &doc))
        fail_msg("%s", rg_ctx_error(cx));
    json_t *json = doc_json(cx, doc), *one = json_array_get(json_object_get(json, "keys"), 0);
    json_obeys(json, "learn");
    assert_string_equal(json_string_value(json_object_get(one, "key")), key);
    assert_string_equal(json_string_value(json_object_get(one, "written")), "yes");
    json_decref(json);
    rg_doc_free(doc);
    assert_true(mape_of(dir, path, RG_LEARN_ALL) < 0.05);
    assert_true(mape_of(dir, path, RG_LEARN_NONE) == base);
    check_importance(dir, path, key);
    overlay_drop(dir, key);
    unlink(path);
    overlay_done(dir);
}

/* Readings of the rows of a plan, each 1.3 times its forecast: each teaches its own kernel just that,
 * whatever stands around it. */
static void rows_of_plans_teach_their_kernels(void **state)
{
    rg_ctx *cx = *state;
    const rg_graph *graph = NULL;
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    const rg_forecast *f = NULL;
    rg_forecast_opt how = {.size = sizeof how, .learning = RG_LEARN_NONE};
    char path[] = "/tmp/ridge-rows-XXXXXX", number[32];
    size_t rows = 0, lessons_rows = 0;
    if (rg_graph_load(cx, "zoo:alexnet", NULL, &graph) || rg_device_find(cx, "t4", &device)
        || rg_runtime_find(cx, "pytorch-eager", device, &runtime)
        || rg_plan_make(cx, graph, device, runtime, NULL, &plan) || rg_forecast_make(cx, plan, &how, &f))
        fail_msg("%s", rg_ctx_error(cx));
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    assert_non_null(file);
    fputs("{\"schema\": \"ridge.readings/1\", \"readings\": [", file);
    for (uint32_t i = 0; i < plan->row_count; i++) {
        if (!(f->rows[i].total_s > 0)) continue;
        rg_str_print(number, sizeof number, "%.17g", 1.3 * f->rows[i].total_s);
        fprintf(file, "%s{\"model\": \"zoo:alexnet\", \"device\": \"t4\", \"runtime\": \"pytorch-eager\", "
                "\"backend\": \"theirs\", \"id\": \"%016llx\", \"median_s\": %s}", rows++ ? ", " : "",
                (unsigned long long)plan->rows[i].id, number);
    }
    fputs("]}", file);
    fclose(file);
    rg_lessons lessons;
    const rg_evaluate_opt opt = {.size = sizeof opt, .workers = 2, .learning = RG_LEARN_NONE};
    rg_lessons_init(cx, &lessons);
    if (rg_lessons_add(cx, &lessons, path, &opt, false, NULL)) fail_msg("%s", rg_ctx_error(cx));
    for (size_t k = 0; k < lessons.count; k++)
        for (size_t i = 0; i < lessons.items[k].count; i++, lessons_rows++)
            assert_true(fabs((double)lessons.items[k].r[i] - log(1.3)) < 1e-6);
    assert_true(lessons.count >= 3 && lessons_rows == rows); /* convolutions, products, ... */
    rg_lessons_done(&lessons);
    unlink(path);
    rg_forecast_free(f);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_device_free(device);
    rg_graph_free(graph);
}

/* A name that another one has in it is another name. */
static void files_are_noted_once(void **state)
{
    static const char *const files[] = {"linear.csv", "linear.csv", "near.csv", "csv", "csv"};
    rg_ctx *cx = *state;
    rg_text made_of;
    rg_text_init(&made_of, &cx->arena);
    for (size_t i = 0; i < RG_COUNT(files); i++)
        assert_int_equal(rg_lesson_note_file(cx, &made_of, files[i]), RG_OK);
    assert_string_equal(made_of.data, "linear.csv near.csv csv");
}

/* The page has each feature as its table has it. */
static void the_page_names_every_feature(void **state)
{
    static char page[65536];
    FILE *file = fopen(RG_SOURCE_ROOT "/doc/learn.md", "r");
    (void)state;
    assert_non_null(file);
    assert_true(fread(page, 1, sizeof page - 1, file) > 0);
    fclose(file);
    for (int of = RG_OF_ROW; of <= RG_OF_WHOLE; of++)
        for (size_t i = 0; i < rg_feature_count((rg_features_of)of); i++) {
            char line[256];
            snprintf(line, sizeof line, "\n| `%s` | %s |\n", rg_feature_name((rg_features_of)of, i),
                     rg_feature_help((rg_features_of)of, i));
            if (!strstr(page, line)) fail_msg("doc/learn.md lacks%s", line);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_law_is_learned, setup, teardown),
        cmocka_unit_test_setup_teardown(order_is_told_of_what_was_held_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_part_counts_with_its_share, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_of_one_device_stays_there, setup, teardown),
        cmocka_unit_test_setup_teardown(hosts_are_told_from_devices, setup, teardown),
        cmocka_unit_test_setup_teardown(all_are_asked_where_that_helps, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_reaches_families_beyond, setup, teardown),
        cmocka_unit_test_setup_teardown(families_are_held_out_as_a_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(what_tells_nothing_of_others_is_believed_less, setup, teardown),
        cmocka_unit_test_setup_teardown(intervals_hold_fresh_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_lesson_gives_the_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(files_teach_forecasts, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_of_plans_teach_their_kernels, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_noted_once, setup, teardown),
        cmocka_unit_test(the_page_names_every_feature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
