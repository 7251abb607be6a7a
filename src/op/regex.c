/* regex.c - a pattern becomes a small program, and a text walks through all of its ways at once (Thompson
 * 1968):
 *
 *     a|b    split 1, 3;  a;  jump 2;  b         a*   split 1, 3;  a;  jump -2
 *     ab     a;  b                               a?   split 1, 2;  a
 *
 * Jumps are relative, so a part of the program can be moved, which puts a split in front of it, and repeated,
 * which a{2,4} needs, as it stands. Whether a whole text matches does not depend on the greed of a
 * repetition, nor on what groups capture: neither is kept.
 */
#include "op/regex.h"

#include "op/point.h"

enum {
    STEP_MAX = 1 << 14,      /* of a program */
    REPEAT_MAX = 1000,       /* in a{n,m}, as RE2 has it */
    DEPTH_MAX = 200,         /* of groups */
};

typedef enum opcode { TAKE, SPLIT, JUMP, CHECK, MATCH } opcode;
typedef enum check { TEXT_START, TEXT_END, LINE_START, LINE_END, WORD_EDGE, NO_WORD_EDGE } check;

typedef struct range { int32_t low, high; } range;
typedef struct step {
    opcode op;
    int32_t x, y;            /* SPLIT, JUMP: where to, from here; CHECK: which */
    uint32_t first, count;   /* TAKE: of the ranges */
    bool negated, folded;
} step;

struct rg_regex {
    step *steps; uint32_t count, capacity;
    range *ranges; uint32_t range_count, range_capacity;
    uint32_t *now, *next, *stack; /* of steps */
    uint64_t *seen, round;        /* by step: the last round that reached it */
};

/* ---- classes ---- */

static const range digits[] = {{'0', '9'}};
static const range spaces[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
static const range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const range alnum[] = {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}};
static const range alpha[] = {{'A', 'Z'}, {'a', 'z'}};
static const range ascii[] = {{0, 0x7f}};
static const range blank[] = {{'\t', '\t'}, {' ', ' '}};
static const range cntrl[] = {{0, 0x1f}, {0x7f, 0x7f}};
static const range graph[] = {{'!', '~'}};
static const range lower[] = {{'a', 'z'}};
static const range print[] = {{' ', '~'}};
static const range punct[] = {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}};
static const range posix_space[] = {{'\t', '\r'}, {' ', ' '}};
static const range upper[] = {{'A', 'Z'}};
static const range xdigit[] = {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
static const range newline[] = {{'\n', '\n'}};

typedef struct class { const char *name; const range *ranges; uint32_t count; } class;
#define CLASS(name, list) {name, list, RG_COUNT(list)}

static const class perl_classes[] = {CLASS("d", digits), CLASS("s", spaces), CLASS("w", words)};
static const class posix_classes[] = {
    CLASS("alnum", alnum), CLASS("alpha", alpha), CLASS("ascii", ascii), CLASS("blank", blank),
    CLASS("cntrl", cntrl), CLASS("digit", digits), CLASS("graph", graph), CLASS("lower", lower),
    CLASS("print", print), CLASS("punct", punct), CLASS("space", posix_space), CLASS("upper", upper),
    CLASS("word", words), CLASS("xdigit", xdigit),
};

static const class *find_class(const class *list, size_t count, rg_str name)
{
    for (size_t i = 0; i < count; i++)
        if (rg_str_is(name, list[i].name)) return &list[i];
    return NULL;
}

/* ---- reading the pattern ---- */

enum flag { FOLD = 1, LINES = 2, DOT_NEWLINE = 4 };

typedef struct parser {
    rg_ctx *cx;
    rg_arena *arena;
    rg_regex *re;
    rg_str pattern;
    size_t at;
    unsigned flags;
    bool quotes;             /* between \Q and \E */
    int depth;
} parser;

static rg_err wrong(const parser *p, rg_err err, const char *what)
{
    return rg_fail(p->cx, err, "pattern '%.*s': %s at byte %zu", RG_STR(p->pattern), what, p->at);
}

static bool at_end(const parser *p) { return p->at >= p->pattern.size; }
static bool next_is(const parser *p, char c) { return !at_end(p) && p->pattern.data[p->at] == c; }

static bool accept(parser *p, const char *text)
{
    rg_str rest = {p->pattern.data + p->at, p->pattern.size - p->at};
    if (!rg_str_starts(rest, text)) return false;
    p->at += strlen(text);
    return true;
}

static rg_err emit(parser *p, step s)
{
    rg_regex *re = p->re;
    if (re->count >= STEP_MAX)
        return rg_fail(p->cx, RG_LIMIT, "pattern '%.*s' takes more than %d steps", RG_STR(p->pattern),
                       STEP_MAX);
    if (!RG_GROW(p->arena, re->steps, re->count, re->capacity)) return rg_nomem(p->cx);
    re->steps[re->count++] = s;
    return RG_OK;
}

/* Puts a step in front of those from `at` on. */
static rg_err insert(parser *p, uint32_t at, step s)
{
    RG_TRY(emit(p, s));
    step *steps = p->re->steps;
    memmove(&steps[at + 1], &steps[at], (p->re->count - 1 - at) * sizeof *steps);
    steps[at] = s;
    return RG_OK;
}

/* ---- sets of code points ---- */

static rg_err add_range(parser *p, int32_t low, int32_t high)
{
    rg_regex *re = p->re;
    if (low > high) return RG_OK;
    if (!RG_GROW(p->arena, re->ranges, re->range_count, re->range_capacity)) return rg_nomem(p->cx);
    re->ranges[re->range_count++] = (range){low, high};
    return RG_OK;
}

static rg_err add_class(parser *p, const class *c, bool negated)
{
    int32_t from = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const range *r = &c->ranges[i];
        RG_TRY(negated ? add_range(p, from, r->low - 1) : add_range(p, r->low, r->high));
        from = r->high + 1;
    }
    return negated ? add_range(p, from, RG_POINT_MAX) : RG_OK;
}

