/* machine_doctor.c - what this machine can measure and what the library has on board: for `ridge doctor`.
 *
 * A meter that cannot be read is listed with its reason; it is never reported as zero.
 */
#include "hw/hw.h"
#include "measure/lane_energy.h"
#include "report/write.h"

static const rg_column head_columns[] = {
    {"version", "version", RG_UNIT_NONE, false},
    {"devices", "device profiles", RG_UNIT_NONE, false},
    {"runtimes", "runtime profiles", RG_UNIT_NONE, false},
    {"host.name", "this machine", RG_UNIT_NONE, false},
    {"host.text", "detection", RG_UNIT_NONE, false},
}, probe_columns[] = {
    {"name", "what", RG_UNIT_NONE, false},
    {"present", "there", RG_UNIT_NONE, false},
    {"text", "how, or why not", RG_UNIT_NONE, false},
}, meter_columns[] = {
    {"name", "meter", RG_UNIT_NONE, false},
    {"usable", "usable", RG_UNIT_NONE, false},
    {"text", "of what, or why not", RG_UNIT_NONE, false},
    {"window_s", "least window", RG_UNIT_SECOND, false},
};

/* A machine that cannot be detected is a finding, not an error. */
static void add_host(rg_ctx *cx, rg_doc *doc, rg_item *root)
{
    const rg_device *device;
    rg_item *host = rg_doc_object(doc, root, "host");
    if (rg_device_detect(cx, &device)) {
        rg_doc_str(doc, host, "name", NULL);
        rg_doc_str(doc, host, "text", rg_ctx_error(cx));
        return;
    }
    rg_doc_str(doc, host, "name", device->name);
    rg_doc_str(doc, host, "kind", rg_device_kind_name(device->kind));
    rg_doc_text(doc, host, "text", "%zu engines, %zu memory levels", device->engine_count,
                device->level_count);
    rg_device_free(device);
}

static void add_probe(rg_doc *doc, rg_item *list, const char *name, bool present, const char *text)
{
    rg_item *probe = rg_doc_object(doc, list, NULL);
    rg_doc_str(doc, probe, "name", name);
    rg_doc_flag(doc, probe, "present", present);
    rg_doc_str(doc, probe, "text", text);
}

static void add_pictures(rg_doc *doc, rg_item *list)
{
    char text[160];
    const char *missing = rg_image_missing();
    snprintf(text, sizeof text, "no %s: charts can be had as SVG only", missing ? missing : "");
    add_probe(doc, list, "pictures", !missing, missing ? text : "librsvg and cairo: charts as PNG and PDF");
}

static rg_err add_meters(rg_ctx *cx, rg_doc *doc, rg_item *list)
{
    rg_meters *meters;
    RG_TRY(rg_meters_open(cx, NULL, &meters));
    rg_meters_put(doc, list, meters);
    rg_meters_close(meters);
    rg_doc_section(doc, 2, "Meters of power and energy");
    rg_doc_table(doc, "meters", list, meter_columns, RG_COUNT(meter_columns), 0);
    return RG_OK;
}

static rg_err fill(rg_ctx *cx, rg_doc *doc)
{
    const char *const *ids;
    const rg_probe *probes;
    size_t device_count, runtime_count, probe_count;
    rg_item *root = rg_doc_root(doc);
    RG_TRY(rg_device_ids(cx, &ids, &device_count));
    RG_TRY(rg_runtime_ids(cx, &ids, &runtime_count));
    RG_TRY(rg_hw_probes(cx, &probes, &probe_count));
    rg_doc_str(doc, root, "version", rg_version());
    rg_doc_int(doc, root, "devices", (int64_t)device_count);
    rg_doc_int(doc, root, "runtimes", (int64_t)runtime_count);
    add_host(cx, doc, root);
    rg_item *list = rg_doc_array(doc, root, "probes");
    for (size_t i = 0; i < probe_count; i++)
        add_probe(doc, list, probes[i].name, probes[i].present, probes[i].text);
    add_pictures(doc, list);
    rg_doc_section(doc, 1, "Ridge on this machine");
    rg_doc_fields(doc, root, head_columns, RG_COUNT(head_columns));
    rg_doc_section(doc, 2, "What can be measured");
    rg_doc_table(doc, "probes", list, probe_columns, RG_COUNT(probe_columns), 0);
    RG_TRY(add_meters(cx, doc, rg_doc_array(doc, root, "meters")));
    return rg_doc_done(cx, doc);
}

rg_err rg_doctor_doc(rg_ctx *cx, rg_doc **out)
{
    rg_doc *doc;
    RG_TRY(rg_doc_new(cx, "ridge.doctor/1", &doc));
    rg_err err = fill(cx, doc);
    if (err) rg_doc_free(doc);
    else *out = doc;
    return err;
}
