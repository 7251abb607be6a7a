/* result.h - what a model gave: described in a document, and saved. */
#ifndef RG_RESULT_H
#define RG_RESULT_H

#include "op/kernel.h"
#include "report/doc.h"

/* Type, shape and, where they are few, the elements of a value; sequences and maps by their items. */
void rg_result_describe(rg_doc *doc, rg_item *object, const rg_datum *datum);
/* Its largest scores, when it is rows of scores over classes: the `top` largest of each, named by labels
 * where there is one for each class. *labelled: they were. */
void rg_result_rank(rg_ctx *cx, rg_doc *doc, rg_item *object, const rg_datum *datum, int top,
                    const rg_str *labels, size_t label_count, bool *labelled);
/* As DIR/NAME.npy, items of sequences and maps as DIR/NAME_0.npy ...; what a file name cannot have is '_'.
 * The index tells outputs apart whose names become the same. */
rg_err rg_result_save(rg_ctx *cx, rg_doc *doc, rg_item *object, const char *dir, rg_str name, uint32_t index,
                      const rg_datum *datum) RG_CHECKED;

#endif
