// gen: a load source. K connections to 127.0.0.1:PORT, each sends its own numbered events (numbers.h) as fast as they are
// taken, or at a rate.
//
//   gen --port P --connections K --each N [--first F] [--format json|syslog] [--size 250] [--rate EVENTS_PER_S]
//       [--http PATH --batch EVENTS] [--reconnect] [--limit SECONDS]
//
// Without --http a connection is a stream of lines; what the socket took counts as sent. With --http each connection has one POST
// of `batch` events under way, and events count as sent when its answer was 2xx; 429 and 503 are repeated after Retry-After (at
// most 1 s here), everything that breaks off is repeated too.
//
// Prints a line of JSON each 50 ms and one at the end, with "done": true. `first` and `last` are CLOCK_MONOTONIC seconds of the
// first byte offered and the last byte taken. `stall_longest` is the longest time in which nothing was taken.
#include "numbers.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCK = 1024 };                // lines that are numbered at one go

struct connection {
    int socket;
    uint64_t next;                    // number of the first event of the block
    char *block;                      // BLOCK events, their marks filled in
    uint32_t lines;                   // events of the block in use
    size_t sent, length;              // bytes of the block
    char head[256];                   // HTTP request head
    size_t head_sent, head_length;
    char answer[4096];
    size_t answer_length;
    double again;                     // not before this time
    int finished;
};

static const char *levels[] = {"info", "info", "info", "warn", "error", "debug", "info", "notice"};
static const char *paths[] = {"/cart", "/login", "/search", "/checkout", "/item/4711", "/static/app.js", "/api/orders", "/health"};

static int port, size, is_syslog, reconnects;
static uint32_t connections, batch;
static uint64_t each, first, events, bytes, retries, breaks;
static const char *http;
static double rate, began, last_progress, first_at, last_at, stall_longest;

// One event of exactly `size` bytes, newline included; the mark is filled in later. Returns where the mark stands.
static size_t make_line(char *out, uint32_t slot, uint32_t c) {
    char text[2048];
    int n, mark;
    const char *level = levels[slot % 8], *path = paths[(slot / 8) % 8];
    if (is_syslog)
        n = snprintf(text, sizeof text, "<%d>1 2026-11-21T13:00:%02u.%03uZ web%u.example shop %u ID%u - ", 128 + (int)(slot % 8), slot % 60,
                     slot % 1000, slot % 4, 4000 + c, slot % 100);
    else
        n = snprintf(text, sizeof text, "{\"n\":\"");
    mark = n;
    if (is_syslog)
        n += snprintf(text + n, sizeof text - (size_t)n, "################ level=%s path=%s status=%u ms=%u ", level, path, 200 + slot % 5, slot % 997);
    else
        n += snprintf(text + n, sizeof text - (size_t)n,
                      "################\",\"time\":\"2026-11-21T13:00:%02u.%03uZ\",\"service\":\"shop\",\"host\":\"web%u\",\"level\":\"%s\","
                      "\"status\":%u,\"ms\":%u,\"path\":\"%s\",\"message\":\"",
                      slot % 60, slot % 1000, slot % 4, level, 200 + slot % 5, slot % 997, path);
    const char *tail = is_syslog ? "\n" : "\"}\n";
    while (n < size - (int)strlen(tail)) text[n] = "the quick brown fox jumps over the lazy dog "[(n + (int)slot) % 44], n++;
    if (n + (int)strlen(tail) != size) {
        fprintf(stderr, "--size %d is too small for this format\n", size);
        exit(64);
    }
    memcpy(out, text, (size_t)n);
    memcpy(out + n, tail, strlen(tail));
    return (size_t)mark;
}

static size_t marks[BLOCK];

