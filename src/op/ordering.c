/* ordering.c - comparing elements, and a stable merge sort; see ordering.h. The C library's sort keeps no
 * order among equals and hands nothing to its comparison, and ties decide what TopK and Unique answer.
 */
#include "op/ordering.h"

#include <math.h>

int rg_order(const rg_array *a, int64_t i, const rg_array *b, int64_t k)
{
    if (a->dtype == RG_STR) {
        int order = rg_str_cmp(rg_get_str(a, i), rg_get_str(b, k));
        return (order > 0) - (order < 0);
    }
    if (rg_is_whole(a->dtype)) {
        int64_t x = rg_get_int(a, i), y = rg_get_int(b, k);
        return rg_whole_less(a->dtype, y, x) - rg_whole_less(a->dtype, x, y);
    }
    double x = rg_get(a, i), y = rg_get(b, k);
    if (isnan(x) || isnan(y)) return (isnan(x) != 0) - (isnan(y) != 0);
    return (x > y) - (x < y);
}

/* from[low..mid) and from[mid..high), each sorted, into to[low..high). */
static void merge(const int64_t *from, int64_t *to, int64_t low, int64_t mid, int64_t high,
                  rg_before *before, const void *user)
{
    int64_t left = low, right = mid;
    for (int64_t i = low; i < high; i++) {
        bool take_right = left == mid || (right < high && before(user, from[right], from[left]));
        to[i] = take_right ? from[right++] : from[left++];
    }
}

rg_err rg_sort(const rg_run *r, int64_t *list, int64_t count, rg_before *before, const void *user)
{
    int64_t *from = list, *to = RG_NEW(r->scratch, int64_t, count);
    if (!to) return rg_nomem(r->site.cx);
    for (int64_t run = 1; run < count; run *= 2) { /* run: elements already in order */
        for (int64_t low = 0; low < count; low += 2 * run) {
            int64_t mid = low + run < count ? low + run : count;
            merge(from, to, low, mid, mid + run < count ? mid + run : count, before, user);
        }
        int64_t *sorted = to;
        to = from;
        from = sorted;
    }
    if (count && from != list) memcpy(list, from, (size_t)count * sizeof(*list));
    return RG_OK;
}