/* What the ranges from `first` on hold is taken. */
static rg_err emit_set(parser *p, uint32_t first, bool negated)
{
    return emit(p, (step){.op = TAKE, .first = first, .count = p->re->range_count - first, .negated = negated,
                          .folded = p->flags & FOLD});
}

static rg_err emit_point(parser *p, int32_t point)
{
    uint32_t first = p->re->range_count;
    RG_TRY(add_range(p, point, point));
    return emit_set(p, first, false);
}

static int digit_of(char c, int base)
{
    int x = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
          : c >= 'A' && c <= 'F' ? c - 'A' + 10 : base;
    return x < base ? x : -1;
}

/* Up to `most` digits. */
static int take_digits(parser *p, int base, int most, int32_t *out)
{
    int count = 0;
    for (*out = 0; count < most && !at_end(p) && digit_of(p->pattern.data[p->at], base) >= 0; count++)
        *out = *out * base + digit_of(p->pattern.data[p->at++], base);
    return count;
}

/* The one code point that an escape stands for; the backslash is gone. */
static rg_err escaped_point(parser *p, int32_t *out)
{
    static const char names[] = "aftnrv", values[] = "\a\f\t\n\r\v";
    if (at_end(p)) return wrong(p, RG_FORMAT, "a backslash ends it");
    char c = p->pattern.data[p->at];
    const char *named = memchr(names, c, sizeof names - 1);
    if (named) {
        p->at++;
        *out = values[named - names];
        return RG_OK;
    }
    if (c == '0' || (c > '0' && c < '8' && p->at + 1 < p->pattern.size &&
                     digit_of(p->pattern.data[p->at + 1], 8) >= 0)) {
        take_digits(p, 8, 3, out);
        return RG_OK;
    }
    if (accept(p, "x{")) {
        if (!take_digits(p, 16, 6, out) || *out > RG_POINT_MAX || !accept(p, "}"))
            return wrong(p, RG_FORMAT, "a number of a code point is wrong");
        return RG_OK;
    }
    if (accept(p, "x"))
        return take_digits(p, 16, 2, out) == 2 ? RG_OK : wrong(p, RG_FORMAT, "\\x lacks digits");
    bool literal =
        c > 0 && c < 0x7f && digit_of(c, 10) < 0 && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z');
    if (!literal) return wrong(p, RG_UNSUPPORTED, "an escape that is not supported");
    p->at++;
    *out = c;
    return RG_OK;
}

