/* feed.h - what a model is fed with: its inputs out of files, or made up, in the types and sizes that it
 * takes. */
#ifndef RG_FEED_H
#define RG_FEED_H

#include "op/kernel.h"

/* One input of a model. */
typedef struct rg_feed {
    const rg_datum *datum;   /* NULL: nobody gave one */
    const char *file;        /* where it is from; NULL: made up */
    const char *text;        /* what was done to it on the way, or NULL */
} rg_feed;

/* `feeds` has an element for each input of g and one more, zero before; what was read fits the input. Release
 * them by rg_feeds_done, after an error too. */
rg_err rg_feeds_read(rg_ctx *cx, const rg_graph *g, const rg_run_opt *opt, rg_feed *feeds) RG_CHECKED;
/* The index of g's input of that name; its number of inputs when it has none. */
uint32_t rg_feeds_find(const rg_graph *g, rg_str name);
/* Inputs of `sized` that have neither a datum nor a default are made up, in its sizes; the feeds are g's. */
rg_err rg_feeds_make_up(rg_ctx *cx, const rg_graph *g, const rg_graph *sized, uint64_t seed,
                        rg_feed *feeds) RG_CHECKED;
/* The first input of `sized` that has neither; 0: there is none. */
rg_value_id rg_feeds_missing(const rg_graph *g, const rg_graph *sized, const rg_feed *feeds);
/* The sizes of what is there, of inputs that g leaves open, behind `before`: "x=1x3x224x224,ids=1x128"; in
 * cx's arena. */
rg_err rg_feeds_shape(rg_ctx *cx, const rg_graph *g, const rg_feed *feeds, const char *before,
                      const char **out) RG_CHECKED;
void rg_feeds_done(const rg_graph *g, rg_feed *feeds);

/* ---- files that are not tensors yet (measure/feed_media.c) ---- */

/* As an input of that type takes them; *text says what was done. */
rg_err rg_feed_picture(rg_ctx *cx, const rg_run_opt *opt, const char *path, const rg_type *type,
                       rg_datum **out, const char **text) RG_CHECKED;
rg_err rg_feed_sound(rg_ctx *cx, const rg_run_opt *opt, const char *path, const rg_type *type,
                     rg_datum **out, const char **text) RG_CHECKED;

#endif
