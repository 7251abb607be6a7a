/* detect_gpu.c - graphics processors of this machine: the kernel driver's file, which costs nothing to read,
 * and NVML, which is opened at run time and only by the doctor,
 * because starting it takes tens of milliseconds.
 */
#include "hw/detect.h"
#include "hw/profile.h"

#include <dirent.h>
#include <dlfcn.h>
#include <string.h>

#define DRIVER_DIR "/proc/driver/nvidia/gpus"

bool rg_gpu_name(const char *root, char *buffer, size_t size)
{
    char path[RG_PATH_LIMIT];
    int used = snprintf(path, sizeof path, "%s" DRIVER_DIR, root);
    DIR *folder = used > 0 && (size_t)used < sizeof path ? opendir(path) : NULL;
    bool found = false;
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        used = snprintf(path, sizeof path, DRIVER_DIR "/%s/information", entry->d_name);
        found = used > 0 && (size_t)used < sizeof path && rg_sysfs_entry(buffer, size, root, path, "Model");
    }
    if (folder) closedir(folder);
    return found;
}

/* The part of NVML's interface that is used; handles are opaque pointers, 0 is success. */
typedef struct nvml {
    void *library;
    int (*init)(void);
    int (*done)(void);
    int (*count)(unsigned *count);
    int (*handle)(unsigned index, void **device);
    int (*name)(void *device, char *name, unsigned size);
} nvml;

static bool open_nvml(nvml *n)
{
    const struct { const char *symbol; void *slot; } symbols[] = {
        {"nvmlInit_v2", &n->init},
        {"nvmlShutdown", &n->done},
        {"nvmlDeviceGetCount_v2", &n->count},
        {"nvmlDeviceGetHandleByIndex_v2", &n->handle},
        {"nvmlDeviceGetName", &n->name},
    };
    n->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!n->library) return false;
    for (size_t i = 0; i < RG_COUNT(symbols); i++) {
        void *address = dlsym(n->library, symbols[i].symbol);
        if (!address) {
            dlclose(n->library);
            return false;
        }
        /* ISO C has no cast from object to function pointers */
        memcpy(symbols[i].slot, &address, sizeof address);
    }
    return true;
}

static rg_err describe(rg_ctx *cx, const nvml *n, rg_probe *out)
{
    unsigned count = 0;
    void *device = NULL;
    char name[96] = "";
    const char *id = NULL;
    if (n->count(&count) || !count) {
        out->text = "NVML starts but shows no device";
        return RG_OK;
    }
    if (n->handle(0, &device) || n->name(device, name, sizeof name))
        snprintf(name, sizeof name, "a device without a name");
    RG_TRY(rg_device_named(cx, name, &id));
    out->present = true;
    out->text = id ? rg_arena_printf(&cx->arena, "%u device%s: %s, profile %s", count,
                                     count > 1 ? "s" : "", name, id)
                   : rg_arena_printf(&cx->arena, "%u device%s: %s, which no profile answers to", count,
                                     count > 1 ? "s" : "", name);
    return out->text ? RG_OK : rg_nomem(cx);
}

rg_err rg_nvml_probe(rg_ctx *cx, rg_probe *out)
{
    nvml n = {0};
    out->text = "no libnvidia-ml.so.1: power and clocks of NVIDIA devices cannot be read";
    if (!open_nvml(&n)) return RG_OK;
    out->text = "libnvidia-ml.so.1 does not start: no driver answers";
    rg_err err = n.init() ? RG_OK : describe(cx, &n, out);
    n.done();
    dlclose(n.library);
    return err;
}
