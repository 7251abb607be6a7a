/* unit.c - how a quantity is printed: SI prefix, three significant digits; and checked integer arithmetic. */
#include "base/base.h"

#include <math.h>
#include <string.h>

static const struct { const char *symbol; bool scaled; } units[] = {
    [RG_UNIT_NONE] = {"", false},         [RG_UNIT_COUNT] = {"", true},
    [RG_UNIT_SECOND] = {"s", true},       [RG_UNIT_JOULE] = {"J", true},
    [RG_UNIT_WATT] = {"W", true},         [RG_UNIT_BYTE] = {"B", true},
    [RG_UNIT_FLOP] = {"FLOP", true},      [RG_UNIT_MAC] = {"MAC", true},
    [RG_UNIT_HERTZ] = {"Hz", true},       [RG_UNIT_BYTE_PER_S] = {"B/s", true},
    [RG_UNIT_OP_PER_S] = {"op/s", true},  [RG_UNIT_FRACTION] = {"%", false},
    [RG_UNIT_FLOP_PER_BYTE] = {"FLOP/B", false},
    [RG_UNIT_GRAM] = {"g", true},         [RG_UNIT_USD] = {"$", false},
    [RG_UNIT_WATT_HOUR] = {"Wh", true},   [RG_UNIT_CLOCK] = {"MHz", false},
};

static const struct { double scale; const char *prefix; } prefixes[] = {
    {1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""},
    {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}, {1e-12, "p"},
};

/* Three significant digits, without an exponent where people do not expect one. */
static int print_3(char *buffer, size_t size, double x)
{
    double a = fabs(x);
    if (a != 0 && (a >= 1e6 || a < 1e-4)) return rg_str_print(buffer, size, "%.3g", x);
    int decimals = a >= 99.95 || a == 0 ? 0 : a >= 9.995 ? 1 : a >= 0.9995 ? 2 : a >= 0.09995 ? 3 : 4;
    return rg_str_print(buffer, size, "%.*f", decimals, x);
}

const char *rg_unit_print(char *buffer, size_t size, double value, rg_unit unit)
{
    const char *symbol = units[unit].symbol;
    char digits[32];
    if (!isfinite(value)) {
        snprintf(buffer, size, "%s", isnan(value) ? "unknown" : value > 0 ? "inf" : "-inf");
        return buffer;
    }
    if (unit == RG_UNIT_FRACTION) value *= 100;
    if (unit == RG_UNIT_CLOCK) value /= 1e6;
    const char *prefix = "";
    bool whole = unit == RG_UNIT_COUNT || unit == RG_UNIT_BYTE || unit == RG_UNIT_FLOP || unit == RG_UNIT_MAC;
    if (units[unit].scaled && value != 0) {
        size_t last = whole ? 6 : RG_COUNT(prefixes) - 1, i = 0; /* no milli-bytes */
        while (i < last && fabs(value) < prefixes[i].scale * 0.9995) i++;
        value /= prefixes[i].scale;
        prefix = prefixes[i].prefix;
    }
    bool exact = unit == RG_UNIT_CLOCK || (whole && !*prefix && value == floor(value));
    if (exact) rg_str_print(digits, sizeof digits, "%.0f", value);
    else print_3(digits, sizeof digits, value);
    if (unit == RG_UNIT_USD) snprintf(buffer, size, "$%s", digits);
    else snprintf(buffer, size, "%s%s%s%s", digits, *symbol || *prefix ? " " : "", prefix, symbol);
    return buffer;
}

rg_err rg_quantity_read(rg_ctx *cx, const char *text, const char *symbol, double *out)
{
    static const struct { const char *prefix; double scale; } scales[] = {
        {"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"P", 1e15},
        {"m", 1e-3}, {"u", 1e-6}, {"µ", 1e-6}, {"n", 1e-9},
        {"Ki", 1024.}, {"Mi", 1048576.}, {"Gi", 1073741824.}, {"Ti", 1099511627776.},
    };
    rg_str number = {text, strspn(text, "+-.0123456789")};
    if (number.size && strchr("eE", text[number.size]) && text[number.size]) /* 5e-3; no unit begins with e */
        number.size += 1 + strspn(text + number.size + 1, "+-0123456789");
    const char *unit = text + number.size + strspn(text + number.size, " ");
    double x;
    bool known = rg_str_real(number, &x) && x >= 0;
    for (size_t i = 0; known && i < RG_COUNT(scales); i++) {
        size_t size = strlen(scales[i].prefix);
        bool bare = *unit == 0 && size == 0;
        if (!bare && (strncmp(unit, scales[i].prefix, size) != 0 || strcmp(unit + size, symbol) != 0))
            continue;
        if (!isfinite(x * scales[i].scale)) break;
        *out = x * scales[i].scale;
        return RG_OK;
    }
    return rg_fail(cx, RG_USAGE,
                   "'%s' is no quantity in %s: a number, and if need be a prefix and the unit: 5 m%s", text,
                   symbol, symbol);
}

bool rg_mul_size(int64_t a, int64_t b, int64_t *out) { return !__builtin_mul_overflow(a, b, out); }
bool rg_add_size(int64_t a, int64_t b, int64_t *out) { return !__builtin_add_overflow(a, b, out); }
