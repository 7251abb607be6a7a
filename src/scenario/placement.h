/* placement.h - which devices, how many, and how the model lies on them, so that so many users are served in
 * time.
 *
 *     devices x runtimes x precisions x parallels -> candidates: each a replica, and as many as it takes
 *
 * `users` sequences are written at once, each of `prompt` tokens read and `output` written, and the next one
 * begins where one ends. Of a replica with b of them, between two tokens of one sequence lies a step that
 * writes a token of all b, and b / output prompts are read:
 *
 *     tpot(b) = decode(b, prompt + output / 2) + b / output * prefill(1, prompt)
 *     ttft(b) = prefill(1, prompt) + decode(b, prompt + output / 2)         waits for the step that runs
 *
 * with pipelines as in llm_request.c. `ridge simulate` has the distribution around these means.
 */
#ifndef RG_PLACEMENT_H
#define RG_PLACEMENT_H

#include "scenario/llm.h"

typedef enum rg_place_verdict {
    RG_PLACE_GOOD, RG_PLACE_ERROR, RG_PLACE_MEMORY, RG_PLACE_TTFT, RG_PLACE_TPOT, RG_PLACE_DEVICES,
    RG_PLACE_VERDICT_COUNT
} rg_place_verdict;
const char *rg_place_verdict_name(rg_place_verdict verdict);

typedef struct rg_placement {
    uint32_t index;                /* in the order of the search */
    uint32_t device, runtime, precision; /* indices into the lists of the search; runtime: its id below */
    const char *runtime_id;
    rg_parallel parallel;          /* data: the replicas that the users need */
    rg_place_verdict verdict;
    const char *why;               /* what it fails by, with the numbers; NULL: good */
    int devices;                   /* of all replicas; 0: no number would do */
    int64_t batch;                 /* of one replica */
    int64_t most;                  /* that one replica could have within the limits */
    rg_estimate ttft_s, tpot_s;
    double tokens_per_s;           /* output tokens, all replicas */
    double energy_per_token_j;     /* of an output token, with its share of the prompt */
    double power_w;                /* of all devices */
    double usd_per_h, usd_per_million_tokens; /* output tokens; NAN: no price is known */
    rg_llm_memory memory;          /* of one device, when all its users have come to their last token */
    double room_byte;              /* usable memory of one device */
    bool front; /* no other is as small, as cheap, as fast and as thrifty, and better in one */
} rg_placement;

typedef struct rg_place {
    rg_arena arena;
    rg_place_opt opt;              /* strings are the caller's */
    const rg_device **devices; size_t device_count;
    const char **precisions; size_t precision_count;
    rg_placement *all; size_t count;      /* the best first, then those that fail */
    size_t good;
    rg_arena *texts;               /* by candidate, in the order of the search */
} rg_place;

rg_err rg_place_search(rg_ctx *cx, const rg_place_opt *opt, rg_place **out) RG_CHECKED;
void rg_place_free(rg_place *place);
/* The candidate with fewer devices than the best that comes nearest to being good; NULL: there is none. */
const rg_placement *rg_place_next_smaller(const rg_place *place);

#endif
