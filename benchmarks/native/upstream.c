/* A vendor's mock: answers every POST at once, in OpenAI's or Anthropic's shape, whole or as a paced stream. */

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

enum { BATCH = 512, READ_ROOM = 16384, HEAD_LIMIT = 65536, REQUEST_LIMIT = 8 << 20, BACKLOG = 4096 };

/* An answer on the wire: each step leaves in one write, one gap after the last. A whole answer has one step. */
struct script {
    struct bytes *steps;
    size_t count;
};

/* A client; while `script` is set its next step is due at `due`, ns, and its next request waits. */
struct connection {
    int fd;
    bool closing, blocked;
    struct bytes in, out;
    const struct script *script;
    size_t step;
    int64_t due;
    struct connection *earlier, *later;
};

/* A request in `in`: the bytes of its head and of all of it, and what of it decides the answer. */
struct request {
    char *path, *body;
    size_t path_length, body_length, length;
    bool post, head_only, closing;
};

static const char WORDS[] = "An event loop waits for many things at once on one thread, and pays where a server mostly "
                            "waits: thousands of connections then cost memory for their state, not a stack and a "
                            "context switch each. It does not pay where the work itself needs the processor, for one "
                            "slow step then stops all the others.";

static struct script openai, openai_stream, openai_stream_with_usage, anthropic, anthropic_stream;
static struct connection *soonest, *latest;
static int64_t gap = 10000000;
static uint64_t posts;
static int poller;
static bool awake;

static void add(struct bytes *step, const char *text) { append(step, text, strlen(text)); }

/* Adds one event as one chunk; `name` is its type where the dialect has such lines. */
static void add_event(struct bytes *step, const char *name, const char *data) {
    char event[1024], size[32];
    int length = name ? snprintf(event, sizeof event, "event: %s\ndata: %s\n\n", name, data)
                      : snprintf(event, sizeof event, "data: %s\n\n", data);
    snprintf(size, sizeof size, "%x\r\n", (unsigned)length);
    add(step, size);
    append(step, event, (size_t)length);
    add(step, "\r\n");
}

