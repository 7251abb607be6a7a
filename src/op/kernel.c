/* kernel.c - what kernels ask of the run of their node: results whose size only they know, and failing. */
#include "op/kernel.h"

bool rg_wanted(const rg_run *r, uint32_t i) { return rg_has_out(&r->site, i); }

rg_err rg_need_result(const rg_run *r, uint32_t i, const rg_array **out)
{
    *out = rg_result(r, i);
    return *out ? RG_OK : rg_run_fail(r, RG_SHAPE, "the size of output %u cannot be told from its inputs", i);
}

void rg_pass_result(const rg_run *r, uint32_t i, const rg_datum *datum)
{
    rg_give_result(r, i, (rg_datum *)(uintptr_t)rg_datum_ref(datum)); /* constant all the same: it is done */
}

void rg_give_result(const rg_run *r, uint32_t i, rg_datum *datum)
{
    if (!rg_wanted(r, i)) {
        rg_datum_free(datum);
        return;
    }
    rg_datum_free(r->out[i]);
    r->out[i] = datum;
}

static bool has_shape(const rg_array *a, rg_dtype dtype, int rank, const int64_t *dim)
{
    bool same = a->dtype == dtype && a->rank == rank;
    for (int k = 0; same && k < rank; k++) same = a->dim[k] == dim[k];
    return same;
}

/* One made by inference stays when it is right; where the file stated another size, the data are right. */
rg_err rg_make_result(const rg_run *r, uint32_t i, rg_dtype dtype, int rank, const int64_t *dim,
                      rg_array **out)
{
    rg_datum *datum;
    *out = NULL;
    if (!rg_wanted(r, i)) return RG_OK;
    if (!r->out[i] || !has_shape(&r->out[i]->array, dtype, rank, dim)) {
        RG_TRY(rg_datum_tensor(r->site.cx, dtype, rank, dim, &datum));
        rg_give_result(r, i, datum);
    }
    *out = &r->out[i]->array;
    return RG_OK;
}

rg_err rg_run_fail(const rg_run *r, rg_err err, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    rg_str_vprint(text, sizeof text, format, args);
    va_end(args);
    return rg_site_fail(&r->site, err, "%s", text);
}

rg_err rg_need_numbers(const rg_run *r)
{
    for (uint32_t i = 0; i < r->site.node->in_count; i++) {
        const rg_array *a = rg_arg(r, i);
        if (!a || r->in[i]->kind != RG_KIND_TENSOR) continue;
        if (a->dtype == RG_STR || rg_dtype_class(a->dtype) == 'c')
            return rg_run_fail(r, RG_UNSUPPORTED, "input %u is %s, not of real numbers", i,
                               rg_dtype_name(a->dtype));
    }
    return RG_OK;
}
