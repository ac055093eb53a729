/*
 * An echo server on epoll, for Linux: one thread, any number of connections, one read buffer.
 *
 *   echo_server [--port PORT] [--deflate]
 *
 * What a read holds is answered in one write. A message that lies whole in the read buffer goes back
 * from where it lies: its payload is unmasked there, and a server's header is shorter than the client's
 * before it. A message that had to be put together goes back from the connection's memory; a large one
 * is read straight into it. Only what the socket does not take is copied, and as long as there is
 * something of that, nothing more is read from that client.
 *
 * A connection that is not open, because its handshake or its end takes time, has five seconds. Pages of
 * other sites are refused (RFC 6455, 10.2). Told `close`, the server closes with 4000.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "wscodec.h"

enum {
  READ_SIZE = 256 * 1024,
  /* A held message above this is written from where it is; below, a copy costs less. */
  COPIED_LEN_MAX = 4096,
  EVENTS_MAX = 256,
  TIME_TO_OPEN_MS = 5000,
  TIME_TO_STOP_MS = 2000
};

/* The longest message that is echoed. */
#define MESSAGE_SIZE_MAX (64u << 20)

enum stage { OPENING, OPEN, ENDING };

struct client {
  int fd;
  enum stage stage;
  ws_server_handshake *handshake; /* while it is opening */
  ws_connection *connection;      /* from then on */
  uint8_t *pending;               /* what the socket did not take */
  size_t pending_len, pending_written;
  int is_compressed;
  int has_failed; /* the socket is of no more use */
  long long deadline_ms;
  struct client *older, *newer; /* among all; those with a deadline come in its order */
};

struct list {
  struct client *oldest, *newest;
};

static struct list limited, unlimited; /* clients with a deadline, and those without */
static int poll_fd, listen_fd;
static int with_deflate;
static unsigned long accepted, opened;
static uint8_t read_memory[READ_SIZE];
static ws_buffer out; /* replies and copied messages; grows */
static volatile sig_atomic_t is_stopping;

/* Frames that lie in the read buffer, to be written between the first `place` bytes of `out` and the
 * rest of it. */
static struct {
  uint8_t *data;
  size_t len, place;
} in_place;

static void fail(const char *what)
{
  perror(what);
  exit(1);
}

static long long now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static struct list *list_of(const struct client *client)
{
  return client->stage == OPEN ? &unlimited : &limited;
}

static void list_remove(struct client *client)
{
  struct list *list = list_of(client);
  *(client->older ? &client->older->newer : &list->oldest) = client->newer;
  *(client->newer ? &client->newer->older : &list->newest) = client->older;
}

static void list_append(struct client *client)
{
  struct list *list = list_of(client);
  client->older = list->newest;
  client->newer = NULL;
  *(list->newest ? &list->newest->newer : &list->oldest) = client;
  list->newest = client;
}

static void enter(struct client *client, enum stage stage)
{
  list_remove(client);
  client->stage = stage;
  client->deadline_ms = now_ms() + TIME_TO_OPEN_MS;
  list_append(client);
}

static void drop(struct client *client)
{
  list_remove(client);
  close(client->fd);
  ws_server_handshake_free(client->handshake);
  ws_connection_free(client->connection);
  free(client->pending);
  free(client);
}

/* Waits for the socket to be readable, or to be writable if something is pending. */
static void wait_for(struct client *client, uint32_t events, int operation)
{
  struct epoll_event event;
  memset(&event, 0, sizeof event);
  event.events = events;
  event.data.ptr = client;
  if (epoll_ctl(poll_fd, operation, client->fd, &event) != 0) fail("epoll_ctl");
}

/* Keeps what the socket has not taken of `parts`. */
static void keep(struct client *client, const struct iovec *parts, int count, size_t written)
{
  size_t len = 0;
  int i;
  for (i = 0; i < count; i++) len += parts[i].iov_len;
  len -= written;
  if (len == 0 || client->has_failed) return;
  {
    uint8_t *grown = realloc(client->pending, client->pending_len + len);
    if (grown == NULL) fail("realloc");
    if (client->pending_len == 0) wait_for(client, EPOLLOUT, EPOLL_CTL_MOD);
    client->pending = grown;
  }
  for (i = 0; i < count; i++) {
    size_t skipped = written < parts[i].iov_len ? written : parts[i].iov_len;
    size_t kept = parts[i].iov_len - skipped;
    if (kept > 0) memcpy(client->pending + client->pending_len, (uint8_t *)parts[i].iov_base + skipped, kept);
    client->pending_len += kept;
    written -= skipped;
  }
}

