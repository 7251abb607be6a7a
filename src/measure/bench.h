/* bench.h - inside `ridge bench`: what is compared, who plays, and who does which part of it.
 *
 *     model_bench.c   options, the forms of a model, one model after the other
 *     bench_play.c    who can play, turns, energy, counters, rows: everything that runs a model
 *     bench_result.c  figures of a player, one result of the document
 *     bench_report.c  what all results say together, and the layout
 *     bench_reading.c what is kept for later
 */
#ifndef RG_BENCH_H
#define RG_BENCH_H

#include "measure/bench_forecast.h"
#include "measure/feed.h"
#include "measure/lane_energy.h"
#include "measure/perf_counter.h"
#include "measure/readings.h"
#include "measure/trial.h"

enum { RG_BENCH_THREADS = 16 };

/* A model as a file: as it was built; behind our passes, which make one node of what exporters write as many
 * (LayerNormalization, Gelu); and with whole attention as one node, too. A backend that fuses by itself may
 * know any of them best. */
typedef enum rg_form_kind { RG_FORM_BUILT, RG_FORM_FUSED, RG_FORM_ATTENTION, RG_FORM_COUNT } rg_form_kind;
const char *rg_form_name(rg_form_kind kind);
typedef struct rg_form {
    const char *path;                /* NULL: the model has no such form, or nobody wants it */
    const char *missing;             /* why it could not be made; NULL: it is no other than the one before */
    const rg_graph *g;               /* as it stands in the file */
    const rg_datum **in;             /* by g's inputs; borrowed from the contest's feeds */
} rg_form;

/* A backend with a number of threads, on one model. */
typedef struct rg_player {
    const rg_backend *backend;
    rg_job job;
    rg_form_kind form;
    const char *form_text;           /* why this one; NULL: there was no choice */
    cpu_set_t cpus;
    rg_trial trial;
    void *state;
    rg_lane lane;
    rg_lane_energy energy;
    rg_counters counters;
    double counts[RG_COUNTER_COUNT]; /* of one inference; NAN: not counted */
    rg_row_times rows;               /* plan NULL: not timed by row */
    /* figures: rg_player_figure */
    double *samples_s; size_t sample_count; /* of undisturbed turns where they are enough, else of all */
    bool disturbed;
    double median_s, p90_s, p99_s;
    double ratio;                    /* to the reference of the same threads; NAN: there is none */
    double error_l2;                 /* of its outputs, the worst; NAN: not known */
    const char *error_of;            /* whose outputs are taken to be right; NULL: nobody's */
} rg_player;

/* A median over the reference's: what the summary is made of. */
typedef struct rg_ratio { const rg_backend *backend; int threads; const char *model; double ratio; } rg_ratio;

typedef struct rg_bench {
    rg_ctx *cx;
    rg_bench_opt opt;
    const rg_backend **backends; size_t backend_count;
    const rg_backend *reference;
    int threads[RG_BENCH_THREADS]; size_t thread_count;
    const rg_device *host;
    rg_doc *doc;
    rg_item *results, *unavailable, *summary;
    cpu_set_t before;                /* where this process may run */
    cpu_set_t watched;               /* processors of the lane that has its turn */
    rg_host_load begun;
    rg_meters *meters;               /* NULL: energy is not asked for */
    rg_estimate power_w;             /* of the lane that is measured, by a forecast: for estimates */
    rg_ratio *ratios; size_t ratio_count; uint32_t ratio_capacity;
    rg_readings readings;
    const char *fingerprint, *date;  /* of readings */
    uint64_t data_hash;
} rg_bench;

/* One model. */
typedef struct rg_contest {
    rg_bench *b;
    const char *model;
    rg_form forms[RG_FORM_COUNT];
    rg_feed *feeds;                  /* by the inputs of the form that was built */
    rg_player *players; size_t count; /* those that can play come first */
} rg_contest;

/* ---- bench_play.c ---- */

rg_err rg_contest_choose(rg_contest *m) RG_CHECKED; /* players; those who cannot play become "unavailable" */
rg_err rg_contest_play(rg_contest *m) RG_CHECKED;   /* opens them; turns, then everything beside time */
void rg_contest_close(rg_contest *m);

/* ---- bench_result.c ---- */

rg_err rg_contest_figures(rg_contest *m) RG_CHECKED; /* percentiles, ratios, errors of outputs */
rg_err rg_contest_put(rg_contest *m) RG_CHECKED;     /* results[] */

/* ---- bench_reading.c ---- */

rg_err rg_bench_readings_begin(rg_bench *b) RG_CHECKED; /* the file, before the work */
rg_err rg_contest_read(rg_contest *m) RG_CHECKED;           /* readings of the players */

/* ---- bench_report.c ---- */

void rg_bench_host(rg_bench *b, rg_item *root);  /* "host" and its section */
void rg_bench_summarize(rg_bench *b);            /* "summary" */
void rg_bench_lay_out(const rg_bench *b);

#endif
