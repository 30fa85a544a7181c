"""Messages and frames of AMQP 1.0, as bytes.

https://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#type-open and the pages after it. Every
field of a performative is written, absent ones as null: Microsoft's client reads them by their place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_fabric.emulator.amqp.codec import DecodeError, Described, Reader, encode

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
SASL_MECHANISMS, SASL_INIT, SASL_OUTCOME = 0x40, 0x41, 0x44
SOURCE, TARGET, ACCEPTED = 0x28, 0x29, 0x24
ANNOTATIONS, PROPERTIES, APPLICATION, DATA, VALUE = 0x72, 0x73, 0x74, 0x75, 0x77

SASL_HEADER = b"AMQP\x03\x01\x00\x00"
HEADER = b"AMQP\x00\x01\x00\x00"
MAX_FRAME = 1024 * 1024
EMPTY_FRAME = struct.pack(">IBBH", 8, 2, 0, 0)

_FIELDS = {
    OPEN: 10,
    BEGIN: 8,
    ATTACH: 14,
    FLOW: 11,
    TRANSFER: 11,
    DISPOSITION: 6,
    DETACH: 3,
    END: 1,
    CLOSE: 1,
}


@dataclass(frozen=True)
class Frame:
    """One frame with a performative.

    :param channel: of its session.
    :param code: which performative.
    :param fields: its fields; those left out at the end are added as ``None``.
    :param payload: what follows it.
    """

    channel: int
    code: int
    fields: Sequence[Any]
    payload: bytes = b""

    def to_bytes(self, kind: int = 0) -> bytes:
        """Return the frame's bytes.

        :param kind: 1 for SASL.
        """
        missing = [None] * (_FIELDS.get(self.code, 0) - len(self.fields))
        body = encode(Described(self.code, [*self.fields, *missing])) + self.payload
        return struct.pack(">IBBH", len(body) + 8, 2, kind, self.channel) + body


def read_frame(content: bytes) -> Frame | None:
    """Read a whole frame; ``None`` is an empty one.

    :raises DecodeError: it is none.
    """
    _, offset, _, channel = struct.unpack(">IBBH", content[:8])
    reader = Reader(content[offset * 4 :])
    if reader.is_done:
        return None
    performative = reader.value()
    if not isinstance(performative, Described) or not isinstance(performative.value, list):
        raise DecodeError("the frame holds no performative")
    code = int(performative.code)
    fields = performative.value + [None] * (_FIELDS.get(code, 0) - len(performative.value))
    return Frame(channel, code, fields, reader.rest())


class FrameBuffer:
    """Cuts what arrives into protocol headers and frames."""

    def __init__(self) -> None:
        self._bytes = b""

    def feed(self, content: bytes) -> Iterator[bytes]:
        """Take bytes in; return each whole header or frame.

        :raises DecodeError: a frame is too long, or too short.
        """
        self._bytes += content
        while len(self._bytes) >= 8:
            size = 8 if self._bytes.startswith(b"AMQP") else struct.unpack(">I", self._bytes[:4])[0]
            if not 8 <= size <= MAX_FRAME:
                raise DecodeError(f"a frame of {size} bytes")
            if len(self._bytes) < size:
                return
            whole, self._bytes = self._bytes[:size], self._bytes[size:]
            yield whole


@dataclass
class Message:
    """A message, as far as it matters here.

    :param body: the bytes of its data section.
    :param value: what its value section holds, instead.
    :param properties: by their place: 0 is the message's id, 4 whom to answer, 5 which message is answered.
    """

    body: bytes | None = None
    value: Any = None
    annotations: dict[Any, Any] = field(default_factory=dict)
    properties: list[Any] = field(default_factory=list)
    application: dict[Any, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the message's bytes."""
        sections: list[tuple[int, Any]] = []
        if self.annotations:
            sections.append((ANNOTATIONS, self.annotations))
        if self.properties:
            sections.append((PROPERTIES, self.properties + [None] * (13 - len(self.properties))))
        if self.application:
            sections.append((APPLICATION, self.application))
        sections.append((VALUE, self.value) if self.body is None else (DATA, self.body))
        return b"".join(encode(Described(code, value)) for code, value in sections)

    @classmethod
    def from_bytes(cls, content: bytes) -> Message:
        """Read a message.

        :raises DecodeError: it is none.
        """
        reader, message = Reader(content), cls()
        while not reader.is_done:
            section = reader.value()
            if not isinstance(section, Described):
                raise DecodeError("the message holds no section")
            name = {DATA: "body", VALUE: "value", ANNOTATIONS: "annotations", PROPERTIES: "properties",
                    APPLICATION: "application"}.get(int(section.code))  # fmt: skip
            if name is not None:
                setattr(message, name, section.value)
        return message
