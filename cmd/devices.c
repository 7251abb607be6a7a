/* devices.c - `ridge devices`: the machines that are known, or some of them in full. */
#include "cmd.h"

#include <stdlib.h>

typedef struct devices_opt {
    cmd_common common;
    const char *check;
} devices_opt;

#define FIELD(name) offsetof(devices_opt, name)
static const rg_opt opts[] = {
    {"check", "FILE", RG_OPT_TEXT, FIELD(check), NULL, NULL,
     "read a profile of your own, check it, and show it"},
};

typedef struct devices { const rg_device **items; size_t count; } devices;

static rg_err add(rg_ctx *cx, devices *list, const rg_device *device)
{
    const rg_device **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items) {
        rg_device_free(device);
        return rg_fail(cx, RG_NOMEM, "no memory for %zu devices", list->count + 1);
    }
    list->items = items;
    list->items[list->count++] = device;
    return RG_OK;
}

static rg_err add_named(rg_ctx *cx, devices *list, const char *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const rg_device *device;
        CMD_TRY(rg_device_find(cx, ids[i], &device));
        CMD_TRY(add(cx, list, device));
    }
    return RG_OK;
}

/* A device's name stands for that one, any other word for all that it says something about. */
static rg_err add_word(rg_ctx *cx, devices *list, const char *word)
{
    const rg_device *device;
    const char *const *ids;
    size_t count;
    rg_err err = rg_device_find(cx, word, &device);
    if (!err) return add(cx, list, device);
    if (err != RG_INPUT) return err;
    CMD_TRY(rg_device_search(cx, word, &ids, &count));
    if (!count) return add_named(cx, list, &word, 1); /* fails again, and says which names are near */
    return add_named(cx, list, ids, count);
}

static rg_err collect(rg_ctx *cx, const char *check, const char *const *words, size_t count, devices *list)
{
    const char *const *ids;
    if (check) return add_named(cx, list, &check, 1);
    for (size_t i = 0; i < count; i++) CMD_TRY(add_word(cx, list, words[i]));
    if (count) return RG_OK;
    CMD_TRY(rg_device_ids(cx, &ids, &count));
    return add_named(cx, list, ids, count);
}

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const devices_opt *o = opt;
    devices list = {0};
    if (o->check && argc) return rg_fail(cx, RG_USAGE, "expected --check or WORD, got '%s' too", argv[0]);
    rg_err err = collect(cx, o->check, argv, (size_t)argc, &list);
    if (!err) err = rg_device_doc(cx, list.items, list.count, out);
    for (size_t i = 0; i < list.count; i++) rg_device_free(list.items[i]);
    free(list.items);
    return err;
}

RG_CMD(devices) = {
    .name = "devices", .args = "[WORD...]", .brief = "list the devices, or show one in full",
    .detail = "WORD is a device's id or alias, a profile file, or host: this machine, detected now. Every\n"
              "figure of a profile is shown with its source. ID@MODE is a device in a power mode. Any other\n"
              "WORD lists the devices that have it in their id, name, vendor, kind or architecture; without\n"
              "one all are listed: the fastest peak of each type, main memory, the power cap.\n"
              "\n"
              "A profile is a JSON file (doc/hw.md describes it); --check says what is wrong with one.",
    .examples = "ridge devices\n"
                "ridge devices nvidia\n"
                "ridge devices h100-sxm\n"
                "ridge devices jetson-orin-nx-16gb@15W\n"
                "ridge devices host --format json\n"
                "ridge devices --check my-board.json",
    .opt_size = sizeof(devices_opt), .opts = opts, .opt_count = CMD_COUNT(opts), .arg_max = -1, .run = run,
};
