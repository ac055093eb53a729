/*
 * A client: sends each line of its input as a text message, and prints what comes back.
 *
 *   client HOST PORT [TARGET]
 *
 * It waits for one message for each line, as an echo server sends them, and closes at the end of the
 * input. Exits 0 if the connection was closed cleanly.
 */
#define _POSIX_C_SOURCE 200809L
#include "blocking.h"

static int explain(const struct blocking *client, const char *what)
{
  char text[200] = "";
  if (client != NULL && client->error < 0) ws_last_error_text(text, sizeof text);
  fprintf(stderr, "client: %s%s%s\n", what, *text ? ": " : "", text);
  return 1;
}

int main(int argc, char **argv)
{
  static char line[65536];
  ws_client_options options = { 0 };
  ws_deflate_options deflate = { 0 };
  struct blocking *client;
  ws_event event;
  int code = 0;
  if (argc < 3 || argc > 4) {
    fprintf(stderr, "usage: client HOST PORT [TARGET]\n");
    return 2;
  }
  deflate.size = sizeof deflate;
  options.target = argc > 3 ? argv[3] : "/";
  options.deflate = &deflate;
  client = blocking_open(argv[1], argv[2], &options);
  if (client == NULL || client->connection == NULL) code = explain(client, "not connected");
  while (code == 0 && fgets(line, sizeof line, stdin) != NULL) {
    size_t len = strcspn(line, "\n");
    client->error = blocking_send(client, WS_KIND_TEXT, line, len);
    if (client->error < 0) code = explain(client, "not sent");
    while (code == 0) {
      if (!blocking_next(client, &event)) {
        code = explain(client, "ended");
      } else if (event.kind == WS_EVENT_KIND_TEXT) {
        printf("%.*s\n", (int)event.len, (const char *)event.data);
        break;
      }
    }
  }
  if (code == 0) {
    blocking_close(client, 1000, "");
    while (blocking_next(client, &event)) {}
    if (ws_is_clean(client->connection) != 1) code = explain(client, "not closed cleanly");
  }
  blocking_free(client);
  return code;
}
