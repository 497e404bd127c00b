// bundles: connectors of OpenCTI as a load, with what they send as pycti sends it, but without what Python costs.
//
//   bundles --mode amqp|api|ping|register --port P --keys FILE --connections K --each N [--first F] [--from M] [--size 3000]
//           [--objects 1] [--keep] [--rate PER_S] [--first-rate PER_S] [--limit SECONDS]
//
// K clients, each does one thing after the other, N times:
//   amqp      connects, logs in, opens a channel, asks for confirms, publishes one bundle, waits for its confirm, says goodbye.
//             With --keep it stays connected and publishes on.
//   api       pushes one bundle by `stixBundlePush` and waits for the answer. Without --keep each on a new connection.
//   ping, register   the calls of that name, by the next connector of FILE each time.
// With --rate the clients take turns. With --first-rate each does its first thing, which connects, at that rate; the
// report counts from the end of that on, as "warm" says. A connection that the server has closed meanwhile is made anew, as pycti's does.
// FILE has a line for each connector: id user password exchange routing-key work. Client k is connector k, round and round.
// A bundle has `objects` indicators, `size` bytes together; each has a mark (numbers.h) in its name,
// the first one of each client M.
//
// Prints a line of JSON each 50 ms and one at the end, with "done": true. `wait_*` are seconds from the first byte (connecting
// counts) to the confirm. Ends with status 1 when anything is refused or breaks off.
#include "amqp.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum mode { AMQP, API, PING, REGISTER };
enum { IN_MOST = 16384 };

struct connector {
    char id[200], user[200], password[200], exchange[100], key[240], work[300];
};

struct client {
    int socket, is_greeted;
    uint32_t index;
    uint64_t done;
    double began;
    struct bytes out;
    size_t sent, in_count;
    unsigned char in[IN_MOST];
};

static struct connector *connectors;
static uint32_t connector_count, client_count, objects;
static struct client *clients;
static enum mode mode;
static int poller, keeps, port;
static uint64_t each, first, from, started, finished, sent_bytes, warm;
static size_t size;
static double rate, began, last_at;
static float *waits;
static struct bytes bundle, body;

static void broke(struct client *c, const char *what) {
    fprintf(stderr, "client %u, after %lu: %s: %.*s\n", c->index, c->done, what, (int)c->in_count, (char *)c->in);
    exit(1);
}

static int by_length(const void *a, const void *b) { return (*(const float *)a > *(const float *)b) - (*(const float *)a < *(const float *)b); }

static void report(int done) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("{\"at\":%.6f,\"warm\":%s,\"bundles\":%lu,\"bytes\":%lu,\"first\":%.6f,\"last\":%.6f,\"cpu\":%.3f,", now(), warm ? "false" : "true", finished, sent_bytes, began, last_at,
           u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6);
    if (done && finished) {
        qsort(waits, finished, sizeof *waits, by_length);
        printf("\"wait_p50\":%.6f,\"wait_p99\":%.6f,\"wait_most\":%.6f,", (double)waits[finished / 2], (double)waits[finished * 99 / 100],
               (double)waits[finished - 1]);
    }
    printf("\"done\":%s}\n", done ? "true" : "false");
    fflush(stdout);
}

// ---------------------------------------------------------------- what is sent

static void make_bundle(uint32_t c, uint64_t n) {
    static const char words[] = "the quick brown fox jumps over the lazy dog ";
    char text[1024];
    bundle.count = 0;
    put_text(&bundle, "{\"type\":\"bundle\",\"id\":\"bundle--7c0e1f3a-5d0b-4f6e-9a1c-2f8b1d3e4a5b\",\"spec_version\":\"2.1\",\"x_opencti_seq\":0,"
                      "\"objects\":[");
    for (uint32_t i = 0; i < objects; i++) {
        uint64_t number = from + n * objects + i;
        int length = snprintf(text, sizeof text,
            "%s{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":\"indicator--%08x-0000-4000-8000-%012lx\",\"created\":\"2026-11-21T13:00:00.000Z\","
            "\"modified\":\"2026-11-21T13:00:00.000Z\",\"name\":\"#%04u:%010lu\",\"pattern\":\"[ipv4-addr:value = '10.%lu.%lu.%lu']\","
            "\"pattern_type\":\"stix\",\"valid_from\":\"2026-11-21T13:00:00Z\",\"nb_deps\":0,\"description\":\"",
            i ? "," : "", c, number, c, number, number >> 16 & 255, number >> 8 & 255, number & 255);
        put(&bundle, text, (size_t)length);
        size_t wanted = size * (i + 1) / objects - 4;
        while (bundle.count < wanted) {
            size_t more = wanted - bundle.count < sizeof words - 1 ? wanted - bundle.count : sizeof words - 1;
            put(&bundle, words, more);
        }
        put_text(&bundle, "\"}");
    }
    put_text(&bundle, "]}");
}

