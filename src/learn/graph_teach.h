/* graph_teach.h - a lesson of whole inferences learned by networks over their rows, and how these do on
 * families of models that they have not seen.
 */
#ifndef RG_GRAPH_TEACH_H
#define RG_GRAPH_TEACH_H

#include "learn/graph_lesson.h"

/* Errors are |forecast / measured - 1|. */
typedef struct rg_family_card { const char *family; size_t graphs; double base, held_out; } rg_family_card;

typedef struct rg_graph_taught {
    rg_graphnet *net;            /* of all families; base, held_out and spread as on those held out */
    rg_family_card *cards; size_t card_count;
    bool better;                 /* than the sum of rows, on families held out */
} rg_graph_taught;

/* In cx's arena. epochs: at most, 0: as many as it takes. RG_UNSUPPORTED: too few families. */
rg_err rg_graph_teach(rg_ctx *cx, const rg_graph_lesson *lesson, int epochs, size_t workers,
                      rg_graph_taught *out) RG_CHECKED;

/* graph_doc.c: `ridge learn --graph`, into networks[] and families[] of the document. */
rg_err rg_graph_learn(rg_ctx *cx, const char *const *files, size_t count, const rg_learn_opt *opt,
                      rg_doc *doc) RG_CHECKED;

/* How far a member is off on one graph, (r - target) as a rounded absolute value; its derivatives by the
 * member's weights are added to `slope`. room: rg_graphnet_room, then twice as much again. */
double rg_graph_loss(const rg_graphnet *net, size_t member, const rg_row_graph *g, double target,
                     double *room, double *slope);

#endif
