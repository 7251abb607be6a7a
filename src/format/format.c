/* format.c - which reader a model belongs to: by its name, else by its first bytes. */
#include "format/format.h"

#include "format/gguf_model.h"
#include "format/hf_config.h"
#include "format/onnx.h"
#include "op/op.h"

#include <string.h>
#include <unistd.h>

/* ---- shares ---- */

bool rg_share_is_whole(const rg_share *share)
{
    const rg_parallel *p = share ? &share->parallel : NULL;
    return !p || (p->tensor == 1 && p->pipeline == 1 && p->sequence == 1 && p->expert == 1);
}

rg_err rg_share_need_whole(rg_ctx *cx, const char *model, const rg_share *share)
{
    char text[96];
    if (rg_share_is_whole(share)) return RG_OK;
    return rg_fail(cx, RG_UNSUPPORTED, "%s cannot be divided among devices (%s): language models with caches "
                   "can, from a decoder's config.json or the zoo (zoo:llama3-8b); any model can be copied, "
                   "dp=N", model, rg_parallel_print(text, sizeof text, &share->parallel));
}

/* ---- files of whole models ---- */

static rg_err read_onnx(rg_ctx *cx, const char *path, const rg_share *share, rg_graph **out)
{
    RG_TRY(rg_share_need_whole(cx, path, share));
    return rg_onnx_load(cx, path, out);
}

static rg_err read_text(rg_ctx *cx, const char *path, const rg_share *share, rg_graph **out)
{
    rg_file *file;
    RG_TRY(rg_share_need_whole(cx, path, share));
    RG_TRY(rg_file_map(cx, path, &file));
    rg_err err = rg_graph_of_text(cx, rg_file_bytes(file), path, out);
    rg_file_unref(file);
    if (err) return err;
    err = rg_graph_resolve(cx, *out);
    if (err) rg_graph_free(*out);
    return err;
}

/* ---- the formats ---- */

/* A row without a reader is a format that is recognized in order to be refused by its name. */
typedef struct format {
    const char *suffix;     /* NULL: only its bytes tell */
    const char *magic;      /* NULL: only its name tells */
    size_t magic_at, magic_size;
    const char *words;
    rg_err (*read)(rg_ctx *cx, const char *path, const rg_share *share, rg_graph **out);
} format;

static const format formats[] = {
    {".onnx",        NULL,          0, 0,  "an ONNX model", read_onnx},
    {".rg",          NULL,          0, 0,  "a graph as text", read_text},
    {".pt",          "PK\3\4",      0, 4,  "a PyTorch or other zip archive", NULL},
    {".pth",         "\x80\2",      0, 2,  "a Python pickle", NULL},
    {".tflite",      "TFL3",        4, 4,  "a TensorFlow Lite model", NULL},
    {".gguf",        "GGUF",        0, 4,  "a GGUF model", rg_gguf_load},
    {".safetensors", "{\"",         8, 2,  "safetensors weights without the config.json", NULL},
    {".h5",          "\x89HDF",     0, 4,  "a Keras or other HDF5 file", NULL},
    {".json",        "{",           0, 1,  "a Hugging Face configuration", rg_hf_load},
    {".pb",          NULL,          0, 0,  "a TensorFlow graph", NULL},
    {NULL,           "ridge.graph", 0, 11, "a graph as text", read_text},
    {NULL,           "\x08",        0, 1,  "an ONNX model", read_onnx}, /* first field: ir_version */
};

static const format *by_name(const char *path)
{
    const char *dot = strrchr(rg_path_base(path), '.');
    for (size_t i = 0; dot && i < RG_COUNT(formats); i++)
        if (formats[i].suffix && strcmp(dot, formats[i].suffix) == 0) return &formats[i];
    return NULL;
}

static rg_err by_content(rg_ctx *cx, const char *path, const format **out)
{
    rg_file *file;
    RG_TRY(rg_file_map(cx, path, &file));
    rg_str bytes = rg_file_bytes(file);
    *out = NULL;
    for (const format *f = formats; !*out && f < formats + RG_COUNT(formats); f++)
        if (f->magic && bytes.size >= f->magic_at + f->magic_size
            && memcmp(bytes.data + f->magic_at, f->magic, f->magic_size) == 0) *out = f;
    rg_file_unref(file);
    return RG_OK;
}

static rg_err read_file(rg_ctx *cx, const char *path, const rg_share *share, rg_graph **out)
{
    const format *found = by_name(path);
    if (!found || !found->read)
        RG_TRY(by_content(cx, path, &found)); /* a name may lie; it must exist in any case */
    if (found && found->read) return found->read(cx, path, share, out);
    return rg_fail(cx, RG_UNSUPPORTED,
                   "%s: %s; what can be read: .onnx, .rg, .gguf, config.json, a folder with one or a "
                   "model.onnx, zoo:NAME, random:SEED", path,
                   found ? found->words : "no known format");
}

rg_err rg_format_read(rg_ctx *cx, const char *model, const rg_share *share, rg_graph **out)
{
    static const char zoo[] = "zoo:", random[] = "random:";
    if (strncmp(model, zoo, sizeof zoo - 1) == 0) return rg_zoo_build(cx, model + sizeof zoo - 1, share, out);
    if (strncmp(model, random, sizeof random - 1) == 0)
        return rg_random_build(cx, model + sizeof random - 1, share, out);
    if (!rg_path_is_dir(model)) return read_file(cx, model, share, out);
    const char *path = rg_arena_printf(&cx->arena, "%s/model.onnx", model);
    const char *config = rg_arena_printf(&cx->arena, "%s/config.json", model);
    if (!path || !config) return rg_nomem(cx);
    bool only_config = access(path, F_OK) != 0 && access(config, F_OK) == 0;
    return only_config ? rg_hf_load(cx, config, share, out) : read_onnx(cx, path, share, out);
}