static void put_base64(struct bytes *to, const struct bytes *from) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = from->p;
    unsigned char *q = grow(to, (from->count + 2) / 3 * 4);
    size_t left = from->count;
    for (; left >= 3; left -= 3, p += 3, q += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        q[0] = (unsigned char)digits[v >> 18], q[1] = (unsigned char)digits[v >> 12 & 63];
        q[2] = (unsigned char)digits[v >> 6 & 63], q[3] = (unsigned char)digits[v & 63];
    }
    if (left) {
        uint32_t v = (uint32_t)p[0] << 16 | (left == 2 ? (uint32_t)p[1] << 8 : 0);
        q[0] = (unsigned char)digits[v >> 18], q[1] = (unsigned char)digits[v >> 12 & 63];
        q[2] = left == 2 ? (unsigned char)digits[v >> 6 & 63] : '=', q[3] = '=';
    }
}

static void put_escaped(struct bytes *to, const struct bytes *from) {
    for (size_t i = 0; i < from->count;) {
        const unsigned char *quote = memchr(from->p + i, '"', from->count - i);
        size_t n = quote ? (size_t)(quote - from->p) - i : from->count - i;
        put(to, from->p + i, n);
        if (quote) put(to, "\\\"", 2), n++;
        i += n;
    }
}

static void make_message(struct client *c, const struct connector *k) {
    make_bundle(c->index, first + c->done);
    body.count = 0;
    put_text(&body, "{\"bundle_type\":\"QUEUE_BUNDLE\",\"applicant_id\":\"88ec0c6a-13ce-5e39-b486-354fe4a7084f\",\"action_sequence\":1,\"entities_types\":[],"
                    "\"content\":\"");
    put_base64(&body, &bundle);
    put_text(&body, "\",\"update\":false,\"draft_id\":null,\"no_split\":false,\"work_id\":\"");
    put_text(&body, k->work);
    put_text(&body, "\"}");
    sent_bytes += bundle.count;
    put_publish(&c->out, k->exchange, k->key, &body);
}

