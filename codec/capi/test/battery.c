/*
 * The ABI from C: what the header promises, without a socket. Prints the number of checks; a check that
 * does not hold ends the program. `run` runs it plainly, under valgrind and with AddressSanitizer: input
 * is in memory of its exact size, and output in memory that was never written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wscodec.h"

static unsigned long checks;

#define CHECK(holds) check((holds), #holds, __LINE__)
#define CHECK_STATUS(call, expected) check_status((call), (expected), #call, __LINE__)
#define CHECK_BYTES(data, len, expected) check_bytes((data), (len), (expected), sizeof(expected) - 1, __LINE__)

static void check(int holds, const char *what, int line)
{
  checks++;
  if (holds) return;
  fprintf(stderr, "battery.c:%d: does not hold: %s\n", line, what);
  exit(1);
}

static void check_status(ws_status status, ws_status expected, const char *call, int line)
{
  checks++;
  if (status == expected) return;
  fprintf(stderr, "battery.c:%d: %s is %ld (%s), not %ld (%s)\n", line, call, (long)status, ws_error_name(status),
          (long)expected, ws_error_name(expected));
  exit(1);
}

static void check_bytes(const void *data, size_t len, const char *expected, size_t expected_len, int line)
{
  checks++;
  if (len == expected_len && memcmp(data, expected, len) == 0) return;
  fprintf(stderr, "battery.c:%d: %lu bytes, not the %lu expected\n", line, (unsigned long)len,
          (unsigned long)expected_len);
  exit(1);
}

static void *memory(size_t len)
{
  void *made = malloc(len == 0 ? 1 : len);
  if (made == NULL) abort();
  return made;
}

/* Memory of the exact size with a copy of the bytes, so that a tool sees what is read beyond. */
static uint8_t *copy(const void *bytes, size_t len)
{
  uint8_t *made = memory(len);
  if (len > 0) memcpy(made, bytes, len);
  return made;
}

static ws_buffer buffer(size_t capacity)
{
  ws_buffer made;
  made.data = memory(capacity);
  made.capacity = capacity;
  made.len = 0;
  made.needed = 0;
  return made;
}

static ws_connection *connection(uint32_t role)
{
  static const uint8_t seed[32] = { 1, 2, 3 };
  ws_connection_options options = { 0 };
  ws_connection *made = NULL;
  options.size = sizeof options;
  options.mask_seed = seed;
  CHECK_STATUS(ws_connection_new(role, &options, &made), WS_OK);
  CHECK(made != NULL);
  return made;
}

/* Gives all of `from` to `to`, `step` bytes at a time; every event must be of `kind`, and all of them together hold
 * `expected`. Returns how many there were. */
static int deliver(ws_buffer *from, ws_connection *to, size_t step, ws_buffer *out, uint32_t kind, const void *expected,
                   size_t expected_len)
{
  ws_event event;
  size_t at = 0, seen = 0;
  int events = 0;
  while (at < from->len) {
    size_t len = from->len - at < step ? from->len - at : step;
    uint8_t *bytes = copy(from->data + at, len);
    ws_input in;
    ws_status status;
    in.data = bytes;
    in.len = len;
    while ((status = ws_receive(to, &in, out, &event)) == WS_EVENT) {
      CHECK(event.kind == kind);
      CHECK(event.data != NULL);
      CHECK(seen + event.len <= expected_len);
      CHECK(memcmp((const uint8_t *)expected + seen, event.data, event.len) == 0);
      CHECK(!event.is_in_input || (event.data >= bytes && event.data + event.len <= bytes + len));
      seen += event.len;
      events++;
    }
    CHECK_STATUS(status, WS_OK);
    CHECK(in.len == 0 && in.data == bytes + len);
    free(bytes);
    at += len;
  }
  CHECK(seen == expected_len);
  from->len = 0;
  return events;
}

static void versions(void)
{
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", WS_VERSION_MAJOR, WS_VERSION_MINOR, WS_VERSION_PATCH);
  CHECK(ws_version() == WS_VERSION);
  CHECK(strcmp(ws_version_string(), text) == 0);
}

static void errors(void)
{
  int code;
  CHECK(strcmp(ws_error_name(WS_ERROR_MASK_REQUIRED), "mask_required") == 0);
  CHECK(WS_ERROR_MASK_REQUIRED == -105 && WS_ERROR_BUFFER_FULL == -207 && WS_ERROR_REFUSED == -360);
  CHECK(ws_error_close_code(WS_ERROR_MASK_REQUIRED) == 1002);
  CHECK(ws_error_close_code(WS_ERROR_UTF8) == 1007);
  CHECK(ws_error_close_code(WS_ERROR_NOT_OPEN) == 0);
  CHECK(ws_error_http_status(WS_ERROR_REQUEST_METHOD) == 405);
  CHECK(ws_error_http_status(WS_ERROR_MASK_REQUIRED) == 0);
  CHECK(strcmp(ws_error_name(WS_OK), "ok") == 0 && strcmp(ws_error_name(WS_DONE), "ok") == 0);
  CHECK(strcmp(ws_error_name(-99999), "unknown") == 0);
  for (code = -1000; code < 1000; code++) CHECK(*ws_error_name(code) != 0 && *ws_error_text(code) != 0);
}

/* Every size where a header changes, whole and in steps, both ways, of both kinds. */
static void messages(void)
{
  static const size_t sizes[] = { 0, 1, 125, 126, 127, 4096, 65535, 65536, 300000 };
  size_t i, k, longest = 300000, at;
  uint8_t *payload = memory(longest);
  for (at = 0; at < longest; at++) payload[at] = (uint8_t)('a' + at % 26);
  for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    for (k = 0; k < 4; k++) {
      uint32_t kind = k % 2 ? WS_KIND_TEXT : WS_KIND_BINARY;
      ws_connection *client = connection(WS_ROLE_CLIENT), *server = connection(WS_ROLE_SERVER);
      ws_connection *from = k / 2 ? client : server, *to = k / 2 ? server : client;
      size_t room = ws_send_room(from, sizes[i]);
      ws_buffer out = buffer(room), replies = buffer(0);
      uint8_t *exact = copy(payload, sizes[i]);
      CHECK_STATUS(ws_send(from, kind, exact, sizes[i], &out), WS_OK);
      CHECK(deliver(&out, to, room, &replies, kind, exact, sizes[i]) == 1);
      CHECK_STATUS(ws_send(from, kind, exact, sizes[i], &out), WS_OK);
      CHECK(deliver(&out, to, sizes[i] / 7 + 1, &replies, kind, exact, sizes[i]) == 1);
      CHECK_STATUS(ws_send_uncompressed(from, kind, exact, sizes[i], &out), WS_OK);
      CHECK(deliver(&out, to, 1 + sizes[i] / 2, &replies, kind, exact, sizes[i]) == 1);
      CHECK(ws_buffered(to) == 0 || sizes[i] > 0);
      free(exact);
      free(out.data);
      free(replies.data);
      ws_connection_free(client);
      ws_connection_free(server);
    }
  }
  free(payload);
}

