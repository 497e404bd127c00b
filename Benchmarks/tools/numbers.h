// Numbered events: how a mark looks, how it is found again, and the bookkeeping that proves a run complete.
//
// Each event carries one mark of 16 bytes, `#CCCC:NNNNNNNNNN`: the connection it was made for and its number on that
// connection, both decimal with leading zeros. `#` occurs nowhere else in an event, so a receiver needs no framing to find the
// marks: whatever a server does to the rest of the event (headers, envelopes, batches), the mark survives.
//
// The tally has a bit for each event that was sent. A mark whose bit is set already is a duplicate; one that comes after a higher
// number of its connection is out of order; one that nobody sent is strange.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MARK = 16, CONNECTIONS_MOST = 1024 };

struct tally {
    uint64_t per_connection;          // numbers run from 0 to one less than this
    uint32_t connections;
    uint64_t *bits;                   // connections × per_connection bits
    int64_t newest[CONNECTIONS_MOST]; // highest number seen, by connection
    uint64_t unique, duplicates, disordered, strange;
};

static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static inline void die(const char *what) {
    perror(what);
    exit(1);
}

static inline void tally_open(struct tally *t, uint32_t connections, uint64_t per_connection) {
    if (connections == 0 || connections > CONNECTIONS_MOST) {
        fprintf(stderr, "between 1 and %d connections\n", CONNECTIONS_MOST);
        exit(64);
    }
    memset(t, 0, sizeof *t);
    t->connections = connections;
    t->per_connection = per_connection;
    t->bits = calloc((connections * per_connection + 63) / 64 + 1, 8);
    if (!t->bits) die("calloc");
    for (uint32_t c = 0; c < connections; c++) t->newest[c] = -1;
}

// The value of eight ASCII digits, or UINT64_MAX when one is none. Two multiplications instead of eight.
static inline uint64_t eight_digits(const char *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    uint64_t d = v - 0x3030303030303030ull;
    if (((d | (d + 0x7676767676767676ull)) & 0x8080808080808080ull) != 0) return UINT64_MAX;
    d = (d * 10) + (d >> 8);
    return (((d & 0x000000FF000000FFull) * 0x000F424000000064ull) + (((d >> 16) & 0x000000FF000000FFull) * 0x0000271000000001ull)) >> 32;
}

static inline void tally_mark(struct tally *t, const char *p) {
    // "#CCCC:NNNNNNNNNN" read as  CCCC  ·  NN  ·  NNNNNNNN
    uint64_t low = eight_digits(p + 8), c = 0, high = 0;
    for (int i = 1; i <= 4; i++) {
        if (p[i] < '0' || p[i] > '9') { t->strange++; return; }
        c = c * 10 + (uint64_t)(p[i] - '0');
    }
    for (int i = 6; i <= 7; i++) {
        if (p[i] < '0' || p[i] > '9') { t->strange++; return; }
        high = high * 10 + (uint64_t)(p[i] - '0');
    }
    uint64_t n = high * 100000000ull + low;
    if (p[5] != ':' || low == UINT64_MAX || c >= t->connections || n >= t->per_connection) { t->strange++; return; }
    uint64_t at = c * t->per_connection + n, bit = 1ull << (at & 63);
    if (t->bits[at >> 6] & bit) { t->duplicates++; return; }
    t->bits[at >> 6] |= bit;
    t->unique++;
    if ((int64_t)n < t->newest[c]) t->disordered++;
    else t->newest[c] = (int64_t)n;
}

// Counts the marks in a piece of a stream; returns how many bytes at its end must be shown again with the next piece, because a
// mark may have been cut there (at most MARK - 1).
static inline size_t tally_scan(struct tally *t, const char *p, size_t length) {
    const char *end = p + length;
    while (p < end) {
        p = memchr(p, '#', (size_t)(end - p));
        if (!p) return 0;
        if (end - p < MARK) return (size_t)(end - p);
        tally_mark(t, p);
        p += MARK;
    }
    return 0;
}

static inline uint64_t tally_missing(const struct tally *t) {
    return t->connections * t->per_connection - t->unique;
}

// `--name value` or `--name`; the default where it is not given.
static inline const char *option(int argc, char **argv, const char *name, const char *fallback) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0) return i + 1 < argc ? argv[i + 1] : "";
    return fallback;
}

static inline int has_option(int argc, char **argv, const char *name) {
    return option(argc, argv, name, NULL) != NULL;
}
