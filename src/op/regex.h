/* regex.h - regular expressions in RE2's syntax, asked whether they match a whole text.
 *
 * Matching takes time in proportion to pattern times text, whatever the pattern. Not supported, and said so:
 * classes of Unicode (\pL), single bytes (\C), and what RE2 itself lacks (back references, looking around).
 * Letters beyond ASCII have no case.
 */
#ifndef RG_REGEX_H
#define RG_REGEX_H

#include "base/base.h"

typedef struct rg_regex rg_regex;

/* RG_FORMAT with the position for what is no pattern; lives in the arena. */
rg_err rg_regex_new(rg_ctx *cx, rg_arena *arena, rg_str pattern, rg_regex **out) RG_CHECKED;
/* Uses memory of its own: not for several threads at once. A byte that is no UTF-8 matches nothing. */
bool rg_regex_matches(rg_regex *regex, rg_str text);

#endif