static void make_request(struct client *c, const struct connector *k) {
    char head[512];
    body.count = 0;
    if (mode == API) {
        make_bundle(c->index, first + c->done);
        put_text(&body, "{\"query\": \"\\n            mutation StixBundlePush($connectorId: String!, $bundle: String!, $work_id: String) {\\n"
                        "                stixBundlePush(connectorId: $connectorId, bundle: $bundle, work_id: $work_id)\\n            }\\n         \", "
                        "\"variables\": {\"connectorId\": \"");
        put_text(&body, k->id);
        put_text(&body, "\", \"bundle\": \"");
        put_escaped(&body, &bundle);
        put_text(&body, "\", \"work_id\": \"");
        put_text(&body, k->work);
        put_text(&body, "\"}}");
        sent_bytes += bundle.count;
    } else if (mode == PING) {
        put_text(&body, "{\"query\": \"\\n            mutation PingConnector($id: ID!, $state: String, $connectorInfo: ConnectorInfoInput ) {\\n"
                        "                pingConnector(id: $id, state: $state, connectorInfo: $connectorInfo) {\\n                    id\\n"
                        "                    connector_state\\n                    connector_info {\\n                        run_and_terminate\\n"
                        "                        buffering\\n                        queue_threshold\\n                        queue_messages_size\\n"
                        "                        next_run_datetime\\n                        last_run_datetime\\n                    }\\n"
                        "                }\\n            }\\n           \", \"variables\": {\"id\": \"");
        put_text(&body, k->id);
        put_text(&body, "\", \"state\": \"{\\\"last_run\\\": 1795216041, \\\"n\\\": 2}\", \"connectorInfo\": {\"run_and_terminate\": false, "
                        "\"buffering\": false, \"queue_threshold\": 500.0, \"queue_messages_size\": 0.0, \"next_run_datetime\": "
                        "\"2026-11-20T23:07:41Z\", \"last_run_datetime\": \"2026-11-20T23:07:21Z\"}}}");
    } else {
        put_text(&body, "{\"query\": \"mutation RegisterConnector($input: RegisterConnectorInput) { registerConnector(input: $input) { id connector_state } }\", "
                        "\"variables\": {\"input\": {\"id\": \"");
        put_text(&body, k->id);
        put_text(&body, "\", \"name\": \"Feed\", \"type\": \"EXTERNAL_IMPORT\", \"scope\": [\"indicator\"], \"auto\": false, "
                        "\"only_contextual\": false, \"playbook_compatible\": false}}}");
    }
    int length = snprintf(head, sizeof head,
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: pycti/7.261026.0\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"
        "Connection: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        port, keeps ? "keep-alive" : "close", k->password, body.count);
    put(&c->out, head, (size_t)length);
    put(&c->out, body.p, body.count);
}

// ---------------------------------------------------------------- one client

static const struct connector *whose(struct client *c) {
    if (mode == AMQP || mode == API) return &connectors[c->index % connector_count];
    return &connectors[(first + c->done * client_count + c->index) % connector_count];
}

static void flush(struct client *c) {
    while (c->sent < c->out.count) {
        ssize_t n = send(c->socket, c->out.p + c->sent, c->out.count - c->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) break;
        if (n < 0) broke(c, strerror(errno));
        c->sent += (size_t)n;
    }
    struct epoll_event e = {.events = EPOLLIN | (c->sent < c->out.count ? EPOLLOUT : 0), .data.ptr = c};
    if (c->sent == c->out.count) c->sent = c->out.count = 0;
    if (epoll_ctl(poller, EPOLL_CTL_MOD, c->socket, &e) != 0) die("epoll_ctl");
}

static void dial(struct client *c) {
    int one = 1;
    c->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->socket < 0) die("socket");
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->socket, (struct sockaddr *)&a, sizeof a) != 0 && errno != EINPROGRESS) die("connect");
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->socket, &e) != 0) die("epoll_ctl");
    c->is_greeted = 0;
    c->in_count = 0;
    if (mode == AMQP) put(&c->out, "AMQP\0\0\x9\x1", 8);
}

static void hang_up(struct client *c) {
    close(c->socket);
    c->socket = -1;
}

// Begins the next one of a client that has nothing to do.
static void next(struct client *c) {
    if (c->done == each || c->began > 0) return;
    started++;
    c->began = now();
    if (c->socket < 0) dial(c);
    if (mode != AMQP) make_request(c, whose(c));
    else if (c->is_greeted) make_message(c, whose(c));
    flush(c);
}

static void is_done(struct client *c) {
    last_at = now();
    waits[finished++] = (float)(last_at - c->began);
    c->done++;
}

// -> 1 when the client has hung up.
static int frame(struct client *c, int channel, int method, const unsigned char *arguments) {
    (void)arguments;
    size_t at;
    switch (method) {
    case START: put_start_ok(&c->out, whose(c)->user, whose(c)->password); break;
    case TUNE: put_tune_ok_and_open(&c->out); break;
    case OPEN_OK:
        at = begin_method(&c->out, 1, CHANNEL_OPEN);
        put_short(&c->out, "");
        end(&c->out, at);
        break;
    case CHANNEL_OPEN_OK:
        at = begin_method(&c->out, 1, CONFIRM_SELECT);
        put_number(&c->out, 0, 1);
        end(&c->out, at);
        break;
    case CONFIRM_SELECT_OK:
        c->is_greeted = 1;
        make_message(c, whose(c));
        break;
    case ACK:
        is_done(c);
        if (!keeps) put_close(&c->out, 1);
        else c->began = 0;
        break;
    case CHANNEL_CLOSE_OK: put_close(&c->out, 0); break;
    case CLOSE_OK:
        hang_up(c);
        c->began = 0;
        return 1;
    default: broke(c, channel ? "the channel was closed, or the bundle refused" : "the connection was closed");
    }
    return 0;
}

static int frames(struct client *c) {
    size_t at = 0;
    while (c->in_count - at >= 8) {
        const unsigned char *p = c->in + at;
        size_t length = number(p + 3, 4);
        if (length > IN_MOST - 8) broke(c, "a frame is too long");
        if (c->in_count - at < length + 8) break;
        at += length + 8;
        if (p[0] == FRAME_METHOD && frame(c, (int)number(p + 1, 2), (int)number(p + 7, 4), p + 11)) return 1;
    }
    memmove(c->in, c->in + at, c->in_count - at);
    c->in_count -= at;
    return 0;
}