/* \d, \W, ...: false when something else is escaped there. */
static bool accept_perl_class(parser *p, const class **out, bool *negated)
{
    if (at_end(p)) return false;
    char c = p->pattern.data[p->at], low = (char)(c | 0x20);
    *out = find_class(perl_classes, RG_COUNT(perl_classes), (rg_str){&low, 1});
    *negated = c != low;
    p->at += *out != NULL;
    return *out != NULL;
}

/* [:alpha:] and [:^alpha:] within brackets; false when nothing of that form is there. */
static rg_err posix_class(parser *p, bool *found)
{
    size_t start = p->at, end = p->at + 2;
    *found = false;
    if (!accept(p, "[:")) return RG_OK;
    bool negated = accept(p, "^");
    while (end < p->pattern.size && p->pattern.data[end] != ':') end++;
    const class *c = find_class(posix_classes, RG_COUNT(posix_classes),
                                (rg_str){p->pattern.data + p->at, end > p->at ? end - p->at : 0});
    if (end + 1 >= p->pattern.size || p->pattern.data[end + 1] != ']') {
        p->at = start; /* a bracket and a colon */
        return RG_OK;
    }
    if (!c) return wrong(p, RG_FORMAT, "a class of an unknown name");
    p->at = end + 2;
    *found = true;
    return add_class(p, c, negated);
}

static rg_err bracket_point(parser *p, int32_t *out)
{
    if (accept(p, "\\")) return escaped_point(p, out);
    *out = rg_point_take(p->pattern, &p->at);
    return *out == RG_POINT_NONE ? wrong(p, RG_FORMAT, "a bracket is not closed, or no UTF-8 follows")
                                 : RG_OK;
}

static rg_err bracket_item(parser *p)
{
    const class *c;
    int32_t low, high;
    size_t start = p->at;
    bool found, negated;
    RG_TRY(posix_class(p, &found));
    if (found) return RG_OK;
    if (accept(p, "\\") && accept_perl_class(p, &c, &negated)) return add_class(p, c, negated);
    p->at = start;
    RG_TRY(bracket_point(p, &low));
    high = low;
    bool spans = next_is(p, '-') && p->at + 1 < p->pattern.size && p->pattern.data[p->at + 1] != ']';
    if (spans) {
        p->at++;
        RG_TRY(bracket_point(p, &high));
    }
    if (low > high) return wrong(p, RG_FORMAT, "a range goes backwards");
    return add_range(p, low, high);
}

/* [...]; the bracket is gone. */
static rg_err bracket(parser *p)
{
    uint32_t first = p->re->range_count;
    bool negated = accept(p, "^"), begins = true;
    for (; begins || !next_is(p, ']'); begins = false) /* a ] at the beginning is an element */
        RG_TRY(bracket_item(p));
    p->at++;
    return emit_set(p, first, negated);
}

/* ---- atoms ---- */

static rg_err alternatives(parser *p);

static rg_err emit_check(parser *p, check c) { return emit(p, (step){.op = CHECK, .x = (int32_t)c}); }

static rg_err literal(parser *p)
{
    int32_t point = rg_point_take(p->pattern, &p->at);
    return point == RG_POINT_NONE ? wrong(p, RG_FORMAT, "no UTF-8") : emit_point(p, point);
}

