/* pointwise.c - see pointwise.h.
 *
 * Columns are pixels. As many panels of them as a near cache holds are packed at a time: read where they lie,
 * the channels of a pixel, often a page or a power of two apart, would fall into few sets of it.
 */
#include "exec/pointwise.h"

enum {
    MOVE_MACS = 8,           /* multiply-adds in the time that an element takes into blocks or out of them */
    DOUBT = 32,              /* a 32nd is less than what such estimates are wrong by: blocks then */
    NEAR_FLOATS = 32 * 1024, /* 128 KB of panels: a quarter of the least second cache of today */
    PACK_ROWS = 3,           /* rows of the product in the time that its panel takes to be packed */
};

static int64_t up(int64_t count, int64_t grain) { return (count + grain - 1) / grain * grain; }

bool rg_pointwise_pays(const rg_pointwise *w)
{
    int64_t lanes = rg_gemm_nr() / 2, in = w->in_channels, out = w->out_channels;
    int64_t here = up(w->pixels, lanes) * in * (out + PACK_ROWS);
    int64_t blocks = w->pixels * (up(in, RG_BLOCK) * up(out, lanes) + MOVE_MACS * (in + out));
    return w->pixels >= 2 * lanes && here + here / DOUBT <= blocks;
}

/* Pixels that are packed at a time, in whole panels. */
static int64_t chunk_of(const rg_pointwise *w)
{
    int64_t nr = rg_gemm_nr(), most = NEAR_FLOATS / w->in_channels / nr * nr, all = up(w->pixels, nr);
    return most < nr ? nr : most < all ? most : all;
}

static int64_t room_count(const rg_pointwise *w) { return chunk_of(w) * w->in_channels; }

size_t rg_pointwise_room_count(const rg_pointwise *w, int workers)
{
    return (size_t)(room_count(w) * workers);
}

typedef struct range { int64_t from, to; } range;

static void run_share(const rg_pointwise *w, int64_t n, range rows, range pixels, float *room)
{
    const float *x = w->x + n * w->in_channels * w->pixels;
    int64_t step = chunk_of(w);
    for (int64_t pixel = pixels.from; pixel < pixels.to; pixel += step) {
        int64_t count = pixels.to - pixel < step ? pixels.to - pixel : step;
        int64_t at = (n * w->out_channels + rows.from) * w->pixels + pixel;
        rg_gemm g = {
            .m = rows.to - rows.from, .n = count, .k = w->in_channels,
            .a = w->weights + rows.from * w->in_channels, .a_step = w->in_channels, .packed = room,
            .row_bias = w->epilogue.bias + rows.from, .c = w->y + at, .c_step = w->pixels,
            .c_block = RG_BLOCK, .epilogue = w->epilogue,
        };
        g.epilogue.bias = NULL;
        if (w->epilogue.add) g.epilogue.add += at;
        rg_gemm_pack(x + pixel, w->pixels, 1, w->in_channels, count, room, RG_ALONE);
        rg_gemm_run(&g, RG_ALONE);
    }
}

/* Workers share the pixels, or the rows where that is more even, though each then packs all panels. */
void rg_pointwise_run(const rg_pointwise *w, rg_part part)
{
    float *room = (float *)(void *)*w->room + room_count(w) * part.worker;
    int64_t nr = rg_gemm_nr(), panels = (w->pixels + nr - 1) / nr, workers = part.workers;
    int64_t by_pixels = (panels + workers - 1) / workers * (w->out_channels + PACK_ROWS);
    int64_t by_rows = panels * ((w->out_channels + workers - 1) / workers + PACK_ROWS);
    range rows = {0, w->out_channels}, pixels = {0, w->pixels};
    if (by_pixels <= by_rows) rg_part_of(part, w->pixels, nr, &pixels.from, &pixels.to);
    else rg_part_of(part, w->out_channels, 1, &rows.from, &rows.to);
    if (rows.from == rows.to) return;
    for (int64_t n = 0; n < w->batch; n++) run_share(w, n, rows, pixels, room);
}
