/* lesson.h - what measurements say against the analytic base, sorted by the key of what they correct:
 *
 *     files -> judges, with a witness -> rows of (features, log(measured / base), device, group) -> lessons
 *
 * A row of a lesson comes from one measurement. Where a forecast has several kernels, the residual is that of
 * the longest, the others as the base has them; how far off an answer is counts by what was measured:
 *
 *     forecast / measured = own e^(answer - r) + rest      own: the kernel's share of it, rest: the others'
 */
#ifndef RG_LESSON_H
#define RG_LESSON_H

#include "learn/evaluate.h"
#include "predict/residual.h"

typedef struct rg_lesson_part { float own, rest, size; } rg_lesson_part; /* size: log of what was measured */

typedef struct rg_lesson {
    const char *key;
    rg_features_of of;
    size_t features;             /* columns of x */
    size_t count; uint32_t x_capacity, r_capacity, device_capacity, group_capacity,
        part_capacity;
    float *x;                    /* count x features */
    float *r;                    /* log(measured / base) */
    rg_lesson_part *part;        /* NULL: all rows are what was measured */
    uint32_t *device;            /* of rg_lessons.devices */
    uint64_t *group;             /* what is held out together: a model, a family of models, or a shape */
    rg_text made_of;             /* base names of its files */
    uint64_t hash;               /* of all rows */
} rg_lesson;

/* A session that nothing is learned from: doubt.c. */
typedef struct rg_doubt { const char *judge, *family, *device, *why; } rg_doubt;

typedef struct rg_lessons {
    rg_arena arena;
    const rg_doubt *doubts; size_t doubt_count;
    const char *without;         /* id of a device that nothing is learned from either; NULL: none */
    rg_lesson *items; size_t count; uint32_t capacity;
    const rg_device **devices; size_t device_count; uint32_t device_capacity;
    rg_map keys, names;          /* -> 1 + index of items, of devices */
} rg_lessons;

void rg_lessons_init(rg_ctx *cx, rg_lessons *lessons);
void rg_lessons_done(rg_lessons *lessons);
/* The rows of one file, of whole inferences or else of kernels. opt->learning says what the base is:
 * RG_LEARN_NONE for kernels, RG_LEARN_ROWS for whole inferences, whose kernels were learned before. device:
 * an id, whose rows alone are taken; NULL: any. */
rg_err rg_lessons_add(rg_ctx *cx, rg_lessons *lessons, const char *path, const rg_evaluate_opt *opt,
                      bool whole, const char *device) RG_CHECKED;
/* Names of files with a blank between them: adds one that is not the last of them already. */
rg_err rg_lesson_note_file(rg_ctx *cx, rg_text *made_of, const char *file) RG_CHECKED;
/* Sessions that nothing is learned from, of data/learned/doubt.json. */
rg_err rg_doubts_read(rg_ctx *cx, rg_lessons *lessons) RG_CHECKED;
bool rg_is_doubted(const rg_lessons *lessons, const rg_exam *exam);
/* Whichever of its quantities is the time of what was seen, and the power drawn meanwhile; NAN: unknown. */
void rg_verdict_measured(const rg_evaluation *e, const rg_verdict *v, double *seconds, double *watt);
/* DIR/KEY.csv each: residual, device, group, features. */
rg_err rg_lessons_export(rg_ctx *cx, const rg_lessons *lessons, const char *dir) RG_CHECKED;

#endif
