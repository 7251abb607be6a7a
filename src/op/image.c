/* image.c - ImageDecoder: an image file as pixels, [height, width, channels] of 8 bits. What is damaged
 * becomes an empty image, as the standard says; what Ridge cannot read is an error.
 */
#include "base/picture.h"
#include "op/kernel.h"
#include "op/share.h"

static const rg_attr_spec attrs[] = {
    {"pixel_format", RG_ATTR_STRING, "RGB", false, "RGB, BGR or Grayscale"},
};
static const rg_case cases[] = {
    {"u8[n]", "", "u8[u0,u1,3]"},
    {"u8[n]", "pixel_format=\"Grayscale\"", "u8[u0,u1,1]"},
};

static rg_err infer(const rg_site *s)
{
    bool gray = rg_str_is(rg_op_str(s, "pixel_format"), "Grayscale");
    rg_dim dim[3] = {rg_dim_open(s, 1), rg_dim_open(s, 1), gray ? 1 : 3};

    RG_TRY(rg_need_tensor(s, 0));
    rg_set_out(s, 0, rg_type_tensor(RG_U8, 3, dim));
    return RG_OK;
}

/* How large it is only its header tells. */
static void work(const rg_site *s, rg_work *w)
{
    (void)s;
    w->family = RG_FAMILY_OTHER;
}

static rg_err run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0);
    rg_str format = rg_op_str(&r->site, "pixel_format");
    int channels = rg_str_is(format, "Grayscale") ? 1 : 3;
    rg_picture picture = {0};
    rg_array *y;

    if (x->dtype != RG_U8 || x->rank != 1)
        return rg_run_fail(r, RG_SHAPE, "its input is %s of rank %d, not a list of bytes",
                           rg_dtype_name(x->dtype), x->rank);
    rg_str bytes = {x->data, (size_t)x->count};
    rg_err err = rg_picture_read(r->site.cx, r->scratch, bytes, channels, &picture);
    if (err == RG_FORMAT) picture = (rg_picture){.channels = channels};
    else if (err) return rg_note(r->site.cx, err, "%s", rg_node_label(r->site.cx, r->site.g, r->site.id));
    RG_TRY(rg_make_result(r, 0, RG_U8, 3, (int64_t[]){picture.height, picture.width, channels}, &y));
    uint8_t *to = y->data;
    if (y->count) memcpy(to, picture.pixels, (size_t)y->count);
    for (int64_t i = 0; rg_str_is(format, "BGR") && i < y->count; i += 3) {
        uint8_t red = to[i];
        to[i] = to[i + 2];
        to[i + 2] = red;
    }
    return RG_OK;
}

RG_OP(imagedecoder) = {
    .name = "ImageDecoder", .brief = "an image file as pixels", .since = 20,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run,
};
