/*
 * wscodec: a WebSocket codec without I/O (RFC 6455, RFC 7692). Bytes in, messages out.
 *
 * The library owns no socket, clock or thread, and no buffer that the program did not pass in. The
 * program reads and writes; the library turns what was read into events, and messages into what is
 * to be written. It fits any loop: blocking, poll, epoll, io_uring, that of a game or a database.
 *
 *
 * A server, in short (error handling is left out; examples/ has whole programs):
 *
 *   ws_server_handshake *handshake;
 *   ws_connection *connection;
 *   ws_event event;
 *   uint8_t read_memory[65536], write_memory[65536];
 *   ws_buffer out = { write_memory, sizeof write_memory, 0, 0 };
 *   ws_input in = { read_memory, 0 };
 *
 *   ws_server_handshake_new(NULL, &handshake);
 *   do {                                             // a request may come in several reads
 *     if (in.len == 0) in = (ws_input) { read_memory, recv(s, read_memory, sizeof read_memory, 0) };
 *   } while (ws_server_handshake_receive(handshake, &in) == WS_OK);
 *   ws_server_handshake_accept(handshake, NULL, &out);
 *   ws_server_handshake_open(handshake, NULL, &connection);
 *   ws_server_handshake_free(handshake);
 *
 *   do {                                             // what is left in `in` are the first frames
 *     while (ws_receive(connection, &in, &out, &event) == WS_EVENT)
 *       if (event.kind == WS_EVENT_KIND_TEXT)        // Pings and Closes are answered already
 *         ws_send(connection, WS_KIND_TEXT, event.data, event.len, &out);
 *     send(s, out.data, out.len, 0);
 *     out.len = 0;
 *     if (ws_ready_state(connection) == WS_STATE_CLOSED) break;
 *     in = (ws_input) { read_memory, recv(s, read_memory, sizeof read_memory, 0) };
 *   } while (in.len > 0);
 *   ws_receive_eof(connection);
 *   ws_connection_free(connection);
 *
 * A client is the same with ws_client_handshake_start, which writes the request,
 * ws_client_handshake_receive and ws_client_handshake_open.
 *
 *
 * Rules
 *
 * - Results. Functions return a ws_status: 0 or more is success, less is a ws_error. After an error of
 *   a call (-1 to -99, -200 to -299, -400 to -499) nothing has changed, but that due replies may have
 *   been written, and the call may be made again; after one of the peer (-100 to -199, -300 to -399)
 *   the connection or the handshake has failed for good. ws_last_error_text has the values.
 * - Memory. The program's memory is only used during a call. Input is changed: payloads are unmasked in
 *   it. Output memory may be uninitialised. Input, payload and the room of the output must not overlap;
 *   output may go to that part of the input that is taken already.
 * - Lifetimes. What an event or a slice points to is valid until the next call with the same handle
 *   that is not only a question, and no longer than the program leaves its own input alone.
 * - Handles. Each is freed by the function that ends in _free, once; null is allowed there. To use one
 *   that has been freed is undefined, as it is for malloc. Different handles may be used by different
 *   threads at the same time, and one by different threads in turn. ws_connection_split makes two
 *   of a connection, for a thread that receives and one that sends.
 * - Room. A call that finds too little room in the output writes nothing of its own, returns
 *   WS_ERROR_BUFFER_FULL (of a handshake: WS_ERROR_HANDSHAKE_BUFFER_FULL) and sets `needed`: make room,
 *   and call again. ws_send_room tells beforehand what is enough. Replies are different: they stay
 *   due, and go out with the next call that has room.
 * - Options. Structs of options begin with their size: set it to sizeof the struct, and what does not
 *   matter to zero, which is each field's default. A program goes on to work with a newer library.
 * - Time. The library has no clock. Bound the time of a handshake from the connection's start, the time
 *   that a client waits for the end of TCP after the closing handshake, and that between Ping and Pong.
 * - Failures. No panic, exception or longjmp leaves the library. Without memory it calls abort().
 * - Compression (permessage-deflate) is used where both sides have it in their options.
 *
 * This file is made from the library's source: see cbindgen.toml.
 */

#ifndef WSCODEC_H
#define WSCODEC_H

#include <stddef.h>
#include <stdint.h>
/* The version of this header; ws_version returns the library's. */
#define WS_VERSION_MAJOR 0
#define WS_VERSION_MINOR 1
#define WS_VERSION_PATCH 0
#define WS_VERSION ((WS_VERSION_MAJOR << 16) | (WS_VERSION_MINOR << 8) | WS_VERSION_PATCH)

/**
 * The server forgets its earlier messages: `server_no_context_takeover` (RFC 7692, 7.1.1.1).
 */
#define WS_DEFLATE_SERVER_NO_CONTEXT 1

/**
 * The client forgets its earlier messages: `client_no_context_takeover` (RFC 7692, 7.1.1.2).
 */
#define WS_DEFLATE_CLIENT_NO_CONTEXT 2

/**
 * The longest Pong or Close that a connection writes, in bytes: room that is always enough for
 * one reply.
 */
#define WS_REPLY_LEN_MAX 131

/**
 * The close code of an empty Close, which is never sent (RFC 6455, 7.1.5).
 */
#define WS_CLOSE_NO_STATUS 1005

/**
 * Why a call failed. Numbers never change their meaning; new ones may be added.
 *
 * -1 to -99: a call that C should not have made. -100 to -199: the peer broke the protocol or a
 * limit, and the connection has failed for good. -200 to -299: something was not sent, and the
 * connection continues. -300 to -399: the opening handshake failed. -400 to -499: something was
 * not written into a handshake, and the handshake continues.
 */
