/* session.h - a model ready for inputs of any size, from any number of threads.
 *
 *     sizes of the inputs -> plan (cached) -> a runner that nobody uses, or one more of them -> outputs
 */
#ifndef RG_SESSION_H
#define RG_SESSION_H

#include "exec/exec.h"

typedef struct rg_session rg_session;

typedef struct rg_session_opt {
    int threads;             /* of each run; 0: 1 */
    bool pin;
    uint64_t seed;           /* of random operators */
    int plans_max;           /* kept at once, the least recently used goes; 0: 8 */
    const rg_device *device; /* that plans are made for; NULL: this machine */
} rg_session_opt;

/* `load` says what the model's sizes do not depend on (values, trips; may be NULL); its shape and batch come
 * from the inputs of each run. The file is read once here, to fail early. */
rg_err rg_session_new(rg_ctx *cx, const char *model, const rg_load_opt *load, const rg_session_opt *opt,
                      rg_session **out) RG_CHECKED;
/* As the file has it: names and types of inputs and outputs. */
const rg_graph *rg_session_graph(const rg_session *s);
/* `in` by the file's inputs (NULL: its default), `out` receives references by its outputs. Each thread with a
 * context of its own. What has no static plan runs node by node. */
rg_err rg_session_run(rg_ctx *cx, rg_session *s, const rg_datum *const *in, const rg_datum **out) RG_CHECKED;
/* Made so far: bindings of the sizes, those of them that have a plan, and runners. */
typedef struct rg_session_counts { size_t bindings, plans, runners; } rg_session_counts;
rg_session_counts rg_session_count(rg_session *s);
void rg_session_free(rg_session *s); /* NULL is allowed; nobody runs it any more */

#endif
