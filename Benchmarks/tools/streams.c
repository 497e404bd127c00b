// The near end of a tunnel: connections to `target` through whatever stands between.
//
//   streams --port P --mode push  --connections N --bytes B    each sends B bytes, ends, and is told how many have come
//   streams --port P --mode pull  --connections N --bytes B    each asks for B bytes and counts what comes
//   streams --port P --mode ping  --seconds S --size B         one message of B bytes at a time and its echo
//   streams --port P --mode dial  --seconds S --connections N  N at a time: connect, one byte and its echo, end
//   streams --port P --mode hold  --connections N              N connections, each proven by a byte; then waits
//   streams --port P --mode stall --bytes B                    one whose target reads nothing (B: that is not read from)
//
// Reports are lines of JSON. `hold` and `stall` go on until `quit`; any other line makes `hold` prove all of its connections again
// and `stall` report.
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "numbers.h"

enum { PIECE = 256 << 10, SAMPLES_MOST = 4 << 20, WORKERS_MOST = 64 };

static char piece[PIECE];
static struct sockaddr_in address;

static int dial(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd < 0) die("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int dial_or_die(void) {
    int fd = dial();
    if (fd < 0) die("connect");
    return fd;
}

static int send_all(int fd, const void *bytes, size_t length) {
    return send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static int receive_all(int fd, void *bytes, size_t length) {
    return recv(fd, bytes, length, MSG_WAITALL) == (ssize_t)length;
}

static void ask(int fd, char kind, uint64_t number) {
    char request[9] = {kind};
    uint64_t big = htobe64(number);
    memcpy(request + 1, &big, 8);
    if (!send_all(fd, request, kind == 'G' ? 9 : 1)) die("send");
}

static int by_value(const void *a, const void *b) {
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

// MARK: Bytes

struct flow {
    int fd;
    uint64_t left, got;
};

// -> 1 when it has ended
static int push(int epoll, struct flow *f) {
    while (f->left > 0) {
        ssize_t n = send(f->fd, piece, f->left < PIECE ? f->left : PIECE, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            if (errno == EAGAIN) return 0;
            die("send");
        }
        f->left -= (uint64_t)n;
        if (f->left > 0) continue;
        shutdown(f->fd, SHUT_WR);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = f};
        if (epoll_ctl(epoll, EPOLL_CTL_MOD, f->fd, &event) != 0) die("epoll_ctl");
        return 0;
    }
    uint64_t count;
    if (!receive_all(f->fd, &count, 8)) die("the target's count");
    f->got = be64toh(count);
    return 1;
}

static int pull(struct flow *f) {
    ssize_t n = recv(f->fd, piece, PIECE, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n < 0) die("recv");
    f->got += (uint64_t)n;
    return n == 0;
}

static void transfer(int is_push, int connections, uint64_t bytes) {
    int epoll = epoll_create1(0), open = connections;
    struct flow *flows = calloc((size_t)connections, sizeof *flows);
    for (int i = 0; i < connections; i++) flows[i] = (struct flow){.fd = dial_or_die(), .left = bytes};
    double began = now();
    for (int i = 0; i < connections; i++) {
        ask(flows[i].fd, is_push ? 'S' : 'G', bytes);
        struct epoll_event event = {.events = is_push ? EPOLLOUT : EPOLLIN, .data.ptr = &flows[i]};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, flows[i].fd, &event) != 0) die("epoll_ctl");
    }
    double first_end = 0;
    while (open > 0) {
        struct epoll_event ready[64];
        int count = epoll_wait(epoll, ready, 64, -1);
        for (int i = 0; i < count; i++) {
            struct flow *f = ready[i].data.ptr;
            if (!(is_push ? push(epoll, f) : pull(f))) continue;
            if (first_end == 0) first_end = now();
            close(f->fd);
            open--;
        }
    }
    double seconds = now() - began;
    uint64_t all = 0;
    for (int i = 0; i < connections; i++) all += flows[i].got;
    // How far the first was ahead of the last.
    printf("{\"bytes\": %lu, \"missing\": %ld, \"seconds\": %.6f, \"first_end\": %.6f}\n", all,
           (long)(bytes * (uint64_t)connections - all), seconds, first_end - began);
}

// MARK: Times

