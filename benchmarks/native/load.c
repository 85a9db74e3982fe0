/* The load generator: closed loop, or open loop at a fixed rate, on keep-alive connections of one thread. */

#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"
#include "histogram.h"
#include "wire.h"

enum { BATCH = 512, READ_ROOM = 1 << 18, STATUSES = 1000, TOKENS = 16, ERROR_ROOM = LINE_ROOM + 80 };
enum { TICK = 100, REQUESTS_PER_SEED = 10000000, SEEDS = 100000 };

static const char TOKEN[] = "@@@@@@@@@@@@";
static const char USAGE[] =
    "usage: load --url http://HOST:PORT/PATH --body FILE [--connections 32] [--seconds 5] [--warmup 0] [--rate R]\n"
    "            [--vary [--seed N]] [--header 'name: value']... [--timeout 30] [--awake]";

/* A connection, open where `fd` is one; `due` is the moment its request should have left, ns, sent then or later. */
struct connection {
    int fd;
    bool busy, blocked;
    int64_t due, first;
    struct bytes pending;
    struct answer answer;
};

/* What one phase counts; `requests` were answered in full with status 200, `last` is when the last one was, ns. */
struct tally {
    uint64_t requests, errors, events, statuses[STATUSES];
    struct histogram latency, first_byte;
    char first_error[ERROR_ROOM];
    int64_t last;
};

static struct {
    const char *url, *body;
    size_t connections;
    double seconds, warmup, rate, timeout;
    bool vary, awake;
    uint64_t number;
    struct bytes fields;
} plan = {.connections = 32, .seconds = 5, .timeout = 30};

/* The phase that runs: its first and last moment, ns; in open loop, how many requests it has and has begun. */
static struct {
    int64_t start, end, armed;
    uint64_t wanted, begun;
} phase;

static struct addrinfo *server;
static struct bytes request;
static size_t tokens[TOKENS], token_count;
static struct connection *connections, **idle;
static size_t idle_count, in_flight;
static struct tally *tally;
static int poller, timer;

static void hang_up(struct connection *connection) {
    if (connection->fd >= 0) close(connection->fd);
    connection->fd = -1;
    connection->pending.used = 0;
    connection->blocked = false;
}

static void settle(struct connection *connection) {
    connection->busy = false;
    in_flight--;
    idle[idle_count++] = connection;
}

/* Counts an error; the first one is told, with the start of what was answered. */
static void note(const struct answer *answer, const char *why) {
    if (tally->errors++) return;
    int length = snprintf(tally->first_error, ERROR_ROOM, "%s", why);
    if (!answer->head_read) return;
    length += snprintf(tally->first_error + length, 16, ": %u ", answer->status);
    for (size_t i = 0; i < answer->line_used; i++) {
        char byte = answer->line[i];
        tally->first_error[length++] = byte < ' ' || byte > '~' ? ' ' : byte;
    }
    tally->first_error[length] = 0;
}

/* Gives up the request and its connection. */
static void fail(struct connection *connection, const char *why) {
    note(&connection->answer, why);
    hang_up(connection);
    settle(connection);
}

static void open_connection(struct connection *connection) {
    int yes = 1;
    connection->fd = socket(server->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) die("socket");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event);
    if (connect(connection->fd, server->ai_addr, server->ai_addrlen) == 0 || errno == EINPROGRESS) return;
    int refusal = errno;
    hang_up(connection);
    errno = refusal;
}

/* Sends what it can; whatever does not fit into the socket waits in `pending`. */
static void transmit(struct connection *connection, const char *data, size_t length) {
    ssize_t sent = send(connection->fd, data, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        fail(connection, strerror(errno));
        return;
    }
    size_t gone = sent < 0 ? 0 : (size_t)sent;
    if (data == connection->pending.data) consume(&connection->pending, gone);
    else append(&connection->pending, data + gone, length - gone);
    bool blocked = connection->pending.used > 0;
    if (blocked == connection->blocked) return;
    struct epoll_event event = {.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = connection};
    epoll_ctl(poller, EPOLL_CTL_MOD, connection->fd, &event);
    connection->blocked = blocked;
}

static void number_request(void) {
    char digits[sizeof TOKEN + 8];
    snprintf(digits, sizeof digits, "%012" PRIu64, plan.number++);
    for (size_t i = 0; i < token_count; i++) memcpy(request.data + tokens[i], digits, sizeof TOKEN - 1);
}

/* Sends the next request on a connection that was free. */
static void begin(struct connection *connection, int64_t due) {
    reset_answer(&connection->answer);
    connection->busy = true;
    connection->due = due;
    connection->first = 0;
    in_flight++;
    if (connection->fd < 0) open_connection(connection);
    if (connection->fd < 0) {
        fail(connection, strerror(errno));
        return;
    }
    if (plan.vary) number_request();
    transmit(connection, request.data, request.used);
}

