/* stand_in_llm.h - a language model that nobody has, by its totals. */
#ifndef RG_STAND_IN_LLM_H
#define RG_STAND_IN_LLM_H

#include "format/hf_decoder.h"

typedef struct rg_llm_totals {
    double parameters, active;  /* of all of it; that one token goes through: as many, in a dense one */
    int64_t experts;            /* 0: not known */
    bool mixture, hybrid;       /* hybrid: most layers hold a state in place of keys and values */
} rg_llm_totals;

/* RG_UNSUPPORTED: no decoder of the usual shape has these totals. */
rg_err rg_stand_in_decoder(rg_ctx *cx, const rg_llm_totals *totals, rg_decoder *out) RG_CHECKED;

#endif