enum ws_error
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * A pointer that must not be null is null. Nothing was done.
   */
  WS_ERROR_NULL_POINTER = -1,
  /**
   * An argument is out of range: an unknown constant, a length that memory can't have, `len`
   * above `capacity`, a seed or a level that does not exist. Nothing was done.
   */
  WS_ERROR_ARGUMENT = -2,
  /**
   * The `size` of a struct is 0, or the struct is newer than this library and uses a field
   * that this library does not know. Nothing was done.
   */
  WS_ERROR_OPTIONS_SIZE = -3,
  /**
   * The room of an output buffer overlaps with the input or the payload. Nothing was done.
   */
  WS_ERROR_OVERLAP = -4,
  /**
   * A text that is to be sent is not UTF-8. Nothing was done.
   */
  WS_ERROR_UTF8_ARGUMENT = -5,
  /**
   * A close code that may not be sent: use 1000-1003, 1007-1014 or 3000-4999 (RFC 6455, 7.4).
   */
  WS_ERROR_CLOSE_CODE_ARGUMENT = -6,
  /**
   * The call does not fit the state of the handle: a connection is opened before its handshake
   * is done or a second time, or bytes are reported that no room was lent for. Nothing was
   * done.
   */
  WS_ERROR_STATE = -7,
  /**
   * The library has failed: a bug, or the operating system gave no entropy for masking keys.
   * The handle can only be freed.
   */
  WS_ERROR_PANICKED = -8,
  /**
   * A reserved bit is set without an extension (RFC 6455, 5.2).
   */
  WS_ERROR_RESERVED_BITS = -101,
  /**
   * Opcode 3-7 or 11-15.
   */
  WS_ERROR_RESERVED_OPCODE = -102,
  /**
   * A control frame without FIN (RFC 6455, 5.5).
   */
  WS_ERROR_CONTROL_FRAGMENTED = -103,
  /**
   * A control frame of more than 125 bytes (RFC 6455, 5.5).
   */
  WS_ERROR_CONTROL_TOO_LONG = -104,
  /**
   * A client sent an unmasked frame (RFC 6455, 5.1).
   */
  WS_ERROR_MASK_REQUIRED = -105,
  /**
   * A server sent a masked frame (RFC 6455, 5.1).
   */
  WS_ERROR_MASK_FORBIDDEN = -106,
  /**
   * A length in a longer form than needed (RFC 6455, 5.2).
   */
  WS_ERROR_LENGTH_NOT_MINIMAL = -107,
  /**
   * A 64-bit length with its most significant bit set (RFC 6455, 5.2).
   */
  WS_ERROR_LENGTH_MSB = -108,
  /**
   * A frame longer than `frame_size_max`.
   */
  WS_ERROR_FRAME_TOO_BIG = -109,
  /**
   * A continuation frame with no message open (RFC 6455, 5.4).
   */
  WS_ERROR_UNEXPECTED_CONTINUATION = -120,
  /**
   * A text or binary frame while another message is open (RFC 6455, 5.4).
   */
  WS_ERROR_EXPECTED_CONTINUATION = -121,
  /**
   * A message longer than `message_size_max`.
   */
  WS_ERROR_MESSAGE_TOO_BIG = -122,
  /**
   * A compressed message longer than any encoding of `message_size_max` bytes.
   */
  WS_ERROR_COMPRESSED_TOO_BIG = -123,
  /**
   * A message of more frames than `fragments_max`.
   */
  WS_ERROR_TOO_MANY_FRAGMENTS = -124,
  /**
   * A text message, or a close reason, that is not UTF-8 (RFC 6455, 8.1).
   */
  WS_ERROR_UTF8 = -130,
  /**
   * A compressed message breaks its format (RFC 7692).
   */
  WS_ERROR_INFLATE_CORRUPT = -131,
  /**
   * A compressed message ends within its data (RFC 7692).
   */
  WS_ERROR_INFLATE_TRUNCATED = -132,
  /**
   * A Close frame with one byte of payload (RFC 6455, 5.5.1).
   */
  WS_ERROR_CLOSE_PAYLOAD = -140,
  /**
   * The peer sent a close code that is not allowed on the wire (RFC 6455, 7.4).
   */
  WS_ERROR_CLOSE_CODE = -141,
  /**
   * The stream ended without a closing handshake, which other APIs report as 1006.
   */
  WS_ERROR_UNEXPECTED_EOF = -150,
  /**
   * A Close has been sent or the connection has failed: nothing may follow (RFC 6455, 5.5.1).
   */
  WS_ERROR_NOT_OPEN = -201,
  /**
   * A Ping or Pong of more than 125 bytes (RFC 6455, 5.5).
   */
  WS_ERROR_SEND_CONTROL_TOO_LONG = -202,
  /**
   * A close reason of more than 123 bytes (RFC 6455, 5.5).
   */
  WS_ERROR_REASON_TOO_LONG = -203,
  /**
   * A whole message, while a message sent in fragments is open (RFC 6455, 5.4).
   */
  WS_ERROR_MESSAGE_OPEN = -204,
  /**
   * A fragment of another type than the open message (RFC 6455, 5.4).
   */
  WS_ERROR_NO_MESSAGE_OPEN = -205,
  /**
   * A header that declares another length than its payload has.
   */
  WS_ERROR_PAYLOAD_LENGTH = -206,
  /**
   * The output buffer has no room for the frame. Nothing of it was written; `needed` tells how
   * much room it takes. Make room and call again.
   */
  WS_ERROR_BUFFER_FULL = -207,
  /**
   * A header by itself of a kind that has none.
   */
  WS_ERROR_SEND_OPCODE = -208,
  /**
   * The stream ended before the head did.
   */
  WS_ERROR_HANDSHAKE_EOF = -301,
  /**
   * This server has already refused the handshake.
   */
  WS_ERROR_HANDSHAKE_REJECTED = -302,
  /**
   * The first bytes can't begin an HTTP message: TLS, for example.
   */
  WS_ERROR_NOT_HTTP = -310,
  /**
   * The start line is malformed.
   */
  WS_ERROR_START_LINE = -311,
  /**
   * An HTTP version other than 1.1.
   */
  WS_ERROR_HTTP_VERSION = -312,
  /**
   * A line that ends in LF without CR.
   */
  WS_ERROR_BARE_LF = -313,
  /**
   * A CR that no LF follows.
   */
  WS_ERROR_BARE_CR = -314,
  /**
   * A control character in the head.
   */
  WS_ERROR_CONTROL_CHARACTER = -315,
  /**
   * A header name that is empty or not a token.
   */
  WS_ERROR_HEADER_NAME = -316,
  /**
   * A header line that begins with white space.
   */
  WS_ERROR_FOLDING = -317,
  /**
   * The start line is longer than `start_line_size_max`.
   */
  WS_ERROR_START_LINE_TOO_LONG = -318,
  /**
   * The head is longer than `head_size_max`.
   */
  WS_ERROR_HEAD_TOO_LARGE = -319,
  /**
   * More header lines than `headers_max`.
   */
  WS_ERROR_TOO_MANY_HEADERS = -320,
  /**
   * A method other than GET.
   */
  WS_ERROR_REQUEST_METHOD = -330,
  /**
   * A target that is neither a path nor an absolute URI.
   */
  WS_ERROR_REQUEST_TARGET = -331,
  /**
   * No Host, several, or a malformed one.
   */
  WS_ERROR_REQUEST_HOST = -332,
  /**
   * A request with a body.
   */
  WS_ERROR_REQUEST_BODY = -333,
  /**
   * No Upgrade that lists websocket: a plain HTTP request.
   */
  WS_ERROR_REQUEST_UPGRADE = -334,
  /**
   * No Connection that lists Upgrade.
   */
  WS_ERROR_REQUEST_CONNECTION = -335,
  /**
   * A Sec-WebSocket-Version other than 13.
   */
  WS_ERROR_REQUEST_VERSION = -336,
  /**
   * A Sec-WebSocket-Key that is not 16 bytes in base64.
   */
  WS_ERROR_REQUEST_KEY = -337,
  /**
   * Several Origin headers, or a malformed one.
   */
  WS_ERROR_REQUEST_ORIGIN = -338,
  /**
   * Sec-WebSocket-Protocol that is not a list of at most 64 tokens.
   */
  WS_ERROR_REQUEST_SUBPROTOCOLS = -339,
  /**
   * Malformed Sec-WebSocket-Extensions.
   */
  WS_ERROR_REQUEST_EXTENSIONS = -340,
  /**
   * The server answered with another status than 101; the handshake's functions still tell it
   * and the headers.
   */
  WS_ERROR_REFUSED = -360,
  /**
   * More than eight interim (1xx) responses.
   */
  WS_ERROR_TOO_MANY_INTERIM = -361,
  /**
   * No Upgrade, or another one than websocket.
   */
  WS_ERROR_RESPONSE_UPGRADE = -362,
  /**
   * No Connection that lists Upgrade.
   */
  WS_ERROR_RESPONSE_CONNECTION = -363,
  /**
   * No Sec-WebSocket-Accept.
   */
  WS_ERROR_ACCEPT_MISSING = -364,
  /**
   * Several Sec-WebSocket-Accept.
   */
  WS_ERROR_ACCEPT_DOUBLED = -365,
  /**
   * A Sec-WebSocket-Accept that does not answer our key.
   */
  WS_ERROR_ACCEPT_MISMATCH = -366,
  /**
   * A subprotocol that was not offered.
   */
  WS_ERROR_RESPONSE_SUBPROTOCOL = -367,
  /**
   * Malformed Sec-WebSocket-Extensions.
   */
  WS_ERROR_RESPONSE_EXTENSIONS = -368,
  /**
   * An extension that was not offered.
   */
  WS_ERROR_EXTENSION_NOT_OFFERED = -369,
  /**
   * An extension twice.
   */
  WS_ERROR_EXTENSION_DOUBLED = -370,
  /**
   * Extension parameters that do not answer the offer.
   */
  WS_ERROR_EXTENSION_PARAMETERS = -371,
  /**
   * A host that is not a host with an optional port.
   */
  WS_ERROR_HOST_ARGUMENT = -401,
  /**
   * A target that does not begin with `/`, or has a byte that a target can't have.
   */
  WS_ERROR_TARGET_ARGUMENT = -402,
  /**
   * A header name that is not a token.
   */
  WS_ERROR_HEADER_NAME_ARGUMENT = -403,
  /**
   * A header that the handshake itself writes, such as Host or Sec-WebSocket-Key.
   */
  WS_ERROR_HEADER_RESERVED = -404,
  /**
   * A header value with a control character or a byte beyond ASCII.
   */
  WS_ERROR_HEADER_VALUE_ARGUMENT = -405,
  /**
   * A subprotocol that is not a token.
   */
  WS_ERROR_SUBPROTOCOL_ARGUMENT = -406,
  /**
   * A subprotocol that is offered twice.
   */
  WS_ERROR_SUBPROTOCOL_DOUBLED = -407,
  /**
   * A server selects a subprotocol that the client did not offer.
   */
  WS_ERROR_SUBPROTOCOL_NOT_OFFERED = -408,
  /**
   * An extension or parameter that is not a token.
   */
  WS_ERROR_EXTENSION_ARGUMENT = -409,
  /**
   * A server answers with an extension that the client did not offer.
   */
  WS_ERROR_EXTENSION_NOT_OFFERED_ARGUMENT = -410,
  /**
   * A status that can't refuse a handshake: below 200, above 599, 204, 205 or 304.
   */
  WS_ERROR_STATUS_ARGUMENT = -411,
  /**
   * There is no request to answer: none has arrived yet, or it has been answered.
   */
  WS_ERROR_NO_REQUEST = -412,
  /**
   * The output buffer has no room for the head. Nothing was written; `needed` tells how much
   * room it takes. Make room and call again.
   */
  WS_ERROR_HANDSHAKE_BUFFER_FULL = -413,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ws_error ws_error;
