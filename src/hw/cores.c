/* cores.c - data/cpu/cores.json: what cores do in a clock,
 * by what cpuid calls them, and estimates for the rest. */
#include "hw/detect.h"
#include "hw/read.h"

#include <string.h>

#define AT(member) offsetof(rg_core_row, member)
static const rg_field row_fields[] = {
    {"vendor", RG_FIELD_TEXT, true, AT(vendor), .help = "as cpuid spells it; implementer on Arm; *: any"},
    {"family", RG_FIELD_COUNT, true, AT(family), .help = "of cpuid; 0 on Arm"},
    {"models", RG_FIELD_REALS, false, AT(models), AT(model_count),
     .help = "of cpuid, part on Arm; left out: any"},
    {"core_type", RG_FIELD_TEXT, false, AT(core_type), .help = "of a hybrid processor, as hwloc names it"},
    {"name", RG_FIELD_TEXT, true, AT(name), .help = "of the core, as profiles spell architectures"},
    {"fma_bit", RG_FIELD_POSITIVE, false, AT(fma_bit), .help = "width of all multiply-adds of a clock"},
    {"dot_bit", RG_FIELD_POSITIVE, false, AT(dot_bit),
     .help = "width of all int8 dot products of a clock; left out: as fma_bit"},
    {"matrix_bit", RG_FIELD_POSITIVE, false, AT(matrix_bit),
     .help = "width of the matrix unit's multiply-adds of a clock"},
    {"l1_byte_per_clock", RG_FIELD_POSITIVE, true, AT(byte_per_clock[0]), .help = "loads of one core"},
    {"l2_byte_per_clock", RG_FIELD_POSITIVE, true, AT(byte_per_clock[1]), .help = "loads of one core"},
    {"l3_byte_per_clock", RG_FIELD_POSITIVE, true, AT(byte_per_clock[2]), .help = "loads of one core"},
    {"source", RG_FIELD_TEXT, true, AT(source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record row_record = RG_RECORD(rg_core_row, row_fields);
#undef AT

static const rg_field point_fields[] = {
    {"clock_share", RG_FIELD_SHARE, true, offsetof(rg_share_point, clock_share),
     .help = "of the highest clock"},
    {"voltage_v", RG_FIELD_POSITIVE, true, offsetof(rg_share_point, voltage_v),
     .help = "supply voltage there"},
};
static const rg_record point_record = RG_RECORD(rg_share_point, point_fields);

#define AT(member) offsetof(rg_core_data, member)
static const rg_field estimate_fields[] = {
    {"scalar_op_per_clock", RG_FIELD_POSITIVE, true, AT(scalar_op_per_clock),
     .help = "of one core without vectors"},
    {"all_core_share", RG_FIELD_SHARE, true, AT(all_core_share),
     .help = "of the highest clock when all cores work"},
    {"l1_clocks", RG_FIELD_POSITIVE, true, AT(cache_clocks[0]), .help = "latency of a load"},
    {"l2_clocks", RG_FIELD_POSITIVE, true, AT(cache_clocks[1]), .help = "latency of a load"},
    {"l3_clocks", RG_FIELD_POSITIVE, true, AT(cache_clocks[2]), .help = "latency of a load"},
    {"write_share", RG_FIELD_SHARE, true, AT(write_share),
     .help = "write bandwidth of a cache, of its read bandwidth"},
    {"core_byte_per_s", RG_FIELD_POSITIVE, true, AT(core_byte_per_s),
     .help = "that one core can draw from memory"},
    {"channel_byte_per_s", RG_FIELD_POSITIVE, true, AT(channel_byte_per_s), .help = "of one memory channel"},
    {"channels", RG_FIELD_POSITIVE, true, AT(channels), .help = "of a package with few cores"},
    {"server_channels", RG_FIELD_POSITIVE, true, AT(server_channels), .help = "of a package with many cores"},
    {"server_cores", RG_FIELD_POSITIVE, true, AT(server_cores), .help = "cores that are more than few"},
    {"memory_latency_s", RG_FIELD_POSITIVE, true, AT(memory_latency_s), .help = "of a load from memory"},
    {"memory_sustained_fraction", RG_FIELD_SHARE, true, AT(memory_sustained_fraction),
     .help = "of the peak bandwidth"},
    {"l1_pj_per_byte", RG_FIELD_POSITIVE, true, AT(pj_per_byte[0]), .help = "energy of a load"},
    {"l2_pj_per_byte", RG_FIELD_POSITIVE, true, AT(pj_per_byte[1]), .help = "energy of a load"},
    {"l3_pj_per_byte", RG_FIELD_POSITIVE, true, AT(pj_per_byte[2]), .help = "energy of a load"},
    {"memory_pj_per_byte", RG_FIELD_POSITIVE, true, AT(memory_pj_per_byte),
     .help = "energy of a load from memory"},
    {"core_w", RG_FIELD_POSITIVE, true, AT(core_w), .help = "power cap for each core where none can be read"},
    {"idle_share", RG_FIELD_SHARE, true, AT(idle_share), .help = "of the cap that is drawn without work"},
    {"active_share", RG_FIELD_SHARE, true, AT(active_share),
     .help = "of the cap that working cores draw besides operations"},
    {"vf", RG_FIELD_ROWS, true, AT(vf), AT(vf_count), &point_record, .help = "voltage by clock, ascending"},
    {"launch_s", RG_FIELD_POSITIVE, true, AT(launch_s), .help = "fork and join of a thread pool"},
    {"source", RG_FIELD_TEXT, true, AT(source),
     .help = "where the figures come from: a key of sources, then words"},
};
static const rg_record estimate_record = RG_RECORD(rg_core_data, estimate_fields);

static const char *const marks[] = {"ridge.cores/1", NULL};

static const rg_field data_fields[] = {
    {"schema", RG_FIELD_MARK, true, .names = marks, .help = "the format of this file"},
    {"cores", RG_FIELD_ROWS, true, AT(rows), AT(row_count), &row_record,
     .help = "first match wins; the last fits all"},
    {"estimates", RG_FIELD_GROUP, true, .record = &estimate_record,
     .help = "for what a machine does not tell"},
    {"sources", RG_FIELD_KEYED, true, AT(sources), AT(source_count), &rg_source_record,
     .help = "what source texts begin with"},
};
#undef AT
static const rg_record data_record = RG_RECORD(rg_core_data, data_fields);

static rg_err check(rg_ctx *cx, const rg_core_data *d)
{
    if (!d->row_count || strcmp(d->rows[d->row_count - 1].vendor, "*") != 0)
        return rg_fail(cx, RG_FORMAT, "cores: the last of %zu rows is not for vendor *", d->row_count);
    if (!rg_source_known(d->sources, d->source_count, "estimated"))
        return rg_fail(cx, RG_FORMAT, "sources: 'estimated' is missing");
    for (size_t i = 0; i < d->row_count; i++)
        if (!rg_source_known(d->sources, d->source_count, d->rows[i].source))
            return rg_fail(cx, RG_FORMAT, "cores[%zu].source: '%.64s' does not begin with a key of sources",
                           i, d->rows[i].source);
    return RG_OK;
}

rg_err rg_core_data_read(rg_ctx *cx, rg_arena *arena, const rg_core_data **out)
{
    rg_core_data *data = RG_NEW(arena, rg_core_data, 1);
    rg_str json;
    if (!data) return rg_nomem(cx);
    RG_TRY(rg_data_read(cx, "cpu/cores.json", &json));
    RG_TRY_NOTE(cx, rg_read_record(cx, arena, json, &data_record, NULL, data), "cpu/cores.json");
    RG_TRY_NOTE(cx, check(cx, data), "cpu/cores.json");
    *out = data;
    return RG_OK;
}

static bool fits(const rg_core_row *row, const rg_cpu *cpu, const char *core_type)
{
    if (strcmp(row->vendor, "*") == 0) return true;
    if (strcmp(row->vendor, cpu->vendor) != 0 || row->family != cpu->family) return false;
    if (row->core_type && strcmp(row->core_type, core_type) != 0) return false;
    for (size_t i = 0; i < row->model_count; i++)
        if (row->models[i] == cpu->model) return true;
    return !row->model_count;
}

const rg_core_row *rg_core_row_find(const rg_core_data *data, const rg_cpu *cpu, const char *core_type)
{
    size_t i = 0;
    while (i + 1 < data->row_count && !fits(&data->rows[i], cpu, core_type)) i++;
    return &data->rows[i];
}
