/* meter_file.c - channels of a meter that are files of /sys: opened once, so that a reading costs one call
 * and a permission that is missing shows at once.
 */
#include "base/limits.h"
#include "measure/meter.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

rg_channel *rg_gauge_add(rg_gauge *gauge, const char *name)
{
    if (gauge->count == RG_CHANNEL_MAX) return NULL;
    rg_channel *c = &gauge->channels[gauge->count++];
    *c = (rg_channel){.scale = 1, .file = {-1, -1}};
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

bool rg_channel_file(rg_channel *channel, int which, const char *root, const char *path, ...)
{
    char full[RG_PATH_LIMIT];
    va_list args;
    int used = snprintf(full, sizeof full, "%s", root);
    errno = ENAMETOOLONG;
    if (used < 0 || (size_t)used >= sizeof full) return false;
    va_start(args, path);
    int more = vsnprintf(full + used, sizeof full - (size_t)used, path, args);
    va_end(args);
    if (more < 0 || (size_t)(used + more) >= sizeof full) return false;
    channel->file[which] = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return channel->file[which] >= 0;
}

/* Read from its start, such a file is asked anew. */
static bool read_number(int file, double *out)
{
    char text[64];
    ssize_t got = pread(file, text, sizeof text, 0);
    if (got <= 0) return false;
    rg_str rest = {text, (size_t)got}, line;
    return rg_str_cut(&rest, '\n', &line) && rg_str_real(line, out);
}

bool rg_gauge_read_files(rg_gauge *gauge, double *x)
{
    for (int i = 0; i < gauge->count; i++) {
        const rg_channel *c = &gauge->channels[i];
        double factor = 1;
        if (!read_number(c->file[0], &x[i]) || (c->file[1] >= 0 && !read_number(c->file[1], &factor)))
            return false;
        x[i] *= factor * c->scale;
    }
    return true;
}

void rg_gauge_close_files(rg_gauge *gauge)
{
    for (int i = 0; i < gauge->count; i++)
        for (int k = 0; k < 2; k++)
            if (gauge->channels[i].file[k] >= 0) close(gauge->channels[i].file[k]);
}
