"""Masking, and the answer to a handshake's key."""

from __future__ import annotations

import os
import unittest
from typing import Any

from frames import KEY, xor
from wscodec import accept_key, mask, mask_in_place


class Masking(unittest.TestCase):
    def test_every_short_length_and_phase_is_that_of_a_byte_loop(self) -> None:
        data = os.urandom(400)
        for length in range(400):
            for phase in range(4):
                expected = xor(data[:length], KEY, phase)
                self.assertEqual(mask(data[:length], KEY, phase), expected, (length, phase))
                buffer = bytearray(data[:length])
                mask_in_place(buffer, KEY, phase)
                self.assertEqual(buffer, expected, (length, phase))

    def test_large_and_unaligned(self) -> None:
        data = os.urandom(300_001)
        numbers = int.from_bytes(data) ^ int.from_bytes((KEY * 75_001)[: len(data)])
        expected = numbers.to_bytes(len(data))
        for buffer in (data, bytearray(data), memoryview(data)):
            self.assertEqual(mask(buffer, KEY), expected)
        for start in range(1, 9):
            self.assertEqual(mask(memoryview(data)[start:], KEY, start), expected[start:])

    def test_twice_is_nothing(self) -> None:
        data = os.urandom(100_000)
        self.assertEqual(mask(mask(data, KEY), KEY), data)

    def test_wrong_arguments(self) -> None:
        for key in (b"", b"abc", b"abcde"):
            with self.assertRaisesRegex(ValueError, "a mask key has 4 bytes"):
                mask(b"data", key)
        wrong: list[Any] = ["text", 1, None]
        for thing in wrong:
            with self.assertRaises(TypeError):
                mask(thing, KEY)
            with self.assertRaises(TypeError):
                mask(b"data", thing)
            with self.assertRaises(TypeError):
                mask_in_place(thing, KEY)
        with self.assertRaises(BufferError):
            mask_in_place(b"bytes", KEY)
        with self.assertRaises(OverflowError):
            mask(b"data", KEY, -1)

    def test_the_answer_to_the_key_of_the_rfc(self) -> None:
        self.assertEqual(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        for wrong in ("", "short", "dGhlIHNhbXBsZSBub25jZQ=", "caf\u00e9"):
            with self.assertRaises(ValueError):
                accept_key(wrong)


if __name__ == "__main__":
    unittest.main()
