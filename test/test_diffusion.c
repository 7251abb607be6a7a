/* test_diffusion.c - images by several models: sums that must hold, what steps, guidance and schedulers do to
 * them, formulas, files of one's own, and what is refused.
 */
#include "report/doc.h"
#include "scenario/diffusion.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

/* On an H100, unless `devices` says otherwise. */
static rg_diffusion_opt on_h100(int steps, const char *guidance)
{
    static const char *const h100[] = {"h100-sxm"};
    return (rg_diffusion_opt){
        .size = sizeof(rg_diffusion_opt), .devices = h100, .device_count = 1, .steps = steps,
        .guidance = guidance, .workers = 1,
    };
}

static rg_diffusion make(rg_ctx *cx, const char *pipeline, const rg_diffusion_opt *opt)
{
    rg_diffusion d;
    rg_err err = rg_diffusion_make(cx, pipeline, opt, &d);
    if (err) print_error("%s\n", rg_ctx_error(cx));
    assert_int_equal(err, RG_OK);
    return d;
}

static void assert_near(double a, double b) { assert_true(fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b))); }

/* ---- sums ---- */

static void the_time_is_the_sum_of_the_parts(void **state)
{
    rg_diffusion_opt opt = on_h100(20, NULL);
    rg_diffusion d = make(*state, "zoo:sd15", &opt);
    const rg_image_cost *c = &d.costs[0];
    double latency_s = 0, energy_j = 0, weight = 0, working = 0, roles = 0;
    assert_int_equal(d.cost_count, 1);
    for (size_t i = 0; i < d.pipeline.part_count; i++) {
        const rg_point *p = rg_diffusion_point(&d, c, i);
        const rg_plan *plan = p->forecast->plan;
        latency_s += (double)rg_diffusion_run(&d, 0, i)->times * p->latency_s.value;
        energy_j += (double)rg_diffusion_run(&d, 0, i)->times * p->energy_j.value;
        weight += plan->weight_byte;
        working = fmax(working, plan->peak_byte - plan->weight_byte - plan->overhead_byte);
    }
    for (int i = 0; i < RG_PART_ROLES; i++) roles += c->role_s[i];
    assert_near(c->latency_s.value, latency_s);
    assert_near(c->latency_s.value, roles + c->transfer_s);
    assert_near(c->energy_j.value, energy_j);
    assert_true(c->latency_s.low < c->latency_s.value && c->latency_s.value < c->latency_s.high);
    assert_near(c->weight_byte, weight);
    assert_near(c->working_byte, working);
    assert_near(c->peak_byte, c->weight_byte + c->working_byte + c->overhead_byte);
    /* two bytes a parameter: 859,520,964 + 123,060,480 + 49,490,199; the decoder's alone keeps what it has */
    assert_true(fabs(c->weight_byte - 2.0 * 1032071643) < 0.01 * c->weight_byte);
    assert_true(c->fits);
    rg_diffusion_done(&d);
}

/* SD 1.5 counts with pndm: a step more than asked. */
static void steps_are_linear(void **state)
{
    double latency_s[3], denoiser_s[3];
    for (int i = 0; i < 3; i++) {
        rg_diffusion_opt opt = on_h100(10 * (i + 1), NULL);
        opt.scheduler = "euler";
        rg_diffusion d = make(*state, "zoo:sd15", &opt);
        latency_s[i] = d.costs[0].latency_s.value;
        denoiser_s[i] = d.costs[0].role_s[RG_PART_DENOISER];
        rg_diffusion_done(&d);
    }
    assert_near(latency_s[2] - latency_s[1], latency_s[1] - latency_s[0]);
    assert_near(denoiser_s[1], 2 * denoiser_s[0]);
    assert_near(denoiser_s[2], 3 * denoiser_s[0]);
}

/* Twice the batch and never twice the time of what is bound by arithmetic, but more than once; the text is
 * read a second time. */
static void guidance_doubles_the_denoiser(void **state)
{
    rg_diffusion_opt with = on_h100(1, "7.5"), without = on_h100(1, "1");
    with.scheduler = without.scheduler = "euler";
    rg_diffusion two = make(*state, "zoo:sd15", &with), one = make(*state, "zoo:sd15", &without);
    assert_int_equal(two.passes, 2);
    assert_int_equal(one.passes, 1);
    assert_int_equal(rg_diffusion_run(&two, 0, 1)->batch, 2);
    assert_int_equal(rg_diffusion_run(&one, 0, 1)->batch, 1);
    const rg_point *a = rg_diffusion_point(&two, two.costs, 1), *b = rg_diffusion_point(&one, one.costs, 1);
    assert_true(rg_point_facts(rg_diffusion_run(&two, 0, 1)->study, a)->mac ==
                2 * rg_point_facts(rg_diffusion_run(&one, 0, 1)->study, b)->mac);
    assert_true(a->latency_s.value > 1.2 * b->latency_s.value);
    assert_near(two.costs[0].role_s[RG_PART_TEXT], 2 * one.costs[0].role_s[RG_PART_TEXT]);
    assert_near(two.costs[0].role_s[RG_PART_DECODER], one.costs[0].role_s[RG_PART_DECODER]);
    rg_diffusion_done(&two);
    rg_diffusion_done(&one);
}

