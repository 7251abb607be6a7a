/* meter.h - energy of a stretch of time, by whatever this machine has to measure it with.
 *
 *     rg_meters_open(cx, NULL, &meters);           what is there, and why the rest is not
 *     rg_meters_begin(cx, meters);
 *     ... for at least rg_meters_window_s(meters) ...
 *     rg_meters_end(meters, energies);             a figure of each source, or the reason why there is none
 *     rg_energy_best(energies);
 *
 * Every figure says how it is known: measured by a counter of energy, sampled from readings of power, or
 * estimated. What cannot be read is a reason, never 0 J. Nothing is taken off for idling.
 *
 * A source is one RG_METER row in a file of its own, meter_*.c; nothing else changes.
 */
#ifndef RG_METER_H
#define RG_METER_H

#include "base/base.h"

#define RG_PROVENANCE_LIST(X) X(MEASURED, "measured") X(SAMPLED, "sampled") X(ESTIMATED, "estimated")
typedef enum rg_provenance {
#define X(id, name) RG_##id,
    RG_PROVENANCE_LIST(X)
#undef X
    RG_PROVENANCE_COUNT
} rg_provenance;
const char *rg_provenance_name(rg_provenance provenance);

/* What a figure covers. A rail is one supply of a board; wall is all that the machine draws. */
#define RG_COVER_LIST(X) \
    X(PACKAGE, "package") X(PACKAGE_DRAM, "package+dram") X(BOARD, "board") X(GPU, "gpu") X(WALL, "wall") \
    X(RAIL, "rail")
typedef enum rg_cover {
#define X(id, name) RG_COVER_##id,
    RG_COVER_LIST(X)
#undef X
    RG_COVER_COUNT
} rg_cover;
const char *rg_cover_name(rg_cover cover);

typedef struct rg_energy {
    double joules, seconds, watts; /* watts: mean of the window */
    double plus_minus_j;           /* by the counter's steps, its age at both ends, and sampling */
    rg_provenance provenance;
    rg_cover scope;
    const char *source;            /* name of the meter */
    const char *reason; /* NULL: the figures hold; else there are none, and why. Until the next end */
} rg_energy;

/* ---- a session ---- */

/* Sources of one subject stand in for each other: only the best of them is opened. */
typedef enum rg_subject { RG_OF_PROCESSOR, RG_OF_BOARD, RG_OF_GPU, RG_OF_MODEL } rg_subject;
#define RG_SUBJECT(id) (1u << RG_OF_##id)

typedef struct rg_meter_opt {
    const char *root;            /* stands before /sys, as in hw/detect.h; NULL or "" on a real machine */
    unsigned subjects;           /* RG_SUBJECT: others are not opened; 0: all */
    const rg_estimate *power_w;  /* of whom estimates are made; read at each end, borrowed; NULL: none are */
    const char *nvml;            /* file of the library; NULL: the customary name */
    /* Counts of energy of a processor, as perf_event_open(2) with pid -1: a descriptor, or -1 and errno;
     * NULL: the system's. */
    int (*perf_open)(uint32_t type, uint64_t config, int cpu);
} rg_meter_opt;

typedef struct rg_meters rg_meters;
/* Finds out which sources are there; that none is is no error. */
rg_err rg_meters_open(rg_ctx *cx, const rg_meter_opt *opt, rg_meters **out) RG_CHECKED;
void rg_meters_close(rg_meters *m);  /* NULL is allowed */
/* The least window in which the best source that measures has a figure; 0: there is none. */
double rg_meters_window_s(const rg_meters *m);
/* Sources that are sampled get a thread each, until the end. */
rg_err rg_meters_begin(rg_ctx *cx, rg_meters *m) RG_CHECKED;
/* energies: [rg_meter_count], the best known first. */
void rg_meters_end(rg_meters *m, rg_energy *energies);
/* The first of them that has a figure, or NULL. */
const rg_energy *rg_energy_best(const rg_energy *energies);

typedef struct rg_meter_state {
    const char *name, *brief;
    bool usable;
    const char *text;            /* what is read, or why it is not; as long as the session */
    double window_s;             /* the least; 0 where it is not usable */
} rg_meter_state;
rg_meter_state rg_meters_state(const rg_meters *m, int index); /* in the order of the figures */

/* ---- sources ---- */

enum { RG_CHANNEL_MAX = 64 };

/* What a source adds up: zones, sockets, rails, devices. */
typedef struct rg_channel {
    char name[48];
    double range_j;              /* a counter begins anew here; 0: never */
    double scale;                /* of what the files say to J or W */
    int file[2];                 /* descriptors, below 0: none; the second one's figure is a factor */
} rg_channel;

typedef struct rg_gauge {        /* a source that is open */
    const struct rg_meter *meter;
    rg_channel channels[RG_CHANNEL_MAX]; int count;
    rg_cover scope;
    double update_s;             /* how often figures become new */
    double lag_s;                /* how old they may be then, averages included; 0: update_s */
    double resolution;           /* of all channels together; J of counters, W of powers */
    double error_share;          /* of a figure, as its maker states it; 0: nobody does */
    char text[256];              /* what is read, in words; empty: the channels' names */
    void *state;
} rg_gauge;

typedef struct rg_meter {
    const char *name, *brief;
    int rank;                    /* sources are tried in this order */
    rg_subject subject;
    rg_provenance provenance;    /* MEASURED: it reads joules; SAMPLED, ESTIMATED: watts */
    /* RG_UNSUPPORTED: not there, and why not. Whatever it opened then, close gets. */
    rg_err (*open)(rg_ctx *cx, const rg_meter_opt *opt, rg_gauge *gauge);
    /* One figure a channel; false: not readable. Any thread, one at a time. */
    bool (*read)(rg_gauge *gauge, double *x);
    void (*close)(rg_gauge *gauge); /* NULL: there is nothing to close */
} rg_meter;
#define RG_METER(id) const rg_meter rg_meter_##id
extern const rg_meter *const rg_meter_table[]; /* by name */
extern const int rg_meter_count;

/* meter_file.c: channels that are small text files. */
/* A further channel without files, or NULL where there are RG_CHANNEL_MAX. */
rg_channel *rg_gauge_add(rg_gauge *gauge, const char *name);
/* Opens the file of a channel; false: errno says why not. */
bool rg_channel_file(rg_channel *channel, int which, const char *root, const char *path, ...)
    RG_PRINTF(4, 5);
bool rg_gauge_read_files(rg_gauge *gauge, double *x);
void rg_gauge_close_files(rg_gauge *gauge);

#endif
