"""What clients and servers share: an open connection over an asyncio transport.

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
from collections.abc import AsyncIterable, Iterable
from typing import Any, NoReturn, Self, TypeAlias

from .. import _wscodec
from .._wscodec import Close, Pong, PreparedMessage, State
from ..exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ProtocolError,
    SendError,
)
from .settings import Settings

__all__ = ["Connection", "Data", "broadcast"]

Data: TypeAlias = str | bytes | bytearray | memoryview
"""A message, or a part of one: text if it is a ``str``."""

READ_BUFFER_LEN = 256 << 10
# From here on, pieces are written one by one: a system call more is cheaper than joining them.
UNJOINED_LEN_MIN = 64 << 10

_local = threading.local()


def _read_buffer() -> memoryview:
    """The buffer that all connections of this thread read into."""
    buffer: memoryview | None = getattr(_local, "buffer", None)
    if buffer is None:
        buffer = _local.buffer = memoryview(bytearray(READ_BUFFER_LEN))
    return buffer


class Connection(asyncio.BufferedProtocol):
    """An open WebSocket connection. ``connect`` and ``serve`` make them.

    Iterating yields messages until the connection is closed with 1000 or 1001, and raises
    ``ConnectionClosedError`` if it is closed otherwise::

        async for message in websocket:
            ...
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_buffer",
        "_cause",
        "_close_timer",
        "_closed",
        "_codec",
        "_head",
        "_is_fragmenting",
        "_is_read_paused",
        "_is_write_paused",
        "_keepalive",
        "_loop",
        "_messages",
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
        self._codec: _wscodec.Connection | None = None
        self._buffer = _read_buffer()
        # Received messages; those before `_head` have been taken.
        self._messages: list[str | bytes] = []
        self._head = 0
        self._receiver: asyncio.Future[None] | None = None
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

    # What users call.

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
    def local_address(self) -> Any:
        """The socket's own address."""
        return self._extra("sockname")

    @property
    def remote_address(self) -> Any:
        """The peer's address."""
        return self._extra("peername")

    @property
    def transport(self) -> asyncio.Transport:
        """The transport, for its ``get_extra_info``: the socket, the TLS session."""
        assert self._transport is not None, "the connection is not made yet"
        return self._transport

    async def recv(self, decode: bool | None = None) -> str | bytes:
        """Receives the next message: ``str`` if it is text, ``bytes`` otherwise.

        ``decode`` asks for ``str`` or for ``bytes`` whatever the message is. Cancelling loses
        nothing. Raises ``ConnectionClosed`` once the connection is closed and all that came before
        is received, and ``ConcurrencyError`` if another task receives.
        """
        head = self._head
        messages = self._messages
        while head == len(messages):
            if self._closed.done() or self.close_code is not None:
                await self._closed_now()
                raise self._closed_error()
            await self._wait_for_message()
            head = self._head
        message = messages[head]
        head += 1
        if head == len(messages):
            messages.clear()
            head = 0
        self._head = head
        if self._is_read_paused:
            self._resume_reading()
        if decode is None:
            return message
        if decode:
            return message if isinstance(message, str) else message.decode()
        return message.encode() if isinstance(message, str) else message

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.recv()
        except ConnectionClosedOK:
            raise StopAsyncIteration from None

    async def send(
        self, message: Data | Iterable[Data] | AsyncIterable[Data], text: bool | None = None
    ) -> None:
        """Sends a message: a ``str`` as text, ``bytes``, ``bytearray`` or ``memoryview`` as binary.
        ``text`` overrides that.

        An iterable, also an asynchronous one, is sent as one message in fragments.

        Waits while more than ``write_limit`` bytes wait to be written. A call that is cancelled
        while it waits sends nothing; a message goes out whole, or not at all. Raises
        ``ConnectionClosed`` once the connection is closing.
        """
        while self._is_write_paused or self._is_fragmenting:
            await self._wait_to_write()
        if isinstance(message, (str, bytes, bytearray, memoryview)):
            try:
                codec = self._open_codec()
                if text is None:
                    codec.send(message)
                elif text:
                    codec.send_text(message)
                else:
                    codec.send_binary(message.encode() if isinstance(message, str) else message)
            except SendError as error:
                await self._raise_closed(error)
            self._flush(len(message))
            return
        await self._send_fragments(message, text)

    async def ping(self, data: str | bytes | None = None) -> asyncio.Future[float]:
        """Sends a Ping, of four random bytes unless ``data`` says otherwise, and returns a future
        that is done when the Pong has come; its result is the time in seconds::

            pong = await websocket.ping()
            latency = await pong
        """
        if data is None:
            payload = os.urandom(4)
        else:
            payload = data.encode() if isinstance(data, str) else bytes(data)
        while self._is_write_paused:
            await self._wait_to_write()
        if self._pings is not None and payload in self._pings:
            raise ConcurrencyError("a Ping with the same payload waits for its Pong")
        try:
            return self._ping(payload)
        except SendError as error:
            await self._raise_closed(error)

    async def pong(self, data: str | bytes = b"") -> None:
        """Sends a Pong that was not asked for. Pings are answered without it."""
        while self._is_write_paused:
            await self._wait_to_write()
        try:
            self._open_codec().send_pong(data)
        except SendError as error:
            await self._raise_closed(error)
        self._flush()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection: sends a Close, waits for the peer's and for the end of the socket,
        but not longer than ``close_timeout`` each. Does nothing if it is closed already.
        """
        self._start_close(code, reason)
        await asyncio.shield(self._closed)

    async def wait_closed(self) -> None:
        """Waits until the connection is closed, by whatever side."""
        await asyncio.shield(self._closed)

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

    def resume_writing(self) -> None:
        self._is_write_paused = False
        if self._codec is not None:
            self._codec.hold_replies = False
            self._flush()
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
        messages = self._messages
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
        if has_control and (self.close_code is not None or not self._is_write_paused):
            self._flush()
            if self.close_code is not None:
                self._end()
        if (failure := codec.error) is not None:
            self._fail(failure)
        max_queue = self._settings.max_queue
        if max_queue is not None and len(messages) - self._head > max_queue:
            self._bound_queue(max_queue)
        if self._receiver is not None:
            self._wake_receiver()

    def _bound_queue(self, max_queue: int) -> None:
        """Stops reading until messages are taken; but once a Close has been sent, drops them, so
        that the answer can come."""
        assert self._codec is not None
        if self._codec.state == State.OPEN:
            if not self._is_read_paused and not self.transport.is_closing():
                self._is_read_paused = True
                self.transport.pause_reading()
        elif self.close_code is None:
            del self._messages[self._head + max_queue :]

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

    def _flush(self, message_len: int = 0) -> None:
        """Writes what the codec has."""
        codec, transport = self._codec, self._transport
        assert codec is not None and transport is not None
        if message_len >= UNJOINED_LEN_MIN:
            for piece in codec.buffers_to_send():
                transport.write(piece)
        elif data := codec.data_to_send():
            if not transport.is_closing():
                transport.write(data)

    async def _send_fragments(
        self, message: Iterable[Data] | AsyncIterable[Data], text: bool | None
    ) -> None:
        if isinstance(message, dict):
            raise TypeError("a dict is not a message: send its keys or its JSON")
        if isinstance(message, AsyncIterable):
            parts = aiter(message)
        elif isinstance(message, Iterable):
            parts = _each(message)
        else:
            raise TypeError(f"a message is str, bytes or an iterable, not {type(message).__name__}")
        part = await anext(parts, None)
        if part is None:
            return  # nothing was sent
        while self._is_write_paused or self._is_fragmenting:
            await self._wait_to_write()
        if text is None:
            text = isinstance(part, str)
        fragment = _as_kind(part, text)
        is_begun = False
        self._is_fragmenting = True
        try:
            while True:
                part = await anext(parts, None)
                self._open_codec().send_fragment(fragment, fin=part is None)
                is_begun = True
                self._flush()
                while self._is_write_paused:
                    await self._wait_to_write()
                if part is None:
                    return
                fragment = _as_kind(part, text)
        except SendError as error:
            await self._raise_closed(error)
        except BaseException:
            if is_begun:  # no other message can follow half a one
                self._start_close(1011, "a message ended in the middle")
            raise
        finally:
            self._is_fragmenting = False
            self._wake_writers()

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

    async def _closed_now(self) -> None:
        if not self._closed.done():
            await asyncio.shield(self._closed)

    async def _raise_closed(self, error: SendError) -> NoReturn:
        """Raises what an error of sending means: the connection is closed or closing, or the caller
        is wrong."""
        if error.name != "not_open":
            raise error
        await self._closed_now()
        raise self._closed_error() from None

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


async def _each(parts: Iterable[Data]) -> Any:
    for part in parts:
        yield part


def _as_kind(part: Data, text: bool) -> Data:
    if not isinstance(part, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"a part of a message is str or bytes, not {type(part).__name__}")
    if text:
        return part if isinstance(part, str) else bytes(part).decode()
    return part.encode() if isinstance(part, str) else part


def broadcast(connections: Iterable[Connection], message: Data) -> None:
    """Sends a message to all connections that are open, without waiting for any.

    It is encoded once, and compressed at most once. What a slow reader doesn't take stays in
    memory: `ping_timeout` ends it. Connections in the middle of a message of fragments are left
    out.
    """
    prepared = PreparedMessage(message)
    for connection in connections:
        codec = connection._codec
        if codec is None or connection.state != State.OPEN or connection._is_fragmenting:
            continue
        try:
            codec.send_prepared(prepared)
        except SendError:
            continue
        connection._flush()
