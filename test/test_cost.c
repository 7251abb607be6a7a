/* test_cost.c - money, electricity and carbon: the equations against sums done by hand, what is refused,
 * which figures of the tables hold for a device, the tables themselves, and the documents that show all this.
 */
#include "doc_json.h"
#include "predict/cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static rg_estimate exactly(double x) { return (rg_estimate){x, x, x}; }

static void assert_near(double got, double wanted)
{
    if (!(fabs(got - wanted) <= 1e-12 * fmax(fabs(wanted), 1e-300)))
        fail_msg("got %.17g, expected %.17g", got, wanted);
}

/* ---- the equations ---- */

/* One second at 360 W on a machine of $3.60 an hour: a tenth of a cent, a tenth of a watt hour. */
static void a_busy_second(void **state)
{
    (void)state;
    rg_cost_rates rates = {.usd_per_h = 3.6, .usd_per_kwh = 0.5, .g_per_kwh = 400, .utilization = 1, .pue = 1,
                           .idle_w = 100};
    rg_cost cost;
    rg_cost_once(&rates, exactly(1), exactly(360), &cost);
    assert_near(cost.machine_usd.value, 0.001);
    assert_near(cost.energy_wh.value, 0.1);
    assert_near(cost.energy_usd.value, 0.00005);
    assert_near(cost.usd.value, 0.00105);
    assert_near(cost.carbon_g.value, 0.04);
}

/* Half of the time idle: twice the rent, and a second at 100 W beside the one at 360; PUE on both. */
static void idle_time_is_paid(void **state)
{
    (void)state;
    rg_cost_rates rates = {.usd_per_h = 3.6, .g_per_kwh = 400, .utilization = 0.5, .pue = 1.25,
                           .idle_w = 100};
    rg_cost cost;
    rg_cost_once(&rates, exactly(1), exactly(360), &cost);
    assert_near(cost.usd.value, 0.002);
    assert_near(cost.energy_wh.value, 1.25 * 460 / 3600);
    assert_near(cost.carbon_g.value, 400 * 1.25 * 460 / 3.6e6);
}

static void intervals_go_through(void **state)
{
    (void)state;
    rg_cost_rates rates = {.usd_per_h = 36, .g_per_kwh = 1000, .utilization = 1, .pue = 1, .idle_w = 50};
    rg_estimate time = {0.2, 0.1, 0.4}, energy = {36, 18, 72};
    rg_cost cost;
    rg_cost_once(&rates, time, energy, &cost);
    assert_near(cost.usd.low, 0.001);
    assert_near(cost.usd.value, 0.002);
    assert_near(cost.usd.high, 0.004);
    assert_near(cost.carbon_g.low, 0.005);
    assert_near(cost.carbon_g.high, 0.02);
    rg_cost many = rg_cost_times(&cost, 1e6);
    assert_near(many.usd.low, 1000);
    assert_near(many.carbon_g.high, 20000);
}

/* What an hour costs is what its inferences cost. */
static void an_hour_is_its_inferences(void **state)
{
    (void)state;
    rg_cost_rates rates = {.usd_per_h = 4, .usd_per_kwh = 0.3, .g_per_kwh = 250, .utilization = 0.4,
                           .pue = 1.2, .idle_w = 60};
    double time_s = 0.02, power_w = 300, inferences = 0.4 * 3600 / time_s;
    rg_cost one, hour;
    rg_cost_once(&rates, exactly(time_s), exactly(power_w * time_s), &one);
    rg_cost_hour(&rates, exactly(power_w), &hour);
    assert_near(hour.machine_usd.value, 4);
    assert_near(hour.energy_wh.value, 1.2 * (0.4 * 300 + 0.6 * 60));
    assert_near(one.usd.value * inferences, hour.usd.value);
    assert_near(one.carbon_g.value * inferences, hour.carbon_g.value);
}

static void an_unknown_price_stays_unknown(void **state)
{
    (void)state;
    rg_cost_rates rates = {.usd_per_h = NAN, .g_per_kwh = 100, .utilization = 1, .pue = 1};
    rg_cost cost;
    rg_cost_once(&rates, exactly(1), exactly(3.6e6), &cost);
    assert_true(isnan(cost.usd.value));
    assert_near(cost.carbon_g.value, 100);
}