#else
typedef int32_t ws_error;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Which end of a connection this is.
 */
enum ws_role
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The one that connects, and that masks what it sends.
   */
  WS_ROLE_CLIENT = 1,
  /**
   * The one that accepts.
   */
  WS_ROLE_SERVER = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ws_role ws_role;
#else
typedef uint32_t ws_role;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How data messages are delivered.
 */
enum ws_delivery
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Once they are whole. A message that lies whole in the input is lent from there; any other
   * is put together in memory that grows with what has arrived.
   */
  WS_DELIVERY_WHOLE = 0,
  /**
   * In pieces as they arrive, lent from the input: for messages larger than memory.
   */
  WS_DELIVERY_STREAMED = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ws_delivery ws_delivery;
#else
typedef uint32_t ws_delivery;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The state of a connection, with the numbers that browsers have for it (RFC 6455, 4.1, 7.1.3,
 * 7.1.4).
 */
enum ws_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Messages go both ways.
   */
  WS_STATE_OPEN = 1,
  /**
   * A Close has been sent and the peer's has not arrived: messages may still arrive. Or a
   * Close is due but found no room: see `ws_has_due_output`. Nothing else can be sent.
   */
  WS_STATE_CLOSING = 2,
  /**
   * Both Close frames have been exchanged, or the connection has failed, and nothing more is
   * due. Write what is left in the output; then a server closes TCP, and a client waits a
   * bounded time for the server to do so (RFC 6455, 7.1.1).
   */
  WS_STATE_CLOSED = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ws_state ws_state;
#else
typedef int32_t ws_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What is sent. The numbers are the opcodes (RFC 6455, 5.2).
 */
enum ws_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Text: UTF-8, which is checked.
   */
  WS_KIND_TEXT = 1,
  /**
   * Bytes.
   */
  WS_KIND_BINARY = 2,
  /**
   * Asks the peer for a Pong with the same payload; at most 125 bytes.
   */
  WS_KIND_PING = 9,
  /**
   * An unsolicited Pong; at most 125 bytes. The connection answers Pings by itself.
   */
  WS_KIND_PONG = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ws_kind ws_kind;
#else
typedef uint32_t ws_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What arrived. The numbers of messages and control frames are their opcodes (RFC 6455, 5.2).
 */
enum ws_event_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * A text message, or a piece of one: valid UTF-8, whole characters.
   */
  WS_EVENT_KIND_TEXT = 1,
  /**
   * A binary message, or a piece of one.
   */
  WS_EVENT_KIND_BINARY = 2,
  /**
   * The peer's Close: `close_code` and the reason, valid UTF-8. The answer is in the output
   * already.
   */
  WS_EVENT_KIND_CLOSE = 8,
  /**
   * A Ping. The Pong is in the output already.
   */
  WS_EVENT_KIND_PING = 9,
  /**
   * A Pong.
   */
  WS_EVENT_KIND_PONG = 10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ws_event_kind ws_event_kind;
#else
typedef uint32_t ws_event_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A client's connection until it is open.
 */
typedef struct ws_client_handshake ws_client_handshake;

/**
 * One side of an open connection. Takes a few hundred bytes, and more only while a message is
 * half received.
 */
typedef struct ws_connection ws_connection;

/**
 * The frame of a prepared message for one connection: bytes that are kept until it is freed. It
 * may be used by several threads at the same time.
 */
typedef struct ws_frame ws_frame;

/**
 * A message that is encoded once, and compressed once, and sent to many. It may be used by
 * several threads at the same time.
 */
typedef struct ws_prepared ws_prepared;

/**
 * The receiving half of a connection that has been split: for a thread that receives while
 * another one sends, without a lock.
 */
typedef struct ws_receiver ws_receiver;

/**
 * What the receiving half has to tell the sending half: a Pong, the answer to a Close, or that
 * the connection has failed. It owns what it needs, so its pointer may go through any queue to
 * another thread.
 */
typedef struct ws_reply ws_reply;

/**
 * A server's connection until it is open.
 */
typedef struct ws_server_handshake ws_server_handshake;

/**
 * What functions return: 0 or more is success, less is a `ws_error`.
 */
typedef int32_t ws_status;

/**
 * What one side wants of permessage-deflate (RFC 7692): what a client offers, or what a server
 * accepts. All zero but `size` is a good choice.
 *
 * Streams to compress wait in the thread for the next message, so a connection compresses
 * fastest if it stays on one thread.
 */
typedef struct ws_deflate_options {
  /**
   * `sizeof(ws_deflate_options)`.
   */
  size_t size;
  /**
   * Messages of fewer bytes are sent as they are. 0: 64.
   */
  uint32_t size_min;
  /**
   * How much work goes into compressing, 1 to 9. 0: 4.
   */
  uint8_t level;
  /**
   * The largest window for the server's messages, as a power of two, 8 to 15. 0: 12 for a
   * server, 15 for a client.
   */
  uint8_t server_max_window_bits;
  /**
   * The largest window for the client's messages, 8 to 15. 0: 12 for a server, 15 for a
   * client.
   */
  uint8_t client_max_window_bits;
  /**
   * `WS_DEFLATE_SERVER_NO_CONTEXT`, `WS_DEFLATE_CLIENT_NO_CONTEXT`, both (by `|`), or 0:
   * context is kept, which costs memory and saves bytes.
   */
  uint8_t flags;
} ws_deflate_options;

/**
 * How a connection behaves. All zero but `size` is a good choice.
 */
