/* test_placement.c - `ridge place`: what comes out best is within its limits by forecasts made apart from the
 * search, no candidate that was tried is better, what fails does so by its own forecast, and the document
 * obeys its schema.
 */
#include "doc_json.h"
#include "scenario/placement.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const devices[] = {"t4", "h100-sxm"};
static const char *const precisions[] = {"f16", "f16+w=i4g128"};
static const char *const ways[] = {"tp=1", "tp=2"};
static const char *const staged_ways[] = {"tp=2", "tp=2,pp=2"};

static rg_place_opt asked(void)
{
    return (rg_place_opt){
        .size = sizeof(rg_place_opt), .model = "zoo:llama3-8b", .devices = devices,
        .device_count = RG_COUNT(devices), .precisions = precisions, .precision_count = 2, .parallels = ways,
        .parallel_count = RG_COUNT(ways), .prompt = 512, .output = 128, .users = 100, .ttft_s = 0.5,
        .tpot_s = 0.03,
    };
}

/* A few of its candidates: each costs some twenty forecasts. */
static rg_place_opt few(size_t device_count, size_t precision_count, size_t parallel_count)
{
    rg_place_opt opt = asked();
    opt.devices = devices + RG_COUNT(devices) - device_count, opt.device_count = device_count;
    opt.precision_count = precision_count, opt.parallel_count = parallel_count;
    return opt;
}

static rg_place *search(rg_ctx *cx, const rg_place_opt *opt)
{
    rg_place *place = NULL;
    if (rg_place_search(cx, opt, &place)) fail_msg("%s", rg_ctx_error(cx));
    return place;
}

static rg_place *usual; /* as asked, which takes a while */

static int setup(void **state)
{
    const rg_place_opt opt = asked();
    *state = rg_ctx_new(NULL);
    return !*state || rg_place_search(*state, &opt, &usual) ? -1 : 0;
}

static int teardown(void **state)
{
    rg_place_free(usual);
    rg_ctx_free(*state);
    return 0;
}

/* The step and the prompt of a placement without stages, forecast anew. */
static void forecast(rg_ctx *cx, const rg_place *place, const rg_placement *p, int64_t batch,
                     rg_llm_cost *step, rg_llm_cost *prompt)
{
    char parallel[64];
    rg_llm *llm = NULL;
    rg_parallel one = p->parallel;
    one.data = 1;
    rg_llm_setup how = {.model = place->opt.model, .device = place->devices[p->device]->id,
                        .precision = place->precisions[p->precision],
                        .parallel = rg_parallel_print(parallel, sizeof parallel, &one)};
    if (rg_llm_open(cx, &how, &llm)) fail_msg("%s", rg_ctx_error(cx));
    rg_llm_tokens t = {batch, 1, place->opt.prompt + place->opt.output / 2};
    assert_int_equal(rg_llm_step(cx, llm, t, step), RG_OK);
    assert_int_equal(rg_llm_step(cx, llm, (rg_llm_tokens){1, place->opt.prompt, 0}, prompt), RG_OK);
    rg_llm_close(llm);
}

/* The equations of placement.h, for one device a replica. */
static void times_are_those_of_forecasts(void **state)
{
    const rg_place *place = usual;
    const rg_place_opt opt = asked();
    size_t seen = 0;
    assert_true(place->good > 0);
    for (size_t i = 0; i < place->good; i++) {
        const rg_placement *p = &place->all[i];
        rg_llm_cost step, prompt;
        forecast(*state, place, p, p->batch, &step, &prompt);
        double tpot = step.latency_s.value + (double)p->batch / opt.output * prompt.latency_s.value;
        double ttft = step.latency_s.value + prompt.latency_s.value;
        assert_true(fabs(p->tpot_s.value - tpot) < 1e-9 * tpot && fabs(p->ttft_s.value - ttft) < 1e-9 * ttft);
        assert_true(tpot <= opt.tpot_s && ttft <= opt.ttft_s);
        assert_true(p->batch * p->parallel.data >= opt.users && p->batch <= p->most);
        assert_int_equal(p->devices, p->parallel.data * p->parallel.tensor);
        assert_true(step.memory.peak <= p->room_byte);
        seen++;
    }
    assert_true(seen > 3);
}

/* Llama 3 8B keeps 32 layers x 2 x 8 heads x 128 values of 2 bytes of a token: 128 KiB, of which each of
 * tp x pp devices has its share, for all users and not for those alone that are in a stage at a time. */
static void memory_is_of_all_users_at_the_end(void **state)
{
    rg_place_opt opt = few(2, 1, 2);
    opt.parallels = staged_ways;
    rg_place *place = search(*state, &opt);
    size_t staged = 0;
    for (size_t i = 0; i < place->good; i++) {
        const rg_placement *p = &place->all[i];
        double token_byte = 131072.0 / (p->parallel.tensor * p->parallel.pipeline);
        double cache = token_byte * (opt.prompt + opt.output) * (double)p->batch;
        if (fabs(p->memory.cache - cache) > 0.02 * cache)
            fail_msg("tp=%d,pp=%d: %g of %g bytes", p->parallel.tensor, p->parallel.pipeline, p->memory.cache,
                     cache);
        assert_true(p->memory.peak <= p->room_byte);
        staged += p->parallel.pipeline > 1;
    }
    assert_true(staged > 0 && staged < place->good);
    rg_place_free(place);
}