/* Four years have 35064 hours. */
static void a_machine_is_written_off(void **state)
{
    (void)state;
    assert_near(rg_cost_write_off(35064, 4), 1);
    assert_near(rg_cost_write_off(0, 4), 0);
}

static void days_are_counted(void **state)
{
    static const struct { const char *date; int64_t day; } rows[] = {
        {"1970-01-01", 0}, {"1970-03-01", 59}, {"2000-02-29", 11016}, {"2000-03-01", 11017},
        {"2026-09-25", 20721},
    };
    static const char *const wrong[] = {"", "2026", "2026-9-25", "2026-13-01", "2026-00-01", "2026-04-32",
                                        "2026-09-2x", "1969-12-31", "20260925", "2026-09-251"};
    int64_t day;
    (void)state;
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        assert_true(rg_day_read(rows[i].date, &day));
        assert_int_equal(day, rows[i].day);
    }
    for (size_t i = 0; i < RG_COUNT(wrong); i++)
        if (rg_day_read(wrong[i], &day)) fail_msg("'%s' is taken for a day", wrong[i]);
}

/* ---- what was asked for ---- */

static const char today[] = "2026-10-01";

/* Only its figures and its words outlive the rates. */
static void card_of(const rg_rates_opt *asked, const char *device_id, rg_rate_card *card)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_rates_opt opt = *asked;
    const rg_rates *rates;
    const rg_device *device;
    opt.size = sizeof opt;
    opt.today = today;
    if (rg_rates_new(cx, &opt, &rates)) fail_msg("%s", rg_ctx_error(cx));
    if (rg_device_find(cx, device_id, &device)) fail_msg("%s", rg_ctx_error(cx));
    rg_rates_for(rates, device, card);
    rg_device_free(device);
    rg_rates_free(rates);
    rg_ctx_free(cx);
}

static void a_typed_price_is_the_price(void **state)
{
    (void)state;
    rg_rate_card card;
    card_of(&(rg_rates_opt){.price = "2.5", .utilization = 0.5, .pue = 1.3}, "t4", &card);
    assert_near(card.rates.usd_per_h, 2.5);
    assert_near(card.rates.utilization, 0.5);
    assert_near(card.rates.pue, 1.3);
    assert_near(card.rates.g_per_kwh, 481); /* Ember, mean of the world in 2023 */
    assert_null(card.missing);
}

/* $55.04 for eight of them. */
static void a_machine_is_shared_by_its_devices(void **state)
{
    (void)state;
    rg_rate_card card;
    card_of(&(rg_rates_opt){.price = "aws:p5.48xlarge@us-east-1"}, "h100-sxm", &card);
    assert_near(card.rates.usd_per_h, 6.88);
    assert_int_equal(card.age_days, 6); /* from 2026-09-25 */
    assert_near(card.rates.usd_per_kwh, 0);
    assert_near(card.rates.g_per_kwh, 369.473); /* of the United States, where the region publishes none */
}

static void any_is_the_cheapest(void **state)
{
    (void)state;
    rg_rate_card all, one;
    card_of(&(rg_rates_opt){.price = "any"}, "h100-sxm", &all);
    card_of(&(rg_rates_opt){.price = "azure"}, "h100-sxm", &one);
    assert_near(one.rates.usd_per_h, 98.32 / 8);
    assert_true(all.rates.usd_per_h < one.rates.usd_per_h);
}

static void spot_is_another_price(void **state)
{
    (void)state;
    rg_rate_card card;
    card_of(&(rg_rates_opt){.price = "gcp:a2-highgpu-1g", .spot = true}, "a100-sxm-40gb", &card);
    assert_near(card.rates.usd_per_h, 2.20401);
    card_of(&(rg_rates_opt){.price = "aws:inf2.xlarge", .spot = true}, "inferentia2", &card);
    assert_true(isnan(card.rates.usd_per_h));
    assert_non_null(strstr(card.missing, "spot"));
    card_of(&(rg_rates_opt){.price = "aws:p5.48xlarge"}, "t4", &card);
    assert_true(isnan(card.rates.usd_per_h));
    assert_non_null(strstr(card.missing, "device"));
}

