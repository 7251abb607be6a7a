/* meter_tree.h - what tests of meters share: a directory that stands for "/", with files as /sys has them,
 * and a session with the meters that it shows.
 */
#ifndef METER_TREE_H
#define METER_TREE_H

#include "measure/meter.h"

#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static inline bool near(double a, double b, double relative) { return fabs(a - b) <= relative * fabs(b); }

/* ---- a directory that stands for "/" ---- */

typedef struct file { const char *path, *text; } file;

static inline void root_path(char *out, size_t size, const char *root, const char *path)
{
    int used = snprintf(out, size, "%s%s", root, path);
    assert_true(used > 0 && (size_t)used < size);
}

static inline void put(const char *root, const char *path, const char *text)
{
    char full[256];
    root_path(full, sizeof full, root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        mkdir(full, 0755);
    }
    FILE *out = fopen(full, "w");
    assert_non_null(out);
    fprintf(out, "%s\n", text);
    fclose(out);
}

/* In place and of the same length, so that whoever reads meanwhile sees one or the other. */
static inline void poke(const char *root, const char *path, const char *text)
{
    char full[256];
    root_path(full, sizeof full, root, path);
    int fd = open(full, O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text));
    close(fd);
}

static inline int drop(const char *path, const struct stat *s, int flag, struct FTW *walk)
{
    (void)s, (void)flag, (void)walk;
    return remove(path);
}

static inline void remove_root(const char *root) { nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS); }

static inline void make_root(char *root, const file *files, size_t count)
{
    memcpy(root, "/tmp/ridge-test-XXXXXX", sizeof "/tmp/ridge-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    assert_int_equal(chmod(root, 0755), 0);
    for (size_t i = 0; i < count; i++) put(root, files[i].path, files[i].text);
}
#define MAKE_ROOT(root, files) make_root(root, files, RG_COUNT(files))

static inline double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void wait_s(double seconds)
{
    for (double end = now_s() + seconds; now_s() < end;) usleep(1000);
}

/* ---- a session ---- */

static inline rg_meters *open_at(rg_ctx *cx, const char *root)
{
    rg_meters *m;
    rg_meter_opt opt = {.root = root, .nvml = "/nowhere.so"};
    assert_int_equal(rg_meters_open(cx, &opt, &m), RG_OK);
    return m;
}

static inline rg_meter_state state_of(const rg_meters *m, const char *name)
{
    for (int i = 0; i < rg_meter_count; i++)
        if (strcmp(rg_meters_state(m, i).name, name) == 0) return rg_meters_state(m, i);
    fail_msg("no meter %s", name);
    return (rg_meter_state){0};
}

static inline rg_energy *of(rg_energy *energies, const char *name)
{
    for (int i = 0; i < rg_meter_count; i++)
        if (strcmp(energies[i].source, name) == 0) return &energies[i];
    fail_msg("no figure of %s", name);
    return energies;
}

static inline rg_energy *ended(rg_ctx *cx, rg_meters *m)
{
    rg_energy *energies = RG_NEW(&cx->arena, rg_energy, rg_meter_count);
    assert_non_null(energies);
    rg_meters_end(m, energies);
    return energies;
}

static inline void expect_reason(const char *text, const char *part)
{
    if (!text || !strstr(text, part)) fail_msg("expected '%s' in '%s'", part, text ? text : "nothing");
}

static inline void expect_unusable(const rg_meters *m, const char *name, const char *part)
{
    assert_false(state_of(m, name).usable);
    expect_reason(state_of(m, name).text, part);
}

#endif
