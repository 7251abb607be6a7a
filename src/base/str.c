/* str.c - borrowed strings, numbers as text, and growing text.
 *
 * strtod and the printf family follow LC_NUMERIC of the program that we are linked into: a comma for a point
 * would make "1.5" unreadable and JSON wrong. So every number goes through here, in the C locale: it is the
 * calling thread's for just that call, so that no other thread and no caller can see the change.
 */
#include "base/base.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

bool rg_str_starts(rg_str a, const char *prefix)
{
    size_t size = strlen(prefix);
    return a.size >= size && (!size || memcmp(a.data, prefix, size) == 0);
}

int rg_str_cmp(rg_str a, rg_str b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

bool rg_str_cut(rg_str *rest, char sep, rg_str *part)
{
    if (!rest->size) return false;
    const char *found = memchr(rest->data, sep, rest->size);
    size_t size = found ? (size_t)(found - rest->data) : rest->size;
    *part = (rg_str){rest->data, size};
    size_t eaten = found ? size + 1 : size;
    rest->data += eaten;
    rest->size -= eaten;
    return true;
}

/* The C locale becomes the thread's; the answer is what to give back to uselocale. Asking for "C" allocates
 * nothing in glibc and musl, so there is nothing to free; should it fail, uselocale(0) changes nothing. */
static locale_t enter_c_locale(void) { return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0)); }

int rg_str_vprint(char *buffer, size_t size, const char *format, va_list args)
{
    locale_t old = enter_c_locale();
    int need = vsnprintf(buffer, size, format, args);
    uselocale(old);
    return need;
}

int rg_str_print(char *buffer, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int need = rg_str_vprint(buffer, size, format, args);
    va_end(args);
    return need;
}

bool rg_str_int(rg_str text, int64_t *out)
{
    char buffer[32], *end;
    if (!text.size || text.size >= sizeof buffer || text.data[0] == ' ') return false;
    memcpy(buffer, text.data, text.size);
    buffer[text.size] = 0;
    errno = 0;
    long long x = strtoll(buffer, &end, 10);
    if (errno || end != buffer + text.size) return false;
    *out = x;
    return true;
}

bool rg_str_real(rg_str text, double *out)
{
    char buffer[64], *end;
    if (!text.size || text.size >= sizeof buffer || text.data[0] == ' ') return false;
    memcpy(buffer, text.data, text.size);
    buffer[text.size] = 0;
    locale_t old = enter_c_locale();
    double x = strtod(buffer, &end);
    uselocale(old);
    if (end != buffer + text.size) return false;
    *out = x;
    return true;
}

void rg_text_init(rg_text *text, rg_arena *arena) { *text = (rg_text){.arena = arena}; }

/* Room for `more` bytes and a closing NUL. */
static bool reserve(rg_text *text, size_t more)
{
    if (text->failed) return false;
    size_t need = text->size + more + 1, capacity = text->capacity ? text->capacity : 256;
    if (need <= text->capacity) return true;
    while (capacity < need) capacity *= 2;
    char *grown = capacity > UINT32_MAX ? NULL : rg_arena_alloc(text->arena, capacity);
    if (!grown) {
        text->failed = true;
        return false;
    }
    if (text->size) memcpy(grown, text->data, text->size);
    text->data = grown;
    text->capacity = (uint32_t)capacity;
    return true;
}

void rg_text_put(rg_text *text, rg_str s)
{
    if (!reserve(text, s.size)) return;
    if (s.size) memcpy(text->data + text->size, s.data, s.size);
    text->size += s.size;
    text->data[text->size] = 0;
}

void rg_text_char(rg_text *text, char c) { rg_text_put(text, (rg_str){&c, 1}); }

void rg_text_printf(rg_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = rg_str_vprint(NULL, 0, format, args);
    va_end(args);
    if (size > 0 && reserve(text, (size_t)size)) {
        rg_str_vprint(text->data + text->size, (size_t)size + 1, format, again);
        text->size += (size_t)size;
    }
    va_end(again);
}
