/* test_real_data.c - real models over real data, as a user's program would run them: a session, a window
 * after the other. Probabilities of speech over a minute of sound, and handwritten digits told apart.
 */
#include "exec/session.h"
#include "format/wav.h"
#include "tar.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

enum { WINDOW = 512, CONTEXT = 64, STATE = 256, RATE = 16000 };
enum { SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10, IMAGE_HEAD = 16, LABEL_HEAD = 8 };

typedef struct piece { uint8_t *data; size_t size; } piece;

static rg_ctx *cx;
static char model_path[64];

static void skip_without(const char *archive)
{
    print_message("%s is not there\n", archive);
    skip();
}

/* Files of a shared archive by the ends of their names, each with a zero behind it; NULL data: it has none.
 */
static bool take(const char *archive, const char *const *names, size_t count, piece *out)
{
    const char *shared = getenv("RIDGE_SHARED");
    char path[1024];
    tar t;
    snprintf(path, sizeof path, "%s/models/%s", shared ? shared : RG_SOURCE_ROOT "/../shared", archive);
    if (!tar_open(&t, path)) return false;
    while (tar_next(&t))
        for (size_t i = 0; i < count; i++) {
            size_t size = strlen(t.name), end = strlen(names[i]);
            if (out[i].data || size < end || strcmp(t.name + size - end, names[i]) != 0) continue;
            out[i].data = calloc(1, t.size + 1);
            assert_non_null(out[i].data);
            memcpy(out[i].data, t.data, t.size);
            out[i].size = t.size;
        }
    tar_close(&t);
    return true;
}

static void free_pieces(piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) free(pieces[i].data);
}

static void write_file(const char *path, const piece *p)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(p->data, 1, p->size, file), p->size);
    assert_int_equal(fclose(file), 0);
}

static rg_session *open_model(const piece *p)
{
    rg_session *s;
    write_file(model_path, p);
    if (rg_session_new(cx, model_path, NULL, NULL, &s)) fail_msg("%s", rg_ctx_error(cx));
    return s;
}

static rg_datum *tensor(rg_dtype dtype, int rank, const int64_t *dim)
{
    rg_datum *d;
    assert_int_equal(rg_datum_tensor(cx, dtype, rank, dim, &d), RG_OK);
    return d;
}

/* ---- speech ---- */

/* The model's windows begin with the last samples of the one before. */
static double most_apart(rg_session *s, const rg_wav *sound, const char *wanted)
{
    rg_datum *x = tensor(RG_F32, 2, (int64_t[]){1, CONTEXT + WINDOW}),
             *rate = tensor(RG_I64, 0, NULL);
    const rg_datum *state = tensor(RG_F32, 3, (int64_t[]){2, 1, STATE / 2}), *out[2];
    double most = 0;
    float *window = x->array.data;
    rg_put_int(&rate->array, 0, RATE);
    for (int64_t at = 0; at < sound->frame_count; at += WINDOW) {
        char *end;
        memmove(window, window + WINDOW, CONTEXT * sizeof *window);
        for (int64_t i = 0; i < WINDOW; i++)
            window[CONTEXT + i] = at + i < sound->frame_count ? (float)rg_wav_sample(sound, at + i, 0) : 0;
        if (rg_session_run(cx, s, (const rg_datum *const[]){x, state, rate}, out))
            fail_msg("window %lld: %s", (long long)at / WINDOW, rg_ctx_error(cx));
        double probability = strtod(wanted, &end);
        assert_true(end != wanted); /* there is one for every window */
        wanted = end;
        most = fmax(most, fabs(rg_get(&out[0]->array, 0) - probability));
        rg_datum_free(state);
        rg_datum_free(out[0]);
        state = out[1];
    }
    rg_datum_free(state);
    rg_datum_free(rate);
    rg_datum_free(x);
    return most;
}

