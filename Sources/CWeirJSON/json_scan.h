// The walk over one object, included once for each instruction set: `SCAN_TARGET`, `masks` and `parity` differ.
// `masks(block)` gives the bit masks of 64 bytes; `parity(bits)` has a bit set where an odd number of bits lies at or below.

// Finds the keys of one object that begins at `text` (an opening brace). `values[k]` becomes the offset of key k's value,
// 0 where there is none. Gives the offset after the closing brace, 0 for a malformed text.
SCAN_TARGET static size_t scan(const uint8_t *text, size_t length, size_t readable, const Keys &keys, uint32_t *values,
                               bool *has_escapes) {
    uint64_t string_carry = 0;      // all ones while inside a string at a block's start
    uint64_t escape_carry = 0;      // 1 when the block's first byte is escaped
    size_t backslash_last = 0;      // offset of the last backslash before the block, 0 for none
    size_t opening_last = 0;        // offset of the last opening quote before the block
    bool escapes = false;
    size_t depth = 0;
    const Probe *probes = keys.probes.data();
    const size_t count = keys.probes.size();
    for (size_t k = 0; k < count; k++) values[k] = 0;
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
        if (left < 64) {
            uint64_t valid = (uint64_t(1) << left) - 1;
            m.quote &= valid;
            m.backslash &= valid;
            m.open &= valid;
            m.close &= valid;
            m.colon &= valid;
        }
        if (__builtin_expect((m.backslash | escape_carry) != 0, 0)) {
            escapes = true;
            // One backslash escapes the byte after it, so that byte is none itself.
            uint64_t rest = m.backslash & ~escape_carry;
            uint64_t escaped = escape_carry;
            escape_carry = 0;
            while (rest) {
                uint64_t bit = rest & (0 - rest);
                uint64_t next = bit << 1;
                if (next == 0) escape_carry = 1;
                escaped |= next;
                rest &= ~(bit | next);
            }
            m.quote &= ~escaped;
        }
        const uint64_t inside = parity(m.quote) ^ string_carry;
        string_carry = uint64_t(int64_t(inside) >> 63);
        const uint64_t opening = m.quote & inside;
        uint64_t colons = m.colon & ~inside;
        uint64_t brackets = (m.open | m.close) & ~inside;
        while (true) {
            // All colons before the next bracket have the same depth.
            uint64_t bracket = brackets & (0 - brackets);
            uint64_t here = bracket ? colons & (bracket - 1) : colons;
            colons ^= here;
            if (depth == 1) {
                while (here) {
                    const uint64_t bit = here & (0 - here);
                    const size_t at = base + size_t(__builtin_ctzll(here));
                    here ^= bit;
                    const size_t quote = at - 1;  // an opening brace came first
                    if (__builtin_expect(text[quote] != '"' || readable < 8, 0)) {
                        if (!note_spaced_key(text, length, at, keys, values)) return 0;
                        continue;
                    }
                    size_t start = 0;
                    if (__builtin_expect(escapes, 0)) {
                        const uint64_t before = opening & (bit - 1), slashes = m.backslash & (bit - 1);
                        start = before ? base + 63 - size_t(__builtin_clzll(before)) : opening_last;
                        size_t slash = slashes ? base + 63 - size_t(__builtin_clzll(slashes)) : backslash_last;
                        if (slash > start) {
                            note_escaped_key(text, length, start, quote, at, keys, values);
                            continue;
                        }
                    }
                    uint64_t word;
                    if (__builtin_expect(quote >= 8, 1)) {
                        memcpy(&word, text + quote - 8, 8);
                    } else {
                        memcpy(&word, text, 8);
                        word <<= 8 * (8 - quote);
                    }
                    for (size_t k = 0; k < count; k++) {
                        if (__builtin_expect(((word ^ probes[k].tail) & probes[k].mask) == 0, 0)) {
                            note_value(text, length, start, quote, at, keys, k, values);
                        }
                    }
                }
            }
            if (bracket == 0) break;
            brackets ^= bracket;
            if (bracket & m.open) {
                depth++;
                continue;
            }
            if (depth == 0) return 0;
            if (--depth == 0) {
                const size_t at = base + size_t(__builtin_ctzll(bracket));
                *has_escapes = escapes;
                return text[at] == '}' ? at + 1 : 0;
            }
        }
        if (opening) opening_last = base + 63 - size_t(__builtin_clzll(opening));
        if (m.backslash) backslash_last = base + 63 - size_t(__builtin_clzll(m.backslash));
    }
    return 0;
}
