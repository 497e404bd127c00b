#pragma once
#include <stddef.h>

// A thin face of RE2 for Swift. Objects are immutable once made and may be used from several threads at a time.
#ifdef __cplusplus
extern "C" {
#endif

typedef struct weir_regex weir_regex;

/// Compiles a pattern; NULL when it is none or needs more than 8 MiB.
weir_regex *_Nullable weir_regex_make(const char *_Nullable pattern, size_t length);
void weir_regex_free(weir_regex *_Nullable regex);
/// 1 when the pattern is found anywhere in the text.
int weir_regex_found(const weir_regex *_Nonnull regex, const char *_Nullable text, size_t length);
/// 1 and a message when the pattern cannot be compiled.
int weir_regex_problem(const char *_Nullable pattern, size_t length, char *_Nonnull message, size_t most);

#ifdef __cplusplus
}
#endif
