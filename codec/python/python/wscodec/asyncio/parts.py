"""A message that is given in parts, each of which becomes a fragment."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import TypeAlias

__all__ = ["Data", "as_kind", "parts_of"]

Data: TypeAlias = str | bytes | bytearray | memoryview
"""A message, or a part of one: text if it is a ``str``."""


def parts_of(message: Iterable[Data] | AsyncIterable[Data]) -> AsyncIterator[Data]:
    """Iterates over the parts, whether they come at once or later."""
    if isinstance(message, dict):
        raise TypeError("a dict is not a message: send its keys or its JSON")
    if isinstance(message, AsyncIterable):
        return aiter(message)
    if isinstance(message, Iterable):
        return _each(message)
    raise TypeError(f"a message is str, bytes or an iterable, not {type(message).__name__}")


async def _each(parts: Iterable[Data]) -> AsyncIterator[Data]:
    for part in parts:
        yield part


def as_kind(part: Data, text: bool) -> Data:
    """Returns a part as text, or as bytes."""
    if not isinstance(part, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"a part of a message is str or bytes, not {type(part).__name__}")
    if text:
        return part if isinstance(part, str) else bytes(part).decode()
    return part.encode() if isinstance(part, str) else part