typedef struct ws_connection_options {
  /**
   * `sizeof(ws_connection_options)`.
   */
  size_t size;
  /**
   * The longest payload of a frame that the peer may send, in bytes. 0: 16 MiB.
   */
  uint64_t frame_size_max;
  /**
   * The longest message that the peer may send, in bytes, after decompression. 0: 64 MiB.
   */
  uint64_t message_size_max;
  /**
   * The most frames that a message of the peer may have. 0: 131,072.
   */
  uint32_t fragments_max;
  /**
   * A `ws_delivery`.
   */
  uint32_t delivery;
  /**
   * For tests: 32 bytes that determine all masking keys of a client. Null: unpredictable
   * keys, seeded by the operating system, as RFC 6455, 10.3 demands.
   */
  const uint8_t *mask_seed;
  /**
   * What the program's own HTTP implementation has agreed on (RFC 7692, 7.1), for
   * `ws_connection_new` alone; its windows are exact, and 15 for 0. `ws_deflate_agreed` reads
   * it from headers. Null: no compression. The handshakes of this library bring what they have
   * agreed on.
   */
  const struct ws_deflate_options *deflate;
} ws_connection_options;

/**
 * Bytes that were read from the peer: the caller's memory, in which payloads are unmasked.
 *
 * A function that takes bytes moves `data` forward and makes `len` smaller.
 */
typedef struct ws_input {
  /**
   * The first byte that has not been taken.
   */
  uint8_t *data;
  /**
   * How many bytes from there on have not been taken.
   */
  size_t len;
} ws_input;

/**
 * Where output goes: the caller's memory, to which functions append.
 *
 * Set `data` and `capacity`, and `len` to 0; write the `len` bytes to the socket, then set `len`
 * to 0 again. The memory may be uninitialised. Bytes between `len` and `capacity` have no
 * meaning after a call, whatever they were before.
 */
typedef struct ws_buffer {
  /**
   * The memory.
   */
  uint8_t *data;
  /**
   * How many bytes it has.
   */
  size_t capacity;
  /**
   * How many of them are filled, from the first on.
   */
  size_t len;
  /**
   * Set by a function that returns `WS_ERROR_BUFFER_FULL` or `WS_ERROR_HANDSHAKE_BUFFER_FULL`:
   * the room that it needs, so `capacity - len` must be at least as much when it is called
   * again.
   */
  size_t needed;
} ws_buffer;

/**
 * What was received.
 *
 * `data` points into the caller's input or into the connection. It is valid until the next call
 * with the connection that is not only a question (as `ws_ready_state` is), and no longer than
 * the caller leaves the input alone.
 */
typedef struct ws_event {
  /**
   * A `ws_event_kind`.
   */
  uint32_t kind;
  /**
   * The code of a Close, `WS_CLOSE_NO_STATUS` if it has none; 0 for all else.
   */
  uint16_t close_code;
  /**
   * 1 if the message ends with this; 0 only for pieces, under `WS_DELIVERY_STREAMED`.
   */
  uint8_t is_final;
  /**
   * 1 if `data` lies in the caller's input, which the caller may change; 0 if in the
   * connection, or if there is nothing.
   */
  uint8_t is_in_input;
  /**
   * The payload, unmasked and decompressed; the reason of a Close. Not ended by a zero, never
   * null.
   */
  const uint8_t *data;
  /**
   * The length of the payload, in bytes.
   */
  size_t len;
} ws_event;

/**
 * The header of a frame, for a payload that the caller sends behind it.
 */
typedef struct ws_head {
  /**
   * The header as it goes on the wire: `len` bytes of it.
   */
  uint8_t bytes[14];
  /**
   * The length of the header, 2 to 14 bytes.
   */
  uint8_t len;
  /**
   * 1 if the payload must be masked with `mask_key` (by `ws_mask` or `ws_mask_copy`) before it
   * is sent, as a client's must; 0 if it must be sent as it is.
   */
  uint8_t is_masked;
  /**
   * The key; zero if the payload is not masked.
   */
  uint8_t mask_key[4];
} ws_head;

/**
 * Bytes that the library lends: not ended by a zero. `data` is null if there is nothing, which
 * is not the same as something of length 0.
 */
typedef struct ws_slice {
  /**
   * The first byte.
   */
  const char *data;
  /**
   * How many bytes there are.
   */
  size_t len;
} ws_slice;

/**
 * A header to be written: two texts that end with a zero.
 */
typedef struct ws_header {
  /**
   * The name.
   */
  const char *name;
  /**
   * The value, ASCII.
   */
  const char *value;
} ws_header;

/**
 * What a client asks for. All but `size` and `host` may be zero.
 */
typedef struct ws_client_options {
  /**
   * `sizeof(ws_client_options)`.
   */
  size_t size;
  /**
   * The value of Host: host and port, without the port if it is the scheme's own.
   */
  const char *host;
  /**
   * The path with an optional query. Null: "/".
   */
  const char *target;
  /**
   * The value of Origin, such as `http://example.com`. Null: none.
   */
  const char *origin;
  /**
   * The subprotocols to offer, the preferred one first.
   */
  const char *const *subprotocols;
  /**
   * How many.
   */
  size_t subprotocols_len;
  /**
   * Headers to add.
   */
  const struct ws_header *headers;
  /**
   * How many.
   */
  size_t headers_len;
  /**
   * Offers permessage-deflate. Null: does not.
   */
  const struct ws_deflate_options *deflate;
  /**
   * A second offer of it, for a server that does not take the first. Null: none.
   */
  const struct ws_deflate_options *deflate_fallback;
  /**
   * For tests: the 16 bytes of the key. Null: 16 unpredictable bytes.
   */
  const uint8_t *key;
  /**
   * The longest head of a response, in bytes. 0: 16 KiB.
   */
  size_t head_size_max;
  /**
   * The longest status line, in bytes. 0: 8 KiB.
   */
  size_t start_line_size_max;
  /**
   * The most header lines of a response. 0: 100.
   */
  size_t headers_max;
} ws_client_options;

/**
 * How a server takes requests. All zero but `size` is a good choice.
 */
typedef struct ws_server_options {
  /**
   * `sizeof(ws_server_options)`.
   */
  size_t size;
  /**
   * Accepts permessage-deflate where it is offered. Null: declines it.
   */
  const struct ws_deflate_options *deflate;
  /**
   * The longest head of a request, in bytes. 0: 16 KiB.
   */
  size_t head_size_max;
  /**
   * The longest request line, in bytes. 0: 8 KiB.
   */
  size_t start_line_size_max;
  /**
   * The most header lines of a request. 0: 100.
   */
  size_t headers_max;
  /**
   * Other than 0: a request that does not ask for a WebSocket is `WS_HTTP`, and not an error,
   * so that a server can answer "/health" on the same port.
   */
  size_t allows_http;
} ws_server_options;

/**
 * What a client has asked for. Slices are valid until the next call with the handshake that
 * changes it.
 */
typedef struct ws_request {
  /**
   * `sizeof(ws_request)`: set it before the call.
   */
  size_t size;
  /**
   * The method: GET for a WebSocket.
   */
  struct ws_slice method;
  /**
   * The target as it was received.
   */
  struct ws_slice target;
  /**
   * The target's path, from the slash on. Nothing for plain HTTP.
   */
  struct ws_slice path;
  /**
   * The target's query, without the question mark, or nothing. Nothing for plain HTTP.
   */
  struct ws_slice query;
  /**
   * The host and port that the client wants. Nothing for plain HTTP.
   */
  struct ws_slice host;
  /**
   * The value of Origin, or nothing: compare it as a whole, and refuse a foreign one with 403
   * (RFC 6455, 10.2). Nothing for plain HTTP.
   */
  struct ws_slice origin;
  /**
   * The bytes of the head, with the blank line at its end, for an HTTP server that continues
   * with them. Nothing for a WebSocket.
   */
  struct ws_slice head;
} ws_request;

/**
 * A server's answer that opens the connection. All zero but `size` is a good choice.
 */
typedef struct ws_accept_options {
  /**
   * `sizeof(ws_accept_options)`.
   */
  size_t size;
  /**
   * One of the subprotocols that the client offers. Null: none.
   */
  const char *subprotocol;
  /**
   * Headers to add.
   */
  const struct ws_header *headers;
  /**
   * How many.
   */
  size_t headers_len;
} ws_accept_options;

