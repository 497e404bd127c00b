// AMQP 0-9-1 as bytes, as far as a publisher and a consumer need it. Clients as simple as this one are what servers meet.
#pragma once
#include "numbers.h"
#include <arpa/inet.h>

enum { FRAME_METHOD = 1, FRAME_HEADER = 2, FRAME_BODY = 3, FRAME_END = 0xCE, FRAME_MOST = 131072 };

// class << 16 | method
enum {
    START = 10 << 16 | 10, START_OK = 10 << 16 | 11, TUNE = 10 << 16 | 30, TUNE_OK = 10 << 16 | 31, OPEN = 10 << 16 | 40,
    OPEN_OK = 10 << 16 | 41, CLOSE = 10 << 16 | 50, CLOSE_OK = 10 << 16 | 51, CHANNEL_OPEN = 20 << 16 | 10,
    CHANNEL_OPEN_OK = 20 << 16 | 11, CHANNEL_CLOSE = 20 << 16 | 40, CHANNEL_CLOSE_OK = 20 << 16 | 41, EXCHANGE_DECLARE = 40 << 16 | 10,
    EXCHANGE_DECLARE_OK = 40 << 16 | 11, QUEUE_DECLARE = 50 << 16 | 10, QUEUE_DECLARE_OK = 50 << 16 | 11, QUEUE_BIND = 50 << 16 | 20,
    QUEUE_BIND_OK = 50 << 16 | 21, QOS = 60 << 16 | 10, QOS_OK = 60 << 16 | 11, CONSUME = 60 << 16 | 20, CONSUME_OK = 60 << 16 | 21,
    PUBLISH = 60 << 16 | 40, DELIVER = 60 << 16 | 60, ACK = 60 << 16 | 80, NACK = 60 << 16 | 120, CONFIRM_SELECT = 85 << 16 | 10,
    CONFIRM_SELECT_OK = 85 << 16 | 11,
};

struct bytes {
    unsigned char *p;
    size_t count, room;
};

static inline unsigned char *grow(struct bytes *b, size_t n) {
    if (b->count + n > b->room) {
        b->room = (b->count + n) * 2;
        b->p = realloc(b->p, b->room);
        if (!b->p) die("realloc");
    }
    b->count += n;
    return b->p + b->count - n;
}

static inline void put(struct bytes *b, const void *from, size_t n) { memcpy(grow(b, n), from, n); }
static inline void put_text(struct bytes *b, const char *text) { put(b, text, strlen(text)); }
static inline void put_number(struct bytes *b, uint64_t v, int width) {
    unsigned char *p = grow(b, (size_t)width);
    for (int i = width - 1; i >= 0; i--, v >>= 8) p[i] = (unsigned char)v;
}
static inline void put_short(struct bytes *b, const char *text) {
    put_number(b, strlen(text), 1);
    put_text(b, text);
}
static inline uint64_t number(const unsigned char *p, int width) {
    uint64_t v = 0;
    while (width-- > 0) v = v << 8 | *p++;
    return v;
}

// A frame is begun, filled, and ended: then its length is known.
static inline size_t begin(struct bytes *b, int type, int channel) {
    put_number(b, (uint64_t)type, 1);
    put_number(b, (uint64_t)channel, 2);
    put_number(b, 0, 4);
    return b->count;
}
static inline size_t begin_method(struct bytes *b, int channel, int method) {
    size_t at = begin(b, FRAME_METHOD, channel);
    put_number(b, (uint64_t)method, 4);
    return at;
}
static inline void end(struct bytes *b, size_t at) {
    uint32_t length = htonl((uint32_t)(b->count - at));
    memcpy(b->p + at - 4, &length, 4);
    put_number(b, FRAME_END, 1);
}

static inline void put_start_ok(struct bytes *b, const char *user, const char *password) {
    static const char *able[] = {"publisher_confirms", "basic.nack", "connection.blocked", "authentication_failure_close"};
    size_t at = begin_method(b, 0, START_OK), table, inner;
    put_number(b, 0, 4);
    table = b->count;
    put_short(b, "capabilities");
    put_text(b, "F");
    put_number(b, 0, 4);
    inner = b->count;
    for (size_t i = 0; i < sizeof able / sizeof *able; i++) {
        put_short(b, able[i]);
        put(b, "t\1", 2);
    }
    uint32_t length = htonl((uint32_t)(b->count - inner));
    memcpy(b->p + inner - 4, &length, 4);
    length = htonl((uint32_t)(b->count - table));
    memcpy(b->p + table - 4, &length, 4);
    put_short(b, "PLAIN");
    put_number(b, strlen(user) + strlen(password) + 2, 4);
    put(b, "", 1);
    put_text(b, user);
    put(b, "", 1);
    put_text(b, password);
    put_short(b, "en_US");
    end(b, at);
}

// tune-ok, and at once connection.open: there is no answer in between.
static inline void put_tune_ok_and_open(struct bytes *b) {
    size_t at = begin_method(b, 0, TUNE_OK);
    put_number(b, 2047, 2);
    put_number(b, FRAME_MOST, 4);
    put_number(b, 60, 2);
    end(b, at);
    at = begin_method(b, 0, OPEN);
    put_short(b, "/");
    put_number(b, 0, 2);
    end(b, at);
}

static inline void put_close(struct bytes *b, int channel) {
    size_t at = begin_method(b, channel, channel ? CHANNEL_CLOSE : CLOSE);
    put_number(b, channel ? 0 : 200, 2);
    put_short(b, "Normal shutdown");
    put_number(b, 0, 4);
    end(b, at);
}

// One persistent message, as pycti sends it: method, header, body frames.
static inline void put_publish(struct bytes *b, const char *exchange, const char *key, const struct bytes *body) {
    size_t at = begin_method(b, 1, PUBLISH);
    put_number(b, 0, 2);
    put_short(b, exchange);
    put_short(b, key);
    put_number(b, 0, 1);
    end(b, at);
    at = begin(b, FRAME_HEADER, 1);
    put_number(b, 60, 2);
    put_number(b, 0, 2);
    put_number(b, body->count, 8);
    put_number(b, 0x4000 | 0x1000, 2);
    put_short(b, "utf-8");
    put_number(b, 2, 1);
    end(b, at);
    for (size_t sent = 0; sent < body->count;) {
        size_t n = body->count - sent < FRAME_MOST - 8 ? body->count - sent : FRAME_MOST - 8;
        at = begin(b, FRAME_BODY, 1);
        put(b, body->p + sent, n);
        end(b, at);
        sent += n;
    }
}