/* Too little room is told, and writes nothing. */
static void room_needed(void)
{
  static const uint8_t payload[] = "0123456789";
  ws_connection *client = connection(WS_ROLE_CLIENT);
  size_t capacity;
  for (capacity = 0; capacity < 16; capacity++) {
    ws_buffer out = buffer(capacity);
    CHECK_STATUS(ws_send(client, WS_KIND_TEXT, payload, 10, &out), WS_ERROR_BUFFER_FULL);
    CHECK(out.len == 0 && out.needed == 16);
    free(out.data);
  }
  {
    ws_buffer out = buffer(16);
    CHECK_STATUS(ws_send(client, WS_KIND_TEXT, payload, 10, &out), WS_OK);
    CHECK(out.len == 16);
    CHECK_STATUS(ws_close(client, 1000, NULL, 0, &out), WS_ERROR_BUFFER_FULL);
    CHECK(ws_ready_state(client) == WS_STATE_OPEN);
    free(out.data);
  }
  ws_connection_free(client);
}

/* The same seed makes the same frames; RFC 6455, 5.7 makes the server's. */
static void keys(void)
{
  ws_connection *one = connection(WS_ROLE_CLIENT), *two = connection(WS_ROLE_CLIENT), *other = NULL;
  ws_connection *server = connection(WS_ROLE_SERVER);
  ws_buffer first = buffer(64), second = buffer(64);
  CHECK_STATUS(ws_send(one, WS_KIND_TEXT, (const uint8_t *)"Hello", 5, &first), WS_OK);
  CHECK_STATUS(ws_send(two, WS_KIND_TEXT, (const uint8_t *)"Hello", 5, &second), WS_OK);
  CHECK(first.len == 11 && second.len == 11 && memcmp(first.data, second.data, 11) == 0);
  CHECK_STATUS(ws_connection_new(WS_ROLE_CLIENT, NULL, &other), WS_OK);
  second.len = 0;
  CHECK_STATUS(ws_send(other, WS_KIND_TEXT, (const uint8_t *)"Hello", 5, &second), WS_OK);
  CHECK(memcmp(first.data, second.data, 11) != 0);
  second.len = 0;
  CHECK_STATUS(ws_send(server, WS_KIND_TEXT, (const uint8_t *)"Hello", 5, &second), WS_OK);
  CHECK_BYTES(second.data, second.len, "\x81\x05Hello");
  free(first.data);
  free(second.data);
  ws_connection_free(one);
  ws_connection_free(two);
  ws_connection_free(other);
  ws_connection_free(server);
}

/* A header by itself, with the payload masked beside it. */
static void heads(void)
{
  static const char payload[] = "the payload stays where it is";
  size_t len = sizeof payload - 1, at;
  ws_connection *client = connection(WS_ROLE_CLIENT), *server = connection(WS_ROLE_SERVER);
  ws_buffer out = buffer(64), replies = buffer(0);
  ws_head head;
  CHECK_STATUS(ws_send_head(server, WS_KIND_BINARY, (uint64_t)1 << 20, &head), WS_OK);
  CHECK_BYTES(head.bytes, head.len, "\x82\x7f\0\0\0\0\0\x10\0\0");
  CHECK(!head.is_masked);
  for (at = 0; at < 2; at++) {
    CHECK_STATUS(ws_send_head(client, WS_KIND_TEXT, len, &head), WS_OK);
    CHECK(head.is_masked && head.len == 6);
    memcpy(out.data, head.bytes, head.len);
    if (at == 0) {
      CHECK_STATUS(ws_mask_copy(head.mask_key, (const uint8_t *)payload, len, out.data + head.len, 0), WS_OK);
    } else {
      memcpy(out.data + head.len, payload, len);
      CHECK_STATUS(ws_mask(head.mask_key, out.data + head.len, 5, 0), WS_OK);
      CHECK_STATUS(ws_mask(head.mask_key, out.data + head.len + 5, len - 5, 5), WS_OK);
    }
    out.len = head.len + len;
    CHECK(deliver(&out, server, 64, &replies, WS_EVENT_KIND_TEXT, payload, len) == 1);
  }
  CHECK_STATUS(ws_send_head(client, WS_KIND_PING, 126, &head), WS_ERROR_SEND_CONTROL_TOO_LONG);
  CHECK_STATUS(ws_send_head(client, WS_EVENT_KIND_CLOSE, 0, &head), WS_ERROR_ARGUMENT);
  CHECK_STATUS(ws_mask_copy(head.mask_key, out.data, 8, out.data + 7, 0), WS_ERROR_OVERLAP);
  CHECK_STATUS(ws_mask(NULL, out.data, 8, 0), WS_ERROR_NULL_POINTER);
  free(out.data);
  free(replies.data);
  ws_connection_free(client);
  ws_connection_free(server);
}

static void fragments(void)
{
  static const char text[] = "h\xc3\xa9llo, w\xc3\xb6rld";
  size_t len = sizeof text - 1;
  ws_connection *client = connection(WS_ROLE_CLIENT), *server = connection(WS_ROLE_SERVER);
  ws_buffer out = buffer(512), replies = buffer(131);
  const uint8_t *bytes = (const uint8_t *)text;
  CHECK_STATUS(ws_send_fragment(client, WS_KIND_TEXT, bytes, 2, 0, &out), WS_ERROR_UTF8_ARGUMENT);
  CHECK_STATUS(ws_send_fragment(client, WS_KIND_TEXT, bytes, 3, 0, &out), WS_OK);
  CHECK_STATUS(ws_send(client, WS_KIND_BINARY, bytes, 3, &out), WS_ERROR_MESSAGE_OPEN);
  CHECK_STATUS(ws_send_fragment(client, WS_KIND_BINARY, bytes, 3, 0, &out), WS_ERROR_NO_MESSAGE_OPEN);
  CHECK_STATUS(ws_send_fragment(client, WS_KIND_PING, bytes, 3, 0, &out), WS_ERROR_ARGUMENT);
  CHECK_STATUS(ws_send_fragment(client, WS_KIND_TEXT, bytes + 3, len - 3, 1, &out), WS_OK);
  CHECK(deliver(&out, server, 512, &replies, WS_EVENT_KIND_TEXT, text, len) == 1);
  CHECK_STATUS(ws_send_fragmented(client, WS_KIND_TEXT, bytes, len, 4, &out), WS_OK);
  CHECK(deliver(&out, server, 1, &replies, WS_EVENT_KIND_TEXT, text, len) == 1);
  CHECK_STATUS(ws_send_fragmented(client, WS_KIND_TEXT, bytes, len, 0, &out), WS_ERROR_ARGUMENT);
  free(out.data);
  free(replies.data);
  ws_connection_free(client);
  ws_connection_free(server);
}

/* Pieces as they arrive, with whole characters. */
static void streamed(void)
{
  static const char text[] = "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac";
  ws_connection_options options = { 0 };
  ws_connection *client = connection(WS_ROLE_CLIENT), *server = NULL;
  ws_buffer out = buffer(64), replies = buffer(0);
  size_t step;
  options.size = sizeof options;
  options.delivery = WS_DELIVERY_STREAMED;
  CHECK_STATUS(ws_connection_new(WS_ROLE_SERVER, &options, &server), WS_OK);
  for (step = 1; step < 16; step++) {
    CHECK_STATUS(ws_send(client, WS_KIND_TEXT, (const uint8_t *)text, 9, &out), WS_OK);
    CHECK(deliver(&out, server, step, &replies, WS_EVENT_KIND_TEXT, text, 9) >= 1);
  }
  options.delivery = 7;
  CHECK_STATUS(ws_connection_new(WS_ROLE_SERVER, &options, &server), WS_ERROR_ARGUMENT);
  free(out.data);
  free(replies.data);
  ws_connection_free(client);
  ws_connection_free(server);
}

