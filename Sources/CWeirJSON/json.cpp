#include "CWeirJSON.h"

#include <new>
#include <string.h>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

struct Masks {
    uint64_t quote, backslash, open, close, colon;
};

// A key to look for.
struct Key {
    std::string name;
    int slot = -1;   // where its value is noted, if it is asked for itself
    int child = -1;  // the group of names looked for inside it
};

// Tests the (up to) eight bytes before a key's closing quote in one comparison, the opening quote included where it fits.
struct Probe {
    uint64_t tail = 0, mask = 0;
    bool is_whole;  // the probe sees the key with both quotes' places, so a hit is certain

    explicit Probe(const std::string &name) {
        std::string quoted = "\"" + name;
        size_t used = quoted.size() < 8 ? quoted.size() : 8;
        is_whole = quoted.size() <= 8;
        uint8_t bytes[8] = {0}, ones[8] = {0};
        for (size_t i = 0; i < used; i++) {
            bytes[8 - used + i] = uint8_t(quoted[quoted.size() - used + i]);
            ones[8 - used + i] = 0xFF;
        }
        memcpy(&tail, bytes, 8);
        memcpy(&mask, ones, 8);
    }
};

struct Keys {
    std::vector<Key> names;
    std::vector<Probe> probes;

    void add(const std::string &name) {
        names.push_back(Key{name, -1, -1});
        probes.emplace_back(name);
    }
};

