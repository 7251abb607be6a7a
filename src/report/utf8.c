/* utf8.c - text that came from model files, on its way out: decoded strictly, measured in columns, escaped.
 *
 * Names in a model are anybody's bytes. Overlong forms, surrogates and stray bytes become one replacement
 * each, so that JSON stays JSON; control characters never reach a terminal. No locale is asked, the answer
 * is the same everywhere.
 */
#include "report/write.h"

static const struct { uint32_t first, last; } zero_wide[] = {
    {0x300, 0x36f}, {0x483, 0x489}, {0x591, 0x5bd}, {0x610, 0x61a}, {0x64b, 0x65f}, {0x200b, 0x200f},
    {0x202a, 0x202e}, {0x2060, 0x2064}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xfeff, 0xfeff},
}, two_wide[] = {
    {0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
    {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f},
    {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

/* Bytes that follow a lead byte; -1: not a lead byte. */
static int follow_count(unsigned char lead)
{
    if (lead < 0x80) return 0;
    if (lead >= 0xc2 && lead < 0xe0) return 1;
    if (lead >= 0xe0 && lead < 0xf0) return 2;
    return lead >= 0xf0 && lead < 0xf5 ? 3 : -1;
}

rg_glyph rg_utf8_cut(rg_str *rest)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000}, lead_mask[] = {0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *byte = (const unsigned char *)rest->data;
    int count = follow_count(byte[0]);
    bool valid = count >= 0 && rest->size > (size_t)count;
    uint32_t code = valid ? byte[0] & lead_mask[count] : 0;
    for (int i = 1; valid && i <= count; i++) {
        valid = (byte[i] & 0xc0) == 0x80;
        code = code << 6 | (byte[i] & 0x3f);
    }
    if (valid && (code < least[count] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))) valid = false;
    uint32_t size = valid ? (uint32_t)count + 1 : 1;
    rest->data += size;
    rest->size -= size;
    return (rg_glyph){valid ? code : 0xfffd, size, valid};
}

static size_t columns_of(uint32_t code)
{
    for (size_t i = 0; code >= 0x300 && i < RG_COUNT(zero_wide); i++)
        if (code >= zero_wide[i].first && code <= zero_wide[i].last) return 0;
    for (size_t i = 0; code >= 0x1100 && i < RG_COUNT(two_wide); i++)
        if (code >= two_wide[i].first && code <= two_wide[i].last) return 2;
    return 1;
}

size_t rg_utf8_columns(rg_str text)
{
    size_t columns = 0;
    while (text.size) columns += columns_of(rg_utf8_cut(&text).code);
    return columns;
}

static const char *escape_of(rg_glyph glyph, const rg_escapes *escapes)
{
    if (!glyph.valid) return escapes->invalid;
    if (glyph.code < 128 && escapes->ascii[glyph.code]) return escapes->ascii[glyph.code];
    bool control = glyph.code < 0x20 || (glyph.code >= 0x7f && glyph.code < 0xa0);
    bool no_character = (glyph.code & 0xfffe) == 0xfffe; /* XML has no place for them */
    return control || no_character ? escapes->control : NULL;
}

void rg_utf8_put(FILE *out, rg_str text, const rg_escapes *escapes)
{
    while (text.size) {
        const char *begin = text.data;
        rg_glyph glyph = rg_utf8_cut(&text);
        const char *escape = escape_of(glyph, escapes);
        if (escape) fputs(escape, out);
        else fwrite(begin, 1, glyph.size, out);
    }
}

void rg_utf8_add(rg_text *out, rg_str text, const rg_escapes *escapes)
{
    while (text.size) {
        const char *begin = text.data;
        rg_glyph glyph = rg_utf8_cut(&text);
        const char *escape = escape_of(glyph, escapes);
        rg_text_put(out, escape ? rg_str_of(escape) : (rg_str){begin, glyph.size});
    }
}

static size_t cut_columns(rg_str *rest) { return columns_of(rg_utf8_cut(rest).code); }

void rg_utf8_ends(rg_str text, size_t columns, rg_str *head, rg_str *tail)
{
    rg_str rest = text;
    size_t head_columns = (columns + 1) / 2, tail_columns = columns - head_columns;
    *head = (rg_str){text.data, 0};
    for (size_t used = 0; rest.size && (used += cut_columns(&rest)) <= head_columns;)
        head->size = text.size - rest.size;
    for (size_t left = rg_utf8_columns(text); left > tail_columns;) left -= cut_columns(&text);
    *tail = text;
}

const rg_escapes rg_xml_escapes = {
    .invalid = "\xef\xbf\xbd", .control = "\xef\xbf\xbd",
    .ascii = {
        ['\t'] = " ", ['\n'] = " ", ['\r'] = " ", ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;",
        ['"'] = "&quot;", ['\''] = "&#39;",
    },
};