/* 35064 hours; two devices share the machine; electricity is paid beside it. */
static void a_machine_of_ones_own(void **state)
{
    (void)state;
    rg_rate_card card;
    card_of(&(rg_rates_opt){.owned = "price_usd=70128,years=4,tariff_usd_per_kwh=0.12,devices=2,"
                                     "utilization=0.6,pue=1.2", .region = "Germany"}, "h100-sxm", &card);
    assert_near(card.rates.usd_per_h, 1);
    assert_near(card.rates.usd_per_kwh, 0.12);
    assert_near(card.rates.utilization, 0.6);
    assert_near(card.rates.pue, 1.2);
    assert_near(card.rates.g_per_kwh, 380.95);
}

static void regions_go_by_many_names(void **state)
{
    static const char *const names[] = {"de", "DEU", "germany", "aws:eu-central-1"};
    (void)state;
    for (size_t i = 0; i < RG_COUNT(names); i++) {
        rg_rate_card card;
        card_of(&(rg_rates_opt){.region = names[i]}, "t4", &card);
        assert_near(card.rates.g_per_kwh, 380.95);
        assert_true(isnan(card.rates.usd_per_h));
    }
}

static void what_is_refused(void **state)
{
    static const struct { rg_rates_opt opt; rg_err err; const char *words; } rows[] = {
        {{.price = "awz"}, RG_INPUT, "aws"},
        {{.price = "aws:p5.48xlrge"}, RG_INPUT, "aws:p5.48xlarge"},
        {{.price = "aws:p5.48xlarge@mars"}, RG_INPUT, "ridge prices"},
        {{.price = "-1"}, RG_USAGE, "-1"},
        {{.price = "1e999"}, RG_USAGE, "inf"},
        {{.price = "1", .spot = true}, RG_USAGE, "--spot"},
        {{.spot = true}, RG_USAGE, "--spot"},
        {{.region = "germny"}, RG_INPUT, "Germany"},
        {{.region = "aws:eu-central-9"}, RG_INPUT, "aws:eu-central-1"},
        {{.utilization = 1.5}, RG_USAGE, "1.5"},
        {{.utilization = -1}, RG_USAGE, "-1"},
        {{.utilization = NAN}, RG_USAGE, "--utilization"},
        {{.pue = 0.5}, RG_USAGE, "0.5"},
        {{.price = "1", .owned = "price_usd=1,years=1,tariff_usd_per_kwh=1"}, RG_USAGE, "owned or rented"},
        {{.owned = "years=1,tariff_usd_per_kwh=1"}, RG_USAGE, "price_usd is missing"},
        {{.owned = "price_usd=1,years=0,tariff_usd_per_kwh=1"}, RG_USAGE, "years"},
        {{.owned = "price_usd=x"}, RG_USAGE, "'x'"},
        {{.owned = "cost=1"}, RG_USAGE, "'cost'"},
        {{.owned = ""}, RG_USAGE, "missing"},
        {{.price = "1", .today = "tomorrow"}, RG_USAGE, "tomorrow"},
    };
    (void)state;
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_ctx *cx = rg_ctx_new(NULL);
        rg_rates_opt opt = rows[i].opt;
        const rg_rates *rates;
        opt.size = sizeof opt;
        rg_err err = rg_rates_new(cx, &opt, &rates);
        if (err != rows[i].err || !strstr(rg_ctx_error(cx), rows[i].words))
            fail_msg("row %zu: error %d, '%s'", i, err, rg_ctx_error(cx));
        assert_null(rates);
        rg_ctx_free(cx);
    }
}

/* ---- the end of memory ---- */

typedef struct meter { long left, given, returned; } meter;

static void *metered_alloc(void *user, size_t size)
{
    meter *m = user;
    void *block = m->left-- > 0 ? calloc(1, size) : NULL;
    if (block) m->given++;
    return block;
}