/* When the open loop's request of this number is due. */
static int64_t due_at(uint64_t index) { return phase.start + (int64_t)((double)index * 1e9 / plan.rate); }

/* Whether what was due then should have been answered by now. */
static bool is_late(int64_t due, int64_t now) { return now - due > (int64_t)(plan.timeout * 1e9); }

/* Begins what is due on the free connections: in closed loop on each, but on none twice. */
static void begin_due(void) {
    if (!plan.rate) {
        for (size_t free_ones = now_ns() < phase.end ? idle_count : 0; free_ones; free_ones--) {
            struct connection *connection = idle[0];
            memmove(idle, idle + 1, --idle_count * sizeof *idle);
            begin(connection, now_ns());
        }
        return;
    }
    for (int64_t now; phase.begun < phase.wanted && due_at(phase.begun) <= (now = now_ns()); phase.begun++) {
        if (is_late(due_at(phase.begun), now)) note(&(struct answer){0}, "not sent in time");
        else if (idle_count) begin(idle[--idle_count], due_at(phase.begun));
        else break;
    }
    if (phase.begun < phase.wanted && idle_count && phase.armed != due_at(phase.begun))
        arm(timer, phase.armed = due_at(phase.begun));
}

/* Counts a whole answer and, in closed loop, sends the next request. */
static void complete(struct connection *connection) {
    struct answer *answer = &connection->answer;
    int64_t now = now_ns();
    if (is_good(answer)) {
        tally->requests++;
        tally->events += answer->events;
        count_duration(&tally->latency, now - connection->due);
        count_duration(&tally->first_byte, (connection->first ? connection->first : now) - connection->due);
        tally->last = now;
    } else {
        note(answer, answer->status == 200 ? "stream without its last event" : "not answered with 200");
    }
    if (answer->status != 200 || is_good(answer)) tally->statuses[answer->status]++;
    if (answer->closing) hang_up(connection);
    settle(connection);
    if (plan.rate || now >= phase.end) return;
    idle_count--;
    begin(connection, now);
}

static void receive(struct connection *connection) {
    static char data[READ_ROOM];
    ssize_t got = recv(connection->fd, data, sizeof data, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (!connection->busy) {
        hang_up(connection);
        return;
    }
    if (got <= 0) {
        if (got < 0) fail(connection, strerror(errno));
        else if (ends_with_connection(&connection->answer)) complete(connection);
        else fail(connection, connection->answer.head_read ? "cut in the answer" : "cut before the answer");
        return;
    }
    enum progress progress = read_answer(&connection->answer, data, (size_t)got);
    if (connection->answer.body_begun && !connection->first) connection->first = now_ns();
    if (progress == WHOLE) complete(connection);
    else if (progress == MALFORMED) fail(connection, "malformed answer");
}

/* Gives up what has waited too long. */
static void expire(int64_t now) {
    for (size_t i = 0; i < plan.connections; i++)
        if (connections[i].busy && is_late(connections[i].due, now)) fail(&connections[i], "no answer in time");
}

static bool unfinished(int64_t now) {
    return in_flight || (plan.rate ? phase.begun < phase.wanted : now < phase.end);
}

/* Runs until every request that was begun in this time has its answer or its error; returns how long it took, s. */
static double run(double seconds, struct tally *counts) {
    struct epoll_event events[BATCH];
    tally = counts;
    phase.start = now_ns();
    phase.end = phase.start + (int64_t)(seconds * 1e9);
    phase.wanted = (uint64_t)(plan.rate * seconds + 0.5);
    phase.begun = 0;
    begin_due();
    for (int64_t now = phase.start, ticked = now; unfinished(now);) {
        int ready = await_events(poller, events, BATCH, TICK, plan.awake);
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection) continue;
            if ((events[i].events & EPOLLOUT) && connection->blocked)
                transmit(connection, connection->pending.data, connection->pending.used);
            if ((events[i].events & ~(uint32_t)EPOLLOUT) && connection->fd >= 0) receive(connection);
        }
        now = now_ns();
        bool tick = now - ticked > TICK * MILLISECOND;
        if (tick) expire(ticked = now);
        if (tick || plan.rate) begin_due();
    }
    double taken = (double)(counts->last - phase.start) / 1e9;
    return taken < seconds && (plan.rate || !counts->requests) ? seconds : taken;
}

