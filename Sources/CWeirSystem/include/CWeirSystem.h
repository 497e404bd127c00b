#pragma once
// What Swift's Glibc module does not show (it is built without _GNU_SOURCE), and the few things that C does better.
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "beneath.h"
#include "crc32c.h"
#include "json_plain.h"
#include "line_ends.h"
#include "spawn_group.h"

// Prototypes of glibc functions, declared again so that Swift can call them.
void *memmem(const void *haystack, size_t haystack_length, const void *needle, size_t needle_length);
void *memrchr(const void *bytes, int byte, size_t count);
int fallocate(int descriptor, int mode, off_t offset, off_t length);
int sync_file_range(int descriptor, off_t offset, off_t length, unsigned int flags);
int malloc_trim(size_t pad);

/// Names the calling thread, for `top -H` and debuggers; cut after 15 bytes.
void weir_name_thread(const char *name);

/// Tells malloc to keep large blocks (up to 32 MiB) instead of mapping and unmapping each, and to use at most two arenas.
/// Called once, before the first thread. Measured: a quarter of the CPU time of a forwarder that moves 256 KiB buffers.
void weir_tune_memory(void);