static void metered_free(void *user, void *block)
{
    meter *m = user;
    if (block) m->returned++;
    free(block);
}

/* Wherever memory ends, that is the answer, and every block comes back. */
static void memory_may_end_anywhere(void **state)
{
    rg_err err = RG_NOMEM;
    (void)state;
    for (long n = 1; err && n < 1000; n++) {
        meter m = {.left = n};
        rg_ctx_opt ctx_opt = {.size = sizeof ctx_opt, .alloc = metered_alloc, .free = metered_free,
                              .user = &m};
        rg_rates_opt opt = {.size = sizeof opt, .price = "any", .region = "de", .today = today};
        const rg_rates *rates = NULL;
        rg_doc *prices = NULL;
        rg_ctx *cx = rg_ctx_new(&ctx_opt);
        if (!cx) continue;
        err = rg_rates_new(cx, &opt, &rates);
        if (!err) err = rg_prices_doc(cx, NULL, 0, &prices);
        if (err) assert_int_equal(err, RG_NOMEM);
        rg_doc_free(prices);
        rg_rates_free(rates);
        rg_ctx_free(cx);
        assert_int_equal(m.given, m.returned);
    }
    assert_int_equal(err, RG_OK);
}

/* ---- the tables ---- */

static void prices_are_of_devices_that_we_have(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    const rg_price *rows;
    const char *const *ids;
    size_t count, id_count;
    (void)state;
    assert_int_equal(rg_prices_read(cx, &cx->arena, &rows, &count), RG_OK);
    assert_int_equal(rg_device_ids(cx, &ids, &id_count), RG_OK);
    assert_true(count >= 60);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t k = 0; k < id_count; k++) known |= strcmp(rows[i].device, ids[k]) == 0;
        if (!known) fail_msg("%s:%s: no device %s", rows[i].provider, rows[i].instance, rows[i].device);
        if (rows[i].spot_usd_per_h > rows[i].on_demand_usd_per_h)
            fail_msg("%s:%s: spot is dearer", rows[i].provider, rows[i].instance);
        for (size_t k = 0; k < i; k++) {
            const char *a = rows[i].region ? rows[i].region : "", *b = rows[k].region ? rows[k].region : "";
            if (strcmp(rows[i].instance, rows[k].instance) == 0 && strcmp(a, b) == 0 &&
                strcmp(rows[i].provider, rows[k].provider) == 0)
                fail_msg("%s:%s@%s stands twice", rows[i].provider, rows[i].instance, a);
        }
    }
    rg_ctx_free(cx);
}

/* Figures of the published tables, and no name that stands for two grids. */
static void grids_are_as_published(void **state)
{
    static const struct { const char *id; double g_per_kwh; } published[] = {
        {"fr", 56.039}, {"pl", 661.926}, {"in", 713.441}, {"us", 369.473}, {"gcp:europe-west9", 34},
        {"gcp:us-central1", 430}, {"gcp:me-central1", 575}, {"aws:eu-north-1", 40.695}, {"world", 481},
    };
    rg_ctx *cx = rg_ctx_new(NULL);
    const rg_grid *rows;
    size_t count;
    (void)state;
    assert_int_equal(rg_grids_read(cx, &cx->arena, &rows, &count), RG_OK);
    assert_true(count >= 213 + 40 + 1);
    for (size_t i = 0; i < RG_COUNT(published); i++) {
        const rg_grid *g = rg_grid_named(rows, count, published[i].id);
        assert_non_null(g);
        assert_near(g->g_per_kwh, published[i].g_per_kwh);
    }
    for (size_t i = 0; i < count; i++)
        if (rg_grid_named(rows, count, rows[i].id) != &rows[i]) fail_msg("%s stands twice", rows[i].id);
    rg_ctx_free(cx);
}

static bool wants(json_t *schema, const char *key)
{
    json_t *properties = json_object_get(schema, "properties");
    return json_object_get(properties, key) && json_is_false(json_object_get(schema, "additionalProperties"));
}

