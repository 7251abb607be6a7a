/* file.c - read-only files, mapped: a 100 MB model costs page tables, not memory. */
#include "base/base.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct rg_file {
    rg_str bytes;
    uint32_t refs; /* atomic */
    void (*free)(void *user, void *block);
    void *user;
    char path[];
};

static rg_err refuse(rg_ctx *cx, int fd, const char *path, const char *why)
{
    if (fd >= 0) close(fd);
    return rg_fail(cx, RG_INPUT, "%s: %s", path, why);
}

rg_err rg_file_map(rg_ctx *cx, const char *path, rg_file **out)
{
    struct stat info;
    size_t length = strlen(path);
    if (length >= RG_PATH_LIMIT)
        return rg_fail(cx, RG_LIMIT, "a path of %zu bytes exceeds %d", length, RG_PATH_LIMIT);
    /* a FIFO must not hang us before fstat rejects it */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return refuse(cx, fd, path, strerror(errno));
    if (fstat(fd, &info)) return refuse(cx, fd, path, strerror(errno));
    if (S_ISDIR(info.st_mode)) return refuse(cx, fd, path, "is a directory, not a file");
    if (!S_ISREG(info.st_mode)) return refuse(cx, fd, path, "is not a regular file");
    size_t size = (size_t)info.st_size;
    void *data = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (data == MAP_FAILED) return refuse(cx, fd, path, strerror(errno));
    close(fd);
    rg_file *file = cx->alloc(cx->user, sizeof *file + length + 1);
    if (!file) {
        if (data) munmap(data, size);
        return rg_nomem(cx);
    }
    *file = (rg_file){.bytes = {data ? data : "", size}, .refs = 1, .free = cx->free, .user = cx->user};
    memcpy(file->path, path, length + 1);
    *out = file;
    return RG_OK;
}

rg_str rg_file_bytes(const rg_file *file) { return file->bytes; }
const char *rg_file_path(const rg_file *file) { return file->path; }

rg_file *rg_file_ref(rg_file *file)
{
    __atomic_add_fetch(&file->refs, 1, __ATOMIC_RELAXED);
    return file;
}

void rg_file_unref(rg_file *file)
{
    if (!file || __atomic_sub_fetch(&file->refs, 1, __ATOMIC_ACQ_REL)) return;
    if (file->bytes.size) munmap((void *)(uintptr_t)file->bytes.data, file->bytes.size);
    file->free(file->user, file);
}

bool rg_path_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

const char *rg_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *rg_path_dir(rg_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return ".";
    size_t size = slash == path ? 1 : (size_t)(slash - path);
    return rg_arena_cstr(arena, (rg_str){path, size});
}
