/* near.c - how far two spellings are apart, so that a message about an unknown name can offer the known ones.
 *
 * Levenshtein distance by its usual recurrence, one row at a time, row[j] being the distance of the part of
 * `a` read so far from the first j letters of `b`. Names longer than 64 bytes are compared by their first 64:
 * the message stays useful, and a hostile name costs no memory.
 */
#include "base/base.h"

enum { LETTER_MAX = 64 };

/* ASCII only, whatever the locale: the names compared are identifiers. */
static char low(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static int least(int a, int b) { return a < b ? a : b; }

int rg_str_distance(rg_str a, rg_str b)
{
    int row[LETTER_MAX + 1];
    int a_size = a.size < LETTER_MAX ? (int)a.size : LETTER_MAX;
    int b_size = b.size < LETTER_MAX ? (int)b.size : LETTER_MAX;
    for (int j = 0; j <= b_size; j++) row[j] = j;
    for (int i = 0; i < a_size; i++) {
        int corner = row[0];
        row[0] = i + 1;
        for (int j = 0; j < b_size; j++) {
            int change = corner + (low(a.data[i]) != low(b.data[j]));
            corner = row[j + 1];
            row[j + 1] = least(change, least(row[j], row[j + 1]) + 1);
        }
    }
    return row[b_size];
}