inline bool is_blank(uint8_t byte) { return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r'; }

int hex_digit(uint8_t byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

// Whether the raw content of a JSON string, escapes and all, spells the name.
bool spells(const uint8_t *raw, size_t length, const std::string &name) {
    std::string text;
    for (size_t i = 0; i < length; i++) {
        if (raw[i] != '\\') {
            text.push_back(char(raw[i]));
            continue;
        }
        if (++i >= length) return false;
        switch (raw[i]) {
        case 'b': text.push_back('\b'); break;
        case 'f': text.push_back('\f'); break;
        case 'n': text.push_back('\n'); break;
        case 'r': text.push_back('\r'); break;
        case 't': text.push_back('\t'); break;
        case 'u': {
            uint32_t point = 0;
            if (length - i < 5) return false;
            for (int d = 1; d <= 4; d++) {
                int digit = hex_digit(raw[i + size_t(d)]);
                if (digit < 0) return false;
                point = point << 4 | uint32_t(digit);
            }
            i += 4;
            if (point >= 0xD800 && point < 0xDC00 && length - i >= 7 && raw[i + 1] == '\\' && raw[i + 2] == 'u') {
                uint32_t low = 0;
                bool valid = true;
                for (int d = 3; d <= 6; d++) {
                    int digit = hex_digit(raw[i + size_t(d)]);
                    valid = valid && digit >= 0;
                    low = low << 4 | uint32_t(digit < 0 ? 0 : digit);
                }
                if (valid && low >= 0xDC00 && low < 0xE000) {
                    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
                    i += 6;
                }
            }
            if (point < 0x80) {
                text.push_back(char(point));
            } else if (point < 0x800) {
                text.push_back(char(0xC0 | point >> 6));
                text.push_back(char(0x80 | (point & 63)));
            } else if (point < 0x10000) {
                text.push_back(char(0xE0 | point >> 12));
                text.push_back(char(0x80 | (point >> 6 & 63)));
                text.push_back(char(0x80 | (point & 63)));
            } else {
                text.push_back(char(0xF0 | point >> 18));
                text.push_back(char(0x80 | (point >> 12 & 63)));
                text.push_back(char(0x80 | (point >> 6 & 63)));
                text.push_back(char(0x80 | (point & 63)));
            }
            break;
        }
        default: text.push_back(char(raw[i]));
        }
        if (text.size() > name.size()) return false;
    }
    return text == name;
}

inline uint32_t after_blanks(const uint8_t *text, size_t length, size_t at) {
    while (at < length && is_blank(text[at])) at++;
    return uint32_t(at);
}

// The probe hit: compares what it did not see. `start` is the opening quote where it is known, else 0 (then the event had
// no backslash so far, and a quote is a quote).
__attribute__((noinline)) void note_value(const uint8_t *text, size_t length, size_t start, size_t quote, size_t colon,
                                          const Keys &keys, size_t k, uint32_t *values) {
    const std::string &name = keys.names[k].name;
    size_t size = name.size();
    if (quote < size + 2 || text[quote - size - 1] != '"' || (start && start != quote - size - 1)) return;
    if (memcmp(text + quote - size, name.data(), size) == 0) values[k] = after_blanks(text, length, colon + 1);
}

__attribute__((noinline)) void note_escaped_key(const uint8_t *text, size_t length, size_t start, size_t quote,
                                                size_t colon, const Keys &keys, uint32_t *values) {
    for (size_t k = 0; k < keys.names.size(); k++) {
        if (quote > start && spells(text + start + 1, quote - start - 1, keys.names[k].name)) {
            values[k] = after_blanks(text, length, colon + 1);
        }
    }
}

// A colon with blanks before it, or in a text too short for a probe. False where no key stands there.
__attribute__((noinline)) bool note_spaced_key(const uint8_t *text, size_t length, size_t colon, const Keys &keys,
                                               uint32_t *values) {
    size_t quote = colon - 1;
    while (quote > 0 && is_blank(text[quote])) quote--;
    if (text[quote] != '"') return false;
    size_t start = quote;
    while (start > 0) {
        start--;
        if (text[start] != '"') continue;
        size_t slashes = 0;
        while (slashes < start && text[start - 1 - slashes] == '\\') slashes++;
        if (slashes % 2 == 0) break;
    }
    note_escaped_key(text, length, start, quote, colon, keys, values);
    return true;
}

namespace plain {
inline uint64_t parity(uint64_t bits) {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    return bits;
}
inline Masks masks(const uint8_t *block) {
    Masks m = {0, 0, 0, 0, 0};
    for (int i = 0; i < 64; i++) {
        uint64_t bit = uint64_t(1) << i;
        switch (block[i]) {
        case '"': m.quote |= bit; break;
        case '\\': m.backslash |= bit; break;
        case '{': case '[': m.open |= bit; break;
        case '}': case ']': m.close |= bit; break;
        case ':': m.colon |= bit; break;
        default: break;
        }
    }
    return m;
}
#define SCAN_TARGET
#include "json_scan.h"
#undef SCAN_TARGET
}  // namespace plain

#if defined(__x86_64__)
namespace sse2 {
using plain::parity;
inline uint64_t equal(const __m128i *v, char byte) {
    const __m128i wanted = _mm_set1_epi8(byte);
    uint64_t a = uint32_t(_mm_movemask_epi8(_mm_cmpeq_epi8(v[0], wanted)));
    uint64_t b = uint32_t(_mm_movemask_epi8(_mm_cmpeq_epi8(v[1], wanted)));
    uint64_t c = uint32_t(_mm_movemask_epi8(_mm_cmpeq_epi8(v[2], wanted)));
    uint64_t d = uint32_t(_mm_movemask_epi8(_mm_cmpeq_epi8(v[3], wanted)));
    return a | b << 16 | c << 32 | d << 48;
}
inline Masks masks(const uint8_t *block) {
    __m128i v[4], folded[4];
    // '{' and '[', '}' and ']' differ in one bit only.
    const __m128i bit = _mm_set1_epi8(0x20);
    for (int i = 0; i < 4; i++) {
        v[i] = _mm_loadu_si128(reinterpret_cast<const __m128i *>(block + 16 * i));
        folded[i] = _mm_or_si128(v[i], bit);
    }
    return {equal(v, '"'), equal(v, '\\'), equal(folded, '{'), equal(folded, '}'), equal(v, ':')};
}
#define SCAN_TARGET
#include "json_scan.h"
#undef SCAN_TARGET
}  // namespace sse2

#define WEIR_AVX2 __attribute__((target("avx2,pclmul,bmi,bmi2,popcnt")))
namespace avx2 {
WEIR_AVX2 inline uint64_t parity(uint64_t bits) {
    const __m128i ones = _mm_set1_epi8(char(0xFF));
    return uint64_t(_mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_set_epi64x(0, int64_t(bits)), ones, 0)));
}
WEIR_AVX2 inline uint64_t equal(__m256i low, __m256i high, char byte) {
    const __m256i wanted = _mm256_set1_epi8(byte);
    uint64_t a = uint32_t(_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)));
    uint64_t b = uint32_t(_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)));
    return a | b << 32;
}
WEIR_AVX2 inline Masks masks(const uint8_t *block) {
    __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(block));
    __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(block + 32));
    const __m256i bit = _mm256_set1_epi8(0x20);
    __m256i low_folded = _mm256_or_si256(low, bit), high_folded = _mm256_or_si256(high, bit);
    return {equal(low, high, '"'), equal(low, high, '\\'), equal(low_folded, high_folded, '{'),
            equal(low_folded, high_folded, '}'), equal(low, high, ':')};
}
#define SCAN_TARGET WEIR_AVX2
#include "json_scan.h"
#include "json_scan_short.h"
#undef SCAN_TARGET
}  // namespace avx2

