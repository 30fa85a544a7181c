"""An answer's body as it arrives: decompressed here, and refused as soon as it is larger than any answer of Fabric.

The HTTP libraries decompress whatever comes, without a limit: 300 KB of gzip become 300 MB. So both drivers read the
bytes as they were sent, and hand them to a :class:`BodyReader`. This module does no I/O.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

ACCEPT_ENCODING = "gzip, deflate"
"""What we ask for; anything else is not decoded."""
MAX_BODY = 16 * 1024 * 1024
"""Bytes of a body, decompressed."""
MAX_SIGN_IN_BODY = 1024 * 1024
"""Bytes of the answer to a token request."""
CHUNK = 65536
"""Bytes that are read at once."""

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_CODINGS: Mapping[str, int | None] = {"": None, "identity": None, "gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}


class BodyTooLargeError(Exception):
    """A body has more than :data:`MAX_BODY` bytes, or is compressed in a way that was not asked for."""


class BodyBrokenError(ValueError):
    """A body cannot be decompressed: it is damaged, or was cut short."""


class BodyReader:
    """Collects one body.

    :param coding: the answer's ``Content-Encoding``, or nothing.
    :param limit: bytes at most, as sent and decompressed.
    :raises BodyTooLargeError: the coding is not one that was asked for.
    """

    def __init__(self, coding: str | None, limit: int = MAX_BODY) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._received = 0
        coding = (coding or "").strip().lower()
        if coding not in _CODINGS:
            raise BodyTooLargeError(f"is compressed as {coding[:40]!r}, which was not asked for")
        self._wbits = _CODINGS[coding]
        self._decoder: zlib._Decompress | None = None
        self._head = b""

    def feed(self, data: bytes) -> None:
        """Take what arrived.

        :raises BodyTooLargeError: that makes it too large.
        :raises BodyBrokenError: it cannot be decompressed.
        """
        self._received += len(data)
        if self._received > self._limit:
            raise BodyTooLargeError(f"is larger than {self._limit >> 20} MiB")
        if self._wbits is None:
            self._add(data)
            return
        try:
            self._decompress(data)
        except zlib.error:
            raise BodyBrokenError("the body cannot be decompressed") from None

    def finish(self) -> bytes:
        """Return the body.

        :raises BodyBrokenError: it was cut short.
        """
        if self._head or (self._decoder is not None and not self._decoder.eof):
            raise BodyBrokenError("the compressed body was cut short")
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def _add(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise BodyTooLargeError(f"is larger than {self._limit >> 20} MiB, decompressed")
        if data:
            self._parts.append(data)

    def _decompress(self, data: bytes) -> None:
        data, self._head = self._head + data, b""
        if self._decoder is None and self._wbits == _ZLIB:
            if len(data) < 2:
                self._head = data
                return
            if not _has_zlib_header(data):  # some servers send deflate without zlib's frame
                self._wbits = _RAW
        while data:
            if self._decoder is None or self._decoder.eof:
                if self._decoder is not None and (self._wbits != _GZIP or not data.strip(b"\0")):
                    return  # what follows the end is no further member
                self._decoder = zlib.decompressobj(self._wbits or _GZIP)
            data = self._decompress_member(self._decoder, data)

    def _decompress_member(self, decoder: zlib._Decompress, data: bytes) -> bytes:
        """Decompress up to the end of a member, or of the data, and return what is left."""
        while True:
            part = decoder.decompress(data, CHUNK)
            self._add(part)
            data = decoder.unconsumed_tail
            if decoder.eof:
                return decoder.unused_data
            if not data and len(part) < CHUNK:
                return b""


def _has_zlib_header(data: bytes) -> bool:
    return data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