/**
 * A server's answer that opens no connection, and ends it. All zero but `size` answers the error
 * of the handshake.
 */
typedef struct ws_reject_options {
  /**
   * `sizeof(ws_reject_options)`.
   */
  size_t size;
  /**
   * The status, 200 to 599 but for 204, 205 and 304. 0: that of the error with which the
   * handshake has failed, whose text is the body then.
   */
  size_t status;
  /**
   * Headers to add.
   */
  const struct ws_header *headers;
  /**
   * How many.
   */
  size_t headers_len;
  /**
   * The body: plain text, unless a Content-Type says otherwise.
   */
  const uint8_t *body;
  /**
   * Its length, in bytes.
   */
  size_t body_len;
} ws_reject_options;

/**
 * Done, and nothing to report: all input is taken, for example.
 */
#define WS_OK 0

/**
 * What `ws_receive` returns if it has filled the event.
 */
#define WS_EVENT 1

/**
 * What functions return that look for a header or a subprotocol and have found it.
 */
#define WS_FOUND 1

/**
 * What the functions that receive a handshake return if it is complete.
 */
#define WS_DONE 1

/**
 * What `ws_server_handshake_receive` returns for a request that does not ask for a WebSocket, if
 * `allows_http` is set.
 */
#define WS_HTTP 2

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Returns a short, stable name of an error for counters and logs, such as `mask_required`; "ok"
 * for 0 and more, "unknown" for a number that this version does not know. Never null, and never
 * to be freed.
 */
const char *ws_error_name(ws_status error);

/**
 * Returns what an error means, in a line of English without the values; `ws_last_error_text` has
 * them. Never null, and never to be freed.
 */
const char *ws_error_text(ws_status error);

/**
 * Returns the close code that reports an error to the peer (RFC 6455, 7.4.1), for errors -100 to
 * -199; 0 for all others. The connection has already sent it.
 */
uint16_t ws_error_close_code(ws_status error);

/**
 * Returns the HTTP status that reports an error of the opening handshake, for errors -300 to
 * -399; 0 for all others, and for those whose status is the one that was received or sent.
 */
uint16_t ws_error_http_status(ws_status error);

/**
 * Writes what the last error of this thread was to `text`, with its values, such as "frame of
 * 20000000 bytes, limit 16777216", and ends it with a zero. Cuts it off if `capacity` bytes are
 * not enough. Only calls that fail change it.
 *
 * Returns the length of the whole text without the zero, as `snprintf` does; 0 if there was no
 * error yet. `text` may be null if `capacity` is 0.
 */
size_t ws_last_error_text(char *text, size_t capacity);

/**
 * Returns the version of the library that is loaded, as `0xMMmmpp`: major, minor, patch.
 *
 * Compare it with `WS_VERSION`, the version of the header that the program was compiled with.
 * Until 1.0 the two must agree in major and minor; from then on in major, and the library's
 * minor must not be smaller.
 */
uint32_t ws_version(void);

/**
 * Returns the version of the library as text, such as "0.1.0".
 */
const char *ws_version_string(void);

/**
 * Reads what another HTTP implementation has agreed on (RFC 7692, 7.1) from both values of
 * `Sec-WebSocket-Extensions`: what the client offers, and what the server answers. `role` is the
 * `ws_role` of this side. Join the values of several lines with a comma.
 *
 * `agreed` must have its size set, and may have a level and a `size_min`, which stay; windows and
 * flags are filled in, for `ws_connection_options`.
 *
 * Returns `WS_FOUND` if permessage-deflate was agreed on, and `WS_OK` if it was not, which leaves
 * `agreed` as it is. `WS_ERROR_RESPONSE_EXTENSIONS` or `WS_ERROR_EXTENSION_PARAMETERS` if the
 * answer is none to these offers, or accepts an extension that this library does not have: a
 * client must fail the connection then, and a server must not answer so.
 * `WS_ERROR_OPTIONS_SIZE`, `WS_ERROR_ARGUMENT` or `WS_ERROR_NULL_POINTER`.
 */
ws_status ws_deflate_agreed(uint32_t role,
                            const char *offers,
                            size_t offers_len,
                            const char *answer,
                            size_t answer_len,
                            struct ws_deflate_options *agreed);

/**
 * Opens a connection whose opening handshake another library has done, with permessage-deflate
 * if `options` say that it was agreed on. `role` is a `ws_role`; `options` may be null.
 * `ws_client_handshake_open` and
 * `ws_server_handshake_open` open one after this library's handshakes.
 *
 * Returns `WS_OK` and a connection that `ws_connection_free` must free, or `WS_ERROR_ARGUMENT`,
 * `WS_ERROR_OPTIONS_SIZE` or `WS_ERROR_NULL_POINTER`.
 */
ws_status ws_connection_new(uint32_t role,
                            const struct ws_connection_options *options,
                            struct ws_connection **connection);

/**
 * Frees a connection. Null is allowed; a connection that has been freed must not be used again.
 */
void ws_connection_free(struct ws_connection *connection);

/**
 * Takes bytes from the front of `input`, and describes the next event. Call it until it returns
 * `WS_OK`: then all of `input` is taken, and its memory is free for the next read of this or of
 * any other connection.
 *
 * Payloads are unmasked in place. What is incomplete at the end of the input is copied and kept.
 * Replies (Pong, Close) are appended to `out`; those that find no room stay due until a later
 * call or `ws_flush`. `out` may be null for no room. An input of length 0 is allowed.
 *
 * Returns `WS_EVENT` if `event` was filled, and `WS_OK` if all of `input` is taken. If the peer
 * has broken the protocol, an error from -100 to -199: the connection has failed for good, and a
 * Close that says why has been appended to `out`. Further calls return the same and take
 * nothing. `WS_ERROR_NULL_POINTER`, `WS_ERROR_ARGUMENT` and `WS_ERROR_OVERLAP` take nothing, and
 * the connection continues; so does `WS_ERROR_STATE`, if the connection has been split.
 */
ws_status ws_receive(struct ws_connection *connection,
                     struct ws_input *input,
                     struct ws_buffer *out,
                     struct ws_event *event);

/**
 * Tells the connection that the peer's stream has ended: when a read has returned 0, and
 * `ws_receive` has returned `WS_OK`.
 *
 * Returns `WS_OK` if the peer's Close had arrived, or if `ws_receive` still has input to take.
 * `WS_ERROR_UNEXPECTED_EOF` if it had not, which other APIs report as 1006; the error of a
 * connection that had failed before.
 */
ws_status ws_receive_eof(struct ws_connection *connection);

/**
 * Lends room for the rest of a large frame, so that it can be read from the socket straight into
 * its message, without a copy. Call it when `ws_receive` has returned `WS_OK`, read into
 * `room->data` up to `room->capacity` bytes, and tell `ws_filled` how many were read; then call
 * `ws_receive`, with an input of length 0.
 *
 * The room is valid until the next call with the connection. It is uninitialised memory, as long
 * as three times what has arrived of the message, or 64 KiB at its beginning: memory follows
 * what arrives, not what was announced.
 *
 * Returns `WS_EVENT` if there is room; `WS_OK` if there is none, because no frame is open of
 * which 8 KiB are to come, because it is compressed, or because messages are delivered in
 * pieces: read into an input then.
 */
ws_status ws_room(struct ws_connection *connection, struct ws_buffer *room);

/**
 * Tells the connection that `len` bytes were written to the start of the room that the last
 * call, `ws_room`, has lent. All of them must have been written.
 *
 * Returns `WS_OK`; `WS_ERROR_STATE` if no room is lent, `WS_ERROR_ARGUMENT` if it was shorter.
 */
ws_status ws_filled(struct ws_connection *connection, size_t len);

