/* npz.c - NumPy's archive of named arrays: a zip file whose members are NAME.npy, stored or deflated.
 *
 * What a member says of its size is believed only up to the memory limit, and it is read as far as it says:
 * one that unpacks to more is cut there, and its array refused.
 */
#include "format/npy.h"

#include <zip.h>

static const char suffix[] = ".npy";

static rg_err open_archive(rg_ctx *cx, const char *path, zip_t **out)
{
    int code = 0;
    *out = zip_open(path, ZIP_RDONLY, &code);
    if (*out) return RG_OK;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    rg_err err = rg_fail(cx, code == ZIP_ER_NOZIP || code == ZIP_ER_INCONS ? RG_FORMAT : RG_INPUT, "%s: %s",
                         path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return err;
}

/* "weights.npy" is called weights. */
static rg_str name_of(zip_t *archive, zip_uint64_t i)
{
    rg_str name = rg_str_of(zip_get_name(archive, i, ZIP_FL_ENC_RAW));
    size_t cut = sizeof suffix - 1;
    bool array = name.size > cut && memcmp(name.data + name.size - cut, suffix, cut) == 0;
    return array ? (rg_str){name.data, name.size - cut} : (rg_str){0};
}

rg_err rg_npz_names(rg_ctx *cx, const char *path, const char *const **names, size_t *count)
{
    zip_t *archive;
    *count = 0;
    RG_TRY(open_archive(cx, path, &archive));
    zip_int64_t members = zip_get_num_entries(archive, 0);
    const char **list = members > RG_IO_MAX ? NULL : RG_NEW(&cx->arena, const char *, members + 1);
    rg_err err = RG_OK;
    if (members > RG_IO_MAX)
        err = rg_fail(cx, RG_LIMIT, "%s: %lld members exceed %d", path, (long long)members, RG_IO_MAX);
    else if (!list) err = rg_nomem(cx);
    for (zip_int64_t i = 0; !err && i < members; i++) {
        rg_str name = name_of(archive, (zip_uint64_t)i);
        if (!name.size) continue;
        list[*count] = rg_arena_cstr(&cx->arena, name);
        if (!list[(*count)++]) err = rg_nomem(cx);
    }
    zip_discard(archive);
    *names = list;
    return err;
}

static rg_err read_member(rg_ctx *cx, zip_t *archive, zip_uint64_t index, rg_datum **out)
{
    zip_stat_t stat;
    if (zip_stat_index(archive, index, 0, &stat) || !(stat.valid & ZIP_STAT_SIZE))
        return rg_fail(cx, RG_FORMAT, "does not state its size");
    if (stat.size > cx->memory_limit_byte)
        return rg_fail(cx, RG_LIMIT, "%llu bytes exceed the limit of %zu", (unsigned long long)stat.size,
                       cx->memory_limit_byte);
    rg_arena arena; /* the bytes are gone once the array is made */
    rg_arena_init(&arena, cx);
    char *bytes = rg_arena_alloc(&arena, (size_t)stat.size);
    zip_file_t *file = bytes ? zip_fopen_index(archive, index, 0) : NULL;
    zip_int64_t size = file ? zip_fread(file, bytes, stat.size) : -1;
    rg_err err = bytes ? RG_OK : rg_nomem(cx);
    if (!err && size < 0)
        err = rg_fail(cx, RG_FORMAT, "%s", file ? zip_file_strerror(file) : zip_strerror(archive));
    if (file) zip_fclose(file);
    if (!err) err = rg_npy_parse(cx, (rg_str){bytes, (size_t)size}, out);
    rg_arena_done(&arena);
    return err;
}

rg_err rg_npz_read(rg_ctx *cx, const char *path, const char *name, rg_datum **out)
{
    zip_t *archive;
    *out = NULL;
    RG_TRY(open_archive(cx, path, &archive));
    zip_int64_t members = zip_get_num_entries(archive, 0), i = 0;
    while (i < members && !rg_str_is(name_of(archive, (zip_uint64_t)i), name)) i++;
    rg_err err = i < members ? read_member(cx, archive, (zip_uint64_t)i, out)
                             : rg_fail(cx, RG_INPUT, "no such array in it");
    zip_discard(archive);
    return err ? rg_note(cx, err, "%s: '%s'", path, name) : RG_OK;
}