static rg_err escape(parser *p)
{
    uint32_t first = p->re->range_count;
    const class *c;
    int32_t point;
    bool negated;
    if (accept(p, "A")) return emit_check(p, TEXT_START);
    if (accept(p, "z")) return emit_check(p, TEXT_END);
    if (accept(p, "b")) return emit_check(p, WORD_EDGE);
    if (accept(p, "B")) return emit_check(p, NO_WORD_EDGE);
    if (accept_perl_class(p, &c, &negated)) {
        RG_TRY(add_class(p, c, negated));
        return emit_set(p, first, false);
    }
    RG_TRY(escaped_point(p, &point));
    return emit_point(p, point);
}

/* (?P<name>, (?i), (?i-s:; the question mark is gone. *ends: the flags hold for what follows in this
 * group. */
static rg_err group_head(parser *p, bool *ends)
{
    static const struct { char name; unsigned flag; } flags[] = {
        {'i', FOLD}, {'m', LINES}, {'s', DOT_NEWLINE}, {'U', 0},
    };
    bool clear = false;
    *ends = false;
    if (accept(p, "P<") || accept(p, "<")) {
        if (next_is(p, '=') || next_is(p, '!'))
            return wrong(p, RG_UNSUPPORTED, "looking behind is not supported");
        while (!at_end(p) && p->pattern.data[p->at] != '>') p->at++;
        return accept(p, ">") ? RG_OK : wrong(p, RG_FORMAT, "the name of a group does not end");
    }
    for (;; p->at++) {
        size_t i = 0;
        if (accept(p, ":")) return RG_OK;
        if (next_is(p, ')')) {
            *ends = true;
            return RG_OK;
        }
        while (i < RG_COUNT(flags) && !next_is(p, flags[i].name)) i++;
        if (next_is(p, '-') && !clear) clear = true;
        else if (i == RG_COUNT(flags))
            return wrong(p, RG_UNSUPPORTED, "a group of a kind that is not supported");
        else p->flags = clear ? p->flags & ~flags[i].flag : p->flags | flags[i].flag;
    }
}

/* (...); the parenthesis is gone. */
static rg_err group(parser *p)
{
    unsigned outside = p->flags;
    bool ends = false;
    if (accept(p, "?")) RG_TRY(group_head(p, &ends));
    if (ends) {
        p->at++;
        return RG_OK;
    }
    if (++p->depth > DEPTH_MAX)
        return rg_fail(p->cx, RG_LIMIT, "pattern '%.*s' has groups nested deeper than %d", RG_STR(p->pattern),
                       DEPTH_MAX);
    RG_TRY(alternatives(p));
    p->depth--;
    p->flags = outside;
    return accept(p, ")") ? RG_OK : wrong(p, RG_FORMAT, "a parenthesis is not closed");
}

static rg_err atom(parser *p)
{
    uint32_t first = p->re->range_count;
    if (p->quotes) return literal(p);
    if (accept(p, "(")) return group(p);
    if (accept(p, "[")) return bracket(p);
    if (accept(p, "\\")) return escape(p);
    if (accept(p, "^")) return emit_check(p, p->flags & LINES ? LINE_START : TEXT_START);
    if (accept(p, "$")) return emit_check(p, p->flags & LINES ? LINE_END : TEXT_END);
    if (accept(p, ".")) {
        if (!(p->flags & DOT_NEWLINE)) RG_TRY(add_range(p, newline[0].low, newline[0].high));
        return emit_set(p, first, true);
    }
    if (next_is(p, '*') || next_is(p, '+') || next_is(p, '?'))
        return wrong(p, RG_FORMAT, "there is nothing to repeat");
    return literal(p);
}

/* ---- repetitions, sequences, alternatives ---- */

