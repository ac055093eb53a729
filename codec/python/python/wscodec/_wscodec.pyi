"""The types of the extension module, and its documentation."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal, TypeAlias, final, overload

from typing_extensions import Buffer

from .exceptions import ProtocolError

Event: TypeAlias = str | bytes | Ping | Pong | Close
"""What a connection reports: a text message, a binary message, or a control frame."""

ViewEvent: TypeAlias = str | memoryview | Ping | Pong | Close
"""The same, with binary messages as views."""

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
"""Headers to send."""

@final
class State:
    """The state of a connection (RFC 6455, 4.1, 7.1.3, 7.1.4).

    ``OPEN``: messages go both ways. ``CLOSING``: a Close has been sent and the peer's has not
    arrived: messages may still arrive. ``CLOSED``: both have been exchanged, or the connection has
    failed; write what is left to send, then close the socket. ``CONNECTING``: the opening
    handshake is not done, which is never the state of a ``Connection`` without I/O.
    """

    CONNECTING: ClassVar[State]
    OPEN: ClassVar[State]
    CLOSING: ClassVar[State]
    CLOSED: ClassVar[State]
    def __int__(self) -> int: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Ping:
    """A Ping. The Pong is already in the output."""

    __match_args__: ClassVar[tuple[Literal["payload"]]]
    def __new__(cls, payload: bytes = b"") -> Ping: ...
    @property
    def payload(self) -> bytes: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Pong:
    """A Pong, solicited or not."""

    __match_args__: ClassVar[tuple[Literal["payload"]]]
    def __new__(cls, payload: bytes = b"") -> Pong: ...
    @property
    def payload(self) -> bytes: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Close:
    """The peer's Close. ``code`` is ``None`` if it was empty, which other APIs report as 1005.

    The answer is already in the output.
    """

    __match_args__: ClassVar[tuple[Literal["code"], Literal["reason"]]]
    def __new__(cls, code: int | None = None, reason: str = "") -> Close: ...
    @property
    def code(self) -> int | None: ...
    @property
    def reason(self) -> str: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Connection:
    """One side of an open WebSocket connection, without I/O.

    Any thread may call it; calls wait for each other. What is returned by ``data_to_send`` must be
    written in order.

    While nothing is half received it takes about half a KiB. Payloads of 64 KiB and more are
    copied, masked and unmasked with the GIL released, and from 4 KiB on where they are compressed;
    but not those in a buffer that can change, such as a ``bytearray``.
    """

    @staticmethod
    def client(
        *,
        deflate: DeflateAgreed | None = None,
        message_size_max: int | None = None,
        frame_size_max: int | None = None,
        fragments_max: int | None = None,
    ) -> Connection:
        """Creates the client's side of a connection whose opening handshake is done.

        The peer may send messages of ``message_size_max`` bytes (default 64 MiB, after inflation),
        frames of ``frame_size_max`` bytes (default 16 MiB) and messages of ``fragments_max`` frames
        (default 131,072). No memory is taken for a length that a header merely claims.
        """

    @staticmethod
    def server(
        *,
        deflate: DeflateAgreed | None = None,
        message_size_max: int | None = None,
        frame_size_max: int | None = None,
        fragments_max: int | None = None,
    ) -> Connection:
        """Creates the server's side of a connection whose opening handshake is done; see
        ``client``."""

    @property
    def is_client(self) -> bool: ...
    @property
    def state(self) -> State: ...
    @property
    def is_clean(self) -> bool:
        """Whether both Close frames were exchanged (RFC 6455, 7.1.4)."""

    @property
    def error(self) -> ProtocolError | None:
        """Why the connection failed, if it did."""

    @property
    def has_data_to_send(self) -> bool: ...
    @property
    def hold_replies(self) -> bool:
        """Whether replies wait while input is taken: of Pongs only the newest, and the answer to a
        Close. Set it while the socket takes no more: a peer that sends Pings and reads nothing then
        fills no memory. The next call that sends, or asks what to send, writes them."""

    @hold_replies.setter
    def hold_replies(self, hold: bool) -> None: ...
    @property
    def buffered(self) -> int:
        """The memory that an incomplete message takes, in bytes."""

    def receive(self, data: Buffer) -> list[Event]:
        """Takes what was read, and returns the events that are complete.

        Afterwards ``data_to_send`` may hold replies: Pongs, and the answer to a Close. All of
        ``data`` is taken: an incomplete end is kept. After a Close, further input is dropped.

        Raises ``ProtocolError`` once the peer has broken the protocol or a limit. Events before the
        violation are returned first, and the next call raises; ``error`` tells at once. The Close
        that reports the error is in the output.
        """

    @overload
    def receive_into(
        self, buffer: Buffer, nbytes: int | None = None, *, views: Literal[False] = False
    ) -> list[Event]:
        """Like ``receive``, from the first ``nbytes`` bytes of a writable buffer, as
        ``socket.recv_into`` fills it. Payloads are unmasked where they lie, which changes the
        buffer.

        With ``views``, a binary message is a ``memoryview``: of ``buffer``, if it lies whole in it.
        Such a view is valid until the buffer is written to again. Nothing is copied.

        No other thread may use the buffer meanwhile.
        """

    @overload
    def receive_into(
        self, buffer: Buffer, nbytes: int | None = None, *, views: Literal[True]
    ) -> list[ViewEvent]: ...
    def receive_eof(self) -> None:
        """Tells the connection that the peer's stream has ended.

        Raises ``ProtocolError`` (``unexpected_eof``, which other APIs report as 1006) if there was
        no Close from the peer.
        """

    def send(self, message: str | Buffer, *, compress: bool = True) -> None:
        """Sends a ``str`` as text, anything else as binary. A client masks it with a fresh key
        while it is copied.

        With permessage-deflate, ``compress=False`` leaves a message as it is: for what is
        compressed already, and for secrets (RFC 7692, 8).

        Raises ``SendError`` after a Close or a failure, and while a message of fragments is open.
        """

    def send_text(self, message: str | Buffer, *, compress: bool = True) -> None:
        """Like ``send``, as text: a ``str``, or bytes that are UTF-8."""

    def send_binary(self, message: Buffer, *, compress: bool = True) -> None:
        """Like ``send``, as binary."""

    def send_fragment(self, data: str | Buffer, *, fin: bool) -> None:
        """Sends a part of a message: all of one message are ``str``, or none is. ``fin`` ends it."""

    def send_prepared(self, message: PreparedMessage) -> None:
        """Sends a message that was prepared for many connections."""

    def send_ping(self, payload: str | Buffer | None = None) -> None:
        """Asks the peer for a Pong with the same payload of at most 125 bytes."""

    def send_pong(self, payload: str | Buffer | None = None) -> None:
        """Sends a Pong that was not asked for. Pings are answered without it."""

    def send_close(self, code: int | None = 1000, reason: str = "") -> None:
        """Starts the closing handshake. ``code`` is 1000-1003, 1007-1014 or 3000-4999, or ``None``
        for an empty Close; ``reason`` has at most 123 bytes."""

    def data_to_send(self) -> bytes:
        """Takes what is to be written to the socket, replies included."""

    def buffers_to_send(self) -> list[bytes]:
        """Like ``data_to_send``, in pieces for ``socket.sendmsg``. A large ``bytes`` that a server
        sends is among them itself, not copied."""

    def split(self) -> tuple[Receiver, Sender]:
        """Takes the connection apart, for one thread that receives and another that sends."""

@final
class Receiver:
    """The receiving half of a connection. It writes nothing: ``replies`` are for the other half."""

    def receive(self, data: Buffer) -> list[Event]:
        """See ``Connection.receive``."""

    def receive_eof(self) -> None:
        """See ``Connection.receive_eof``."""

    def replies(self) -> list[Reply]:
        """Takes the replies to what was received: pass each to ``Sender.reply``. Ask also after an
        exception."""

    @property
    def is_done(self) -> bool:
        """Whether no event will follow: the peer's Close has arrived, or the connection failed."""

