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

static rg_err find_all(rg_ctx *cx, const char *const *ids, size_t count, const rg_device **devices)
{
    for (size_t i = 0; i < count; i++) CMD_TRY(rg_device_find(cx, ids[i], &devices[i]));
    return RG_OK;
}

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const devices_opt *o = opt;
    const char *const *ids = argv;
    size_t count = (size_t)argc;
    if (o->check && argc) return rg_fail(cx, RG_USAGE, "expected --check or ID, got '%s' too", argv[0]);
    if (o->check) ids = &o->check, count = 1;
    else if (!argc) CMD_TRY(rg_device_ids(cx, &ids, &count));
    const rg_device **devices = calloc(count + 1, sizeof *devices);
    if (!devices) return rg_fail(cx, RG_NOMEM, "no memory for %zu devices", count);
    rg_err err = find_all(cx, ids, count, devices);
    if (!err) err = rg_device_doc(cx, devices, count, out);
    for (size_t i = 0; i < count; i++) rg_device_free(devices[i]);
    free(devices);
    return err;
}

RG_CMD(devices) = {
    .name = "devices", .args = "[ID...]", .brief = "list the devices, or show one in full",
    .detail = "ID is a device's id or alias, a profile file, or host: this machine, detected now. Every\n"
              "figure of a profile is shown with its source. Without ID, one line for each device: the\n"
              "fastest peak of each type, main memory, the power cap.\n"
              "\n"
              "A profile is a JSON file (doc/hw.md describes it); --check says what is wrong with one.",
    .examples = "ridge devices\n"
                "ridge devices h100-sxm\n"
                "ridge devices host --format json\n"
                "ridge devices --check my-board.json",
    .opt_size = sizeof(devices_opt), .opts = opts, .opt_count = CMD_COUNT(opts), .arg_max = -1, .run = run,
};
