/* test_run.c - `ridge run`: files become what the model takes and outputs what was computed; every step of
 * pictures and sound by its closed form; what does not fit is refused by name; stored answers of real models.
 */
#include "exec/exec.h"
#include "format/npy.h"
#include "format/onnx_value.h"
#include "doc_json.h"
#include "report/doc.h"
#include "tar.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <zip.h>

#include <cmocka.h>

static rg_ctx *cx;
static char folder[64];
static rg_doc *doc;      /* of the last run */

static int start(void **state)
{
    (void)state;
    cx = rg_ctx_new(NULL);
    snprintf(folder, sizeof folder, "/tmp/ridge-run-XXXXXX");
    return cx && mkdtemp(folder) ? 0 : -1;
}

/* Every file of the tests has a name of its own in the folder. */
static const char *made[256];
static size_t made_count;

static int stop(void **state)
{
    (void)state;
    rg_doc_free(doc);
    for (size_t i = 0; i < made_count; i++) unlink(made[i]);
    rmdir(folder);
    rg_ctx_free(cx);
    return 0;
}

static const char *file(const char *name)
{
    const char *path = rg_arena_printf(&cx->arena, "%s/%s", folder, name);
    assert_non_null(path);
    for (size_t i = 0; i < made_count; i++)
        if (strcmp(made[i], path) == 0) return made[i];
    assert_true(made_count < RG_COUNT(made));
    return made[made_count++] = path;
}

static const char *write_bytes(const char *name, const void *data, size_t size)
{
    const char *path = file(name);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
    return path;
}

static const char *write_text(const char *name, const char *text)
{
    return write_bytes(name, text, strlen(text));
}

static const char *write_model(const char *name, const char *symbols, const char *graph)
{
    const char *text = rg_arena_printf(&cx->arena,
                                       "ridge.graph/1 \"m\" opset 18 ir 8 producer \"t\"\nimport \"\" 18\n"
                                       "%s\n%s\n",
                                       symbols, graph);
    assert_non_null(text);
    return write_text(name, text);
}

static const char *write_numbers(const char *name, rg_dtype dtype, int rank, const int64_t *dim,
                                 const double *x)
{
    rg_datum *datum;
    const char *path = file(name);
    assert_int_equal(rg_datum_tensor(cx, dtype, rank, dim, &datum), RG_OK);
    for (int64_t i = 0; i < datum->array.count; i++) rg_put(&datum->array, i, x[i]);
    assert_int_equal(rg_npy_write(cx, path, &datum->array), RG_OK);
    rg_datum_free(datum);
    return path;
}

/* One input; more by their list. */
static rg_run_opt with(const char *input)
{
    const char **inputs = RG_NEW(&cx->arena, const char *, 1);
    assert_non_null(inputs);
    inputs[0] = input;
    return (rg_run_opt){.size = sizeof(rg_run_opt), .inputs = inputs, .input_count = input ? 1 : 0};
}

static rg_err run(const char *model, const rg_run_opt *opt)
{
    rg_doc_free(doc);
    doc = NULL;
    return rg_run_doc(cx, model, opt, &doc);
}

static void run_ok(const char *model, const rg_run_opt *opt)
{
    if (run(model, opt)) fail_msg("%s: %s", model, rg_ctx_error(cx));
    doc_obeys(cx, doc, "run");
}

static double number(const char *path)
{
    double x = NAN;
    if (!rg_doc_number(doc, path, &x)) fail_msg("no %s", path);
    return x;
}

static const char *string(const char *path)
{
    const char *text = NULL;
    if (!rg_doc_string(doc, path, &text)) fail_msg("no %s", path);
    return text;
}

/* The first output's elements, in floats' accuracy. */
static void check_values(const double *wanted, int count)
{
    for (int i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, "outputs[0].values[%d]", i);
        if (fabs(number(path) - wanted[i]) > 1e-6 * fmax(1, fabs(wanted[i])))
            fail_msg("%s is %.9g, wanted %.9g", path, number(path), wanted[i]);
    }
}

/* ---- tensors ---- */

static const char *doubling(void)
{
    return write_model("double.rg", "symbol n = 1 from 1\nconst %two = f32[] {2}",
                       "graph (%x: f32[n,3]) { %y = Mul(%x, %two) return %y }");
}

