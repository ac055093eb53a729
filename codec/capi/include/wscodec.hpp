/*
 * wscodec for C++17: owners for the handles of wscodec.h, and an output that grows.
 *
 * Everything is in this header; a program links the same library as one in C. wscodec.h says what the
 * functions do: what is here adds ownership and types, and changes nothing. Handles are moved, not
 * copied, and freed by their destructors.
 *
 * Functions return a Status and throw nothing, so the header serves programs without exceptions, too;
 * `status.check()` throws an Error where there are exceptions. Memory that can't be had is std::bad_alloc.
 *
 *   wscodec::ServerHandshake handshake;
 *   wscodec::Connection connection;
 *   wscodec::Output out;
 *   wscodec::Input in(memory, size_read);
 *   if (handshake.receive(in) == WS_DONE) {
 *     handshake.accept(out).check();
 *     handshake.open(connection).check();
 *   }
 *   ws_event event;
 *   while (connection.receive(in, out, event) == WS_EVENT)
 *     if (event.kind == WS_EVENT_KIND_TEXT) connection.send(wscodec::text(event), out).check();
 */
#ifndef WSCODEC_HPP
#define WSCODEC_HPP

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#if defined(__cpp_exceptions)
#include <stdexcept>
#endif

#include "wscodec.h"

namespace wscodec {

#if defined(__cpp_exceptions)
/* A ws_error as an exception. */
class Error : public std::runtime_error {
public:
  explicit Error(ws_status code) : std::runtime_error(ws_error_text(code)), code_(code) {}
  ws_status code() const noexcept { return code_; }

private:
  ws_status code_;
};
#endif

/* What a call came to. It compares with the constants of wscodec.h. */
class [[nodiscard]] Status {
public:
  constexpr Status(ws_status code) noexcept : code_(code) {}
  constexpr operator ws_status() const noexcept { return code_; }
  constexpr bool is_error() const noexcept { return code_ < 0; }
  const char *name() const noexcept { return ws_error_name(code_); }
  const char *text() const noexcept { return ws_error_text(code_); }
#if defined(__cpp_exceptions)
  /* Throws an Error if this is one. */
  ws_status check() const
  {
    if (is_error()) throw Error(code_);
    return code_;
  }
#endif

private:
  ws_status code_;
};

/* What the last error of this thread was, with its values. */
inline std::string last_error_text()
{
  char text[256];
  std::size_t len = ws_last_error_text(text, sizeof text);
  return std::string(text, len < sizeof text ? len : sizeof text - 1);
}

/* The text of a slice; empty for nothing. */
inline std::string_view view(ws_slice slice) noexcept
{
  return slice.data == nullptr ? std::string_view() : std::string_view(slice.data, slice.len);
}

/* The payload of an event. */
inline std::string_view view(const ws_event &event) noexcept
{
  return std::string_view(reinterpret_cast<const char *>(event.data), event.len);
}

/* Options with their size set and all else zero. */
template <typename Options> constexpr Options options() noexcept
{
  Options zero{};
  zero.size = sizeof(Options);
  return zero;
}

/* Bytes that were read: the caller's, who keeps them. */
class Input : public ws_input {
public:
  Input() noexcept : ws_input{nullptr, 0} {}
  Input(void *data, std::size_t len) noexcept : ws_input{static_cast<std::uint8_t *>(data), len} {}
};

/* Bytes to be written to the socket. It grows as it has to, and never writes to memory twice. */
class Output {
public:
  Output() = default;
  explicit Output(std::size_t capacity) { reserve(capacity); }
  Output(Output &&other) noexcept : memory_(std::move(other.memory_)), buffer_(other.buffer_), taken_(other.taken_)
  {
    other.buffer_ = ws_buffer{nullptr, 0, 0, 0};
    other.taken_ = 0;
  }
  Output &operator=(Output &&other) noexcept
  {
    memory_ = std::move(other.memory_);
    buffer_ = std::exchange(other.buffer_, ws_buffer{nullptr, 0, 0, 0});
    taken_ = std::exchange(other.taken_, 0);
    return *this;
  }

  /* What is to be written. */
  const std::uint8_t *data() const noexcept { return buffer_.data + taken_; }
  std::size_t size() const noexcept { return buffer_.len - taken_; }
  bool empty() const noexcept { return size() == 0; }
  std::string_view view() const noexcept { return {reinterpret_cast<const char *>(data()), size()}; }

  /* Drops the first `len` bytes: they are written. */
  void consume(std::size_t len) noexcept
  {
    taken_ += len < size() ? len : size();
    if (empty()) clear();
  }
  void clear() noexcept { buffer_.len = taken_ = 0; }

