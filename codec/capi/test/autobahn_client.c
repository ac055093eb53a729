/*
 * A client that an Autobahn fuzzing server drives: every message goes back as it came, compressed where
 * the server takes the offer.
 *
 *   autobahn_client HOST PORT
 */
#define _POSIX_C_SOURCE 200809L
#include "../examples/blocking.h"

#define AGENT "wscodec-capi"

static const char *host, *port;

/* Goes through one connection; the last text goes to `text` if there is one, and otherwise back. */
static int run(const char *target, char *text, size_t capacity)
{
  ws_client_options options = { 0 };
  ws_deflate_options deflate = { 0 }, no_context = { 0 };
  struct blocking *client;
  ws_event event;
  int is_open;
  deflate.size = no_context.size = sizeof deflate;
  /* For servers that want no context from clients, and wait for an offer of it. */
  no_context.flags = WS_DEFLATE_CLIENT_NO_CONTEXT;
  options.target = target;
  options.deflate = &deflate;
  options.deflate_fallback = &no_context;
  client = blocking_open(host, port, &options);
  is_open = client != NULL && client->connection != NULL;
  while (is_open && blocking_next(client, &event)) {
    if (event.kind != WS_EVENT_KIND_TEXT && event.kind != WS_EVENT_KIND_BINARY) continue;
    if (text != NULL) snprintf(text, capacity, "%.*s", (int)event.len, (const char *)event.data);
    else blocking_send(client, event.kind, event.data, event.len);
  }
  blocking_free(client);
  return is_open;
}

int main(int argc, char **argv)
{
  char text[32] = "", target[64];
  long count, number;
  if (argc != 3) {
    fprintf(stderr, "usage: autobahn_client HOST PORT\n");
    return 2;
  }
  host = argv[1];
  port = argv[2];
  if (!run("/getCaseCount", text, sizeof text) || (count = strtol(text, NULL, 10)) <= 0) {
    fprintf(stderr, "autobahn_client: no number of cases\n");
    return 1;
  }
  for (number = 1; number <= count; number++) {
    snprintf(target, sizeof target, "/runCase?case=%ld&agent=%s", number, AGENT);
    if (!run(target, NULL, 0)) {
      fprintf(stderr, "autobahn_client: case %ld not opened\n", number);
      return 1;
    }
  }
  if (!run("/updateReports?agent=" AGENT, NULL, 0)) return 1;
  printf("%ld cases\n", count);
  return 0;
}
