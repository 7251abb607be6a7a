/* teach_rows.c - which rows a member is taught with, and which are held out of it.
 *
 * Groups are held out whole: shapes of kernels, families of networks. Of kernels a fifth of the groups is a
 * fold, by a hash of their names. Families are few and differ in size: the largest first, each goes into the
 * fold that has least so far; up to GROUPS_FEW of them, each is a fold of its own.
 */
#include "learn/teaching.h"

#include <stdlib.h>
#include <string.h>

enum {
    FOLDS = 5,
    GROUPS_FEW = 40,   /* up to which each group of whole inferences is a fold */
    FOLDED_MAX = 3000, /* rows of a device: up to these each fold is held out in turn, else the first */
};

/* The same on every machine and in every order. */
static uint64_t shuffled(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static double unit_of(size_t row) { return (double)(shuffled(row + 1) >> 11) * 0x1p-53; } /* [0, 1) */

/* ---- groups that are held out together ---- */

typedef struct group { uint64_t name; size_t rows; int fold; } group;

static int by_name(const void *a, const void *b)
{
    uint64_t x = ((const group *)a)->name, y = ((const group *)b)->name;
    return (x > y) - (x < y);
}

static int by_rows(const void *a, const void *b)
{
    const group *x = a, *y = b;
    return x->rows != y->rows ? (x->rows < y->rows) - (x->rows > y->rows) : by_name(a, b);
}

/* Largest first, each into the fold that has least so far. */
static void spread_groups(rg_teaching *t, group *groups, size_t count)
{
    size_t filled[GROUPS_FEW] = {0};
    t->folds = count <= GROUPS_FEW ? (int)count : FOLDS;
    qsort(groups, count, sizeof *groups, by_rows);
    for (size_t i = 0; i < count; i++) {
        int least = 0;
        for (int k = 1; k < t->folds; k++)
            if (filled[k] < filled[least]) least = k;
        groups[i].fold = least;
        filled[least] += groups[i].rows;
    }
    qsort(groups, count, sizeof *groups, by_name);
}

bool rg_teach_is_tested(const rg_teaching *t, uint32_t device, int fold)
{
    return !fold || t->lesson->of == RG_OF_WHOLE || t->rows[device] <= FOLDED_MAX;
}

rg_err rg_teach_make_folds(rg_teaching *t)
{
    const rg_lesson *l = t->lesson;
    size_t count = 0;
    group *groups = RG_NEW(&t->cx->arena, group, l->count + 1);
    t->fold = RG_NEW(&t->cx->arena, uint16_t, l->count + 1);
    if (!groups || !t->fold) return rg_nomem(t->cx);
    t->folds = FOLDS;
    for (size_t i = 0; i < l->count; i++) {
        t->fold[i] = (uint16_t)(shuffled(l->group[i]) % FOLDS);
        groups[i] = (group){l->group[i], 1, 0};
    }
    if (l->of == RG_OF_ROW) return RG_OK;
    qsort(groups, l->count, sizeof *groups, by_name);
    for (size_t i = 0; i < l->count; i++) {
        if (count && groups[count - 1].name == groups[i].name) groups[count - 1].rows++;
        else groups[count++] = groups[i];
    }
    spread_groups(t, groups, count);
    for (size_t i = 0; i < l->count; i++) {
        const group *found = bsearch(&(group){l->group[i], 0, 0}, groups, count, sizeof *groups, by_name);
        t->fold[i] = (uint16_t)(found ? found->fold : 0);
    }
    return RG_OK;
}

/* ---- rows ---- */

double rg_teach_claim(size_t rows)
{
    return rows < RG_TEACH_ROWS_MIN ? (double)rows / RG_TEACH_ROWS_MIN : 1;
}

/* A wish while rows are counted and taken. */
typedef struct choice {
    rg_teach_wish wish;
    size_t left[RG_TEACH_DEVICES_MAX],
        wanted[RG_TEACH_DEVICES_MAX]; /* by device: rows that are still to come, to be taken */
    size_t devices, count;       /* that have such rows; to be taken of all together */
} choice;

static bool is_eligible(const rg_teaching *t, const choice *c, size_t row)
{
    uint32_t d = t->lesson->device[row];
    const rg_teach_wish *w = &c->wish;
    if ((w->device != RG_EVERY && d != w->device) || d == w->without) return false;
    return w->part == RG_PART_ALL || (t->fold[row] == w->fold) == (w->part == RG_PART_HELD);
}

static void count_rows(const rg_teaching *t, size_t most, choice *c)
{
    const rg_lesson *l = t->lesson;
    for (size_t i = 0; i < l->count; i++)
        if (is_eligible(t, c, i)) c->devices += !c->left[l->device[i]]++;
    for (size_t d = 0; d < RG_TEACH_DEVICES_MAX; d++)
        c->count += c->wanted[d] = c->left[d] < most ? c->left[d] : most;
}

/* Knuth, TAOCP 2, 3.4.2, algorithm S. */
rg_err rg_teach_take(rg_teaching *t, rg_teach_wish wanted, size_t most, rg_teach_set *out)
{
    const rg_lesson *l = t->lesson;
    choice c = {.wish = wanted};
    count_rows(t, most, &c);
    size_t columns = l->features;
    double claims = 0;
    for (size_t d = 0; d < RG_TEACH_DEVICES_MAX; d++) claims += rg_teach_claim(c.left[d]);
    double each = c.devices ? (double)c.count / claims : 0;
    const choice all = c;
    *out = (rg_teach_set){
        .x = RG_NEW(&t->cx->arena, float, (c.count + 1) * columns),
        .y = RG_NEW(&t->cx->arena, float, c.count + 1),
        .host = RG_NEW(&t->cx->arena, float, c.count + 1),
        .weight = RG_NEW(&t->cx->arena, float, c.count + 1),
        .group = RG_NEW(&t->cx->arena, uint64_t, c.count + 1),
        .part = RG_NEW(&t->cx->arena, rg_lesson_part, c.count + 1),
    };
    if (!out->x || !out->y || !out->host || !out->weight || !out->group || !out->part) return rg_nomem(t->cx);
    for (size_t i = 0; i < l->count; i++) {
        if (!is_eligible(t, &c, i)) continue;
        uint32_t d = l->device[i];
        bool taken = unit_of(i) * (double)c.left[d]-- < (double)c.wanted[d];
        if (!taken) continue;
        c.wanted[d]--;
        memcpy(out->x + out->count * columns, l->x + i * columns, columns * sizeof *l->x);
        out->host[out->count] = (float)rg_host_shift(t->hosts[d], l->x + i * columns);
        out->y[out->count] = l->r[i] - out->host[out->count];
        out->group[out->count] = l->group[i];
        out->part[out->count] = l->part ? l->part[i] : (rg_lesson_part){1, 0, 0};
        out->weight[out->count++] = (float)(each * rg_teach_claim(all.left[d]) / (double)all.wanted[d]);
    }
    return RG_OK;
}
