/* lex.c - tokens of attribute text and of the text form of graphs, both ways.
 *
 * The cursor is a byte offset; line and column are counted only when an error wants them, so that reading
 * pays nothing for good messages.
 */
#include "ir/lex.h"

#include "base/limits.h"
#include "ir/dtype.h"

#include <math.h>
#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_ident(char c) { return is_letter(c) || is_digit(c) || c == '_'; }
static bool is_word(char c) { return is_ident(c) || c == '.' || c == '/' || c == '-'; }

static char byte_at(const rg_lex *lex, size_t at) { return at < lex->text.size ? lex->text.data[at] : 0; }

rg_err rg_lex_fail(const rg_lex *lex, rg_err err, const char *format, ...)
{
    rg_lex next = *lex; /* the token that is wrong stands behind the blanks */
    size_t line = 1, start = 0;
    rg_lex_peek(&next);
    for (size_t i = 0; i < next.at && i < next.text.size; i++)
        if (next.text.data[i] == '\n') line++, start = i + 1;
    char text[512];
    va_list args;
    va_start(args, format);
    rg_str_vprint(text, sizeof text, format, args);
    va_end(args);
    return rg_fail(lex->cx, err, "line %zu, column %zu: %s", line, next.at - start + 1, text);
}

char rg_lex_peek(rg_lex *lex)
{
    for (; lex->at < lex->text.size; lex->at++) {
        char c = lex->text.data[lex->at];
        if (c == '#') {
            const char *end = memchr(lex->text.data + lex->at, '\n', lex->text.size - lex->at);
            lex->at = end ? (size_t)(end - lex->text.data) : lex->text.size;
            if (!end) break;
        } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            return c;
        }
    }
    return 0;
}

bool rg_lex_end(rg_lex *lex)
{
    rg_lex_peek(lex);
    return lex->at >= lex->text.size;
}

bool rg_lex_take(rg_lex *lex, const char *punct)
{
    rg_lex_peek(lex);
    size_t size = strlen(punct);
    if (lex->text.size - lex->at < size || memcmp(lex->text.data + lex->at, punct, size) != 0) return false;
    lex->at += size;
    return true;
}

bool rg_lex_touches(const rg_lex *lex, char c) { return c && byte_at(lex, lex->at) == c; }

rg_err rg_lex_expect(rg_lex *lex, const char *punct)
{
    if (rg_lex_take(lex, punct)) return RG_OK;
    return rg_lex_fail(lex, RG_FORMAT, "expected '%s'%s", punct,
                       rg_lex_end(lex) ? ", the text ends here" : "");
}

/* Bytes of the word that starts at `at`, 0 for none. A colon belongs to it only as "::" with a word byte
 * behind, so that "%x: f32" and "domain:Type" need no quotes. */
static size_t word_size(rg_str s, size_t at)
{
    size_t end = at;
    while (end < s.size) {
        bool pair = end > at && s.size - end > 2 && s.data[end] == ':' && s.data[end + 1] == ':' &&
                    is_word(s.data[end + 2]);
        if (!pair && !is_word(s.data[end])) break;
        end += pair ? 3 : 1;
    }
    return end - at;
}

bool rg_lex_word(rg_lex *lex, rg_str *out)
{
    rg_lex_peek(lex);
    size_t size = word_size(lex->text, lex->at);
    if (!size) return false;
    *out = (rg_str){lex->text.data + lex->at, size};
    lex->at += size;
    return true;
}

static size_t ident_size(rg_str s, size_t at)
{
    size_t end = at;
    while (end < s.size && is_ident(s.data[end]) && (end > at || !is_digit(s.data[end]))) end++;
    return end - at;
}

bool rg_lex_ident(rg_lex *lex, rg_str *out)
{
    rg_lex_peek(lex);
    size_t size = ident_size(lex->text, lex->at);
    if (!size) return false;
    *out = (rg_str){lex->text.data + lex->at, size};
    lex->at += size;
    return true;
}

