/* test_study.c - many forecasts at once: which points there are and in what order, that each says what a
 * forecast of its own would say, that no number of threads changes a byte, and what becomes of those that
 * cannot be.
 */
#include "format/zoo.h"
#include "study_make.h"

/* ---- the points ---- */

static void points_are_in_order(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, "zoo:mlp", TINY), LIST(device, "t4", "xeon-8480"),
                                    LIST(runtime, "native", "pytorch-eager"), .precision = "model,i8",
                                    .batch = "1,2,4", .core_mhz = "900,1000"));
    size_t i = 0;
    assert_int_equal(s->point_count, 2 * 2 * 2 * 2 * 3 * 2);
    for (uint32_t model = 0; model < 2; model++)
        for (uint32_t device = 0; device < 2; device++)
            for (uint32_t runtime = 0; runtime < 2; runtime++)
                for (uint32_t precision = 0; precision < 2; precision++)
                    for (uint32_t batch = 0; batch < 3; batch++)
                        for (uint32_t clock = 0; clock < 2; clock++, i++) {
                            const rg_point *p = &s->points[i];
                            assert_int_equal(p->model, model);
                            assert_int_equal(p->device, device);
                            assert_int_equal(p->runtime, runtime);
                            assert_int_equal(p->precision, precision);
                            assert_int_equal(p->inputs, 1 << batch);
                            assert_same(p->core_hz, clock ? 1e9 : 0.9e9);
                        }
    assert_string_equal(s->labels[0], "mlp");
    assert_string_equal(s->labels[1], "tiny_cnn");
    assert_string_equal(s->runtimes[1]->id, "pytorch-eager");
    rg_study_free(s);
}

/* The long way, with nothing shared. */
static void forecast_alone(rg_ctx *cx, const rg_study *s, const rg_point *p, const rg_forecast **out)
{
    const rg_graph *graph = NULL;
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    char shape[32] = "";
    rg_load_opt load = {.size = sizeof load};
    rg_plan_opt plan_opt = {.size = sizeof plan_opt, .precision = s->precisions[p->precision]};
    rg_forecast_opt opt = {.size = sizeof opt, .core_hz = p->core_hz};
    if (s->batches.count) load.batch = (int)s->batches.values[p->batch];
    if (s->seqs.count) snprintf(shape, sizeof shape, "seq=%.0f", s->seqs.values[p->seq]);
    if (*shape) load.shape = shape;
    rg_err err = rg_graph_load(cx, s->models[p->model], &load, &graph);
    if (!err) err = rg_device_find(cx, rg_device_id(s->devices[p->device]), &device);
    if (!err) err = rg_runtime_find(cx, s->runtimes[p->runtime]->id, device, &runtime);
    if (!err) err = rg_plan_make(cx, graph, device, runtime, &plan_opt, &plan);
    if (!err) err = rg_forecast_make(cx, plan, &opt, out);
    if (err) fail_msg("%s", rg_ctx_error(cx));
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_device_free(device);
    rg_graph_free(graph);
}

static void points_say_what_forecasts_say(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s[] = {
        study(cx, OPTIONS(LIST(model, "zoo:mlp", TINY), LIST(device, "t4", "xeon-8480", "tpu-v4"),
                          .precision = "model,bf16", .batch = "1,16", .core_mhz = "700")),
        study(cx, OPTIONS(LIST(model, "zoo:distilbert"), LIST(device, "h100-sxm"),
                          LIST(runtime, "pytorch-eager", "tensorrt"), .seq = "32,64")),
    };
    for (size_t k = 0; k < RG_COUNT(s); k++) {
        for (size_t i = 0; i < s[k]->point_count; i++) {
            const rg_point *p = &s[k]->points[i];
            const rg_forecast *f;
            forecast_alone(cx, s[k], p, &f);
            assert_same(p->latency_s.value, f->latency_s.value);
            assert_same(p->latency_s.high, f->latency_s.high);
            assert_same(p->energy_j.value, f->energy_j.value);
            assert_same(p->power_w.value, f->power_w.value);
            assert_same(p->peak_memory_byte.value, f->peak_memory_byte.value);
            assert_same(p->throughput_per_s, (double)p->inputs / f->latency_s.value);
            assert_same(p->clock_hz, f->clock_hz);
            assert_string_equal(p->bound, f->bound);
            assert_int_equal(p->checks, f->check_count);
            assert_int_equal(p->rows, f->plan->row_count);
            rg_forecast_free(f);
        }
        rg_study_free(s[k]);
    }
}