/**
 * Appends the replies that are due to `out`, as far as it has room.
 *
 * Returns `WS_OK`, or `WS_ERROR_NULL_POINTER` or `WS_ERROR_ARGUMENT`. `ws_has_due_output` tells
 * whether some are left.
 */
ws_status ws_flush(struct ws_connection *connection, struct ws_buffer *out);

/**
 * Returns the state, a `ws_state`; `WS_ERROR_NULL_POINTER` for null.
 */
ws_status ws_ready_state(const struct ws_connection *connection);

/**
 * Returns 1 if both Close frames were exchanged, so that the connection was closed cleanly (RFC
 * 6455, 7.1.4), and 0 if not; `WS_ERROR_NULL_POINTER` for null.
 */
ws_status ws_is_clean(const struct ws_connection *connection);

/**
 * Returns 1 if a reply waits for room in the output, a Pong or a Close, and 0 if not;
 * `WS_ERROR_NULL_POINTER` for null. `ws_flush` appends it, and so does the next call that
 * receives or sends.
 */
ws_status ws_has_due_output(const struct ws_connection *connection);

/**
 * Returns why the connection has failed, an error from -100 to -199, or `WS_OK` if it has not;
 * `WS_ERROR_NULL_POINTER` for null.
 */
ws_status ws_connection_error(const struct ws_connection *connection);

/**
 * Returns the heap memory that an incomplete message takes, in bytes: 0 between messages, for
 * null, and if the connection has been split (see `ws_receiver_buffered`). For a program that
 * bounds the total over its connections.
 */
size_t ws_buffered(const struct ws_connection *connection);

/**
 * Appends a message to `out` as one frame; a client masks it while it is copied. `kind` is a
 * `ws_kind`. With permessage-deflate a message that gets shorter is sent compressed.
 *
 * The payload may be that of the last event, also if it lies in the connection. Replies that are
 * due go out first.
 *
 * Returns `WS_OK`. Otherwise nothing of the message was written: `WS_ERROR_BUFFER_FULL`,
 * `WS_ERROR_NOT_OPEN` after a Close or a failure, `WS_ERROR_MESSAGE_OPEN` for data while a
 * message sent in fragments is open, `WS_ERROR_SEND_CONTROL_TOO_LONG`, `WS_ERROR_UTF8_ARGUMENT`
 * for a text that is none, `WS_ERROR_ARGUMENT`, `WS_ERROR_OVERLAP` or `WS_ERROR_NULL_POINTER`.
 */
ws_status ws_send(struct ws_connection *connection,
                  uint32_t kind,
                  const uint8_t *payload,
                  size_t payload_len,
                  struct ws_buffer *out);

/**
 * Like `ws_send`, but never compressed: for payloads that are compressed already, and for
 * secrets that must not share a context with what an attacker may choose (RFC 7692, 8).
 */
ws_status ws_send_uncompressed(struct ws_connection *connection,
                               uint32_t kind,
                               const uint8_t *payload,
                               size_t payload_len,
                               struct ws_buffer *out);

/**
 * Appends a piece of a message to `out` as a frame. The first piece opens the message, and one
 * with `is_final` other than 0 ends it. `kind` is `WS_KIND_TEXT` or `WS_KIND_BINARY`, the same
 * for all pieces; those of a text must be whole characters.
 *
 * Returns what `ws_send` returns; `WS_ERROR_NO_MESSAGE_OPEN` if the open message is of the other
 * kind.
 */
ws_status ws_send_fragment(struct ws_connection *connection,
                           uint32_t kind,
                           const uint8_t *payload,
                           size_t payload_len,
                           int32_t is_final,
                           struct ws_buffer *out);

/**
 * Like `ws_send`, in frames of at most `fragment_size_max` bytes, which must not be 0. A Ping or
 * a Pong goes out whole.
 */
ws_status ws_send_fragmented(struct ws_connection *connection,
                             uint32_t kind,
                             const uint8_t *payload,
                             size_t payload_len,
                             size_t fragment_size_max,
                             struct ws_buffer *out);

/**
 * Makes the header of a message whose payload the caller sends itself, behind it: for vectored
 * writes and registered buffers. The payload is not looked at: a text must be UTF-8. It goes out
 * uncompressed; a client's must be masked, see `ws_head`.
 *
 * The message counts as sent. Replies that are due are not part of it: write what `ws_flush`
 * appends before it.
 *
 * Returns `WS_OK` or the errors of `ws_send` but for those about the payload and the buffer.
 */
ws_status ws_send_head(struct ws_connection *connection,
                       uint32_t kind,
                       uint64_t payload_len,
                       struct ws_head *head);

/**
 * Starts the closing handshake: appends a Close to `out`. Messages may still arrive until the
 * peer's Close does.
 *
 * `code` is 1000-1003, 1007-1014 or 3000-4999; 0 sends an empty Close, which the peer reports as
 * 1005, and must have no reason. The reason is UTF-8 for people to read, at most 123 bytes.
 *
 * Returns `WS_OK`; `WS_ERROR_NOT_OPEN` if a Close has been sent, `WS_ERROR_CLOSE_CODE_ARGUMENT`,
 * `WS_ERROR_REASON_TOO_LONG`, `WS_ERROR_UTF8_ARGUMENT`, `WS_ERROR_ARGUMENT`,
 * `WS_ERROR_BUFFER_FULL`, `WS_ERROR_OVERLAP` or `WS_ERROR_NULL_POINTER`.
 */
ws_status ws_close(struct ws_connection *connection,
                   uint16_t code,
                   const uint8_t *reason,
                   size_t reason_len,
                   struct ws_buffer *out);

/**
 * Returns room that is enough for any one call that sends a payload of `payload_len` bytes, with
 * all replies that may be due: as `ws_send`, `ws_send_fragment`, `ws_send_prepared` and
 * `ws_close` do, but not `ws_send_fragmented`, which takes 14 bytes more for each frame. 0 for
 * null.
 */
size_t ws_send_room(const struct ws_connection *connection, size_t payload_len);

/**
 * Encodes a message; copies the payload once. `kind` is a `ws_kind`.
 *
 * Returns `WS_OK` and a message that `ws_prepared_free` must free;
 * `WS_ERROR_SEND_CONTROL_TOO_LONG`, `WS_ERROR_UTF8_ARGUMENT`, `WS_ERROR_ARGUMENT` or
 * `WS_ERROR_NULL_POINTER`.
 */
ws_status ws_prepared_new(uint32_t kind,
                          const uint8_t *payload,
                          size_t payload_len,
                          struct ws_prepared **prepared);

/**
 * Frees a prepared message. Null is allowed. Frames made from it stay valid.
 */
void ws_prepared_free(struct ws_prepared *prepared);

/**
 * Returns how many bytes of output a server needs for it, uncompressed; 0 for null.
 */
size_t ws_prepared_frame_len(const struct ws_prepared *prepared);

/**
 * Appends a prepared message to `out`: for a server a copy of its bytes, compressed if that was
 * agreed; a client masks it.
 *
 * Returns what `ws_send` returns.
 */
ws_status ws_send_prepared(struct ws_connection *connection,
                           const struct ws_prepared *prepared,
                           struct ws_buffer *out);

/**
 * Makes the frame of a prepared message for a connection, to be written behind everything that
 * was sent before: for a server the bytes that all connections share, compressed if that was
 * agreed; for a client a masked copy.
 *
 * The message counts as sent. Replies that are due are not part of it: write what `ws_flush`
 * appends before it.
 *
 * Returns `WS_OK` and a frame that `ws_frame_free` must free, or the errors of `ws_send` but for
 * those about the payload and the buffer.
 */
ws_status ws_prepared_frame(struct ws_connection *connection,
                            const struct ws_prepared *prepared,
                            struct ws_frame **frame);

/**
 * Returns the bytes of a frame, which are valid until it is freed; nothing for null.
 */
