/* feed_media.c - pictures and sound as the tensors that a model takes, with every step stated in words.
 *
 *     picture   bytes -> [height, width, channels] -> resized -> (x * scale - mean) / std -> channels first
 * or last sound     frames -> one channel, or the mean of all -> as many samples as there is room for
 */
#include "base/limits.h"
#include "base/picture.h"
#include "format/wav.h"
#include "measure/feed.h"

#include <math.h>
#include <string.h>

/* ---- pictures: what is asked for ---- */

enum { CHANNELS_MAX = 3 };

/* Where an input of the type has height, width and channels; -1: nowhere. */
typedef struct axes { int height, width, channels; } axes;

typedef struct steps {
    int64_t width, height;          /* 0: as it is */
    double scale, mean[CHANNELS_MAX], std[CHANNELS_MAX];
    axes at;
    int channels;
    bool bgr;
} steps;

/* "0.5" or "0.485,0.456,0.406" */
static rg_err read_numbers(rg_ctx *cx, const char *option, const char *text, int channels, double *out)
{
    rg_str rest = rg_str_of(text), part;
    int count = 0;
    bool ok = true;
    for (; ok && rg_str_cut(&rest, ',', &part); count++)
        ok = count < channels && rg_str_real(part, &out[count]) && isfinite(out[count]);
    if (!ok || (count != 1 && count != channels))
        return rg_fail(cx, RG_USAGE, "--%s: '%s' is neither one number nor one for each of %d channels",
                       option, text, channels);
    for (int i = count; i < channels; i++) out[i] = out[0];
    return RG_OK;
}

static rg_err read_size(rg_ctx *cx, const char *text, steps *s)
{
    rg_str rest = rg_str_of(text), part;
    bool ok = rg_str_cut(&rest, 'x', &part) && rg_str_int(part, &s->width) && rg_str_int(rest, &s->height);
    if (!ok || s->width < 1 || s->height < 1)
        return rg_fail(cx, RG_USAGE, "--resize: '%s' is no WIDTHxHEIGHT", text);
    if (s->width > RG_PICTURE_PIXEL_MAX / s->height)
        return rg_fail(cx, RG_LIMIT, "--resize: %s has more than %d pixels", text, RG_PICTURE_PIXEL_MAX);
    return RG_OK;
}

/* Channels come first unless the option or the sizes say otherwise: of the two places that they can have,
 * only the last is of size 1 or 3. */
static bool are_channels(rg_dim size) { return size == 1 || size == CHANNELS_MAX; }

static axes axes_of(const rg_type *t, const char *layout)
{
    int first = t->rank == 4; /* behind the batch */
    bool last = layout && strcmp(layout, "nhwc") == 0;
    if (t->rank == 2) return (axes){0, 1, -1};
    if (!layout || strcmp(layout, "auto") == 0)
        last = are_channels(t->dim[first + 2]) && !are_channels(t->dim[first]);
    return last ? (axes){first, first + 1, first + 2} : (axes){first + 1, first + 2, first};
}

static rg_err read_steps(rg_ctx *cx, const rg_run_opt *opt, const rg_type *t, steps *s)
{
    bool number = t->kind == RG_KIND_TENSOR && (rg_dtype_is_float(t->dtype) || rg_dtype_is_int(t->dtype));
    if (!number || t->rank < 2 || t->rank > 4)
        return rg_fail(cx, RG_SHAPE,
                       "the input takes no picture: that is a tensor of numbers with 2 to 4 axes");
    *s = (steps){.at = axes_of(t, opt->layout), .std = {1, 1, 1}, .channels = CHANNELS_MAX};
    rg_dim channels = s->at.channels < 0 ? 1 : t->dim[s->at.channels];
    if (rg_dim_is_number(channels)) s->channels = (int)channels;
    if (!are_channels(s->channels))
        return rg_fail(cx, RG_SHAPE,
                       "the input takes %lld channels, a picture has 1 or %d (--layout says where they "
                       "are)",
                       (long long)channels, CHANNELS_MAX);
    s->scale = opt->scale != 0 ? opt->scale : rg_dtype_is_float(t->dtype) ? 1.0 / UINT8_MAX : 1;
    s->bgr = opt->color && strcmp(opt->color, "bgr") == 0 && s->channels == CHANNELS_MAX;
    if (opt->resize) RG_TRY(read_size(cx, opt->resize, s));
    if (opt->mean) RG_TRY(read_numbers(cx, "mean", opt->mean, s->channels, s->mean));
    if (opt->std) RG_TRY(read_numbers(cx, "std", opt->std, s->channels, s->std));
    for (int c = 0; c < s->channels; c++)
        if (s->std[c] == 0) return rg_fail(cx, RG_USAGE, "--std: '%s' divides by 0", opt->std);
    return RG_OK;
}