static size_t points_of_seq(const rg_study *s, double seq)
{
    size_t count = 0;
    for (size_t i = 0; i < s->point_count; i++) count += s->seqs.values[s->points[i].seq] == seq;
    return count;
}

typedef struct watch { size_t calls, done, total, stop_at; } watch;

static bool watch_step(void *user, size_t done, size_t total)
{
    watch *w = user;
    w->calls++;
    assert_true(done == w->done + 1 && (!w->total || total == w->total));
    w->done = done;
    w->total = total;
    return done != w->stop_at;
}

static void lists_stand_for_many(void **state)
{
    rg_ctx *cx = *state;
    const char *const *ids;
    size_t devices;
    rg_study *s = study(cx, OPTIONS(LIST(model, "zoo:mlp", TINY), LIST(device, "all"), .precision = "i8"));
    assert_int_equal(rg_device_ids(cx, &ids, &devices), RG_OK);
    assert_int_equal(s->device_count, devices);
    assert_int_equal(s->point_count, 2 * devices);
    for (size_t i = 0; i < devices; i++) assert_string_equal(rg_device_id(s->devices[i]), ids[i]);
    rg_study_free(s);
    watch w = {.stop_at = 1};
    assert_int_equal(rg_study_make(cx, OPTIONS(LIST(model, "zoo:all"), LIST(device, "t4"), .workers = 1,
                                               .progress = watch_step, .user = &w), &s), RG_INTERRUPTED);
    assert_int_equal(w.total, 2 * rg_zoo_count); /* graphs, then forecasts */
    s = study(cx, OPTIONS(LIST(model, "zoo:bert-base"), LIST(device, "t4"), .seq = "64..256",
                          .batch = "1,2"));
    assert_int_equal(s->point_count, 6);
    assert_int_equal(points_of_seq(s, 128), 2);
    rg_study_free(s);
    s = study(cx, OPTIONS(LIST(model, TINY), LIST(device, "v100-pcie-32gb"), .core_mhz = "all"));
    assert_int_equal(s->point_count, s->devices[0]->clock_count);
    rg_study_free(s);
}

/* Every runtime that was asked for on every device that it runs on: no more. */
static void runtimes_go_where_they_run(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, TINY), LIST(device, "t4", "xeon-8480"),
                                    LIST(runtime, "tensorrt", "onnxruntime-cpu", "native")));
    assert_int_equal(s->point_count, 4); /* each has native and one of its own */
    for (size_t i = 0; i < s->point_count; i++)
        assert_true(rg_runtime_runs_on(s->runtimes[s->points[i].runtime], s->devices[s->points[i].device]));
    rg_study_free(s);
    s = study(cx, OPTIONS(LIST(model, TINY), LIST(device, "t4"), LIST(runtime, "all")));
    assert_true(s->point_count > 4);
    rg_study_free(s);
}

static void changes_reach_devices_and_runtimes(void **state)
{
    rg_ctx *cx = *state;
    rg_study *before = study(cx, OPTIONS(LIST(model, TINY), LIST(device, "t4", "l4")));
    rg_study *after = study(cx, OPTIONS(LIST(model, TINY), LIST(device, "t4", "l4"),
                                        LIST(change, "launch_s=0.5x", "runtime.launch.graph_s=+100%")));
    for (size_t i = 0; i < 2; i++) assert_same(after->devices[i]->launch_s, before->devices[i]->launch_s / 2);
    assert_int_equal(after->runtime_count, 1); /* one profile, changed once for both */
    assert_same(after->runtimes[0]->graph_s, 2 * before->runtimes[0]->graph_s);
    rg_study_free(before);
    rg_study_free(after);
}

/* ---- no thread changes a byte ---- */

static char *bytes_of(rg_ctx *cx, const rg_doc *doc, size_t *size)
{
    char *bytes = NULL;
    FILE *out = open_memstream(&bytes, size);
    assert_non_null(out);
    for (size_t i = 0; i < 2; i++)
        if (rg_doc_write(cx, doc, i ? "text" : "json", out)) fail_msg("%s", rg_ctx_error(cx));
    assert_int_equal(fclose(out), 0);
    return bytes;
}