  /* Makes room for `len` more bytes. */
  void reserve(std::size_t len)
  {
    if (buffer_.capacity - buffer_.len >= len) return;
    std::size_t used = size(), doubled = 2 * buffer_.capacity;
    std::size_t capacity = used + len > doubled ? used + len : doubled;
    std::unique_ptr<std::uint8_t[]> grown(new std::uint8_t[capacity]); // not initialised
    if (used > 0) std::memcpy(grown.get(), data(), used);
    memory_ = std::move(grown);
    buffer_ = ws_buffer{memory_.get(), capacity, used, 0};
    taken_ = 0;
  }

  /* The same for C, to append to. */
  ws_buffer *raw() noexcept { return &buffer_; }

  /* Calls `call` with the buffer, and again with more room while it has too little. */
  template <typename Call> Status with_room(Call call)
  {
    for (;;) {
      ws_status status = call(&buffer_);
      if (status != WS_ERROR_BUFFER_FULL && status != WS_ERROR_HANDSHAKE_BUFFER_FULL) return status;
      reserve(buffer_.needed);
    }
  }

private:
  std::unique_ptr<std::uint8_t[]> memory_;
  ws_buffer buffer_{nullptr, 0, 0, 0};
  std::size_t taken_ = 0;
};

/* A message to send: see text, binary, ping and pong. */
struct Message {
  ws_kind kind;
  const std::uint8_t *data;
  std::size_t len;
};

inline Message message(ws_kind kind, std::string_view payload) noexcept
{
  return {kind, reinterpret_cast<const std::uint8_t *>(payload.data()), payload.size()};
}
inline Message text(std::string_view payload) noexcept { return message(WS_KIND_TEXT, payload); }
inline Message binary(std::string_view payload) noexcept { return message(WS_KIND_BINARY, payload); }
inline Message binary(const void *data, std::size_t len) noexcept
{
  return {WS_KIND_BINARY, static_cast<const std::uint8_t *>(data), len};
}
inline Message ping(std::string_view payload = {}) noexcept { return message(WS_KIND_PING, payload); }
inline Message pong(std::string_view payload = {}) noexcept { return message(WS_KIND_PONG, payload); }
/* The messages of events, to be sent back. */
inline Message text(const ws_event &event) noexcept { return {WS_KIND_TEXT, event.data, event.len}; }
inline Message binary(const ws_event &event) noexcept { return {WS_KIND_BINARY, event.data, event.len}; }

namespace detail {
template <typename Handle, void (*Free)(Handle *)> struct Deleter {
  void operator()(Handle *handle) const noexcept { Free(handle); }
};
template <typename Handle, void (*Free)(Handle *)> using Owner = std::unique_ptr<Handle, Deleter<Handle, Free>>;
} // namespace detail

/* A frame of a prepared message, shared by connections. */
class Frame {
public:
  std::string_view view() const noexcept { return wscodec::view(ws_frame_bytes(handle_.get())); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  void reset(ws_frame *handle = nullptr) noexcept { handle_.reset(handle); }

private:
  detail::Owner<ws_frame, ws_frame_free> handle_;
};

/* A message that is encoded once and sent to many. */
class Prepared {
public:
  Status prepare(const Message &message)
  {
    ws_prepared *made = nullptr;
    ws_status status = ws_prepared_new(message.kind, message.data, message.len, &made);
    if (status == WS_OK) handle_.reset(made);
    return status;
  }
  std::size_t frame_len() const noexcept { return ws_prepared_frame_len(handle_.get()); }
  const ws_prepared *raw() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
  detail::Owner<ws_prepared, ws_prepared_free> handle_;
};

/* What a receiving half has to tell the sending half; moved to the thread that sends. */
class Reply {
public:
  Reply() = default;
  explicit Reply(ws_reply *handle) noexcept : handle_(handle) {}
  ws_reply *release() noexcept { return handle_.release(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
  detail::Owner<ws_reply, ws_reply_free> handle_;
};

/* The receiving half of a connection that has been split, for a thread of its own. */
class Receiver {
public:
  Receiver() = default;

  /* The next event. Take the replies after each call. */
  Status receive(ws_input &in, ws_event &event) { return ws_receiver_receive(handle_.get(), &in, &event); }
  Status receive_eof() { return ws_receiver_receive_eof(handle_.get()); }
  /* The next reply for the sending half; empty if there is none. */
  Reply take_reply()
  {
    ws_reply *taken = nullptr;
    ws_receiver_take_reply(handle_.get(), &taken);
    return Reply(taken);
  }
  Status room(ws_buffer &room) { return ws_receiver_room(handle_.get(), &room); }
  Status filled(std::size_t len) { return ws_receiver_filled(handle_.get(), len); }
  bool is_done() const noexcept { return ws_receiver_is_done(handle_.get()) == 1; }
  Status error() const noexcept { return ws_receiver_error(handle_.get()); }
  std::size_t buffered() const noexcept { return ws_receiver_buffered(handle_.get()); }

  void reset(ws_receiver *handle = nullptr) noexcept { handle_.reset(handle); }
  ws_receiver *raw() const noexcept { return handle_.get(); }
  ws_receiver *release() noexcept { return handle_.release(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
  detail::Owner<ws_receiver, ws_receiver_free> handle_;
};

/* One side of an open connection; empty until it is opened. */
class Connection {
public:
  Connection() = default;

  /* Opens one whose handshake another library has done. */
  Status open(ws_role role, const ws_connection_options *options = nullptr)
  {
    ws_connection *made = nullptr;
    ws_status status = ws_connection_new(role, options, &made);
    if (status == WS_OK) handle_.reset(made);
    return status;
  }

  /* The next event. Replies that find no room in `out` make it grow. */
  Status receive(ws_input &in, Output &out, ws_event &event)
  {
    ws_status status = ws_receive(handle_.get(), &in, out.raw(), &event);
    if (ws_has_due_output(handle_.get()) == 1) flush(out);
    return status;
  }
  Status receive_eof() { return ws_receive_eof(handle_.get()); }
  /* Splits the receiving half off: this is the sending half from then on. */
  Status split(Receiver &receiver)
  {
    ws_receiver *made = nullptr;
    ws_status status = ws_connection_split(handle_.get(), &made);
    if (status == WS_OK) receiver.reset(made);
    return status;
  }
  /* Sends a reply of the receiving half. */
  void send(Reply reply, Output &out)
  {
    out.reserve(2 * WS_REPLY_LEN_MAX);
    ws_reply *handle = reply.release();
    if (ws_send_reply(handle_.get(), handle, out.raw()) < 0) ws_reply_free(handle);
  }
  /* Joins the halves again, and empties `receiver`. */
  Status reunite(Receiver &receiver)
  {
    ws_status status = ws_receiver_reunite(receiver.raw(), handle_.get());
    if (status == WS_OK) static_cast<void>(receiver.release());
    return status;
  }
  Status room(ws_buffer &room) { return ws_room(handle_.get(), &room); }
  Status filled(std::size_t len) { return ws_filled(handle_.get(), len); }

  Status send(const Message &message, Output &out)
  {
    return out.with_room([&](ws_buffer *buffer) {
      return ws_send(handle_.get(), message.kind, message.data, message.len, buffer);
    });
  }
  Status send_uncompressed(const Message &message, Output &out)
  {
    return out.with_room([&](ws_buffer *buffer) {
      return ws_send_uncompressed(handle_.get(), message.kind, message.data, message.len, buffer);
    });
  }
  Status send_fragment(const Message &piece, bool is_final, Output &out)
  {
    return out.with_room([&](ws_buffer *buffer) {
      return ws_send_fragment(handle_.get(), piece.kind, piece.data, piece.len, is_final ? 1 : 0, buffer);
    });
  }
  Status send_fragmented(const Message &message, std::size_t fragment_size_max, Output &out)
  {
    return out.with_room([&](ws_buffer *buffer) {
      return ws_send_fragmented(handle_.get(), message.kind, message.data, message.len, fragment_size_max, buffer);
    });
  }
  Status send(const Prepared &prepared, Output &out)
  {
    return out.with_room(
        [&](ws_buffer *buffer) { return ws_send_prepared(handle_.get(), prepared.raw(), buffer); });
  }
  /* The frame of a prepared message, to be written behind `out`. */
  Status frame(const Prepared &prepared, Frame &frame)
  {
    ws_frame *made = nullptr;
    ws_status status = ws_prepared_frame(handle_.get(), prepared.raw(), &made);
    if (status == WS_OK) frame.reset(made);
    return status;
  }
  Status send_head(ws_kind kind, std::uint64_t payload_len, ws_head &head)
  {
    return ws_send_head(handle_.get(), kind, payload_len, &head);
  }
  Status close(Output &out, std::uint16_t code = 1000, std::string_view reason = {})
  {
    return out.with_room([&](ws_buffer *buffer) {
      return ws_close(handle_.get(), code, reinterpret_cast<const std::uint8_t *>(reason.data()), reason.size(),
                      buffer);
    });
  }
  void flush(Output &out)
  {
    if (ws_has_due_output(handle_.get()) != 1) return;
    out.reserve(2 * WS_REPLY_LEN_MAX);
    ws_flush(handle_.get(), out.raw());
  }

  Status state() const noexcept { return ws_ready_state(handle_.get()); }
  bool is_open() const noexcept { return ws_ready_state(handle_.get()) == WS_STATE_OPEN; }
  bool is_clean() const noexcept { return ws_is_clean(handle_.get()) == 1; }
  Status error() const noexcept { return ws_connection_error(handle_.get()); }
  std::size_t buffered() const noexcept { return ws_buffered(handle_.get()); }

  void reset(ws_connection *handle = nullptr) noexcept { handle_.reset(handle); }
  ws_connection *raw() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
  detail::Owner<ws_connection, ws_connection_free> handle_;
};

/* A client's connection until it is open. */
class ClientHandshake {
public:
  Status start(const ws_client_options &options, Output &out)
  {
    ws_client_handshake *made = nullptr;
    Status status = out.with_room(
        [&](ws_buffer *buffer) { return ws_client_handshake_start(&options, buffer, &made); });
    if (status == WS_OK) handle_.reset(made);
    return status;
  }
  Status receive(ws_input &in) { return ws_client_handshake_receive(handle_.get(), &in); }
  Status receive_eof() { return ws_client_handshake_receive_eof(handle_.get()); }
  Status status() const noexcept { return ws_client_handshake_status(handle_.get()); }
  /* The value of a header; its `data` is null if there is none. */
  ws_slice header(const char *name) const noexcept
  {
    ws_slice value{nullptr, 0};
    ws_client_handshake_header(handle_.get(), name, &value);
    return value;
  }
  std::string_view subprotocol() const noexcept
  {
    ws_slice value{nullptr, 0};
    ws_client_handshake_subprotocol(handle_.get(), &value);
    return view(value);
  }
  bool has_deflate() const noexcept { return ws_client_handshake_has_deflate(handle_.get()) == 1; }
  Status open(Connection &connection, const ws_connection_options *options = nullptr)
  {
    ws_connection *made = nullptr;
    ws_status status = ws_client_handshake_open(handle_.get(), options, &made);
    if (status == WS_OK) connection.reset(made);
    return status;
  }
  ws_client_handshake *raw() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
  detail::Owner<ws_client_handshake, ws_client_handshake_free> handle_;
};

/* A server's connection until it is open. */
class ServerHandshake {
public:
  ServerHandshake() { static_cast<void>(start(nullptr)); }
  explicit ServerHandshake(const ws_server_options &options) { static_cast<void>(start(&options)); }

  /* Why there is no handshake: the options were wrong. */
  Status error() const noexcept { return error_; }
  Status receive(ws_input &in) { return ws_server_handshake_receive(handle_.get(), &in); }
  Status receive_eof() { return ws_server_handshake_receive_eof(handle_.get()); }
  Status request(ws_request &request)
  {
    request.size = sizeof request;
    return ws_server_handshake_request(handle_.get(), &request);
  }
  /* The value of a header; its `data` is null if there is none. */
  ws_slice header(const char *name) const noexcept
  {
    ws_slice value{nullptr, 0};
    ws_server_handshake_header(handle_.get(), name, &value);
    return value;
  }
  /* The subprotocol that the client offers at `index`; empty if `index` is past the last one. */
  std::string_view subprotocol(std::size_t index) const noexcept
  {
    ws_slice value{nullptr, 0};
    ws_server_handshake_subprotocol_at(handle_.get(), index, &value);
    return view(value);
  }
  Status accept(Output &out, const ws_accept_options *options = nullptr)
  {
    return out.with_room(
        [&](ws_buffer *buffer) { return ws_server_handshake_accept(handle_.get(), options, buffer); });
  }
  Status reject(Output &out, const ws_reject_options *options = nullptr)
  {
    return out.with_room(
        [&](ws_buffer *buffer) { return ws_server_handshake_reject(handle_.get(), options, buffer); });
  }
  bool has_deflate() const noexcept { return ws_server_handshake_has_deflate(handle_.get()) == 1; }
  Status open(Connection &connection, const ws_connection_options *options = nullptr)
  {
    ws_connection *made = nullptr;
    ws_status status = ws_server_handshake_open(handle_.get(), options, &made);
    if (status == WS_OK) connection.reset(made);
    return status;
  }
  ws_server_handshake *raw() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

private:
  ws_status start(const ws_server_options *options)
  {
    ws_server_handshake *made = nullptr;
    error_ = ws_server_handshake_new(options, &made);
    if (error_ == WS_OK) handle_.reset(made);
    return error_;
  }

  detail::Owner<ws_server_handshake, ws_server_handshake_free> handle_;
  ws_status error_ = WS_OK;
};

} // namespace wscodec

#endif
