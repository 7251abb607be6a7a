/* pages.c - large pages for what is large. The table of pages in the caches of a core has room for 8 MB today
 * (Zen 3: 2048 pages of 4 KB); weights that pass through do not fit, and each page then costs a walk of the
 * table, two under a hypervisor. One page of 2 MB takes the place of 512.
 */
#include "base/base.h"

#include <sys/mman.h>

enum { LARGE_BYTE = 2 << 20 }; /* of x86-64, and of AArch64 with pages of 4 KB */

void rg_large_pages(void *memory, size_t size)
{
#ifdef MADV_HUGEPAGE
    size_t skipped = (LARGE_BYTE - (uintptr_t)memory % LARGE_BYTE) % LARGE_BYTE;
    if (size < skipped + LARGE_BYTE) return;
    size_t whole = (size - skipped) / LARGE_BYTE * LARGE_BYTE;
    madvise((char *)memory + skipped, whole, MADV_HUGEPAGE); /* advice: without it all is as right */
#else
    (void)memory, (void)size;
#endif
}
