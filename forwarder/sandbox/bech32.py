"""Bech32 without its limit of 90 characters, as BOLT11 uses it: text over groups of five bits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import xor

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
VALUES = {character: value for value, character in enumerate(CHARSET)}
GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
# What the five bits that are shifted out leave behind, for each of their values.
REMAINDERS = [
    reduce(xor, (part for bit, part in enumerate(GENERATORS) if top >> bit & 1), 0)
    for top in range(32)
]
CHECKSUM_LENGTH = 6


def encode(prefix: str, groups: Sequence[int]) -> str:
    data = [*groups, *_checksum(prefix, groups)]
    return f"{prefix}1" + "".join(CHARSET[group] for group in data)


def decode(text: str) -> tuple[str, list[int]]:
    """The prefix and the data without its checksum; ValueError if any of it is wrong."""
    prefix, separator, tail = text.lower().rpartition("1")
    if not separator or len(tail) < CHECKSUM_LENGTH or any(c not in VALUES for c in tail):
        raise ValueError("not bech32")
    groups = [VALUES[character] for character in tail]
    if _polymod([*_expand(prefix), *groups]) != 1:
        raise ValueError("bad checksum")
    return prefix, groups[:-CHECKSUM_LENGTH]


def from_bytes(data: bytes) -> list[int]:
    """Groups of five bits, the last one filled up with zeros."""
    return _regroup(data, 8, 5, pad=True)


def to_bytes(groups: Sequence[int], *, pad: bool = False) -> bytes:
    """Whole bytes; bits left over are dropped, or kept in a last byte when `pad` is set."""
    return bytes(_regroup(groups, 5, 8, pad=pad))


def from_integer(value: int, length: int | None = None) -> list[int]:
    """Big-endian groups, as few as hold the value or exactly `length`."""
    size = length if length is not None else max(1, -(-value.bit_length() // 5))
    return [(value >> 5 * place) & 31 for place in reversed(range(size))]


def to_integer(groups: Iterable[int]) -> int:
    value = 0
    for group in groups:
        value = value << 5 | group
    return value


def _regroup(values: Iterable[int], width: int, wanted: int, *, pad: bool) -> list[int]:
    buffer, bits, out = 0, 0, []
    for value in values:
        buffer = buffer << width | value
        bits += width
        while bits >= wanted:
            bits -= wanted
            out.append(buffer >> bits)
            buffer &= (1 << bits) - 1
    if pad and bits:
        out.append(buffer << wanted - bits)
    return out


def _checksum(prefix: str, groups: Sequence[int]) -> list[int]:
    polymod = _polymod([*_expand(prefix), *groups, *[0] * CHECKSUM_LENGTH]) ^ 1
    return from_integer(polymod, CHECKSUM_LENGTH)


def _expand(prefix: str) -> list[int]:
    return [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix)]


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        check = (check & 0x1FFFFFF) << 5 ^ value ^ REMAINDERS[check >> 25]
    return check
