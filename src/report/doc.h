/* doc.h - the one document model: a tree of data, and a layout that points into it.
 *
 * The tree is what JSON and rg_doc_number see. The layout (sections, sentences, fields, tables) is what text,
 * Markdown, HTML and CSV show; a table names an array of the tree and picks fields of its objects. So a
 * figure stands once, and no writer can disagree with another. Everything lives in the document's arena;
 * building errors are sticky and are reported by rg_doc_done and rg_doc_write.
 */
#ifndef RG_DOC_H
#define RG_DOC_H

#include "base/base.h"

typedef enum rg_item_kind {
    RG_ITEM_NULL, RG_ITEM_BOOL, RG_ITEM_INT, RG_ITEM_REAL, RG_ITEM_STRING, RG_ITEM_ARRAY, RG_ITEM_OBJECT,
} rg_item_kind;

typedef struct rg_item rg_item;
struct rg_item {
    rg_item_kind kind;
    const char *key;             /* in an object; NULL in an array */
    union { bool flag; int64_t integer; double real; const char *string; rg_item *first; };
    rg_item *last, *next;        /* children; siblings */
    uint32_t count;              /* of children */
};

/* Root object with "schema": schema. */
rg_err rg_doc_new(rg_ctx *cx, const char *schema, rg_doc **out) RG_CHECKED;
rg_item *rg_doc_root(rg_doc *doc);

/* Add to an object (key) or an array (key NULL). NULL parents are allowed: the error is already noted. Keys
 * are borrowed (literals), strings are copied. Non-finite reals become null. */
rg_item *rg_doc_object(rg_doc *doc, rg_item *parent, const char *key);
rg_item *rg_doc_array(rg_doc *doc, rg_item *parent, const char *key);
rg_item *rg_doc_real(rg_doc *doc, rg_item *parent, const char *key, double x);
rg_item *rg_doc_int(rg_doc *doc, rg_item *parent, const char *key, int64_t x);
rg_item *rg_doc_flag(rg_doc *doc, rg_item *parent, const char *key, bool x);
rg_item *rg_doc_str(rg_doc *doc, rg_item *parent, const char *key, const char *x);       /* NULL: null */
rg_item *rg_doc_view(rg_doc *doc, rg_item *parent, const char *key, rg_str x);
rg_item *rg_doc_text(rg_doc *doc, rg_item *parent, const char *key, const char *format, ...) RG_PRINTF(4, 5);
/* {value, low, high} */
rg_item *rg_doc_quantity(rg_doc *doc, rg_item *parent, const char *key, rg_estimate x);

/* "results[0].latency_s.value"; NULL when absent */
const rg_item *rg_item_find(const rg_item *root, const char *path);

/* ---- layout ---- */

typedef struct rg_column {
    const char *path;     /* below each row: "latency_s.value";
                           * a quantity without ".value" has its interval */
    const char *heading;
    rg_unit unit;         /* numbers; strings ignore it */
    bool bar;             /* text: a small bar of the share of the column's maximum */
} rg_column;

void rg_doc_section(rg_doc *doc, int level, const char *format, ...) RG_PRINTF(3, 4);    /* level 1..3 */
void rg_doc_say(rg_doc *doc, const char *format, ...) RG_PRINTF(2, 3);                    /* a paragraph */
void rg_doc_point(rg_doc *doc, const char *format, ...) RG_PRINTF(2, 3);                  /* a bullet */
/* Label and value pairs of one object. Absent paths are left out. */
void rg_doc_fields(rg_doc *doc, const rg_item *object, const rg_column *columns, size_t count);
/* A table over an array of objects; limit 0: all rows, else the first `limit` and a line saying how many
 * more. `name` is the table's file name in CSV ("rows"). */
void rg_doc_table(rg_doc *doc, const char *name, const rg_item *array, const rg_column *columns, size_t count,
                  size_t limit);
/* Horizontal bars, one per object: a labelled histogram. */
void rg_doc_bars(rg_doc *doc, const rg_item *array, const char *label, const char *value, rg_unit unit);

/* ---- charts: writers that draw show them, the others leave them out ---- */
/* (but steps by index, which text shows as a line of blocks) */

