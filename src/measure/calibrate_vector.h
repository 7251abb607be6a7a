/* calibrate_vector.h - the loops of one vector width: included by calibrate_vector.c with
 *
 *     NAME(x)   a suffix for everything defined here      TARGET   the function attribute
 *     BYTE      of a vector
 *
 * No include guard: that is its purpose.
 */
typedef float NAME(f32) __attribute__((vector_size(BYTE)));
typedef double NAME(f64) __attribute__((vector_size(BYTE)));
typedef uint64_t NAME(word) __attribute__((vector_size(BYTE), may_alias));

/* Each element of each accumulator adds 1 x 1: the sum of all counts the multiply-adds. */
#define FMA_KERNEL(id, type, lanes)                                                  \
    TARGET static double NAME(id)(int64_t steps)                                     \
    {                                                                                \
        type sum[ACCUMULATORS] = {{0}}, b = {0}, c = {0};                            \
        double total = 0;                                                            \
        b += 1;                                                                      \
        c += 1;                                                                      \
        RG_OPAQUE(c);                                                                \
        for (int64_t s = 0; s < steps; s++)                                          \
            UNROLL for (int i = 0; i < ACCUMULATORS; i++) {                          \
                RG_OPAQUE(b);                                                        \
                sum[i] += b * c;                                                     \
            }                                                                        \
        for (int i = 0; i < ACCUMULATORS; i++)                                       \
            for (size_t k = 0; k < (lanes); k++) total += (double)sum[i][k];         \
        return total;                                                                \
    }
FMA_KERNEL(fma_f32, NAME(f32), BYTE / sizeof(float))
FMA_KERNEL(fma_f64, NAME(f64), BYTE / sizeof(double))
#undef FMA_KERNEL

TARGET static int64_t NAME(clock)(int64_t steps)
{
    NAME(f32) sum[SHADOW] = {{0}}, b = {0}, c = {0};
    int64_t count = 0, one = 1;
    RG_OPAQUE(c);
    RG_OPAQUE_WORD(one);
    for (int64_t s = 0; s < steps; s++) {
        UNROLL for (int i = 0; i < RG_CLOCK_PER_STEP; i++) {
            count += one;
            RG_OPAQUE_WORD(count);
        }
        UNROLL for (int i = 0; i < SHADOW; i++) {
            RG_OPAQUE(b);
            sum[i] += b * c;
        }
    }
    UNROLL for (int i = 0; i < SHADOW; i++) RG_OPAQUE(sum[i]);
    return count;
}

TARGET static size_t NAME(read)(char *base, size_t size, size_t at, int64_t steps)
{
    NAME(word) sum[4] = {{0}};
    for (int64_t s = 0; s < steps; s++) {
        const NAME(word) *from = (const void *)(base + at);
        UNROLL for (int i = 0; i < RG_MOVE_BYTE / BYTE; i++) sum[i % 4] += from[i];
        at = next_step(at, size);
    }
    UNROLL for (int i = 0; i < 4; i++) RG_OPAQUE(sum[i]);
    return at;
}

TARGET static size_t NAME(write)(char *base, size_t size, size_t at, int64_t steps)
{
    NAME(word) value = {0};
    for (int64_t s = 0; s < steps; s++) {
        NAME(word) *to = (void *)(base + at);
        UNROLL for (int i = 0; i < RG_MOVE_BYTE / BYTE; i++) {
            RG_OPAQUE(value);
            to[i] = value;
        }
        at = next_step(at, size);
    }
    return at;
}

TARGET static size_t NAME(copy)(char *base, size_t size, size_t at, int64_t steps)
{
    for (int64_t s = 0; s < steps; s++) {
        const NAME(word) *from = (const void *)(base + at);
        NAME(word) *to = (void *)(base + size + at);
        UNROLL for (int i = 0; i < RG_MOVE_BYTE / BYTE; i++) {
            NAME(word) value = from[i];
            RG_OPAQUE(value);
            to[i] = value;
        }
        at = next_step(at, size);
    }
    return at;
}
#undef NAME
#undef TARGET
#undef BYTE
