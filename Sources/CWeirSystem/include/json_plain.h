#pragma once
#include <stddef.h>

/// How many bytes of a JSON string come before the next quote, backslash or control character; `count` when none does.
size_t weir_json_plain(const void *bytes, size_t count);