typedef enum rg_chart_kind {
    RG_CHART_LINE,     /* a line through the objects of each group, in their order */
    RG_CHART_SCATTER,  /* a mark for each object */
    RG_CHART_ROOFLINE, /* the same under roofs: `lines` are objects of name, byte_per_s, op_per_s */
    RG_CHART_BARS,     /* a horizontal bar for each object, stacked of its y columns */
    RG_CHART_STEPS,    /* filled steps: a quantity that holds from one object to the next */
    RG_CHART_SPANS,    /* a timeline: from x to x + y[0], one lane for each group */
    RG_CHART_HEAT,     /* a colored cell for each object: x by label, y[0] gives the color */
    RG_CHART_KIND_COUNT
} rg_chart_kind;

/* A line to compare marks with. */
typedef enum rg_guide { RG_GUIDE_NONE, RG_GUIDE_EVEN /* y = x */, RG_GUIDE_ONE /* y = 1 */ } rg_guide;

typedef struct rg_axis { const char *path, *heading; rg_unit unit; bool log; } rg_axis;

/* Like a table it points into the tree. Paths are below each object; "" is the element itself. */
typedef struct rg_chart {
    rg_chart_kind kind;
    const char *name;                  /* its file's: "roofline"; unique in the document */
    const char *title, *text;          /* text: one sentence for whom the picture is not there */
    const rg_item *array;
    rg_axis x;                         /* path NULL: the index; HEAT: a name; BARS: heading of a stack */
    const rg_axis *y; size_t y_count;
    const char *group, *label;         /* color, line or lane by; what names an object; may be NULL */
    const char *mark;                  /* path of a flag: such objects are named and, but for roofs, joined */
    bool mark_by_group;                /* a front for each group, not one through all */
    const rg_item *lines;              /* ROOFLINE */
    rg_guide guide;                    /* LINE, SCATTER */
    const char *extent;                /* STEPS: path of how far each reaches; NULL: to the next */
    const rg_item *base;               /* STEPS: an object whose figures lie under all steps ... */
    const rg_axis *under; size_t under_count; /* ... the lowest first */
} rg_chart;
/* Copied with its axes; its strings and items are borrowed. Without an array there is no chart. */
void rg_doc_chart(rg_doc *doc, const rg_chart *chart);

rg_err rg_doc_done(rg_ctx *cx, rg_doc *doc) RG_CHECKED; /* the sticky error, if any */

/* ---- writers: one per file, found by name through the RG_WRITER table ---- */

typedef struct rg_doc_block {
    enum {
        RG_BLOCK_SECTION, RG_BLOCK_SAY, RG_BLOCK_POINT, RG_BLOCK_FIELDS, RG_BLOCK_TABLE, RG_BLOCK_BARS,
        RG_BLOCK_CHART
    } kind;
    int level;
    const char *text;            /* heading, sentence, table name */
    const rg_item *item;
    const rg_column *columns;    /* copied into the document */
    size_t column_count, limit;
    const char *label, *value;   /* bars */
    rg_unit unit;
    const rg_chart *chart;
    const char *subject;         /* the last heading of level 1 before it, or NULL */
    struct rg_doc_block *next;
} rg_doc_block;
const rg_doc_block *rg_doc_blocks(const rg_doc *doc);
const rg_item *rg_doc_tree(const rg_doc *doc);
/* A cell as people read it: "1.23 ms", "1.23 ms (1.02 - 1.60)", "yes", "-". */
const char *rg_doc_cell(char *buffer, size_t size, const rg_item *row, const rg_column *column);

/* A format takes whole documents, or parts of one kind (tables, charts), or both. */
typedef struct rg_writer {
    const char *name, *brief;
    rg_err (*write)(rg_ctx *cx, const rg_doc *doc, FILE *out);               /* NULL: parts only */
    int part;                                                                /* kind of those blocks */
    rg_err (*write_part)(rg_ctx *cx, const rg_doc_block *part, FILE *out);   /* NULL: no parts */
} rg_writer;
#define RG_WRITER(id) const rg_writer rg_writer_##id

#endif
