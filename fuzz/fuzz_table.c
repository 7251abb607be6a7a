/* fuzz_table.c - tables of measurements from any bytes: as probes of a clock they are refused, or numbers
 * above 0; as a file of `ridge evaluate` each row has a forecast above 0, or says why it has none. The first
 * byte chooses: even are probes.
 */
#include "learn/evaluate.h"
#include "scenario/clocking.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_MAX_BYTE = 256 << 20 };

static void check_probes(rg_ctx *cx, rg_str text)
{
    rg_clock_probe *probes;
    size_t count;
    rg_err err = rg_clock_probes_parse(cx, "fuzz", text, &probes, &count);
    if (err == RG_INTERNAL) abort();
    for (size_t i = 0; !err && i < count; i++) {
        const rg_clock_point *p = &probes[i].point;
        if (!(p->clock_hz > 0) || p->time_s <= 0 || p->power_w < 0) abort();
    }
}

static void check_rows(const rg_evaluation *e)
{
    for (size_t i = 0; i < e->count; i++)
        for (int q = 0; q < RG_JUDGE_QUANTITIES && !e->verdicts[i].error; q++) {
            double f = e->verdicts[i].forecast[q];
            if (!isnan(f) && !(f > 0 && isfinite(f))) abort();
        }
}

static void check_table(rg_ctx *cx, rg_str text)
{
    char path[64];
    rg_evaluation *all = NULL;
    size_t count = 0;
    const rg_evaluate_opt opt = {.size = sizeof opt, .learning = RG_LEARN_NONE, .workers = 1};
    snprintf(path, sizeof path, "/tmp/ridge-fuzz-table-%ld.csv", (long)getpid());
    FILE *file = fopen(path, "wb");
    if (!file) return;
    bool whole = fwrite(text.data, 1, text.size, file) == text.size;
    if (fclose(file) || !whole) return;
    rg_err err = rg_evaluate_file(cx, path, &opt, &all, &count);
    if (err == RG_INTERNAL) abort();
    for (size_t i = 0; !err && i < count; i++) check_rows(&all[i]);
    if (!err) rg_evaluation_free(all, count);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .memory_limit_byte = MEMORY_MAX_BYTE});
    if (cx && size) {
        rg_str text = {(const char *)data + 1, size - 1};
        if (*data % 2) check_table(cx, text);
        else check_probes(cx, text);
    }
    rg_ctx_free(cx);
    return 0;
}