/* A large message is read straight into its place. */
static void rooms(void)
{
  size_t len = 200000, at = 0, given;
  uint8_t *payload = memory(len);
  ws_connection *client = connection(WS_ROLE_CLIENT), *server = connection(WS_ROLE_SERVER);
  ws_buffer out = buffer(ws_send_room(client, len)), room;
  ws_event event;
  ws_input in;
  for (given = 0; given < len; given++) payload[given] = (uint8_t)(given * 7);
  CHECK_STATUS(ws_filled(server, 1), WS_ERROR_STATE);
  CHECK_STATUS(ws_room(server, &room), WS_OK);
  CHECK(room.capacity == 0);
  CHECK_STATUS(ws_send(client, WS_KIND_BINARY, payload, len, &out), WS_OK);
  in.data = out.data;
  in.len = 20;
  CHECK_STATUS(ws_receive(server, &in, NULL, &event), WS_OK);
  at = 20;
  while (at < out.len) {
    CHECK_STATUS(ws_room(server, &room), WS_EVENT);
    CHECK_STATUS(ws_filled(server, room.capacity + 1), WS_ERROR_ARGUMENT);
    CHECK_STATUS(ws_filled(server, 0), WS_OK);
    CHECK_STATUS(ws_filled(server, 1), WS_ERROR_STATE);
    if (ws_room(server, &room) != WS_EVENT) break;
    given = out.len - at < room.capacity ? out.len - at : room.capacity;
    if (given > 30000) given = 30000;
    memcpy(room.data, out.data + at, given);
    CHECK_STATUS(ws_filled(server, given), WS_OK);
    at += given;
    in.len = 0;
    if (ws_receive(server, &in, NULL, &event) == WS_EVENT) break;
    /* The rest is too short for a room of its own. */
    if (ws_room(server, &room) == WS_OK) {
      in.data = out.data + at;
      in.len = out.len - at;
      CHECK_STATUS(ws_receive(server, &in, NULL, &event), WS_EVENT);
      break;
    }
  }
  CHECK(event.kind == WS_EVENT_KIND_BINARY && event.len == len && memcmp(event.data, payload, len) == 0);
  CHECK(!event.is_in_input && ws_buffered(server) >= len);
  CHECK_STATUS(ws_filled(server, 1), WS_ERROR_STATE);
  free(payload);
  free(out.data);
  ws_connection_free(client);
  ws_connection_free(server);
}

/* Pings are answered, and what is lent by the connection may be sent back. */
static void pings(void)
{
  ws_connection *client = connection(WS_ROLE_CLIENT), *server = connection(WS_ROLE_SERVER);
  ws_buffer out = buffer(64), replies = buffer(0), more;
  ws_event event;
  ws_input in;
  CHECK_STATUS(ws_send(client, WS_KIND_PING, (const uint8_t *)"are you there?", 14, &out), WS_OK);
  in.data = out.data;
  in.len = 9;
  CHECK_STATUS(ws_receive(server, &in, &replies, &event), WS_OK);
  in.len = out.len - 9;
  CHECK_STATUS(ws_receive(server, &in, &replies, &event), WS_EVENT);
  CHECK(event.kind == WS_EVENT_KIND_PING && !event.is_in_input);
  CHECK_BYTES(event.data, event.len, "are you there?");
  CHECK(ws_has_due_output(server) == 1 && replies.len == 0);
  more = buffer(200);
  CHECK_STATUS(ws_send(server, WS_KIND_BINARY, event.data, event.len, &more), WS_OK);
  CHECK_BYTES(more.data, more.len, "\x8a\x0e" "are you there?\x82\x0e" "are you there?");
  CHECK(ws_has_due_output(server) == 0);
  CHECK_STATUS(ws_send(server, WS_KIND_PING, more.data, 126, &more), WS_ERROR_OVERLAP);
  {
    uint8_t *payload = memory(126);
    memset(payload, 'x', 126);
    CHECK_STATUS(ws_send(server, WS_KIND_PING, payload, 126, &more), WS_ERROR_SEND_CONTROL_TOO_LONG);
    free(payload);
  }
  free(out.data);
  free(more.data);
  free(replies.data);
  ws_connection_free(client);
  ws_connection_free(server);
}

static void closing(void)
{
  ws_connection *client = connection(WS_ROLE_CLIENT), *server = connection(WS_ROLE_SERVER);
  ws_buffer to_server = buffer(200), to_client = buffer(131);
  ws_event event;
  ws_input in;
  CHECK_STATUS(ws_close(client, 1006, NULL, 0, &to_server), WS_ERROR_CLOSE_CODE_ARGUMENT);
  CHECK_STATUS(ws_close(client, 0, (const uint8_t *)"why", 3, &to_server), WS_ERROR_ARGUMENT);
  CHECK_STATUS(ws_close(client, 1000, (const uint8_t *)"\xff", 1, &to_server), WS_ERROR_UTF8_ARGUMENT);
  CHECK_STATUS(ws_close(client, 4321, (const uint8_t *)"enough", 6, &to_server), WS_OK);
  CHECK(ws_ready_state(client) == WS_STATE_CLOSING && ws_is_clean(client) == 0);
  CHECK_STATUS(ws_send(client, WS_KIND_TEXT, NULL, 0, &to_server), WS_ERROR_NOT_OPEN);
  in.data = to_server.data;
  in.len = to_server.len;
  CHECK_STATUS(ws_receive(server, &in, NULL, &event), WS_EVENT);
  CHECK(event.kind == WS_EVENT_KIND_CLOSE && event.close_code == 4321);
  CHECK_BYTES(event.data, event.len, "enough");
  CHECK(ws_ready_state(server) == WS_STATE_CLOSING && ws_has_due_output(server) == 1);
  CHECK_STATUS(ws_flush(server, &to_client), WS_OK);
  CHECK(ws_ready_state(server) == WS_STATE_CLOSED && ws_is_clean(server) == 1);
  CHECK_BYTES(to_client.data, to_client.len, "\x88\x02\x10\xe1");
  in.data = to_client.data;
  in.len = to_client.len;
  CHECK_STATUS(ws_receive(client, &in, NULL, &event), WS_EVENT);
  CHECK(ws_is_clean(client) == 1);
  CHECK_STATUS(ws_receive_eof(client), WS_OK);
  ws_connection_free(client);
  client = connection(WS_ROLE_CLIENT);
  to_server.len = 0;
  CHECK_STATUS(ws_close(client, 0, NULL, 0, &to_server), WS_OK);
  CHECK(to_server.len == 6);
  ws_connection_free(server);
  server = connection(WS_ROLE_SERVER);
  in.data = to_server.data;
  in.len = to_server.len;
  CHECK_STATUS(ws_receive(server, &in, NULL, &event), WS_EVENT);
  CHECK(event.close_code == WS_CLOSE_NO_STATUS && event.len == 0 && event.data != NULL);
  CHECK_STATUS(ws_receive_eof(server), WS_OK);
  ws_connection_free(server);
  server = connection(WS_ROLE_SERVER);
  CHECK_STATUS(ws_receive_eof(server), WS_ERROR_UNEXPECTED_EOF);
  CHECK_STATUS(ws_connection_error(server), WS_ERROR_UNEXPECTED_EOF);
  free(to_server.data);
  free(to_client.data);
  ws_connection_free(client);
  ws_connection_free(server);
}