static void the_best_comes_first(void **state)
{
    rg_place_opt opt = few(2, 2, 1);
    opt.goal = "energy";
    rg_place *thrifty = search(*state, &opt);
    const rg_place *const places[] = {usual, thrifty}; /* without prices by devices */
    for (size_t g = 0; g < RG_COUNT(places); g++) {
        const rg_place *place = places[g];
        const rg_placement *best = &place->all[0];
        for (size_t i = 0; i < place->good; i++) {
            const rg_placement *p = &place->all[i];
            assert_true(g ? best->energy_per_token_j <= p->energy_per_token_j : best->devices <= p->devices);
            assert_true(p->verdict == RG_PLACE_GOOD && !p->why);
        }
        assert_true(best->front);
        for (size_t i = place->good; i < place->count; i++) assert_non_null(place->all[i].why);
    }
    rg_place_free(thrifty);
}

/* 16 GB of weights do not fit a T4's 16 GB; 4 bits of them do. */
static void failures_say_why(void **state)
{
    rg_place_opt opt = few(1, 1, 1);
    bool large = false, small = false;
    for (size_t i = 0; i < usual->count; i++) {
        const rg_placement *p = &usual->all[i];
        if (p->device || p->parallel.tensor * p->parallel.pipeline > 1) continue;
        if (p->precision == 0) large = p->verdict == RG_PLACE_MEMORY && p->memory.peak > p->room_byte;
        else small = p->verdict != RG_PLACE_MEMORY;
    }
    assert_true(large && small);
    opt.tpot_s = 1e-4; /* no machine writes ten thousand tokens a second to one user */
    rg_place *place = search(*state, &opt);
    assert_int_equal(place->good, 0);
    assert_null(rg_place_next_smaller(place));
    rg_place_free(place);
}

/* More devices than 31 bits count are within no limit. */
static void too_many_users_need_too_many_devices(void **state)
{
    static const char *const wide[] = {"tp=4", "tp=8"};
    rg_place_opt opt = few(1, 1, 2);
    opt.devices = devices, opt.parallels = wide;
    opt.users = INT32_MAX, opt.prompt = 100000, opt.ttft_s = opt.tpot_s = 0;
    rg_place *place = search(*state, &opt);
    assert_int_equal(place->good, 0);
    for (size_t i = 0; i < place->count; i++) {
        assert_int_equal(place->all[i].verdict, RG_PLACE_DEVICES);
        assert_true(place->all[i].devices > 64);
        assert_non_null(strstr(place->all[i].why, "2147483647 users need "));
    }
    rg_place_free(place);
}

static void wrong_use_is_named(void **state)
{
    rg_ctx *cx = *state;
    rg_place *place = NULL;
    rg_place_opt opt = asked();
    opt.users = 0;
    assert_int_equal(rg_place_search(cx, &opt, &place), RG_USAGE);
    opt = asked(), opt.goal = "beauty";
    assert_int_equal(rg_place_search(cx, &opt, &place), RG_USAGE);
    opt = asked(), opt.parallels = (const char *const[]){"tp=0"}, opt.parallel_count = 1;
    assert_int_equal(rg_place_search(cx, &opt, &place), RG_USAGE);
    opt = few(2, 1, 1), opt.model = "zoo:nosuch"; /* what no candidate can do is no verdict of one */
    assert_int_equal(rg_place_search(cx, &opt, &place), RG_INPUT);
    assert_non_null(strstr(rg_ctx_error(cx), "nosuch"));
    opt = few(1, 1, 1), opt.precisions = (const char *const[]){"f17"};
    assert_int_equal(rg_place_search(cx, &opt, &place), RG_USAGE);
    opt = few(1, 2, 1), opt.precisions = (const char *const[]){"f17", "f16"}; /* some can */
    place = search(cx, &opt);
    assert_true(place->good > 0);
    assert_int_equal(place->all[place->count - 1].verdict, RG_PLACE_ERROR);
    rg_place_free(place);
}

static void document_obeys_its_schema(void **state)
{
    size_t good = 0;
    rg_doc *doc = NULL;
    static const char *const both[] = {"tp=1", "tp=2,pp=2"};
    rg_place_opt opt = few(2, 1, 2); /* one of them does not fit */
    opt.parallels = both;
    assert_int_equal(rg_place_doc(*state, &opt, &good, &doc), RG_OK);
    assert_true(good > 0);
    doc_obeys(*state, doc, "place");
    rg_doc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_those_of_forecasts), cmocka_unit_test(the_best_comes_first),
        cmocka_unit_test(memory_is_of_all_users_at_the_end), cmocka_unit_test(failures_say_why),
        cmocka_unit_test(too_many_users_need_too_many_devices),
        cmocka_unit_test(wrong_use_is_named), cmocka_unit_test(document_obeys_its_schema),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
