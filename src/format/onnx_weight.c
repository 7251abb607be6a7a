/* onnx_weight.c - the bytes of constants, streamed: a mapped file is copied through, a repeated element is
 * repeated, and parameters that nobody has values for are made up where the user asks for it.
 */
#include "format/onnx_out.h"

#include <math.h>
#include <string.h>

enum {
    CHUNK_BYTE = 16384,
    AWAY_MIN_BYTE = 1024, /* smaller ones stay in the model: shapes must be there for whoever infers them */
};

static const uint32_t typed_fields[RG_DTYPE_END] = {
#define X(id, name, byte) [RG_##id] = RG_ONNX_tensor_##name,
    RG_ONNX_DATA_LIST(X)
#undef X
};

static size_t size_of(const rg_tensor *t)
{
    int64_t bits = rg_dtype_bits(t->dtype);
    return (size_t)(t->count / 8 * bits + (t->count % 8 * bits + 7) / 8);
}

/* ---- made-up values ---- */

/* Weights are uniform in (-a, a) with a = sqrt(3 / fan_in), which keeps the variance of what flows through a
 * layer at 1 (He et al. 2015, without the factor for rectifiers). Vectors are scales, shifts and variances:
 * [0.5, 1.5) is valid for each. Integers of up to 8 bits are quantized weights; wider ones are indices, of
 * which 0 is always valid. */
typedef struct recipe { double low, span; uint64_t state; } recipe;

static recipe recipe_of(const rg_onnx_out *w, const rg_onnx_weight *weight)
{
    const rg_tensor *t = weight->tensor;
    recipe r = {0.5, 1, rg_hash_str(rg_hash_u64(RG_HASH_SEED, w->seed), weight->name)};
    if (!rg_dtype_is_float(t->dtype)) {
        int bits = rg_dtype_bits(t->dtype);
        r.low = 0;
        r.span = bits > 1 && bits <= 8 && rg_dtype_is_int(t->dtype) ? (double)(1 << (bits - 1)) : 0;
    } else if (t->rank > 1 && t->count) {
        double fan_in = t->rank == 2 ? (double)t->dim[0] : (double)t->count / (double)t->dim[0];
        r.low = -sqrt(3 / fan_in);
        r.span = -2 * r.low;
    }
    return r;
}

static bool put_random(rg_onnx_out *w, pb_ostream_t *out, const rg_onnx_weight *weight)
{
    const rg_tensor *t = weight->tensor;
    recipe r = recipe_of(w, weight);
    uint8_t chunk[CHUNK_BYTE];
    int64_t room = CHUNK_BYTE * 8 / rg_dtype_bits(t->dtype);
    for (int64_t left = t->count, count; left > 0; left -= count) {
        count = left < room ? left : room;
        memset(chunk, 0, sizeof chunk);
        for (int64_t i = 0; i < count; i++) {
            double x = r.low + r.span * rg_random_unit(&r.state);
            float narrow = (float)x; /* nearly all weights are: worth a short way */
            if (t->dtype == RG_F32) memcpy(chunk + (size_t)i * sizeof narrow, &narrow, sizeof narrow);
            else rg_dtype_set_real(t->dtype, chunk, i, x);
        }
        size_t size = (size_t)(count * rg_dtype_bits(t->dtype) + 7) / 8;
        if (!pb_write(out, chunk, size)) return false;
    }
    return true;
}

/* ---- what there is ---- */

static bool put_splat(pb_ostream_t *out, const rg_tensor *t)
{
    uint8_t chunk[CHUNK_BYTE], *to = chunk;
    size_t element = (size_t)(rg_dtype_bits(t->dtype) + 7) / 8;
    uint8_t first[16];
    memcpy(first, t->data, element);
    for (int bits = rg_dtype_bits(t->dtype); bits < 8; bits *= 2) { /* fill the byte with its low bits */
        unsigned low = first[0] & ((1u << bits) - 1);
        first[0] = (uint8_t)(low | low << bits);
    }
    for (; to < chunk + CHUNK_BYTE; to += element) memcpy(to, first, element);
    for (size_t left = size_of(t), some; left; left -= some) {
        some = left < CHUNK_BYTE ? left : CHUNK_BYTE;
        if (!pb_write(out, chunk, some)) return false;
    }
    return true;
}

