// What Swift has no spelling for, inline where the hot path needs it: a prefetch, the compares of an index
// bucket's tags and of sixteen bytes with a blank, barriers, the pause of a spin loop. No logic.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/// Asks the processor to load the cache line of `p`; harmless for any address.
static inline void ci_prefetch(const void *p) { __builtin_prefetch(p, 0, 3); }

/// The same for a line that is about to be written: no other core has it then. (The compiler's own builtin
/// takes an instruction that leaves it to be shared, unless all processors to run on are known to be newer.)
static inline void ci_prefetch_to_write(const void *p) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
    __builtin_prefetch(p, 1, 3);
#endif
}

/// Bit i is set where byte i of the 12 tag bytes at `tags` equals `tag`. `tags` must be readable for 16
/// bytes.
static inline uint32_t ci_match_tags(const void *tags, uint8_t tag) {
#if defined(__SSE2__)
    __m128i lane = _mm_loadu_si128((const __m128i *)tags);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(lane, _mm_set1_epi8((char)tag))) & 0xFFFu;
#else
    uint32_t mask = 0;
    const uint8_t *t = (const uint8_t *)tags;
    for (int i = 0; i < 12; i++) mask |= (uint32_t)(t[i] == tag) << i;
    return mask;
#endif
}

/// Bit i is set where byte i of the 16 bytes at `bytes` is a blank or a control byte (0x20 or less).
static inline uint32_t ci_match_blanks(const void *bytes) {
#if defined(__SSE2__)
    __m128i lane = _mm_loadu_si128((const __m128i *)bytes);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(lane, _mm_min_epu8(lane, _mm_set1_epi8(0x20))));
#else
    uint32_t mask = 0;
    const uint8_t *b = (const uint8_t *)bytes;
    for (int i = 0; i < 16; i++) mask |= (uint32_t)(b[i] <= 0x20) << i;
    return mask;
#endif
}

/// Keeps the compiler from moving memory accesses across; no instruction.
static inline void ci_compiler_barrier(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

/// A memory barrier in every running thread of this process; false where the kernel has none.
bool ci_barrier_in_all_threads(void);

/// Tells the processor that this is a spin-wait loop.
static inline void ci_pause(void) {
#if defined(__SSE2__)
    _mm_pause();
#endif
}

/// What `ci_prefetch_match` saw: an item's handle, or the overflow bucket's where to look next; 0 for none.
typedef struct {
    uint32_t item, overflow;
} ci_sight;

/// Prefetches the item (three cache lines) of the first slot in `bucket` whose tag equals `tag`, or else the
/// bucket's overflow bucket. Reads the bucket without its stripe's lock: what it sees may be stale, and is
/// used for nothing but prefetches. A bucket is 12 tags followed by 12 handles of 4 bytes and its overflow
/// bucket's; a handle counts units of 2^shift bytes from `arena`.
static inline ci_sight ci_prefetch_match(const void *bucket, uint8_t tag, const char *arena, uint32_t shift) {
    uint32_t mask = ci_match_tags(bucket, tag);
    const volatile uint32_t *words = (const volatile uint32_t *)bucket;
    if (mask == 0) {
        ci_sight none = {0, words[15]};
        __builtin_prefetch(arena + ((size_t)none.overflow << shift), 0, 3);
        return none;
    }
    ci_sight some = {words[3 + __builtin_ctz(mask)], 0};
    const char *item = arena + ((size_t)some.item << shift);
    __builtin_prefetch(item, 1, 3);
    __builtin_prefetch(item + 64, 0, 3);
    __builtin_prefetch(item + 128, 0, 3);
    return some;
}