#endif

using Scan = size_t (*)(const uint8_t *, size_t, size_t, const Keys &, uint32_t *, bool *);

int best_level() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool has_clmul = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    if (has_clmul && __builtin_cpu_supports("avx2")) return 2;
    return 1;
#else
    return 0;
#endif
}

Scan scan_of(int level) {
#if defined(__x86_64__)
    if (level == 2) return avx2::scan_short;
    if (level == 1) return sse2::scan;
#endif
    (void)level;
    return plain::scan;
}

int chosen_level = best_level();
Scan scan_object = scan_of(chosen_level);

// MARK: Clauses

struct Constant {
    int kind = WEIR_NULL;
    int64_t whole = 0;
    double real = 0;
    std::string text;
    // A string of up to seven bytes with its closing quote, for one comparison; mask 0 for longer ones.
    uint64_t word = 0, mask = 0;
};

struct Clause {
    int slot;
    int operation;
    uint8_t missing;
    std::vector<Constant> constants;
    weir_pattern_found found = nullptr;
    const void *pattern = nullptr;
};

struct Slot {
    bool is_text, has_fallback, is_nested;
};

struct Step {
    int step, index;
};

struct Value {
    int kind;
    const uint8_t *text = nullptr;
    size_t length = 0;
    int64_t whole = 0;
    double real = 0;
    bool is_raw = false;  // a JSON string as written: may hold escapes
};

inline uint8_t answer(bool yes) { return yes ? WEIR_YES : WEIR_NO; }

inline bool is_string_equal(const Constant &c, const Value &v) {
    return c.text.size() == v.length && memcmp(c.text.data(), v.text, v.length) == 0;
}

inline bool equals(const Constant &c, const Value &v) {
    switch (v.kind) {
    case WEIR_NULL: return c.kind == WEIR_NULL;
    case WEIR_BOOL: return c.kind == WEIR_BOOL && c.whole == v.whole;
    case WEIR_INT: return (c.kind == WEIR_INT && c.whole == v.whole) || (c.kind == WEIR_DOUBLE && c.real == double(v.whole));
    case WEIR_DOUBLE: return (c.kind == WEIR_DOUBLE && c.real == v.real) || (c.kind == WEIR_INT && double(c.whole) == v.real);
    default: return c.kind == WEIR_STRING && is_string_equal(c, v);
    }
}

template <typename T> inline uint8_t ordered(int operation, T a, T b) {
    switch (operation) {
    case WEIR_LESS: return answer(a < b);
    case WEIR_LESS_EQUAL: return answer(a <= b);
    case WEIR_GREATER: return answer(a > b);
    default: return answer(a >= b);
    }
}

