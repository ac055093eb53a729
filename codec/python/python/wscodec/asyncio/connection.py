"""What clients and servers share: an open connection, as programs use it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any, NoReturn, Self

from ..exceptions import ConcurrencyError, ConnectionClosedOK, SendError
from .parts import Data, as_kind, parts_of
from .protocol import ConnectionProtocol

__all__ = ["Connection", "Data"]


class Connection(ConnectionProtocol):
    """An open WebSocket connection. ``connect`` and ``serve`` make them.

    Iterating yields messages until the connection is closed with 1000 or 1001, and raises
    ``ConnectionClosedError`` if it is closed otherwise::

        async for message in websocket:
            ...
    """

    __slots__ = ()

    @property
    def local_address(self) -> Any:
        """The socket's own address."""
        return self._extra("sockname")

    @property
    def remote_address(self) -> Any:
        """The peer's address."""
        return self._extra("peername")

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

    def on_message(self, callback: Callable[[str | bytes], object] | None) -> None:
        """Calls ``callback`` with each message as it is read, beginning with those that wait, instead
        of keeping it for ``recv``. No task has to wake up: that is the fastest way to answer, by
        ``send_nowait``. ``None`` ends it::

            websocket.on_message(websocket.send_nowait)  # an echo
            await websocket.wait_closed()

        What the answers to one read come to is written together. Nothing is read while more than
        ``write_limit`` bytes wait to be written. When the callback raises, except a ``SendError``
        because the connection is closing, the connection is closed with 1011, and the event loop's
        exception handler is told.
        """
        self._on_message = callback
        if callback is None:
            return
        messages = self._messages[self._head :]
        self._messages.clear()
        self._head = 0
        if self._is_read_paused and not self._is_write_paused:
            self._resume_reading()
        if messages:
            self._deliver(messages)

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
                self._put(message, text)
            except SendError as error:
                await self._raise_closed(error)
            # Other messages wait to be received, and may be answered before the event loop goes on.
            self._write(len(message), may_wait=bool(self._messages))
            return
        await self._send_fragments(message, text)

    def send_nowait(self, message: Data, text: bool | None = None) -> None:
        """Sends a message as ``send`` does, without waiting for anything: what the peer doesn't read
        stays in memory. Meant for ``on_message``, which reads nothing more then.

        Raises ``SendError`` if the connection is not open.
        """
        self._put(message, text)
        self._write(len(message), may_wait=self._is_delivering)

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

    async def _send_fragments(
        self, message: Iterable[Data] | AsyncIterable[Data], text: bool | None
    ) -> None:
        parts = parts_of(message)
        part = await anext(parts, None)
        if part is None:
            return  # nothing was sent
        while self._is_write_paused or self._is_fragmenting:
            await self._wait_to_write()
        if text is None:
            text = isinstance(part, str)
        fragment = as_kind(part, text)
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
                fragment = as_kind(part, text)
        except SendError as error:
            await self._raise_closed(error)
        except BaseException:
            if is_begun:  # no other message can follow half a one
                self._start_close(1011, "a message ended in the middle")
            raise
        finally:
            self._is_fragmenting = False
            self._wake_writers()

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
