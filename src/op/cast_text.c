/* cast_text.c - Cast between numbers and strings.
 *
 * A float is written with the fewest significant digits that read back as the same element, which depends on
 * its type: 0.1 as f16 is "0.1" though it is 0.0999755859375. Plain from 1e-4 to below 1e16, else with an
 * exponent of at least two digits, as numpy and Python print.
 */
#include "op/cast.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { DIGITS_MAX = 17, TEXT_MAX = 40 };            /* 17 tell all doubles apart */
enum { PLAIN_EXPONENT_MIN = -4, PLAIN_EXPONENT_MAX = 15 };

/* ---- to text ---- */

/* "d.ddde-xx" with the fewest digits; answers the number of digits. */
static int shortest(char buffer[TEXT_MAX], const rg_array *a, double x)
{
    double element[2]; /* room for the widest type */
    rg_array back = {.dtype = a->dtype, .count = 1, .data = element};
    int digits = 0;
    double read;
    do {
        rg_str_print(buffer, TEXT_MAX, "%.*e", digits++, x);
        if (rg_str_real(rg_str_of(buffer), &read)) rg_put(&back, 0, read);
    } while (digits < DIGITS_MAX && rg_get(&back, 0) != x);
    return digits;
}

static const char *real_text(rg_arena *arena, const rg_array *a, double x)
{
    char text[TEXT_MAX], number[TEXT_MAX];
    if (isnan(x)) return "nan";
    if (isinf(x)) return x > 0 ? "inf" : "-inf";
    int digits = shortest(text, a, fabs(x)), exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    const char *sign = signbit(x) ? "-" : "";
    number[0] = text[0];
    memcpy(number + 1, text + 2, (size_t)digits - 1); /* without the point */
    number[digits] = 0;
    if (exponent < PLAIN_EXPONENT_MIN || exponent > PLAIN_EXPONENT_MAX)
        return rg_arena_printf(arena, "%s%c%s%se%c%02d", sign, number[0], digits > 1 ? "." : "", number + 1,
                               exponent < 0 ? '-' : '+', abs(exponent));
    if (exponent < 0) return rg_arena_printf(arena, "%s0.%.*d%s", sign, -exponent - 1, 0, number);
    int whole = exponent + 1; /* digits before the point */
    if (digits <= whole)
        return rg_arena_printf(arena, "%s%s%.*s.0", sign, number, whole - digits, "0000000000000000");
    return rg_arena_printf(arena, "%s%.*s.%s", sign, whole, number, number + whole);
}

rg_str rg_number_text(rg_arena *arena, const rg_array *a, int64_t i)
{
    int64_t n = rg_get_int(a, i);
    if (a->dtype == RG_BOOL) return n ? RG_LIT("True") : RG_LIT("False");
    const char *text = !rg_dtype_is_int(a->dtype) ? real_text(arena, a, rg_get(a, i))
                     : a->dtype == RG_U64         ? rg_arena_printf(arena, "%" PRIu64, (uint64_t)n)
                                                  : rg_arena_printf(arena, "%" PRId64, n);
    return text ? rg_str_of(text) : (rg_str){0};
}

/* ---- from text ---- */

static bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static rg_str trimmed(rg_str s)
{
    while (s.size && blank(s.data[0])) s = (rg_str){s.data + 1, s.size - 1};
    while (s.size && blank(s.data[s.size - 1])) s.size--;
    return s;
}

/* What rg_str_int cannot hold. */
static bool read_unsigned(rg_str s, uint64_t *out)
{
    uint64_t x = 0;
    for (size_t i = 0; i < s.size; i++) {
        unsigned digit = (unsigned)s.data[i] - '0';
        if (digit > 9 || x > (UINT64_MAX - digit) / 10) return false;
        x = x * 10 + digit;
    }
    *out = x;
    return s.size > 0;
}

bool rg_put_text(const rg_array *a, int64_t i, rg_str text, const rg_casting *how)
{
    rg_str s = trimmed(text);
    uint64_t large;
    int64_t n;
    double x;
    if (a->dtype == RG_BOOL && (rg_str_is(s, "True") || rg_str_is(s, "False"))) {
        rg_put_int(a, i, s.data[0] == 'T');
        return true;
    }
    bool whole = rg_dtype_is_int(a->dtype);
    if (whole && rg_str_int(s, &n)) rg_put_int(a, i, n);
    else if (whole && read_unsigned(s, &large)) rg_put_int(a, i, (int64_t)large);
    else if (rg_str_real(s, &x)) rg_put_cast(a, i, x, how);
    else return false;
    return true;
}