/* Sizes follow from the file; both backends; the saved file has what the document says. */
static void test_tensor(void **state)
{
    (void)state;
    static const double x[] = {1, -2, 3, 0.5, 0, 10}, y[] = {2, -4, 6, 1, 0, 20};
    const char *model = doubling(), *input = write_numbers("x.npy", RG_F32, 2, (const int64_t[]){2, 3}, x);
    static const char *const backends[] = {"native", "naive"};
    for (size_t i = 0; i < RG_COUNT(backends); i++) {
        rg_run_opt opt = with(input);
        rg_datum *saved;
        opt.backend = backends[i];
        opt.out_dir = folder;
        run_ok(model, &opt);
        assert_string_equal(string("schema"), "ridge.run/1");
        assert_string_equal(string("backend"), backends[i]);
        assert_string_equal(string("inputs[0].source"), input);
        assert_string_equal(string("outputs[0].name"), "y");
        assert_string_equal(string("outputs[0].form"), "f32[2,3]");
        check_values(y, 6);
        assert_true(number("outputs[0].min") == -4 && number("outputs[0].max") == 20);
        assert_true(fabs(number("outputs[0].mean") - 25.0 / 6) < 1e-12);
        assert_string_equal(string("outputs[0].files[0].file"), file("y.npy"));
        assert_int_equal(rg_npy_read(cx, file("y.npy"), &saved), RG_OK);
        for (int k = 0; k < 6; k++) assert_true(rg_get(&saved->array, k) == y[k]);
        rg_datum_free(saved);
    }
}

static void test_archive_of_inputs(void **state)
{
    (void)state;
    const char *model =
        write_model("sum.rg", "", "graph (%a: f32[2], %b: f32[2]) { %y = Sub(%a, %b) return %y }");
    const char *a = write_numbers("a.npy", RG_F32, 1, (const int64_t[]){2}, (const double[]){5, 6});
    const char *b = write_numbers("b.npy", RG_F32, 1, (const int64_t[]){2}, (const double[]){1, 4});
    static const char *const names[][2] = {{"b.npy", "a.npy"}, {"arr_1.npy", "arr_0.npy"}};
    for (size_t i = 0; i < RG_COUNT(names); i++) {
        const char *path = file(i ? "nameless.npz" : "named.npz");
        zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
        assert_non_null(zip);
        assert_true(zip_file_add(zip, names[i][0], zip_source_file(zip, b, 0, -1), 0) >= 0);
        assert_true(zip_file_add(zip, names[i][1], zip_source_file(zip, a, 0, -1), 0) >= 0);
        assert_int_equal(zip_close(zip), 0);
        rg_run_opt opt = with(path);
        run_ok(model, &opt);
        check_values((const double[]){4, 2}, 2);
    }
    const char *both[] = {rg_arena_printf(&cx->arena, "a=%s", a),
                          rg_arena_printf(&cx->arena, "b=%s", file("named.npz"))};
    rg_run_opt opt = with(NULL);
    opt.inputs = both;
    opt.input_count = 2;
    run_ok(model, &opt);
    check_values((const double[]){4, 2}, 2);
}

/* Scores: the largest first, by name, row by row. */
static void test_ranking(void **state)
{
    (void)state;
    const char *labels = write_text("labels.txt", "cat\ndog \r\nfish\n");
    static const double x[] = {1, -2, 3, 0.5, 0, 10};
    rg_run_opt opt = with(write_numbers("x.npy", RG_F32, 2, (const int64_t[]){2, 3}, x));
    opt.top = 2;
    opt.labels = labels;
    run_ok(doubling(), &opt);
    assert_string_equal(string("outputs[0].top[0].label"), "fish");
    assert_true(number("outputs[0].top[0].index") == 2 && number("outputs[0].top[0].value") == 6);
    assert_string_equal(string("outputs[0].top[1].label"), "cat");
    assert_true(number("outputs[0].top[2].row") == 1 && number("outputs[0].top[2].value") == 20);
    assert_string_equal(string("outputs[0].top[3].label"), "cat");
    opt.labels = write_text("two.txt", "cat\ndog");
    assert_int_equal(run(doubling(), &opt), RG_SHAPE);
    assert_non_null(strstr(rg_ctx_error(cx), "has 2 labels"));
}

