/* Reads an HTTP/1.1 answer as it comes, in pieces of any size, and counts a stream's events. */

#ifndef ANSWER_H
#define ANSWER_H

#include "wire.h"

enum { HEAD_ROOM = 16384, LINE_ROOM = 160 };
enum progress { MORE, WHOLE, MALFORMED };

/* How far it has been read. `line` is the start of a stream's current line, of any other body the start. */
struct answer {
    unsigned status;
    enum { UNTIL_CLOSE, SIZED, CHUNKED } framing;
    bool head_read, body_begun, is_stream, stream_ended, closing;
    uint64_t left, events;
    struct chunks chunks;
    size_t head_used, line_used;
    char head[HEAD_ROOM], line[LINE_ROOM];
};

static void reset_answer(struct answer *answer) { memset(answer, 0, offsetof(struct answer, head)); }

static void end_line(struct answer *answer) {
    if (answer->line_used >= 5 && memcmp(answer->line, "data:", 5) == 0) {
        answer->events++;
        answer->stream_ended = memmem(answer->line, answer->line_used, "[DONE]", 6) ||
                               memmem(answer->line, answer->line_used, "message_stop", 12);
    }
    answer->line_used = 0;
}

static void keep_line(struct answer *answer, const char *data, size_t length) {
    size_t room = LINE_ROOM - answer->line_used, kept = length < room ? length : room;
    memcpy(answer->line + answer->line_used, data, kept);
    answer->line_used += kept;
}

/* Takes a piece of body. */
static void take(struct answer *answer, const char *data, size_t length) {
    if (length) answer->body_begun = true;
    while (length && answer->is_stream) {
        const char *newline = memchr(data, '\n', length);
        size_t part = newline ? (size_t)(newline - data) : length;
        keep_line(answer, data, part);
        if (newline) {
            end_line(answer);
            part++;
        }
        data += part;
        length -= part;
    }
    keep_line(answer, data, length);
}

static enum progress read_body(struct answer *answer, char *data, size_t length) {
    char *at = data, *end = data + length, *piece = NULL;
    size_t taken = length;
    switch (answer->framing) {
    case SIZED:
        if (taken > answer->left) return MALFORMED;
        take(answer, data, taken);
        answer->left -= taken;
        return answer->left ? MORE : WHOLE;
    case CHUNKED:
        while (next_piece(&answer->chunks, &at, end, &piece, &taken)) take(answer, piece, taken);
        if (answer->chunks.state == CHUNK_ENDED) return at == end ? WHOLE : MALFORMED;
        return answer->chunks.state == CHUNK_BAD ? MALFORMED : MORE;
    default:
        take(answer, data, taken);
        return MORE;
    }
}

static void read_fields(struct answer *answer, const char *at, const char *end) {
    struct field field;
    while (next_field(&at, end, &field)) {
        if (is(field.name, field.name_length, "content-length") && answer->framing == UNTIL_CLOSE) {
            answer->framing = SIZED;
            answer->left = strtoull(field.value, NULL, 10);
        } else if (is(field.name, field.name_length, "transfer-encoding")) {
            answer->framing = CHUNKED;
        } else if (is(field.name, field.name_length, "connection")) {
            answer->closing = is(field.value, field.value_length, "close");
        } else if (is(field.name, field.name_length, "content-type")) {
            answer->is_stream = field.value_length >= 17 && is(field.value, 17, "text/event-stream");
        }
    }
}

/* Understands the head, `length` bytes long; false where it is none. An interim answer is forgotten. */
static bool understand_head(struct answer *answer, size_t length) {
    const char *head = answer->head, *line = memchr(head, '\n', length);
    if (length < 16 || memcmp(head, "HTTP/1.", 7) != 0 || !line) return false;
    answer->status = (unsigned)strtoul(head + 9, NULL, 10);
    answer->head_used = 0;
    if (answer->status < 100 || answer->status > 999) return false;
    if (answer->status < 200) return true;
    answer->head_read = true;
    read_fields(answer, line + 1, head + length);
    if (answer->status == 204 || answer->status == 304) {
        answer->framing = SIZED;
        answer->left = 0;
    }
    answer->closing |= head[7] == '0' || answer->framing == UNTIL_CLOSE;
    return true;
}

/* Reads on; `WHOLE` where the answer ended with the last of these bytes. */
static enum progress read_answer(struct answer *answer, char *data, size_t length) {
    while (!answer->head_read) {
        size_t before = answer->head_used, room = HEAD_ROOM - before, kept = length < room ? length : room;
        memcpy(answer->head + before, data, kept);
        const char *blank = memmem(answer->head, before + kept, "\r\n\r\n", 4);
        if (!blank) {
            answer->head_used = before + kept;
            return kept < room ? MORE : MALFORMED;
        }
        size_t head_length = (size_t)(blank + 4 - answer->head);
        if (!understand_head(answer, head_length)) return MALFORMED;
        data += head_length - before;
        length -= head_length - before;
    }
    return read_body(answer, data, length);
}

/* Whether nothing was missing when the connection ended. */
static bool ends_with_connection(const struct answer *answer) {
    return answer->head_read && answer->framing == UNTIL_CLOSE;
}

/* Whether the whole answer is what was asked for. */
static bool is_good(struct answer *answer) {
    if (answer->is_stream && answer->line_used) end_line(answer);
    return answer->status == 200 && (!answer->is_stream || answer->stream_ended);
}

#endif
