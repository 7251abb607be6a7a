/* detect_cpu.c - what the processor says of itself: cpuid on x86, the auxiliary vector and MIDR on Arm.
 *
 * A feature counts only when the operating system saves its registers (XCR0):
 * an instruction that faults is no peak.
 */
#include "hw/detect.h"

#include <string.h>

static const char *const feature_names[] = {
#define X(id, name) name,
    RG_CPU_FEATURE_LIST(X)
#undef X
};

const char *rg_cpu_feature_text(const rg_cpu *cpu, unsigned mask, char *buffer, size_t size)
{
    size_t used = 0;
    buffer[0] = 0;
    for (unsigned i = 0; i < RG_CPU_FEATURE_COUNT && used < size; i++)
        if (cpu->features & mask & 1u << i)
            used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? " " : "", feature_names[i]);
    return buffer;
}

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

enum { EAX, EBX, ECX, EDX };
enum { /* bits of XCR0: state that the system saves */
    STATE_AVX = 0x6, STATE_AVX512 = 0xe6, STATE_AMX = 0x60000,
};

/* Intel SDM volume 2, CPUID: where each feature is announced, and the state that it needs. */
static const struct { unsigned feature, leaf, subleaf; int word; int bit; unsigned state; } announced[] = {
    {RG_CPU_FMA, 1, 0, ECX, 12, STATE_AVX},            {RG_CPU_AVX, 1, 0, ECX, 28, STATE_AVX},
    {RG_CPU_VIRTUAL, 1, 0, ECX, 31, 0},                {RG_CPU_AVX2, 7, 0, EBX, 5, STATE_AVX},
    {RG_CPU_AVX512F, 7, 0, EBX, 16, STATE_AVX512},     {RG_CPU_AVX512BW, 7, 0, EBX, 30, STATE_AVX512},
    {RG_CPU_AVX512_VNNI, 7, 0, ECX, 11, STATE_AVX512}, {RG_CPU_AVX512_FP16, 7, 0, EDX, 23, STATE_AVX512},
    {RG_CPU_AMX_BF16, 7, 0, EDX, 22, STATE_AMX},       {RG_CPU_AMX_TILE, 7, 0, EDX, 24, STATE_AMX},
    {RG_CPU_AMX_INT8, 7, 0, EDX, 25, STATE_AMX},       {RG_CPU_AVX_VNNI, 7, 1, EAX, 4, STATE_AVX},
    {RG_CPU_AVX512_BF16, 7, 1, EAX, 5, STATE_AVX512},  {RG_CPU_AMX_FP16, 7, 1, EAX, 21, STATE_AMX},
};

