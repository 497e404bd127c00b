#pragma once
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes, continued from `crc`; 0 starts a new one.
/// weir_crc32c(0, "123456789", 9) is 0xE3069283.
uint32_t weir_crc32c(uint32_t crc, const void *bytes, size_t length);

/// The table version, for machines without the instruction and for the test that compares both.
uint32_t weir_crc32c_portable(uint32_t crc, const void *bytes, size_t length);
