#pragma once
#include <stddef.h>
#include <stdint.h>

// Finds fields of JSON objects by their structure and compares them with constants, a whole batch in one call.
//
// The scanner walks a text in blocks of 64 bytes, from which vector instructions make bit masks of quotes, backslashes,
// brackets and colons (SSE2, or AVX2 with carry-less multiplication where the processor has them). Keys are recognised
// backwards from the colons of the outermost object. It reads a text to its end, so the last of equal keys counts and a text
// that was cut off is noticed. It does not check the grammar of values that nobody asked for.
//
// Nothing is ever read before `text` or at or after `text + readable`.
#ifdef __cplusplus
extern "C" {
#endif

/// What a condition says about one event. `UNDECIDED` means: let the general evaluator look at it.
enum weir_verdict { WEIR_NO = 0, WEIR_YES = 1, WEIR_FAILED = 2, WEIR_UNDECIDED = 3 };

/// What a clause does with its field.
enum weir_operation {
    WEIR_EQUAL, WEIR_NOT_EQUAL, WEIR_LESS, WEIR_LESS_EQUAL, WEIR_GREATER, WEIR_GREATER_EQUAL,
    WEIR_IN, WEIR_STARTS, WEIR_ENDS, WEIR_CONTAINS, WEIR_HAS, WEIR_IS_TRUE, WEIR_PATTERN
};

/// Kinds of constants and of values.
enum weir_kind { WEIR_NULL, WEIR_BOOL, WEIR_INT, WEIR_DOUBLE, WEIR_STRING };

/// Steps of the program that joins the clauses (postfix).
enum weir_step { WEIR_PUSH_CLAUSE, WEIR_PUSH_BATCH, WEIR_PUSH_UNDECIDED, WEIR_AND, WEIR_OR, WEIR_NOT };

typedef struct weir_matcher weir_matcher;
typedef int (*weir_pattern_found)(const void *_Nonnull pattern, const char *_Nullable text, size_t length);

weir_matcher *_Nullable weir_matcher_make(void);
void weir_matcher_free(weir_matcher *_Nullable matcher);

/// Adds a path of names below the event; gives its slot, or -1 when there is no more room (32 slots, 8 levels).
/// `is_text`: the whole text stands for it when the event is no object. `has_fallback`: it exists even where the object
/// lacks it, with a value that only the general evaluator knows.
int weir_matcher_path(weir_matcher *_Nonnull matcher, const char *_Nonnull const *_Nonnull names,
                      const size_t *_Nonnull lengths, size_t count, int is_text, int has_fallback);

/// Adds a clause over a slot; gives its number. `missing` is its answer where the field is not there.
int weir_matcher_clause(weir_matcher *_Nonnull matcher, int slot, int operation, uint8_t missing);
void weir_clause_constant(weir_matcher *_Nonnull matcher, int clause, int kind, int64_t whole, double real,
                          const char *_Nullable text, size_t length);
void weir_clause_pattern(weir_matcher *_Nonnull matcher, int clause, weir_pattern_found _Nonnull found,
                         const void *_Nonnull pattern);
void weir_matcher_step(weir_matcher *_Nonnull matcher, int step, int index);

/// Judges `count` events of a slab: event i ends at `ends[i]`, its last `separator` bytes are no content. `batch` holds the
/// answers of the conditions that are the same for the whole batch. Writes one verdict an event.
void weir_matcher_run(const weir_matcher *_Nonnull matcher, const uint8_t *_Nullable slab, size_t length,
                      const uint32_t *_Nullable ends, size_t count, uint32_t separator, const uint8_t *_Nullable batch,
                      uint8_t *_Nullable verdicts);

/// One clause over a value that was found elsewhere: `kind` as above; text for strings, `whole` for numbers and bools.
uint8_t weir_clause_value(const weir_matcher *_Nonnull matcher, int clause, int kind, const uint8_t *_Nullable text,
                          size_t length, int64_t whole);
/// Joins answers of all clauses (indexed by clause) to a verdict.
uint8_t weir_matcher_join(const weir_matcher *_Nonnull matcher, const uint8_t *_Nullable answers,
                          const uint8_t *_Nullable batch);

/// Where the value of a key of the outermost object begins. 1 found, 0 not there, -1 malformed text.
/// `is_inner`: the object may be followed by anything.
int weir_json_find(const uint8_t *_Nullable text, size_t length, int is_inner, const char *_Nullable name,
                   size_t name_length, size_t *_Nonnull value);

/// Which scanner runs: "avx2" or "sse2" ("plain" on other processors).
const char *_Nonnull weir_json_scanner(void);
/// For tests: 0 the plain scanner, 1 SSE2, 2 AVX2. Gives what was chosen, which is no more than the processor has.
int weir_json_choose(int level);

#ifdef __cplusplus
}
#endif
