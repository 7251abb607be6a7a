/* npy.h - NumPy's files of arrays: .npy with one, .npz with several under names. */
#ifndef RG_NPY_H
#define RG_NPY_H

#include "op/kernel.h"

/* Versions 1 to 3, either byte order, C and Fortran order; the result is row-major. Numbers keep their type;
 * NumPy's byte and Unicode strings become strings. RG_UNSUPPORTED: Python objects, records, dates, long
 * double. */
rg_err rg_npy_parse(rg_ctx *cx, rg_str bytes, rg_datum **out) RG_CHECKED;
rg_err rg_npy_read(rg_ctx *cx, const char *path, rg_datum **out) RG_CHECKED;

/* Version 1, C order, little-endian. Types that NumPy lacks are widened: bf16 and smaller floats to f32,
 * integers of less than a byte to one; rg_npy_type is what the file will hold. */
rg_err rg_npy_write(rg_ctx *cx, const char *path, const rg_array *a) RG_CHECKED;
rg_dtype rg_npy_type(rg_dtype dtype);

/* The names of an archive's arrays, without ".npy", in its order; they live as long as cx. */
rg_err rg_npz_names(rg_ctx *cx, const char *path, const char *const **names, size_t *count) RG_CHECKED;
rg_err rg_npz_read(rg_ctx *cx, const char *path, const char *name, rg_datum **out) RG_CHECKED;

#endif
