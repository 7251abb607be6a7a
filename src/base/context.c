/* context.c - the context: allocator, limits and the text of the last error. The text names the thing first
 * and is prefixed by the callers that know where it was:
 * "bert.onnx: node '/layer3/attn' (Softmax): axis 9 is outside ...".
 */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

static const struct { const char *text; int exit_code; } errors[] = {
#define X(id, code, words) [RG_##id] = {words, code},
    RG_ERR_LIST(X)
#undef X
};

const char *rg_err_text(rg_err err)
{
    return (size_t)err < RG_COUNT(errors) ? errors[err].text : "unknown error";
}
int rg_err_exit_code(rg_err err) { return (size_t)err < RG_COUNT(errors) ? errors[err].exit_code : 1; }
const char *rg_version(void) { return RIDGE_VERSION; }

static void *system_alloc(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void system_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static rg_ctx *new_context(const rg_ctx_opt *o, rg_kept *shared)
{
    rg_ctx *cx = o->alloc(o->user, sizeof *cx);
    if (!cx) return NULL;
    *cx = (rg_ctx){0};
    cx->memory_limit_byte = o->memory_limit_byte ? o->memory_limit_byte : (size_t)4 << 30;
    cx->alloc = o->alloc;
    cx->free = o->free;
    cx->user = o->user;
    cx->data_dir = o->data_dir ? o->data_dir : getenv("RIDGE_DATA");
    cx->kept = shared ? rg_kept_ref(shared) : NULL;
    rg_arena_init(&cx->arena, cx);
    return cx;
}

rg_ctx *rg_ctx_new(const rg_ctx_opt *opt)
{
    rg_ctx_opt o = {0};
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    if (!o.alloc || !o.free) o.alloc = system_alloc, o.free = system_free, o.user = NULL;
    return new_context(&o, NULL);
}

rg_ctx *rg_ctx_worker(rg_ctx *parent)
{
    if (rg_kept_begin(parent)) return NULL;
    rg_ctx_opt o = {
        .memory_limit_byte = parent->memory_limit_byte, .alloc = parent->alloc, .free = parent->free,
        .user = parent->user, .data_dir = parent->data_dir,
    };
    return new_context(&o, parent->kept);
}

void rg_ctx_free(rg_ctx *cx)
{
    if (!cx) return;
    rg_arena_done(&cx->arena);
    rg_kept_unref(cx->kept);
    cx->free(cx->user, cx);
}

const char *rg_ctx_error(const rg_ctx *cx) { return cx->text; }

rg_err rg_fail(rg_ctx *cx, rg_err err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rg_str_vprint(cx->text, sizeof cx->text, format, args);
    va_end(args);
    cx->err = err;
    return err;
}

rg_err rg_note(rg_ctx *cx, rg_err err, const char *format, ...)
{
    char old[sizeof cx->text];
    va_list args;
    memcpy(old, cx->text, sizeof old);
    va_start(args, format);
    int size = rg_str_vprint(cx->text, sizeof cx->text, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof cx->text) size = (int)sizeof cx->text - 1;
    int left = (int)sizeof cx->text - size;
    snprintf(cx->text + size, (size_t)left, ": %.*s", left > 3 ? left - 3 : 0, old);
    return err;
}

rg_err rg_nomem(rg_ctx *cx)
{
    return rg_fail(cx, RG_NOMEM, "out of memory (the limit is %zu MB)", cx->memory_limit_byte / 1000000);
}
