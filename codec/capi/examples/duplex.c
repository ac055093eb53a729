/*
 * A client with two threads: one receives while the other sends, by the halves of one connection, and
 * without a lock around either.
 *
 *   duplex HOST PORT [MESSAGES]
 *
 * Sends so many messages of growing length to an echo server (1,000 unless told), a Ping every 100, and
 * compares what comes back in the other thread. Exits 0 if all came back in order, and the connection was
 * closed cleanly.
 *
 * Whatever the receiving thread has to say to the peer, a Pong or the answer to a Close, goes as a reply
 * through a queue to the sending thread: a socket pair here, because the sender can wait for both, and a
 * pointer is written to it whole. A null pointer says that all messages have come back: a peer may drop
 * what it has not answered when a Close arrives, so the Close waits for that.
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include "blocking.h"

enum { LEN_MAX = 5000 };

static unsigned char payload[LEN_MAX];

struct receiving {
  int fd;
  int replies; /* where replies are written to; closed at the end */
  ws_receiver *receiver;
  ws_input in; /* what has come with the response to the handshake */
  uint8_t memory[65536];
  long expected, received, pongs;
  ws_status error;
};

/* The length of a message, by its number. */
static size_t len_of(long number)
{
  return (size_t)(number * 37 % LEN_MAX);
}

/* Passes replies on to the sender, and tells it once when all messages have come. */
static int pass_replies(struct receiving *self)
{
  ws_reply *reply = NULL;
  if (self->received == self->expected) {
    self->expected = -1;
    if (write(self->replies, &reply, sizeof reply) != (ssize_t)sizeof reply) return 0;
  }
  while (ws_receiver_take_reply(self->receiver, &reply) == WS_FOUND) {
    if (write(self->replies, &reply, sizeof reply) != (ssize_t)sizeof reply) {
      ws_reply_free(reply);
      return 0;
    }
  }
  return 1;
}

static int is_as_sent(struct receiving *self, const ws_event *event)
{
  if (event->kind == WS_EVENT_KIND_PONG) self->pongs++;
  if (event->kind != WS_EVENT_KIND_BINARY) return 1;
  if (event->len != len_of(self->received)) return 0;
  self->received++;
  return event->len == 0 || memcmp(event->data, payload, event->len) == 0;
}

static void *receive(void *argument)
{
  struct receiving *self = (struct receiving *)argument;
  ws_event event;
  ssize_t len;
  int goes_on = 1;
  while (goes_on) {
    ws_status status = ws_receiver_receive(self->receiver, &self->in, &event);
    if (status == WS_EVENT && !is_as_sent(self, &event)) self->error = WS_ERROR_ARGUMENT;
    if (!pass_replies(self)) break;
    if (status == WS_EVENT) continue;
    if (status < 0) {
      self->error = status;
      break;
    }
    len = recv(self->fd, self->memory, sizeof self->memory, 0);
    self->in.data = self->memory;
    self->in.len = len > 0 ? (size_t)len : 0;
    goes_on = len > 0 || (len < 0 && errno == EINTR);
  }
  if (!goes_on && self->error == WS_OK) self->error = ws_receiver_receive_eof(self->receiver);
  pass_replies(self);
  close(self->replies);
  return NULL;
}

/* Sends the replies that have come; waits for one, or for the end, if it is told to. False at the end, and when all
 * messages have come. */
static int send_replies(struct blocking *client, int replies, int waits)
{
  struct pollfd ready;
  ready.fd = replies;
  ready.events = POLLIN;
  while (poll(&ready, 1, waits ? -1 : 0) > 0) {
    ws_reply *reply;
    if (read(replies, &reply, sizeof reply) != (ssize_t)sizeof reply) return 0;
    if (reply == NULL) return 0;
    client->out.needed = 2 * WS_REPLY_LEN_MAX;
    if (!blocking_grow(&client->out)) abort();
    ws_send_reply(client->connection, reply, &client->out);
    if (!blocking_write(client)) return 0;
    waits = 0;
  }
  return 1;
}

int main(int argc, char **argv)
{
  static struct receiving receiving;
  ws_client_options options = { 0 };
  ws_deflate_options deflate = { 0 };
  struct blocking *client;
  pthread_t thread;
  int pair[2], code = 1;
  long i, messages = argc == 4 ? atol(argv[3]) : 1000;
  if (argc < 3 || argc > 4 || messages < 0) {
    fprintf(stderr, "usage: duplex HOST PORT [MESSAGES]\n");
    return 2;
  }
  for (i = 0; i < LEN_MAX; i++) payload[i] = (unsigned char)(i * i % 251);
  deflate.size = sizeof deflate;
  options.deflate = &deflate;
  client = blocking_open(argv[1], argv[2], &options);
  if (client == NULL || client->connection == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
    fprintf(stderr, "duplex: not connected\n");
    blocking_free(client);
    return 1;
  }
  receiving.fd = client->fd;
  receiving.replies = pair[1];
  receiving.expected = messages;
  if (ws_connection_split(client->connection, &receiving.receiver) != WS_OK) abort();
  memcpy(receiving.memory, client->in.data == NULL ? client->memory : client->in.data, client->in.len);
  receiving.in.data = receiving.memory;
  receiving.in.len = client->in.len;
  if (pthread_create(&thread, NULL, receive, &receiving) != 0) abort();

  for (i = 0; i < messages; i++) {
    if (i % 100 == 0 && blocking_send(client, WS_KIND_PING, "ping", 4) != WS_OK) break;
    if (blocking_send(client, WS_KIND_BINARY, payload, len_of(i)) != WS_OK) break;
    if (!send_replies(client, pair[0], 0)) break;
  }
  while (i == messages && send_replies(client, pair[0], 1)) {}
  blocking_close(client, 1000, "");
  while (send_replies(client, pair[0], 1)) {}
  pthread_join(thread, NULL);

  if (receiving.error == WS_OK && ws_receiver_reunite(receiving.receiver, client->connection) == WS_OK) {
    receiving.receiver = NULL;
    code = ws_is_clean(client->connection) != 1 || receiving.received != messages;
  }
  printf("%s: %ld of %ld messages came back, %ld Pongs%s\n", code == 0 ? "ok" : "FAILED", receiving.received,
         messages, receiving.pongs, receiving.error < 0 ? ws_error_text(receiving.error) : "");
  ws_receiver_free(receiving.receiver);
  close(pair[0]);
  blocking_free(client);
  return code;
}