bool has_high(const uint8_t *text, size_t length) {
    uint8_t all = 0;
    for (size_t i = 0; i < length; i++) all |= text[i];
    return all >= 0x80;
}

uint8_t judge_order(const Clause &clause, const Value &v) {
    const Constant &c = clause.constants[0];
    if (v.kind == WEIR_INT && c.kind == WEIR_INT) return ordered(clause.operation, v.whole, c.whole);
    bool is_number = v.kind == WEIR_INT || v.kind == WEIR_DOUBLE;
    if (is_number && (c.kind == WEIR_INT || c.kind == WEIR_DOUBLE)) {
        double a = v.kind == WEIR_INT ? double(v.whole) : v.real;
        double b = c.kind == WEIR_INT ? double(c.whole) : c.real;
        return ordered(clause.operation, a, b);
    }
    if (v.kind == WEIR_BOOL && c.kind == WEIR_BOOL) return ordered(clause.operation, v.whole, c.whole);
    if (v.kind == WEIR_STRING && c.kind == WEIR_STRING) {
        // Bytes that are no UTF-8 would sort elsewhere once repaired.
        if (has_high(v.text, v.length)) return WEIR_UNDECIDED;
        size_t shared = v.length < c.text.size() ? v.length : c.text.size();
        int order = shared ? memcmp(v.text, c.text.data(), shared) : 0;
        if (order == 0) order = v.length < c.text.size() ? -1 : v.length > c.text.size() ? 1 : 0;
        return ordered(clause.operation, order, 0);
    }
    return WEIR_FAILED;
}

inline bool holds(const uint8_t *text, size_t length, const std::string &part) {
    if (part.empty()) return true;
    return length >= part.size() && memmem(text, length, part.data(), part.size()) != nullptr;
}

uint8_t judge(const Clause &clause, const Value &v) {
    switch (clause.operation) {
    case WEIR_HAS: return WEIR_YES;
    case WEIR_IS_TRUE: return v.kind == WEIR_BOOL ? answer(v.whole != 0) : uint8_t(WEIR_FAILED);
    case WEIR_EQUAL: return answer(equals(clause.constants[0], v));
    case WEIR_NOT_EQUAL: return answer(!equals(clause.constants[0], v));
    case WEIR_IN:
        for (const Constant &c : clause.constants) {
            if (equals(c, v)) return WEIR_YES;
        }
        return WEIR_NO;
    case WEIR_LESS: case WEIR_LESS_EQUAL: case WEIR_GREATER: case WEIR_GREATER_EQUAL: return judge_order(clause, v);
    default: break;
    }
    if (v.kind != WEIR_STRING) return WEIR_FAILED;
    if (clause.operation == WEIR_PATTERN) {
        if (has_high(v.text, v.length)) return WEIR_UNDECIDED;
        return answer(clause.found(clause.pattern, reinterpret_cast<const char *>(v.text), v.length) != 0);
    }
    const std::string &part = clause.constants[0].text;
    switch (clause.operation) {
    case WEIR_STARTS: return answer(v.length >= part.size() && memcmp(v.text, part.data(), part.size()) == 0);
    case WEIR_ENDS:
        return answer(v.length >= part.size() && memcmp(v.text + v.length - part.size(), part.data(), part.size()) == 0);
    default: return answer(holds(v.text, v.length, part));
    }
}

inline bool ends_value(const uint8_t *text, size_t at, size_t length) {
    return at < length && (text[at] == ',' || text[at] == '}' || text[at] == ']' || is_blank(text[at]));
}

inline bool is_word(const uint8_t *text, size_t at, size_t length, const char *word, size_t size) {
    return length - at > size && memcmp(text + at, word, size) == 0 && ends_value(text, at + size, length);
}