/* ---- pictures: the work ---- */

/* Of a target pixel i the source position, with the centers of pixels at one half, as image tools do; beyond
 * the borders the border counts. */
typedef struct tap { int64_t low, high; double part; } tap;

static tap tap_of(int64_t i, int64_t from, int64_t to)
{
    double x = fmin(fmax(((double)i + 0.5) * (double)from / (double)to - 0.5, 0), (double)(from - 1));
    int64_t low = (int64_t)x;
    return (tap){low, low + 1 < from ? low + 1 : low, x - (double)low};
}

/* Bilinear: four neighbors, weighted by distance. At the picture's own size every tap is a pixel. */
static double pixel(const rg_picture *p, tap y, tap x, int c)
{
    const uint8_t *top = p->pixels + y.low * p->width * p->channels, *bottom = p->pixels + y.high * p->width
                                                                             * p->channels;
    int64_t left = x.low * p->channels + c, right = x.high * p->channels + c;
    double above = top[left] + x.part * (top[right] - top[left]);
    double below = bottom[left] + x.part * (bottom[right] - bottom[left]);
    return above + y.part * (below - above);
}

static void fill(const rg_array *a, const steps *s, const rg_picture *p, int64_t height, int64_t width)
{
    int64_t stride[RG_RANK_MAX];
    bool whole = rg_dtype_is_int(a->dtype);
    rg_array_strides(a, stride);
    for (int64_t y = 0; y < height; y++) {
        tap row = tap_of(y, p->height, height);
        for (int64_t x = 0; x < width; x++) {
            tap column = tap_of(x, p->width, width);
            int64_t at = y * stride[s->at.height] + x * stride[s->at.width];
            for (int c = 0; c < s->channels; c++) {
                double value = pixel(p, row, column, s->bgr ? CHANNELS_MAX - 1 - c : c);
                value = (value * s->scale - s->mean[c]) / s->std[c];
                rg_put(a, at + (s->at.channels < 0 ? 0 : c * stride[s->at.channels]),
                       whole ? rint(value) : value);
            }
        }
    }
}

static void say_numbers(rg_text *text, const char *before, const double *x, int count)
{
    bool same = true;
    for (int i = 1; i < count; i++) same = same && x[i] == x[0];
    rg_text_printf(text, "%s%.6g", before, x[0]);
    for (int i = 1; i < count && !same; i++) rg_text_printf(text, ", %.6g", x[i]);
}

static rg_err say_steps(rg_ctx *cx, const steps *s, const rg_picture *p, const char **out)
{
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_text_printf(&text, "%lld x %lld %s", (long long)p->width, (long long)p->height,
                   s->channels == 1 ? "gray" : s->bgr ? "BGR" : "RGB");
    if (s->width)
        rg_text_printf(&text, ", bilinear to %lld x %lld", (long long)s->width, (long long)s->height);
    say_numbers(&text, ", times ", &s->scale, 1);
    say_numbers(&text, ", minus ", s->mean, s->channels);
    say_numbers(&text, ", over ", s->std, s->channels);
    if (s->at.channels >= 0)
        rg_text_printf(&text, ", channels %s", s->at.channels < s->at.height ? "first" : "last");
    *out = text.data;
    return text.failed ? rg_nomem(cx) : RG_OK;
}

static rg_err make_picture(rg_ctx *cx, const steps *s, const rg_picture *p, const rg_type *t, rg_datum **out)
{
    int64_t dim[4] = {1, 1, 1, 1};
    dim[s->at.height] = s->height ? s->height : p->height;
    dim[s->at.width] = s->width ? s->width : p->width;
    if (s->at.channels >= 0) dim[s->at.channels] = s->channels;
    RG_TRY(rg_datum_tensor(cx, t->dtype, t->rank, dim, out));
    fill(&(*out)->array, s, p, dim[s->at.height], dim[s->at.width]);
    return RG_OK;
}

rg_err rg_feed_picture(rg_ctx *cx, const rg_run_opt *opt, const char *path, const rg_type *type,
                       rg_datum **out, const char **text)
{
    steps s = {0};
    rg_picture picture = {0};
    rg_file *file;
    rg_arena pixels;
    *out = NULL;
    RG_TRY(read_steps(cx, opt, type, &s));
    RG_TRY(rg_file_map(cx, path, &file));
    rg_arena_init(&pixels, cx);
    rg_err err = rg_picture_read(cx, &pixels, rg_file_bytes(file), s.channels, &picture);
    if (!err) err = make_picture(cx, &s, &picture, type, out);
    if (!err) err = say_steps(cx, &s, &picture, text);
    rg_arena_done(&pixels);
    rg_file_unref(file);
    if (!err) return RG_OK;
    rg_datum_free(*out);
    *out = NULL;
    return rg_note(cx, err, "%s", path);
}