/* A peer that breaks the protocol: the error, the Close, and the same error from then on. */
static void failures(void)
{
  static const struct {
    const char *bytes;
    size_t len;
    ws_status error;
    const char *text;
  } cases[] = {
    { "\x81\x05Hello", 7, WS_ERROR_MASK_REQUIRED, "unmasked frame from a client" },
    { "\xf1\x80\0\0\0\0", 6, WS_ERROR_RESERVED_BITS, "reserved bits 111 (RSV1 RSV2 RSV3) set without an extension" },
    { "\x83\x80\0\0\0\0", 6, WS_ERROR_RESERVED_OPCODE, "reserved opcode 0x3" },
    { "\x80\x80\0\0\0\0", 6, WS_ERROR_UNEXPECTED_CONTINUATION, "continuation frame with no message open" },
    { "\x81\x81\0\0\0\0\xff", 7, WS_ERROR_UTF8, "text is not UTF-8 after byte 0" },
    { "\x88\x81\0\0\0\0x", 7, WS_ERROR_CLOSE_PAYLOAD, "Close frame with one byte of payload" },
    { "\x88\x82\0\0\0\0\x03\xee", 8, WS_ERROR_CLOSE_CODE, "close code 1006 may not be sent" },
    { "\x82\xff\0\0\0\0\x7f\0\0\0\0\0\0\0", 14, WS_ERROR_FRAME_TOO_BIG,
      "frame of 2130706432 bytes, limit 16777216" },
  };
  size_t i;
  for (i = 0; i < sizeof cases / sizeof *cases; i++) {
    ws_connection *server = connection(WS_ROLE_SERVER);
    uint8_t *bytes = copy(cases[i].bytes, cases[i].len);
    ws_buffer out = buffer(131);
    char text[100];
    ws_event event;
    ws_input in;
    uint16_t close_code = ws_error_close_code(cases[i].error);
    in.data = bytes;
    in.len = cases[i].len;
    CHECK_STATUS(ws_receive(server, &in, &out, &event), cases[i].error);
    CHECK(ws_last_error_text(text, sizeof text) == strlen(cases[i].text));
    CHECK(strcmp(text, cases[i].text) == 0);
    CHECK(out.len > 4 && out.data[0] == 0x88);
    CHECK(out.data[2] == close_code >> 8 && out.data[3] == (close_code & 255));
    CHECK(ws_ready_state(server) == WS_STATE_CLOSED && ws_is_clean(server) == 0);
    CHECK_STATUS(ws_receive(server, &in, &out, &event), cases[i].error);
    CHECK_STATUS(ws_connection_error(server), cases[i].error);
    CHECK_STATUS(ws_send(server, WS_KIND_TEXT, NULL, 0, &out), WS_ERROR_NOT_OPEN);
    free(bytes);
    free(out.data);
    ws_connection_free(server);
  }
}

/* Calls that C should not make, each an error that changes nothing. */
static void misuse(void)
{
  ws_connection_options options = { 0 };
  ws_connection *server = connection(WS_ROLE_SERVER), *none = NULL;
  ws_buffer out = buffer(64);
  uint8_t *bytes = copy("\x81\x80\0\0\0\0", 6);
  ws_event event;
  ws_input in;
  struct {
    ws_connection_options known;
    uint64_t newer;
  } longer;
  in.data = bytes;
  in.len = 6;
  CHECK_STATUS(ws_connection_new(0, NULL, &none), WS_ERROR_ARGUMENT);
  CHECK_STATUS(ws_connection_new(WS_ROLE_SERVER, NULL, NULL), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_connection_new(WS_ROLE_SERVER, &options, &none), WS_ERROR_OPTIONS_SIZE);
  memset(&longer, 0, sizeof longer);
  longer.known.size = sizeof longer;
  CHECK_STATUS(ws_connection_new(WS_ROLE_SERVER, &longer.known, &none), WS_OK);
  ws_connection_free(none);
  none = NULL;
  longer.newer = 1;
  CHECK_STATUS(ws_connection_new(WS_ROLE_SERVER, &longer.known, &none), WS_ERROR_OPTIONS_SIZE);
  CHECK(none == NULL);
  CHECK_STATUS(ws_receive(NULL, &in, &out, &event), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_receive(server, NULL, &out, &event), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_receive(server, &in, &out, NULL), WS_ERROR_NULL_POINTER);
  out.len = 65;
  CHECK_STATUS(ws_receive(server, &in, &out, &event), WS_ERROR_ARGUMENT);
  out.len = 0;
  {
    ws_buffer over_input;
    ws_input huge;
    over_input.data = bytes;
    over_input.capacity = 6;
    over_input.len = 5;
    CHECK_STATUS(ws_receive(server, &in, &over_input, &event), WS_ERROR_OVERLAP);
    over_input.len = 6;
    CHECK_STATUS(ws_flush(server, &over_input), WS_OK);
    huge.data = bytes;
    huge.len = SIZE_MAX;
    CHECK_STATUS(ws_receive(server, &huge, &out, &event), WS_ERROR_ARGUMENT);
    huge.data = NULL;
    huge.len = 1;
    CHECK_STATUS(ws_receive(server, &huge, &out, &event), WS_ERROR_NULL_POINTER);
  }
  CHECK_STATUS(ws_send(server, 3, bytes, 1, &out), WS_ERROR_ARGUMENT);
  CHECK_STATUS(ws_send(server, WS_KIND_TEXT, (const uint8_t *)"\xff", 1, &out), WS_ERROR_UTF8_ARGUMENT);
  CHECK_STATUS(ws_send(server, WS_KIND_TEXT, NULL, 1, &out), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_send(server, WS_KIND_TEXT, bytes, 1, NULL), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_send(server, WS_KIND_BINARY, out.data + 10, 10, &out), WS_ERROR_OVERLAP);
  CHECK_STATUS(ws_send_prepared(server, NULL, &out), WS_ERROR_NULL_POINTER);
  CHECK(out.len == 0 && in.len == 6);
  CHECK_STATUS(ws_receive(server, &in, &out, &event), WS_EVENT);
  CHECK(event.kind == WS_EVENT_KIND_TEXT && event.len == 0);
  ws_connection_free(NULL);
  ws_prepared_free(NULL);
  ws_frame_free(NULL);
  ws_client_handshake_free(NULL);
  ws_server_handshake_free(NULL);
  CHECK(ws_ready_state(NULL) == WS_ERROR_NULL_POINTER && ws_send_room(NULL, 1) == 0 && ws_buffered(NULL) == 0);
  free(bytes);
  free(out.data);
  ws_connection_free(server);
}

