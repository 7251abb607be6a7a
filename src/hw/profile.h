/* profile.h - where profiles come from: data/FOLDER/ID.json or a file that the user names. Private to hw/. */
#ifndef RG_PROFILE_H
#define RG_PROFILE_H

#include "hw/hw.h"
#include "hw/read.h"

/* The formats "ridge.device/1" and "ridge.runtime/1", field by field;
 * data/schema/ says the same to other readers. */
extern const rg_record rg_device_record, rg_runtime_record;

/* "x.json" or anything with a slash is a file of the user; all else is an id of data/. */
bool rg_profile_is_path(const char *id);
/* The text of a user's file, copied into the context's arena,
 * and the id it stands for: its name without .json. */
rg_err rg_profile_load(rg_ctx *cx, const char *path, rg_str *json, const char **id) RG_CHECKED;
/* Whether data/FOLDER/ID.json is there. */
rg_err rg_profile_has(rg_ctx *cx, const char *folder, const char *id, bool *out) RG_CHECKED;
rg_err rg_profile_read(rg_ctx *cx, const char *folder, const char *id, rg_str *json) RG_CHECKED;
/* Fails with RG_INPUT: "device 'h10' is not known; nearest: h100-nvl, ...; HINT". */
rg_err rg_profile_unknown(rg_ctx *cx, const char *folder, const char *what, const char *id, const char *hint);

/* The text of the profile that another one says it is like. `depth` counts them: a circle ends in
 * RG_FORMAT. */
rg_err rg_profile_like(rg_ctx *cx, const char *folder, const char *what, const char *id, int *depth,
                       rg_str *json) RG_CHECKED;

/* Engine `index` gets so many times its units and its clock, and what depends on them follows (scale.c). */
void rg_engine_scale(rg_device *d, size_t index, double units, double clock);

/* The device that calls itself `name` in its aliases, case ignored:
 * its id, or NULL. Two of them are RG_INPUT. */
rg_err rg_device_named(rg_ctx *cx, const char *name, const char **id) RG_CHECKED;

/* The device whose own names have all words of `name` in them, whatever stands between and around them (see
 * device_words.c): its id, or NULL. Two that fit alike are RG_INPUT. */
rg_err rg_device_by_words(rg_ctx *cx, const char *name, const char **id) RG_CHECKED;

/* Whether `name` stands anywhere in the text, case ignored. */
bool rg_profile_mentions(rg_str text, const char *name);

#endif