/* {n}, {n,}, {n,m}; false, and nothing is read, when it is something else. most -1: any number. */
static bool accept_counts(parser *p, int32_t *least, int32_t *most)
{
    enum { DIGITS = 6 };
    size_t start = p->at;
    if (accept(p, "{") && take_digits(p, 10, DIGITS, least)) {
        *most = *least;
        if (accept(p, ",") && !take_digits(p, 10, DIGITS, most)) *most = -1;
        if (accept(p, "}")) return true;
    }
    p->at = start;
    return false;
}

/* The steps from `start` on, once more at the end. */
static rg_err repeat_steps(parser *p, uint32_t start, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) RG_TRY(emit(p, p->re->steps[start + i]));
    return RG_OK;
}

/* x{least,most}: x once for each that must be, then x* or as many x? as may be, each within the one
 * before. */
static rg_err repeat(parser *p, uint32_t start, int32_t least, int32_t most)
{
    uint32_t size = p->re->count - start, last;
    int32_t optional = most < 0 ? 1 : most - least, length = (int32_t)size;
    if (least == 0 && most == 0) {
        p->re->count = start;
        return RG_OK;
    }
    for (int32_t i = 1; i < least + optional; i++) RG_TRY(repeat_steps(p, start, size));
    for (int32_t i = optional; i-- > 0;) {
        last = start + (uint32_t)(least + i) * size;
        int32_t rest = (int32_t)(p->re->count - last);
        RG_TRY(insert(p, last, (step){.op = SPLIT, .x = 1, .y = rest + 1 + (most < 0)}));
    }
    return most < 0 && optional ? emit(p, (step){.op = JUMP, .x = -(length + 1)}) : RG_OK;
}

static rg_err repeated(parser *p)
{
    uint32_t start = p->re->count;
    int32_t least = 0, most = -1;
    RG_TRY(atom(p));
    if (p->quotes && !accept(p, "\\E")) return RG_OK;
    p->quotes = false; /* what follows \E repeats the last quoted one */
    if (accept(p, "*")) most = -1;
    else if (accept(p, "+")) least = 1;
    else if (accept(p, "?")) most = 1;
    else if (!accept_counts(p, &least, &most)) return RG_OK;
    accept(p, "?"); /* as few as possible: no difference here */
    if (least > REPEAT_MAX || most > REPEAT_MAX || (most >= 0 && most < least))
        return wrong(p, RG_FORMAT, "a number of repetitions is wrong");
    if (next_is(p, '*') || next_is(p, '+') || next_is(p, '?'))
        return wrong(p, RG_FORMAT, "a repetition is repeated");
    return repeat(p, start, least, most);
}

static rg_err sequence(parser *p)
{
    while (!at_end(p)) {
        if (p->quotes && accept(p, "\\E")) p->quotes = false; /* nothing was quoted */
        else if (!p->quotes && accept(p, "\\Q")) p->quotes = true;
        else if (!p->quotes && (next_is(p, '|') || next_is(p, ')'))) break;
        else RG_TRY(repeated(p));
    }
    return RG_OK;
}

static rg_err alternatives(parser *p)
{
    uint32_t start = p->re->count;
    RG_TRY(sequence(p));
    while (accept(p, "|")) {
        int32_t length = (int32_t)(p->re->count - start);
        RG_TRY(insert(p, start, (step){.op = SPLIT, .x = 1, .y = length + 2}));
        uint32_t jump = p->re->count;
        RG_TRY(emit(p, (step){.op = JUMP}));
        RG_TRY(sequence(p));
        p->re->steps[jump].x = (int32_t)(p->re->count - jump);
    }
    return RG_OK;
}

