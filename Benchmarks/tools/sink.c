// sink: a receiver on 127.0.0.1:PORT that proves by the events' numbers (numbers.h) what arrived.
//
//   sink --port P --connections K --each N [--http] [--rate BYTES_PER_S] [--limit SECONDS]
//
// Plain TCP: everything received is searched for marks. With --http each request is answered when its body is complete
// (Content-Length or chunked), and only the bodies of requests answered with 2xx count.
//
// Commands, one a line on stdin: `rate N` (bytes/s, 0 for no limit) · `stall` · `go` · `code N` (status of the next requests) ·
// `delay MS` (before each answer) · `reset` (ends all connections with RST) · `quit`. End of input is `quit` too.
//
// Prints a line of JSON each 50 ms and at the end, with "done": true. `first` and `last` are CLOCK_MONOTONIC seconds of the first
// and the newest byte.
#include "numbers.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1 << 20, HEAD_MOST = 16384, KEPT_MOST = HEAD_MOST };
enum phase { HEAD, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER };

struct client {
    int socket;
    size_t kept_length;
    char kept[KEPT_MOST];             // a head that is not complete, or the start of a mark that may have been cut
    enum phase phase;
    uint64_t left;                    // bytes of the body or chunk still to come
    int counts, status, is_chunked;
    size_t mark_length;
    char mark[MARK];                  // the tail of the body so far, when a mark may have been cut
    struct client *next_in_list, *previous_in_list;
};

static struct tally t;
static struct client clients;         // head of the list of all clients
static int poller, is_http, code = 200, is_stalled, delay_ms;
static uint64_t bytes, connections_total, requests, refused_requests;
static double rate, first_at, last_at, allowance, refilled;
static char *buffer;

static void report(int done) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("{\"at\":%.6f,\"unique\":%lu,\"duplicates\":%lu,\"disordered\":%lu,\"strange\":%lu,\"missing\":%lu,\"bytes\":%lu,\"first\":%.6f,"
           "\"last\":%.6f,\"connections\":%lu,\"requests\":%lu,\"refused\":%lu,\"cpu\":%.3f,\"done\":%s}\n",
           now(), t.unique, t.duplicates, t.disordered, t.strange, tally_missing(&t), bytes, first_at, last_at, connections_total,
           requests, refused_requests,
           u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6, done ? "true" : "false");
    fflush(stdout);
}

static void leave(struct client *c, int with_reset) {
    if (with_reset) {
        struct linger hard = {1, 0};
        setsockopt(c->socket, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    close(c->socket);
    c->previous_in_list->next_in_list = c->next_in_list;
    if (c->next_in_list) c->next_in_list->previous_in_list = c->previous_in_list;
    free(c);
}

static void enter(int server) {
    int s = accept(server, NULL, NULL), one = 1;
    if (s < 0) return;
    fcntl(s, F_SETFL, O_NONBLOCK);
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct client *c = calloc(1, sizeof *c);
    if (!c) die("calloc");
    c->socket = s;
    c->next_in_list = clients.next_in_list;
    c->previous_in_list = &clients;
    if (c->next_in_list) c->next_in_list->previous_in_list = c;
    clients.next_in_list = c;
    connections_total++;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, s, &e) != 0) die("epoll_ctl");
}

static void count(struct client *c, const char *p, size_t n) {
    if (!c->counts || n == 0) return;
    if (c->mark_length > 0) {          // finish the mark that the last piece may have cut
        char both[2 * MARK];
        size_t more = n < MARK ? n : MARK;
        memcpy(both, c->mark, c->mark_length);
        memcpy(both + c->mark_length, p, more);
        size_t have = c->mark_length + more;
        if (have < MARK) { memcpy(c->mark, both, have); c->mark_length = have; return; }
        tally_mark(&t, both);
        p += MARK - c->mark_length;
        n -= MARK - c->mark_length;
        c->mark_length = 0;
    }
    size_t cut = tally_scan(&t, p, n);
    memcpy(c->mark, p + n - cut, cut);
    c->mark_length = cut;
}

static int answer(struct client *c) {
    static const char *names[] = {"OK", "Created", "Accepted"};
    char text[256];
    requests++;
    if (c->status >= 300) refused_requests++;
    if (delay_ms > 0) usleep((useconds_t)delay_ms * 1000);
    int n = snprintf(text, sizeof text, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n\r\n", c->status,
                     c->status < 203 && c->status >= 200 ? names[c->status - 200] : "No");
    c->phase = HEAD;
    c->mark_length = 0;
    return send(c->socket, text, (size_t)n, MSG_NOSIGNAL) == n;
}

static const char *field(const char *head, const char *name) {
    const char *p = strcasestr(head, name);
    return p ? p + strlen(name) : NULL;
}

