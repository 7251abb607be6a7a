/* tree_file.h - files of trees for tests: members that answer with a constant, or whatever nodes say, written
 * below a folder that lies over data/.
 */
#ifndef TREE_FILE_H
#define TREE_FILE_H

#include "predict/residual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* An overlay: DIR/learned/. */
static inline void overlay_make(char *dir, size_t size)
{
    char folder[160];
    snprintf(dir, size, "/tmp/ridge-learned-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(folder, sizeof folder, "%s/learned", dir);
    assert_int_equal(mkdir(folder, 0700), 0);
}

static inline void overlay_put(const char *dir, const char *key, rg_str bytes)
{
    char path[256];
    snprintf(path, sizeof path, "%s/learned/%s.trees", dir, key);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    assert_int_equal(fclose(file), 0);
}

static inline void overlay_drop(const char *dir, const char *key)
{
    char path[256];
    snprintf(path, sizeof path, "%s/learned/%s.trees", dir, key);
    unlink(path);
}

static inline void overlay_done(const char *dir)
{
    char folder[160];
    snprintf(folder, sizeof folder, "%s/learned", dir);
    rmdir(folder);
    rmdir(dir);
}

/* What a device that was measured says, whatever the row: log(measured / base). device NULL: all of them. */
typedef struct constant {
    const char *device, *architecture;
    const double *traits;        /* NULL: has none */
    double r, host;
} constant;

typedef struct tree_file {
    const char *key;
    double reach, pooled, trust, shared, known, sister, unknown;
    const char *feature;         /* with everything measured; NULL: "clock", which rows and wholes have */
    double low, high;            /* ... from, to; both 0: everything */
    bool hosts_apart;
} tree_file;

static inline rg_str tree_file_text(rg_ctx *cx, const tree_file *f, const constant *members, size_t count)
{
    enum { MOST = 8 };
    rg_tree_node leaves[MOST];
    rg_trees_member made[MOST];
    const char *feature = f->feature ? f->feature : "clock";
    bool all = f->low == 0 && f->high == 0;
    double low = all ? -1e6 : f->low, high = all ? 1e6 : f->high;
    rg_str bytes;
    assert_true(count <= MOST);
    for (size_t i = 0; i < count; i++) {
        const constant *m = &members[i];
        leaves[i] = (rg_tree_node){0, RG_TREES_LEAF, 0};
        made[i] = (rg_trees_member){
            .device = m->device ? m->device : RG_TREES_ALL,
            .architecture = m->architecture,
            .traits = (double *)(uintptr_t)m->traits,
            .trait_count = m->traits ? RG_TRAITS : 0,
            .rows = 1000,
            .start = m->r, /* leaves are rounded */
            .host = m->host,
            .node_count = 1,
            .nodes = &leaves[i],
        };
    }
    rg_trees trees = {
        .key = f->key, .made_of = "made-up.csv", .data_hash = "0123456789abcdef", .features = &feature,
        .feature_count = 1, .low = &low, .low_count = 1, .high = &high, .high_count = 1, .members = made,
        .member_count = count, .pooled_weight = f->pooled, .reach = f->reach > 0 ? f->reach : 1,
        .trust = f->trust, .pooled_share = f->shared, .known_spread = f->known, .sister_spread = f->sister,
        .unknown_spread = f->unknown, .devices = (int)count, .hosts_apart = f->hosts_apart,
    };
    if (rg_trees_write(cx, &trees, &bytes)) fail_msg("%s", rg_ctx_error(cx));
    return bytes;
}

static inline void overlay_constants(const char *dir, const tree_file *f, const constant *members,
                                     size_t count)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    assert_non_null(cx);
    overlay_put(dir, f->key, tree_file_text(cx, f, members, count));
    rg_ctx_free(cx);
}

#endif