/* FLUX.1 dev has learned its guidance: the scale is an input, whatever it is. */
static void guidance_as_an_input_costs_nothing(void **state)
{
    rg_pipeline p;
    rg_ctx *cx = *state;
    assert_int_equal(rg_pipeline_read(cx, &cx->arena, "zoo:flux-dev", &p), RG_OK);
    assert_int_equal(p.guided, RG_GUIDED_INPUT);
    assert_true(p.guidance > 1);
    assert_int_equal(rg_pipeline_read(cx, &cx->arena, "zoo:sdxl", &p), RG_OK);
    assert_int_equal(p.guided, RG_GUIDED_PASSES);
    assert_int_equal(p.part_count, 4);
}

static void more_images_take_more_but_not_more_each(void **state)
{
    rg_diffusion_opt opt = on_h100(4, NULL);
    opt.images = "1,2,8";
    rg_diffusion d = make(*state, "zoo:sd15", &opt);
    assert_int_equal(d.cost_count, 3);
    for (size_t i = 1; i < 3; i++) {
        const rg_image_cost *few = &d.costs[i - 1], *many = &d.costs[i];
        assert_true(many->latency_s.value >= few->latency_s.value);
        assert_true(many->latency_s.value / d.images.values[i] <=
                    few->latency_s.value / d.images.values[i - 1]);
        assert_true(many->peak_byte > few->peak_byte);
        assert_near(many->weight_byte, few->weight_byte);
        assert_true(rg_diffusion_run(&d, i, 0)->shared); /* one text for all of them */
        assert_near(many->role_s[RG_PART_TEXT], few->role_s[RG_PART_TEXT]);
    }
    rg_diffusion_done(&d);
}

/* One by one: what the largest part needs; every weight crosses the host's link once. */
static void offloading_trades_time_for_memory(void **state)
{
    rg_diffusion_opt opt = on_h100(2, NULL);
    rg_diffusion all = make(*state, "zoo:sd15", &opt);
    opt.offload = true;
    rg_diffusion some = make(*state, "zoo:sd15", &opt);
    double most = 0, link = 63e9; /* data/hw/h100-sxm.json */
    for (size_t i = 0; i < 3; i++)
        most = fmax(most, rg_diffusion_point(&some, some.costs, i)->forecast->plan->peak_byte);
    assert_near(some.costs[0].peak_byte, most);
    assert_true(some.costs[0].peak_byte < all.costs[0].peak_byte);
    assert_true(all.costs[0].transfer_s == 0);
    assert_near(some.costs[0].transfer_s, all.costs[0].weight_byte / link + 3e-6);
    assert_near(some.costs[0].latency_s.value, all.costs[0].latency_s.value + some.costs[0].transfer_s);
    rg_diffusion_done(&all);
    rg_diffusion_done(&some);
}

/* ---- schedulers ---- */

static void schedulers_count_evaluations(void **state)
{
    static const struct { const char *name; int64_t steps, evaluations; } rows[] = {
        {"euler", 30, 30}, {"ddim", 50, 50}, {"dpm++2m", 20, 20}, {"lcm", 4, 4}, {"unipc", 10, 10},
        {"pndm", 50, 51}, {"heun", 20, 39}, {"heun", 1, 1}, {"dpm++sde", 10, 19}, {"flow-euler", 28, 28},
    };
    int64_t x = 0;
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        assert_int_equal(rg_scheduler_evaluations(*state, rows[i].name, rows[i].steps, &x), RG_OK);
        assert_int_equal(x, rows[i].evaluations);
    }
    assert_int_equal(rg_scheduler_evaluations(*state, "eule", 1, &x), RG_INPUT);
    assert_non_null(strstr(rg_ctx_error(*state), "scheduler 'eule' is not known; there are: euler, "));
}

/* ---- formulas ---- */

