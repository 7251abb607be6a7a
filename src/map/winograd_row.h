/* winograd_row.h - what Winograd's algorithm costs a core, as counts: one place for the plan that is priced
 * (winograd_row.c) and for the runner that chooses by it (exec/winograd_choice.c).
 */
#ifndef RG_WINOGRAD_ROW_H
#define RG_WINOGRAD_ROW_H

/* Vector instructions of one tile and block of 8 channels: loads, sums, spills, stores. */
typedef struct rg_winograd_way { int m; double image_step, result_step; } rg_winograd_way;
enum { RG_WINOGRAD_WAYS = 2, RG_WINOGRAD_CHUNK = 64 }; /* tiles that are worked on at a time, at most */
static const rg_winograd_way rg_winograd_ways[RG_WINOGRAD_WAYS] = {{4, 300, 260}, {2, 110, 90}};

/* Of the peak: what products of matrices reach whose panels come from afar. */
#define RG_WINOGRAD_SUSTAINED 0.8
/* Vector instructions of the transforms: bound by loads, stores and spills. */
#define RG_WINOGRAD_STEP_PER_CLOCK 1.5
/* What one such instruction takes on the whole, with what it loads from and stores to a second cache (the
 * zoo's 3x3 convolutions on Zen 3, products and weights apart). */
#define RG_WINOGRAD_STEP_CLOCKS 1.2
/* Of a product that has next to nothing to do: tables, divisions and branches that nobody foresees. Between
 * 600 and 1000 on Zen 3, with 32 groups of 8 to 32 channels. */
#define RG_WINOGRAD_CALL_CLOCKS 800.0
/* Of k, that loading and storing a tile of sums takes as long as. */
#define RG_WINOGRAD_SUM_STEPS 12.0

/* That one core waits for at a time: its bandwidth is bound by the latency. */
#define RG_WINOGRAD_LINES     24.0
#define RG_WINOGRAD_LINE_BYTE 64.0
#define RG_WINOGRAD_LATENCY_S 1e-7 /* where a profile has none */

#endif