struct ws_slice ws_frame_bytes(const struct ws_frame *frame);

/**
 * Frees a frame. Null is allowed.
 */
void ws_frame_free(struct ws_frame *frame);

/**
 * Splits the receiving half off a connection, so that one thread may receive by it while another
 * one sends by `connection`, without a lock.
 *
 * From then on `connection` is the sending half: it takes all calls but `ws_receive`,
 * `ws_receive_eof`, `ws_room`, `ws_filled` and this one, which return `WS_ERROR_STATE`. The
 * receiving half writes nothing. What it would have written are replies: take them with
 * `ws_receiver_take_reply`, and pass them to the other thread, which sends them with
 * `ws_send_reply`. What the last event points to is no longer valid.
 *
 * Returns `WS_OK` and a receiving half that `ws_receiver_free` must free, apart from the
 * connection, unless `ws_receiver_reunite` joins them again; `WS_ERROR_STATE` or
 * `WS_ERROR_NULL_POINTER`.
 */
ws_status ws_connection_split(struct ws_connection *connection, struct ws_receiver **receiver);

/**
 * Frees a receiving half, and the replies that were not taken. Null is allowed.
 */
void ws_receiver_free(struct ws_receiver *receiver);

/**
 * Like `ws_receive`, but replies are kept for `ws_receiver_take_reply` instead of being written.
 * Take them after each call, also after one that failed: the peer waits for them.
 *
 * What the event points to is valid until the next call with `receiver` that is not only a
 * question or `ws_receiver_take_reply`, and no longer than the program leaves its input alone.
 *
 * Returns what `ws_receive` returns, `WS_ERROR_OVERLAP` excepted.
 */
ws_status ws_receiver_receive(struct ws_receiver *receiver,
                              struct ws_input *input,
                              struct ws_event *event);

/**
 * Takes the next reply for the sending half: in the order in which they were made, at most 33 for
 * an input. What the last event points to stays valid.
 *
 * Returns `WS_FOUND` and a reply, which `ws_send_reply` or `ws_reply_free` must free; `WS_OK` if
 * there is none; `WS_ERROR_NULL_POINTER`.
 */
ws_status ws_receiver_take_reply(struct ws_receiver *receiver, struct ws_reply **reply);

/**
 * See `ws_receive_eof`. A failure is a reply, too, so that the sending half learns of it.
 *
 * Returns what `ws_receive_eof` returns.
 */
ws_status ws_receiver_receive_eof(struct ws_receiver *receiver);

/**
 * See `ws_room`; the room is valid until the next call with `receiver`.
 */
ws_status ws_receiver_room(struct ws_receiver *receiver, struct ws_buffer *room);

/**
 * See `ws_filled`: how much was read to the room that the last call, `ws_receiver_room`, has lent.
 */
ws_status ws_receiver_filled(struct ws_receiver *receiver, size_t len);

/**
 * Returns 1 if the peer's Close has arrived or the connection has failed, so that no event will
 * follow, and 0 if not; `WS_ERROR_NULL_POINTER` for null.
 */
ws_status ws_receiver_is_done(const struct ws_receiver *receiver);

/**
 * Returns why the connection has failed, an error from -100 to -199, or `WS_OK` if it has not;
 * `WS_ERROR_NULL_POINTER` for null.
 */
ws_status ws_receiver_error(const struct ws_receiver *receiver);

/**
 * See `ws_buffered`.
 */
size_t ws_receiver_buffered(const struct ws_receiver *receiver);

/**
 * Joins the halves of a connection again, which continues where they were: `connection` receives
 * again, and `receiver` is freed. Both must belong together, which can't be checked.
 *
 * Send every reply before: one that is lost is never sent.
 *
 * Returns `WS_OK`. Otherwise nothing has changed: `WS_ERROR_STATE` if `connection` is not split
 * or `ws_receiver_take_reply` still has a reply; `WS_ERROR_NULL_POINTER`.
 */
ws_status ws_receiver_reunite(struct ws_receiver *receiver, struct ws_connection *connection);

/**
 * Appends a reply of the receiving half to `out`, unless this side has sent what makes it
 * needless, and frees it. `connection` is the sending half. If `out` has no room the reply stays
 * due, as `ws_has_due_output` tells; `ws_flush` and the next call that sends append it.
 *
 * After the reply to a Close, `ws_ready_state` is `WS_STATE_CLOSED`; after that of a failure,
 * `ws_connection_error` says why.
 *
 * Returns `WS_OK`. Otherwise the reply is as it was: `WS_ERROR_NULL_POINTER` or
 * `WS_ERROR_ARGUMENT`.
 */
ws_status ws_send_reply(struct ws_connection *connection,
                        struct ws_reply *reply,
                        struct ws_buffer *out);

/**
 * Frees a reply that is not sent, because the connection is over. Null is allowed.
 */
void ws_reply_free(struct ws_reply *reply);

/**
 * Writes the 28 bytes of the Sec-WebSocket-Accept that answers `key`, the value of a
 * Sec-WebSocket-Key, to `accept` (RFC 6455, 4.2.2), without a zero at the end: for a server
 * whose HTTP another library does.
 *
 * Returns `WS_OK`, or `WS_ERROR_REQUEST_KEY` if it is not 16 bytes in base64.
 */
ws_status ws_accept_key(const char *key, size_t key_len, char *accept);

/**
 * Appends a client's request to `out`, and begins to wait for the response.
 *
 * All texts are checked before a byte is written, so that none of them can change what the rest
 * of the request means.
 *
 * Returns `WS_OK` and a handshake that `ws_client_handshake_free` must free. Otherwise nothing
 * was written, and there is no handshake: `WS_ERROR_HANDSHAKE_BUFFER_FULL`, another error from
 * -400 to -499 for a text that is not allowed, `WS_ERROR_OPTIONS_SIZE`, `WS_ERROR_ARGUMENT`,
 * `WS_ERROR_UTF8_ARGUMENT` or `WS_ERROR_NULL_POINTER`.
 */
ws_status ws_client_handshake_start(const struct ws_client_options *options,
                                    struct ws_buffer *out,
                                    struct ws_client_handshake **handshake);

/**
 * Frees a handshake. Null is allowed. A connection opened from it stays valid.
 */
void ws_client_handshake_free(struct ws_client_handshake *handshake);

/**
 * Takes the bytes of the response from the front of `input`. It has no clock: bound the time
 * until it is done.
 *
 * Returns `WS_DONE` once the server has accepted: open the connection, and give it what is left
 * in `input`, which are the first frames. `WS_OK` if the response is incomplete: all of `input`
 * was taken. Otherwise an error from -300 to -399, for good; after `WS_ERROR_REFUSED` what is
 * left in `input` is the content of the refusal. `WS_ERROR_NULL_POINTER` and `WS_ERROR_ARGUMENT`
 * take nothing.
 */
ws_status ws_client_handshake_receive(struct ws_client_handshake *handshake,
                                      struct ws_input *input);

/**
 * Tells the handshake that the stream has ended.
 *
 * Returns `WS_OK` if the response was complete, and `WS_ERROR_HANDSHAKE_EOF` or an earlier error
 * if not.
 */
ws_status ws_client_handshake_receive_eof(struct ws_client_handshake *handshake);

/**
 * Returns the status of the response, 101 if the server has accepted; 0 before its head is
 * complete.
 */
ws_status ws_client_handshake_status(const struct ws_client_handshake *handshake);

/**
 * Tells the value of the first header of the response that has this name, in any case, in
 * `value`: valid as long as the handshake. Also after a refusal.
 *
 * Returns `WS_FOUND`, or `WS_OK` if there is none.
 */
ws_status ws_client_handshake_header(const struct ws_client_handshake *handshake,
                                     const char *name,
                                     struct ws_slice *value);

