/* evaluate.h - measurements by others, each row forecast from what identifies it and then compared.
 *
 * A kind of measurement is known by its columns. To add one, write one file in this folder with an RG_JUDGE
 * row: the columns that a forecast may read, the quantities that were measured, and the forecast. What a
 * forecast does not name it cannot read.
 *
 *     file -> rg_table -> kind -> cases (rows of the same identity) -> forecasts -> scores by device x family
 *
 * Rows of some kinds are points of a curve: one kernel over the clock, one device over its models. Such a
 * kind forecasts a curve at a time, and may ask what was measured at a few settings of it: its probes, which
 * are then not scored.
 */
#ifndef RG_EVALUATE_H
#define RG_EVALUATE_H

#include "hw/hw.h"
#include "learn/table.h"
#include "report/doc.h"

enum { RG_JUDGE_COLUMNS = 32, RG_JUDGE_QUANTITIES = 6, RG_JUDGE_RUNTIMES = 2, RG_JUDGE_FINER = 2,
       RG_JUDGE_KEYS = 8, RG_JUDGE_BASELINES = 8 };

/* A row as a forecast sees it: the cells of its kind's columns, and the device that one of them names. */
typedef struct rg_judge rg_judge;
typedef struct rg_exam {
    const rg_judge *judge;
    const rg_str *cells;
    const rg_device *device;
    const rg_runtime *const *runtimes; /* as its kind names them; looked up once for all rows */
    size_t index;                /* of the case */
    rg_learning learning;        /* what its forecasts use of what was learned */
    const struct rg_witness *witness; /* NULL, or who is shown the forecasts */
    double *spread;              /* by quantity, said by the forecast: log(high end / value) of its 90 %
                                  * interval; NULL: nobody asks */
} rg_exam;
void rg_exam_interval(const rg_exam *exam, int quantity, rg_estimate estimate);
rg_str rg_exam_text(const rg_exam *exam, const char *column);
double rg_exam_real(const rg_exam *exam, const char *column);  /* NAN: empty, or no number */
int64_t rg_exam_int(const rg_exam *exam, const char *column);  /* -1: empty, or no whole number */
/* Of a cell such as "DRAMA=0.5;run=1" the number behind a key; NAN: there is none. */
double rg_exam_pair(const rg_exam *exam, const char *column, const char *key);
/* "True", "true", "1" */
bool rg_exam_flag(const rg_exam *exam, const char *column);

typedef struct rg_quantity {
    const char *name;            /* "latency", "power" */
    const char *column;          /* that it was measured in, SI after `scale` */
    double scale;
    rg_unit unit;
} rg_quantity;

/* A curve under examination, number 0, and those of the same device that are known, from 1 on. */
typedef struct rg_sitting rg_sitting;
typedef struct rg_verdict rg_verdict;

/* out[i]: of setting i of curve 0. Errors as of rg_judge.forecast. */
typedef rg_err rg_curve_forecast(rg_ctx *cx, rg_sitting *sitting, double (*out)[RG_JUDGE_QUANTITIES]);
/* How others forecast it, to be judged by the same rows. */
typedef struct rg_baseline {
    const char *name, *brief;
    rg_curve_forecast *forecast;
    rg_err (*ready)(rg_ctx *cx); /* NULL, or whether what it needs is there: asked before anything else is */
} rg_baseline;

struct rg_judge {
    const char *name, *brief;
    const char *columns[RG_JUDGE_COLUMNS];   /* identity and predictors; a file of this kind has all ... */
    int required;                /* ... or the first so many, and the cells of the others are empty; 0: all */
    const char *where, *where_is; /* NULL, or a column and what it starts with: kinds in one file */
    bool (*has)(const rg_exam *exam); /* NULL, or whether a row is of this kind */
    bool teaches;                /* no score: rows of another kind, forecast as if they were of a lesser one,
                                  * so that this is taught by more of them */
    const char *device, *family; /* columns among them by which scores are grouped; a device that nobody knows
                                  * is a miss ... */
    bool any_device;             /* ... or given as NULL: its name may say enough */
    const char *finer[RG_JUDGE_FINER]; /* columns whose cells stand behind the family's: "gemm fp8" */
    const char *runtimes[RG_JUDGE_RUNTIMES]; /* ids of those that its forecasts plan with */
    rg_quantity quantities[RG_JUDGE_QUANTITIES]; /* a file of this kind has one of them at least */
    /* out[i]: of quantity i, NAN where this cannot be said. RG_UNSUPPORTED, RG_INPUT: a miss, with its text.
     */
    rg_err (*forecast)(rg_ctx *cx, const rg_exam *exam, double *out);