// Walks through a piece of an HTTP connection. -> how many bytes of its end must come again; -1 to hang up.
static ssize_t walk(struct client *c, char *p, size_t length) {
    char *end = p + length;
    while (p < end) {
        if (c->phase == HEAD) {
            char *stop = memmem(p, (size_t)(end - p), "\r\n\r\n", 4);
            if (!stop) return end - p < HEAD_MOST ? end - p : -1;
            *stop = 0;
            const char *given = field(p, "\r\ncontent-length:"), *coding = field(p, "\r\ntransfer-encoding:");
            const char *expect = field(p, "\r\nexpect:");
            c->is_chunked = coding && strcasestr(coding, "chunked") != NULL;
            c->left = given ? strtoull(given, NULL, 10) : 0;
            c->status = code;
            c->counts = code >= 200 && code < 300;
            if (expect && send(c->socket, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) != 25) return -1;
            p = stop + 4;
            c->phase = c->is_chunked ? CHUNK_SIZE : BODY;
            if (c->phase == BODY && c->left == 0 && !answer(c)) return -1;
        } else if (c->phase == BODY || c->phase == CHUNK) {
            size_t n = (uint64_t)(end - p) < c->left ? (size_t)(end - p) : (size_t)c->left;
            count(c, p, n);
            p += n;
            c->left -= n;
            if (c->left > 0) continue;
            if (c->phase == CHUNK) c->phase = CHUNK_END;
            else if (!answer(c)) return -1;
        } else {                       // a line of the chunked coding: a size, the end of a chunk, a trailer
            char *stop = memmem(p, (size_t)(end - p), "\r\n", 2);
            if (!stop) return end - p < 1024 ? end - p : -1;
            if (c->phase == CHUNK_SIZE) {
                c->left = strtoull(p, NULL, 16);
                c->phase = c->left > 0 ? CHUNK : TRAILER;
            } else if (c->phase == CHUNK_END) c->phase = CHUNK_SIZE;
            else if (stop == p && !answer(c)) return -1;
            p = stop + 2;
        }
    }
    return 0;
}

static void take(struct client *c) {
    size_t room = ROOM;
    if (rate > 0) {
        if (allowance < 1) return;
        if (allowance < room) room = (size_t)allowance;
    }
    memcpy(buffer, c->kept, c->kept_length);
    ssize_t n = recv(c->socket, buffer + c->kept_length, room, 0);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) leave(c, 0);
        return;
    }
    last_at = now();
    if (first_at == 0) first_at = last_at;
    bytes += (uint64_t)n;
    allowance -= (double)n;
    size_t have = c->kept_length + (size_t)n;
    ssize_t again = is_http ? walk(c, buffer, have) : (ssize_t)tally_scan(&t, buffer, have);
    if (again < 0 || again > KEPT_MOST) { leave(c, 0); return; }
    memcpy(c->kept, buffer + have - (size_t)again, (size_t)again);
    c->kept_length = (size_t)again;
}

static void obey(char *command) {
    if (strncmp(command, "rate ", 5) == 0) { rate = atof(command + 5); allowance = 0; }
    else if (strcmp(command, "stall") == 0) is_stalled = 1;
    else if (strcmp(command, "go") == 0) is_stalled = 0;
    else if (strncmp(command, "code ", 5) == 0) code = atoi(command + 5);
    else if (strncmp(command, "delay ", 6) == 0) delay_ms = atoi(command + 6);
    else if (strcmp(command, "reset") == 0) while (clients.next_in_list) leave(clients.next_in_list, 1);
    else { report(1); exit(0); }
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    tally_open(&t, (uint32_t)atoi(option(argc, argv, "--connections", "1")), strtoull(option(argc, argv, "--each", "0"), NULL, 10));
    is_http = has_option(argc, argv, "--http");
    rate = atof(option(argc, argv, "--rate", "0"));
    double limit = atof(option(argc, argv, "--limit", "600"));
    buffer = malloc(ROOM + KEPT_MOST + 1);
    if (!buffer) die("malloc");
    memset(buffer, 0, ROOM + KEPT_MOST + 1);
    int server = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)atoi(option(argc, argv, "--port", "0")))};
    if (bind(server, (struct sockaddr *)&a, sizeof a) != 0 || listen(server, 1024) != 0) die("listen");
    fcntl(server, F_SETFL, O_NONBLOCK);
    fcntl(0, F_SETFL, O_NONBLOCK);
    poller = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &t}, input = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, server, &e) != 0) die("epoll_ctl");
    if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &input) != 0) die("epoll_ctl: stdin must be a pipe");
    double began = now(), reported = began;
    char commands[4096];
    size_t typed = 0;
    for (;;) {
        struct epoll_event ready[256];
        int n = epoll_wait(poller, ready, 256, rate > 0 || is_stalled ? 5 : 20);
        double at = now();
        if (rate > 0) {                // a bucket of 20 ms
            allowance += (at - refilled) * rate;
            if (allowance > rate / 50) allowance = rate / 50;
        }
        refilled = at;
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr == NULL) {
                ssize_t got = read(0, commands + typed, sizeof commands - typed);
                if (got == 0) { report(1); return 0; }
                if (got < 0) continue;
                typed += (size_t)got;
                char *line;
                while ((line = memchr(commands, '\n', typed))) {
                    *line = 0;
                    obey(commands);
                    size_t used = (size_t)(line + 1 - commands);
                    memmove(commands, line + 1, typed - used);
                    typed -= used;
                }
                n = 0;                 // a command may have closed what is still in the list
            } else if (ready[i].data.ptr == &t) enter(server);
            else if (!is_stalled) take(ready[i].data.ptr);
        }
        if (n > 0 && (is_stalled || (rate > 0 && allowance < 1))) usleep(2000);     // readable, and not to be read
        if (at - reported > 0.05) { report(0); reported = at; }
        if (at - began > limit) { report(1); return 1; }
    }
}