static void any_number_of_workers_writes_the_same(void **state)
{
    rg_ctx *cx = *state;
    static const size_t workers[] = {1, 2, 5};
    char *first[2] = {NULL, NULL};
    size_t first_size[2];
    for (size_t w = 0; w < RG_COUNT(workers); w++) {
        rg_study *s = study(cx, OPTIONS(LIST(model, "zoo:mlp", TINY, "zoo:shufflenet_v2_x0_5"),
                                        LIST(device, "t4", "coral-edge-tpu", "xeon-8480"),
                                        LIST(runtime, "native", "tensorrt"), .precision = "model,f16",
                                        .batch = "1,4", .keep = true, .workers = workers[w]));
        rg_doc *docs[] = {compared(cx, s, NULL, "energy", 1), swept(cx, s)};
        for (size_t d = 0; d < RG_COUNT(docs); d++) {
            size_t size;
            char *bytes = bytes_of(cx, docs[d], &size);
            if (!w) first[d] = bytes, first_size[d] = size;
            assert_int_equal(size, first_size[d]);
            assert_memory_equal(bytes, first[d], size);
            if (w) free(bytes);
            rg_doc_free(docs[d]);
        }
        rg_study_free(s);
    }
    free(first[0]);
    free(first[1]);
}

static void progress_counts_and_stops(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = NULL;
    watch w = {0};
    const rg_study_opt *opt = OPTIONS(LIST(model, TINY, "zoo:mlp"), LIST(device, "t4", "l4"), .batch = "1,2",
                                      .workers = 3, .progress = watch_step, .user = &w);
    assert_int_equal(rg_study_make(cx, opt, &s), RG_OK);
    assert_int_equal(w.calls, 4 + 8); /* graphs, then forecasts */
    assert_int_equal(w.total, w.calls);
    rg_study_free(s);
    for (size_t stop = 1; stop < 12; stop += 5) {
        rg_study_opt stopped = *opt;
        stopped.workers = 1;
        w = (watch){.stop_at = stop};
        assert_int_equal(rg_study_make(cx, &stopped, &s), RG_INTERRUPTED);
        assert_null(s);
        assert_int_equal(w.calls, stop);
    }
}

/* ---- what cannot be ---- */

static void what_cannot_be_has_its_reason(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, TINY, "/nonexistent.onnx", "zoo:bert-base"),
                                    LIST(device, "coral-edge-tpu", "t4", "xeon-8480"),
                                    LIST(runtime, "native", "tensorrt"), .seq = "64"));
    size_t made = 0;
    for (size_t i = 0; i < s->point_count; i++) {
        const rg_point *p = &s->points[i];
        made += !p->err;
        assert_true(!p->err == !p->error);
        if (p->model == 0) assert_has(p->error, "seq");
        if (p->model == 1) assert_has(p->error, "/nonexistent.onnx");
        if (p->model == 2 && p->device == 0) assert_has(p->error, "i8");
        if (p->model == 2 && p->device > 0) assert_int_equal(p->err, RG_OK);
    }
    assert_int_equal(made, 3); /* bert-base: natively on both, with tensorrt on the GPU */
    rg_doc *doc = compared(cx, s, NULL, NULL, 0);
    assert_int_equal(array_of(doc, "results")->count, made);
    assert_int_equal(array_of(doc, "refused")->count, s->point_count - made);
    rg_doc_free(doc);
    rg_study_free(s);
}

/* A device that nothing of what was asked for runs on is one more reason. */
static void a_device_without_runtime_is_refused(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, TINY), LIST(device, "xeon-8480", "t4"),
                                    LIST(runtime, "tensorrt")));
    assert_int_equal(s->point_count, 2);
    assert_int_equal(s->points[0].err, RG_UNSUPPORTED);
    assert_has(s->points[0].error, "tensorrt does not run on xeon-8480");
    assert_int_equal(s->points[1].err, RG_OK);
    rg_study_free(s);
}