    /* Of kinds whose rows are points of curves, instead of `forecast`; where both are there, with probes: */
    rg_curve_forecast *curve;
    const char *curve_by[RG_JUDGE_KEYS]; /* columns that are the same all along a curve */
    const char *setting; /* the column that is varied; rows of a curve that are the same in it repeat each
                          * other. NULL: whatever differs is another setting */
    int time, energy;    /* quantities whose product the choice of a setting is judged by; both 0: none is */
    /* Names rows that show something else than what was to be measured: `dirty`. In the order of the file.
     * note: of the curve. */
    rg_err (*clean)(rg_ctx *cx, const rg_exam *exams, rg_verdict *const *rows, size_t count,
                    const char **note);
    rg_baseline baselines[RG_JUDGE_BASELINES];
};
#define RG_JUDGE(id) const rg_judge rg_judge_##id
extern const rg_judge *const rg_judge_table[];
extern const int rg_judge_count;

/* ---- curves (sitting.c) ---- */

size_t rg_sitting_curves(const rg_sitting *s);             /* with number 0 */
size_t rg_sitting_abroad(const rg_sitting *s);             /* behind them: of other devices and families */
size_t rg_sitting_count(const rg_sitting *s, size_t curve); /* of settings */
const rg_exam *rg_sitting_exam(const rg_sitting *s, size_t curve, size_t setting);
int rg_sitting_probes(const rg_sitting *s);                /* that may be asked for */
/* None of its rows shows what was to be measured: who probes would see that, and run it again. */
bool rg_sitting_dirty(const rg_sitting *s, size_t curve, size_t setting);
/* What was measured, by quantity, NAN where it was not: medians of its rows. Of curve 0 it makes the setting
 * a probe; false: there are no more. Of others false: its rows are dirty. */
bool rg_sitting_measured(rg_sitting *s, size_t curve, size_t setting, double *out);
/* Setting of curve 0 has no forecast, and why; the text lives as long as the context's scratch. */
void rg_sitting_miss(rg_sitting *s, size_t setting, const char *why);

/* ---- scores (score.c) ---- */

typedef struct rg_score {
    size_t n, answered;          /* a miss counts as an error of the whole: 100 % */
    double mape, median_ape;     /* shares */
    double mae, rmse;            /* in the quantity's unit, of what was answered */
    double r2, tau, bias;        /* tau: Kendall's tau-b; bias: mean of forecast / measured - 1 */
    double coverage90, width90;  /* of those with an interval: share that lies in it; mean of (high - low) /
                                  * forecast; NAN: none has one */
} rg_score;
/* forecast NAN: a miss. In cx's scratch. */
rg_err rg_score_of(rg_ctx *cx, const double *measured, const double *forecast, size_t n,
                   rg_score *out) RG_CHECKED;
/* spread: log(high / forecast) = log(forecast / low); NAN: no interval. Sets the last two of `out`. */
void rg_score_intervals(const double *measured, const double *forecast, const double *spread, size_t n,
                        rg_score *out);

/* ---- a file judged (judging.c) ---- */

struct rg_verdict {              /* of one row */
    uint32_t row, group;
    uint32_t curve, setting;     /* where it is one of a curve */
    double measured[RG_JUDGE_QUANTITIES], forecast[RG_JUDGE_QUANTITIES]; /* NAN: not measured, a miss */
    double spread[RG_JUDGE_QUANTITIES]; /* log(high end / forecast); NAN: no interval */
    const char *error;           /* why there is none */
    const char *dirty;           /* why it is scored apart, or NULL; a constant */
    bool probe;                  /* was shown to the forecast, and is not scored */
};

/* Has a forecast that is a test: what it was told, and what was measured wrong, is none. */
static inline bool rg_verdict_answered(const rg_verdict *v, int quantity)
{
    return !v->probe && !v->dirty && v->measured[quantity] > 0 && v->forecast[quantity] > 0;
}

