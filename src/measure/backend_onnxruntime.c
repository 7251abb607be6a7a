/* backend_onnxruntime.c - ONNX Runtime on the processor, found at run time.
 *
 * The library is opened by name, so Ridge builds without it. Its C interface is one table of functions that
 * only ever grows at its end: a slot keeps its meaning through all versions, and is all that has to be
 * declared here (onnxruntime_c_api.h, struct OrtApi, counted from 0). All optimizations are on, inputs and
 * outputs are bound once, and operators run one after the other, each with as many threads as were asked for.
 */
#include "measure/backend.h"

#include <dlfcn.h>

/* Opaque to us. A status is NULL when all is well. */
typedef struct ort_status ort_status;
typedef struct ort_api { void (*slots[141])(void); } ort_api;
typedef struct ort_base { const ort_api *(*api)(uint32_t version); const char *(*version)(void); } ort_base;

#define API_VERSION 12  /* the oldest table that has all slots below; later libraries hand it out too */

/*    name, slot, parameters of those that return a status */
#define ORT_CALLS(X)                                                                                       \
    X(create_env,        3, (int level, const char *id, void **env))                                      \
    X(create_session,    7, (const void *env, const char *path, const void *options, void **session))     \
    X(create_options,   10, (void **options))                                                             \
    X(set_optimization, 23, (void *options, int level))                                                   \
    X(set_intra,        24, (void *options, int threads))                                                 \
    X(set_inter,        25, (void *options, int threads))                                                 \
    X(create_run_options, 39, (void **options))                                                           \
    X(create_tensor,    49, (const void *memory, void *data, size_t size, const int64_t *dim, size_t rank, \
                             int dtype, void **value))                                                    \
    X(tensor_data,      51, (void *value, void **data))                                                   \
    X(element_type,     60, (const void *shape, int *dtype))                                              \
    X(rank,             61, (const void *shape, size_t *rank))                                            \
    X(dims,             62, (const void *shape, int64_t *dim, size_t rank))                               \
    X(shape,            65, (const void *value, void **shape))                                            \
    X(create_memory,    69, (int allocator, int kind, void **memory))                                     \
    X(free_list,        76, (void *allocator, void *list))                                                \
    X(allocator,        78, (void **allocator))                                                           \
    X(run_bound,       133, (void *session, const void *options, const void *binding))                    \
    X(create_binding,  134, (void *session, void **binding))                                              \
    X(bind_input,      136, (void *binding, const char *name, const void *value))                         \
    X(bind_output,     138, (void *binding, const char *name, const void *memory))                        \
    X(bound_values,    140, (const void *binding, void *allocator, void ***values, size_t *count))

/*    what is released, slot */
#define ORT_RELEASES(X) \
    X(binding, 135) X(session, 95) X(options, 100) X(run_options, 97) X(memory, 94) X(env, 92)
enum { SLOT_ERROR_TEXT = 2, SLOT_RELEASE_STATUS = 93, SLOT_RELEASE_VALUE = 96,
       SLOT_RELEASE_SHAPE = 99 };

/* Values of its enumerations. Errors come back as a status: its own log would only repeat them. */
enum { LOG_FATAL = 4, OPTIMIZE_ALL = 99, ARENA_ALLOCATOR = 1, DEFAULT_MEMORY = 0 };

