/*
 * A client that checks an echo server of others, which closes with 4000 when it is told `close`: a line
 * for each check, as the clients of loadgen/interop/peers have it. Exits 0 if all hold.
 *
 *   echo_check HOST PORT [--deflate]
 */
#define _POSIX_C_SOURCE 200809L
#include "../examples/blocking.h"

static const char *host, *port;
static int with_deflate;
static uint8_t *payload;

enum { LONGEST = 1 << 20 };

static struct blocking *connected(void)
{
  ws_client_options options = { 0 };
  ws_deflate_options deflate = { 0 };
  struct blocking *client;
  deflate.size = sizeof deflate;
  options.target = "/echo?check=1";
  options.deflate = with_deflate ? &deflate : NULL;
  client = blocking_open(host, port, &options);
  if (client == NULL || client->connection == NULL) {
    fprintf(stderr, "echo_check: not connected: %s\n", client == NULL ? "no memory" : ws_error_text(client->error));
    exit(1);
  }
  return client;
}

/* The next event that is no Pong must be a message with this content. */
static int expect(struct blocking *client, uint32_t kind, const uint8_t *bytes, size_t len)
{
  ws_event event;
  while (blocking_next(client, &event)) {
    if (event.kind == WS_EVENT_KIND_PONG) continue;
    return event.kind == kind && event.len == len && (len == 0 || memcmp(event.data, bytes, len) == 0);
  }
  return 0;
}

static int sizes(struct blocking *client)
{
  static const size_t all[] = { 0, 1, 125, 126, 65535, 65536, LONGEST };
  size_t i;
  for (i = 0; i < sizeof all / sizeof *all; i++) {
    if (blocking_send(client, WS_KIND_TEXT, payload, all[i]) != WS_OK) return 0;
    if (!expect(client, WS_EVENT_KIND_TEXT, payload, all[i])) return 0;
    if (blocking_send(client, WS_KIND_BINARY, payload, all[i]) != WS_OK) return 0;
    if (!expect(client, WS_EVENT_KIND_BINARY, payload, all[i])) return 0;
  }
  return 1;
}

static int fragmented(struct blocking *client)
{
  static const uint8_t text[] = "h\xc3\xa9llo";
  ws_buffer *out = &client->out;
  ws_status status;
  out->needed = 1 << 20;
  if (!blocking_grow(out)) return 0;
  status = ws_send_fragmented(client->connection, WS_KIND_BINARY, payload, 100000, 1000, out);
  if (status == WS_OK) status = ws_send_fragment(client->connection, WS_KIND_TEXT, text, 3, 0, out);
  if (status == WS_OK) status = ws_send(client->connection, WS_KIND_PING, text, 3, out);
  if (status == WS_OK) status = ws_send_fragment(client->connection, WS_KIND_TEXT, text + 3, 3, 1, out);
  return status == WS_OK && blocking_write(client) && expect(client, WS_EVENT_KIND_BINARY, payload, 100000) &&
         expect(client, WS_EVENT_KIND_TEXT, text, 6);
}

static int pings(struct blocking *client)
{
  static const size_t all[] = { 0, 1, 125 };
  size_t i;
  ws_event event;
  for (i = 0; i < 3; i++) {
    if (blocking_send(client, WS_KIND_PING, payload, all[i]) != WS_OK) return 0;
    if (!blocking_next(client, &event) || event.kind != WS_EVENT_KIND_PONG || event.len != all[i]) return 0;
    if (memcmp(event.data, payload, all[i]) != 0) return 0;
  }
  return 1;
}

static int many_in_flight(struct blocking *client)
{
  int i;
  for (i = 0; i < 2000; i++) {
    if (blocking_send(client, WS_KIND_BINARY, payload + i, 20) != WS_OK) return 0;
  }
  for (i = 0; i < 2000; i++) {
    if (!expect(client, WS_EVENT_KIND_BINARY, payload + i, 20)) return 0;
  }
  return 1;
}

/* A header and a payload that is masked in place, in two writes. */
static int vectored(struct blocking *client)
{
  ws_head head;
  ws_buffer *out = &client->out;
  size_t len = 70000;
  if (ws_send_head(client->connection, WS_KIND_BINARY, len, &head) != WS_OK || !head.is_masked) return 0;
  out->needed = len + sizeof head.bytes;
  if (!blocking_grow(out)) return 0;
  memcpy(out->data + out->len, head.bytes, head.len);
  out->len += head.len;
  if (ws_mask_copy(head.mask_key, payload, len, out->data + out->len, 0) != WS_OK) return 0;
  out->len += len;
  return blocking_write(client) && expect(client, WS_EVENT_KIND_BINARY, payload, len);
}

static int deflate_is_as_asked(struct blocking *client)
{
  return client->has_deflate == with_deflate;
}

static int client_closes(struct blocking *client)
{
  static const struct {
    uint16_t code;
    const char *reason;
  } all[] = { { 1000, "done" }, { 1001, "" }, { 3000, "\xc3\xa4\xc3\xa4" }, { 4999, "x" } };
  size_t i;
  (void)client;
  for (i = 0; i < sizeof all / sizeof *all; i++) {
    struct blocking *other = connected();
    ws_event event;
    int holds = blocking_close(other, all[i].code, all[i].reason) == WS_OK && blocking_next(other, &event) &&
                event.kind == WS_EVENT_KIND_CLOSE && event.close_code == all[i].code &&
                !blocking_next(other, &event) && ws_is_clean(other->connection) == 1;
    blocking_free(other);
    if (!holds) return 0;
  }
  return 1;
}

static int server_closes(struct blocking *client)
{
  ws_event event;
  if (blocking_send(client, WS_KIND_TEXT, "close", 5) != WS_OK || !blocking_next(client, &event)) return 0;
  if (event.kind != WS_EVENT_KIND_CLOSE || event.close_code != 4000) return 0;
  if (event.len != 8 || memcmp(event.data, "as asked", 8) != 0) return 0;
  return !blocking_next(client, &event) && ws_is_clean(client->connection) == 1 && client->error == WS_OK;
}

int main(int argc, char **argv)
{
  static const struct {
    const char *name;
    int (*check)(struct blocking *client);
  } checks[] = {
    { "deflate_is_as_asked", deflate_is_as_asked },
    { "sizes", sizes },
    { "fragmented", fragmented },
    { "pings", pings },
    { "many_in_flight", many_in_flight },
    { "vectored", vectored },
    { "client_closes", client_closes },
    { "server_closes", server_closes },
  };
  struct blocking *client;
  size_t i;
  int code = 0;
  if (argc < 3 || argc > 4 || (argc == 4 && strcmp(argv[3], "--deflate") != 0)) {
    fprintf(stderr, "usage: echo_check HOST PORT [--deflate]\n");
    return 2;
  }
  host = argv[1];
  port = argv[2];
  with_deflate = argc == 4;
  payload = (uint8_t *)malloc(LONGEST);
  if (payload == NULL) return 1;
  for (i = 0; i < LONGEST; i++) payload[i] = (uint8_t)('a' + i * i % 23);
  client = connected();
  for (i = 0; i < sizeof checks / sizeof *checks; i++) {
    int holds = checks[i].check(client);
    printf("%s %s\n", holds ? "ok" : "FAILED", checks[i].name);
    if (!holds) code = 1;
  }
  blocking_free(client);
  free(payload);
  return code;
}
