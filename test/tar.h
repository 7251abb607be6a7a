/* tar.h - walks the files of a .tar.gz in memory, for tests over shared archives: plain ustar with GNU long
 * names. */
#ifndef TAR_H
#define TAR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { TAR_BLOCK = 512 };

/* Zero, then `file` from tar_open. `data` and `name` belong to the walk until its next step. */
typedef struct tar { gzFile file; char name[1024]; uint8_t *data; size_t size, room; } tar;

static inline bool tar_open(tar *t, const char *path)
{
    *t = (tar){.file = gzopen(path, "rb")};
    return t->file != NULL;
}

static inline void tar_close(tar *t)
{
    if (t->file) gzclose(t->file);
    free(t->data);
    *t = (tar){0};
}

/* Reads `size` bytes and what fills up their last block. */
static inline bool tar_content(tar *t, size_t size)
{
    size_t whole = (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    if (whole + 1 > t->room) {
        free(t->data);
        t->room = whole + 1;
        t->data = malloc(t->room);
    }
    t->size = size;
    if (!t->data || gzread(t->file, t->data, (unsigned)whole) != (int)whole) return false;
    t->data[size] = 0;
    return true;
}

/* The next regular file; false at the end of the archive. */
static inline bool tar_next(tar *t)
{
    uint8_t head[TAR_BLOCK];
    bool long_name = false;
    while (gzread(t->file, head, TAR_BLOCK) == TAR_BLOCK && head[0]) {
        size_t size = strtoul((const char *)head + 124, NULL, 8);
        char kind = (char)head[156];
        if (!tar_content(t, size)) return false;
        if (kind == 'L') {
            snprintf(t->name, sizeof t->name, "%s", (const char *)t->data);
            long_name = true;
            continue;
        }
        if (!long_name && head[345]) snprintf(t->name, sizeof t->name, "%.155s/%.100s", head + 345, head);
        else if (!long_name) snprintf(t->name, sizeof t->name, "%.100s", head);
        long_name = false;
        if (kind == '0' || kind == 0) return true;
    }
    return false;
}

#endif