static int add_part(struct iovec *parts, int count, const uint8_t *data, size_t len)
{
  if (len == 0) return count;
  parts[count].iov_base = (uint8_t *)data;
  parts[count].iov_len = len;
  return count + 1;
}

/* Writes what has been gathered, and behind it a header with a payload, if there is one. */
static void write_out(struct client *client, const ws_head *head, const uint8_t *payload, size_t len)
{
  struct iovec parts[5];
  size_t place = in_place.len ? in_place.place : out.len, total = 0;
  ssize_t written = 0;
  int count = 0, i;
  count = add_part(parts, count, out.data, place);
  count = add_part(parts, count, in_place.data, in_place.len);
  count = add_part(parts, count, out.data + place, out.len - place);
  if (head != NULL) {
    count = add_part(parts, count, head->bytes, head->len);
    count = add_part(parts, count, payload, len);
  }
  for (i = 0; i < count; i++) total += parts[i].iov_len;
  if (total > 0 && client->pending_len == 0 && !client->has_failed) {
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = parts;
    message.msg_iovlen = (size_t)count;
    do written = sendmsg(client->fd, &message, MSG_NOSIGNAL);
    while (written < 0 && errno == EINTR);
    if (written < 0 && errno != EAGAIN) client->has_failed = 1;
    if (written < 0) written = 0;
  }
  keep(client, parts, count, (size_t)written);
  out.len = 0;
  in_place.len = 0;
}

/* Makes room for what a function has needed. */
static void make_room(void)
{
  uint8_t *grown = realloc(out.data, out.len + out.needed);
  if (grown == NULL) fail("realloc");
  out.data = grown;
  out.capacity = out.len + out.needed;
}

static void echo(struct client *client, const ws_event *event)
{
  ws_connection *connection = client->connection;
  ws_head head;
  if (!client->is_compressed && event->is_in_input && (in_place.len == 0 || out.len == in_place.place)) {
    if (ws_send_head(connection, event->kind, event->len, &head) != WS_OK) return; /* it is closing */
    if (in_place.len == 0) {
      in_place.data = (uint8_t *)event->data - head.len;
      in_place.place = out.len;
    } else {
      memmove(in_place.data + in_place.len + head.len, event->data, event->len);
    }
    memcpy(in_place.data + in_place.len, head.bytes, head.len);
    in_place.len += head.len + event->len;
  } else if (!client->is_compressed && event->len > COPIED_LEN_MAX) {
    if (ws_send_head(connection, event->kind, event->len, &head) != WS_OK) return;
    write_out(client, &head, event->data, event->len);
  } else {
    while (ws_send(connection, event->kind, event->data, event->len, &out) == WS_ERROR_BUFFER_FULL)
      make_room();
  }
}

/* Starts the closing handshake, behind all that has been gathered. */
static void begin_close(struct client *client, uint16_t code, const char *reason)
{
  write_out(client, NULL, NULL, 0);
  while (ws_close(client->connection, code, (const uint8_t *)reason, strlen(reason), &out) == WS_ERROR_BUFFER_FULL)
    make_room();
  write_out(client, NULL, NULL, 0);
}

static void end_stream(struct client *client)
{
  if (client->stage == ENDING || client->pending_len > 0) return;
  /* What the peer still sends is read and dropped: closing now would reset the stream, and might take the Close away
   * from it. */
  shutdown(client->fd, SHUT_WR);
  enter(client, ENDING);
}

/* Takes frames. */
static void receive(struct client *client, ws_input *in)
{
  ws_event event;
  ws_status status;
  while ((status = ws_receive(client->connection, in, &out, &event)) == WS_EVENT) {
    if (event.kind == WS_EVENT_KIND_TEXT && event.len == 5 && memcmp(event.data, "close", 5) == 0) {
      begin_close(client, 4000, "as asked");
    } else if (event.kind == WS_EVENT_KIND_TEXT || event.kind == WS_EVENT_KIND_BINARY) {
      echo(client, &event);
    }
  }
  if (ws_has_due_output(client->connection) == 1) {
    out.needed = 2 * WS_REPLY_LEN_MAX;
    make_room();
    ws_flush(client->connection, &out);
  }
  write_out(client, NULL, NULL, 0);
  if (status < 0 || ws_ready_state(client->connection) == WS_STATE_CLOSED) end_stream(client);
}

