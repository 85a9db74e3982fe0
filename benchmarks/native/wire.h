/* What both ends of the wire share: time, growing buffers, header fields, chunked bodies. */

#ifndef WIRE_H
#define WIRE_H

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

static const int64_t SECOND = 1000000000;
static const int64_t MILLISECOND = 1000000;

/* Ends the program; `what` names what failed or is missing, `errno` tells why where it is set. */
_Noreturn static void die(const char *what) {
    if (errno) fprintf(stderr, "%s: %s\n", what, strerror(errno));
    else fprintf(stderr, "%s\n", what);
    exit(2);
}

/* The monotonic clock, ns. */
static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

/* Makes `timer` readable once at `due`, ns; arming anew takes an expiry back that nobody read. */
static void arm(int timer, int64_t due) {
    struct itimerspec when = {.it_value = {.tv_sec = due / SECOND, .tv_nsec = due % SECOND}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* As epoll_wait; one that stays awake returns at once, and lets others have the core where nothing came. */
static int await_events(int poller, struct epoll_event *events, int most, int timeout, bool awake) {
    int ready = epoll_wait(poller, events, most, awake ? 0 : timeout);
    if (awake && !ready) sched_yield();
    return ready;
}

/* A number on the command line, from `least` on; anything else ends the program. */
static double number(const char *option, const char *text, double least) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= least)) {
        fprintf(stderr, "--%s: a number from %g on is wanted, not '%s'\n", option, least, text);
        exit(2);
    }
    return value;
}

/* Bytes that grow. */
struct bytes {
    char *data;
    size_t used, room;
};

/* Makes room for `more` bytes. */
static void reserve(struct bytes *bytes, size_t more) {
    if (bytes->room - bytes->used >= more) return;
    while (bytes->room - bytes->used < more) bytes->room = bytes->room ? bytes->room * 2 : 4096;
    bytes->data = realloc(bytes->data, bytes->room);
    if (!bytes->data) die("memory");
}

static void append(struct bytes *bytes, const char *data, size_t length) {
    if (!length) return;
    reserve(bytes, length);
    memcpy(bytes->data + bytes->used, data, length);
    bytes->used += length;
}

/* Forgets the first `length` bytes. */
static void consume(struct bytes *bytes, size_t length) {
    bytes->used -= length;
    if (bytes->used) memmove(bytes->data, bytes->data + length, bytes->used);
}

/* One line of a head: its name, and its value without the white space around it. */
struct field {
    const char *name, *value;
    size_t name_length, value_length;
};

/* Reads the field at `*at` and steps behind it; false at the head's empty line, a line without colon is skipped. */
static bool next_field(const char **at, const char *end, struct field *field) {
    while (*at < end) {
        const char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) return false;
        *at = stop + 1;
        while (stop > line && (stop[-1] == '\r' || stop[-1] == ' ')) stop--;
        if (stop == line) return false;
        const char *colon = memchr(line, ':', (size_t)(stop - line));
        if (!colon) continue;
        const char *value = colon + 1;
        while (value < stop && (*value == ' ' || *value == '\t')) value++;
        *field = (struct field){line, value, (size_t)(colon - line), (size_t)(stop - value)};
        return true;
    }
    return false;
}

/* Whether the text is the word, whatever its case. */
static bool is(const char *text, size_t length, const char *word) {
    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

/* How far a chunked body has been read (RFC 9112, section 7.1). */
struct chunks {
    enum { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER, CHUNK_ENDED, CHUNK_BAD } state;
    uint64_t left;
    unsigned line;
};

static int hex(char byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static void read_chunk_size(struct chunks *chunks, char byte) {
    int digit = hex(byte);
    if (digit >= 0 && chunks->line < 15) {
        chunks->left = chunks->left * 16 + (uint64_t)digit;
        chunks->line++;
    } else if (chunks->line == 0 || digit >= 0) {
        chunks->state = CHUNK_BAD;
    } else {
        chunks->state = CHUNK_EXTENSION;
    }
}

/* Takes one byte that is not body. */
static void read_chunk_frame(struct chunks *chunks, char byte) {
    if (chunks->state == CHUNK_SIZE) read_chunk_size(chunks, byte);
    switch (chunks->state) {
    case CHUNK_EXTENSION:
        if (byte != '\n') break;
        chunks->state = chunks->left ? CHUNK_DATA : CHUNK_TRAILER;
        chunks->line = 0;
        break;
    case CHUNK_DATA_END:
        if (byte == '\n') *chunks = (struct chunks){.state = CHUNK_SIZE};
        else if (byte != '\r') chunks->state = CHUNK_BAD;
        break;
    case CHUNK_TRAILER:
        if (byte == '\n' && chunks->line == 0) chunks->state = CHUNK_ENDED;
        else if (byte == '\n') chunks->line = 0;
        else if (byte != '\r') chunks->line++;
        break;
    default:
        break;
    }
}

/* The next piece of body from `*at` on, with `*at` behind it; false where the data or the body ends, or is malformed. */
static bool next_piece(struct chunks *chunks, char **at, char *end, char **piece, size_t *length) {
    while (*at < end && chunks->state < CHUNK_ENDED) {
        if (chunks->state != CHUNK_DATA) {
            read_chunk_frame(chunks, *(*at)++);
            continue;
        }
        size_t here = (size_t)(end - *at);
        *piece = *at;
        *length = here < chunks->left ? here : (size_t)chunks->left;
        *at += *length;
        chunks->left -= *length;
        if (chunks->left == 0) chunks->state = CHUNK_DATA_END;
        return true;
    }
    return false;
}

#endif
