"""What a connection is told when it is opened, shared by all connections of one server."""

from __future__ import annotations

import dataclasses
from typing import TypedDict

from .._wscodec import Deflate

__all__ = ["Limits", "Settings", "deflate_of"]

NO_LIMIT = (1 << 63) - 1


class Limits(TypedDict):
    """The arguments of ``connection()`` of both handshakes."""

    message_size_max: int
    frame_size_max: int


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """Times are in seconds; ``None`` is for ever, or never. Sizes are in bytes."""

    open_timeout: float | None = 10
    ping_interval: float | None = 20
    ping_timeout: float | None = 20
    close_timeout: float | None = 10
    max_size: int | None = 1 << 20
    max_queue: int | None = 16
    write_limit: int = 32 << 10

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and value < 0:
                raise ValueError(f"{field.name} is {value}: it can't be negative")
        if self.max_queue == 0:
            raise ValueError("max_queue is 0: no message could be received")

    def limits(self) -> Limits:
        """What the peer may send."""
        size = NO_LIMIT if self.max_size is None else self.max_size
        return {"message_size_max": size, "frame_size_max": size}


def deflate_of(compression: str | Deflate | None, default: Deflate) -> Deflate | None:
    """What ``compression`` stands for: "deflate", preferences of one's own, or none."""
    if compression is None or isinstance(compression, Deflate):
        return compression
    if compression == "deflate":
        return default
    raise ValueError(f'compression is {compression!r}: use "deflate", a Deflate, or None')