rg_err rg_regex_new(rg_ctx *cx, rg_arena *arena, rg_str pattern, rg_regex **out)
{
    rg_regex *re = RG_NEW(arena, rg_regex, 1);
    parser p = {.cx = cx, .arena = arena, .re = re, .pattern = pattern};
    *out = NULL;
    if (!re) return rg_nomem(cx);
    RG_TRY(alternatives(&p));
    if (!at_end(&p)) return wrong(&p, RG_FORMAT, "a parenthesis was not opened");
    RG_TRY(emit(&p, (step){.op = MATCH}));
    re->now = RG_NEW(arena, uint32_t, re->count);
    re->next = RG_NEW(arena, uint32_t, re->count);
    re->stack = RG_NEW(arena, uint32_t, 2 * (size_t)re->count);
    re->seen = RG_NEW(arena, uint64_t, re->count);
    if (!re->now || !re->next || !re->stack || !re->seen) return rg_nomem(cx);
    *out = re;
    return RG_OK;
}

/* ---- matching ---- */

static bool is_word(int32_t point)
{
    for (size_t i = 0; i < RG_COUNT(words); i++)
        if (point >= words[i].low && point <= words[i].high) return true;
    return false;
}

/* Between `before` and `behind`, which are RG_POINT_NONE at the ends of the text. */
static bool holds(check c, int32_t before, int32_t behind, bool starts, bool ends)
{
    switch (c) {
    case TEXT_START:   return starts;
    case TEXT_END:     return ends;
    case LINE_START:   return starts || before == '\n';
    case LINE_END:     return ends || behind == '\n';
    case WORD_EDGE:    return is_word(before) != is_word(behind);
    case NO_WORD_EDGE: return is_word(before) == is_word(behind);
    }
    return false;
}

static bool in_ranges(const rg_regex *re, const step *s, int32_t point)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (point >= re->ranges[s->first + i].low && point <= re->ranges[s->first + i].high) return true;
    return false;
}

static bool takes(const rg_regex *re, const step *s, int32_t point)
{
    if (point == RG_POINT_NONE) return false;
    bool in = in_ranges(re, s, point);
    int32_t other = point ^ 0x20; /* the other case of an ASCII letter */
    if (!in && s->folded && point < 0x80 && (point | 0x20) >= 'a' && (point | 0x20) <= 'z')
        in = in_ranges(re, s, other);
    return in != s->negated;
}

/* The place in the text that a round stands at. */
typedef struct place { int32_t before, behind; bool starts, ends; } place;

/* Adds to `list` where step `from` leads without a code point; true when that is the end of the program. */
static bool follow(rg_regex *re, uint32_t from, const place *at, uint32_t *list, uint32_t *count)
{
    uint32_t depth = 0;
    bool matched = false;
    re->stack[depth++] = from;
    while (depth) {
        uint32_t i = re->stack[--depth];
        const step *s = &re->steps[i];
        if (re->seen[i] == re->round) continue;
        re->seen[i] = re->round;
        if (s->op == TAKE) list[(*count)++] = i;
        if (s->op == MATCH) matched = true;
        if (s->op == CHECK && holds((check)s->x, at->before, at->behind, at->starts, at->ends))
            re->stack[depth++] = i + 1;
        if (s->op == SPLIT) re->stack[depth++] = (uint32_t)((int32_t)i + s->y);
        if (s->op == SPLIT || s->op == JUMP) re->stack[depth++] = (uint32_t)((int32_t)i + s->x);
    }
    return matched;
}

bool rg_regex_matches(rg_regex *re, rg_str text)
{
    size_t at = 0;
    uint32_t count = 0, next_count;
    place here = {.before = RG_POINT_NONE, .starts = true, .ends = !text.size};
    here.behind = rg_point_take(text, &at);
    re->round++;
    bool matched = follow(re, 0, &here, re->now, &count);
    while (!here.ends) {
        int32_t point = here.behind;
        here = (place){.before = point, .ends = at >= text.size};
        here.behind = rg_point_take(text, &at);
        re->round++;
        matched = false;
        next_count = 0;
        for (uint32_t i = 0; i < count; i++)
            if (takes(re, &re->steps[re->now[i]], point) &&
                follow(re, re->now[i] + 1, &here, re->next, &next_count))
                matched = true;
        uint32_t *list = re->now;
        re->now = re->next;
        re->next = list;
        count = next_count;
    }
    return matched;
}