static int answer(struct client *c) {
    static const char *good[] = {[API] = "\"stixBundlePush\":true", [PING] = "\"pingConnector\":{\"id\"", [REGISTER] = "\"registerConnector\":{\"id\""};
    c->in[c->in_count] = 0;
    char *text = (char *)c->in, *stop = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\ncontent-length:");
    if (!stop || !length || strlen(stop + 4) < strtoul(length + 17, NULL, 10)) return 0;
    if (strncmp(text, "HTTP/1.1 200", 12) != 0 || !strstr(stop, good[mode])) broke(c, "refused");
    is_done(c);
    c->in_count = 0;
    c->began = 0;
    if (!keeps) hang_up(c);
    return !keeps;
}

static void receive(struct client *c) {
    ssize_t n = recv(c->socket, c->in + c->in_count, IN_MOST - 1 - c->in_count, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) broke(c, strerror(errno));
    if (n == 0 && c->began == 0) { hang_up(c); return; }
    if (n == 0) broke(c, "the server hung up");
    c->in_count += (size_t)n;
    if (!(mode == AMQP ? frames(c) : answer(c))) flush(c);
}

// ---------------------------------------------------------------- all together

static void read_connectors(const char *path) {
    FILE *file = fopen(path, "r");
    struct connector k;
    if (!file) die(path);
    while (fscanf(file, "%199s %199s %199s %99s %239s %299s", k.id, k.user, k.password, k.exchange, k.key, k.work) == 6) {
        if ((connector_count & (connector_count + 1)) == 0)
            connectors = realloc(connectors, (connector_count + 1) * 2 * sizeof *connectors);
        connectors[connector_count++] = k;
    }
    fclose(file);
    if (connector_count == 0) fprintf(stderr, "no connectors in %s\n", path), exit(64);
}

int main(int argc, char **argv) {
    static const char *names[] = {"amqp", "api", "ping", "register"};
    const char *wanted = option(argc, argv, "--mode", "amqp");
    while (strcmp(names[mode], wanted) != 0)
        if (++mode > REGISTER) fprintf(stderr, "no mode %s\n", wanted), exit(64);
    port = atoi(option(argc, argv, "--port", "0"));
    client_count = (uint32_t)atoi(option(argc, argv, "--connections", "1"));
    each = strtoull(option(argc, argv, "--each", "1"), NULL, 10);
    first = strtoull(option(argc, argv, "--first", "0"), NULL, 10);
    from = strtoull(option(argc, argv, "--from", "0"), NULL, 10);
    size = strtoull(option(argc, argv, "--size", "3000"), NULL, 10);
    objects = (uint32_t)atoi(option(argc, argv, "--objects", "1"));
    rate = atof(option(argc, argv, "--rate", "0"));
    double rate_after = rate, first_rate = atof(option(argc, argv, "--first-rate", "0"));
    double limit = atof(option(argc, argv, "--limit", "240"));
    keeps = has_option(argc, argv, "--keep");
    read_connectors(option(argc, argv, "--keys", ""));
    poller = epoll_create1(0);
    clients = calloc(client_count, sizeof *clients);
    waits = calloc(client_count * each + 1, sizeof *waits);
    if (poller < 0 || !clients || !waits) die("calloc");
    began = now();
    for (uint32_t i = 0; i < client_count; i++) clients[i].index = i, clients[i].socket = -1;
    double reported = began, start = began;
    uint64_t due = client_count * each;
    if (first_rate > 0) warm = client_count, rate = first_rate;
    while (finished < due) {
        if (warm && finished == warm) {
            due -= warm;
            finished = started = warm = 0;
            rate = rate_after;
            began = now();
        }
        if (rate > 0)
            while (started < (warm ? warm : due) && (double)started < (now() - began) * rate && clients[started % client_count].began == 0)
                next(&clients[started % client_count]);
        else
            for (uint32_t i = 0; i < client_count; i++) next(&clients[i]);
        struct epoll_event events[64];
        int n = epoll_wait(poller, events, 64, rate > 0 ? 1 : 50);
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
            else flush(c);
        }
        if (now() - reported > 0.05) report(0), reported = now();
        if (now() - start > limit) fprintf(stderr, "not done within %.0f s\n", limit), exit(1);
    }
    report(1);
    return 0;
}
