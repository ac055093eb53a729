/*
 * wscodec.hpp from C++17: both sides joined in memory. A check that does not hold ends the program.
 */
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "wscodec.hpp"

static unsigned long checks;

#define CHECK(holds) check((holds), #holds, __LINE__)

static void check(bool holds, const char *what, int line)
{
  checks++;
  if (holds) return;
  std::fprintf(stderr, "battery.cpp:%d: does not hold: %s\n", line, what);
  std::exit(1);
}

/* Bytes as they were read: a copy that may be changed. */
struct Read {
  explicit Read(wscodec::Output &out) : bytes(out.view()), in(&bytes[0], bytes.size()) { out.clear(); }
  std::string bytes;
  wscodec::Input in;
};

static void open(wscodec::Connection &client, wscodec::Connection &server, bool with_deflate)
{
  auto deflate = wscodec::options<ws_deflate_options>();
  auto asks = wscodec::options<ws_client_options>();
  asks.host = "example.com";
  auto takes = wscodec::options<ws_server_options>();
  if (with_deflate) asks.deflate = takes.deflate = &deflate;
  wscodec::Output to_server, to_client;
  wscodec::ClientHandshake asking;
  CHECK(!asking);
  asking.start(asks, to_server).check();
  wscodec::ServerHandshake answering(takes);
  CHECK(answering.error() == WS_OK);
  Read request(to_server);
  CHECK(answering.receive(request.in) == WS_DONE);
  ws_request asked{};
  CHECK(answering.request(asked) == WS_DONE);
  CHECK(wscodec::view(asked.path) == "/");
  CHECK(wscodec::view(answering.header("host")) == "example.com");
  CHECK(answering.header("x-none").data == nullptr && answering.subprotocol(0).empty());
  CHECK(answering.open(server) == WS_ERROR_STATE && !server);
  answering.accept(to_client).check();
  answering.open(server).check();
  Read response(to_client);
  CHECK(asking.receive(response.in) == WS_DONE);
  CHECK(asking.status() == 101 && asking.subprotocol().empty());
  CHECK(asking.has_deflate() == with_deflate && answering.has_deflate() == with_deflate);
  asking.open(client).check();
}

static void talk(bool with_deflate)
{
  wscodec::Connection client, server;
  open(client, server, with_deflate);
  CHECK(client && client.is_open() && !client.is_clean());
  wscodec::Connection moved = std::move(client);
  CHECK(!client && moved.is_open());
  wscodec::Output out, back;
  std::string text(100000, 'x');
  moved.send(wscodec::text(text), out).check();
  moved.send(wscodec::ping("are you there?"), out).check();
  moved.send_fragment(wscodec::binary("01"), false, out).check();
  moved.send_fragment(wscodec::binary("23"), true, out).check();
  moved.send_uncompressed(wscodec::text(text), out).check();
  moved.send_fragmented(wscodec::binary(text), 1000, out).check();
  CHECK(out.size() > text.size());
  Read read(out);
  ws_event event;
  int events = 0;
  while (server.receive(read.in, back, event) == WS_EVENT) {
    events++;
    if (event.kind == WS_EVENT_KIND_TEXT) CHECK(wscodec::view(event) == text);
    if (event.kind == WS_EVENT_KIND_BINARY) server.send(wscodec::binary(event), back).check();
  }
  CHECK(events == 5 && server.buffered() < 1000000);
  wscodec::Prepared prepared;
  CHECK(prepared.prepare(wscodec::ping(std::string(126, 'x'))) == WS_ERROR_SEND_CONTROL_TOO_LONG && !prepared);
  prepared.prepare(wscodec::text("to all")).check();
  CHECK(prepared.frame_len() == 8);
  wscodec::Frame frame;
  server.frame(prepared, frame).check();
  CHECK(frame && frame.view().size() == 8);
  server.send(prepared, back).check();
  server.close(back, 1001, "bye").check();
  CHECK(server.send(wscodec::text("late"), back) == WS_ERROR_NOT_OPEN);
  CHECK(wscodec::last_error_text() == "connection is not open: nothing may be sent any more");
  Read answer(back);
  events = 0;
  while (moved.receive(answer.in, out, event) == WS_EVENT) events++;
  CHECK(events == 5 && event.close_code == 1001 && wscodec::view(event) == "bye");
  CHECK(moved.is_clean() && moved.state() == WS_STATE_CLOSED && moved.error() == WS_OK);
  Read close(out);
  CHECK(server.receive(close.in, back, event) == WS_EVENT && server.receive_eof() == WS_OK);
}

static void outputs()
{
  wscodec::Output out(4);
  wscodec::Connection server;
  server.open(WS_ROLE_SERVER).check();
  server.send(wscodec::text("Hello"), out).check();
  CHECK(out.view() == "\x81\x05Hello");
  out.consume(2);
  CHECK(out.view() == "Hello");
  server.send(wscodec::text(std::string(50, '-')), out).check();
  CHECK(out.size() == 57 && out.view().substr(0, 5) == "Hello");
  wscodec::Output moved = std::move(out);
  CHECK(out.empty() && moved.size() == 57);
  out = std::move(moved);
  out.consume(100);
  CHECK(out.empty() && moved.empty());
}

static void errors()
{
  wscodec::Connection none;
  CHECK(none.state() == WS_ERROR_NULL_POINTER && !none.is_open());
  ws_server_options forgotten{};
  wscodec::ServerHandshake wrong(forgotten);
  CHECK(!wrong && wrong.error() == WS_ERROR_OPTIONS_SIZE);
#if defined(__cpp_exceptions)
  try {
    wrong.error().check();
    CHECK(false);
  } catch (const wscodec::Error &error) {
    CHECK(error.code() == WS_ERROR_OPTIONS_SIZE);
  }
#endif
  CHECK(std::string(wrong.error().name()) == "options_size");
}

/* Halves, whose replies go from one to the other. */
static void halves()
{
  wscodec::Connection server, client;
  wscodec::Receiver receiver;
  wscodec::Output out, back;
  server.open(WS_ROLE_SERVER).check();
  client.open(WS_ROLE_CLIENT).check();
  server.split(receiver).check();
  CHECK(receiver && server.split(receiver) == WS_ERROR_STATE);
  client.send(wscodec::ping("there?"), out).check();
  client.send(wscodec::text("split"), out).check();
  Read read(out);
  ws_event event;
  CHECK(receiver.receive(read.in, event) == WS_EVENT && event.kind == WS_EVENT_KIND_PING);
  wscodec::Reply reply = receiver.take_reply();
  CHECK(reply && !receiver.take_reply());
  server.send(std::move(reply), back);
  CHECK(back.view() == "\x8a\x06there?");
  CHECK(receiver.receive(read.in, event) == WS_EVENT && wscodec::view(event) == "split");
  CHECK(receiver.receive(read.in, event) == WS_OK && !receiver.is_done() && receiver.error() == WS_OK);
  server.reunite(receiver).check();
  CHECK(!receiver && server.receive(read.in, back, event) == WS_OK);
}

int main()
{
  talk(false);
  talk(true);
  outputs();
  halves();
  errors();
  std::printf("ok: %lu checks\n", checks);
  return 0;
}
