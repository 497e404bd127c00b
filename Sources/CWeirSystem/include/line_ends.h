#pragma once
#include <stddef.h>
#include <stdint.h>

/// Finds line feeds in bytes[from..<count] and writes the offset after each into `ends`, at most `room` of them.
/// Returns how many were written.
size_t weir_line_ends(const void *bytes, size_t from, size_t count, uint32_t *ends, size_t room);
