// consume: takes bundles out of a broker's queues, as OpenCTI's workers do, and proves by their numbers (numbers.h) what came.
//
//   consume --port P --user U --password X --keys FILE --queue-type classic|quorum --connections K --each N [--prefetch 100]
//
// First it declares what OpenCTI declares: the exchange, and a durable queue for each line of FILE (see bundles.c), bound by its
// routing key. Then it consumes all of them on one connection, takes the bundle out of each message, and acknowledges.
//
// Commands, one a line on stdin: `quit`. Prints the same lines as sink.c; "ready" is 1 when the queues are there.
#include "amqp.h"
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1 << 22 };

static struct tally t;
static int server, prefetch;
static uint64_t bytes, unacknowledged, newest_tag;
static double first_at, last_at;
static int is_ready;
static unsigned char *in;
static size_t in_count, in_room = ROOM;
static struct bytes out, message, bundle;
static size_t message_left;

static void report(int done) {
    printf("{\"at\":%.6f,\"ready\":%d,\"unique\":%lu,\"duplicates\":%lu,\"disordered\":%lu,\"strange\":%lu,\"missing\":%lu,\"bytes\":%lu,"
           "\"first\":%.6f,\"last\":%.6f,\"done\":%s}\n", now(), is_ready, t.unique, t.duplicates, t.disordered, t.strange, tally_missing(&t),
           bytes, first_at, last_at, done ? "true" : "false");
    fflush(stdout);
}

static void flush(void) {
    for (size_t sent = 0; sent < out.count;) {
        ssize_t n = send(server, out.p + sent, out.count - sent, MSG_NOSIGNAL);
        if (n <= 0) die("send");
        sent += (size_t)n;
    }
    out.count = 0;
}

static void acknowledge(void) {
    if (unacknowledged == 0) return;
    size_t at = begin_method(&out, 1, ACK);
    put_number(&out, newest_tag, 8);
    put_number(&out, 1, 1);
    end(&out, at);
    unacknowledged = 0;
    flush();
}