bool rg_onnx_put_content(rg_onnx_out *w, pb_ostream_t *out, const rg_onnx_weight *weight)
{
    const rg_tensor *t = weight->tensor;
    if (!out->callback) return pb_write(out, NULL, size_of(t));
    if (t->encoding == RG_DATA_RAW) return pb_write(out, t->data, size_of(t));
    if (t->encoding == RG_DATA_SPLAT) return put_splat(out, t);
    return put_random(w, out, weight);
}

/* ---- TensorProto ---- */

size_t rg_onnx_away_size(const rg_tensor *t)
{
    bool streamed = t->encoding == RG_DATA_RAW || t->encoding == RG_DATA_SPLAT || t->encoding == RG_DATA_NONE;
    return streamed && size_of(t) >= AWAY_MIN_BYTE ? size_of(t) : 0;
}

typedef struct entry { const char *key; rg_str value; } entry;

static bool put_entry(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    const entry *e = what;
    (void)w;
    return rg_onnx_put_str(out, RG_ONNX_entry_key, rg_str_of(e->key))
           && rg_onnx_put_str(out, RG_ONNX_entry_value, e->value);
}

static bool put_away(rg_onnx_out *w, pb_ostream_t *out, const rg_onnx_weight *weight)
{
    char offset[24], length[24];
    snprintf(offset, sizeof offset, "%lld", (long long)weight->place);
    snprintf(length, sizeof length, "%zu", size_of(weight->tensor));
    const entry entries[] = {
        {"location", rg_str_of(w->away)}, {"offset", rg_str_of(offset)}, {"length", rg_str_of(length)}};
    for (size_t i = 0; i < RG_COUNT(entries); i++)
        if (!rg_onnx_put_message(w, out, RG_ONNX_tensor_external_data, put_entry, &entries[i])) return false;
    return rg_onnx_put_int(out, RG_ONNX_tensor_data_location, RG_ONNX_LOCATION_EXTERNAL);
}

static bool put_data(rg_onnx_out *w, pb_ostream_t *out, const rg_onnx_weight *weight)
{
    const rg_tensor *t = weight->tensor;
    if (t->encoding == RG_DATA_STRING) {
        const rg_str *strings = t->data;
        for (int64_t i = 0; i < t->count; i++)
            if (!rg_onnx_put_str(out, RG_ONNX_tensor_string_data, strings[i])) return false;
        return true;
    }
    if (t->encoding == RG_DATA_VARINT)
        return rg_onnx_put_str(out, typed_fields[t->dtype], (rg_str){t->data, t->size});
    if (weight->place >= 0) return put_away(w, out, weight);
    return pb_encode_tag(out, PB_WT_STRING, RG_ONNX_tensor_raw_data) && pb_encode_varint(out, size_of(t))
           && rg_onnx_put_content(w, out, weight);
}

bool rg_onnx_put_weight(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    const rg_onnx_weight *weight = what;
    const rg_tensor *t = weight->tensor;
    if (t->encoding == RG_DATA_AWAY)
        w->err = rg_fail(w->cx, RG_UNSUPPORTED, "constant '%.*s': its values lie in %s, which was not opened",
                         RG_STR(weight->name), t->file ? t->file : "a file");
    if (t->encoding == RG_DATA_NONE && !w->random)
        w->err = rg_fail(w->cx, RG_INPUT, "parameter '%.*s' has no values; random weights can be asked for",
                         RG_STR(weight->name));
    if (w->err) return false;
    for (int i = 0; i < t->rank; i++)
        if (!rg_onnx_put_int(out, RG_ONNX_tensor_dims, t->dim[i])) return false;
    return rg_onnx_put_int(out, RG_ONNX_tensor_data_type, t->dtype)
           && rg_onnx_put_str(out, RG_ONNX_tensor_name, weight->name) && put_data(w, out, weight);
}