const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                         1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Numbers whose value is certain in plain arithmetic: up to 18 digits; with a fraction or an exponent up to 15 digits and
// 10^±22, where one multiplication or division of exact doubles is rounded correctly (Clinger 1990).
bool read_number(const uint8_t *text, size_t at, size_t length, Value &v) {
    bool negative = text[at] == '-';
    if (negative) at++;
    size_t first = at;
    uint64_t digits = 0;
    while (at < length && text[at] >= '0' && text[at] <= '9' && at - first < 19) digits = digits * 10 + (text[at++] - '0');
    size_t count = at - first;
    if (count == 0 || count > 18 || (count > 1 && text[first] == '0')) return false;
    if (ends_value(text, at, length)) {
        v.kind = WEIR_INT;
        v.whole = negative ? -int64_t(digits) : int64_t(digits);
        return true;
    }
    int exponent = 0;
    if (at < length && text[at] == '.') {
        size_t dot = ++at;
        while (at < length && text[at] >= '0' && text[at] <= '9' && count < 19) {
            digits = digits * 10 + (text[at++] - '0');
            count++;
        }
        if (at == dot) return false;
        exponent = -int(at - dot);
    }
    if (at < length && (text[at] | 0x20) == 'e') {
        at++;
        bool minus = at < length && text[at] == '-';
        if (at < length && (text[at] == '-' || text[at] == '+')) at++;
        size_t start = at;
        int given = 0;
        while (at < length && text[at] >= '0' && text[at] <= '9' && at - start < 4) given = given * 10 + (text[at++] - '0');
        if (at == start) return false;
        exponent += minus ? -given : given;
    }
    if (count > 15 || exponent < -22 || exponent > 22 || !ends_value(text, at, length)) return false;
    double real = double(digits);
    real = exponent < 0 ? real / powers[-exponent] : real * powers[exponent];
    v.kind = WEIR_DOUBLE;
    v.real = negative ? -real : real;
    return true;
}

// A string constant against a JSON string as written, when the event holds no backslash.
inline bool raw_equals(const Constant &c, const uint8_t *text, size_t at, size_t length) {
    size_t size = c.text.size();
    if (c.mask && length - at > 8) {
        uint64_t word;
        memcpy(&word, text + at + 1, 8);
        return ((word ^ c.word) & c.mask) == 0;
    }
    return c.kind == WEIR_STRING && length - at > size + 1 && text[at + 1 + size] == '"' &&
           memcmp(text + at + 1, c.text.data(), size) == 0;
}

uint8_t judge_json(const Clause &clause, const uint8_t *text, size_t at, size_t length, bool escapes) {
    if (clause.operation == WEIR_HAS) return WEIR_YES;
    Value v;
    v.kind = WEIR_NULL;
    switch (text[at]) {
    case '"': {
        if (!escapes) {
            // Equality needs no end of the string: the constant itself has no quote (such constants never come here).
            if (clause.operation == WEIR_EQUAL) return answer(raw_equals(clause.constants[0], text, at, length));
            if (clause.operation == WEIR_NOT_EQUAL) return answer(!raw_equals(clause.constants[0], text, at, length));
            if (clause.operation == WEIR_IN) {
                for (const Constant &c : clause.constants) {
                    if (raw_equals(c, text, at, length)) return WEIR_YES;
                }
                return WEIR_NO;
            }
        }
        const void *end = memchr(text + at + 1, '"', length - at - 1);
        if (!end) return WEIR_UNDECIDED;
        v.kind = WEIR_STRING;
        v.text = text + at + 1;
        v.length = size_t(static_cast<const uint8_t *>(end) - v.text);
        if (escapes && memchr(v.text, '\\', v.length)) return WEIR_UNDECIDED;
        break;
    }
    case 't':
        if (!is_word(text, at, length, "true", 4)) return WEIR_UNDECIDED;
        v.kind = WEIR_BOOL;
        v.whole = 1;
        break;
    case 'f':
        if (!is_word(text, at, length, "false", 5)) return WEIR_UNDECIDED;
        v.kind = WEIR_BOOL;
        break;
    case 'n':
        if (!is_word(text, at, length, "null", 4)) return WEIR_UNDECIDED;
        break;
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        if (!read_number(text, at, length, v)) return WEIR_UNDECIDED;
        break;
    default: return WEIR_UNDECIDED;
    }
    return judge(clause, v);
}