/* Both handshakes and an open connection on each side, with or without compression. */
static void opening(int with_deflate)
{
  static const char *const subprotocols[] = { "chat.v2", "chat" };
  static const ws_header header = { "X-Client", "battery" }, answer = { "X-Server", "here" };
  static const uint8_t key[16] = "the sample nonc";
  ws_client_options client_options = { 0 };
  ws_server_options server_options = { 0 };
  ws_accept_options accept_options = { 0 };
  ws_deflate_options deflate = { 0 };
  ws_client_handshake *asking = NULL;
  ws_server_handshake *answering = NULL;
  ws_connection *client = NULL, *server = NULL;
  ws_buffer to_server = buffer(10), to_client = buffer(2048);
  ws_slice name, value;
  ws_request request;
  ws_input in;
  size_t at;
  char text[4000];

  deflate.size = sizeof deflate;
  deflate.size_min = 1;
  client_options.size = sizeof client_options;
  client_options.host = "example.com:8080";
  client_options.target = "/chat?room=1";
  client_options.origin = "http://example.com";
  client_options.subprotocols = subprotocols;
  client_options.subprotocols_len = 2;
  client_options.headers = &header;
  client_options.headers_len = 1;
  client_options.key = key;
  client_options.deflate = with_deflate ? &deflate : NULL;
  CHECK_STATUS(ws_client_handshake_start(&client_options, &to_server, &asking), WS_ERROR_HANDSHAKE_BUFFER_FULL);
  CHECK(asking == NULL && to_server.len == 0 && to_server.needed > 10);
  at = to_server.needed;
  free(to_server.data);
  to_server = buffer(at);
  CHECK_STATUS(ws_client_handshake_start(&client_options, &to_server, &asking), WS_OK);
  CHECK(to_server.len == to_server.capacity);
  CHECK(ws_client_handshake_status(asking) == 0);
  CHECK_STATUS(ws_client_handshake_open(asking, NULL, &client), WS_ERROR_STATE);

  server_options.size = sizeof server_options;
  server_options.deflate = with_deflate ? &deflate : NULL;
  CHECK_STATUS(ws_server_handshake_new(&server_options, &answering), WS_OK);
  memset(&request, 0, sizeof request);
  CHECK_STATUS(ws_server_handshake_request(answering, &request), WS_ERROR_OPTIONS_SIZE);
  request.size = sizeof request;
  CHECK_STATUS(ws_server_handshake_request(answering, &request), WS_ERROR_STATE);
  CHECK_STATUS(ws_server_handshake_accept(answering, NULL, &to_client), WS_ERROR_NO_REQUEST);
  for (at = 0; at < to_server.len; at++) {
    in.data = to_server.data + at;
    in.len = 1;
    CHECK_STATUS(ws_server_handshake_receive(answering, &in), at + 1 < to_server.len ? WS_OK : WS_DONE);
  }
  CHECK_STATUS(ws_server_handshake_request(answering, &request), WS_DONE);
  CHECK_BYTES(request.method.data, request.method.len, "GET");
  CHECK_BYTES(request.target.data, request.target.len, "/chat?room=1");
  CHECK_BYTES(request.path.data, request.path.len, "/chat");
  CHECK_BYTES(request.query.data, request.query.len, "room=1");
  CHECK_BYTES(request.host.data, request.host.len, "example.com:8080");
  CHECK_BYTES(request.origin.data, request.origin.len, "http://example.com");
  CHECK(request.head.data == NULL);
  CHECK_STATUS(ws_server_handshake_header(answering, "x-client", &value), WS_FOUND);
  CHECK_BYTES(value.data, value.len, "battery");
  CHECK_STATUS(ws_server_handshake_header(answering, "X-Other", &value), WS_OK);
  CHECK(value.data == NULL);
  CHECK_STATUS(ws_server_handshake_header_at(answering, 0, &name, &value), WS_FOUND);
  CHECK_BYTES(name.data, name.len, "Host");
  CHECK_STATUS(ws_server_handshake_header_at(answering, 100, &name, &value), WS_OK);
  CHECK_STATUS(ws_server_handshake_subprotocol_at(answering, 1, &value), WS_FOUND);
  CHECK_BYTES(value.data, value.len, "chat");
  CHECK_STATUS(ws_server_handshake_subprotocol_at(answering, 2, &value), WS_OK);

  accept_options.size = sizeof accept_options;
  accept_options.headers = &answer;
  accept_options.headers_len = 1;
  accept_options.subprotocol = "other";
  CHECK_STATUS(ws_server_handshake_accept(answering, &accept_options, &to_client), WS_ERROR_SUBPROTOCOL_NOT_OFFERED);
  CHECK_STATUS(ws_server_handshake_open(answering, NULL, &server), WS_ERROR_STATE);
  accept_options.subprotocol = "chat";
  CHECK_STATUS(ws_server_handshake_accept(answering, &accept_options, &to_client), WS_OK);
  CHECK(ws_server_handshake_has_deflate(answering) == with_deflate);
  CHECK_STATUS(ws_server_handshake_open(answering, NULL, &server), WS_OK);
  CHECK_STATUS(ws_server_handshake_open(answering, NULL, &server), WS_ERROR_STATE);
  ws_server_handshake_free(answering);

  /* The first frame comes in the same read as the response. */
  CHECK_STATUS(ws_send(server, WS_KIND_TEXT, (const uint8_t *)"welcome", 7, &to_client), WS_OK);
  in.data = to_client.data;
  in.len = to_client.len;
  CHECK_STATUS(ws_client_handshake_receive(asking, &in), WS_DONE);
  CHECK(in.len > 0 && in.len < 20);
  CHECK(ws_client_handshake_status(asking) == 101);
  CHECK(ws_client_handshake_has_deflate(asking) == with_deflate);
  CHECK_STATUS(ws_client_handshake_header(asking, "x-server", &value), WS_FOUND);
  CHECK_BYTES(value.data, value.len, "here");
  CHECK_STATUS(ws_client_handshake_header_at(asking, 0, &name, &value), WS_FOUND);
  CHECK_STATUS(ws_client_handshake_subprotocol(asking, &value), WS_FOUND);
  CHECK_BYTES(value.data, value.len, "chat");
  CHECK_STATUS(ws_client_handshake_open(asking, NULL, &client), WS_OK);
  ws_client_handshake_free(asking);
  {
    ws_event event;
    CHECK_STATUS(ws_receive(client, &in, NULL, &event), WS_EVENT);
    CHECK_BYTES(event.data, event.len, "welcome");
  }

  /* Compressed both ways, where that was agreed; and never where it is not wanted. */
  memset(text, 'a', sizeof text);
  to_client.len = 0;
  for (at = 0; at < 3; at++) {
    size_t room = ws_send_room(client, sizeof text);
    ws_buffer out = buffer(room), replies = buffer(0);
    ws_connection *from = at == 1 ? server : client, *to = at == 1 ? client : server;
    if (at == 2) CHECK_STATUS(ws_send_uncompressed(from, WS_KIND_TEXT, (uint8_t *)text, sizeof text, &out), WS_OK);
    else CHECK_STATUS(ws_send(from, WS_KIND_TEXT, (uint8_t *)text, sizeof text, &out), WS_OK);
    CHECK(with_deflate && at < 2 ? out.len < 100 : out.len > sizeof text);
    CHECK(deliver(&out, to, 10, &replies, WS_EVENT_KIND_TEXT, text, sizeof text) == 1);
    CHECK_STATUS(ws_send_fragment(from, WS_KIND_TEXT, (uint8_t *)text, 1000, 0, &out), WS_OK);
    CHECK_STATUS(ws_send_fragment(from, WS_KIND_TEXT, (uint8_t *)text, 1000, 1, &out), WS_OK);
    CHECK(deliver(&out, to, 10000, &replies, WS_EVENT_KIND_TEXT, text, 2000) == 1);
    free(out.data);
    free(replies.data);
  }

  /* A broadcast: one frame for all servers. */
  {
    ws_prepared *prepared = NULL;
    ws_frame *frame = NULL, *same = NULL;
    ws_slice bytes;
    ws_buffer out = buffer(5000), replies = buffer(0);
    CHECK_STATUS(ws_prepared_new(WS_KIND_TEXT, (uint8_t *)text, sizeof text, &prepared), WS_OK);
    CHECK(ws_prepared_frame_len(prepared) == sizeof text + 4);
    CHECK_STATUS(ws_prepared_frame(server, prepared, &frame), WS_OK);
    CHECK_STATUS(ws_prepared_frame(server, prepared, &same), WS_OK);
    bytes = ws_frame_bytes(frame);
    CHECK(bytes.data == ws_frame_bytes(same).data);
    memcpy(out.data, bytes.data, bytes.len);
    out.len = bytes.len;
    ws_prepared_free(prepared);
    CHECK(deliver(&out, client, 5000, &replies, WS_EVENT_KIND_TEXT, text, sizeof text) == 1);
    memcpy(out.data, bytes.data, bytes.len);
    out.len = bytes.len;
    CHECK(deliver(&out, client, 5000, &replies, WS_EVENT_KIND_TEXT, text, sizeof text) == 1);
    ws_frame_free(frame);
    ws_frame_free(same);
    CHECK_STATUS(ws_prepared_new(WS_KIND_BINARY, (uint8_t *)text, 200, &prepared), WS_OK);
    CHECK_STATUS(ws_send_prepared(client, prepared, &out), WS_OK);
    CHECK(deliver(&out, server, 5000, &replies, WS_EVENT_KIND_BINARY, text, 200) == 1);
    ws_prepared_free(prepared);
    CHECK_STATUS(ws_prepared_new(WS_KIND_PING, (uint8_t *)text, 200, &prepared), WS_ERROR_SEND_CONTROL_TOO_LONG);
    free(out.data);
    free(replies.data);
  }
  free(to_server.data);
  free(to_client.data);
  ws_connection_free(client);
  ws_connection_free(server);
}