/* Values that are no tensors, and more than a plan can hold: node by node then, and why. */
static void test_sequence(void **state)
{
    (void)state;
    const char *model =
        write_model("seq.rg", "", "graph (%a: f32[2]) { %s = SequenceConstruct(%a, %a) return %s }");
    rg_run_opt opt = with(write_numbers("a.npy", RG_F32, 1, (const int64_t[]){2}, (const double[]){5, 6}));
    opt.out_dir = folder;
    run_ok(model, &opt);
    assert_string_equal(string("backend"), "naive");
    assert_non_null(strstr(string("fallback"), "'s'"));
    assert_string_equal(string("outputs[0].type"), "sequence");
    assert_true(number("outputs[0].items[1].values[1]") == 6);
    assert_string_equal(string("outputs[0].files[1].file"), file("s_1.npy"));
    file("s_0.npy");
}

/* ---- made up ---- */

static void test_random(void **state)
{
    (void)state;
    const char *model = write_model("two.rg", "symbol batch = 1 from 1",
                                    "graph (%x: f32[batch,64], %ids: i64[batch,4]) {\n"
                                    "  %y = Identity(%x)\n  %z = Identity(%ids)\n  return %y, %z }");
    double mean[3];
    for (int i = 0; i < 3; i++) {
        rg_run_opt opt = with(NULL);
        opt.random = true;
        opt.seed = i == 2 ? 8 : 7;
        opt.batch = 3;
        run_ok(model, &opt);
        mean[i] = number("outputs[0].mean");
        assert_true(number("outputs[0].min") >= -1 && number("outputs[0].max") < 1);
        assert_true(number("outputs[0].max") - number("outputs[0].min") > 1.5);
        assert_true(number("outputs[0].shape[0]") == 3);
        assert_true(number("outputs[1].min") == 0 && number("outputs[1].max") == 1);
    }
    assert_true(mean[0] == mean[1] && mean[0] != mean[2]);
    /* the size of one input is that of the others */
    rg_run_opt opt = with(rg_arena_printf(&cx->arena, "ids=%s", write_numbers("ids.npy", RG_I64, 2,
                          (const int64_t[]){2, 4}, (const double[]){1, 2, 3, 4, 5, 6, 7, 8})));
    opt.random = true;
    run_ok(model, &opt);
    assert_string_equal(string("outputs[0].form"), "f32[2,64]");
    assert_true(number("outputs[1].max") == 8);
}

/* An input with a default needs no file; an option may make a constant of one. */
static void test_defaults(void **state)
{
    (void)state;
    const char *model = write_model("default.rg", "", "graph (%x: f32[2] = f32[2] {3,4}, %k: f32[]) {\n"
                                    "  %y = Mul(%x, %k)\n  return %y }");
    static const char *const backends[] = {"native", "naive"};
    for (size_t i = 0; i < RG_COUNT(backends); i++) {
        rg_run_opt opt = with(NULL);
        opt.value = "k=10";
        opt.backend = backends[i];
        run_ok(model, &opt);
        check_values((const double[]){30, 40}, 2);
        assert_string_equal(string("inputs[0].source"), "the model's default");
        assert_string_equal(string("inputs[1].source"), "an option");
    }
}

/* ---- pictures ---- */

static const char *picture(void)
{
    static const uint8_t four[] = "P6 2 2 255 \xff\x00\x00" "\x00\xff\x00" "\x00\x00\xff" "\x0a\x14\x1e";
    return write_bytes("four.ppm", four, sizeof four - 1);
}