static unsigned saved_state(unsigned leaf_1_ecx)
{
    unsigned low, high;
    if (!(leaf_1_ecx & 1u << 27)) return 0; /* OSXSAVE: xgetbv may be asked */
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static void read_words(char *out, unsigned leaf, const int *words, size_t count)
{
    unsigned r[4] = {0};
    __cpuid(leaf, r[EAX], r[EBX], r[ECX], r[EDX]);
    for (size_t i = 0; i < count; i++) memcpy(out + 4 * i, &r[words[i]], 4);
}

static void read_names(rg_cpu *cpu)
{
    static const int vendor[] = {EBX, EDX, ECX}, hypervisor[] = {EBX, ECX, EDX};
    static const int brand[] = {EAX, EBX, ECX, EDX};
    unsigned a, b, c, d;
    read_words(cpu->vendor, 0, vendor, RG_COUNT(vendor));
    if (cpu->features & RG_CPU_BIT(VIRTUAL))
        read_words(cpu->hypervisor, 0x40000000, hypervisor, RG_COUNT(hypervisor));
    __cpuid(0x80000000, a, b, c, d);
    for (unsigned i = 0; a >= 0x80000004 && i < 3; i++)
        read_words(cpu->name + 16 * i, 0x80000002 + i, brand, RG_COUNT(brand));
    size_t size = strlen(cpu->name), lead = strspn(cpu->name, " ");
    while (size > lead && cpu->name[size - 1] == ' ') size--;
    memmove(cpu->name, cpu->name + lead, size - lead);
    cpu->name[size - lead] = 0;
}

void rg_cpu_read(rg_cpu *out, const char *root)
{
    unsigned r[4] = {0}, state;
    (void)root;
    *out = (rg_cpu){0};
    if (!__get_cpuid(1, &r[EAX], &r[EBX], &r[ECX], &r[EDX])) return;
    unsigned family = r[EAX] >> 8 & 15, model = r[EAX] >> 4 & 15;
    if (family == 6 || family == 15) model |= r[EAX] >> 12 & 0xf0;
    if (family == 15) family += r[EAX] >> 20 & 255;
    out->family = (int)family;
    out->model = (int)model;
    state = saved_state(r[ECX]);
    for (size_t i = 0; i < RG_COUNT(announced); i++) {
        unsigned w[4] = {0};
        if (!__get_cpuid_count(announced[i].leaf, announced[i].subleaf, &w[EAX], &w[EBX], &w[ECX], &w[EDX]))
            continue;
        bool saved = (state & announced[i].state) == announced[i].state;
        if (saved && w[announced[i].word] & 1u << announced[i].bit)
            out->features |= 1u << announced[i].feature;
    }
    out->simd_bit = out->features & RG_CPU_BIT(AVX512F) ? 512 : out->features & RG_CPU_BIT(AVX) ? 256 : 128;
    if (__get_cpuid(0x16, &r[EAX], &r[EBX], &r[ECX], &r[EDX])) { /* MHz, on Intel */
        out->base_hz = (r[EAX] & 0xffff) * 1e6;
        out->max_hz = (r[EBX] & 0xffff) * 1e6;
    }
    read_names(out);
}

#elif defined(__aarch64__)
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

/* Linux, Documentation/arch/arm64/elf_hwcaps.rst */
static const struct { unsigned feature; unsigned long word; int bit; } announced[] = {
    {RG_CPU_NEON, AT_HWCAP, 1},      {RG_CPU_NEON_FP16, AT_HWCAP, 10}, {RG_CPU_NEON_DOT, AT_HWCAP, 20},
    {RG_CPU_SVE, AT_HWCAP, 22},      {RG_CPU_NEON_BF16, AT_HWCAP2, 14}, {RG_CPU_FMA, AT_HWCAP, 1},
};
enum { SVE_GET_VL = 51, SVE_VL_MASK = 0xffff }; /* prctl; bytes of a vector */

void rg_cpu_read(rg_cpu *out, const char *root)
{
    char text[64];
    *out = (rg_cpu){0};
    for (size_t i = 0; i < RG_COUNT(announced); i++)
        if (getauxval(announced[i].word) >> announced[i].bit & 1) out->features |= 1u << announced[i].feature;
    int length = out->features & RG_CPU_BIT(SVE) ? prctl(SVE_GET_VL) : -1;
    out->simd_bit = length > 0 ? 8 * (length & SVE_VL_MASK) : 128;
    if (rg_sysfs_text(text, sizeof text, root, "/sys/devices/system/cpu/cpu0/regs/identification/midr_el1")) {
        unsigned long midr = strtoul(text, NULL, 16);
        snprintf(out->vendor, sizeof out->vendor, "0x%02lx", midr >> 24 & 255);
        out->model = (int)(midr >> 4 & 0xfff);
    }
    if (!rg_sysfs_text(out->name, sizeof out->name, root, "/proc/device-tree/model"))
        snprintf(out->name, sizeof out->name, "Arm %s part 0x%03x", out->vendor, (unsigned)out->model);
}

#else

void rg_cpu_read(rg_cpu *out, const char *root)
{
    *out = (rg_cpu){.simd_bit = 128};
    if (!rg_sysfs_entry(out->name, sizeof out->name, root, "/proc/cpuinfo", "cpu"))
        snprintf(out->name, sizeof out->name, "unknown processor");
}

#endif