#define X(name, slot, parameters) typedef ort_status *ort_##name parameters;
ORT_CALLS(X)
#undef X
enum {
#define X(name, slot, parameters) SLOT_##name = slot,
    ORT_CALLS(X)
#undef X
};
#define ORT(o, name, ...) \
    RG_TRY(check((o), ((ort_##name *)(o)->api->slots[SLOT_##name])(__VA_ARGS__), #name))

typedef struct ort {
    rg_arena arena;
    rg_ctx *cx;                  /* while it is opened or runs */
    const rg_job *job;
    void *library;
    const ort_api *api;
    void *env, *options, *session, *run_options, *memory, *binding;
    void **values;               /* by input */
} ort;

static rg_err check(const ort *o, ort_status *status, const char *what)
{
    typedef const char *text_of(const ort_status *);
    typedef void release(ort_status *);
    if (!status) return RG_OK;
    rg_err err = rg_fail(o->cx, RG_UNSUPPORTED, "onnxruntime: %s: %s", what,
                         ((text_of *)o->api->slots[SLOT_ERROR_TEXT])(status));
    ((release *)o->api->slots[SLOT_RELEASE_STATUS])(status);
    return err;
}

static void close_ort(void *state)
{
    typedef void release(void *);
    ort *o = state;
    if (!o) return;
    const rg_region *model = &o->job->g->regions[RG_MAIN];
    for (uint32_t i = 0; o->values && i < model->input_count; i++)
        if (o->values[i]) ((release *)o->api->slots[SLOT_RELEASE_VALUE])(o->values[i]);
#define X(name, slot) if (o->name) ((release *)o->api->slots[slot])(o->name);
    ORT_RELEASES(X)
#undef X
    if (o->library) dlclose(o->library);
    rg_arena arena = o->arena;
    rg_arena_done(&arena);
}

/* Its threads may outlive a session by a moment: the code stays mapped. */
static rg_err find_library(ort *o, const char **version)
{
    static const char *const names[] = {"libonnxruntime.so.1", "libonnxruntime.so"};
    typedef const ort_base *base_of(void);
    const char *given = o->job->library;
    for (size_t i = 0; !o->library && i < (given ? 1 : RG_COUNT(names)); i++)
        o->library = dlopen(given ? given : names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!o->library)
        return rg_fail(o->cx, RG_UNSUPPORTED, "onnxruntime: %s; RIDGE_ONNXRUNTIME=/path/libonnxruntime.so.1 "
                       "says where it is", dlerror());
    base_of *base = NULL;
    *(void **)&base = dlsym(o->library, "OrtGetApiBase");
    if (!base) return rg_fail(o->cx, RG_UNSUPPORTED, "onnxruntime: the library has no OrtGetApiBase");
    *version = base()->version();
    o->api = base()->api(API_VERSION);
    if (o->api) return RG_OK;
    return rg_fail(o->cx, RG_UNSUPPORTED, "onnxruntime %s has no interface of version %d", *version,
                   API_VERSION);
}

static rg_err make_session(ort *o)
{
    ORT(o, create_env, LOG_FATAL, "ridge", &o->env);
    ORT(o, create_options, &o->options);
    ORT(o, set_optimization, o->options, OPTIMIZE_ALL);
    ORT(o, set_intra, o->options, o->job->threads);
    ORT(o, set_inter, o->options, 1);
    ORT(o, create_session, o->env, o->job->path, o->options, &o->session);
    ORT(o, create_run_options, &o->run_options);
    ORT(o, create_memory, ARENA_ALLOCATOR, DEFAULT_MEMORY, &o->memory);
    ORT(o, create_binding, o->session, &o->binding);
    return RG_OK;
}

/* Element types have the same numbers there. Outputs are made in its own arena, again by every run. */
static rg_err bind(ort *o)
{
    const rg_graph *g = o->job->g;
    const rg_region *model = &g->regions[RG_MAIN];
    o->values = RG_NEW(&o->arena, void *, model->input_count + 1);
    if (!o->values) return rg_nomem(o->cx);
    for (uint32_t i = 0; i < model->input_count; i++) {
        const rg_datum *in = o->job->in[i];
        if (!in) continue;
        const rg_array *a = &in->array;
        const char *name = rg_arena_cstr(&o->arena, g->values[model->inputs[i]].name);
        if (!name) return rg_nomem(o->cx);
        if (in->kind != RG_KIND_TENSOR || a->dtype == RG_STR)
            return rg_fail(o->cx, RG_UNSUPPORTED, "onnxruntime: input '%s' is no tensor of numbers", name);
        size_t size = (size_t)rg_dtype_bytes(a->dtype, (double)a->count);
        ORT(o, create_tensor, o->memory, a->data, size, a->dim, (size_t)a->rank, a->dtype, &o->values[i]);
        ORT(o, bind_input, o->binding, name, o->values[i]);
    }
    for (uint32_t i = 0; i < model->output_count; i++) {
        const char *name = rg_arena_cstr(&o->arena, g->values[model->outputs[i]].name);
        if (!name) return rg_nomem(o->cx);
        ORT(o, bind_output, o->binding, name, o->memory);
    }
    return RG_OK;
}

static rg_err open_ort(rg_ctx *cx, const rg_job *job, void **state, const char **version)
{
    rg_arena arena;
    rg_arena_init(&arena, cx);
    ort *o = RG_NEW(&arena, ort, 1);
    if (!o) return rg_nomem(cx);
    *o = (ort){.arena = arena, .cx = cx, .job = job};
    rg_err err = find_library(o, version);
    if (!err) err = make_session(o);
    if (!err) err = bind(o);
    if (!err) *state = o;
    else close_ort(o);
    return err;
}

static rg_err run_ort(rg_ctx *cx, void *state)
{
    ort *o = state;
    o->cx = cx;
    ORT(o, run_bound, o->session, o->run_options, o->binding);
    return RG_OK;
}

/* Type and sizes, then the elements. */
static rg_err copy_shaped(ort *o, void *value, const void *shape, rg_datum **out)
{
    size_t rank;
    int dtype;
    int64_t dim[RG_RANK_MAX];
    void *data;
    ORT(o, element_type, shape, &dtype);
    ORT(o, rank, shape, &rank);
    if (rank > RG_RANK_MAX || !rg_dtype_bits((rg_dtype)dtype))
        return rg_fail(o->cx, RG_UNSUPPORTED, "onnxruntime: an output of type %d with %zu axes", dtype, rank);
    ORT(o, dims, shape, dim, rank);
    ORT(o, tensor_data, value, &data);
    RG_TRY(rg_datum_tensor(o->cx, (rg_dtype)dtype, (int)rank, dim, out));
    size_t size = (size_t)rg_dtype_bytes((rg_dtype)dtype, (double)(*out)->array.count);
    if (size) memcpy((*out)->array.data, data, size);
    return RG_OK;
}

static rg_err copy_value(ort *o, void *value, rg_datum **out)
{
    typedef void release(void *);
    void *shape;
    ORT(o, shape, value, &shape);
    rg_err err = copy_shaped(o, value, shape, out);
    ((release *)o->api->slots[SLOT_RELEASE_SHAPE])(shape);
    return err;
}

static rg_err output_ort(rg_ctx *cx, void *state, uint32_t i, rg_datum **out)
{
    typedef void release(void *);
    ort *o = state;
    void *allocator, **values = NULL;
    size_t count = 0;
    o->cx = cx;
    *out = NULL;
    ORT(o, allocator, &allocator);
    ORT(o, bound_values, o->binding, allocator, &values, &count);
    rg_err err = i < count ? copy_value(o, values[i], out)
                           : rg_fail(cx, RG_INTERNAL, "onnxruntime: output %u of %zu", i, count);
    for (size_t k = 0; k < count; k++) ((release *)o->api->slots[SLOT_RELEASE_VALUE])(values[k]);
    if (count) ORT(o, free_list, allocator, values);
    return err;
}

RG_BACKEND(onnxruntime) = {
    .name = "onnxruntime", .brief = "ONNX Runtime on the processor, all optimizations",
    .fuses = true, .runtime = "onnxruntime-cpu",
    .open = open_ort, .run = run_ort, .close = close_ort, .output = output_ort,
};