constexpr size_t slots_most = 32, steps_most = 256, levels_most = 8;

constexpr uint32_t broken = 0xFFFFFFFF;

}  // namespace

struct weir_matcher {
    std::vector<Keys> groups = std::vector<Keys>(1);
    std::vector<Slot> slots;
    std::vector<Clause> clauses;
    std::vector<Step> program;
    // Nothing but clauses joined by one operator: they are judged in turn, until one decides. -1 for other programs.
    int only = -1;

    // Notes where each slot's value begins: 0 not there, `broken` where the way to it ends early. False: malformed.
    bool find(size_t group, const uint8_t *text, size_t offset, size_t length, size_t readable, uint32_t *places,
              bool *escapes, bool is_root) const {
        const Keys &group_keys = groups[group];
        const std::vector<Key> &keys = group_keys.names;
        uint32_t values[slots_most];
        bool found_escapes = false;
        size_t end = scan_object(text + offset, length - offset, readable - offset, group_keys, values, &found_escapes);
        if (end == 0) return false;
        if (is_root) {
            for (size_t i = offset + end; i < length; i++) {
                if (!is_blank(text[i])) return false;
            }
        }
        if (found_escapes) *escapes = true;
        for (size_t k = 0; k < keys.size(); k++) {
            size_t at = values[k] ? offset + values[k] : 0;
            if (keys[k].slot >= 0) places[keys[k].slot] = uint32_t(at);
            if (keys[k].child < 0) continue;
            if (at && at < length && text[at] == '{') {
                if (!find(size_t(keys[k].child), text, at, length, readable, places, escapes, false)) return false;
            } else {
                break_off(size_t(keys[k].child), places);
            }
        }
        return true;
    }

    void break_off(size_t group, uint32_t *places) const {
        for (const Key &key : groups[group].names) {
            if (key.slot >= 0) places[key.slot] = broken;
            if (key.child >= 0) break_off(size_t(key.child), places);
        }
    }

    uint8_t join(const uint8_t *answers, const uint8_t *batch) const {
        uint8_t stack[steps_most];
        size_t top = 0;
        for (const Step &step : program) {
            switch (step.step) {
            case WEIR_PUSH_CLAUSE: stack[top++] = answers[step.index]; break;
            case WEIR_PUSH_BATCH: stack[top++] = batch[step.index]; break;
            case WEIR_PUSH_UNDECIDED: stack[top++] = WEIR_UNDECIDED; break;
            case WEIR_NOT:
                if (stack[top - 1] <= WEIR_YES) stack[top - 1] ^= 1;
                break;
            default: {
                // The deciding answer wins over a failure, whichever side it is on; so does it over an open question.
                uint8_t b = stack[--top], a = stack[top - 1];
                uint8_t deciding = step.step == WEIR_AND ? WEIR_NO : WEIR_YES;
                if (a == deciding || b == deciding) {
                    stack[top - 1] = deciding;
                } else {
                    stack[top - 1] = a == WEIR_UNDECIDED || b == WEIR_UNDECIDED ? uint8_t(WEIR_UNDECIDED)
                                     : a == WEIR_FAILED || b == WEIR_FAILED     ? uint8_t(WEIR_FAILED)
                                                                                : uint8_t(deciding ^ 1);
                }
            }
            }
        }
        return top == 1 ? stack[0] : uint8_t(WEIR_UNDECIDED);
    }