static void formulas_are_exact(void **state)
{
    static const rg_pipeline_sizes sizes = {1024, 768, 4, 77, 2, 30};
    static const struct { const char *text; rg_err err; int64_t x; } rows[] = {
        {"height/8", RG_OK, 128}, {"images*passes", RG_OK, 8}, {"77+tokens", RG_OK, 154},
        {"height/16*(width/16)", RG_OK, 3072}, {"2 * ( evaluations - 1 )", RG_OK, 58}, {"7", RG_OK, 7},
        {"height/5", RG_INPUT, 0}, {"height/0", RG_INPUT, 0}, {"1-1", RG_INPUT, 0},
        {"height*9223372036854775807", RG_INPUT, 0}, {"99999999999999999999", RG_FORMAT, 0},
        {"1-(0-9223372036854775807-1)", RG_INPUT, 0}, {"(0-9223372036854775807-1)/(0-1)", RG_INPUT, 0},
        {"", RG_FORMAT, 0}, {"heigh", RG_FORMAT, 0}, {"2*", RG_FORMAT, 0}, {"(2", RG_FORMAT, 0},
        {"2)", RG_FORMAT, 0}, {"2 3", RG_FORMAT, 0},
        {"((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))", RG_FORMAT, 0},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        int64_t x = 0;
        assert_int_equal(rg_formula(*state, rows[i].text, &sizes, &x), rows[i].err);
        if (!rows[i].err) assert_int_equal(x, rows[i].x);
    }
    const char *shape = NULL;
    rg_ctx *cx = *state;
    assert_int_equal(rg_formula_shape(cx, &cx->arena, "height=height/8,seq=tokens", &sizes, &shape), RG_OK);
    assert_string_equal(shape, "height=128,seq=77");
    assert_int_equal(rg_formula_shape(cx, &cx->arena, "height", &sizes, &shape), RG_FORMAT);
}

/* ---- files ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

#define HEAD "{\"schema\": \"ridge.pipeline/1\", \"name\": \"mine\", \"height\": 64, \"width\": 64, " \
             "\"steps\": 2, \"scheduler\": \"euler\", \"precision\": \"f16\", "

static void a_file_of_ones_own_is_a_pipeline(void **state)
{
    const char *path = "test_diffusion_pipeline.json";
    rg_ctx *cx = *state;
    rg_pipeline p;
    rg_diffusion_opt opt = on_h100(0, NULL);
    write_file(path, HEAD "\"parts\": [{\"name\": \"net\", \"role\": \"denoiser\", \"model\": \"zoo:mlp\", "
                          "\"batch\": \"images\", \"times\": \"2*evaluations\"}]}");
    rg_diffusion d = make(cx, path, &opt);
    assert_int_equal(rg_diffusion_run(&d, 0, 0)->times, 4);
    assert_near(d.costs[0].latency_s.value, 4 * rg_diffusion_point(&d, d.costs, 0)->latency_s.value);
    rg_diffusion_done(&d);
    write_file(path, HEAD "\"parts\": [{\"name\": \"net\", \"role\": \"denoiser\", "
                          "\"model\": \"a/b.onnx\"}]}");
    assert_int_equal(rg_pipeline_read(cx, &cx->arena, path, &p), RG_OK);
    assert_string_equal(p.parts[0].model, "./a/b.onnx");
    assert_int_equal(p.tokens, 77);
    write_file(path, HEAD "\"parts\": []}");
    assert_int_equal(rg_pipeline_read(cx, &cx->arena, path, &p), RG_FORMAT);
    write_file(path, HEAD "\"parts\": [{\"name\": \"net\", \"role\": \"dreamer\", \"model\": \"zoo:mlp\"}]}");
    assert_int_equal(rg_pipeline_read(cx, &cx->arena, path, &p), RG_FORMAT);
    assert_non_null(strstr(rg_ctx_error(cx), path));
    remove(path);
}

/* Every file of data/pipeline reads, and its formulas hold at its own sizes. */
static void every_pipeline_holds_together(void **state)
{
    rg_ctx *cx = *state;
    const char *const *names;
    size_t count;
    assert_int_equal(rg_data_list(cx, "pipeline", &names, &count), RG_OK);
    assert_int_equal(count, 7);
    for (size_t i = 0; i < count; i++) {
        rg_pipeline p;
        const char *shape, *model = rg_arena_printf(&cx->arena, "zoo:%s", names[i]);
        int64_t x = 0;
        assert_int_equal(rg_pipeline_read(cx, &cx->arena, model, &p), RG_OK);
        assert_int_equal(rg_scheduler_evaluations(cx, p.scheduler, p.steps, &x), RG_OK);
        rg_pipeline_sizes sizes = {p.height, p.width, 1, p.tokens, 2, x};
        for (size_t k = 0; k < p.part_count; k++) {
            rg_load_opt opt = {.size = sizeof opt};
            const rg_graph *g = NULL;
            assert_int_equal(rg_formula_shape(cx, &cx->arena, p.parts[k].shape, &sizes, &shape), RG_OK);
            opt.shape = shape;
            assert_int_equal(rg_formula(cx, p.parts[k].batch, &sizes, &x), RG_OK);
            opt.batch = (int)x, opt.raw = true;
            rg_err err = rg_graph_load(cx, p.parts[k].model, &opt, &g);
            if (err) print_error("%s: %s: %s\n", names[i], p.parts[k].model, rg_ctx_error(cx));
            assert_int_equal(err, RG_OK);
            rg_graph_free(g);
        }
    }
}