static void test_picture(void **state)
{
    (void)state;
    static const struct {
        const char *type, *mean, *std, *layout, *color;
        double scale;
        int count;
        double wanted[12];
    } rows[] = {
        {"f32[1,3,2,2]", NULL, NULL, NULL, NULL, 0, 12,
         {1, 0, 0, 10 / 255.0, 0, 1, 0, 20 / 255.0, 0, 0, 1, 30 / 255.0}},
        {"f32[1,3,2,2]", "0.5", "0.25,0.5,1", "auto", "rgb", 0, 12,
         {2, -2, -2, (10 / 255.0 - 0.5) / 0.25, -1, 1, -1, (20 / 255.0 - 0.5) / 0.5, -0.5, -0.5, 0.5,
          30 / 255.0 - 0.5}},
        {"f32[1,3,2,2]", "100,110,120", NULL, NULL, "bgr", 1, 12,
         {-100, -100, 155, -70, -110, 145, -110, -90, 135, -120, -120, -110}},
        {"f32[1,2,2,3]", NULL, NULL, NULL, NULL, 1, 12, {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30}},
        {"f32[3,2,2]", NULL, NULL, NULL, NULL, 1, 12, {255, 0, 0, 10, 0, 255, 0, 20, 0, 0, 255, 30}},
        {"u8[2,2,3]", NULL, NULL, NULL, NULL, 0, 12, {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30}},
        {"u8[1,h,w,c]", NULL, NULL, "nhwc", NULL, 0, 12, {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30}},
        {"u8[1,1,2,2]", NULL, NULL, NULL, NULL, 0, 4, {76, 150, 29, 18}},
        {"f32[2,2]", NULL, NULL, NULL, NULL, 1, 4, {76, 150, 29, 18}},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const char *graph =
            rg_arena_printf(&cx->arena, "graph (%%x: %s) { %%y = Identity(%%x) return %%y }", rows[i].type);
        rg_run_opt opt = with(picture());
        opt.mean = rows[i].mean;
        opt.std = rows[i].std;
        opt.layout = rows[i].layout;
        opt.color = rows[i].color;
        opt.scale = rows[i].scale;
        run_ok(
            write_model("picture.rg", "symbol h = 1 from 1 symbol w = 1 from 1 symbol c = 1 from 1", graph),
            &opt);
        check_values(rows[i].wanted, rows[i].count);
        assert_non_null(strstr(string("inputs[0].text"), "2 x 2"));
    }
}

/* Centers of pixels at one half: twice as wide, the new ones are a quarter off the old ones; half as wide,
 * they are the means of two. */
static void test_resize(void **state)
{
    (void)state;
    const char *wider =
        write_model("wider.rg", "", "graph (%x: f32[1,1,1,4]) { %y = Identity(%x) return %y }");
    rg_run_opt opt = with(write_text("ramp.pgm", "P2 2 1 255 0 255"));
    opt.resize = "4x1";
    opt.scale = 1;
    run_ok(wider, &opt);
    check_values((const double[]){0, 63.75, 191.25, 255}, 4);
    assert_non_null(strstr(string("inputs[0].text"), "bilinear to 4 x 1"));
    const char *smaller =
        write_model("smaller.rg", "", "graph (%x: u8[2,1]) { %y = Identity(%x) return %y }");
    opt = with(write_text("square.pgm", "P2 2 4 255 0 10 20 30 100 110 120 130"));
    opt.resize = "1x2";
    run_ok(smaller, &opt);
    check_values((const double[]){15, 115}, 2);
}

/* ---- sound ---- */

static const char *sound(void)
{
    static const uint8_t wav[] =
        "RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x04\0\0\0\x10\0\0\0\x04\0\x10\0data\x10\0\0\0"
        "\x00\x40\x00\xc0"
        "\x00\x40\x00\x20"
        "\x00\x80\x00\x80"
        "\x00\x00\x00\x40";
    return write_bytes("four.wav", wav, sizeof wav - 1); /* 4 Hz: 1/2 -1/2, 1/2 1/4, -1 -1, 0 1/2 */
}

static void test_sound(void **state)
{
    (void)state;
    static const struct {
        const char *type, *channel;
        double at_s;
        int samples, count;
        double wanted[4];
    } rows[] = {
        {"f32[1,n]", NULL, 0, 0, 4, {0, 0.375, -1, 0.25}},
        {"f32[1,n]", "0", 0, 0, 4, {0.5, 0.5, -1, 0}},
        {"f32[n]", "1", 0.25, 2, 2, {0.25, -1}},
        {"f32[1,1,2]", "mean", 0.5, 0, 2, {-1, 0.25}},
        {"f32[2]", "1", 0, 0, 2, {-0.5, 0.25}},
        {"i16[4]", "1", 0, 0, 4, {-16384, 8192, -32768, 16384}},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const char *graph =
            rg_arena_printf(&cx->arena, "graph (%%x: %s) { %%y = Identity(%%x) return %%y }", rows[i].type);
        rg_run_opt opt = with(sound());
        opt.channel = rows[i].channel;
        opt.at_s = rows[i].at_s;
        opt.samples = rows[i].samples;
        opt.rate_hz = 4;
        run_ok(write_model("sound.rg", "symbol n = 1 from 1", graph), &opt);
        check_values(rows[i].wanted, rows[i].count);
        assert_non_null(strstr(string("inputs[0].text"), "4 Hz"));
    }
}

