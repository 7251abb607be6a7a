/* write.c - writes a document in the format asked for; the formats are the rows of the RG_WRITER table. */
#include "report/write.h"

#include <errno.h>
#include <string.h>

static rg_err unknown_format(rg_ctx *cx, const char *format)
{
    char names[256] = "";
    size_t used = 0;
    for (int i = 0; i < rg_writer_count && used < sizeof names; i++) {
        const char *name = rg_writer_table[i]->name;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", name);
    }
    return rg_fail(cx, RG_USAGE, "unknown format '%s'; there are %s", format, names);
}

static const rg_writer *find_writer(const char *format)
{
    for (int i = 0; i < rg_writer_count; i++)
        if (strcmp(rg_writer_table[i]->name, format) == 0) return rg_writer_table[i];
    return NULL;
}

rg_err rg_doc_write(rg_ctx *cx, const rg_doc *doc, const char *format, FILE *out)
{
    const rg_writer *writer = find_writer(format ? format : "text");
    if (!writer) return unknown_format(cx, format);
    RG_TRY(rg_doc_done(cx, (rg_doc *)(uintptr_t)doc)); /* only reads */
    RG_TRY(writer->write(cx, doc, out));
    errno = 0;
    if (fflush(out) || ferror(out))
        return rg_fail(cx, RG_FAILED, "writing the document: %s", errno ? strerror(errno) : "output error");
    return RG_OK;
}