/* ---- what is refused ---- */

static void assert_refused(rg_ctx *cx, const char *pipeline, rg_diffusion_opt opt, rg_err wanted,
                           const char *text)
{
    rg_diffusion d;
    assert_int_equal(rg_diffusion_make(cx, pipeline, &opt, &d), wanted);
    if (!strstr(rg_ctx_error(cx), text)) print_error("%s\n", rg_ctx_error(cx));
    assert_non_null(strstr(rg_ctx_error(cx), text));
    rg_diffusion_done(&d);
}

static void what_makes_no_sense_is_refused(void **state)
{
    rg_diffusion_opt plain = on_h100(1, NULL), opt = plain;
    const rg_graph *g = NULL;
    assert_refused(*state, "zoo:sdx", plain, RG_INPUT, "zoo:sdx: no such pipeline; there are: zoo:flux-dev");
    assert_refused(*state, "zoo:resnet50", plain, RG_INPUT, "is one model, no pipeline: see 'ridge predict'");
    assert_refused(*state, "no/such.json", plain, RG_INPUT, "no/such.json");
    opt.width = 1001;
    assert_refused(*state, "zoo:sd15", opt, RG_INPUT, "1001 is no multiple of 8");
    opt = plain, opt.steps = -1;
    assert_refused(*state, "zoo:sd15", opt, RG_USAGE, "--steps: -1 is negative");
    opt = plain, opt.guidance = "much";
    assert_refused(*state, "zoo:sd15", opt, RG_USAGE, "--guidance: 'much' is no number");
    opt = plain, opt.images = "1.5";
    assert_refused(*state, "zoo:sd15", opt, RG_USAGE, "--images: 1.5 is no whole number");
    opt.images = "1..1e9";
    assert_refused(*state, "zoo:sd15", opt, RG_LIMIT, "--images: 131072 at once exceed 65536");
    assert_int_equal(rg_graph_load(*state, "zoo:sdxl", NULL, &g), RG_INPUT);
    assert_non_null(strstr(rg_ctx_error(*state), "ridge diffusion"));
    assert_non_null(strstr(rg_ctx_error(*state), "zoo:sdxl-unet"));
}

/* ---- the document ---- */

static void the_document_says_all_of_it(void **state)
{
    static const char *const devices[] = {"h100-sxm", "rtx-4090"};
    rg_diffusion_opt opt = on_h100(4, "1");
    rg_doc *doc = NULL;
    size_t failed = 9;
    double parts_s = 0, latency_s = 0, x = 0;
    const char *text = NULL;
    opt.devices = devices, opt.device_count = 2, opt.explain = 2;
    assert_int_equal(rg_diffusion_doc(*state, "zoo:sd15", &opt, &failed, &doc), RG_OK);
    assert_int_equal(failed, 0);
    assert_true(rg_doc_string(doc, "schema", &text));
    assert_string_equal(text, "ridge.diffusion/1");
    assert_true(rg_doc_number(doc, "pipeline.evaluations", &x) && x == 5);
    assert_true(rg_doc_number(doc, "pipeline.parameters", &x) && x == 1032071643);
    assert_true(rg_doc_number(doc, "results[0].latency_s.value", &latency_s));
    for (int i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "results[0].parts[%d].total_s", i);
        assert_true(rg_doc_number(doc, path, &x));
        parts_s += x;
    }
    assert_near(parts_s, latency_s);
    assert_true(rg_doc_string(doc, "results[1].device", &text));
    assert_string_equal(text, "rtx-4090");
    assert_true(rg_doc_number(doc, "results[1].latency_s.value", &x) && x > latency_s);
    assert_true(rg_doc_string(doc, "results[0].parts[1].top[0].why", &text));
    assert_true(rg_doc_string(doc, "verdict.text", &text));
    assert_non_null(strstr(text, "h100-sxm"));
    for (const char *format = "text"; format; format = strcmp(format, "text") == 0 ? "html" : NULL) {
        FILE *out = tmpfile();
        assert_non_null(out);
        assert_int_equal(rg_doc_write(*state, doc, format, out), RG_OK);
        fclose(out);
    }
    rg_doc_free(doc);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_time_is_the_sum_of_the_parts),
        TEST(steps_are_linear),
        TEST(guidance_doubles_the_denoiser),
        TEST(guidance_as_an_input_costs_nothing),
        TEST(more_images_take_more_but_not_more_each),
        TEST(offloading_trades_time_for_memory),
        TEST(schedulers_count_evaluations),
        TEST(formulas_are_exact),
        TEST(a_file_of_ones_own_is_a_pipeline),
        TEST(every_pipeline_holds_together),
        TEST(what_makes_no_sense_is_refused),
        TEST(the_document_says_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
