/*
 * A blocking client over a POSIX socket: all that a client needs is a socket, a read buffer, and the
 * codec between them. The examples and checks beside this file include it.
 *
 * A program that uses it defines _POSIX_C_SOURCE (200809L) before its first #include.
 */
#ifndef BLOCKING_H
#define BLOCKING_H

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wscodec.h"

struct blocking {
  int fd;
  ws_connection *connection;
  char subprotocol[64]; /* that the server has selected, or empty */
  int has_deflate;
  ws_status error; /* why there is no connection, or no more event; 0 if by the socket or the end */
  uint8_t memory[65536];
  ws_input in; /* what of it is unread */
  ws_buffer out;
  int is_at_end; /* the server has ended the stream */
};

/* Makes room for what a function has needed; false without memory. */
static inline int blocking_grow(ws_buffer *out)
{
  uint8_t *grown = (uint8_t *)realloc(out->data, out->len + out->needed);
  if (grown == NULL) return 0;
  out->data = grown;
  out->capacity = out->len + out->needed;
  return 1;
}

/* Writes all output; false if the socket does not take it. */
static inline int blocking_write(struct blocking *client)
{
  size_t written = 0;
  while (written < client->out.len) {
    ssize_t len = send(client->fd, client->out.data + written, client->out.len - written, MSG_NOSIGNAL);
    if (len < 0 && errno == EINTR) continue;
    if (len < 0) return 0;
    written += (size_t)len;
  }
  client->out.len = 0;
  return 1;
}

/* Reads some input; false at the end, and if the socket fails. */
static inline int blocking_read(struct blocking *client)
{
  ssize_t len;
  do len = recv(client->fd, client->memory, sizeof client->memory, 0);
  while (len < 0 && errno == EINTR);
  client->in.data = client->memory;
  client->in.len = len > 0 ? (size_t)len : 0;
  client->is_at_end = len <= 0;
  return len > 0;
}

static inline int blocking_dial(const char *host, const char *port)
{
  struct addrinfo hints, *found, *address;
  int fd = -1, on = 1;
  memset(&hints, 0, sizeof hints);
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host, port, &hints, &found) != 0) return -1;
  for (address = found; address != NULL && fd < 0; address = address->ai_next) {
    fd = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (fd >= 0 && connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
      close(fd);
      fd = -1;
    }
  }
  freeaddrinfo(found);
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static inline void blocking_free(struct blocking *client)
{
  if (client == NULL) return;
  if (client->fd >= 0) close(client->fd);
  ws_connection_free(client->connection);
  free(client->out.data);
  free(client);
}

/* Goes through the opening handshake. */
static inline ws_status blocking_handshake(struct blocking *client, const ws_client_options *options)
{
  ws_client_handshake *handshake = NULL;
  ws_slice subprotocol;
  ws_status status;
  do status = ws_client_handshake_start(options, &client->out, &handshake);
  while (status == WS_ERROR_HANDSHAKE_BUFFER_FULL && blocking_grow(&client->out));
  if (status == WS_OK && !blocking_write(client)) status = WS_ERROR_HANDSHAKE_EOF;
  while (status == WS_OK) {
    if (!blocking_read(client)) {
      status = ws_client_handshake_receive_eof(handshake);
      break;
    }
    status = ws_client_handshake_receive(handshake, &client->in);
  }
  if (status == WS_DONE) {
    client->has_deflate = ws_client_handshake_has_deflate(handshake);
    if (ws_client_handshake_subprotocol(handshake, &subprotocol) == WS_FOUND &&
        subprotocol.len < sizeof client->subprotocol)
      memcpy(client->subprotocol, subprotocol.data, subprotocol.len);
    status = ws_client_handshake_open(handshake, NULL, &client->connection);
  }
  ws_client_handshake_free(handshake);
  return status;
}

/* Connects to a host and a port. `options` have all but the host. The result has no connection if that
 * fails, and an error if the handshake is the reason; null without memory. */
static inline struct blocking *blocking_open(const char *host, const char *port, ws_client_options *options)
{
  struct blocking *client = (struct blocking *)calloc(1, sizeof *client);
  char authority[300];
  if (client == NULL) return NULL;
  snprintf(authority, sizeof authority, "%s:%s", host, port);
  options->size = sizeof *options;
  options->host = authority;
  client->fd = blocking_dial(host, port);
  if (client->fd >= 0) client->error = blocking_handshake(client, options);
  options->host = NULL;
  return client;
}

/* Waits for the next event: 1, or 0 at the end: then `error` says whether it was a good one. */
static inline int blocking_next(struct blocking *client, ws_event *event)
{
  ws_buffer room;
  if (client->connection == NULL) return 0;
  for (;;) {
    ws_status status = ws_receive(client->connection, &client->in, &client->out, event);
    while (ws_has_due_output(client->connection) == 1) {
      client->out.needed = 2 * WS_REPLY_LEN_MAX;
      if (!blocking_grow(&client->out)) abort();
      ws_flush(client->connection, &client->out);
    }
    if (status == WS_EVENT) return 1;
    if (!blocking_write(client)) client->is_at_end = 1;
    if (status < 0) {
      /* A client leaves the end of the stream to the server (RFC 6455, 7.1.1), but not after a failure (7.1.7). */
      client->error = status;
      shutdown(client->fd, SHUT_WR);
      while (!client->is_at_end && blocking_read(client)) {}
      return 0;
    }
    if (client->is_at_end) {
      client->error = ws_is_clean(client->connection) == 1 ? WS_OK : ws_receive_eof(client->connection);
      return 0;
    }
    if (ws_room(client->connection, &room) == WS_EVENT) {
      /* The rest of a large message is read straight into it. */
      ssize_t len = recv(client->fd, room.data, room.capacity, 0);
      if (len > 0) ws_filled(client->connection, (size_t)len);
      client->is_at_end = len == 0 || (len < 0 && errno != EINTR);
    } else {
      blocking_read(client);
    }
  }
}

/* Sends a message. What has been received so far is answered in the same write. */
static inline ws_status blocking_send(struct blocking *client, uint32_t kind, const void *payload, size_t len)
{
  ws_status status;
  do status = ws_send(client->connection, kind, (const uint8_t *)payload, len, &client->out);
  while (status == WS_ERROR_BUFFER_FULL && blocking_grow(&client->out));
  if (status == WS_OK && !blocking_write(client)) client->is_at_end = 1;
  return status;
}

/* Sends a Close. Events may still come: until `blocking_next` returns 0. */
static inline ws_status blocking_close(struct blocking *client, uint16_t code, const char *reason)
{
  ws_status status;
  do status = ws_close(client->connection, code, (const uint8_t *)reason, strlen(reason), &client->out);
  while (status == WS_ERROR_BUFFER_FULL && blocking_grow(&client->out));
  if (status == WS_OK && !blocking_write(client)) client->is_at_end = 1;
  return status;
}

#endif
