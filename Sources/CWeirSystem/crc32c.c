// CRC-32C at memory speed.
//
// The SSE4.2 instruction has a latency of three cycles and a throughput of one, so three independent streams run side by side
// over three neighbouring blocks of LANE bytes. The three remainders are joined by "appending zeros": the remainder of A
// followed by n zero bytes is A multiplied by x^(8n) modulo the polynomial, one carry-less multiplication with a constant, and
// the 64-bit product is reduced by feeding it to the crc instruction once more (which itself multiplies by x^32; hence the
// constants are x^(8n-33), the 33 because reflected operands give a product that is one bit short).
// The constants are computed at the first call from the definition instead of being copied from a table.
#include "crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82F63B78u /* reflected */

static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
#include <immintrin.h>
#define LANE_LONG 4096
#define LANE_SHORT 256
static uint32_t shift_long_one, shift_long_two, shift_short_one, shift_short_two;
static int has_instructions;

// x^n modulo the polynomial, reflected: bit 31 is x^0.
static uint32_t power_of_x(uint64_t exponent) {
    uint32_t value = 0x80000000u;
    while (exponent--) value = (value >> 1) ^ ((value & 1) ? POLYNOMIAL : 0);
    return value;
}
#endif

static void prepare(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) ? POLYNOMIAL : 0);
        table[0][byte] = crc;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int byte = 0; byte < 256; byte++)
            table[slice][byte] = (table[slice - 1][byte] >> 8) ^ table[0][table[slice - 1][byte] & 0xFF];
#if defined(__x86_64__)
    has_instructions = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
    shift_long_one = power_of_x(8ull * LANE_LONG - 33);
    shift_long_two = power_of_x(16ull * LANE_LONG - 33);
    shift_short_one = power_of_x(8ull * LANE_SHORT - 33);
    shift_short_two = power_of_x(16ull * LANE_SHORT - 33);
#endif
}

static uint32_t by_table(uint32_t crc, const uint8_t *bytes, size_t length) {
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        word ^= crc;
        crc = table[7][word & 0xFF] ^ table[6][(word >> 8) & 0xFF] ^ table[5][(word >> 16) & 0xFF]
            ^ table[4][(word >> 24) & 0xFF] ^ table[3][(word >> 32) & 0xFF] ^ table[2][(word >> 40) & 0xFF]
            ^ table[1][(word >> 48) & 0xFF] ^ table[0][word >> 56];
        bytes += 8;
        length -= 8;
    }
    while (length--) crc = (crc >> 8) ^ table[0][(crc ^ *bytes++) & 0xFF];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2,pclmul")))
static inline uint64_t shifted(uint64_t crc, uint32_t power) {
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc), _mm_cvtsi64_si128(power), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul")))
static uint32_t by_instruction(uint32_t start, const uint8_t *bytes, size_t length) {
    uint64_t crc = start;
#define WORD(offset) ({ uint64_t word; memcpy(&word, bytes + (offset), 8); word; })
#define LANES(lane, one, two)                                                    \
    while (length >= 3 * (lane)) {                                               \
        uint64_t second = 0, third = 0;                                          \
        for (size_t offset = 0; offset < (lane); offset += 8) {                  \
            crc = _mm_crc32_u64(crc, WORD(offset));                              \
            second = _mm_crc32_u64(second, WORD((lane) + offset));               \
            third = _mm_crc32_u64(third, WORD(2 * (lane) + offset));             \
        }                                                                        \
        crc = shifted(crc, two) ^ shifted(second, one) ^ third;                  \
        bytes += 3 * (lane);                                                     \
        length -= 3 * (lane);                                                    \
    }
    LANES(LANE_LONG, shift_long_one, shift_long_two)
    LANES(LANE_SHORT, shift_short_one, shift_short_two)
#undef LANES
    while (length >= 8) {
        crc = _mm_crc32_u64(crc, WORD(0));
        bytes += 8;
        length -= 8;
    }
#undef WORD
    while (length--) crc = _mm_crc32_u8((uint32_t)crc, *bytes++);
    return (uint32_t)crc;
}
#endif

uint32_t weir_crc32c_portable(uint32_t crc, const void *bytes, size_t length) {
    pthread_once(&once, prepare);
    return ~by_table(~crc, bytes, length);
}

uint32_t weir_crc32c(uint32_t crc, const void *bytes, size_t length) {
    pthread_once(&once, prepare);
#if defined(__x86_64__)
    if (has_instructions) return ~by_instruction(~crc, bytes, length);
#endif
    return ~by_table(~crc, bytes, length);
}
