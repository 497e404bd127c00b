// LDAP clients that search at a steady rate, and how long each search took.
//
// Each worker has a connection of its own, binds, and asks for one page of entries (RFC 2696) `--rate` times a second; with `--fresh` it
// connects and binds for each search. A search's time counts from when it was due: a worker that is late because the one before took long
// makes the next one late too, as its users would feel it. Rate 0: each as soon as the one before is done. The first two seconds are not
// counted. Answers are proven: each page has as many entries as were asked for, and a result of 0.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "numbers.h"

enum { ROOM = 1 << 20, WORKERS_MOST = 1024, WARM_SECONDS = 2 };

enum state { ABSENT, CONNECTING, BINDING, READY, SEARCHING };

struct worker {
    int fd;
    enum state state;
    double due;
    uint32_t entries;
    size_t used;
    uint8_t *in;
};

static struct worker workers[WORKERS_MOST];
static uint8_t bind_request[256], search_request[512];
static size_t bind_size, search_size;
static int poller, is_fresh, port;
static uint32_t count, page;
static double rate, began, until;
static double *times;
static uint64_t done, times_most, failed, bytes, warm;
static double newest, gap;

// ---------------------------------------------------------------- BER, from the end to the beginning

struct ber {
    uint8_t bytes[512];
    size_t at;
};

static void put(struct ber *b, const void *data, size_t size) {
    b->at -= size;
    memcpy(b->bytes + b->at, data, size);
}

// Wraps all that was put since `end` was `at`.
static void wrap(struct ber *b, uint8_t tag, size_t end) {
    size_t size = end - b->at;
    if (size > 127) {
        uint8_t head[] = {tag, 0x82, (uint8_t)(size >> 8), (uint8_t)size};
        put(b, head, 4);
    } else {
        uint8_t head[] = {tag, (uint8_t)size};
        put(b, head, 2);
    }
}

static void text(struct ber *b, uint8_t tag, const char *value) {
    size_t end = b->at;
    put(b, value, strlen(value));
    wrap(b, tag, end);
}