typedef struct rg_group { rg_str device, family; } rg_group;

typedef struct rg_setting {      /* of a curve: rows that repeat each other */
    rg_exam exam;                /* of the first of them; holds while forecasts are made */
    double at;                   /* of the column that is varied; NAN: of none */
    double measured[RG_JUDGE_QUANTITIES], forecast[RG_JUDGE_QUANTITIES];
    bool dirty, probe;           /* dirty: each of its rows is */
    const char *error;           /* why it has no forecast, where that is not the curve's */
} rg_setting;
typedef struct rg_curve {
    uint32_t group;              /* of its first row */
    uint32_t *rows, row_count;   /* verdicts, in the order of the file */
    rg_setting *settings; uint32_t count;
    const char *error;
    const char *note;            /* of how it was measured, or NULL; a constant */
} rg_curve;

typedef struct rg_evaluation {
    rg_arena arena;
    rg_table *table;
    const rg_judge *judge;
    rg_verdict *verdicts; size_t count;
    rg_group *groups; size_t group_count;
    size_t cases;                /* distinct identities */
    rg_curve *curves; size_t curve_count; /* of a kind that has them */
} rg_evaluation;

/* One kernel, or one whole inference, on one of `devices` alike whose power was measured together. row: 1 +
 * the one that was timed alone among the others; 0: whichever the graph is there for, with all around it. */
typedef struct rg_view { bool whole; int devices; uint32_t row; } rg_view;

/* Whoever learns from measurements looks at the forecasts behind the answers. */
typedef struct rg_witness {
    /* Before the forecasts of a kind: e->cases are known. */
    rg_err (*begin)(rg_ctx *cx, void *user, const rg_evaluation *e);
    /* A forecast whose time (and power) a case is; from any thread, each case once. */
    rg_err (*see)(rg_ctx *cx, void *user, const rg_exam *exam, const rg_forecast *f, rg_view view);
    /* After them. case_of: by verdict. */
    rg_err (*end)(rg_ctx *cx, void *user, const rg_evaluation *e, const uint32_t *case_of);
    void *user;
} rg_witness;
rg_err rg_exam_show(rg_ctx *cx, const rg_exam *exam, const rg_forecast *f, rg_view view) RG_CHECKED;

/* As rg_evaluate_file, with what was learned as said and a witness. */
rg_err rg_judge_file(rg_ctx *cx, const char *path, const rg_evaluate_opt *opt, const rg_witness *witness,
                     rg_evaluation **out, size_t *count) RG_CHECKED;
/* Puts the rows into curves and names the dirty ones. keys: cells of the judge's columns, of each case. */
rg_err rg_curves_make(rg_ctx *cx, rg_evaluation *e, const rg_str *keys, int columns,
                      const uint32_t *case_of) RG_CHECKED;
/* Forecasts one; its settings keep the answers. The devices of all exams are known by now. */
rg_err rg_curve_sit(rg_ctx *cx, rg_evaluation *e, const rg_evaluate_opt *opt, size_t curve) RG_CHECKED;
/* What is asked for can be: --probes, --known, --baseline. */
rg_err rg_sitting_check(rg_ctx *cx, const rg_judge *judge, const rg_evaluate_opt *opt) RG_CHECKED;

/* Of each curve the setting with the least time x energy by the forecast, and what it costs over the
 * measured best: choices[] and its table (choice_doc.c). */
void rg_choices_doc(rg_doc *doc, rg_item *all, const rg_evaluation *e);

/* points[] and charts of a result, the number-th of the document: measured against forecast, and what is left
 * (points_doc.c). */
void rg_points_doc(rg_doc *doc, rg_item *result, size_t number, const rg_evaluation *e, int quantity);
/* importance[]: of the features that learned residuals have, by the rows of the files (importance_doc.c). */
rg_err rg_importance_doc(rg_ctx *cx, rg_doc *doc, const char *const *files, size_t count,
                         const rg_evaluate_opt *opt) RG_CHECKED;

/* All kinds that the file has, one evaluation each. */
rg_err rg_evaluate_file(rg_ctx *cx, const char *path, const rg_evaluate_opt *opt, rg_evaluation **out,
                        size_t *count) RG_CHECKED;
void rg_evaluation_free(rg_evaluation *evaluations, size_t count);

#endif
