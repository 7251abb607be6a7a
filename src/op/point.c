/* point.c - UTF-8, strictly: no overlong forms, no surrogates (RFC 3629). */
#include "op/point.h"

int32_t rg_point_take(rg_str text, size_t *at)
{
    static const int32_t least[] = {0, 0x80, 0x800, 0x10000}; /* by following bytes: less is overlong */
    if (*at >= text.size) return RG_POINT_NONE;
    uint8_t head = (uint8_t)text.data[(*at)++];
    int more = head < 0x80 ? 0 : head < 0xc2 ? -1 : head < 0xe0 ? 1 : head < 0xf0 ? 2 : head < 0xf5 ? 3 : -1;
    if (more < 0 || text.size - *at < (size_t)more) return RG_POINT_NONE;
    int32_t point = more ? head & (0x3f >> more) : head;
    for (int i = 0; i < more; i++) {
        uint8_t byte = (uint8_t)text.data[*at + (size_t)i];
        if ((byte & 0xc0) != 0x80) return RG_POINT_NONE;
        point = point << 6 | (byte & 0x3f);
    }
    if (point < least[more] || point > RG_POINT_MAX || (point >= 0xd800 && point < 0xe000))
        return RG_POINT_NONE;
    *at += (size_t)more;
    return point;
}

size_t rg_point_put(int32_t point, char out[RG_POINT_BYTE])
{
    static const uint8_t head[] = {0, 0xc0, 0xe0, 0xf0};
    size_t more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, point >>= 6) out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(head[more] | point);
    return more + 1;
}