/**
 * Tells name and value of the header of the response at `index`, from 0 on: for all headers, in
 * their order.
 *
 * Returns `WS_FOUND`, or `WS_OK` if `index` is past the last one.
 */
ws_status ws_client_handshake_header_at(const struct ws_client_handshake *handshake,
                                        size_t index,
                                        struct ws_slice *name,
                                        struct ws_slice *value);

/**
 * Tells the subprotocol that the server has selected in `subprotocol`, one of those that were
 * offered: valid as long as the handshake.
 *
 * Returns `WS_FOUND`, or `WS_OK` if there is none.
 */
ws_status ws_client_handshake_subprotocol(const struct ws_client_handshake *handshake,
                                          struct ws_slice *subprotocol);

/**
 * Returns 1 if permessage-deflate was agreed, and 0 if not.
 */
ws_status ws_client_handshake_has_deflate(const struct ws_client_handshake *handshake);

/**
 * Opens the connection, once, with what was agreed, after `WS_DONE`. `options` may be null.
 *
 * Returns `WS_OK` and a connection that `ws_connection_free` must free, apart from the
 * handshake; `WS_ERROR_STATE` if the handshake is not done or has been opened, or the errors of
 * `ws_connection_new`.
 */
ws_status ws_client_handshake_open(struct ws_client_handshake *handshake,
                                   const struct ws_connection_options *options,
                                   struct ws_connection **connection);

/**
 * Begins to wait for a client's request. `options` may be null.
 *
 * Returns `WS_OK` and a handshake that `ws_server_handshake_free` must free, or
 * `WS_ERROR_OPTIONS_SIZE`, `WS_ERROR_ARGUMENT` or `WS_ERROR_NULL_POINTER`.
 */
ws_status ws_server_handshake_new(const struct ws_server_options *options,
                                  struct ws_server_handshake **handshake);

/**
 * Frees a handshake. Null is allowed. A connection opened from it stays valid.
 */
void ws_server_handshake_free(struct ws_server_handshake *handshake);

/**
 * Takes the bytes of the request from the front of `input`. It has no clock: bound the time from
 * the connection's start until it is done.
 *
 * Returns `WS_DONE` once there is a request that may be accepted: `ws_server_handshake_request`
 * tells it. `WS_HTTP` for a plain request, if those are allowed; its body is still in `input`.
 * `WS_OK` if the request is incomplete: all of `input` was taken. Otherwise an error from -300
 * to -399, for good: answer it by `ws_server_handshake_reject`. `WS_ERROR_NULL_POINTER` and
 * `WS_ERROR_ARGUMENT` take nothing.
 */
ws_status ws_server_handshake_receive(struct ws_server_handshake *handshake,
                                      struct ws_input *input);

/**
 * Tells the handshake that the stream has ended.
 *
 * Returns `WS_OK` if the request was complete, and `WS_ERROR_HANDSHAKE_EOF` or an earlier error
 * if not.
 */
ws_status ws_server_handshake_receive_eof(struct ws_server_handshake *handshake);

/**
 * Tells what the client has asked for. Set `request->size` before.
 *
 * Returns `WS_DONE` for a WebSocket and `WS_HTTP` for a plain request; `WS_ERROR_STATE` before
 * it is complete, the error of the handshake after it has failed or was refused,
 * `WS_ERROR_OPTIONS_SIZE` if `size` is not set.
 */
ws_status ws_server_handshake_request(struct ws_server_handshake *handshake,
                                      struct ws_request *request);

/**
 * Tells the value of the first header of the request that has this name, in any case, in
 * `value`: valid until the request is answered.
 *
 * Returns `WS_FOUND`, or `WS_OK` if there is none; errors as `ws_server_handshake_request`.
 */
ws_status ws_server_handshake_header(struct ws_server_handshake *handshake,
                                     const char *name,
                                     struct ws_slice *value);

/**
 * Tells name and value of the header of the request at `index`, from 0 on: for all headers, in
 * their order.
 *
 * Returns `WS_FOUND`, or `WS_OK` if `index` is past the last one; errors as
 * `ws_server_handshake_request`.
 */
ws_status ws_server_handshake_header_at(struct ws_server_handshake *handshake,
                                        size_t index,
                                        struct ws_slice *name,
                                        struct ws_slice *value);

/**
 * Tells the subprotocol at `index`, from 0 on, that the client offers: the preferred one first.
 *
 * Returns `WS_FOUND`, or `WS_OK` if `index` is past the last one; errors as
 * `ws_server_handshake_request`.
 */
ws_status ws_server_handshake_subprotocol_at(struct ws_server_handshake *handshake,
                                             size_t index,
                                             struct ws_slice *subprotocol);

/**
 * Appends the response that opens the connection to `out`. `options` may be null.
 *
 * Returns `WS_OK`. Otherwise nothing was written, and the request still waits for an answer:
 * `WS_ERROR_NO_REQUEST`, `WS_ERROR_SUBPROTOCOL_NOT_OFFERED`, another error from -400 to -499 for
 * a text that is not allowed, `WS_ERROR_HANDSHAKE_BUFFER_FULL`, `WS_ERROR_OPTIONS_SIZE`,
 * `WS_ERROR_UTF8_ARGUMENT`, `WS_ERROR_ARGUMENT` or `WS_ERROR_NULL_POINTER`.
 */
ws_status ws_server_handshake_accept(struct ws_server_handshake *handshake,
                                     const struct ws_accept_options *options,
                                     struct ws_buffer *out);

/**
 * Appends a response that opens no connection to `out`: at any time before the request is
 * answered, also to plain HTTP, whatever the status. Then write `out`, and close. `options` may
 * be null for the answer to the error with which the handshake has failed.
 *
 * Returns `WS_OK`. Otherwise nothing was written: `WS_ERROR_NO_REQUEST` if it has been answered,
 * `WS_ERROR_STATE` if there is no error to answer and no status either,
 * `WS_ERROR_STATUS_ARGUMENT` and the other errors of `ws_server_handshake_accept`.
 */
ws_status ws_server_handshake_reject(struct ws_server_handshake *handshake,
                                     const struct ws_reject_options *options,
                                     struct ws_buffer *out);

/**
 * Returns 1 if permessage-deflate was agreed when the request was accepted, and 0 if not.
 */
ws_status ws_server_handshake_has_deflate(const struct ws_server_handshake *handshake);

/**
 * Opens the connection, once, with what was agreed, after `ws_server_handshake_accept`.
 * `options` may be null. What was left in the handshake's input are the first frames.
 *
 * Returns `WS_OK` and a connection that `ws_connection_free` must free, apart from the
 * handshake; `WS_ERROR_STATE` if the request is not accepted or has been opened, or the errors
 * of `ws_connection_new`.
 */
ws_status ws_server_handshake_open(struct ws_server_handshake *handshake,
                                   const struct ws_connection_options *options,
                                   struct ws_connection **connection);

/**
 * Masks or unmasks a payload in place (RFC 6455, 5.3), which is the same: with the four bytes of
 * `key`, such as those of a `ws_head`. `phase` is how many bytes of the frame's payload come
 * before these; 0 if the payload is masked at once.
 *
 * Returns `WS_OK`, or `WS_ERROR_NULL_POINTER` or `WS_ERROR_ARGUMENT`.
 */
ws_status ws_mask(const uint8_t *key, uint8_t *payload, size_t payload_len, size_t phase);

/**
 * Like `ws_mask`, but leaves the payload as it is and writes the result to `to`, which must have
 * room for `payload_len` bytes, may be uninitialised, and must not overlap with the payload.
 *
 * Returns `WS_OK`, or `WS_ERROR_NULL_POINTER`, `WS_ERROR_ARGUMENT` or `WS_ERROR_OVERLAP`.
 */
ws_status ws_mask_copy(const uint8_t *key,
                       const uint8_t *payload,
                       size_t payload_len,
                       uint8_t *to,
                       size_t phase);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WSCODEC_H */
