/* data.h - the files of data/, embedded by tools/embed.sh as one sorted table. */
#ifndef RG_DATA_H
#define RG_DATA_H

typedef struct rg_embedded { const char *path, *begin, *end; } rg_embedded; /* "hw/t4.json" */
extern const rg_embedded rg_embedded_table[];
extern const int rg_embedded_count;

#endif