static void number(struct ber *b, uint8_t tag, uint32_t value) {
    size_t end = b->at;
    uint8_t four[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    put(b, four, 4);
    wrap(b, tag, end);
}

static size_t finish(struct ber *b, uint8_t *out) {
    memcpy(out, b->bytes + b->at, sizeof b->bytes - b->at);
    return sizeof b->bytes - b->at;
}

static void build(const char *base, const char *user, const char *password) {
    struct ber b = {.at = sizeof b.bytes};
    size_t end = b.at;
    text(&b, 0x80, password);
    text(&b, 0x04, user);
    number(&b, 0x02, 3);
    wrap(&b, 0x60, end);
    number(&b, 0x02, 1);
    wrap(&b, 0x30, end);
    bind_size = finish(&b, bind_request);

    b = (struct ber){.at = sizeof b.bytes};
    end = b.at;
    text(&b, 0x04, "");                        // no cookie: the first page
    number(&b, 0x02, page);
    wrap(&b, 0x30, end);
    wrap(&b, 0x04, end);
    text(&b, 0x04, "1.2.840.113556.1.4.319");
    wrap(&b, 0x30, end);
    wrap(&b, 0xA0, end);
    size_t controls = b.at;
    wrap(&b, 0x30, controls);                  // all attributes
    size_t filter = b.at;
    text(&b, 0x04, "inetOrgPerson");
    text(&b, 0x04, "objectClass");
    wrap(&b, 0xA3, filter);
    put(&b, "\x01\x01\x00", 3);                // values too
    number(&b, 0x02, 0);
    number(&b, 0x02, 0);
    put(&b, "\x0A\x01\x00", 3);                // no aliases
    put(&b, "\x0A\x01\x02", 3);                // the whole subtree
    text(&b, 0x04, base);
    wrap(&b, 0x63, controls);
    number(&b, 0x02, 2);
    wrap(&b, 0x30, end);
    search_size = finish(&b, search_request);
}

// ---------------------------------------------------------------- workers

static void watch(struct worker *w, uint32_t events, int how) {
    struct epoll_event event = {.events = events, .data.ptr = w};
    if (epoll_ctl(poller, how, w->fd, &event) != 0) die("epoll_ctl");
}

static void leave(struct worker *w) {
    if (w->state != ABSENT) close(w->fd);
    w->state = ABSENT;
    w->used = 0;
}

static void say(struct worker *w, const uint8_t *data, size_t size) {
    // A request is smaller than an empty socket's buffer.
    if (send(w->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) {
        failed++;
        leave(w);
    }
}

static void join(struct worker *w) {
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (w->fd < 0) die("socket");
    int on = 1;
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(w->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) die("connect");
    w->state = CONNECTING;
    watch(w, EPOLLOUT, EPOLL_CTL_ADD);
}

static void search(struct worker *w) {
    w->state = SEARCHING;
    w->entries = 0;
    say(w, search_request, search_size);
}

static void answered(struct worker *w, int is_good) {
    double at = now();
    if (!is_good) failed++;
    if (w->due >= began + WARM_SECONDS) {
        if (done < times_most) times[done] = at - w->due;
        done++;
    } else {
        warm++;
    }
    if (newest > 0 && at - newest > gap && at > began + WARM_SECONDS) gap = at - newest;
    newest = at;
    w->due = rate > 0 ? w->due + 1 / rate : at;
    w->state = READY;
    if (is_fresh || !is_good) leave(w);
}

// One message. -> its size, 0 when it is not whole, -1 when it is none.
static ssize_t message(struct worker *w, const uint8_t *p, size_t size) {
    if (size < 2) return 0;
    size_t head = 2, length = p[1];
    if (length & 0x80) {
        size_t width = length & 0x7F;
        if (width == 0 || width > 4) return -1;
        if (size < 2 + width) return 0;
        length = 0;
        for (size_t i = 0; i < width; i++) length = length << 8 | p[2 + i];
        head += width;
    }
    if (p[0] != 0x30) return -1;
    if (size < head + length) return 0;
    const uint8_t *q = p + head;
    if (q[0] != 0x02) return -1;
    q += 2 + q[1];
    uint8_t kind = q[0];
    size_t skip = q[1] & 0x80 ? 2 + (q[1] & 0x7F) : 2;
    int is_well = q[skip] == 0x0A && q[skip + 2] == 0;
    if (kind == 0x64) {
        w->entries++;
    } else if (kind == 0x61 && w->state == BINDING) {
        if (!is_well) return -1;
        w->state = READY;
    } else if (kind == 0x65 && w->state == SEARCHING) {
        answered(w, is_well && w->entries == page);
    }
    return (ssize_t)(head + length);
}

static void hear(struct worker *w) {
    for (;;) {
        ssize_t got = recv(w->fd, w->in + w->used, ROOM - w->used, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            if (w->state == SEARCHING) answered(w, 0);
            else failed++, leave(w);
            return;
        }
        bytes += (uint64_t)got;
        w->used += (size_t)got;
        size_t at = 0;
        while (at < w->used) {
            ssize_t size = message(w, w->in + at, w->used - at);
            if (size < 0) {
                answered(w, 0);
                return;
            }
            if (size == 0) break;
            at += (size_t)size;
            if (w->state == ABSENT) return;
        }
        memmove(w->in, w->in + at, w->used - at);
        w->used -= at;
        if (w->state == READY) return;
    }
}

// What is due. -> seconds until the next one.
static double look(void) {
    double at = now(), next = 1;
    for (uint32_t i = 0; i < count; i++) {
        struct worker *w = &workers[i];
        if (w->state != ABSENT && w->state != READY) continue;
        if (w->due >= until) continue;
        if (w->due <= at) {
            if (w->state == ABSENT) join(w);
            else search(w);
        } else if (w->due - at < next) {
            next = w->due - at;
        }
    }
    return next;
}

static int is_over(void) {
    if (now() < until) return 0;
    for (uint32_t i = 0; i < count; i++)
        if (workers[i].state == SEARCHING || workers[i].due < until) return now() > until + 30;
    return 1;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    port = atoi(option(argc, argv, "--port", "389"));
    count = (uint32_t)atoi(option(argc, argv, "--workers", "10"));
    rate = atof(option(argc, argv, "--rate", "2"));
    page = (uint32_t)atoi(option(argc, argv, "--page", "100"));
    double seconds = atof(option(argc, argv, "--seconds", "20"));
    is_fresh = has_option(argc, argv, "--fresh");
    build(option(argc, argv, "--base", "ou=people,dc=example,dc=org"), option(argc, argv, "--user", "cn=admin,dc=example,dc=org"),
          option(argc, argv, "--password", "admin"));
    if (count == 0 || count > WORKERS_MOST) return 64;
    times_most = 4000000;
    times = malloc(times_most * sizeof *times);
    poller = epoll_create1(0);
    if (poller < 0 || !times) die("start");
    began = now() + 0.2;
    until = began + WARM_SECONDS + seconds;
    for (uint32_t i = 0; i < count; i++) {
        workers[i] = (struct worker){.fd = -1, .in = malloc(ROOM)};
        if (!workers[i].in) die("malloc");
        // Spread over the first period.
        workers[i].due = began + (rate > 0 ? i / (rate * count) : 0);
        if (!is_fresh) join(&workers[i]);
    }
    while (!is_over()) {
        double next = look();
        struct epoll_event events[256];
        struct timespec wait = {.tv_nsec = (long)((next < 0.05 ? next : 0.05) * 1e9)};
        int got = epoll_pwait2(poller, events, 256, &wait, NULL);
        for (int i = 0; i < got; i++) {
            struct worker *w = events[i].data.ptr;
            if (w->state == CONNECTING) {
                w->state = BINDING;
                watch(w, EPOLLIN, EPOLL_CTL_MOD);
                say(w, bind_request, bind_size);
            } else if (w->state != ABSENT) {
                hear(w);
            }
        }
    }
    uint64_t kept = done < times_most ? done : times_most;
    qsort(times, kept, sizeof *times, by_size);
#define AT(share) (kept ? times[(uint64_t)((double)(kept - 1) * (share))] : 0)
    printf("{\"searches\": %lu, \"per_s\": %.2f, \"failed\": %lu, \"bytes\": %lu, \"p50\": %.6f, \"p99\": %.6f, \"most\": %.6f, \"gap\": %.6f}\n",
           done, (double)done / seconds, failed, bytes, AT(0.5), AT(0.99), AT(1), gap);
    return 0;
}
