#include "json_plain.h"
#include <stdint.h>
#include <string.h>

// Eight bytes at a time. A byte is of interest when it is below 0x20, 0x22 or 0x5C; each test sets the byte's high bit
// (the usual "has a zero byte" trick on the word xor the wanted byte). Bytes from 0x80 on are masked out of the tests.
static uint64_t interesting(uint64_t word) {
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quote = word ^ (ones * 0x22), slash = word ^ (ones * 0x5C);
    uint64_t hits = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
    return hits & high;
}

size_t weir_json_plain(const void *bytes, size_t count) {
    const uint8_t *all = bytes;
    size_t index = 0;
    while (index + 8 <= count) {
        uint64_t word;
        memcpy(&word, all + index, 8);
        if (interesting(word)) break;
        index += 8;
    }
    // The tests may also hit a byte after a true hit, so the place itself is found one by one.
    while (index < count && all[index] >= 0x20 && all[index] != 0x22 && all[index] != 0x5C) index++;
    return index;
}