static void number_block(struct connection *c, uint32_t index) {
    uint64_t left = first + each - c->next;
    uint32_t most = http ? batch : BLOCK;
    c->lines = (uint32_t)(left < most ? left : most);
    for (uint32_t i = 0; i < c->lines; i++) {
        char *p = c->block + (size_t)i * (size_t)size + marks[i];
        uint64_t n = c->next + i;
        uint32_t k = index;
        p[0] = '#';
        for (int d = 4; d >= 1; d--, k /= 10) p[d] = (char)('0' + k % 10);
        p[5] = ':';
        for (int d = 15; d >= 6; d--, n /= 10) p[d] = (char)('0' + n % 10);
    }
    c->sent = 0;
    c->length = (size_t)c->lines * (size_t)size;
    if (http) {
        c->head_sent = 0;
        c->answer_length = 0;
        c->head_length = (size_t)snprintf(c->head, sizeof c->head,
            "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: %zu\r\n\r\n", http, c->length);
    }
}

static int dial(void) {
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (s < 0) die("socket");
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(s, (struct sockaddr *)&a, sizeof a) != 0) {
        close(s);
        return -1;
    }
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(s, F_SETFL, O_NONBLOCK);
    return s;
}

static void report(int done) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("{\"at\":%.6f,\"events\":%lu,\"bytes\":%lu,\"first\":%.6f,\"last\":%.6f,\"stall_longest\":%.3f,\"retries\":%lu,\"breaks\":%lu,"
           "\"cpu\":%.3f,\"done\":%s}\n", now(), events, bytes, first_at, last_at, stall_longest, retries, breaks,
           u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6, done ? "true" : "false");
    fflush(stdout);
}

static void progressed(size_t n, double at) {
    bytes += n;
    if (last_progress > 0 && at - last_progress > stall_longest) stall_longest = at - last_progress;
    last_progress = last_at = at;
}

static void broke(struct connection *c) {
    breaks++;
    close(c->socket);
    c->socket = -1;
    c->again = now() + 0.1;
    if (!reconnects && !http) {
        fprintf(stderr, "the server closed the connection\n");
        report(1);
        exit(1);
    }
    if (http) { c->sent = c->head_sent = c->answer_length = 0; return; }
    size_t whole = c->sent / (size_t)size;    // a line cut in half is sent again from its start
    c->sent = whole * (size_t)size;
}

// Moves on to the next block, or closes: the kernel delivers what its buffer holds.
static void advance(struct connection *c, uint32_t index) {
    c->next += c->lines;
    if (c->next < first + each) { number_block(c, index); return; }
    c->finished = 1;
    close(c->socket);
    c->socket = -1;
}

static void take_answer(struct connection *c, uint32_t index) {
    ssize_t n = recv(c->socket, c->answer + c->answer_length, sizeof c->answer - 1 - c->answer_length, 0);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) broke(c);
        return;
    }
    c->answer_length += (size_t)n;
    c->answer[c->answer_length] = 0;
    char *body = strstr(c->answer, "\r\n\r\n");
    if (!body) return;
    body += 4;
    *(body - 1) = 0;
    char *given = strcasestr(c->answer, "\r\ncontent-length:"), *wait = strcasestr(c->answer, "\r\nretry-after:");
    size_t wanted = given ? strtoull(given + 17, NULL, 10) : 0;
    if (c->answer_length < (size_t)(body - c->answer) + wanted) { *(body - 1) = '\n'; return; }
    int status = atoi(c->answer + 9);
    if (status >= 200 && status < 300) {
        events += c->lines;
        advance(c, index);
        return;
    }
    if (status != 429 && status != 503) {
        fprintf(stderr, "status %d\n", status);
        report(1);
        exit(1);
    }
    retries++;
    double pause = wait ? atof(wait + 14) : 0.1;
    c->again = now() + (pause > 1 ? 1 : pause);
    c->sent = c->head_sent = c->answer_length = 0;
}