/* ---- sound ---- */

/* Of the channels, one or the mean. */
static rg_err read_channel(rg_ctx *cx, const char *text, const rg_wav *w, int *out)
{
    int64_t channel;
    *out = RG_WAV_MEAN;
    if (!text || strcmp(text, "mean") == 0) return RG_OK;
    if (!rg_str_int(rg_str_of(text), &channel) || channel < 0)
        return rg_fail(cx, RG_USAGE, "--channel: '%s' is neither mean nor a channel", text);
    if (channel >= w->channels)
        return rg_fail(cx, RG_INPUT, "there is no channel %lld, the file has %d from 0", (long long)channel,
                       w->channels);
    *out = (int)channel;
    return RG_OK;
}

/* The last axis is the samples; those before it are batch and channel, of size 1. */
static rg_err make_sound(rg_ctx *cx, const rg_wav *w, int channel, int64_t first, int64_t asked,
                         const rg_type *t, rg_datum **out)
{
    int64_t dim[RG_RANK_MAX], left = w->frame_count - first;
    rg_dim room = t->dim[t->rank - 1];
    int64_t count = asked ? asked : rg_dim_is_number(room) && room < left ? room : left;
    if (count > left)
        return rg_fail(cx, RG_INPUT, "%lld samples are wanted, there are %lld", (long long)count,
                       (long long)left);
    for (int k = 0; k < t->rank; k++) dim[k] = k + 1 < t->rank ? 1 : count;
    RG_TRY(rg_datum_tensor(cx, t->dtype, t->rank, dim, out));
    /* integers are PCM of their own size: full scale is 1 */
    double full = rg_dtype_is_float(t->dtype) ? 1 : ldexp(1, rg_dtype_bits(t->dtype) - 1);
    for (int64_t i = 0; i < count; i++) {
        double x = rg_wav_sample(w, first + i, channel) * full;
        rg_put(&(*out)->array, i, rg_dtype_is_float(t->dtype) ? x : rint(x));
    }
    return RG_OK;
}

static rg_err feed_sound(rg_ctx *cx, const rg_run_opt *opt, rg_str bytes, const rg_type *t, rg_datum **out,
                         const char **text)
{
    rg_wav w = {0};
    int channel = RG_WAV_MEAN;
    char name[32] = ", their mean";
    bool number =
        t->kind == RG_KIND_TENSOR && (rg_dtype_is_float(t->dtype) || rg_dtype_class(t->dtype) == 'i');
    if (!number || t->rank < 1)
        return rg_fail(cx, RG_SHAPE,
                       "the input takes no sound: that is a tensor of floats or signed integers");
    RG_TRY(rg_wav_parse(cx, bytes, &w));
    RG_TRY(read_channel(cx, opt->channel, &w, &channel));
    if (opt->rate_hz && opt->rate_hz != w.rate_hz)
        return rg_fail(cx, RG_INPUT, "%d Hz, wanted %d: nothing is resampled here", w.rate_hz, opt->rate_hz);
    double first = rint(opt->at_s * w.rate_hz);
    if (!(first >= 0) || first > (double)w.frame_count)
        return rg_fail(cx, RG_INPUT, "there is nothing at %g s, the sound has %g s", opt->at_s,
                       (double)w.frame_count / w.rate_hz);
    RG_TRY(make_sound(cx, &w, channel, (int64_t)first, opt->samples, t, out));
    if (channel != RG_WAV_MEAN) snprintf(name, sizeof name, ", channel %d", channel);
    *text = rg_arena_printf(&cx->arena, "%lld of %lld samples from %lld, %d Hz, %d channel%s%s",
                            (long long)(*out)->array.count, (long long)w.frame_count, (long long)first,
                            w.rate_hz, w.channels, w.channels == 1 ? "" : "s", w.channels == 1 ? "" : name);
    return *text ? RG_OK : rg_nomem(cx);
}

rg_err rg_feed_sound(rg_ctx *cx, const rg_run_opt *opt, const char *path, const rg_type *type, rg_datum **out,
                     const char **text)
{
    rg_file *file;
    *out = NULL;
    RG_TRY(rg_file_map(cx, path, &file));
    rg_err err = feed_sound(cx, opt, rg_file_bytes(file), type, out, text);
    rg_file_unref(file);
    if (!err) return RG_OK;
    rg_datum_free(*out);
    *out = NULL;
    return rg_note(cx, err, "%s", path);
}