    uint8_t one(const uint8_t *text, size_t length, size_t readable, const uint8_t *batch) const {
        uint8_t answers[steps_most];
        size_t start = 0;
        while (start < length && is_blank(text[start])) start++;
        if (start == length || text[start] != '{') {
            Value whole;
            whole.kind = WEIR_STRING;
            whole.text = text;
            whole.length = length;
            for (size_t i = 0; i < clauses.size(); i++) {
                const Slot &slot = slots[size_t(clauses[i].slot)];
                answers[i] = slot.is_text        ? judge(clauses[i], whole)
                             : slot.has_fallback ? uint8_t(WEIR_UNDECIDED)
                             : slot.is_nested    ? uint8_t(WEIR_FAILED)
                                                 : clauses[i].missing;
            }
            return join(answers, batch);
        }
        uint32_t places[slots_most];
        bool escapes = false;
        if (length >= broken || !find(0, text, start, length, readable, places, &escapes, true)) return WEIR_UNDECIDED;
        if (only >= 0) {
            uint8_t deciding = only == WEIR_AND ? WEIR_NO : WEIR_YES, result = deciding ^ 1;
            for (const Clause &clause : clauses) {
                uint8_t one = judge_place(clause, text, length, places[clause.slot], escapes);
                if (one == deciding) return deciding;
                // An open question outweighs a failure, a failure an answer that does not decide.
                if (one > WEIR_YES && (result <= WEIR_YES || one > result)) result = one;
            }
            return result;
        }
        for (size_t i = 0; i < clauses.size(); i++) {
            answers[i] = judge_place(clauses[i], text, length, places[clauses[i].slot], escapes);
        }
        return join(answers, batch);
    }

    inline uint8_t judge_place(const Clause &clause, const uint8_t *text, size_t length, uint32_t place, bool escapes) const {
        if (place == broken) return WEIR_FAILED;
        if (place == 0) return slots[size_t(clause.slot)].has_fallback ? uint8_t(WEIR_UNDECIDED) : clause.missing;
        return place < length ? judge_json(clause, text, place, length, escapes) : uint8_t(WEIR_UNDECIDED);
    }
};

extern "C" weir_matcher *weir_matcher_make(void) { return new (std::nothrow) weir_matcher(); }

extern "C" void weir_matcher_free(weir_matcher *matcher) { delete matcher; }

extern "C" int weir_matcher_path(weir_matcher *matcher, const char *const *names, const size_t *lengths, size_t count,
                                 int is_text, int has_fallback) {
    if (count == 0 || count > levels_most) return -1;
    size_t group = 0;
    for (size_t level = 0; level < count; level++) {
        std::string name(names[level], lengths[level]);
        std::vector<Key> &keys = matcher->groups[group].names;
        size_t at = 0;
        while (at < keys.size() && keys[at].name != name) at++;
        if (at == keys.size()) {
            if (keys.size() == slots_most) return -1;
            matcher->groups[group].add(name);
        }
        if (level + 1 < count) {
            if (matcher->groups[group].names[at].child < 0) {
                int child = int(matcher->groups.size());
                matcher->groups.emplace_back();
                matcher->groups[group].names[at].child = child;
            }
            group = size_t(matcher->groups[group].names[at].child);
            continue;
        }
        Key &key = matcher->groups[group].names[at];
        if (key.slot < 0) {
            if (matcher->slots.size() == slots_most) return -1;
            key.slot = int(matcher->slots.size());
            matcher->slots.push_back({is_text != 0, has_fallback != 0, count > 1});
        }
        return key.slot;
    }
    return -1;
}

extern "C" int weir_matcher_clause(weir_matcher *matcher, int slot, int operation, uint8_t missing) {
    if (matcher->clauses.size() == steps_most / 2 || slot < 0 || size_t(slot) >= matcher->slots.size()) return -1;
    matcher->clauses.push_back({slot, operation, missing, {}, nullptr, nullptr});
    return int(matcher->clauses.size()) - 1;
}

