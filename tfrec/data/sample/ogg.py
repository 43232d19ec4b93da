"""Gives an Ogg file a fixed stream serial number, which the encoder draws from the clock, so that bytes repeat.

Page layout and checksum: RFC 3533, section 6 (CRC-32 with polynomial 0x04c11db7, not reflected, zero start).
"""

from __future__ import annotations

import struct

_HEADER = 27


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


_TABLE = _table()


def with_serial(content: bytes, serial: int) -> bytes:
    """The same Ogg stream with another serial number and the checksums that go with it.

    Raises:
        ValueError: if the content is no sequence of Ogg pages.
    """
    pages = bytearray(content)
    start = 0
    while start < len(pages):
        if pages[start : start + 4] != b"OggS":
            raise ValueError(f"no Ogg page at byte {start}")
        segments = pages[start + 26]
        end = start + _HEADER + segments + sum(pages[start + _HEADER : start + _HEADER + segments])
        struct.pack_into("<I", pages, start + 14, serial)
        struct.pack_into("<I", pages, start + 22, 0)
        struct.pack_into("<I", pages, start + 22, page_checksum(bytes(pages[start:end])))
        start = end
    return bytes(pages)


def page_checksum(page: bytes) -> int:
    """The checksum of one page whose checksum field is zero."""
    value = 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ _TABLE[(value >> 24) ^ byte]
    return value
