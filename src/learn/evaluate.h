/* evaluate.h - measurements by others, each row forecast from what identifies it and then compared.
 *
 * A kind of measurement is known by its columns. To add one, write one file in this folder with an RG_JUDGE
 * row: the columns that a forecast may read, the quantities that were measured, and the forecast. What a
 * forecast does not name it cannot read.
 *
 *     file -> rg_table -> kind -> cases (rows of the same identity) -> forecasts -> scores by device x family
 */
#ifndef RG_EVALUATE_H
#define RG_EVALUATE_H

#include "hw/hw.h"
#include "learn/table.h"

enum { RG_JUDGE_COLUMNS = 32, RG_JUDGE_QUANTITIES = 6, RG_JUDGE_RUNTIMES = 2, RG_JUDGE_FINER = 2 };

/* A row as a forecast sees it: the cells of its kind's columns, and the device that one of them names. */
typedef struct rg_judge rg_judge;
typedef struct rg_exam {
    const rg_judge *judge;
    const rg_str *cells;
    const rg_device *device;
    const rg_runtime *const *runtimes; /* as its kind names them; looked up once for all rows */
} rg_exam;
rg_str rg_exam_text(const rg_exam *exam, const char *column);
double rg_exam_real(const rg_exam *exam, const char *column);  /* NAN: empty, or no number */
int64_t rg_exam_int(const rg_exam *exam, const char *column);  /* -1: empty, or no whole number */
/* "True", "true", "1" */
bool rg_exam_flag(const rg_exam *exam, const char *column);

typedef struct rg_quantity {
    const char *name;            /* "latency", "power" */
    const char *column;          /* that it was measured in, SI after `scale` */
    double scale;
    rg_unit unit;
} rg_quantity;

struct rg_judge {
    const char *name, *brief;
    const char *columns[RG_JUDGE_COLUMNS];   /* identity and predictors; a file of this kind has all ... */
    int required;                /* ... or the first so many, and the cells of the others are empty; 0: all */
    const char *where, *where_is; /* NULL, or a column and what it starts with: kinds in one file */
    bool (*has)(const rg_exam *exam); /* NULL, or whether a row is of this kind */
    const char *device, *family; /* columns among them by which scores are grouped; a device that nobody knows
                                  * is a miss ... */
    bool any_device;               /* ... or given as NULL: its name may say enough */
    const char *finer[RG_JUDGE_FINER]; /* columns whose cells stand behind the family's: "gemm fp8" */
    const char *runtimes[RG_JUDGE_RUNTIMES]; /* ids of those that its forecasts plan with */
    rg_quantity quantities[RG_JUDGE_QUANTITIES]; /* a file of this kind has one of them at least */
    /* out[i]: of quantity i, NAN where this cannot be said. RG_UNSUPPORTED, RG_INPUT: a miss, with its text.
     */
    rg_err (*forecast)(rg_ctx *cx, const rg_exam *exam, double *out);
};
#define RG_JUDGE(id) const rg_judge rg_judge_##id
extern const rg_judge *const rg_judge_table[];
extern const int rg_judge_count;

/* ---- scores (score.c) ---- */

typedef struct rg_score {
    size_t n, answered;          /* a miss counts as an error of the whole: 100 % */
    double mape, median_ape;     /* shares */
    double mae, rmse;            /* in the quantity's unit, of what was answered */
    double r2, tau, bias;        /* tau: Kendall's tau-b; bias: mean of forecast / measured - 1 */
} rg_score;
/* forecast NAN: a miss. In cx's scratch. */
rg_err rg_score_of(rg_ctx *cx, const double *measured, const double *forecast, size_t n,
                   rg_score *out) RG_CHECKED;

/* ---- a file judged (judging.c) ---- */

typedef struct rg_verdict {      /* of one row */
    uint32_t row, group;
    double measured[RG_JUDGE_QUANTITIES], forecast[RG_JUDGE_QUANTITIES]; /* NAN: not measured, a miss */
    const char *error;           /* why there is none */
} rg_verdict;

typedef struct rg_group { rg_str device, family; } rg_group;

typedef struct rg_evaluation {
    rg_arena arena;
    rg_table *table;
    const rg_judge *judge;
    rg_verdict *verdicts; size_t count;
    rg_group *groups; size_t group_count;
    size_t cases;                /* distinct identities */
} rg_evaluation;

/* All kinds that the file has, one evaluation each. */
rg_err rg_evaluate_file(rg_ctx *cx, const char *path, const rg_evaluate_opt *opt, rg_evaluation **out,
                        size_t *count) RG_CHECKED;
void rg_evaluation_free(rg_evaluation *evaluations, size_t count);

#endif
