/* fast_attention_weigh.h - weights of a tile's queries, once for each instruction set: included by
 * fast_attention.c with
 *
 *     NAME(x)   a prefix for everything defined here      TARGET   the function attribute
 *     MAX(x, y) x > y ? x : y of eight floats: one instruction where there is one for eight
 *
 * Scores are powers of 2: of e there is one product more. Two walks over what a first cache holds: the
 * greatest, then the powers. No include guard: that is its purpose.
 */
TARGET RG_INLINE rg_f32x8 NAME(load)(const float *from) { return *(const rg_f32x8 *)(const void *)from; }

TARGET RG_INLINE rg_f32x8 NAME(score)(const query *s, int64_t j, bool adds)
{
    rg_f32x8 x = NAME(load)(s->score + j);
    if (adds) x = x * s->scale + NAME(load)(s->add + j);
    return x;
}

TARGET RG_INLINE rg_f32x8 NAME(greatest)(const query *s, bool adds)
{
    const rg_f32x8 zero = {0};
    rg_f32x8 most[VECTORS];
    int64_t j = 0;
    RG_UNROLLED
    for (int i = 0; i < VECTORS; i++) most[i] = zero - INFINITY;
    for (; j + 8 * VECTORS <= s->whole; j += 8 * VECTORS) {
        RG_UNROLLED
        for (int i = 0; i < VECTORS; i++) {
            rg_f32x8 x = NAME(score)(s, j + 8 * i, adds);
            most[i] = (rg_f32x8)MAX(x, most[i]); /* in this order a NaN is passed over */
        }
    }
    for (; j < s->seen; j += 8) {
        rg_f32x8 x = NAME(score)(s, j, adds && j < s->whole);
        most[0] = (rg_f32x8)MAX(x, most[0]);
    }
    RG_UNROLLED
    for (int i = 1; i < VECTORS; i++) most[0] = (rg_f32x8)MAX(most[i], most[0]);
    return most[0];
}

/* 2^x for x <= 0, 1 of 0, step by step for some vectors: steps of one wait for each other. Adding 1.5 * 2^23
 * rounds to an integer, which then stands in the lowest bits; 127 more make it an exponent, 0 of -127, and so
 * is the result from there on. The polynomial is that of rg_exp_minusf: its error is 9e-8 of 2^r. */
TARGET RG_INLINE void NAME(powers_of_2)(rg_f32x8 *x, int count)
{
    const float (*c)[8] = power_terms;
    rg_f32x8 shifted[VECTORS], p[VECTORS], round, lowest;
    RG_HIDE(c); /* else each row begins with putting them on the stack */
    round = NAME(load)(c[0]), lowest = NAME(load)(c[1]);
    RG_UNROLLED
    for (int i = 0; i < count; i++) x[i] = (rg_f32x8)MAX(lowest, x[i]);
    RG_UNROLLED
    for (int i = 0; i < count; i++) shifted[i] = x[i] + round;
    RG_UNROLLED
    for (int i = 0; i < count; i++) x[i] -= shifted[i] - round;
    RG_UNROLLED
    for (int i = 0; i < count; i++) p[i] = NAME(load)(c[2]) * x[i] + NAME(load)(c[3]);
    RG_UNROLLED
    for (int k = 4; k < 8; k++) {
        RG_UNROLLED
        for (int i = 0; i < count; i++) p[i] = p[i] * x[i] + NAME(load)(c[k]);
    }
    RG_UNROLLED
    for (int i = 0; i < count; i++) x[i] = p[i] * (rg_f32x8)((rg_i32x8)shifted[i] << 23);
}

/* Scores from j on become weights; returns parts of their sum. */
TARGET RG_INLINE rg_f32x8 NAME(raise)(const query *s, int64_t j, int count, bool adds, float scale,
                                       float most)
{
    rg_f32x8 x[VECTORS], sum;
    RG_UNROLLED
    for (int i = 0; i < count; i++) x[i] = (NAME(score)(s, j + 8 * i, adds) - most) * scale;
    NAME(powers_of_2)(x, count);
    sum = x[0];
    RG_UNROLLED
    for (int i = 1; i < count; i++) sum += x[i];
    RG_UNROLLED
    for (int i = 0; i < count; i++) *(rg_f32x8 *)(void *)(s->score + j + 8 * i) = x[i];
    return sum;
}

/* The greatest is taken off before anything is multiplied: of masks near the end of what floats hold, nothing
 * else stays finite. */
TARGET RG_INLINE rg_f32x8 NAME(raise_all)(const query *s, int64_t count, bool adds, float most)
{
    const float log2_e = 1.44269504f, scale = s->add ? log2_e : log2_e * s->scale;
    rg_f32x8 sum = {0};
    int64_t j = 0;
    for (; j + 8 * VECTORS <= s->whole; j += 8 * VECTORS)
        sum += NAME(raise)(s, j, VECTORS, adds, scale, most);
    for (; j < s->whole; j += 8) sum += NAME(raise)(s, j, 1, adds, scale, most);
    for (; j < s->seen; j += 8) sum += NAME(raise)(s, j, 1, false, scale, most);
    for (; j < count; j++) s->score[j] = 0;
    return sum;
}

/* Weights of up to eight queries, not divided by their sum yet: its inverse is the factor of the result,
 * which has fewer elements. Eight, since what goes across a vector's elements is done for all of them at
 * once. A query that may see nothing stays zero. */
TARGET RG_INLINE void NAME(weigh_some)(const tile *t, int64_t first, int64_t count)
{
    const rg_f32x8 zero = {0}, nothing = zero - INFINITY;
    rg_f32x8 part[8], all, most = nothing;
    query s[8];
    for (int i = 0; i < 8; i++) part[i] = nothing;
    for (int64_t i = 0; i < count; i++) {
        s[i] = query_of(t, first + i);
        bend(t->a, &s[i]);
        if (s[i].add) part[i] = NAME(greatest)(&s[i], true);
        else part[i] = NAME(greatest)(&s[i], false);
    }
    rg_turn8(part);
    for (int i = 0; i < 8; i++) most = (rg_f32x8)MAX(part[i], most);
    most = (rg_f32x8)((rg_i32x8)most & (most != nothing)); /* 0 where there is nothing */
    for (int i = 0; i < 8; i++) part[i] = zero;
    for (int64_t i = 0; i < count; i++) {
        ask_ahead(t, first + i);
        if (s[i].add) part[i] = NAME(raise_all)(&s[i], t->seen, true, most[i]);
        else part[i] = NAME(raise_all)(&s[i], t->seen, false, most[i]);
    }
    rg_turn8(part);
    all = part[0];
    for (int i = 1; i < 8; i++) all += part[i];
    for (int64_t i = 0; i < count; i++) t->factor[first + i] = all[i] == 0 ? 0 : 1 / all[i];
}

TARGET static void NAME(weigh)(const tile *t)
{
    for (int64_t i = 0; i < t->count; i += 8) NAME(weigh_some)(t, i, least(t->count - i, 8));
}
