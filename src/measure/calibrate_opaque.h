/* calibrate_opaque.h - what the compiler must not see through: a value that may be anything from here on, at
 * the cost of no instruction. Without it a loop of equal additions is one multiplication, and a loop of
 * copies a call of memcpy. */
#ifndef RG_CALIBRATE_OPAQUE_H
#define RG_CALIBRATE_OPAQUE_H

#if defined(__x86_64__)
#define RG_OPAQUE(vector) __asm__ volatile("" : "+x"(vector))
#elif defined(__aarch64__)
#define RG_OPAQUE(vector) __asm__ volatile("" : "+w"(vector))
#else
#define RG_OPAQUE(vector) __asm__ volatile("" : "+m"(vector))
#endif
#define RG_OPAQUE_WORD(integer) __asm__ volatile("" : "+r"(integer))

#if defined(__clang__)
#define RG_UNROLL_WHOLE _Pragma("clang loop unroll(full)")
#else
#define RG_UNROLL_WHOLE _Pragma("GCC unroll 64")
#endif

#endif