bool rg_lex_keyword(rg_lex *lex, const char *word)
{
    size_t start = lex->at;
    rg_str found;
    if (rg_lex_word(lex, &found) && rg_str_is(found, word)) return true;
    lex->at = start;
    return false;
}

static double as_float32(double x)
{
    float f;
    rg_dtype_set_real(RG_F32, &f, 0, x);
    return (double)f;
}

static int hex_value(char c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const struct { char code, byte; } escapes[] = {
    {'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'"', '"'}, {'\\', '\\'},
};

/* The byte behind a backslash; the cursor stands behind that backslash. */
static rg_err unescape(rg_lex *lex, char *out)
{
    char code = byte_at(lex, lex->at);
    for (size_t i = 0; i < RG_COUNT(escapes); i++)
        if (escapes[i].code == code) return *out = escapes[i].byte, lex->at++, RG_OK;
    int high = code == 'x' ? hex_value(byte_at(lex, lex->at + 1)) : -1;
    int low = high >= 0 ? hex_value(byte_at(lex, lex->at + 2)) : -1;
    if (low < 0) return rg_lex_fail(lex, RG_FORMAT, "unknown escape in a string");
    lex->at += 3;
    *out = (char)(high * 16 + low);
    return RG_OK;
}

rg_err rg_lex_string(rg_lex *lex, rg_str *out)
{
    RG_TRY(rg_lex_expect(lex, "\""));
    size_t start = lex->at, end = start, count = 0;
    while (end < lex->text.size && lex->text.data[end] != '"') end += lex->text.data[end] == '\\' ? 2 : 1;
    if (end >= lex->text.size) return rg_lex_fail(lex, RG_FORMAT, "string without an end");
    char *data = rg_arena_alloc(lex->arena, end - start + 1);
    if (!data) return rg_nomem(lex->cx);
    while (lex->at < end) {
        char c = lex->text.data[lex->at++];
        if (c == '\\') RG_TRY(unescape(lex, &c));
        data[count++] = c;
    }
    lex->at = end + 1;
    *out = (rg_str){data, count};
    return RG_OK;
}

rg_err rg_lex_hex(rg_lex *lex, rg_str *out)
{
    rg_str digits = {"", 0};
    rg_lex_word(lex, &digits);
    char *bytes = rg_arena_alloc(lex->arena, digits.size / 2);
    if (!bytes) return rg_nomem(lex->cx);
    for (size_t i = 0; i < digits.size; i += 2) {
        int high = hex_value(digits.data[i]), low = i + 1 < digits.size ? hex_value(digits.data[i + 1]) : -1;
        if (high < 0 || low < 0) return rg_lex_fail(lex, RG_FORMAT, "expected pairs of hex digits");
        bytes[i / 2] = (char)(high * 16 + low);
    }
    *out = (rg_str){bytes, digits.size / 2};
    return RG_OK;
}

rg_err rg_lex_name(rg_lex *lex, rg_str *out)
{
    if (rg_lex_peek(lex) == '"') RG_TRY(rg_lex_string(lex, out));
    else if (!rg_lex_word(lex, out)) return rg_lex_fail(lex, RG_FORMAT, "expected a name");
    if (out->size > RG_NAME_MAX)
        return rg_lex_fail(lex, RG_LIMIT, "a name of %zu bytes, at most %d are allowed", out->size,
                           RG_NAME_MAX);
    return RG_OK;
}

/* The bytes of a number: a sign, then letters, digits and points, and a sign behind an exponent's letter. In
 * a hex number that letter is p: e is a digit there. */
static rg_str number_bytes(rg_lex *lex)
{
    rg_lex_peek(lex);
    const char *s = lex->text.data + lex->at;
    size_t size = lex->text.size - lex->at, end = 0;
    if (end < size && (s[end] == '-' || s[end] == '+')) end++;
    bool hex = size - end > 1 && s[end] == '0' && s[end + 1] == 'x';
    for (; end < size; end++) {
        bool exponent = end > 0 && (hex ? s[end - 1] == 'p' : s[end - 1] == 'e' || s[end - 1] == 'E');
        if (!is_digit(s[end]) && !is_letter(s[end]) && s[end] != '.' &&
            !(exponent && (s[end] == '-' || s[end] == '+'))) break;
    }
    return (rg_str){s, end};
}

rg_err rg_lex_num(rg_lex *lex, rg_lex_number *out)
{
    rg_str s = number_bytes(lex), digits = s;
    *out = (rg_lex_number){0};
    out->is_int = rg_str_int(s, &out->i);
    if (!rg_str_real(s, &out->f)) { /* also of an integer: -0 has a sign only there */
        if (!s.size || s.data[s.size - 1] != 'f') return rg_lex_fail(lex, RG_FORMAT, "expected a number");
        digits.size--;
        if (!rg_str_real(digits, &out->f)) return rg_lex_fail(lex, RG_FORMAT, "expected a number");
        out->f = as_float32(out->f);
    }
    lex->at += s.size;
    return RG_OK;
}

rg_err rg_lex_int(rg_lex *lex, int64_t min, int64_t max, int64_t *out)
{
    rg_str s = number_bytes(lex);
    if (!rg_str_int(s, out)) return rg_lex_fail(lex, RG_FORMAT, "expected an integer");
    if (*out < min || *out > max)
        return rg_lex_fail(lex, RG_FORMAT, "%lld is outside %lld..%lld", (long long)*out, (long long)min,
                           (long long)max);
    lex->at += s.size;
    return RG_OK;
}

void rg_lex_put_string(rg_text *text, rg_str s)
{
    rg_text_char(text, '"');
    for (size_t i = 0, plain = 0; i <= s.size; i++) {
        unsigned char c = i < s.size ? (unsigned char)s.data[i] : 0;
        bool special = c < 0x20 || c == 0x7f || c == '"' || c == '\\';
        if (!special) continue;
        rg_text_put(text, (rg_str){s.data ? s.data + plain : "", i - plain});
        plain = i + 1;
        if (i == s.size) break;
        char code = 'x';
        for (size_t k = 0; k < RG_COUNT(escapes); k++)
            if (escapes[k].byte == (char)c) code = escapes[k].code;
        rg_text_printf(text, code == 'x' ? "\\x%02x" : "\\%c", code == 'x' ? c : code);
    }
    rg_text_char(text, '"');
}

void rg_lex_put_name(rg_text *text, rg_str s)
{
    if (s.size && word_size(s, 0) == s.size) rg_text_put(text, s);
    else rg_lex_put_string(text, s);
}

void rg_lex_put_ident(rg_text *text, rg_str s)
{
    if (s.size && ident_size(s, 0) == s.size) rg_text_put(text, s);
    else rg_lex_put_string(text, s);
}

/* The shortest first; 9 digits tell any two float32 apart, 17 any two float64. */
static const struct { const char *format; bool as_float; } renderings[] = {
    {"%.6g", false}, {"%.6gf", true}, {"%.9gf", true}, {"%.17g", false},
};

void rg_lex_put_real(rg_text *text, double x)
{
    if (isnan(x)) {
        rg_text_put(text, signbit(x) ? RG_LIT("-nan") : RG_LIT("nan"));
        return;
    }
    for (size_t i = 0; i < RG_COUNT(renderings); i++) {
        char buffer[40];
        double back;
        int size = rg_str_print(buffer, sizeof buffer, renderings[i].format, x);
        rg_str digits = {buffer, (size_t)size - renderings[i].as_float};
        bool same = rg_str_real(digits, &back) && (renderings[i].as_float ? as_float32(back) : back) == x;
        if (!same && i + 1 < RG_COUNT(renderings)) continue;
        rg_text_put(text, (rg_str){buffer, (size_t)size});
        if (!strpbrk(buffer, ".enf")) rg_text_put(text, RG_LIT(".0"));
        return;
    }
}
