/* write.c - writes a document, or a part of it, in the format asked for; the formats are the rows of the
 * RG_WRITER table.
 *
 * Parts are the tables and charts. A format of single pictures can write only these; asked for a whole
 * document it writes the only one that there is.
 */
#include "report/write.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Names of all writers, or of those that have parts. */
static const char *list_formats(char *buffer, size_t size, bool with_parts)
{
    size_t used = 0;
    buffer[0] = 0;
    for (int i = 0; i < rg_writer_count && used < size; i++) {
        if (with_parts && !rg_writer_table[i]->write_part) continue;
        const char *name = rg_writer_table[i]->name;
        used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? ", " : "", name);
    }
    return buffer;
}

static rg_err find_writer(rg_ctx *cx, const char *format, const rg_writer **out)
{
    char names[256];
    for (int i = 0; i < rg_writer_count; i++)
        if (strcmp(rg_writer_table[i]->name, format) == 0) {
            *out = rg_writer_table[i];
            return RG_OK;
        }
    return rg_fail(cx, RG_USAGE, "unknown format '%s'; there are %s", format,
                   list_formats(names, sizeof names, false));
}

static rg_err check_output(rg_ctx *cx, FILE *out)
{
    errno = 0;
    if (!fflush(out) && !ferror(out)) return RG_OK;
    return rg_fail(cx, RG_FAILED, "writing the document: %s", errno ? strerror(errno) : "output error");
}

rg_err rg_doc_write(rg_ctx *cx, const rg_doc *doc, const char *format, FILE *out)
{
    const rg_writer *writer = NULL;
    RG_TRY(find_writer(cx, format ? format : "text", &writer));
    if (!writer->write) return rg_doc_write_part(cx, doc, format, NULL, out);
    RG_TRY(rg_doc_done(cx, (rg_doc *)(uintptr_t)doc)); /* only reads */
    RG_TRY(writer->write(cx, doc, out));
    return check_output(cx, out);
}

/* ---- parts ---- */

rg_err rg_parts_find(rg_ctx *cx, rg_arena *arena, const rg_doc *doc, int kind, rg_part **out, size_t *count)
{
    size_t found = 0;
    rg_map seen;
    rg_map_init(&seen, arena);
    for (const rg_doc_block *b = rg_doc_blocks(doc); b; b = b->next) found += (int)b->kind == kind;
    rg_part *parts = RG_NEW(arena, rg_part, found);
    *out = parts;
    *count = found;
    if (!parts) return rg_nomem(cx);
    for (const rg_doc_block *b = rg_doc_blocks(doc); b; b = b->next) {
        if ((int)b->kind != kind) continue;
        uint32_t before = rg_map_get(&seen, rg_str_of(b->text));
        const char *name = before ? rg_arena_printf(arena, "%s-%u", b->text, before + 1) : b->text;
        if (!name || !rg_map_put(&seen, rg_str_of(b->text), before + 1)) return rg_nomem(cx);
        *parts++ = (rg_part){b, name};
    }
    return RG_OK;
}

static const char *word_of(const rg_writer *writer)
{
    return writer->part == RG_BLOCK_TABLE ? "table" : "chart";
}

static rg_err choose(rg_ctx *cx, const rg_writer *writer, const char *name, const rg_part *parts,
                     size_t count, const rg_doc_block **out)
{
    const char *word = word_of(writer);
    char names[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if ((!name && count == 1) || (name && strcmp(parts[i].name, name) == 0)) {
            *out = parts[i].block;
            return RG_OK;
        }
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     parts[i].name);
    }
    if (!count) return rg_fail(cx, RG_USAGE, "this document has no %s to write as %s", word, writer->name);
    if (!name) return rg_fail(cx, RG_USAGE, "%s holds one %s, name the part: %s", writer->name, word, names);
    return rg_fail(cx, RG_USAGE, "no %s '%s'; there are %s", word, name, names);
}

typedef struct writing { const rg_writer *writer; rg_arena arena; rg_part *parts; size_t count; } writing;

/* w->arena is the caller's to release, also after an error. */
static rg_err begin(rg_ctx *cx, const rg_doc *doc, const char *format, writing *w)
{
    char names[256];
    RG_TRY(find_writer(cx, format ? format : "text", &w->writer));
    if (!w->writer->write_part)
        return rg_fail(cx, RG_USAGE, "format %s has no parts; %s have", w->writer->name,
                       list_formats(names, sizeof names, true));
    RG_TRY(rg_doc_done(cx, (rg_doc *)(uintptr_t)doc)); /* only reads */
    return rg_parts_find(cx, &w->arena, doc, w->writer->part, &w->parts, &w->count);
}

rg_err rg_doc_write_part(rg_ctx *cx, const rg_doc *doc, const char *format, const char *part, FILE *out)
{
    writing w = {0};
    const rg_doc_block *block = NULL;
    rg_arena_init(&w.arena, cx);
    rg_err err = begin(cx, doc, format, &w);
    if (!err) err = choose(cx, w.writer, part, w.parts, w.count, &block);
    if (!err) err = w.writer->write_part(cx, block, out);
    rg_arena_done(&w.arena);
    return err ? err : check_output(cx, out);
}

static rg_err write_file(rg_ctx *cx, const rg_writer *writer, const rg_part *part, const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file) return rg_fail(cx, RG_FAILED, "%s: %s", path, strerror(errno));
    rg_err err = writer->write_part(cx, part->block, file);
    if (!err) err = check_output(cx, file);
    if (fclose(file) && !err) err = rg_fail(cx, RG_FAILED, "%s: %s", path, strerror(errno));
    return err;
}

rg_err rg_doc_write_parts(rg_ctx *cx, const rg_doc *doc, const char *format, const char *dir)
{
    writing w = {0};
    rg_arena_init(&w.arena, cx);
    rg_err err = begin(cx, doc, format, &w);
    if (!err && !w.count)
        err = rg_fail(cx, RG_USAGE, "this document has no %s to write as %s", word_of(w.writer), format);
    if (!err && mkdir(dir, 0777) && errno != EEXIST)
        err = rg_fail(cx, RG_FAILED, "%s: %s", dir, strerror(errno));
    for (size_t i = 0; i < w.count && !err; i++) {
        const char *path = rg_arena_printf(&w.arena, "%s/%s.%s", dir, w.parts[i].name, w.writer->name);
        err = path ? write_file(cx, w.writer, &w.parts[i], path) : rg_nomem(cx);
    }
    rg_arena_done(&w.arena);
    return err;
}