/* The schemas of the files name what the readers take. */
static void the_files_have_schemas(void **state)
{
    static const struct { const char *path, *list, *key; } rows[] = {
        {"price_list", "prices", "spot_usd_per_h"}, {"carbon", "regions", "g_per_kwh"},
    };
    (void)state;
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/data/schema/%s.schema.json", RG_SOURCE_ROOT, rows[i].path);
        json_t *schema = json_load_file(path, 0, NULL);
        if (!schema) fail_msg("%s is not readable", path);
        json_t *list = json_object_get(json_object_get(schema, "properties"), rows[i].list);
        assert_true(wants(json_object_get(list, "items"), rows[i].key));
        json_decref(schema);
    }
}

/* ---- documents ---- */

static void must(rg_ctx *cx, rg_err err)
{
    if (err) fail_msg("%s", rg_ctx_error(cx));
}

static char *print_as(rg_ctx *cx, const rg_doc *doc, const char *format)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    must(cx, rg_doc_write(cx, doc, format, out));
    fclose(out);
    return text;
}

static double figure(const rg_doc *doc, const char *path)
{
    double x = NAN;
    if (!rg_doc_number(doc, path, &x)) fail_msg("no number at %s", path);
    return x;
}

/* Two texts of 64 tokens. */
static void forecast_doc(rg_ctx *cx, const rg_rates *rates, rg_doc **doc)
{
    const rg_graph *graph;
    const rg_device *device;
    const rg_runtime *runtime;
    const rg_plan *plan;
    const rg_forecast *forecast;
    rg_forecast_opt opt = {.size = sizeof opt, .rates = rates};
    rg_load_opt load = {.size = sizeof load, .batch = 2, .shape = "seq=64"};
    must(cx, rg_graph_load(cx, "zoo:bert-base", &load, &graph));
    must(cx, rg_device_find(cx, "h100-sxm", &device));
    must(cx, rg_runtime_find(cx, NULL, device, &runtime));
    must(cx, rg_plan_make(cx, graph, device, runtime, NULL, &plan));
    must(cx, rg_forecast_make(cx, plan, &opt, &forecast));
    must(cx, rg_forecast_doc(cx, &forecast, 1, 1, doc));
    rg_forecast_free(forecast);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_device_free(device);
    rg_graph_free(graph);
}

static void a_forecast_tells_its_costs(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_rates_opt opt = {.size = sizeof opt, .price = "aws:p5.48xlarge@us-east-1", .utilization = 0.5,
                        .region = "fr", .today = "2027-09-25"};
    const rg_rates *rates;
    rg_doc *doc;
    (void)state;
    must(cx, rg_rates_new(cx, &opt, &rates));
    forecast_doc(cx, rates, &doc);
    rg_rates_free(rates);
    doc_obeys(cx, doc, "predict");
    double once = figure(doc, "results[0].cost_usd.value");
    double time_s = figure(doc, "results[0].latency_s.value");
    assert_near(once, 6.88 * time_s / 0.5 / 3600);
    assert_near(figure(doc, "results[0].cost.per[1].cost_usd.value"), once / 2); /* an input */
    const char *per;
    assert_true(rg_doc_string(doc, "results[0].cost.per[4].per", &per));
    assert_string_equal(per, "M tokens");
    assert_near(figure(doc, "results[0].cost.per[4].inferences"), 1e6 / 128);
    double wh = figure(doc, "results[0].cost.per[0].energy_wh.value");
    assert_near(figure(doc, "results[0].carbon_g.value"), wh / 1000 * 56.039);
    assert_near(figure(doc, "results[0].cost.price.age_days"), 365);
    char *text = print_as(cx, doc, "text");
    assert_non_null(strstr(text, "(stale,"));
    assert_non_null(strstr(text, "M tokens"));
    assert_non_null(strstr(text, "France"));
    free(text);
    rg_doc_free(doc);
    rg_ctx_free(cx);
}

static void nothing_is_told_that_nobody_asked(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc;
    double x;
    (void)state;
    forecast_doc(cx, NULL, &doc);
    doc_obeys(cx, doc, "predict");
    assert_false(rg_doc_number(doc, "results[0].cost_usd.value", &x));
    char *text = print_as(cx, doc, "text");
    assert_null(strstr(text, "CO2"));
    free(text);
    rg_doc_free(doc);
    rg_ctx_free(cx);
}

