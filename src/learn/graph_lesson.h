/* graph_lesson.h - whole inferences that were measured, as graphs of the rows that they are made of:
 *
 *     files -> judges, with a witness -> (graph of rows, log(measured / sum of rows), family) -> lessons by
 * key
 *
 * Rows are corrected already by what kernels taught; what is left is of the whole.
 */
#ifndef RG_GRAPH_LESSON_H
#define RG_GRAPH_LESSON_H

#include "learn/lesson.h"
#include "predict/graphnet.h"

typedef struct rg_graph_example {
    rg_row_graph g;
    double r;                    /* log(measured / sum of rows) */
    uint32_t family;             /* of rg_graph_lesson.families */
} rg_graph_example;

typedef struct rg_graph_lesson {
    const char *key;
    rg_graph_example *examples; size_t count; uint32_t capacity;
    const char **families; size_t family_count; uint32_t family_capacity;
    rg_text made_of;             /* base names of its files */
    uint64_t hash;               /* of graphs and residuals */
} rg_graph_lesson;

typedef struct rg_graph_lessons {
    rg_lessons rules;            /* what nothing is learned from: doubts, a device; its arena holds all */
    rg_graph_lesson *items; size_t count; uint32_t capacity;
} rg_graph_lessons;

void rg_graph_lessons_init(rg_ctx *cx, rg_graph_lessons *lessons);
void rg_graph_lessons_done(rg_graph_lessons *lessons);
/* The whole inferences of one file. opt->learning: what the sum of rows is made with. */
rg_err rg_graph_lessons_add(rg_ctx *cx, rg_graph_lessons *lessons, const char *path,
                            const rg_evaluate_opt *opt) RG_CHECKED;
/* What is held out together, "resnet" of "zoo:resnet50": letters in front; in `arena`, NULL without memory.
 */
const char *rg_model_family(rg_arena *arena, rg_str model);

#endif