// The value of `content`, decoded and searched for marks.
static void take_message(void) {
    static signed char values[256];
    if (!values['B'])
        for (int i = 0; i < 64; i++)
            values[(unsigned char)"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[i]] = (signed char)i;
    unsigned char *p = memmem(message.p, message.count, "\"content\":\"", 11), *stop;
    if (!p || !(stop = memchr(p + 11, '"', message.count - (size_t)(p + 11 - message.p)))) { t.strange++; return; }
    bundle.count = 0;
    for (p += 11; p + 4 <= stop; p += 4) {
        uint32_t v = (uint32_t)values[p[0]] << 18 | (uint32_t)values[p[1]] << 12 | (uint32_t)values[p[2]] << 6 | (uint32_t)values[p[3]];
        unsigned char three[] = {(unsigned char)(v >> 16), (unsigned char)(v >> 8), (unsigned char)v};
        put(&bundle, three, 3);
    }
    tally_scan(&t, (char *)bundle.p, bundle.count);
    unacknowledged++;
}

// -> the method of the frame that was taken, 0 for none, -1 when there is no whole one.
static int take_frame(size_t *at) {
    const unsigned char *p = in + *at;
    if (in_count - *at < 8) return -1;
    size_t length = number(p + 3, 4);
    if (in_count - *at < length + 8) return -1;
    *at += length + 8;
    if (p[0] == FRAME_BODY) {
        put(&message, p + 7, length);
        message_left -= length < message_left ? length : message_left;
        if (message_left == 0) take_message();
    } else if (p[0] == FRAME_HEADER) {
        message_left = number(p + 11, 8);
        message.count = 0;
    } else if (p[0] == FRAME_METHOD) {
        int method = (int)number(p + 7, 4);
        if (method == DELIVER) newest_tag = number(p + 12 + p[11], 8);
        if (method == CLOSE || method == CHANNEL_CLOSE) fprintf(stderr, "closed: %.*s\n", (int)p[13], p + 14), exit(1);
        return method;
    }
    return 0;
}

static int receive(void) {
    if (in_room - in_count < FRAME_MOST) {
        in_room *= 2;
        in = realloc(in, in_room);
        if (!in) die("realloc");
    }
    ssize_t n = recv(server, in + in_count, in_room - in_count, 0);
    if (n <= 0) return 0;
    double arrived = now();
    if (first_at == 0 && is_ready) first_at = arrived;
    if (is_ready) bytes += (uint64_t)n, last_at = arrived;
    in_count += (size_t)n;
    return 1;
}

static void await(int method) {
    flush();
    while (1) {
        size_t at = 0;
        int found;
        while ((found = take_frame(&at)) >= 0 && found != method) {}
        memmove(in, in + at, in_count - at);
        in_count -= at;
        if (found == method) return;
        if (!receive()) fprintf(stderr, "the broker hung up\n"), exit(1);
    }
}

static void log_in(const char *user, const char *password) {
    put(&out, "AMQP\0\0\x9\x1", 8);
    await(START);
    put_start_ok(&out, user, password);
    await(TUNE);
    put_tune_ok_and_open(&out);
    await(OPEN_OK);
    size_t at = begin_method(&out, 1, CHANNEL_OPEN);
    put_short(&out, "");
    end(&out, at);
    await(CHANNEL_OPEN_OK);
    at = begin_method(&out, 1, QOS);
    put_number(&out, 0, 4);
    put_number(&out, (uint64_t)prefetch, 2);
    put_number(&out, 0, 1);
    end(&out, at);
    await(QOS_OK);
}

static void consume(const char *queue, const char *exchange, const char *key, const char *type) {
    size_t at = begin_method(&out, 1, EXCHANGE_DECLARE);
    put_number(&out, 0, 2);
    put_short(&out, exchange);
    put_short(&out, "direct");
    put_number(&out, 2, 1);            // durable
    put_number(&out, 0, 4);
    end(&out, at);
    await(EXCHANGE_DECLARE_OK);
    at = begin_method(&out, 1, QUEUE_DECLARE);
    put_number(&out, 0, 2);
    put_short(&out, queue);
    put_number(&out, 2, 1);
    put_number(&out, 1 + 12 + 1 + 4 + strlen(type), 4);
    put_short(&out, "x-queue-type");
    put_text(&out, "S");
    put_number(&out, strlen(type), 4);
    put_text(&out, type);
    end(&out, at);
    await(QUEUE_DECLARE_OK);
    at = begin_method(&out, 1, QUEUE_BIND);
    put_number(&out, 0, 2);
    put_short(&out, queue);
    put_short(&out, exchange);
    put_short(&out, key);
    put_number(&out, 0, 5);
    end(&out, at);
    await(QUEUE_BIND_OK);
    at = begin_method(&out, 1, CONSUME);
    put_number(&out, 0, 2);
    put_short(&out, queue);
    put_number(&out, 0, 6);            // no tag, no flags, no arguments
    end(&out, at);
    await(CONSUME_OK);
}

int main(int argc, char **argv) {
    int one = 1;
    prefetch = atoi(option(argc, argv, "--prefetch", "100"));
    tally_open(&t, (uint32_t)atoi(option(argc, argv, "--connections", "1")), strtoull(option(argc, argv, "--each", "1"), NULL, 10));
    in = malloc(in_room);
    server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(option(argc, argv, "--port", "0"))),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (!in || server < 0 || connect(server, (struct sockaddr *)&a, sizeof a) != 0) die("connect");
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    log_in(option(argc, argv, "--user", "guest"), option(argc, argv, "--password", "guest"));
    FILE *file = fopen(option(argc, argv, "--keys", ""), "r");
    char id[200], exchange[100], key[240], queue[260];
    if (!file) die("--keys");
    while (fscanf(file, "%199s %*s %*s %99s %239s %*s", id, exchange, key) == 3) {
        snprintf(queue, sizeof queue, "push_%s", id);
        consume(queue, exchange, key, option(argc, argv, "--queue-type", "classic"));
    }
    fclose(file);
    is_ready = 1;
    report(0);
    struct pollfd sources[] = {{.fd = server, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    double reported = now();
    while (1) {
        int n = poll(sources, 2, 50);
        if (n > 0 && sources[1].revents) break;              // `quit`, or the end of the input
        if (n > 0 && sources[0].revents && !receive()) break;
        size_t at = 0;
        while (take_frame(&at) >= 0)
            if (unacknowledged * 2 >= (uint64_t)prefetch) acknowledge();
        memmove(in, in + at, in_count - at);
        in_count -= at;
        acknowledge();
        if (now() - reported > 0.05) report(0), reported = now();
    }
    report(1);
    return 0;
}