/* The probabilities were stored with the model, from another runtime. */
static void test_speech_is_told_from_silence(void **state)
{
    (void)state;
    static const char *const names[] = {"silero_vad.onnx", "silero-vad/test.wav",
                                        "silero_vad.golden/test_wav_speech_prob.txt"};
    piece p[3] = {{NULL, 0}};
    if (!take("models-dev.tar.gz", names, 3, p) || !p[0].data || !p[1].data || !p[2].data)
        skip_without("silero-vad");
    rg_wav wav;
    rg_session *s = open_model(&p[0]);
    assert_int_equal(rg_wav_parse(cx, (rg_str){(const char *)p[1].data, p[1].size}, &wav), RG_OK);
    double most = most_apart(s, &wav, (const char *)p[2].data);
    print_message("%lld samples, largest difference of a probability %.2g\n", (long long)wav.frame_count,
                  most);
    assert_true(most < 1e-4);
    rg_session_free(s);
    free_pieces(p, 3);
}

/* ---- digits ---- */

static piece inflate_all(const piece *p, size_t size)
{
    piece out = {calloc(1, size), size};
    z_stream z = {
        .next_in = p->data, .avail_in = (uInt)p->size, .next_out = out.data, .avail_out = (uInt)size};
    assert_non_null(out.data);
    assert_int_equal(inflateInit2(&z, 15 + 32), Z_OK); /* 32: with gzip's head */
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    out.size = z.total_out;
    inflateEnd(&z);
    return out;
}

static int largest(const rg_array *scores)
{
    int best = 0;
    for (int i = 1; i < CLASSES; i++)
        if (rg_get(scores, i) > rg_get(scores, best)) best = i;
    return best;
}

/* An independent evaluator found 0.992 on these images (shared/models/README.md). */
static void test_digits_are_told_apart(void **state)
{
    (void)state;
    enum { IMAGES = 50000 };
    static const char *const models[] = {"mnist_8/model.onnx"}, *const sets[] = {
                                                                    "mnist/train-images-idx3-ubyte.gz",
                                                                    "mnist/train-labels-idx1-ubyte.gz"};
    piece model = {NULL, 0}, packed[2] = {{NULL, 0}};
    if (!take("models-dev.tar.gz", models, 1, &model) || !take("datasets-dev.tar.gz", sets, 2, packed) ||
        !model.data || !packed[0].data || !packed[1].data)
        skip_without("MNIST");
    piece images = inflate_all(&packed[0], IMAGE_HEAD + (size_t)IMAGES * PIXELS + 1),
          labels = inflate_all(&packed[1], LABEL_HEAD + IMAGES + 1);
    size_t count = labels.size - LABEL_HEAD, right = 0, step = getenv("RIDGE_ALL_IMAGES") ? 1 : 10, seen = 0;
    assert_int_equal(images.size, IMAGE_HEAD + count * PIXELS);
    rg_session *s = open_model(&model);
    rg_datum *x = tensor(RG_F32, 4, (int64_t[]){1, 1, SIDE, SIDE});
    for (size_t i = 0; i < count; i += step, seen++) {
        const rg_datum *out;
        for (size_t k = 0; k < PIXELS; k++)
            ((float *)x->array.data)[k] = images.data[IMAGE_HEAD + i * PIXELS + k];
        assert_int_equal(rg_session_run(cx, s, (const rg_datum *const[]){x}, &out), RG_OK);
        right += largest(&out->array) == labels.data[LABEL_HEAD + i];
        rg_datum_free(out);
    }
    double share = (double)right / (double)seen;
    print_message("%zu of %zu images right: %.4f\n", right, seen, share);
    assert_true(fabs(share - 0.992) < 0.003);
    rg_datum_free(x);
    rg_session_free(s);
    free_pieces(&images, 1);
    free_pieces(&labels, 1);
    free_pieces(&model, 1);
    free_pieces(packed, 2);
}

static int setup(void **state)
{
    (void)state;
    cx = rg_ctx_new(NULL);
    snprintf(model_path, sizeof model_path, "/tmp/ridge-real-%ld.onnx", (long)getpid());
    return cx ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    unlink(model_path);
    rg_ctx_free(cx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_speech_is_told_from_silence),
        cmocka_unit_test(test_digits_are_told_apart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
