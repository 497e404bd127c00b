// The walk over one object, included once for each instruction set: SCAN_NAMESPACE, SCAN_TARGET and `masks` differ.
// `masks(block)` gives the bit masks of 64 bytes.

// Finds the keys of one object that begins at `text` (an opening brace). `values[k]` becomes the offset of key k's value,
// 0 where there is none. Gives the offset after the closing brace, 0 for a malformed text.
SCAN_TARGET static size_t scan(const uint8_t *text, size_t length, size_t readable, const Key *keys, size_t count,
                               uint32_t *values, bool *has_escapes) {
    uint64_t string_carry = 0;  // all ones while inside a string at a block's start
    bool escape_carry = false;  // the block's first byte is escaped
    bool escapes = false;
    size_t depth = 0;
    for (size_t k = 0; k < count; k++) values[k] = 0;
    for (size_t base = 0; base < length; base += 64) {
        Masks m;
        size_t left = length - base;
        if (readable - base >= 64) {
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
        if (m.backslash | uint64_t(escape_carry)) {
            escapes = true;
            // One backslash escapes the byte after it, so that byte is none itself.
            uint64_t rest = m.backslash & ~uint64_t(escape_carry);
            uint64_t escaped = uint64_t(escape_carry);
            escape_carry = false;
            while (rest) {
                uint64_t bit = rest & (0 - rest);
                uint64_t next = bit << 1;
                if (next == 0) escape_carry = true;
                escaped |= next;
                rest &= ~(bit | next);
            }
            m.quote &= ~escaped;
        }
        uint64_t inside = parity(m.quote) ^ string_carry;
        string_carry = uint64_t(int64_t(inside) >> 63);
        uint64_t outside = ~inside;
        uint64_t brackets = (m.open | m.close) & outside;
        uint64_t colons = m.colon & outside;
        if (brackets == 0) {
            if (depth != 1) continue;
            while (colons) {
                size_t at = base + size_t(__builtin_ctzll(colons));
                colons &= colons - 1;
                if (!note_key(text, length, at, keys, count, values, escapes)) return 0;
            }
            continue;
        }
        uint64_t events = brackets | colons;
        while (events) {
            uint64_t bit = events & (0 - events);
            size_t at = base + size_t(__builtin_ctzll(events));
            events &= events - 1;
            if (bit & m.colon) {
                if (depth == 1 && !note_key(text, length, at, keys, count, values, escapes)) return 0;
            } else if (bit & m.open) {
                depth++;
            } else {
                if (depth == 0) return 0;
                if (--depth == 0) {
                    *has_escapes = escapes;
                    return text[at] == '}' ? at + 1 : 0;
                }
            }
        }
    }
    return 0;
}
