#include "CWeirRegex.h"

#include <new>
#include <re2/re2.h>
#include <string.h>

struct weir_regex {
    RE2 re;
    weir_regex(re2::StringPiece pattern, const RE2::Options &options) : re(pattern, options) {}
};

static RE2::Options quiet() {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(8 << 20);
    return options;
}

extern "C" weir_regex *weir_regex_make(const char *pattern, size_t length) {
    weir_regex *regex = new (std::nothrow) weir_regex(re2::StringPiece(pattern ? pattern : "", length), quiet());
    if (regex && !regex->re.ok()) {
        delete regex;
        return nullptr;
    }
    return regex;
}

extern "C" void weir_regex_free(weir_regex *regex) { delete regex; }

extern "C" int weir_regex_found(const weir_regex *regex, const char *text, size_t length) {
    return RE2::PartialMatch(re2::StringPiece(text ? text : "", length), regex->re) ? 1 : 0;
}

extern "C" int weir_regex_problem(const char *pattern, size_t length, char *message, size_t most) {
    RE2 re(re2::StringPiece(pattern ? pattern : "", length), quiet());
    if (re.ok() || most == 0) return 0;
    strncpy(message, re.error().c_str(), most - 1);
    message[most - 1] = 0;
    return 1;
}