extern "C" void weir_clause_constant(weir_matcher *matcher, int clause, int kind, int64_t whole, double real,
                                     const char *text, size_t length) {
    Constant constant;
    constant.kind = kind;
    constant.whole = whole;
    constant.real = real;
    if (text) constant.text.assign(text, length);
    if (kind == WEIR_STRING && length < 8) {
        uint8_t bytes[8] = {0}, ones[8] = {0};
        if (length) memcpy(bytes, text, length);
        bytes[length] = '"';
        memset(ones, 0xFF, length + 1);
        memcpy(&constant.word, bytes, 8);
        memcpy(&constant.mask, ones, 8);
    }
    matcher->clauses[size_t(clause)].constants.push_back(std::move(constant));
}

extern "C" void weir_clause_pattern(weir_matcher *matcher, int clause, weir_pattern_found found, const void *pattern) {
    matcher->clauses[size_t(clause)].found = found;
    matcher->clauses[size_t(clause)].pattern = pattern;
}

extern "C" void weir_matcher_step(weir_matcher *matcher, int step, int index) {
    if (matcher->program.size() == steps_most) return;
    matcher->program.push_back({step, index});
    bool clauses_only = true, joins[2] = {false, false};
    for (const Step &one : matcher->program) {
        if (one.step == WEIR_AND || one.step == WEIR_OR) {
            joins[one.step == WEIR_OR] = true;
        } else {
            clauses_only = clauses_only && one.step == WEIR_PUSH_CLAUSE;
        }
    }
    matcher->only = clauses_only && !(joins[0] && joins[1]) ? (joins[1] ? WEIR_OR : WEIR_AND) : -1;
}

extern "C" void weir_matcher_run(const weir_matcher *matcher, const uint8_t *slab, size_t length, const uint32_t *ends,
                                 size_t count, uint32_t separator, const uint8_t *batch, uint8_t *verdicts) {
    size_t start = 0;
    for (size_t i = 0; i < count; i++) {
        size_t end = ends[i];
        // Ends that run backwards or past the slab are a caller's mistake; they must not become reads elsewhere.
        if (end > length || end < start) {
            verdicts[i] = WEIR_FAILED;
            continue;
        }
        size_t size = end - start;
        size_t content = size > separator ? size - separator : 0;
        verdicts[i] = matcher->one(slab + start, content, length - start, batch);
        start = end;
    }
}

extern "C" uint8_t weir_clause_value(const weir_matcher *matcher, int clause, int kind, const uint8_t *text,
                                     size_t length, int64_t whole) {
    Value value;
    value.kind = kind;
    value.text = text ? text : reinterpret_cast<const uint8_t *>("");
    value.length = length;
    value.whole = whole;
    return judge(matcher->clauses[size_t(clause)], value);
}

extern "C" uint8_t weir_matcher_join(const weir_matcher *matcher, const uint8_t *answers, const uint8_t *batch) {
    return matcher->join(answers, batch);
}

extern "C" int weir_json_find(const uint8_t *text, size_t length, int is_inner, const char *name, size_t name_length,
                              size_t *value) {
    size_t start = 0;
    while (start < length && is_blank(text[start])) start++;
    if (start == length || text[start] != '{' || length >= broken) return -1;
    Keys keys;
    keys.add(std::string(name ? name : "", name_length));
    uint32_t found = 0;
    bool escapes = false;
    size_t end = scan_object(text + start, length - start, length - start, keys, &found, &escapes);
    if (end == 0) return -1;
    for (size_t i = start + end; !is_inner && i < length; i++) {
        if (!is_blank(text[i])) return -1;
    }
    *value = start + found;
    return found ? 1 : 0;
}

extern "C" const char *weir_json_scanner(void) {
    return chosen_level == 2 ? "avx2" : chosen_level == 1 ? "sse2" : "plain";
}

extern "C" int weir_json_choose(int level) {
    int best = best_level();
    chosen_level = level < 0 || level > best ? best : level;
    scan_object = scan_of(chosen_level);
    return chosen_level;
}