/* Every device gets its own price; those without one come last; nothing is added that was not asked for. */
static void a_comparison_sorts_by_cost(void **state)
{
    static const char *const models[] = {"zoo:mlp"}, *const devices[] = {"raspberry-pi-5", "h100-sxm", "t4"};
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_rates_opt opt = {.size = sizeof opt, .price = "any", .today = today};
    rg_study_opt asked = {.size = sizeof asked, .models = models, .model_count = 1, .devices = devices,
                          .device_count = 3};
    rg_study *study;
    rg_doc *doc;
    double x;
    (void)state;
    must(cx, rg_rates_new(cx, &opt, &asked.rates));
    must(cx, rg_study_make(cx, &asked, &study));
    rg_rates_free(asked.rates);
    must(cx, rg_compare_doc(cx, study, NULL, "cost", 0, &doc));
    doc_obeys(cx, doc, "compare");
    double first = figure(doc, "results[0].cost_per_million_inputs_usd");
    assert_true(first <= figure(doc, "results[1].cost_per_million_inputs_usd"));
    assert_false(rg_doc_number(doc, "results[2].cost_per_million_inputs_usd", &x));
    assert_true(rg_doc_number(doc, "results[2].carbon_g.value", &x));
    char *text = print_as(cx, doc, "text");
    assert_non_null(strstr(text, "$/M inputs"));
    free(text);
    rg_doc_free(doc);
    rg_study_free(study);
    asked.rates = NULL;
    must(cx, rg_study_make(cx, &asked, &study));
    must(cx, rg_compare_doc(cx, study, NULL, NULL, 0, &doc));
    doc_obeys(cx, doc, "compare");
    text = print_as(cx, doc, "text");
    assert_null(strstr(text, "$/M inputs"));
    free(text);
    rg_doc_free(doc);
    rg_study_free(study);
    rg_ctx_free(cx);
}

static void the_tables_are_documents(void **state)
{
    static const char *const words[] = {"H100", "inf2"}, *const places[] = {"germany"};
    static const char *const none[] = {"mars"};
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc;
    const char *id;
    (void)state;
    must(cx, rg_prices_doc(cx, NULL, 0, &doc));
    doc_obeys(cx, doc, "prices");
    rg_doc_free(doc);
    must(cx, rg_prices_doc(cx, words, 2, &doc));
    char *text = print_as(cx, doc, "text");
    assert_non_null(strstr(text, "aws:inf2.xlarge@us-east-1"));
    assert_null(strstr(text, "g4dn"));
    free(text);
    rg_doc_free(doc);
    must(cx, rg_regions_doc(cx, NULL, 0, &doc));
    doc_obeys(cx, doc, "regions");
    rg_doc_free(doc);
    must(cx, rg_regions_doc(cx, places, 1, &doc));
    assert_true(rg_doc_string(doc, "regions[0].id", &id));
    rg_doc_free(doc);
    assert_int_equal(rg_prices_doc(cx, none, 1, &doc), RG_INPUT);
    assert_int_equal(rg_regions_doc(cx, none, 1, &doc), RG_INPUT);
    rg_ctx_free(cx);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_busy_second), TEST(idle_time_is_paid), TEST(intervals_go_through),
        TEST(an_hour_is_its_inferences), TEST(an_unknown_price_stays_unknown), TEST(a_machine_is_written_off),
        TEST(days_are_counted), TEST(a_typed_price_is_the_price), TEST(a_machine_is_shared_by_its_devices),
        TEST(any_is_the_cheapest), TEST(spot_is_another_price), TEST(a_machine_of_ones_own),
        TEST(regions_go_by_many_names), TEST(what_is_refused), TEST(memory_may_end_anywhere),
        TEST(prices_are_of_devices_that_we_have),
        TEST(grids_are_as_published), TEST(the_files_have_schemas), TEST(a_forecast_tells_its_costs),
        TEST(nothing_is_told_that_nobody_asked), TEST(a_comparison_sorts_by_cost),
        TEST(the_tables_are_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
