/* onnx_external.c - constants that lie in files beside the model.
 *
 * The location is a path that a stranger wrote: it must stay within the model's folder, by its text and after
 * all links are followed, and what it points to must be as long as the model says.
 */
#include "format/onnx_in.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct place { rg_str location; int64_t offset, length; } place; /* length -1: not stated */

static rg_err read_place(rg_onnx_in *in, rg_wire_list entries, place *out)
{
    rg_onnx_entry entry;
    rg_str bytes;
    *out = (place){.length = -1};
    while (rg_wire_next(&entries, &bytes)) {
        RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_entry_message, &entry));
        int64_t *number = rg_str_is(entry.key, "offset")   ? &out->offset
                          : rg_str_is(entry.key, "length") ? &out->length
                                                           : NULL;
        if (rg_str_is(entry.key, "location")) out->location = entry.value;
        if (number && (!rg_str_int(entry.value, number) || *number < 0))
            return rg_fail(in->cx, RG_FORMAT, "external data: %.*s '%.*s' is not a number of bytes",
                           RG_STR(entry.key), RG_STR(entry.value));
    }
    if (!out->location.size) return rg_fail(in->cx, RG_FORMAT, "external data without a location");
    return rg_onnx_check_name(in->cx, out->location, "a file of external data");
}

static rg_err fail_outside(rg_onnx_in *in, rg_str location)
{
    return rg_fail(in->cx, RG_FORMAT, "external data '%.*s' lies outside of the model's folder",
                   RG_STR(location));
}

static bool climbs(rg_str path)
{
    rg_str part;
    if (rg_str_starts(path, "/")) return true;
    while (rg_str_cut(&path, '/', &part))
        if (rg_str_is(part, "..")) return true;
    return false;
}

/* The file's real path, which lies below the real path of the model's folder. */
static rg_err contain(rg_onnx_in *in, rg_str location, char real[PATH_MAX])
{
    char folder[PATH_MAX];
    const char *dir = rg_path_dir(&in->scratch, in->source);
    const char *path = dir ? rg_arena_printf(&in->scratch, "%s/%.*s", dir, RG_STR(location)) : NULL;
    if (!path) return rg_nomem(in->cx);
    if (climbs(location)) return fail_outside(in, location);
    if (!realpath(dir, folder)) return rg_fail(in->cx, RG_INPUT, "%s: %s", dir, strerror(errno));
    if (!realpath(path, real))
        return rg_fail(in->cx, RG_INPUT, "external data '%.*s': %s", RG_STR(location), strerror(errno));
    size_t size = strcmp(folder, "/") ? strlen(folder) : 0;
    if (strncmp(real, folder, size) || real[size] != '/') return fail_outside(in, location);
    return RG_OK;
}

/* Each file is mapped once; the graph keeps it. */
static rg_err open_file(rg_onnx_in *in, rg_str location, const rg_file **out)
{
    rg_graph *g = in->g;
    char real[PATH_MAX];
    uint32_t known = rg_map_get(&in->files, location);
    if (!known) {
        if (!in->source)
            return rg_fail(in->cx, RG_UNSUPPORTED, "external data needs a model that was read from a file");
        RG_TRY(contain(in, location, real));
        rg_file *mapped;
        RG_TRY(rg_file_map(in->cx, real, &mapped));
        RG_TRY(rg_onnx_keep_file(in, mapped));
        known = g->file_count;
        if (!rg_map_put(&in->files, location, known)) return rg_nomem(in->cx);
    }
    *out = g->files[known - 1];
    return RG_OK;
}

rg_err rg_onnx_read_external(rg_onnx_in *in, rg_wire_list entries, size_t need, rg_tensor *out)
{
    const rg_file *file;
    place at;
    RG_TRY(read_place(in, entries, &at));
    RG_TRY(open_file(in, at.location, &file));
    rg_str bytes = rg_file_bytes(file);
    size_t offset = (size_t)at.offset, size = at.length < 0 ? need : (size_t)at.length;
    if (size != need)
        return rg_fail(in->cx, RG_FORMAT, "external data has %zu bytes, the tensor's type needs %zu", size,
                       need);
    if (offset > bytes.size || size > bytes.size - offset)
        return rg_fail(in->cx, RG_FORMAT,
                       "external data '%.*s' has %zu bytes, the tensor lies at %zu and has %zu",
                       RG_STR(at.location), bytes.size, offset, size);
    out->encoding = RG_DATA_RAW;
    out->data = bytes.data + offset;
    out->size = size;
    out->file = rg_file_path(file);
    out->offset = offset;
    return RG_OK;
}