/* ---- what is refused ---- */

static void test_refused(void **state)
{
    (void)state;
    const char *numbers = write_model("n.rg", "symbol n = 1 from 1",
                                      "graph (%x: f32[n,3]) { %y = Identity(%x) return %y }");
    const char *image = write_model("i.rg", "", "graph (%x: f32[1,3,4,4]) { %y = Identity(%x) return %y }");
    const char *many = write_model("m.rg", "", "graph (%x: f32[1,5,2,2]) { %y = Identity(%x) return %y }");
    const char *wave = write_model("w.rg", "", "graph (%x: f32[8]) { %y = Identity(%x) return %y }");
    const char *pair = write_model("p.rg", "symbol n = 1 from 1",
                                   "graph (%x: f32[n,3], %k: f32[n]) { %y = Identity(%x) return %y, %k }");
    const char *good = write_numbers("r.npy", RG_F32, 2, (const int64_t[]){1, 3}, (const double[]){1, 2, 3});
    const char *wide = write_numbers("w.npy", RG_F64, 2, (const int64_t[]){1, 3}, (const double[]){1, 2, 3});
    const char *flat = write_numbers("f.npy", RG_F32, 1, (const int64_t[]){3}, (const double[]){1, 2, 3});
    const struct { const char *model, *input; rg_run_opt opt; rg_err err; const char *words; } rows[] = {
        {numbers, NULL, {0}, RG_INPUT, "input 'x', f32[n,3], has no file"},
        {numbers, wide, {0}, RG_SHAPE, "input 'x' takes f32[n,3]"},
        {numbers, wide, {0}, RG_SHAPE, "has f64[1,3]"},
        {numbers, flat, {0}, RG_SHAPE, "has f32[3]"},
        {numbers, "nosuch.npy", {0}, RG_INPUT, "nosuch.npy"},
        {numbers, "x.dat", {0}, RG_UNSUPPORTED, "what can be read: .npy"},
        {numbers, "z=x.npy", {0}, RG_INPUT, "inputs: x"},
        {pair, good, {0}, RG_INPUT, "NAME=FILE says"},
        {numbers, good, {.backend = "gpu"}, RG_USAGE, "'gpu'"},
        {image, picture(), {0}, RG_SHAPE, "--resize"},
        {image, picture(), {.resize = "4"}, RG_USAGE, "'4' is no WIDTHxHEIGHT"},
        {image, picture(), {.resize = "4x99999999999"}, RG_LIMIT, "pixels"},
        {image, picture(), {.mean = "1,2"}, RG_USAGE, "--mean: '1,2'"},
        {image, picture(), {.mean = "1,2,3,4"}, RG_USAGE, "--mean"},
        {image, picture(), {.std = "0"}, RG_USAGE, "--std: '0' divides by 0"},
        {many, picture(), {0}, RG_SHAPE, "5 channels"},
        {wave, picture(), {0}, RG_SHAPE, "takes no picture"},
        {wave, sound(), {0}, RG_SHAPE, "takes f32[8]"},
        {wave, sound(), {.samples = 8}, RG_INPUT, "8 samples are wanted, there are 4"},
        {wave, sound(), {.rate_hz = 16000}, RG_INPUT, "4 Hz, wanted 16000"},
        {wave, sound(), {.channel = "2"}, RG_INPUT, "no channel 2"},
        {wave, sound(), {.channel = "left"}, RG_USAGE, "'left'"},
        {wave, sound(), {.at_s = 1.5}, RG_INPUT, "nothing at 1.5 s"},
        {wave, sound(), {.at_s = -1}, RG_INPUT, "nothing at -1 s"},
        {"zoo:mlp", NULL, {.random = true}, RG_INPUT, "ridge export zoo:mlp --weights random"},
        {numbers, good, {.out_dir = "/nonexistent/folder"}, RG_FAILED, "/nonexistent/folder"},
        {numbers, good, {.labels = "/nonexistent/labels"}, RG_INPUT, "/nonexistent/labels"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_run_opt opt = rows[i].opt, one = with(rows[i].input);
        opt.size = sizeof opt;
        opt.inputs = one.inputs;
        opt.input_count = one.input_count;
        rg_err err = run(rows[i].model, &opt);
        if (err != rows[i].err || !strstr(rg_ctx_error(cx), rows[i].words))
            fail_msg("row %zu: %d %s", i, (int)err, rg_ctx_error(cx));
        assert_null(doc);
    }
    const char *twice[] = {good, rg_arena_printf(&cx->arena, "x=%s", good)};
    rg_run_opt opt = with(NULL);
    opt.inputs = twice;
    opt.input_count = 2;
    assert_int_equal(run(numbers, &opt), RG_USAGE);
    assert_non_null(strstr(rg_ctx_error(cx), "two files"));
    const char *apart[] = {twice[1], rg_arena_printf(&cx->arena, "k=%s", flat)};
    opt.inputs = apart;
    assert_int_equal(run(pair, &opt), RG_SHAPE);
    assert_non_null(strstr(rg_ctx_error(cx), "'n' is 1 in input 'x' and 3 in input 'k'"));
}

/* ---- memory that runs out ---- */

typedef struct meter { long given, returned, refuse_at; } meter;

static void *metered_alloc(void *user, size_t size)
{
    meter *m = user;
    if (m->given + 1 >= m->refuse_at) return NULL;
    void *block = malloc(size);
    if (block) m->given++;
    return block;
}

static void metered_free(void *user, void *block)
{
    meter *m = user;
    if (block) m->returned++;
    free(block);
}

/* At the n-th allocation, for every n: the answer is RG_NOMEM, and every block comes back. */
static void fail_everywhere(const char *model, const rg_run_opt *opt)
{
    rg_err err = RG_NOMEM;
    for (long n = 2; err; n++) {
        meter m = {.refuse_at = n};
        rg_doc *answer = NULL;
        rg_ctx *own = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .alloc = metered_alloc,
                                               .free = metered_free, .user = &m});
        err = own ? rg_run_doc(own, model, opt, &answer) : RG_NOMEM;
        if (err && err != RG_NOMEM) fail_msg("allocation %ld: %d %s", n, (int)err, rg_ctx_error(own));
        rg_doc_free(answer);
        rg_ctx_free(own);
        assert_int_equal(m.given, m.returned);
    }
}