static void ping(double seconds, size_t size) {
    static float samples[SAMPLES_MOST];
    int fd = dial_or_die();
    ask(fd, 'E', 0);
    size_t count = 0;
    for (double end = now() + seconds, t = now(); t < end && count < SAMPLES_MOST; count++) {
        if (!send_all(fd, piece, size) || !receive_all(fd, piece, size)) die("ping");
        double after = now();
        samples[count] = (float)(after - t);
        t = after;
    }
    close(fd);
    qsort(samples, count, sizeof *samples, by_value);
    printf("{\"pings\": %zu, \"p50\": %.7f, \"p90\": %.7f, \"p99\": %.7f, \"most\": %.7f}\n", count, samples[count / 2],
           samples[count * 9 / 10], samples[count * 99 / 100], samples[count - 1]);
}

struct worker {
    pthread_t thread;
    double end;
    uint64_t done, failed;
};

static void *dial_again_and_again(void *argument) {
    struct worker *w = argument;
    while (now() < w->end) {
        int fd = dial();
        char two[2] = "Ex", echo;
        if (fd >= 0 && send_all(fd, two, 2) && receive_all(fd, &echo, 1)) w->done++;
        else w->failed++;
        if (fd >= 0) close(fd);
    }
    return NULL;
}

static void dials(double seconds, int workers) {
    static struct worker all[WORKERS_MOST];
    double began = now();
    for (int i = 0; i < workers; i++) {
        all[i].end = began + seconds;
        if (pthread_create(&all[i].thread, NULL, dial_again_and_again, &all[i]) != 0) die("pthread_create");
    }
    uint64_t done = 0, failed = 0;
    for (int i = 0; i < workers; i++) {
        pthread_join(all[i].thread, NULL);
        done += all[i].done;
        failed += all[i].failed;
    }
    printf("{\"dials\": %lu, \"failed\": %lu, \"seconds\": %.6f}\n", done, failed, now() - began);
}

// MARK: Those that stay

static int next_line(char *line, size_t length) {
    return fgets(line, (int)length, stdin) != NULL && strncmp(line, "quit", 4) != 0;
}

static void hold(int connections) {
    int *all = calloc((size_t)connections, sizeof *all);
    int open = 0;
    char echo;
    for (; open < connections; open++) {
        all[open] = dial_or_die();
        if (!send_all(all[open], "Ex", 2) || !receive_all(all[open], &echo, 1)) break;
    }
    printf("{\"open\": %d, \"round\": 0}\n", open);
    char line[64];
    for (int round = 1; next_line(line, sizeof line); round++) {
        int alive = 0;
        for (int i = 0; i < open; i++) alive += send_all(all[i], "y", 1) && receive_all(all[i], &echo, 1);
        printf("{\"open\": %d, \"round\": %d}\n", alive, round);
    }
}

static void stall(uint64_t bytes) {
    int fd = dial_or_die();
    uint64_t swallowed = 0;
    char line[64];
    ask(fd, bytes > 0 ? 'G' : 'H', bytes);
    for (;;) {
        struct pollfd waits[2] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = bytes > 0 ? 0 : POLLOUT}};
        if (poll(waits, 2, -1) < 0) die("poll");
        if (waits[0].revents) {
            if (!next_line(line, sizeof line)) return;
            printf("{\"swallowed\": %lu}\n", swallowed);
        }
        if (waits[1].revents & (POLLERR | POLLHUP)) die("the stalled connection was ended");
        if (waits[1].revents & POLLOUT) {
            ssize_t n = send(fd, piece, PIECE, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n > 0) swallowed += (uint64_t)n;
        }
    }
}

int main(int argc, char **argv) {
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    const char *mode = option(argc, argv, "--mode", "");
    int connections = atoi(option(argc, argv, "--connections", "1"));
    double seconds = atof(option(argc, argv, "--seconds", "1"));
    uint64_t bytes = strtoull(option(argc, argv, "--bytes", "0"), NULL, 10);
    size_t size = strtoull(option(argc, argv, "--size", "64"), NULL, 10);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)atoi(option(argc, argv, "--port", "0")))};
    if (connections < 1 || size < 1 || size > PIECE) {
        fprintf(stderr, "at least one connection, messages of 1 to %d bytes\n", PIECE);
        return 64;
    }
    if (strcmp(mode, "push") == 0 || strcmp(mode, "pull") == 0) transfer(strcmp(mode, "push") == 0, connections, bytes);
    else if (strcmp(mode, "ping") == 0) ping(seconds, size);
    else if (strcmp(mode, "dial") == 0) dials(seconds, connections < WORKERS_MOST ? connections : WORKERS_MOST);
    else if (strcmp(mode, "hold") == 0) hold(connections);
    else if (strcmp(mode, "stall") == 0) stall(bytes);
    else {
        fprintf(stderr, "no mode %s\n", mode);
        return 64;
    }
    return 0;
}
