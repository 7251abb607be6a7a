/* detect_memory.c - size and peak bandwidth of main memory.
 *
 * The size is the kernel's. The bandwidth is in the firmware's table
 * of memory modules (SMBIOS type 17), which only root may read:
 *
 *     | type 1 | length 1 | handle 2 | ... fields ... | strings, each ended by NUL | NUL |
 *
 *     bandwidth = sum over modules of transfers/s x data width / 8
 *
 * The table does not say which modules share a channel;
 * one module a channel is assumed, and the text says so.
 */
#include "hw/detect.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { TABLE_MAX = 65536, MEMORY_DEVICE = 17, END_OF_TABLE = 127 };
enum { UNKNOWN = 0xffff };
enum { AT_DATA_WIDTH = 0x0a, AT_SIZE = 0x0c, AT_TYPE = 0x12, AT_SPEED = 0x15, AT_CONFIGURED = 0x20 };

static const struct { unsigned code; const char *name; } kinds[] = {
    {0x18, "DDR3"}, {0x1a, "DDR4"}, {0x1d, "LPDDR3"}, {0x1e, "LPDDR4"}, {0x22, "DDR5"}, {0x23, "LPDDR5"},
};

static const char *kind_name(unsigned code)
{
    for (size_t i = 0; i < RG_COUNT(kinds); i++)
        if (kinds[i].code == code) return kinds[i].name;
    return "memory";
}

static unsigned word_at(const unsigned char *entry, size_t at)
{
    return entry[1] >= at + 2 ? entry[at] | (unsigned)entry[at + 1] << 8 : 0;
}

/* Bytes to the next entry: the formatted part, then strings up to two NULs; 0 at the end or when cut off. */
static size_t entry_size(const unsigned char *entry, size_t left)
{
    if (left < 4 || entry[1] < 4 || entry[1] > left || entry[0] == END_OF_TABLE) return 0;
    for (size_t i = entry[1]; i + 1 < left; i++)
        if (!entry[i] && !entry[i + 1]) return i + 2;
    return 0;
}

static void add_modules(rg_dram *dram, const unsigned char *table, size_t size)
{
    double modules = 0, transfers = 0;
    unsigned kind = 0;
    for (size_t at = 0, step; (step = entry_size(table + at, size - at)); at += step) {
        const unsigned char *e = table + at;
        unsigned width = word_at(e, AT_DATA_WIDTH), speed = word_at(e, AT_CONFIGURED);
        if (e[0] != MEMORY_DEVICE || !word_at(e, AT_SIZE)) continue; /* an empty slot has size 0 */
        if (!speed || speed == UNKNOWN) speed = word_at(e, AT_SPEED);
        if (!speed || speed == UNKNOWN || !width || width == UNKNOWN) continue;
        dram->byte_per_s += speed * 1e6 * width / 8;
        modules++;
        transfers = speed;
        if (e[1] > AT_TYPE) kind = e[AT_TYPE];
    }
    if (modules > 0)
        rg_str_print(dram->text, sizeof dram->text, "%.0f modules %s-%.0f, one a channel assumed", modules,
                 kind_name(kind), transfers);
}

static void read_modules(rg_dram *dram, const char *root)
{
    unsigned char table[TABLE_MAX];
    char path[RG_PATH_LIMIT];
    size_t have = 0;
    int used = snprintf(path, sizeof path, "%s/sys/firmware/dmi/tables/DMI", root);
    int fd = used > 0 && (size_t)used < sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    for (ssize_t got = 1; have < sizeof table && got > 0;) {
        got = read(fd, table + have, sizeof table - have);
        if (got > 0) have += (size_t)got;
    }
    close(fd);
    add_modules(dram, table, have);
}

rg_dram rg_dram_read(const char *root)
{
    rg_dram dram = {0};
    char text[64];
    double kib = 0;
    if (rg_sysfs_entry(text, sizeof text, root, "/proc/meminfo", "MemTotal")) {
        text[strcspn(text, " ")] = 0;
        if (rg_str_real(rg_str_of(text), &kib)) dram.total_byte = kib * 1024;
    }
    read_modules(&dram, root);
    return dram;
}
