// The walk for texts up to 4 KiB without a backslash, which most events are: first the places of all colons and brackets
// outside strings, then the keys. Two plain loops mispredict a few branches an event, where `scan` mispredicts some a block.
SCAN_TARGET static size_t scan_short(const uint8_t *text, size_t length, size_t readable, const Keys &keys, uint32_t *values,
                                   bool *has_escapes) {
    constexpr size_t most = 4096;
    if (length > most || readable < 8) return scan(text, length, readable, keys, values, has_escapes);
    uint16_t places[most + 64];
    size_t found = 0;
    uint64_t string_carry = 0;
    for (size_t base = 0; base < length; base += 64) {
        Masks m;
        size_t left = length - base;
        if (__builtin_expect(readable - base >= 64, 1)) {
            m = masks(text + base);
        } else {
            alignas(64) uint8_t copy[64];
            memset(copy, ' ', 64);
            memcpy(copy, text + base, left < 64 ? left : 64);
            m = masks(copy);
        }
        uint64_t valid = left < 64 ? (uint64_t(1) << left) - 1 : ~uint64_t(0);
        if (__builtin_expect((m.backslash & valid) != 0, 0)) {
            return scan(text, length, readable, keys, values, has_escapes);
        }
        uint64_t inside = parity(m.quote & valid) ^ string_carry;
        string_carry = uint64_t(int64_t(inside) >> 63);
        uint64_t bits = (m.colon | m.open | m.close) & valid & ~inside;
        size_t next = found + size_t(__builtin_popcountll(bits));
        // Eight at a time without looking how many there are: what is too much is overwritten by the next block.
        do {
            for (size_t i = 0; i < 8; i++) {
                places[found + i] = uint16_t(base + _tzcnt_u64(bits));
                bits = _blsr_u64(bits);
            }
            found += 8;
        } while (__builtin_expect(bits != 0, 0));
        found = next;
    }
    if (string_carry) return 0;
    const Probe *probes = keys.probes.data();
    const size_t count = keys.probes.size();
    for (size_t k = 0; k < count; k++) values[k] = 0;
    size_t depth = 0;
    for (size_t i = 0; i < found; i++) {
        size_t at = places[i];
        uint8_t byte = text[at];
        if (__builtin_expect(byte == ':', 1)) {
            if (depth != 1) continue;
            const size_t quote = at - 1;
            if (__builtin_expect(text[quote] != '"', 0)) {
                if (!note_spaced_key(text, length, at, keys, values)) return 0;
                continue;
            }
            uint64_t word;
            if (__builtin_expect(quote >= 8, 1)) {
                memcpy(&word, text + quote - 8, 8);
            } else {
                memcpy(&word, text, 8);
                word <<= 8 * (8 - quote);
            }
            for (size_t k = 0; k < count; k++) {
                if (__builtin_expect(((word ^ probes[k].tail) & probes[k].mask) != 0, 1)) continue;
                if (probes[k].is_whole) {
                    values[k] = after_blanks(text, length, at + 1);
                } else {
                    note_value(text, length, 0, quote, at, keys, k, values);
                }
            }
        } else if ((byte | 0x20) == '{') {
            depth++;
        } else {
            if (depth == 0) return 0;
            if (--depth == 0) {
                *has_escapes = false;
                return byte == '}' ? at + 1 : 0;
            }
        }
    }
    return 0;
}