static void begin_stream(struct script *script, size_t events) {
    script->count = events;
    script->steps = calloc(events, sizeof *script->steps);
    if (!script->steps) die("memory");
    add(&script->steps[0], "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                           "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n");
}

static void write_openai_stream(struct script *script, size_t events, bool usage) {
    static const char frame[] = "{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,"
                                "\"model\":\"mock\",\"choices\":[%s]%s}";
    char data[512];
    begin_stream(script, events);
    for (size_t i = 0; i < events; i++) {
        const char *choice = "{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}";
        if (i + 1 == events) choice = "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}";
        else if (i == 0) choice = "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"A\"},\"finish_reason\":null}";
        snprintf(data, sizeof data, frame, choice, "");
        add_event(&script->steps[i], NULL, data);
    }
    struct bytes *last = &script->steps[events - 1];
    if (usage) {
        snprintf(data, sizeof data, frame, "",
                 ",\"usage\":{\"prompt_tokens\":25,\"completion_tokens\":40,\"total_tokens\":65}");
        add_event(last, NULL, data);
    }
    add_event(last, NULL, "[DONE]");
    add(last, "0\r\n\r\n");
}

static void write_anthropic_stream(struct script *script, size_t events) {
    begin_stream(script, events);
    struct bytes *first = &script->steps[0], *last = &script->steps[events - 1];
    add_event(first, "message_start",
              "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_mock\",\"type\":\"message\",\"role\":\"assistant\","
              "\"model\":\"mock\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
              "\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}");
    add_event(first, "content_block_start",
              "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}");
    for (size_t i = 0; i < events; i++)
        add_event(&script->steps[i], "content_block_delta",
                  "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" word\"}}");
    add_event(last, "content_block_stop", "{\"type\":\"content_block_stop\",\"index\":0}");
    add_event(last, "message_delta",
              "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
              "\"usage\":{\"output_tokens\":40}}");
    add_event(last, "message_stop", "{\"type\":\"message_stop\"}");
    add(last, "0\r\n\r\n");
}

static void add_answer(struct bytes *out, const char *status, const char *type, const char *body, bool head_only) {
    char head[256];
    snprintf(head, sizeof head, "HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %zu\r\n\r\n", status, type,
             strlen(body));
    add(out, head);
    if (!head_only) add(out, body);
}

static void write_whole(struct script *script, const char *frame) {
    char body[1024];
    snprintf(body, sizeof body, frame, WORDS);
    script->count = 1;
    script->steps = calloc(1, sizeof *script->steps);
    if (!script->steps) die("memory");
    add_answer(script->steps, "200 OK", "application/json", body, false);
}

static void write_scripts(size_t events) {
    write_whole(&openai, "{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion\",\"created\":1760000000,"
                         "\"model\":\"mock\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                         "\"content\":\"%s\"},\"finish_reason\":\"stop\"}],"
                         "\"usage\":{\"prompt_tokens\":25,\"completion_tokens\":40,\"total_tokens\":65}}");
    write_whole(&anthropic, "{\"id\":\"msg_mock\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"mock\","
                            "\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],\"stop_reason\":\"end_turn\","
                            "\"stop_sequence\":null,\"usage\":{\"input_tokens\":25,\"output_tokens\":40}}");
    write_openai_stream(&openai_stream, events, false);
    write_openai_stream(&openai_stream_with_usage, events, true);
    write_anthropic_stream(&anthropic_stream, events);
}

/* Whether the JSON says that this name, given with its quotes, is true; a quote inside a string would be escaped. */
static bool says_true(const struct request *request, const char *name) {
    const char *at = request->body, *end = at + request->body_length;
    while ((at = memmem(at, (size_t)(end - at), name, strlen(name)))) {
        at += strlen(name);
        while (at < end && strchr(" \t\r\n:", *at)) at++;
        if (end - at >= 4 && memcmp(at, "true", 4) == 0) return true;
    }
    return false;
}

static bool path_is(const struct request *request, const char *path) {
    return request->path_length == strlen(path) && memcmp(request->path, path, request->path_length) == 0;
}

static const struct script *script_for(const struct request *request) {
    bool stream = says_true(request, "\"stream\"");
    if (path_is(request, "/v1/messages")) return stream ? &anthropic_stream : &anthropic;
    if (!stream) return &openai;
    return says_true(request, "\"include_usage\"") ? &openai_stream_with_usage : &openai_stream;
}

/* Streams share one gap, so that whoever is put behind the others is also due last. */
static void schedule(struct connection *client, int64_t due) {
    client->due = due;
    client->earlier = latest;
    client->later = NULL;
    if (latest) latest->later = client;
    else soonest = client;
    latest = client;
}

static void unschedule(struct connection *client) {
    if (client->earlier) client->earlier->later = client->later;
    else soonest = client->later;
    if (client->later) client->later->earlier = client->earlier;
    else latest = client->earlier;
}

static void answer(struct connection *client, const struct request *request) {
    client->closing = request->closing;
    if (!request->post) {
        char count[32] = "ok";
        if (path_is(request, "/reset")) posts = 0;
        if (path_is(request, "/reset") || path_is(request, "/count")) snprintf(count, sizeof count, "%" PRIu64, posts);
        add_answer(&client->out, "200 OK", "text/plain", count, request->head_only);
        return;
    }
    posts++;
    const struct script *script = script_for(request);
    append(&client->out, script->steps[0].data, script->steps[0].used);
    if (script->count == 1) return;
    client->script = script;
    client->step = 1;
    schedule(client, now_ns() + gap);
}

/* Finds where a chunked body ends and joins its pieces; 0 where it has not ended, -1 where it is malformed. */
static int join_chunks(struct request *request, char *end) {
    struct chunks chunks = {0};
    char *at = request->body, *piece = NULL;
    size_t length = 0;
    while (next_piece(&chunks, &at, end, &piece, &length)) continue;
    if (chunks.state != CHUNK_ENDED) return chunks.state == CHUNK_BAD ? -1 : 0;
    chunks = (struct chunks){0};
    at = request->body;
    while (next_piece(&chunks, &at, end, &piece, &length)) {
        memmove(request->body + request->body_length, piece, length);
        request->body_length += length;
    }
    request->length += (size_t)(at - request->body);
    return 1;
}

/* Reads the request line; false where it is none. */
static bool read_request_line(struct request *request, char *line, const char *end) {
    char *stop = memchr(line, '\r', (size_t)(end - line));
    request->path = stop ? memchr(line, ' ', (size_t)(stop - line)) : NULL;
    if (!request->path) return false;
    char *path = ++request->path;
    char *after = memchr(path, ' ', (size_t)(stop - path));
    if (!after) return false;
    const char *query = memchr(path, '?', (size_t)(after - path));
    request->path_length = (size_t)((query ? query : after) - path);
    request->post = strncmp(line, "POST ", 5) == 0;
    request->head_only = strncmp(line, "HEAD ", 5) == 0;
    request->closing = is(after + 1, (size_t)(stop - after - 1), "HTTP/1.0");
    return true;
}

/* Reads the request that `in` begins with: 1 where it is whole, 0 where more must come, -1 where it is malformed. */
static int read_request(struct bytes *in, struct request *request) {
    *request = (struct request){0};
    char *end = in->data + in->used, *blank = memmem(in->data, in->used, "\r\n\r\n", 4);
    if (!blank) return in->used > HEAD_LIMIT ? -1 : 0;
    if (!read_request_line(request, in->data, blank + 2)) return -1;
    const char *at = (const char *)memchr(in->data, '\n', in->used) + 1;
    struct field field;
    bool chunked = false;
    unsigned long long sized = 0;
    while (next_field(&at, blank + 2, &field)) {
        if (is(field.name, field.name_length, "content-length")) sized = strtoull(field.value, NULL, 10);
        else if (is(field.name, field.name_length, "transfer-encoding"))
            chunked = is(field.value, field.value_length, "chunked");
        else if (is(field.name, field.name_length, "connection"))
            request->closing = !is(field.value, field.value_length, "keep-alive") &&
                               (request->closing || is(field.value, field.value_length, "close"));
    }
    request->body = blank + 4;
    request->length = (size_t)(request->body - in->data);
    if (chunked) return join_chunks(request, end);
    if (sized > REQUEST_LIMIT) return -1;
    request->body_length = (size_t)sized;
    request->length += request->body_length;
    return in->used >= request->length;
}

/* Writes what it can; false once the connection is of no more use. */
static bool flush(struct connection *client) {
    while (client->out.used) {
        ssize_t sent = send(client->fd, client->out.data, client->out.used, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return false;
        if (sent < 0) break;
        consume(&client->out, (size_t)sent);
    }
    bool blocked = client->out.used > 0;
    if (blocked != client->blocked) {
        struct epoll_event event = {.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = client};
        epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event);
        client->blocked = blocked;
    }
    return blocked || !client->closing || client->script;
}

/* Answers what has come, in order; false once the connection is of no more use. */
static bool serve(struct connection *client) {
    struct request request;
    int whole = 1;
    while (!client->script && !client->closing && client->in.used && (whole = read_request(&client->in, &request)) > 0) {
        answer(client, &request);
        consume(&client->in, request.length);
    }
    if (whole < 0) {
        add_answer(&client->out, "400 Bad Request", "text/plain", "malformed", false);
        client->closing = true;
    }
    return flush(client);
}

static bool receive(struct connection *client) {
    reserve(&client->in, READ_ROOM);
    ssize_t got = recv(client->fd, client->in.data + client->in.used, client->in.room - client->in.used - 1, 0);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    client->in.used += (size_t)got;
    client->in.data[client->in.used] = 0;
    return client->in.used <= 2 * REQUEST_LIMIT && serve(client);
}

static void hang_up(struct connection *client) {
    if (client->script) unschedule(client);
    close(client->fd);
    free(client->in.data);
    free(client->out.data);
    free(client);
}

/* Sends every step that is due. */
static void pace(void) {
    int64_t now = now_ns();
    while (soonest && soonest->due <= now) {
        struct connection *client = soonest;
        const struct bytes *step = &client->script->steps[client->step++];
        unschedule(client);
        append(&client->out, step->data, step->used);
        if (client->step < client->script->count) {
            schedule(client, client->due + gap);
            if (!flush(client)) hang_up(client);
        } else {
            client->script = NULL;
            if (!serve(client)) hang_up(client);
        }
    }
}

static void welcome(int listener) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *client = calloc(1, sizeof *client);
        if (!client) die("memory");
        client->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_on(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, BACKLOG)) die("--port");
    return listener;
}

