/* data.c - facts about the world: an overlay directory first, then what the library carries. */
#include "base/base.h"
#include "base/data.h"
#include "base/limits.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

rg_err rg_data_read(rg_ctx *cx, const char *path, rg_str *out)
{
    if (cx->data_dir) {
        const char *full = rg_arena_printf(&cx->arena, "%s/%s", cx->data_dir, path);
        rg_file *file = NULL;
        if (!full) return rg_nomem(cx);
        rg_err err = rg_file_map(cx, full, &file);
        if (err == RG_NOMEM) return err; /* what is embedded would be another file */
        if (!err) {
            rg_str bytes = rg_file_bytes(file);
            *out = bytes.size > RG_DATA_MAX ? (rg_str){NULL, 0} : rg_arena_str(&cx->arena, bytes);
            rg_file_unref(file);
            if (bytes.size > RG_DATA_MAX)
                return rg_fail(cx, RG_LIMIT, "%s: %zu bytes exceed %d", full, bytes.size, RG_DATA_MAX);
            return out->data ? RG_OK : rg_nomem(cx);
        }
    }
    for (int i = 0; i < rg_embedded_count; i++) {
        const rg_embedded *e = &rg_embedded_table[i];
        if (strcmp(e->path, path) == 0) {
            *out = (rg_str){e->begin, (size_t)(e->end - e->begin)};
            return RG_OK;
        }
    }
    return rg_fail(cx, RG_INPUT, "%s: no such data file", path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool rg_data_has(rg_ctx *cx, const char *path)
{
    const char *full = cx->data_dir ? rg_arena_printf(&cx->arena, "%s/%s", cx->data_dir, path) : NULL;
    if (full && access(full, R_OK) == 0) return true;
    for (int i = 0; i < rg_embedded_count; i++)
        if (strcmp(rg_embedded_table[i].path, path) == 0) return true;
    return false;
}

typedef struct names { rg_ctx *cx; const char **items; size_t count; uint32_t capacity; } names;

/* "NAME.json" and "NAME.trees" give NAME; anything else is passed over. */
static bool add_name(names *list, const char *file)
{
    const char *end = strrchr(file, '.');
    if (!end || end == file || (strcmp(end, ".json") != 0 && strcmp(end, ".trees") != 0)) return true;
    if (!RG_GROW(&list->cx->arena, list->items, list->count, list->capacity)) return false;
    const char *name = rg_arena_cstr(&list->cx->arena, (rg_str){file, (size_t)(end - file)});
    if (name) list->items[list->count++] = name;
    return name != NULL;
}

rg_err rg_data_list(rg_ctx *cx, const char *dir, const char *const **out, size_t *count)
{
    names list = {.cx = cx};
    size_t length = strlen(dir);
    bool ok = true;
    for (int i = 0; i < rg_embedded_count && ok; i++) {
        const char *path = rg_embedded_table[i].path;
        if (strncmp(path, dir, length) == 0 && path[length] == '/') ok = add_name(&list, path + length + 1);
    }
    const char *full = cx->data_dir ? rg_arena_printf(&cx->arena, "%s/%s", cx->data_dir, dir) : NULL;
    DIR *folder = full ? opendir(full) : NULL;
    for (struct dirent *entry; ok && folder && (entry = readdir(folder));)
        ok = add_name(&list, entry->d_name);
    if (folder) closedir(folder);
    if (!ok) return rg_nomem(cx);
    size_t kept = 0;
    if (list.count) qsort(list.items, list.count, sizeof *list.items, by_name);
    for (size_t i = 0; i < list.count; i++)
        if (!kept || strcmp(list.items[kept - 1], list.items[i]) != 0) list.items[kept++] = list.items[i];
    *out = (const char *const *)list.items;
    *count = kept;
    return RG_OK;
}