static void test_memory(void **state)
{
    (void)state;
    static const double x[] = {1, -2, 3, 0.5, 0, 10};
    const char *labels = write_text("labels.txt", "cat\ndog\nfish\n");
    rg_run_opt opt = with(write_numbers("x.npy", RG_F32, 2, (const int64_t[]){2, 3}, x));
    opt.top = 2;
    opt.labels = labels;
    fail_everywhere(doubling(), &opt);
    opt.backend = "naive";
    fail_everywhere(doubling(), &opt);
    opt = with(picture());
    opt.resize = "3x3";
    opt.backend = "naive";
    fail_everywhere(write_model("three.rg", "", "graph (%x: f32[1,3,3,3]) { %y = Identity(%x) return %y }"),
                    &opt);
    opt = with(sound());
    opt.backend = "naive";
    fail_everywhere(write_model("four.rg", "", "graph (%x: f32[4]) { %y = Identity(%x) return %y }"), &opt);
}

/* ---- stored answers of real models ---- */

static const struct stored { const char *model, *data; int inputs, outputs;
} stored[] = {
    {"onnx-zoo/mnist_8/model.onnx", "onnx-zoo/mnist_8/test_data_set_1", 1, 1},
    {"onnx-zoo/super_resolution_10/model.onnx", "onnx-zoo/super_resolution_10/test_data_set_0", 1, 1},
    {"silero-vad/silero_vad.onnx", "silero-vad/silero_vad.golden", 3, 2},
    {"dtln/model_1.onnx", "dtln/model_1.golden", 2, 2},
    {"ultraface/version-RFB-320.onnx", "ultraface/version-RFB-320.golden", 1, 2},
    {"torchvision-exports/mobilenet_v2_w025/model.onnx",
     "torchvision-exports/mobilenet_v2_w025/test_data_set_0", 1, 1},
    {"torchvision-exports/vit_tiny_p4_32/model.onnx", "torchvision-exports/vit_tiny_p4_32/test_data_set_0", 1,
     1},
    {"torchvision-exports/lstm_bi2/model.onnx", "torchvision-exports/lstm_bi2/test_data_set_0", 1, 1},
};