/* Whether a browser sends the request for a page of another site. */
static int is_foreign(const ws_request *request)
{
  size_t scheme_len = request->origin.len - request->host.len;
  if (request->origin.data == NULL) return 0;
  if (request->origin.len < request->host.len) return 1;
  if (memcmp(request->origin.data + scheme_len, request->host.data, request->host.len) != 0) return 1;
  return !(scheme_len == 7 && memcmp(request->origin.data, "http://", 7) == 0) &&
         !(scheme_len == 8 && memcmp(request->origin.data, "https://", 8) == 0);
}

/* Answers a request that has arrived. */
static void answer(struct client *client, ws_status status)
{
  ws_server_handshake *handshake = client->handshake;
  ws_request request = { 0 };
  request.size = sizeof request;
  if (status > 0) ws_server_handshake_request(handshake, &request);
  if (status == WS_DONE && !is_foreign(&request)) {
    ws_accept_options options = { 0 };
    ws_connection_options limits = { 0 };
    ws_slice offered;
    char subprotocol[64];
    options.size = sizeof options;
    limits.size = sizeof limits;
    limits.message_size_max = limits.frame_size_max = MESSAGE_SIZE_MAX;
    if (ws_server_handshake_subprotocol_at(handshake, 0, &offered) == WS_FOUND && offered.len < sizeof subprotocol) {
      memcpy(subprotocol, offered.data, offered.len);
      subprotocol[offered.len] = 0;
      options.subprotocol = subprotocol;
    }
    while ((status = ws_server_handshake_accept(handshake, &options, &out)) == WS_ERROR_HANDSHAKE_BUFFER_FULL)
      make_room();
    if (status == WS_OK) status = ws_server_handshake_open(handshake, &limits, &client->connection);
    if (status != WS_OK) {
      fprintf(stderr, "accept: %s\n", ws_error_text(status));
      exit(1);
    }
    client->is_compressed = ws_server_handshake_has_deflate(handshake);
    opened++;
    write_out(client, NULL, NULL, 0);
    enter(client, OPEN);
  } else {
    ws_reject_options options = { 0 };
    options.size = sizeof options; /* with all else zero, for what was wrong with the request */
    if (status == WS_DONE) {
      options.status = 403;
    } else if (status == WS_HTTP) {
      int is_health = request.target.len == 7 && memcmp(request.target.data, "/health", 7) == 0;
      options.status = is_health ? 200 : 404;
      options.body = (const uint8_t *)(is_health ? "fine\n" : "not found\n");
      options.body_len = strlen((const char *)options.body);
    }
    while (ws_server_handshake_reject(handshake, &options, &out) == WS_ERROR_HANDSHAKE_BUFFER_FULL) make_room();
    write_out(client, NULL, NULL, 0);
    end_stream(client);
  }
  ws_server_handshake_free(handshake);
  client->handshake = NULL;
}

/* Reads once, and answers what came. */
static void readable(struct client *client)
{
  ws_buffer room;
  ws_input in;
  ssize_t len;
  int is_large = client->stage == OPEN && ws_room(client->connection, &room) == WS_EVENT;
  if (!is_large) room.data = read_memory, room.capacity = sizeof read_memory;
  do len = recv(client->fd, room.data, room.capacity, 0);
  while (len < 0 && errno == EINTR);
  if (len < 0 && errno == EAGAIN) return;
  if (len <= 0 || client->stage == ENDING) {
    if (len <= 0) drop(client);
    return;
  }
  in.data = room.data;
  in.len = (size_t)len;
  if (is_large) {
    ws_filled(client->connection, in.len);
    in.len = 0;
  }
  if (client->stage == OPENING) {
    ws_status status = ws_server_handshake_receive(client->handshake, &in);
    if (status != WS_OK) answer(client, status);
  }
  if (client->stage == OPEN && (in.len > 0 || is_large)) receive(client, &in);
  if (client->has_failed) drop(client);
}

/* Writes what is pending; then reads again. */
static void writable(struct client *client)
{
  size_t len = client->pending_len - client->pending_written;
  ssize_t written = send(client->fd, client->pending + client->pending_written, len, MSG_NOSIGNAL);
  if (written < 0) {
    if (errno != EAGAIN && errno != EINTR) drop(client);
    return;
  }
  client->pending_written += (size_t)written;
  if ((size_t)written < len) return;
  free(client->pending);
  client->pending = NULL;
  client->pending_len = client->pending_written = 0;
  wait_for(client, EPOLLIN, EPOLL_CTL_MOD);
  if (client->connection == NULL || ws_ready_state(client->connection) == WS_STATE_CLOSED) end_stream(client);
}