@final
class Reply:
    """A Pong, a Close or a failure, on its way from ``Receiver`` to ``Sender``."""

@final
class Sender:
    """The sending half of a connection."""

    @property
    def state(self) -> State: ...
    @property
    def has_data_to_send(self) -> bool: ...
    def reply(self, reply: Reply) -> None:
        """Sends a reply, if it may still be sent."""

    def send(self, message: str | Buffer, *, compress: bool = True) -> None:
        """See ``Connection.send``."""

    def send_text(self, message: str | Buffer, *, compress: bool = True) -> None:
        """See ``Connection.send_text``."""

    def send_binary(self, message: Buffer, *, compress: bool = True) -> None:
        """See ``Connection.send_binary``."""

    def send_fragment(self, data: str | Buffer, *, fin: bool) -> None:
        """See ``Connection.send_fragment``."""

    def send_prepared(self, message: PreparedMessage) -> None:
        """See ``Connection.send_prepared``."""

    def send_ping(self, payload: str | Buffer | None = None) -> None:
        """See ``Connection.send_ping``."""

    def send_pong(self, payload: str | Buffer | None = None) -> None:
        """See ``Connection.send_pong``."""

    def send_close(self, code: int | None = 1000, reason: str = "") -> None:
        """See ``Connection.send_close``."""

    def data_to_send(self) -> bytes:
        """See ``Connection.data_to_send``."""

    def buffers_to_send(self) -> list[bytes]:
        """See ``Connection.buffers_to_send``."""