static void print_text(const char *text) {
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

static void report(const struct tally *counts, double seconds, double cpu_seconds) {
    printf("{\"requests\": %" PRIu64 ", \"errors\": %" PRIu64 ", \"seconds\": %.6f, \"per_second\": %.1f, ",
           counts->requests, counts->errors, seconds, (double)counts->requests / seconds);
    printf("\"events\": %" PRIu64 ", \"cpu_seconds\": %.6f, \"latency_us\": ", counts->events, cpu_seconds);
    print_durations(&counts->latency);
    printf(", \"first_byte_us\": ");
    print_durations(&counts->first_byte);
    printf(", \"statuses\": {");
    const char *comma = "";
    for (unsigned status = 0; status < STATUSES; status++) {
        if (!counts->statuses[status]) continue;
        printf("%s\"%u\": %" PRIu64, comma, status, counts->statuses[status]);
        comma = ", ";
    }
    printf("}, \"first_error\": ");
    print_text(counts->first_error);
    printf("}\n");
}

/* Splits http://HOST:PORT/PATH and looks the host up; the parts are the caller's to read. */
static void find_server(char **authority, char **path) {
    char *host = strdup(plan.url), *port;
    if (strncmp(host, "http://", 7) != 0) die("--url: http://HOST:PORT/PATH is wanted");
    host += 7;
    *path = strchr(host, '/');
    *path = *path ? strdup(*path) : "/";
    host[strcspn(host, "/")] = 0;
    *authority = strdup(host);
    port = strrchr(host, ':');
    if (port) *port++ = 0;
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET};
    if (getaddrinfo(host, port ? port : "80", &wanted, &server)) die("--url: no such host");
}

static void read_file(const char *name, struct bytes *content) {
    FILE *file = fopen(name, "rb");
    if (!file) die(name);
    char part[65536];
    for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;) append(content, part, got);
    fclose(file);
}

/* Writes the request that all are sent from, and remembers where a number goes. */
static void write_request(void) {
    struct bytes body = {0};
    char *authority, *path, line[4096];
    find_server(&authority, &path);
    read_file(plan.body, &body);
    int length = snprintf(line, sizeof line,
                          "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n",
                          path, authority, body.used);
    if (length < 0 || length >= (int)sizeof line) die("--url: too long");
    append(&request, line, (size_t)length);
    append(&request, plan.fields.data, plan.fields.used);
    append(&request, "\r\n", 2);
    size_t start = request.used;
    append(&request, body.data, body.used);
    char *at = request.data + start, *end = request.data + request.used;
    while (plan.vary && token_count < TOKENS && (at = memmem(at, (size_t)(end - at), TOKEN, sizeof TOKEN - 1))) {
        tokens[token_count++] = (size_t)(at - request.data);
        at += sizeof TOKEN - 1;
    }
    if (plan.vary && !token_count) die("--vary: the body holds no @@@@@@@@@@@@");
}

static void read_options(int count, char **words) {
    enum { URL, BODY, CONNECTIONS, SECONDS, WARMUP, RATE, TIMEOUT, VARY, SEED, HEADER, AWAKE };
    static const struct option options[] = {
        {"url", 1, 0, URL},         {"body", 1, 0, BODY}, {"connections", 1, 0, CONNECTIONS}, {"seconds", 1, 0, SECONDS},
        {"warmup", 1, 0, WARMUP},   {"rate", 1, 0, RATE}, {"timeout", 1, 0, TIMEOUT},         {"vary", 0, 0, VARY},
        {"seed", 1, 0, SEED},       {"header", 1, 0, HEADER}, {"awake", 0, 0, AWAKE}, {0}};
    uint64_t seed = (uint64_t)now_ns() / 1000;
    for (int option; (option = getopt_long(count, words, "", options, NULL)) != -1;) {
        switch (option) {
        case URL: plan.url = optarg; break;
        case BODY: plan.body = optarg; break;
        case CONNECTIONS: plan.connections = (size_t)number("connections", optarg, 1); break;
        case SECONDS: plan.seconds = number("seconds", optarg, 0.001); break;
        case WARMUP: plan.warmup = number("warmup", optarg, 0); break;
        case RATE: plan.rate = number("rate", optarg, 0.001); break;
        case TIMEOUT: plan.timeout = number("timeout", optarg, 0.001); break;
        case VARY: plan.vary = true; break;
        case AWAKE: plan.awake = true; break;
        case SEED: seed = (uint64_t)number("seed", optarg, 0); break;
        case HEADER:
            append(&plan.fields, optarg, strlen(optarg));
            append(&plan.fields, "\r\n", 2);
            break;
        default: die(USAGE);
        }
    }
    if (!plan.url || !plan.body || optind < count) die(USAGE);
    plan.number = seed % SEEDS * REQUESTS_PER_SEED;
}

static double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int count, char **words) {
    static struct tally warm, measured;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    read_options(count, words);
    write_request();
    poller = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
    connections = calloc(plan.connections, sizeof *connections);
    idle = calloc(plan.connections, sizeof *idle);
    if (!connections || !idle) die("memory");
    for (size_t i = plan.connections; i--;) {
        connections[i].fd = -1;
        idle[idle_count++] = &connections[i];
    }
    if (plan.warmup) run(plan.warmup, &warm);
    double before = cpu_seconds();
    double seconds = run(plan.seconds, &measured);
    report(&measured, seconds, cpu_seconds() - before);
}