static void accept_all(void)
{
  for (;;) {
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    struct client *client;
    ws_server_options options = { 0 };
    ws_deflate_options deflate = { 0 };
    if (fd < 0) return; /* all are accepted, or there are too many: the next turn tries again */
    client = calloc(1, sizeof *client);
    if (client == NULL) fail("calloc");
    client->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    options.size = sizeof options;
    deflate.size = sizeof deflate;
    options.allows_http = 1;
    if (with_deflate) options.deflate = &deflate;
    if (ws_server_handshake_new(&options, &client->handshake) != WS_OK) fail("ws_server_handshake_new");
    client->stage = OPENING;
    client->deadline_ms = now_ms() + TIME_TO_OPEN_MS;
    list_append(client);
    wait_for(client, EPOLLIN, EPOLL_CTL_ADD);
    accepted++;
  }
}

static void stop(int signal_number)
{
  (void)signal_number;
  is_stopping = 1;
}

/* Accepts no more, and says goodbye to all. */
static void say_goodbye(void)
{
  struct client *client;
  close(listen_fd);
  for (client = unlimited.oldest; client != NULL; client = client->newer)
    begin_close(client, 1001, "the server shuts down");
}

static void end(void)
{
  while (unlimited.oldest != NULL) drop(unlimited.oldest);
  while (limited.oldest != NULL) drop(limited.oldest);
  free(out.data);
  close(poll_fd);
  printf("accepted %lu, opened %lu\n", accepted, opened);
}

/* Waits for what happens next, for a second at most, and lets it happen. */
static void turn(void)
{
  struct epoll_event events[EVENTS_MAX];
  long long wait = limited.oldest == NULL ? 1000 : limited.oldest->deadline_ms - now_ms();
  int count = epoll_wait(poll_fd, events, EVENTS_MAX, wait < 0 ? 0 : wait > 1000 ? 1000 : (int)wait), i;
  for (i = 0; i < count; i++) {
    struct client *client = events[i].data.ptr;
    if (client == NULL) accept_all();
    else if (client->pending_len > 0) writable(client);
    else readable(client);
  }
  while (limited.oldest != NULL && limited.oldest->deadline_ms <= now_ms()) drop(limited.oldest);
}

static void listen_on(unsigned short port)
{
  struct sockaddr_in address;
  socklen_t len = sizeof address;
  struct epoll_event event;
  int on = 1;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listen_fd < 0) fail("socket");
  setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listen_fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
  if (listen(listen_fd, SOMAXCONN) != 0) fail("listen");
  if (getsockname(listen_fd, (struct sockaddr *)&address, &len) != 0) fail("getsockname");
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (poll_fd < 0) fail("epoll_create1");
  memset(&event, 0, sizeof event);
  event.events = EPOLLIN;
  if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, listen_fd, &event) != 0) fail("epoll_ctl");
  printf("listening on ws://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
}

static int usage(void)
{
  fprintf(stderr, "usage: echo_server [--port PORT] [--deflate]\n");
  return 2;
}

int main(int argc, char **argv)
{
  struct sigaction action;
  long long stop_ms;
  long port = 9001;
  int i;
  for (i = 1; i < argc; i++) {
    char *rest = NULL;
    if (strcmp(argv[i], "--deflate") == 0) with_deflate = 1;
    else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) port = strtol(argv[++i], &rest, 10);
    else return usage();
    if (rest != NULL && (*rest != 0 || port < 0 || port > 65535)) return usage();
  }
  if (ws_version() >> 8 != WS_VERSION >> 8) {
    fprintf(stderr, "echo_server: made for wscodec %d.%d, found %s\n", WS_VERSION_MAJOR, WS_VERSION_MINOR,
            ws_version_string());
    return 1;
  }
  memset(&action, 0, sizeof action);
  action.sa_handler = stop;
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  listen_on((unsigned short)port);
  out.needed = READ_SIZE;
  make_room();
  while (!is_stopping) turn();
  say_goodbye();
  stop_ms = now_ms() + TIME_TO_STOP_MS;
  while ((unlimited.oldest != NULL || limited.oldest != NULL) && now_ms() < stop_ms) turn();
  end();
  return 0;
}