@final
class PreparedMessage:
    """A message for a broadcast: encoded once, compressed at most once, and shared by all servers'
    connections that send it."""

    def __new__(cls, message: str | Buffer) -> PreparedMessage: ...
    def __len__(self) -> int:
        """The length of the message, in bytes."""

@final
class Deflate:
    """One side's preferences for permessage-deflate (RFC 7692)."""

    @staticmethod
    def client(
        *,
        server_context_takeover: bool | None = None,
        client_context_takeover: bool | None = None,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | None = None,
        level: int | None = None,
        size_min: int | None = None,
    ) -> Deflate:
        """What a client offers: as browsers do, unless told otherwise.

        ``*_context_takeover``: whether that side's messages may refer to earlier ones.
        ``*_max_window_bits``: 8 to 15. ``level``: 1, the fastest, to 9, the smallest; default 4.
        Messages of fewer than ``size_min`` bytes (default 64) are sent as they are.
        """

    @staticmethod
    def server(
        *,
        server_context_takeover: bool | None = None,
        client_context_takeover: bool | None = None,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | None = None,
        level: int | None = None,
        size_min: int | None = None,
    ) -> Deflate:
        """What a server accepts: windows of 4 KiB unless told otherwise; see ``client``."""

    @property
    def server_context_takeover(self) -> bool: ...
    @property
    def client_context_takeover(self) -> bool: ...
    @property
    def server_max_window_bits(self) -> int: ...
    @property
    def client_max_window_bits(self) -> int: ...
    @property
    def level(self) -> int: ...
    @property
    def size_min(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class DeflateAgreed:
    """What client and server agreed on."""

    @property
    def server_context_takeover(self) -> bool: ...
    @property
    def client_context_takeover(self) -> bool: ...
    @property
    def server_max_window_bits(self) -> int: ...
    @property
    def client_max_window_bits(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Response:
    """The head of a server's response."""

    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def subprotocol(self) -> str | None: ...
    def header(self, name: str, /) -> str | None:
        """The value of the first header with that name, in any case."""

@final
class Request:
    """A request for a WebSocket that may be accepted."""

    @property
    def target(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str | None: ...
    @property
    def host(self) -> str: ...
    @property
    def origin(self) -> str | None: ...
    @property
    def subprotocols(self) -> list[str]: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    def header(self, name: str, /) -> str | None:
        """The value of the first header with that name, in any case."""

@final
class HttpRequest:
    """A request that does not ask for a WebSocket: its head. Its body is still to be read."""

    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def minor_version(self) -> int: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def head(self) -> bytes:
        """The bytes of the head, for an HTTP server that goes on with them."""

    def header(self, name: str, /) -> str | None:
        """The value of the first header with that name, in any case."""

@final
class ClientHandshake:
    """A client's connection while it is CONNECTING (RFC 6455, 4.1). It has no clock: bound the
    time until ``receive`` is done."""

    def __new__(
        cls,
        host: str,
        target: str = "/",
        *,
        subprotocols: list[str] = ...,
        origin: str | None = None,
        headers: Headers | None = None,
        deflate: Deflate | Iterable[Deflate] | None = None,
        key: Buffer | None = None,
    ) -> ClientHandshake:
        """Writes a request for ``target`` to the server ``host``, including the port unless it is
        the scheme's default. ``deflate`` is offered, several in order of preference. ``key`` is for
        tests: 16 bytes instead of random ones.

        Raises ``HandshakeMisuse`` for what would change the meaning of the request.
        """

    def data_to_send(self) -> bytes: ...
    def receive(self, data: Buffer) -> Response | None:
        """Takes what was read, and returns the response once the server has accepted, ``None``
        before. Raises ``HandshakeError`` as soon as the bytes show why the connection fails."""

    def receive_eof(self) -> None:
        """Tells the handshake that the stream has ended. Raises ``HandshakeError`` unless it is
        done."""

    @property
    def response(self) -> Response | None:
        """The final response once its head is complete, also where it refuses."""

    @property
    def unread(self) -> bytes:
        """What came after the response: the first input of the connection, or the content of a
        refusal."""

    @property
    def deflate(self) -> DeflateAgreed | None: ...
    def connection(
        self,
        *,
        message_size_max: int | None = None,
        frame_size_max: int | None = None,
        fragments_max: int | None = None,
    ) -> Connection:
        """Opens the connection with what was agreed; see ``Connection.client``."""

@final
class ServerHandshake:
    """A server's connection while it is CONNECTING (RFC 6455, 4.2). It has no clock: bound the
    time until ``receive`` is done, counted from the connection's start."""

    def __new__(
        cls,
        *,
        http: bool = False,
        head_size_max: int | None = None,
        start_line_size_max: int | None = None,
        headers_max: int | None = None,
    ) -> ServerHandshake:
        """With ``http``, a request that does not ask for a WebSocket is a result, not an error.

        The peer may send a head of ``head_size_max`` bytes (default 16 KiB), a request line of
        ``start_line_size_max`` (default 8 KiB) and ``headers_max`` headers (default 100).
        """

    def receive(self, data: Buffer) -> Request | HttpRequest | None:
        """Takes what was read, and returns the request once it is complete. Raises
        ``HandshakeError``, which ``reject_failed`` answers."""

    def receive_eof(self) -> None:
        """Tells the handshake that the stream has ended. Raises ``HandshakeError`` unless the
        request was complete."""

    def accept(
        self,
        *,
        subprotocol: str | None = None,
        headers: Headers | None = None,
        deflate: Deflate | None = None,
    ) -> None:
        """Writes the 101 that opens the connection. ``deflate`` is used if the client offers it.

        Raises ``HandshakeMisuse``; the request then still waits for an answer.
        """

    def reject(
        self, status: int, *, headers: Headers | None = None, body: str | Buffer | None = None
    ) -> None:
        """Writes a response that refuses, or that answers plain HTTP, with any status of 200 to
        599. It says ``Connection: close``: write it, then close the socket."""

    def reject_failed(self) -> None:
        """Writes the response that reports the ``HandshakeError`` which ``receive`` has raised."""

    def data_to_send(self) -> bytes: ...
    @property
    def unread(self) -> bytes:
        """What came after the request: the first input of the connection, or the body of plain
        HTTP."""

    @property
    def deflate(self) -> DeflateAgreed | None: ...
    def connection(
        self,
        *,
        message_size_max: int | None = None,
        frame_size_max: int | None = None,
        fragments_max: int | None = None,
    ) -> Connection:
        """Opens the connection with what was agreed; see ``Connection.server``."""

def mask(data: Buffer, key: Buffer, /, phase: int = 0) -> bytes:
    """Returns ``data`` XOR the repeating ``key`` of four bytes, copied and masked in one pass
    (RFC 6455, 5.3). ``phase`` is how many bytes of the payload came before."""

def mask_in_place(buffer: Buffer, key: Buffer, /, phase: int = 0) -> None:
    """XORs the repeating ``key`` over a writable buffer."""

def accept_key(key: str, /) -> str:
    """Returns the ``Sec-WebSocket-Accept`` that answers a ``Sec-WebSocket-Key``. Raises
    ``ValueError`` unless the key is 16 bytes in base64."""