// Offers at most `most` bytes of the block; it may be cut anywhere.
static void offer(struct connection *c, uint32_t index, size_t most) {
    double before_send = now();
    if (first_at == 0) first_at = before_send;
    if (http && c->head_sent < c->head_length) {
        ssize_t n = send(c->socket, c->head + c->head_sent, c->head_length - c->head_sent, MSG_NOSIGNAL | MSG_MORE);
        if (n < 0) { if (errno != EAGAIN && errno != EINTR) broke(c); return; }
        c->head_sent += (size_t)n;
        if (c->head_sent < c->head_length) return;
    }
    if (c->sent == c->length) return;
    size_t left = c->length - c->sent;
    ssize_t n = send(c->socket, c->block + c->sent, left < most ? left : most, MSG_NOSIGNAL);
    if (n < 0) { if (errno != EAGAIN && errno != EINTR) broke(c); return; }
    uint64_t before = c->sent / (size_t)size;
    c->sent += (size_t)n;
    progressed((size_t)n, now());
    if (!http) {
        events += c->sent / (size_t)size - before;
        if (c->sent == c->length) advance(c, index);
    }
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    port = atoi(option(argc, argv, "--port", "0"));
    connections = (uint32_t)atoi(option(argc, argv, "--connections", "1"));
    each = strtoull(option(argc, argv, "--each", "0"), NULL, 10);
    first = strtoull(option(argc, argv, "--first", "0"), NULL, 10);
    size = atoi(option(argc, argv, "--size", "250"));
    rate = atof(option(argc, argv, "--rate", "0"));
    is_syslog = strcmp(option(argc, argv, "--format", "json"), "syslog") == 0;
    http = option(argc, argv, "--http", NULL);
    batch = (uint32_t)atoi(option(argc, argv, "--batch", "500"));
    reconnects = has_option(argc, argv, "--reconnect");
    double limit = atof(option(argc, argv, "--limit", "300"));
    if (port == 0 || connections == 0 || connections > CONNECTIONS_MOST || batch == 0 || batch > BLOCK || size < 64 || size > 1024) {
        fprintf(stderr, "see the head of gen.c for what to say\n");
        return 64;
    }
    struct connection *all = calloc(connections, sizeof *all);
    struct pollfd *polls = calloc(connections, sizeof *polls);
    if (!all || !polls) die("calloc");
    for (uint32_t i = 0; i < connections; i++) {
        all[i].block = malloc((size_t)BLOCK * (size_t)size);
        if (!all[i].block) die("malloc");
        for (uint32_t l = 0; l < BLOCK; l++) marks[l] = make_line(all[i].block + (size_t)l * (size_t)size, l, 0);
        all[i].next = first;
        number_block(&all[i], i);
        all[i].socket = dial();
        if (all[i].socket < 0 && !reconnects) die("connect");
    }
    began = now();
    double reported = began;
    for (;;) {
        double t = now();
        if (t - reported > 0.05) { report(0); reported = t; }
        if (t - began > limit) { fprintf(stderr, "the time limit is over\n"); break; }
        double allowed = rate > 0 ? rate * (t - began) + 1 : 1e18;
        uint32_t busy = 0;
        for (uint32_t i = 0; i < connections; i++) {
            struct connection *c = &all[i];
            polls[i] = (struct pollfd){.fd = -1};
            if (c->finished) continue;
            busy++;
            if (c->socket < 0) {
                if (t >= c->again && (c->socket = dial()) < 0) c->again = t + 0.1;
                if (c->socket < 0) continue;
            }
            polls[i].fd = c->socket;
            polls[i].events = POLLIN;
            int is_due = t >= c->again && (double)events < allowed;
            if (is_due && (c->sent < c->length || c->head_sent < c->head_length)) polls[i].events |= POLLOUT;
        }
        if (busy == 0) break;
        if (poll(polls, connections, rate > 0 ? 1 : 20) < 0 && errno != EINTR) die("poll");
        for (uint32_t i = 0; i < connections; i++) {
            struct connection *c = &all[i];
            if (polls[i].fd < 0) continue;
            if (polls[i].revents & (POLLIN | POLLHUP | POLLERR)) {
                if (http) take_answer(c, i);
                else {
                    char drain[4096];
                    ssize_t n = recv(c->socket, drain, sizeof drain, 0);
                    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) broke(c);
                }
            }
            if (c->socket >= 0 && (polls[i].revents & POLLOUT)) {
                // With a rate in small portions, so that it is a rate and not a row of bursts.
                double share = (allowed - (double)events) / connections;
                offer(c, i, rate > 0 ? (size_t)((share > 1 ? share : 1) * size) : SIZE_MAX);
            }
        }
    }
    int complete = events == connections * each;
    report(1);
    return complete ? 0 : 1;
}
