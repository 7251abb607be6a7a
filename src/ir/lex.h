/* lex.h - a cursor over text that knows where it is: what attribute text and the text form of graphs are read
 * with, and the inverse of each token for printing them.
 *
 * Blanks and comments (# to the end of the line) may stand before every token.
 */
#ifndef RG_LEX_H
#define RG_LEX_H

#include "base/base.h"

typedef struct rg_lex {
    rg_ctx *cx;
    rg_arena *arena; /* decoded strings go here */
    rg_str text;
    size_t at;       /* of the next byte */
} rg_lex;

/* The error prefixed by the place of the next token: "line 12, column 5: expected ']'". Returns err. */
rg_err rg_lex_fail(const rg_lex *lex, rg_err err, const char *format, ...) RG_PRINTF(3, 4);

char rg_lex_peek(rg_lex *lex);                    /* next byte after blanks, not taken; 0 at the end */
bool rg_lex_end(rg_lex *lex);                     /* nothing but blanks is left */
bool rg_lex_take(rg_lex *lex, const char *punct); /* takes exactly these bytes if they come next */
bool rg_lex_touches(const rg_lex *lex, char c);   /* the very next byte is c, no blank between; not taken */
rg_err rg_lex_expect(rg_lex *lex, const char *punct) RG_CHECKED;

/* A word: letters, digits and _ . / -, and "::" inside; the view is into the text. False: none comes next. */
bool rg_lex_word(rg_lex *lex, rg_str *out);
/* An identifier, for dimensions and types, where / and - are operators: letters, digits and _, no digit
 * first. */
bool rg_lex_ident(rg_lex *lex, rg_str *out);
bool rg_lex_keyword(rg_lex *lex, const char *word); /* takes the next word if it is this one */
/* "..." with \" \\ \n \t \r \xHH, any other byte as itself; decoded into the arena. */
rg_err rg_lex_string(rg_lex *lex, rg_str *out) RG_CHECKED;
rg_err rg_lex_name(rg_lex *lex, rg_str *out) RG_CHECKED; /* a word, or a string; at most RG_NAME_MAX bytes */

/* Pairs of hex digits, maybe none, as bytes in the arena. */
rg_err rg_lex_hex(rg_lex *lex, rg_str *out) RG_CHECKED;

/* A number as the text has it: 12, -3, 0.5, 1e-5, 0.1f, inf, -nan. */
typedef struct rg_lex_number {
    bool is_int;   /* no point, no exponent, no suffix: i counts */
    int64_t i;
    double f;      /* always set; the suffix f rounds it to float32, as ONNX stores attributes */
} rg_lex_number;
rg_err rg_lex_num(rg_lex *lex, rg_lex_number *out) RG_CHECKED;
rg_err rg_lex_int(rg_lex *lex, int64_t min, int64_t max, int64_t *out) RG_CHECKED; /* RG_FORMAT outside */

/* The inverses. */
void rg_lex_put_string(rg_text *text, rg_str s);
void rg_lex_put_name(rg_text *text, rg_str s);    /* as a word where it is one, else as a string */
void rg_lex_put_ident(rg_text *text, rg_str s);   /* as an identifier where it is one, else as a string */
/* The shortest of some renderings that reads back to the same double, marked as not an integer ("2.0",
 * "0.1f"). */
void rg_lex_put_real(rg_text *text, double x);

#endif
