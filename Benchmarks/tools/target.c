// The far end of a tunnel: what a connection's first byte asks for, it does.
//
//   S            takes all, and at its end says how much it was (8 bytes, big-endian)
//   G + 8 bytes  sends so many bytes (big-endian), then ends
//   E            sends back what comes; the answer to one message must fit the socket's buffer
//   H            reads nothing more
//
// A line on its input makes it report on its output; `quit`, or the end of its input, ends it.
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "numbers.h"

enum { PIECE = 256 << 10, READY_MOST = 256 };

struct connection {
    int fd;
    char kind;
    uint64_t left;
};

static char piece[PIECE];
static int epoll;
static uint64_t opened, open_now, sent, received;

static void watch(struct connection *c, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, operation, c->fd, &event) != 0) die("epoll_ctl");
}

static void end(struct connection *c) {
    close(c->fd);
    free(c);
    open_now--;
}

// -> 0 when the connection has ended
static int give(struct connection *c) {
    while (c->left > 0) {
        ssize_t n = send(c->fd, piece, c->left < PIECE ? c->left : PIECE, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN) return 1;
            end(c);
            return 0;
        }
        c->left -= (uint64_t)n;
        sent += (uint64_t)n;
    }
    end(c);
    return 0;
}

static void begin(struct connection *c) {
    char first[9];
    ssize_t n = recv(c->fd, first, sizeof first, MSG_PEEK);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) end(c);
        return;
    }
    size_t length = first[0] == 'G' ? 9 : 1;
    if ((size_t)n < length) return;
    if (recv(c->fd, first, length, 0) != (ssize_t)length) die("recv");
    c->kind = first[0];
    if (c->kind == 'G') {
        memcpy(&c->left, first + 1, 8);
        c->left = be64toh(c->left);
        watch(c, EPOLL_CTL_MOD, EPOLLOUT);
    } else if (c->kind == 'H') {
        watch(c, EPOLL_CTL_DEL, 0);
    }
}

static void take(struct connection *c) {
    for (int turn = 0; turn < 4; turn++) {
        ssize_t n = recv(c->fd, piece, PIECE, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            if (n == 0 && c->kind == 'S') {
                uint64_t all = htobe64(c->left);
                if (send(c->fd, &all, 8, MSG_NOSIGNAL) != 8) perror("send");
            }
            return end(c);
        }
        received += (uint64_t)n;
        c->left += (uint64_t)n;
        if (c->kind == 'E' && send(c->fd, piece, (size_t)n, MSG_NOSIGNAL) != n) return end(c);
        if (n < PIECE) return;
    }
}

static void take_clients(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED) return;
            die("accept");
        }
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *c = calloc(1, sizeof *c);
        if (!c) die("calloc");
        c->fd = fd;
        opened++;
        open_now++;
        watch(c, EPOLL_CTL_ADD, EPOLLIN);
    }
}

int main(int argc, char **argv) {
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)atoi(option(argc, argv, "--port", "0")))};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 4096) != 0) die("listen");
    epoll = epoll_create1(0);
    struct connection clients = {.fd = listener}, orders = {.fd = 0};
    watch(&clients, EPOLL_CTL_ADD, EPOLLIN);
    watch(&orders, EPOLL_CTL_ADD, EPOLLIN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (;;) {
        struct epoll_event ready[READY_MOST];
        int count = epoll_wait(epoll, ready, READY_MOST, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct connection *c = ready[i].data.ptr;
            if (c == &clients) {
                take_clients(listener);
            } else if (c == &orders) {
                char line[256];
                ssize_t n = read(0, line, sizeof line);
                if (n <= 0 || strncmp(line, "quit", 4) == 0) return 0;
                printf("{\"opened\": %lu, \"open\": %lu, \"sent\": %lu, \"received\": %lu}\n", opened, open_now, sent, received);
            } else if (c->kind == 'G') {
                give(c);
            } else if (c->kind == 0) {
                begin(c);
            } else {
                take(c);
            }
        }
    }
}
