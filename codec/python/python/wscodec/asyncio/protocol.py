"""An open connection between the codec and an asyncio transport: what runs by callbacks.

::

    socket ── get_buffer, buffer_updated ──▶ codec ──▶ queue ── recv ──▶ user
    socket ◀── transport.write ── data_to_send ── codec ◀── send ── user

All connections of a thread read into one buffer, because the codec takes all input at once: a
connection that waits holds no read buffer.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

from .. import _wscodec
from .._wscodec import Close, Pong, State
from ..exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ProtocolError,
    SendError,
)
from .parts import Data
from .settings import Settings

__all__ = ["ConnectionProtocol"]

READ_BUFFER_LEN = 512 << 10
# From here on, header and payload are written together without joining them first, if the socket can be
# written to directly.
VECTORED_LEN_MIN = 16 << 10
# The most pieces of one such write: what POSIX calls IOV_MAX.
PIECES_MAX = 1024
# Otherwise, from here on pieces are written one by one. Below, joining them is cheaper than another system
# call; above, malloc takes fresh pages from the kernel for the copy, which cost more than the rest of an echo.
UNJOINED_LEN_MIN = 128 << 10
# What the answers to messages that were read together may come to before they are written.
DEFERRED_LEN_MAX = 16 << 10

_local = threading.local()


def _read_buffer() -> memoryview:
    """The buffer that all connections of this thread read into."""
    buffer: memoryview | None = getattr(_local, "buffer", None)
    if buffer is None:
        buffer = _local.buffer = memoryview(bytearray(READ_BUFFER_LEN))
    return buffer


class ConnectionProtocol(asyncio.BufferedProtocol):
    """The state of a connection, and what the transport and timers call."""

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_buffer",
        "_cause",
        "_close_timer",
        "_closed",
        "_codec",
        "_deferred_len",
        "_fd",
        "_head",
        "_is_delivering",
        "_is_flush_due",
        "_is_fragmenting",
        "_is_read_paused",
        "_is_write_paused",
        "_keepalive",
        "_loop",
        "_messages",
        "_on_message",
        "_pings",
        "_receiver",
        "_settings",
        "_transport",
        "_writers",
        "close_code",
        "close_reason",
        "latency",
        "subprotocol",
    )

    close_code: int | None
    """The peer's close code once the connection is closed: 1005 if its Close was empty, 1006 if
    there was none."""
    close_reason: str | None
    latency: float
    """The time from the last Ping to its Pong, in seconds; 0 before the first."""
    subprotocol: str | None

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        # The socket, for writes of several pieces; None if a transport stands between, such as TLS.
        self._fd: int | None = None
        self._codec: _wscodec.Connection | None = None
        self._buffer = _read_buffer()
        # Received messages; those before `_head` have been taken.
        self._messages: list[str | bytes] = []
        self._head = 0
        self._receiver: asyncio.Future[None] | None = None
        # What is called with messages instead, and whether that is being done.
        self._on_message: Callable[[str | bytes], object] | None = None
        self._is_delivering = False
        # What has been sent and not been written, in bytes of payload, and whether a callback will.
        self._deferred_len = 0
        self._is_flush_due = False
        # Those who wait until the transport takes more, or until a message of fragments is sent.
        self._writers: list[asyncio.Future[None]] | None = None
        self._is_fragmenting = False
        self._is_read_paused = False
        self._is_write_paused = False
        # Pings that wait for their Pongs, in the order of sending.
        self._pings: dict[bytes, tuple[asyncio.Future[float], float]] | None = None
        self._keepalive: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        # Done once the transport is closed.
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._cause: Exception | None = None
        self.close_code = None
        self.close_reason = None
        self.latency = 0.0
        self.subprotocol = None

    @property
    def state(self) -> State:
        """The state of the connection; ``CLOSED`` once the socket is closed."""
        if self._closed.done():
            return State.CLOSED
        if self._codec is None:
            return State.CONNECTING
        state = self._codec.state
        return State.CLOSING if state == State.CLOSED else state

    @property
    def transport(self) -> asyncio.Transport:
        """The transport, for its ``get_extra_info``: the socket, the TLS session."""
        assert self._transport is not None, "the connection is not made yet"
        return self._transport

    # What subclasses call.

    def _open(self, codec: _wscodec.Connection, unread: bytes) -> None:
        """Begins with what the handshake has agreed on and left."""
        self._codec = codec
        if self._is_write_paused:
            codec.hold_replies = True
        interval = self._settings.ping_interval
        if interval is not None:
            self._keepalive = self._loop.call_later(interval, self._send_keepalive)
        if unread:
            self._receive(codec.receive, unread)

    def _handshake_input(self, data: bytes) -> None:
        raise NotImplementedError

    def _handshake_ended(self, cause: Exception | None) -> None:
        raise NotImplementedError

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and transport.get_extra_info("sslcontext") is None and hasattr(os, "writev"):
            self._fd = sock.fileno()
        transport.set_write_buffer_limits(self._settings.write_limit)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        codec = self._codec
        if codec is None:
            self._handshake_input(bytes(self._buffer[:nbytes]))
        else:
            self._receive(codec.receive_into, self._buffer, nbytes)

    def eof_received(self) -> bool:
        codec = self._codec
        if codec is not None:
            try:
                codec.receive_eof()
            except ProtocolError as error:
                self._cause = self._cause or error
        return False  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self._fd = None
        if exc is not None:
            self._cause = self._cause or exc
        codec = self._codec
        if codec is None:
            self._handshake_ended(exc)
        else:
            try:
                codec.receive_eof()
            except ProtocolError as error:
                self._cause = self._cause or error
        for timer in (self._keepalive, self._close_timer):
            if timer is not None:
                timer.cancel()
        self._keepalive = self._close_timer = None
        if self.close_code is None:
            self.close_code, self.close_reason = 1006, ""
        if not self._closed.done():
            self._closed.set_result(None)
        self._wake_receiver()
        self._wake_writers()
        if self._pings is not None:
            for pong, _ in self._pings.values():
                if not pong.done():
                    pong.set_exception(self._closed_error())
                    pong.exception()  # nobody need wait for a Pong
            self._pings = None

    def pause_writing(self) -> None:
        self._is_write_paused = True
        # Replies wait, too: a peer that sends Pings and reads nothing fills no memory.
        if self._codec is not None:
            self._codec.hold_replies = True
        # The same holds for a callback that answers.
        if self._on_message is not None and not self._is_read_paused:
            self._pause_reading()

    def resume_writing(self) -> None:
        self._is_write_paused = False
        if self._codec is not None:
            self._codec.hold_replies = False
            self._flush()
        if self._is_read_paused:
            self._resume_reading()
        self._wake_writers()

    # Receiving.

    def _receive(self, receive: Any, *data: Any) -> None:
        """Takes input by a method of the codec."""
        codec = self._codec
        assert codec is not None
        # What comes after a failure is dropped, until the peer ends the stream.
        try:
            events = receive(*data)
        except ProtocolError as error:
            self._fail(error)
            return
        if not events:
            return
        messages = self._messages if self._on_message is None else []
        has_control = False
        for event in events:
            if type(event) is str or type(event) is bytes:
                messages.append(event)
            else:
                has_control = True
                if type(event) is Pong:
                    self._take_pong(event.payload)
                elif type(event) is Close:
                    self.close_code = 1005 if event.code is None else event.code
                    self.close_reason = event.reason
        if messages and self._on_message is not None:
            self._deliver(messages)
        if has_control and (self.close_code is not None or not self._is_write_paused):
            self._flush()
            if self.close_code is not None:
                self._end()
        if (failure := codec.error) is not None:
            self._fail(failure)
        max_queue = self._settings.max_queue
        if max_queue is not None and len(self._messages) - self._head > max_queue:
            self._bound_queue(max_queue)
        if self._receiver is not None:
            self._wake_receiver()

    def _deliver(self, messages: list[str | bytes]) -> None:
        """Calls back, and writes the answers together."""
        self._is_delivering = True
        try:
            for message in messages:
                if self._on_message is None:  # by the callback itself
                    self._messages.append(message)
                else:
                    self._on_message(message)
        except Exception as error:
            if not isinstance(error, SendError) or error.name != "not_open":
                context = {"message": "on_message failed", "exception": error, "protocol": self}
                self._loop.call_exception_handler(context)
                self._start_close(1011, "")
        finally:
            self._is_delivering = False
        if self._deferred_len and self._codec is not None:
            self._flush()

    def _bound_queue(self, max_queue: int) -> None:
        """Stops reading until messages are taken; but once a Close has been sent, drops them, so
        that the answer can come."""
        assert self._codec is not None
        if self._codec.state == State.OPEN:
            if not self._is_read_paused:
                self._pause_reading()
        elif self.close_code is None:
            del self._messages[self._head + max_queue :]

    def _pause_reading(self) -> None:
        if not self.transport.is_closing():
            self._is_read_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        """Reads again once a quarter of the queue is left."""
        max_queue = self._settings.max_queue or 0
        if len(self._messages) - self._head <= max_queue // 4:
            self._is_read_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    async def _wait_for_message(self) -> None:
        if self._receiver is not None:
            raise ConcurrencyError("another task receives from this connection")
        self._receiver = self._loop.create_future()
        try:
            await self._receiver
        finally:
            self._receiver = None

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    # Sending.

    def _open_codec(self) -> _wscodec.Connection:
        if self._codec is None or self._closed.done() or self.transport.is_closing():
            raise SendError("connection is not open", 201, "not_open")
        return self._codec

    def _put(self, message: Data, text: bool | None) -> None:
        """Gives a message to the codec."""
        codec = self._open_codec()
        if text is None:
            codec.send(message)
        elif text:
            codec.send_text(message)
        else:
            codec.send_binary(message.encode() if isinstance(message, str) else message)

    def _write(self, message_len: int, may_wait: bool) -> None:
        """Writes what the codec has: at once, or together with what is likely to follow before the
        event loop goes on."""
        self._deferred_len += message_len + 1
        if not may_wait or self._deferred_len > DEFERRED_LEN_MAX:
            self._flush(message_len)
        elif not self._is_delivering and not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush_due)

    def _flush_due(self) -> None:
        self._is_flush_due = False
        if self._deferred_len and self._transport is not None:
            self._flush()

    def _flush(self, message_len: int = 0) -> None:
        """Writes what the codec has."""
        codec, transport = self._codec, self._transport
        assert codec is not None and transport is not None
        self._deferred_len = 0
        if message_len >= (UNJOINED_LEN_MIN if self._fd is None else VECTORED_LEN_MIN):
            self._write_pieces(codec.buffers_to_send())
        elif data := codec.data_to_send():
            if not transport.is_closing():
                transport.write(data)

    def _write_pieces(self, pieces: list[bytes]) -> None:
        """Writes pieces in one system call, if nothing waits in the transport; it gets what the socket
        does not take."""
        transport = self._transport
        assert transport is not None
        if transport.is_closing():
            return
        written = 0
        if self._fd is not None and not transport.get_write_buffer_size():
            try:
                written = os.writev(self._fd, pieces[:PIECES_MAX])
            except OSError:
                pass  # it is full, or the transport meets the same error
        for piece in pieces:
            if written < len(piece):
                transport.write(memoryview(piece)[written:] if written else piece)
            written = max(written - len(piece), 0)

    async def _wait_to_write(self) -> None:
        if self._closed.done():
            raise self._closed_error()
        waiter = self._loop.create_future()
        if self._writers is None:
            self._writers = []
        self._writers.append(waiter)
        try:
            await waiter
        finally:
            if self._writers is not None and waiter in self._writers:
                self._writers.remove(waiter)
        if self._closed.done():
            raise self._closed_error()

    def _wake_writers(self) -> None:
        writers, self._writers = self._writers, None
        for waiter in writers or ():
            if not waiter.done():
                waiter.set_result(None)

    # Pings.

    def _ping(self, payload: bytes) -> asyncio.Future[float]:
        self._open_codec().send_ping(payload)
        self._flush()
        if self._pings is None:
            self._pings = {}
        pong = self._loop.create_future()
        self._pings[payload] = (pong, self._loop.time())
        return pong

    def _take_pong(self, payload: bytes) -> None:
        """A Pong answers its Ping, and all before it (RFC 6455, 5.5.3)."""
        pings = self._pings
        if not pings or payload not in pings:
            return
        now = self._loop.time()
        for known in list(pings):
            pong, sent = pings.pop(known)
            self.latency = now - sent
            if not pong.done():
                pong.set_result(self.latency)
            if known == payload:
                break
        if not pings:
            self._pings = None

    def _send_keepalive(self) -> None:
        """Sends a Ping, and asks for its Pong `ping_timeout` later."""
        self._keepalive = None
        if self._is_write_paused:
            # The peer is reading slowly, or not at all: the Ping would wait behind what it doesn't read.
            pong = self._loop.create_future()
        else:
            try:
                pong = self._ping(os.urandom(4))
            except SendError:
                return  # closing
        timeout, interval = self._settings.ping_timeout, self._settings.ping_interval
        assert interval is not None
        if timeout is None:
            self._keepalive = self._loop.call_later(interval, self._send_keepalive)
        else:
            self._keepalive = self._loop.call_later(
                timeout, self._check_keepalive, pong, max(interval - timeout, 0), self._is_write_paused
            )

    def _check_keepalive(
        self, pong: asyncio.Future[float], rest: float, was_write_paused: bool
    ) -> None:
        if pong.done() or (was_write_paused and not self._is_write_paused):
            self._keepalive = self._loop.call_later(rest, self._send_keepalive)
            return
        self._keepalive = None
        self._cause = self._cause or TimeoutError("no Pong within ping_timeout")
        self._start_close(1011, "keepalive ping timeout")
        # Whoever doesn't answer Pings won't answer a Close.
        self._abort()

    # Closing.

    def _start_close(self, code: int, reason: str) -> None:
        codec, transport = self._codec, self._transport
        if self._closed.done() or transport is None:
            return
        if codec is None:
            transport.abort()
            return
        try:
            codec.send_close(code, reason)
        except SendError as error:
            if error.name != "not_open":
                raise
        self._flush()
        if self._is_read_paused:
            self._is_read_paused = False
            if not transport.is_closing():
                transport.resume_reading()
        if self._close_timer is None and self._settings.close_timeout is not None:
            timeout = self._settings.close_timeout
            self._close_timer = self._loop.call_later(timeout, self._abort)

    def _end(self) -> None:
        """Ends the socket after both Closes: "the server MUST close the connection first"
        (RFC 6455, 7.1.1)."""
        assert self._codec is not None
        if not self._codec.is_client:
            self.transport.close()
        if self._close_timer is None and self._settings.close_timeout is not None:
            timeout = self._settings.close_timeout
            self._close_timer = self._loop.call_later(timeout, self._abort)

    def _fail(self, error: ProtocolError) -> None:
        """Ends a connection whose peer broke the protocol: the Close that tells it is in the
        output."""
        if self._cause is not None:
            return
        self._cause = error
        self._flush()
        # Only this half is closed: with input unread, closing both would reset the connection, and
        # the Close might not arrive.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
        if self._close_timer is None and self._settings.close_timeout is not None:
            timeout = self._settings.close_timeout
            self._close_timer = self._loop.call_later(timeout, self._abort)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _closed_error(self) -> ConnectionClosed:
        code = 1006 if self.close_code is None else self.close_code
        reason = self.close_reason or ""
        is_ok = code in (1000, 1001, 1005) and not isinstance(self._cause, ProtocolError)
        error = ConnectionClosedOK(code, reason) if is_ok else ConnectionClosedError(code, reason)
        if not is_ok:
            error.__cause__ = self._cause
        return error

    def _extra(self, name: str) -> Any:
        return None if self._transport is None else self._transport.get_extra_info(name)
