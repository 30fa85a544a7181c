"""The type system of AMQP 1.0 (http://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html).

Values that Python has no type for have one here, so that what was read can be written as it was. Only the encodings
that Event Hubs and its clients use are written; all are read. There is no library with a server side that installs
without a C compiler: python-qpid-proton, the only one, comes as source.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Symbol(str):
    """A symbolic value, ASCII."""


class UByte(int):
    """8 bits."""


class UShort(int):
    """16 bits."""


class UInt(int):
    """32 bits."""


class ULong(int):
    """64 bits."""


class Int(int):
    """32 bits, signed; a plain ``int`` is written with 64."""


class Timestamp(int):
    """Milliseconds since 1970."""


class Array(list[Any]):
    """Values of one type."""


@dataclass(frozen=True)
class Described:
    """A value with a descriptor: a performative, a section of a message, a filter.

    :param code: a number, or a symbol.
    """

    code: int | str
    value: Any


class DecodeError(ValueError):
    """The bytes are no AMQP."""


def encode(value: Any) -> bytes:
    """Return a value's bytes.

    :raises TypeError: there is no AMQP type for it.
    """
    if value is None:
        return b"\x40"
    if isinstance(value, bool):
        return b"\x41" if value else b"\x42"
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    raise TypeError(f"AMQP has no type for {type(value).__name__}")


def _packed(code: int, pattern: str) -> Callable[[Any], bytes]:
    layout = struct.Struct(f">B{pattern}")
    return lambda value: layout.pack(code, value)


def _sized(short: int, code: int) -> Callable[[bytes], bytes]:
    def write(content: bytes) -> bytes:
        size = len(content)
        return (struct.pack(">BB", short, size) if size < 256 else struct.pack(">BI", code, size)) + content

    return write


def _compound(code: int, entries: list[Any]) -> bytes:
    body = b"".join(map(encode, entries))
    return struct.pack(">BII", code, len(body) + 4, len(entries)) + body


def _described(value: Described) -> bytes:
    code = b"\x53" + bytes([value.code]) if isinstance(value.code, int) else encode(Symbol(value.code))
    return b"\x00" + code + encode(value.value)


def _array(values: Array) -> bytes:
    """Write an array; of symbols, which is what performatives hold."""
    body = b"".join(struct.pack(">I", len(each)) + each.encode("ascii") for each in values)
    return struct.pack(">BIIB", 0xF0, len(body) + 5, len(values), 0xB3) + body


_binary, _string, _symbol = _sized(0xA0, 0xB0), _sized(0xA1, 0xB1), _sized(0xA3, 0xB3)

_WRITERS: tuple[tuple[type, Callable[[Any], bytes]], ...] = (
    (Described, _described),
    (UByte, _packed(0x50, "B")),
    (UShort, _packed(0x60, "H")),
    (UInt, _packed(0x70, "I")),
    (ULong, _packed(0x80, "Q")),
    (Int, _packed(0x71, "i")),
    (Timestamp, _packed(0x83, "q")),
    (int, _packed(0x81, "q")),
    (float, _packed(0x82, "d")),
    (uuid.UUID, lambda value: b"\x98" + value.bytes),
    (Symbol, lambda value: _symbol(value.encode("ascii"))),
    (str, lambda value: _string(value.encode())),
    (bytes, _binary),
    (Array, _array),
    (list, lambda value: _compound(0xD0, value)),
    (dict, lambda value: _compound(0xD1, [each for pair in value.items() for each in pair])),
)


class Reader:
    """Reads values from bytes.

    :param content: the bytes.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    @property
    def is_done(self) -> bool:
        """Whether everything was read."""
        return self._at >= len(self._content)

    def rest(self) -> bytes:
        """Return what was not read yet."""
        return self._content[self._at :]

    def take(self, size: int) -> bytes:
        """Return the next bytes.

        :raises DecodeError: there are not so many.
        """
        content = self._content[self._at : self._at + size]
        if len(content) != size:
            raise DecodeError("the bytes end inside a value")
        self._at += size
        return content

    def number(self, pattern: str) -> Any:
        """Return the next number."""
        return struct.unpack(f">{pattern}", self.take(struct.calcsize(f">{pattern}")))[0]

    def value(self) -> Any:
        """Return the next value.

        :raises DecodeError: the bytes are no AMQP.
        """
        return self.of(self.take(1)[0])

    def of(self, code: int) -> Any:
        """Return the next value, whose constructor was read."""
        if code == 0:
            return self._described()
        if code in _FIXED:
            kind, pattern = _FIXED[code]
            return kind(self.number(pattern))
        if code in _CONSTANT:
            return _CONSTANT[code]
        if code in _VARIABLE:
            size_pattern, read = _VARIABLE[code]
            return read(self.take(self.number(size_pattern)))
        if code in _COMPOUND:
            return self._compound(code)
        raise DecodeError(f"no type has the constructor {code:#x}")

    def _described(self) -> Described:
        descriptor = self.value()
        return Described(str(descriptor) if isinstance(descriptor, str) else int(descriptor), self.value())

    def _compound(self, code: int) -> Any:
        kind, size_pattern = _COMPOUND[code]
        inner = Reader(self.take(self.number(size_pattern)))
        count = inner.number(size_pattern)
        if kind is Array:
            constructor = inner.take(1)[0]
            return Array(inner.of(constructor) for _ in range(count))
        values = [inner.value() for _ in range(count)]
        return dict(zip(values[::2], values[1::2], strict=True)) if kind is dict else values


def _text(content: bytes) -> str:
    return content.decode()


_FIXED: dict[int, tuple[Callable[[Any], Any], str]] = {
    0x50: (UByte, "B"),
    0x51: (int, "b"),
    0x52: (UInt, "B"),
    0x53: (ULong, "B"),
    0x54: (Int, "b"),
    0x55: (int, "b"),
    0x56: (bool, "B"),
    0x60: (UShort, "H"),
    0x61: (int, "h"),
    0x70: (UInt, "I"),
    0x71: (Int, "i"),
    0x72: (float, "f"),
    0x80: (ULong, "Q"),
    0x81: (int, "q"),
    0x82: (float, "d"),
    0x83: (Timestamp, "q"),
    0x98: (lambda content: uuid.UUID(bytes=content), "16s"),
}
_CONSTANT: dict[int, Any] = {0x40: None, 0x41: True, 0x42: False, 0x43: UInt(0), 0x44: ULong(0), 0x45: []}
_VARIABLE: dict[int, tuple[str, Callable[[bytes], Any]]] = {
    0xA0: ("B", bytes),
    0xA1: ("B", _text),
    0xA3: ("B", lambda content: Symbol(_text(content))),
    0xB0: ("I", bytes),
    0xB1: ("I", _text),
    0xB3: ("I", lambda content: Symbol(_text(content))),
}
_COMPOUND: dict[int, tuple[type, str]] = {
    0xC0: (list, "B"),
    0xC1: (dict, "B"),
    0xD0: (list, "I"),
    0xD1: (dict, "I"),
    0xE0: (Array, "B"),
    0xF0: (Array, "I"),
}