/* "3_input_0.pb" of the fourth model; NULL: nobody asks for this file. */
static const char *stored_name(const char *name)
{
    for (size_t i = 0; i < RG_COUNT(stored); i++) {
        size_t size = strlen(stored[i].data);
        if (strcmp(name, stored[i].model) == 0) return rg_arena_printf(&cx->arena, "%zu_model.onnx", i);
        if (strncmp(name, stored[i].data, size) == 0 && name[size] == '/')
            return rg_arena_printf(&cx->arena, "%zu_%s", i, name + size + 1);
    }
    return NULL;
}

static bool unpack(void)
{
    const char *shared = getenv("RIDGE_SHARED");
    tar t;
    const char *path = rg_arena_printf(&cx->arena, "%s/models/models-dev.tar.gz",
                                       shared ? shared : RG_SOURCE_ROOT "/../shared");
    if (!tar_open(&t, path)) {
        print_message("%s is not there\n", path);
        return false;
    }
    while (tar_next(&t)) {
        const char *name = stored_name(t.name);
        if (name) write_bytes(name, t.data, t.size);
    }
    tar_close(&t);
    return true;
}

/* Every output, as it was saved, against the stored one. */
static void check_outputs(size_t i, const rg_graph *g)
{
    for (int k = 0; k < stored[i].outputs; k++) {
        const rg_value *v = &g->values[g->regions[RG_MAIN].outputs[k]];
        const char *path = rg_arena_printf(&cx->arena, "outputs[%d].files[0].file", k), *saved = string(path);
        rg_datum *have, *wanted;
        char text[300];
        assert_int_equal(rg_npy_read(cx, saved, &have), RG_OK);
        assert_int_equal(rg_onnx_value_read(cx, file(rg_arena_printf(&cx->arena, "%zu_output_%d.pb", i, k)),
                                            &v->type, &wanted),
                         RG_OK);
        if (!rg_datum_close(have, wanted, 1e-3, 1e-4, text, sizeof text))
            fail_msg("%s: %s", stored[i].model, text);
        rg_datum_free(have);
        rg_datum_free(wanted);
        unlink(saved);
    }
}

static void test_stored_answers(void **state)
{
    (void)state;
    if (!unpack()) skip();
    for (size_t i = 0; i < RG_COUNT(stored); i++) {
        const char *model = file(rg_arena_printf(&cx->arena, "%zu_model.onnx", i)), *inputs[4];
        const rg_graph *g;
        rg_run_opt opt = with(NULL);
        assert_int_equal(rg_graph_load(cx, model, &(rg_load_opt){.size = sizeof(rg_load_opt), .raw = true,
                                                                 .symbolic = true}, &g), RG_OK);
        for (int k = 0; k < stored[i].inputs; k++)
            inputs[k] = rg_arena_printf(&cx->arena, "%.*s=%s/%zu_input_%d.pb",
                                        RG_STR(g->values[g->regions[RG_MAIN].inputs[k]].name), folder, i, k);
        opt.inputs = inputs;
        opt.input_count = (size_t)stored[i].inputs;
        opt.out_dir = folder;
        run_ok(model, &opt);
        check_outputs(i, g);
        rg_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensor),   cmocka_unit_test(test_archive_of_inputs),
        cmocka_unit_test(test_ranking),  cmocka_unit_test(test_sequence),
        cmocka_unit_test(test_random),   cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_picture),  cmocka_unit_test(test_resize),
        cmocka_unit_test(test_sound),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory),   cmocka_unit_test(test_stored_answers),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
