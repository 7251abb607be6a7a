/* doubt.c - which sessions of measurements nothing is learned from: data/learned/doubt.json. They are judged
 * as any other; only lessons leave them out. A board that ran hot for one file would teach that products of
 * that kind are slow.
 */
#include "learn/lesson.h"

#include "hw/read.h"

#include <string.h>

typedef struct doubts {
    const char *note;
    rg_doubt *sessions; size_t count;
} doubts;

#define AT(member) offsetof(rg_doubt, member)
static const rg_field session_fields[] = {
    {"judge", RG_FIELD_TEXT, true, AT(judge), .help = "kind of measurement"},
    {"family", RG_FIELD_TEXT, true, AT(family),
     .help = "cell of the column by which that kind's scores are split"},
    {"device", RG_FIELD_TEXT, true, AT(device), .help = "id of the device"},
    {"why", RG_FIELD_TEXT, true, AT(why), .help = "what shows that its columns do not say all"},
};
#undef AT
static const rg_record session_record = RG_RECORD(rg_doubt, session_fields);

static const char *const marks[] = {"ridge.doubt/1", NULL};
#define AT(member) offsetof(doubts, member)
static const rg_field file_fields[] = {
    {"schema", RG_FIELD_MARK, true, .names = marks, .help = "the format of this file"},
    {"note", RG_FIELD_TEXT, false, AT(note), .help = "what it is for"},
    {"sessions", RG_FIELD_ROWS, true, AT(sessions), AT(count), &session_record, .help = "what is left out"},
};
#undef AT
static const rg_record file_record = RG_RECORD(doubts, file_fields);

rg_err rg_doubts_read(rg_ctx *cx, rg_lessons *lessons)
{
    static const char path[] = "learned/doubt.json";
    rg_str json;
    doubts d = {0};
    if (!rg_data_has(cx, path)) return RG_OK;
    RG_TRY(rg_data_read(cx, path, &json));
    rg_err err = rg_read_record(cx, &lessons->arena, json, &file_record, NULL, &d);
    if (err) return rg_note(cx, err, "%s", path);
    lessons->doubts = d.sessions;
    lessons->doubt_count = d.count;
    return RG_OK;
}

bool rg_is_doubted(const rg_lessons *lessons, const rg_exam *exam)
{
    rg_str family = exam->judge->family ? rg_exam_text(exam, exam->judge->family) : (rg_str){0};
    for (size_t i = 0; i < lessons->doubt_count; i++) {
        const rg_doubt *d = &lessons->doubts[i];
        if (strcmp(d->judge, exam->judge->name) == 0 && strcmp(d->device, exam->device->id) == 0
            && rg_str_is(family, d->family))
            return true;
    }
    return false;
}