/* What a server refuses, and how. */
static void refusals(void)
{
  static const char plain[] = "GET /health HTTP/1.1\r\nHost: a\r\n\r\nbody";
  ws_server_options options = { 0 };
  ws_reject_options reject = { 0 };
  ws_server_handshake *handshake = NULL;
  ws_request request = { 0 };
  ws_buffer out = buffer(1000);
  uint8_t *bytes = copy(plain, sizeof plain - 1);
  ws_input in;
  in.data = bytes;
  in.len = sizeof plain - 1;
  CHECK_STATUS(ws_server_handshake_new(NULL, &handshake), WS_OK);
  CHECK_STATUS(ws_server_handshake_reject(handshake, NULL, &out), WS_ERROR_STATE);
  CHECK_STATUS(ws_server_handshake_receive(handshake, &in), WS_ERROR_REQUEST_UPGRADE);
  CHECK_STATUS(ws_server_handshake_reject(handshake, NULL, &out), WS_OK);
  CHECK(memcmp(out.data, "HTTP/1.1 426 ", 13) == 0);
  CHECK_STATUS(ws_server_handshake_reject(handshake, NULL, &out), WS_ERROR_NO_REQUEST);
  ws_server_handshake_free(handshake);

  options.size = sizeof options;
  options.allows_http = 1;
  in.data = bytes;
  in.len = sizeof plain - 1;
  out.len = 0;
  CHECK_STATUS(ws_server_handshake_new(&options, &handshake), WS_OK);
  CHECK_STATUS(ws_server_handshake_receive(handshake, &in), WS_HTTP);
  CHECK_BYTES(in.data, in.len, "body");
  request.size = sizeof request;
  CHECK_STATUS(ws_server_handshake_request(handshake, &request), WS_HTTP);
  CHECK_BYTES(request.target.data, request.target.len, "/health");
  CHECK_BYTES(request.head.data, request.head.len, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
  reject.size = sizeof reject;
  reject.status = 204;
  CHECK_STATUS(ws_server_handshake_reject(handshake, &reject, &out), WS_ERROR_STATUS_ARGUMENT);
  reject.status = 70000;
  CHECK_STATUS(ws_server_handshake_reject(handshake, &reject, &out), WS_ERROR_STATUS_ARGUMENT);
  reject.status = 200;
  reject.body = (const uint8_t *)"fine\n";
  reject.body_len = 5;
  CHECK_STATUS(ws_server_handshake_reject(handshake, &reject, &out), WS_OK);
  CHECK(memcmp(out.data, "HTTP/1.1 200 OK\r\n", 17) == 0);
  CHECK(memcmp(out.data + out.len - 9, "\r\n\r\nfine\n", 9) == 0);
  ws_server_handshake_free(handshake);

  CHECK_STATUS(ws_server_handshake_new(NULL, &handshake), WS_OK);
  CHECK_STATUS(ws_server_handshake_receive_eof(handshake), WS_ERROR_HANDSHAKE_EOF);
  ws_server_handshake_free(handshake);
  free(bytes);
  free(out.data);
}

/* What a client does not ask for, and what it does not accept. */
static void asking(void)
{
  static const ws_header split = { "X", "a\r\nX-Evil: b" }, reserved = { "Host", "b" };
  static const char refusal[] = "HTTP/1.1 404 Not Found\r\nX-Why: lost\r\n\r\ncontent";
  ws_client_options options = { 0 };
  ws_client_handshake *handshake = NULL;
  ws_connection *none = NULL;
  ws_buffer out = buffer(1000);
  ws_slice value;
  ws_input in;
  char accept[28];
  uint8_t *bytes = copy(refusal, sizeof refusal - 1);
  options.size = sizeof options;
  CHECK_STATUS(ws_client_handshake_start(NULL, &out, &handshake), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_client_handshake_start(&options, &out, &handshake), WS_ERROR_NULL_POINTER);
  options.host = "a b";
  CHECK_STATUS(ws_client_handshake_start(&options, &out, &handshake), WS_ERROR_HOST_ARGUMENT);
  options.host = "\xff";
  CHECK_STATUS(ws_client_handshake_start(&options, &out, &handshake), WS_ERROR_UTF8_ARGUMENT);
  options.host = "example.com";
  options.target = "chat";
  CHECK_STATUS(ws_client_handshake_start(&options, &out, &handshake), WS_ERROR_TARGET_ARGUMENT);
  options.target = NULL;
  options.headers_len = 1;
  CHECK_STATUS(ws_client_handshake_start(&options, &out, &handshake), WS_ERROR_NULL_POINTER);
  options.headers = &split;
  CHECK_STATUS(ws_client_handshake_start(&options, &out, &handshake), WS_ERROR_HEADER_VALUE_ARGUMENT);
  options.headers = &reserved;
  CHECK_STATUS(ws_client_handshake_start(&options, &out, &handshake), WS_ERROR_HEADER_RESERVED);
  CHECK(handshake == NULL && out.len == 0);
  options.headers_len = 0;
  CHECK_STATUS(ws_client_handshake_start(&options, &out, &handshake), WS_OK);
  CHECK(memcmp(out.data, "GET / HTTP/1.1\r\nHost: example.com\r\n", 35) == 0);
  CHECK_STATUS(ws_client_handshake_header(handshake, "X-Why", &value), WS_ERROR_STATE);
  in.data = bytes;
  in.len = sizeof refusal - 1;
  CHECK_STATUS(ws_client_handshake_receive(handshake, &in), WS_ERROR_REFUSED);
  CHECK_BYTES(in.data, in.len, "content");
  CHECK(ws_client_handshake_status(handshake) == 404);
  CHECK_STATUS(ws_client_handshake_header(handshake, "x-why", &value), WS_FOUND);
  CHECK_BYTES(value.data, value.len, "lost");
  CHECK_STATUS(ws_client_handshake_subprotocol(handshake, &value), WS_OK);
  CHECK_STATUS(ws_client_handshake_open(handshake, NULL, &none), WS_ERROR_STATE);
  ws_client_handshake_free(handshake);
  CHECK_STATUS(ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", 24, accept), WS_OK);
  CHECK_BYTES(accept, sizeof accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK_STATUS(ws_accept_key("short", 5, accept), WS_ERROR_REQUEST_KEY);
  free(bytes);
  free(out.data);
}

/* Gives the bytes to a receiving half; returns its last status that is no event, and counts the events. */
static ws_status feed(ws_receiver *receiver, const void *bytes, size_t len, ws_event *event, int *events)
{
  uint8_t *own = copy(bytes, len);
  ws_input in;
  ws_status status;
  in.data = own;
  in.len = len;
  *events = 0;
  while ((status = ws_receiver_receive(receiver, &in, event)) == WS_EVENT) (*events)++;
  CHECK(status < 0 || in.len == 0);
  free(own);
  return status;
}

/* What the receiving half has to say goes to the sending half, and from there to `out`. Returns how many replies. */
static int hand_over(ws_receiver *receiver, ws_connection *sender, ws_buffer *out)
{
  ws_reply *reply = NULL;
  int replies = 0;
  while (ws_receiver_take_reply(receiver, &reply) == WS_FOUND) {
    CHECK(reply != NULL);
    CHECK_STATUS(ws_send_reply(sender, reply, out), WS_OK);
    replies++;
  }
  return replies;
}

/* A connection in two halves: what each may do, in which order replies go, and together again. */
static void halves(void)
{
  static const char two_pings[] = "\x89\x81\0\0\0\0a\x89\x81\0\0\0\0b\x81\x82\0\0\0\0hi";
  static const char closing_frame[] = "\x88\x85\0\0\0\0\x03\xe8" "bye";
  ws_connection *server = connection(WS_ROLE_SERVER);
  ws_receiver *receiver = NULL, *other = NULL;
  ws_reply *reply = NULL;
  ws_buffer out = buffer(300), room;
  ws_event event;
  ws_input in = { NULL, 0 };
  int events;
  CHECK_STATUS(ws_connection_split(server, NULL), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_connection_split(NULL, &receiver), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_connection_split(server, &receiver), WS_OK);
  CHECK_STATUS(ws_connection_split(server, &other), WS_ERROR_STATE);
  CHECK(receiver != NULL && other == NULL);
  CHECK_STATUS(ws_receive(server, &in, &out, &event), WS_ERROR_STATE);
  CHECK_STATUS(ws_receive_eof(server), WS_ERROR_STATE);
  CHECK_STATUS(ws_room(server, &room), WS_ERROR_STATE);
  CHECK_STATUS(ws_filled(server, 0), WS_ERROR_STATE);
  CHECK_STATUS(ws_receiver_receive(receiver, NULL, &event), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_receiver_receive(receiver, &in, NULL), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_receiver_receive(receiver, &in, &event), WS_OK);
  CHECK_STATUS(ws_receiver_take_reply(receiver, &reply), WS_OK);
  CHECK_STATUS(ws_receiver_take_reply(receiver, NULL), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_receiver_filled(receiver, 1), WS_ERROR_STATE);

  CHECK_STATUS(feed(receiver, two_pings, sizeof two_pings - 1, &event, &events), WS_OK);
  CHECK(events == 3 && ws_receiver_is_done(receiver) == 0);
  CHECK_STATUS(ws_receiver_reunite(receiver, server), WS_ERROR_STATE);
  CHECK_STATUS(ws_send(server, WS_KIND_TEXT, (const uint8_t *)"yes", 3, &out), WS_OK);
  CHECK_STATUS(ws_send_reply(server, NULL, &out), WS_ERROR_NULL_POINTER);
  CHECK(hand_over(receiver, server, &out) == 2);
  CHECK_BYTES(out.data, out.len, "\x81\x03yes\x8a\x01" "a\x8a\x01" "b");
  out.len = 0;

  /* A message that spans reads, by room and by input, on either side of a reunion. */
  {
    size_t len = 100000, half;
    uint8_t *frame = memory(len + 14);
    memset(frame, 'x', len + 14);
    memcpy(frame, "\x82\xff\0\0\0\0\0\x01\x86\xa0\0\0\0\0", 14);
    CHECK_STATUS(feed(receiver, frame, 1000, &event, &events), WS_OK);
    CHECK(events == 0 && ws_receiver_buffered(receiver) >= 986 && ws_buffered(server) == 0);
    CHECK_STATUS(ws_receiver_room(receiver, &room), WS_EVENT);
    half = room.capacity < 20000 ? room.capacity : 20000;
    CHECK_STATUS(ws_receiver_filled(receiver, room.capacity + 1), WS_ERROR_ARGUMENT);
    memcpy(room.data, frame + 1000, half);
    CHECK_STATUS(ws_receiver_filled(receiver, half), WS_OK);
    CHECK_STATUS(ws_receiver_reunite(receiver, NULL), WS_ERROR_NULL_POINTER);
    CHECK_STATUS(ws_receiver_reunite(NULL, server), WS_ERROR_NULL_POINTER);
    CHECK_STATUS(ws_receiver_reunite(receiver, server), WS_OK);
    in.data = frame + 1000 + half;
    in.len = len + 14 - 1000 - half;
    CHECK_STATUS(ws_receive(server, &in, &out, &event), WS_EVENT);
    CHECK(event.len == len && event.data[0] == 'x' && event.data[len - 1] == 'x');
    CHECK_STATUS(ws_receive(server, &in, &out, &event), WS_OK);
    free(frame);
  }

  /* The peer's Close: its answer is a reply, for which there may be no room at first. */
  CHECK_STATUS(ws_connection_split(server, &receiver), WS_OK);
  CHECK_STATUS(feed(receiver, closing_frame, sizeof closing_frame - 1, &event, &events), WS_OK);
  CHECK(events == 1 && event.close_code == 1000 && ws_receiver_is_done(receiver) == 1);
  CHECK(ws_ready_state(server) == WS_STATE_OPEN);
  CHECK_STATUS(ws_receiver_take_reply(receiver, &reply), WS_FOUND);
  room.data = NULL;
  room.capacity = room.len = 0;
  CHECK_STATUS(ws_send_reply(server, reply, &room), WS_OK);
  CHECK(ws_has_due_output(server) == 1 && ws_ready_state(server) == WS_STATE_CLOSING);
  CHECK_STATUS(ws_flush(server, &out), WS_OK);
  CHECK_BYTES(out.data, out.len, "\x88\x02\x03\xe8");
  CHECK(ws_is_clean(server) == 1 && ws_ready_state(server) == WS_STATE_CLOSED);
  CHECK_STATUS(ws_receiver_receive_eof(receiver), WS_OK);
  ws_receiver_free(receiver);
  ws_connection_free(server);
  out.len = 0;

  /* A failure: its Close is a reply, the sending half learns why, and a reply may be dropped. */
  server = connection(WS_ROLE_SERVER);
  CHECK_STATUS(ws_connection_split(server, &receiver), WS_OK);
  CHECK_STATUS(feed(receiver, two_pings, 7, &event, &events), WS_OK);
  CHECK_STATUS(ws_receiver_take_reply(receiver, &reply), WS_FOUND);
  ws_reply_free(reply);
  CHECK_STATUS(feed(receiver, "\x81\x01x", 3, &event, &events), WS_ERROR_MASK_REQUIRED);
  CHECK_STATUS(ws_receiver_error(receiver), WS_ERROR_MASK_REQUIRED);
  CHECK(ws_connection_error(server) == WS_OK && hand_over(receiver, server, &out) == 1);
  CHECK(out.len > 4 && out.data[0] == 0x88 && out.data[2] == 0x03 && out.data[3] == 0xea);
  CHECK_STATUS(ws_connection_error(server), WS_ERROR_MASK_REQUIRED);
  CHECK_STATUS(ws_send(server, WS_KIND_TEXT, NULL, 0, &out), WS_ERROR_NOT_OPEN);
  ws_connection_free(server); /* in either order */
  ws_receiver_free(receiver);

  /* A stream that ends: no Close, and a reply that says so. Then one that nobody takes. */
  server = connection(WS_ROLE_SERVER);
  CHECK_STATUS(ws_connection_split(server, &receiver), WS_OK);
  CHECK_STATUS(ws_receiver_receive_eof(receiver), WS_ERROR_UNEXPECTED_EOF);
  out.len = 0;
  CHECK(hand_over(receiver, server, &out) == 1 && out.len == 0);
  CHECK_STATUS(ws_connection_error(server), WS_ERROR_UNEXPECTED_EOF);
  ws_receiver_free(receiver);
  ws_connection_free(server);
  server = connection(WS_ROLE_SERVER);
  CHECK_STATUS(ws_connection_split(server, &receiver), WS_OK);
  CHECK_STATUS(feed(receiver, two_pings, sizeof two_pings - 1, &event, &events), WS_OK);
  ws_receiver_free(receiver);
  ws_connection_free(server);
  ws_receiver_free(NULL);
  ws_reply_free(NULL);
  CHECK(ws_receiver_is_done(NULL) == WS_ERROR_NULL_POINTER && ws_receiver_buffered(NULL) == 0);
  free(out.data);
}

static ws_status agree(uint32_t role, const char *offers, const char *answer, ws_deflate_options *agreed)
{
  memset(agreed, 0, sizeof *agreed);
  agreed->size = sizeof *agreed;
  agreed->level = 9;
  return ws_deflate_agreed(role, offers, strlen(offers), answer, strlen(answer), agreed);
}

/* permessage-deflate that the program's own HTTP implementation has negotiated. */
static void deflate_by_others(void)
{
  static const char offer[] = "permessage-deflate; client_max_window_bits";
  static const char answer[] = "permessage-deflate; server_no_context_takeover; client_max_window_bits=10";
  ws_deflate_options agreed;
  ws_connection_options options = { 0 };
  ws_connection *client = NULL, *server = NULL;
  ws_server_handshake *handshake = NULL;
  ws_buffer out = buffer(2000);
  char text[1000];
  int round;
  CHECK_STATUS(agree(WS_ROLE_SERVER, offer, "", &agreed), WS_OK);
  CHECK_STATUS(agree(WS_ROLE_SERVER, "", answer, &agreed), WS_ERROR_EXTENSION_PARAMETERS);
  CHECK_STATUS(agree(WS_ROLE_CLIENT, offer, "permessage-deflate; x", &agreed), WS_ERROR_EXTENSION_PARAMETERS);
  CHECK_STATUS(agree(WS_ROLE_CLIENT, offer, "x-other", &agreed), WS_ERROR_EXTENSION_PARAMETERS);
  CHECK_STATUS(agree(WS_ROLE_CLIENT, offer, "; x", &agreed), WS_ERROR_RESPONSE_EXTENSIONS);
  CHECK_STATUS(agree(7, offer, answer, &agreed), WS_ERROR_ARGUMENT);
  CHECK_STATUS(ws_deflate_agreed(WS_ROLE_CLIENT, NULL, 1, NULL, 0, &agreed), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(ws_deflate_agreed(WS_ROLE_CLIENT, NULL, 0, NULL, 0, NULL), WS_ERROR_NULL_POINTER);
  CHECK_STATUS(agree(WS_ROLE_SERVER, offer, answer, &agreed), WS_FOUND);
  CHECK(agreed.server_max_window_bits == 15 && agreed.client_max_window_bits == 10 && agreed.level == 9);
  CHECK(agreed.flags == WS_DEFLATE_SERVER_NO_CONTEXT);
  agreed.size--;
  CHECK_STATUS(ws_deflate_agreed(WS_ROLE_SERVER, offer, sizeof offer - 1, answer, sizeof answer - 1, &agreed),
               WS_ERROR_OPTIONS_SIZE);
  agreed.size++;
  options.size = sizeof options;
  options.deflate = &agreed;
  CHECK_STATUS(ws_connection_new(WS_ROLE_CLIENT, &options, &client), WS_OK);
  CHECK_STATUS(ws_connection_new(WS_ROLE_SERVER, &options, &server), WS_OK);
  memset(text, 'a', sizeof text);
  for (round = 0; round < 3; round++) {
    CHECK_STATUS(ws_send(client, WS_KIND_BINARY, (const uint8_t *)text, sizeof text, &out), WS_OK);
    CHECK(out.len < 50 && out.data[0] == 0xc2);
    CHECK(deliver(&out, server, 1000, NULL, WS_EVENT_KIND_BINARY, text, sizeof text) == 1);
    CHECK_STATUS(ws_send(server, WS_KIND_BINARY, (const uint8_t *)text, sizeof text, &out), WS_OK);
    CHECK(out.len < 50 && out.data[0] == 0xc2);
    CHECK(deliver(&out, client, 7, NULL, WS_EVENT_KIND_BINARY, text, sizeof text) == 1);
  }
  agreed.level = 10;
  ws_connection_free(server);
  CHECK_STATUS(ws_connection_new(WS_ROLE_SERVER, &options, &server), WS_ERROR_ARGUMENT);
  /* A handshake of this library knows by itself. */
  agreed.level = 1;
  {
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    uint8_t *bytes = copy(request, sizeof request - 1);
    ws_input in;
    in.data = bytes;
    in.len = sizeof request - 1;
    CHECK_STATUS(ws_server_handshake_new(NULL, &handshake), WS_OK);
    CHECK_STATUS(ws_server_handshake_receive(handshake, &in), WS_DONE);
    CHECK_STATUS(ws_server_handshake_accept(handshake, NULL, &out), WS_OK);
    CHECK_STATUS(ws_server_handshake_open(handshake, &options, &server), WS_ERROR_ARGUMENT);
    options.deflate = NULL;
    CHECK_STATUS(ws_server_handshake_open(handshake, &options, &server), WS_OK);
    ws_server_handshake_free(handshake);
    free(bytes);
  }
  ws_connection_free(client);
  ws_connection_free(server);
  free(out.data);
}

int main(void)
{
  versions();
  errors();
  messages();
  room_needed();
  keys();
  heads();
  fragments();
  streamed();
  rooms();
  pings();
  closing();
  failures();
  misuse();
  opening(0);
  opening(1);
  refusals();
  asking();
  halves();
  deflate_by_others();
  printf("ok: %lu checks\n", checks);
  return 0;
}
