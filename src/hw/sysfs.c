/* sysfs.c - small text files of /proc and /sys:
 * their sizes are not known before, so they are read, not mapped. */
#include "hw/detect.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 16384 }; /* of /proc/cpuinfo the first processor's part is enough */

static bool read_all(char *buffer, size_t size, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t have = 0;
    if (fd < 0) return false;
    for (ssize_t got = 1; have + 1 < size && got > 0;) {
        got = read(fd, buffer + have, size - 1 - have);
        if (got > 0) have += (size_t)got;
    }
    close(fd);
    buffer[have] = 0;
    return have > 0;
}

static bool read_below(char *buffer, size_t size, const char *root, const char *path, va_list args)
{
    char full[RG_PATH_LIMIT];
    int used = snprintf(full, sizeof full, "%s", root);
    if (used < 0 || (size_t)used >= sizeof full) return false;
    int more = vsnprintf(full + used, sizeof full - (size_t)used, path, args);
    return more >= 0 && (size_t)(used + more) < sizeof full && read_all(buffer, size, full);
}

bool rg_sysfs_whole(char *buffer, size_t size, const char *root, const char *path)
{
    char full[RG_PATH_LIMIT];
    int used = snprintf(full, sizeof full, "%s%s", root, path);
    return used >= 0 && (size_t)used < sizeof full && read_all(buffer, size, full);
}

bool rg_sysfs_text(char *buffer, size_t size, const char *root, const char *path, ...)
{
    va_list args;
    va_start(args, path);
    bool ok = read_below(buffer, size, root, path, args);
    va_end(args);
    if (ok) buffer[strcspn(buffer, "\n")] = 0;
    return ok;
}

bool rg_sysfs_real(double *out, const char *root, const char *path, ...)
{
    char text[64];
    va_list args;
    va_start(args, path);
    bool ok = read_below(text, sizeof text, root, path, args);
    va_end(args);
    text[ok ? strcspn(text, "\n") : 0] = 0;
    return ok && rg_str_real(rg_str_of(text), out);
}

static rg_str trimmed(rg_str s)
{
    while (s.size && strchr(" \t", s.data[0])) s.data++, s.size--;
    while (s.size && strchr(" \t", s.data[s.size - 1])) s.size--;
    return s;
}

bool rg_sysfs_entry(char *buffer, size_t size, const char *root, const char *path, const char *key)
{
    char text[TEXT_MAX];
    if (!rg_sysfs_whole(text, sizeof text, root, path)) return false;
    rg_str rest = rg_str_of(text), line, name;
    while (rg_str_cut(&rest, '\n', &line)) {
        if (!rg_str_cut(&line, ':', &name) || !rg_str_is(trimmed(name), key)) continue;
        snprintf(buffer, size, "%.*s", RG_STR(trimmed(line)));
        return true;
    }
    return false;
}