static void nothing_left_is_an_error(void **state)
{
    rg_ctx *cx = *state;
    const struct { rg_err err; const char *says; rg_study_opt opt; } rows[] = {
        {RG_USAGE, "no model", {.size = sizeof(rg_study_opt)}},
        {RG_INPUT, "/nonexistent.onnx", {.size = sizeof(rg_study_opt), LIST(model, "/nonexistent.onnx"),
                                         LIST(device, "t4", "l4")}},
        {RG_UNSUPPORTED, "coral-edge-tpu", {.size = sizeof(rg_study_opt), LIST(model, "zoo:mlp"),
                                            LIST(device, "coral-edge-tpu")}},
        {RG_UNSUPPORTED, "tensorrt", {.size = sizeof(rg_study_opt), LIST(model, TINY),
                                      LIST(device, "xeon-8480"), LIST(runtime, "tensorrt")}},
        {RG_USAGE, "f12", {.size = sizeof(rg_study_opt), LIST(model, TINY), LIST(device, "t4"),
                           .precision = "f16,f12"}},
        {RG_USAGE, "--precision", {.size = sizeof(rg_study_opt), LIST(model, TINY), LIST(device, "t4"),
                                   .precision = ""}},
        {RG_INPUT, "nosuch", {.size = sizeof(rg_study_opt), LIST(model, TINY), LIST(device, "t4", "nosuch")}},
        {RG_INPUT, "nosuch", {.size = sizeof(rg_study_opt), LIST(model, TINY), LIST(device, "t4"),
                              LIST(runtime, "nosuch")}},
        {RG_USAGE, "--batch", {.size = sizeof(rg_study_opt), LIST(model, TINY), LIST(device, "t4"),
                               .batch = "1.5"}},
        {RG_USAGE, "--seq", {.size = sizeof(rg_study_opt), LIST(model, TINY), LIST(device, "t4"),
                             .seq = "1..3000000000"}},
        {RG_USAGE, "--core-mhz", {.size = sizeof(rg_study_opt), LIST(model, TINY), LIST(device, "t4"),
                                  .core_mhz = "fast"}},
        {RG_USAGE, "levels.hbm", {.size = sizeof(rg_study_opt), LIST(model, TINY), LIST(device, "t4"),
                                  LIST(change, "levels.hbm.read_byte_per_s=2x")}},
        {RG_LIMIT, "forecasts", {.size = sizeof(rg_study_opt), LIST(model, TINY), LIST(device, "t4"),
                                 .batch = "1..4000:1", .seq = "1..4000:1"}},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_study *s;
        rg_err err = rg_study_make(cx, &rows[i].opt, &s);
        assert_null(s);
        if (err != rows[i].err) fail_msg("row %zu: %s", i, rg_ctx_error(cx));
        assert_has(rg_ctx_error(cx), rows[i].says);
    }
}

/* ---- without memory ---- */

typedef struct budget { long left; } budget; /* counted by several threads at once */

static void *budget_alloc(void *user, size_t size)
{
    budget *b = user;
    return __atomic_fetch_sub(&b->left, 1, __ATOMIC_RELAXED) > 0 ? malloc(size) : NULL;
}

static void budget_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static rg_err all_documents(rg_ctx *cx, const rg_study_opt *opt)
{
    rg_study *s = NULL;
    rg_doc *doc = NULL;
    rg_err err = rg_study_make(cx, opt, &s);
    if (!err) err = rg_compare_doc(cx, s, NULL, "latency", 1, &doc);
    rg_doc_free(doc);
    doc = NULL;
    if (!err) err = rg_sweep_doc(cx, s, &doc);
    rg_doc_free(doc);
    doc = NULL;
    if (!err) err = rg_sensitivity_doc(cx, s->points[0].forecast->plan, NULL, 2, &doc);
    rg_doc_free(doc);
    rg_study_free(s);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t workers = 1; workers <= 3; workers += 2) {
        rg_err err = RG_NOMEM;
        const rg_study_opt *opt = OPTIONS(LIST(model, TINY), LIST(device, "t4"),
                                          LIST(runtime, "native", "tensorrt"), .batch = "1,2", .keep = true,
                                          LIST(change, "launch_s=2x", "runtime.launch.launch_s=2x"),
                                          .workers = workers);
        for (long n = 1; err == RG_NOMEM; n += workers > 1 ? 7 : 1) {
            budget b = {n};
            rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .alloc = budget_alloc,
                                                  .free = budget_free, .user = &b});
            assert_non_null(cx);
            err = all_documents(cx, opt);
            if (err && err != RG_NOMEM) fail_msg("allocation %ld: %s", n, rg_ctx_error(cx));
            rg_ctx_free(cx);
            assert_true(n < 5000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(points_are_in_order),
        TEST(points_say_what_forecasts_say),
        TEST(lists_stand_for_many),
        TEST(runtimes_go_where_they_run),
        TEST(changes_reach_devices_and_runtimes),
        TEST(any_number_of_workers_writes_the_same),
        TEST(progress_counts_and_stops),
        TEST(what_cannot_be_has_its_reason),
        TEST(a_device_without_runtime_is_refused),
        TEST(nothing_left_is_an_error),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
