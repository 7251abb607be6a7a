/* write_json.c - RFC 8259: the tree of data, keys in the order they were added, indented by 2.
 *
 * Arrays of plain values stand on one line: a shape or a list of samples reads as one thing. Doubles carry
 * the fewest digits that read back unchanged; bytes that are not UTF-8 become \ufffd.
 */
#include "report/write.h"

#include <inttypes.h>

static const rg_escapes escapes = {
    .invalid = "\\ufffd",
    .ascii = {
        [0x01] = "\\u0001", "\\u0002", "\\u0003", "\\u0004", "\\u0005", "\\u0006", "\\u0007",
        [0x08] = "\\b", "\\t", "\\n", "\\u000b", "\\f", "\\r", "\\u000e", "\\u000f",
        [0x10] = "\\u0010", "\\u0011", "\\u0012", "\\u0013", "\\u0014", "\\u0015", "\\u0016", "\\u0017",
        [0x18] = "\\u0018", "\\u0019", "\\u001a", "\\u001b", "\\u001c", "\\u001d", "\\u001e", "\\u001f",
        ['"'] = "\\\"", ['\\'] = "\\\\",
    },
};

static void put_string(FILE *out, const char *text)
{
    putc('"', out);
    rg_utf8_put(out, rg_str_of(text), &escapes);
    putc('"', out);
}

static bool fits_line(const rg_item *list)
{
    bool plain = list->kind == RG_ITEM_ARRAY;
    for (const rg_item *item = list->first; item && plain; item = item->next)
        plain = item->kind != RG_ITEM_ARRAY && item->kind != RG_ITEM_OBJECT;
    return plain;
}

static void put_item(FILE *out, const rg_item *item, int indent);

static void put_list(FILE *out, const rg_item *list, int indent)
{
    bool object = list->kind == RG_ITEM_OBJECT, line = fits_line(list);
    putc(object ? '{' : '[', out);
    for (const rg_item *item = list->first; item; item = item->next) {
        if (!line) fprintf(out, "\n%*s", indent + 2, "");
        if (object) {
            put_string(out, item->key);
            fputs(": ", out);
        }
        put_item(out, item, indent + 2);
        if (item->next) fputs(line ? ", " : ",", out);
    }
    if (list->first && !line) fprintf(out, "\n%*s", indent, "");
    putc(object ? '}' : ']', out);
}

static void put_item(FILE *out, const rg_item *item, int indent)
{
    char number[RG_REAL_SIZE];
    switch (item->kind) {
    case RG_ITEM_NULL:   fputs("null", out); break;
    case RG_ITEM_BOOL:   fputs(item->flag ? "true" : "false", out); break;
    case RG_ITEM_INT:    fprintf(out, "%" PRId64, item->integer); break;
    case RG_ITEM_REAL:   fputs(rg_real_print(number, item->real), out); break;
    case RG_ITEM_STRING: put_string(out, item->string); break;
    case RG_ITEM_ARRAY:
    case RG_ITEM_OBJECT: put_list(out, item, indent); break;
    }
}

static rg_err write_json(rg_ctx *cx, const rg_doc *doc, FILE *out)
{
    (void)cx;
    put_item(out, rg_doc_tree(doc), 0);
    putc('\n', out);
    return RG_OK;
}

RG_WRITER(json) = {.name = "json", .brief = "the data, for programs", .write = write_json};
