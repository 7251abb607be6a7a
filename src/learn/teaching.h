/* teaching.h - one key while it is taught: its rows by device and fold, members, and what was held out of
 * them. For teach.c, teach_rows.c and teach_test.c alone.
 */
#ifndef RG_LEARN_TEACHING_H
#define RG_LEARN_TEACHING_H

#include "learn/teach.h"

enum {
    RG_TEACH_ROWS_MAX = 32000,  /* of a device that a member is taught with */
    RG_TEACH_TESTED_MAX = 2000, /* ... and of those that it is tested with */
    RG_TEACH_ROWS_MIN = 60,     /* for a member of its own */
    RG_TEACH_POOLED_MAX = RG_TEACH_ROWS_MAX / 3,
    RG_TEACH_DEVICES_MAX = 256,
};

/* Rows that were taken: features one row after the other, log(measured / base) less what the host is, that,
 * weights, groups. */
typedef struct rg_teach_set {
    float *x, *y, *host, *weight;
    uint64_t *group;
    rg_lesson_part *part;
    size_t count;
} rg_teach_set;

typedef struct rg_teaching {
    rg_ctx *cx;
    rg_booster *booster;
    const rg_lessons *lessons;
    const rg_lesson *lesson;
    rg_trees *trees;
    uint32_t *devices; size_t device_count; /* that have rows */
    size_t *rows;                /* by device */
    double *hosts;               /* by device: residual.c; 0: not known */
    rg_trees_member **own;       /* by device; NULL: too few rows */
    double line;                 /* share of the linear law in a member, the same in all */
    double belief;               /* how far a member goes from its middle, the same in all */
    uint16_t *fold; int folds;   /* of each row */
} rg_teaching;

typedef enum rg_teach_part { RG_PART_ALL, RG_PART_TAUGHT, RG_PART_HELD } rg_teach_part;

/* Which rows are wanted: of one device, or (RG_EVERY) of all but `without`; of a fold, or of all others. */
#define RG_EVERY UINT32_MAX
typedef struct rg_teach_wish { uint32_t device, without; rg_teach_part part; int fold; } rg_teach_wish;

/* Whether in that fold rows of the device are tested: of many rows a fifth is enough to know. */
bool rg_teach_is_tested(const rg_teaching *t, uint32_t device, int fold);

/* Which rows are held out together: t->fold. */
rg_err rg_teach_make_folds(rg_teaching *t) RG_CHECKED;

/* What a device of so many rows weighs against others: 1, less where it has too few for a member. */
double rg_teach_claim(size_t rows);

/* At most so many rows of each device, each as likely as any other; where there are several devices, each
 * weighs its claim. */
rg_err rg_teach_take(rg_teaching *t, rg_teach_wish wish, size_t most, rg_teach_set *out) RG_CHECKED;

/* A member from rows; pooled: of several devices. Of whole inferences it is a line and trees, mixed: a line
 * says something of networks that are unlike those that were taught, trees of those that are alike. Its share
 * is chosen with that of the pooled member, and how far both are believed; until then all stand for
 * themselves, and `start` is the line's. */
rg_err rg_teach_member(rg_teaching *t, const rg_teach_set *s, bool pooled, rg_trees_member *out) RG_CHECKED;

/* Known devices: members without a fold, tested on it; chooses the pooled member's share and sets known
 * spreads. */
rg_err rg_teach_test_known(rg_teaching *t, rg_report_card *cards, rg_held_rows *all) RG_CHECKED;

/* Devices that were not measured: each answered by the others; chooses the mixture and sets their spreads. */
rg_err rg_teach_test_unknown(rg_teaching *t, rg_report_card *cards, rg_held_rows *all) RG_CHECKED;

#endif
