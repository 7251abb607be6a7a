/* teach.h - a lesson learned: trees of one key, and how they do on what they have not seen. */
#ifndef RG_TEACH_H
#define RG_TEACH_H

#include "learn/boost.h"
#include "learn/conformal.h"
#include "learn/lesson.h"

/* How a device fares; its intervals as others say them: of groups by other groups, of the device by others.
 */
typedef struct rg_report_card {
    const char *device;          /* NULL: mean of all */
    size_t rows;
    rg_held_score base;          /* of the analytic base */
    rg_held_score known;         /* groups held out, the device known */
    rg_held_score unknown;       /* the device held out */
} rg_report_card;

typedef struct rg_taught {
    rg_trees *trees;
    rg_report_card *cards; size_t card_count; /* [0]: means over devices */
    rg_held_rows known, unknown; /* what was held out */
} rg_taught;

/* In cx's arena. */
rg_err rg_teach(rg_ctx *cx, rg_booster *booster, const rg_lessons *lessons, const rg_lesson *lesson,
                rg_taught *out) RG_CHECKED;

/* DIR/KEY.trees, by renaming: readers see the old file or the new one. learn_doc.c */
rg_err rg_trees_save(rg_ctx *cx, const rg_trees *trees, const char *dir) RG_CHECKED;

/* A file anew, as above. */
rg_err rg_learned_write(rg_ctx *cx, const char *path, rg_str bytes) RG_CHECKED;
/* Whether DIR can be written into, looked for before work that takes minutes; NULL: nobody wants to. */
rg_err rg_learned_folder(rg_ctx *cx, const char *dir) RG_CHECKED;

#endif