/* Never returns: a signal ends it. */
_Noreturn static void run(int listener) {
    struct epoll_event events[BATCH], event = {.events = EPOLLIN, .data.ptr = &listener};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int64_t armed = 0;
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.ptr = &timer};
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
    for (;;) {
        pace();
        if (soonest && soonest->due != armed) arm(timer, armed = soonest->due);
        int ready = await_events(poller, events, BATCH, -1, awake);
        for (int i = 0; i < ready; i++) {
            void *who = events[i].data.ptr;
            struct connection *client = who;
            if (who == &listener) welcome(listener);
            else if (who == &timer) continue;
            else if ((events[i].events & EPOLLOUT) && !flush(client)) hang_up(client);
            else if ((events[i].events & ~(uint32_t)EPOLLOUT) && !receive(client)) hang_up(client);
        }
    }
}

int main(int count, char **words) {
    static const struct option options[] = {
        {"port", required_argument, 0, 'p'}, {"events", required_argument, 0, 'e'},
        {"gap-ms", required_argument, 0, 'g'}, {"awake", no_argument, 0, 'a'}, {0}};
    double port = 0, events = 34;
    for (int option; (option = getopt_long(count, words, "", options, NULL)) != -1;) {
        if (option == 'p') port = number("port", optarg, 1);
        else if (option == 'e') events = number("events", optarg, 2);
        else if (option == 'g') gap = (int64_t)(number("gap-ms", optarg, 0) * (double)MILLISECOND);
        else if (option == 'a') awake = true;
        else return 2;
    }
    if (!port) die("usage: upstream --port P [--events 34] [--gap-ms 10] [--awake]");
    poller = epoll_create1(0);
    write_scripts((size_t)events);
    run(listen_on((uint16_t)port));
}
