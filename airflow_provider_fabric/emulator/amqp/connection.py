"""One client's AMQP connection to the endpoint of an eventstream: bytes in, bytes out, no I/O.

What Event Hubs does for a reader, and no more: anonymous SASL, tokens put to ``$cbs``, ``READ`` of ``$management``, and
links that read a partition from a position on, within the credit that the reader grants
(https://learn.microsoft.com/azure/event-hubs/event-hubs-exchange-events-different-protocols and the AMQP protocol guide
of Service Bus next to it).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from airflow_provider_fabric.emulator.amqp import messages as wire
from airflow_provider_fabric.emulator.amqp.codec import (
    Array,
    DecodeError,
    Described,
    Int,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)
from airflow_provider_fabric.emulator.amqp.messages import Frame, FrameBuffer, Message, read_frame

PARTITION = "0"
WINDOW = UInt(5000)
IDLE_MILLISECONDS = UInt(240_000)
_SOURCE = re.compile(r"(?:amqps?://[^/]+/)?([^/]+)/ConsumerGroups/([^/]+)/Partitions/([^/]+)", re.IGNORECASE)
_POSITION = re.compile(r"amqp\.annotation\.x-opt-(enqueued-time|offset|sequence-number) (>=?) '([^']*)'")


class Entry(Protocol):
    """An event in a hub's log."""

    number: int
    enqueued_at: float
    body: bytes


class Hubs(Protocol):
    """What a connection needs of the service."""

    def authorize(self, token: str) -> str | None:
        """Return why a token is refused, ``None`` if it is not."""

    def created_at(self, hub: str) -> float | None:
        """Return when a hub was made, ``None`` if there is none of that name."""

    def entries(self, hub: str) -> list[Any]:
        """Return the events of a hub that are there by now, in order."""


@dataclass
class _Link:
    """A link on which we send: answers of a node, or a partition's events.

    :param address: what it reads.
    :param hub: name of the hub; empty for a node.
    :param after: number of the event read last.
    """

    channel: int
    handle: int
    address: str
    hub: str = ""
    after: int = -1
    credit: int = 0
    sent: int = 0


class AmqpConnection:
    """The server's side of a connection.

    :param hubs: the service.
    """

    def __init__(self, hubs: Hubs) -> None:
        self._hubs = hubs
        self._buffer = FrameBuffer()
        self._links: dict[tuple[int, int], _Link] = {}
        self._targets: dict[tuple[int, int], str] = {}
        """Node to which the client sends, by channel and handle."""
        self._deliveries = 0
        self._is_authorized = False
        self.is_closed = False

    def feed(self, content: bytes) -> bytes:
        """Take in what the client sent; return what to answer.

        :raises DecodeError: it is no AMQP.
        """
        return b"".join(out for whole in self._buffer.feed(content) for out in self._take(whole))

    def _take(self, whole: bytes) -> Iterator[bytes]:
        if whole.startswith(b"AMQP"):
            yield whole
            if whole == wire.SASL_HEADER:
                yield Frame(0, wire.SASL_MECHANISMS, [Array([Symbol("ANONYMOUS")])]).to_bytes(1)
            return
        frame = read_frame(whole)
        if frame is None:
            return
        handle = self._handlers().get(frame.code)
        if handle is None:
            raise DecodeError(f"a performative {frame.code:#x}")
        yield from handle(frame)

    def _handlers(self) -> dict[int, Callable[[Frame], Iterator[bytes]]]:
        return {
            wire.SASL_INIT: self._sasl,
            wire.OPEN: self._open,
            wire.BEGIN: self._begin,
            wire.ATTACH: self._attach,
            wire.FLOW: self._flow,
            wire.TRANSFER: self._transfer,
            wire.DISPOSITION: lambda frame: iter(()),
            wire.DETACH: self._detach,
            wire.END: lambda frame: iter((Frame(frame.channel, wire.END, []).to_bytes(),)),
            wire.CLOSE: self._close,
        }

    def _sasl(self, frame: Frame) -> Iterator[bytes]:
        yield Frame(0, wire.SASL_OUTCOME, [UByte(0), None]).to_bytes(1)

    def _open(self, frame: Frame) -> Iterator[bytes]:
        limits = [UInt(wire.MAX_FRAME), UShort(100), IDLE_MILLISECONDS]
        yield Frame(0, wire.OPEN, ["fabric-emulator", frame.fields[1], *limits]).to_bytes()

    def _begin(self, frame: Frame) -> Iterator[bytes]:
        fields = [UShort(frame.channel), UInt(1), WINDOW, WINDOW, UInt(255)]
        yield Frame(frame.channel, wire.BEGIN, fields).to_bytes()

    def _attach(self, frame: Frame) -> Iterator[bytes]:
        name, handle, client_receives, _, _, source, target = frame.fields[:7]
        key = frame.channel, int(handle)
        answer = [name, handle, not client_receives, UByte(2), UByte(0), source, target, None, None]
        if not client_receives:
            self._targets[key] = _address(target)
            yield Frame(frame.channel, wire.ATTACH, [*answer, None, ULong(wire.MAX_FRAME)]).to_bytes()
            window = [UInt(0), WINDOW, UInt(1), WINDOW, handle, UInt(0), UInt(1000), None, False, False]
            yield Frame(frame.channel, wire.FLOW, window).to_bytes()
            return
        link = _Link(*key, _address(source))
        yield Frame(frame.channel, wire.ATTACH, [*answer, UInt(0), ULong(wire.MAX_FRAME)]).to_bytes()
        refusal = None if link.address.startswith("$") else self._place(link, source)
        if refusal is not None:
            condition, text = refusal
            error = Described(0x1D, [Symbol(condition), text, None])
            yield Frame(frame.channel, wire.DETACH, [handle, True, error]).to_bytes()
            return
        self._links[key] = link

    def _place(self, link: _Link, source: Any) -> tuple[str, str] | None:
        """Find what a link reads, and from where on; return condition and text of a refusal."""
        if not self._is_authorized:
            return "amqp:unauthorized-access", "No token was put for this endpoint"
        match = _SOURCE.fullmatch(link.address)
        if match is None or match[3] != PARTITION or self._hubs.created_at(match[1]) is None:
            return "amqp:not-found", f"The messaging entity '{link.address}' could not be found"
        link.hub = match[1]
        selector = _selector(source)
        position = _POSITION.search(selector)
        entries = self._hubs.entries(link.hub)
        before: list[Any] = entries if "@latest" in selector else []
        if position is not None and "@latest" not in selector:
            by, order, limit = position.groups()
            value = float(limit) / (1000 if by == "enqueued-time" else 1)
            before = [e for e in entries if _rank(e, by) < value or (order == ">" and _rank(e, by) == value)]
        link.after = max((entry.number for entry in before), default=-1)
        return None

    def _flow(self, frame: Frame) -> Iterator[bytes]:
        handle, count, credit = frame.fields[4:7]
        link = self._links.get((frame.channel, int(handle))) if handle is not None else None
        if link is not None and credit is not None:
            link.credit = max(0, int(credit) + int(count or 0) - link.sent)
        return iter(())

    def _transfer(self, frame: Frame) -> Iterator[bytes]:
        handle, delivery, _, _, is_settled = frame.fields[:5]
        node = self._targets.get((frame.channel, int(handle)), "")
        if not is_settled:
            accepted = [True, delivery, delivery, True, Described(wire.ACCEPTED, [])]
            yield Frame(frame.channel, wire.DISPOSITION, accepted).to_bytes()
        request = Message.from_bytes(frame.payload)
        link = next((link for link in self._links.values() if link.address == node), None)
        if link is None:
            return
        answer = self._token(request) if node == "$cbs" else self._read(request)
        answer.properties = [None] * 5 + [request.properties[0] if request.properties else None]
        yield self._send(link, answer)

    def _token(self, request: Message) -> Message:
        """Answer a token put to ``$cbs``."""
        token = request.value.decode() if isinstance(request.value, bytes) else str(request.value)
        refusal = self._hubs.authorize(token)
        self._is_authorized = refusal is None
        status = (202, "Accepted") if refusal is None else (401, refusal)
        return Message(value=None, application={"status-code": Int(status[0]), "status-description": status[1]})

    def _read(self, request: Message) -> Message:
        """Answer a ``READ`` of ``$management``."""
        name = str(request.application.get("name", ""))
        created, value = self._hubs.created_at(name), None
        status = (200, "OK") if created is not None else (404, f"The messaging entity '{name}' could not be found")
        if not self._is_authorized:
            created, status = None, (401, "No token was put for this endpoint")
        if created is not None:
            is_partition = request.application.get("type") == "com.microsoft:partition"
            value = self._partition(name) if is_partition else _hub(name, created)
        return Message(value=value, application={"status-code": Int(status[0]), "status-description": status[1]})

    def _partition(self, hub: str) -> dict[str, Any]:
        entries = self._hubs.entries(hub)
        last = entries[-1] if entries else None
        return {
            "name": hub,
            "type": "com.microsoft:partition",
            "partition": PARTITION,
            "begin_sequence_number": entries[0].number if entries else 0,
            "last_enqueued_sequence_number": last.number if last else -1,
            "last_enqueued_offset": str(last.number) if last else "-1",
            "last_enqueued_time_utc": Timestamp(int(last.enqueued_at * 1000) if last else 0),
            "is_partition_empty": last is None,
        }

    def _detach(self, frame: Frame) -> Iterator[bytes]:
        key = frame.channel, int(frame.fields[0])
        if self._links.pop(key, None) is not None or self._targets.pop(key, None) is not None:
            yield Frame(frame.channel, wire.DETACH, [frame.fields[0], True, None]).to_bytes()

    def _close(self, frame: Frame) -> Iterator[bytes]:
        self.is_closed = True
        yield Frame(0, wire.CLOSE, []).to_bytes()

    def deliver(self) -> bytes:
        """Return the events that are there, for every link that reads them and has credit."""
        out = []
        for link in self._links.values():
            entries = self._hubs.entries(link.hub) if link.hub and link.credit else ()
            for entry in entries:
                if entry.number > link.after and link.credit:
                    link.after = entry.number
                    out.append(self._send(link, _event(entry)))
        return b"".join(out)

    def _send(self, link: _Link, message: Message) -> bytes:
        number, self._deliveries = UInt(self._deliveries), self._deliveries + 1
        link.credit, link.sent = link.credit - 1, link.sent + 1
        fields = [UInt(link.handle), number, number.to_bytes(4, "big"), UInt(0), True, False]
        return Frame(link.channel, wire.TRANSFER, fields, message.to_bytes()).to_bytes()


def _hub(name: str, created: float) -> dict[str, Any]:
    return {
        "name": name,
        "type": "com.microsoft:eventhub",
        "created_at": Timestamp(int(created * 1000)),
        "partition_count": Int(1),
        "partition_ids": [PARTITION],
    }


def _event(entry: Entry) -> Message:
    annotations = {
        Symbol("x-opt-sequence-number"): entry.number,
        Symbol("x-opt-offset"): str(entry.number),
        Symbol("x-opt-enqueued-time"): Timestamp(int(entry.enqueued_at * 1000)),
    }
    return Message(body=entry.body, annotations=annotations)


def _rank(entry: Entry, by: str) -> float:
    return int(entry.enqueued_at * 1000) / 1000 if by == "enqueued-time" else float(entry.number)


def _address(terminus: Any) -> str:
    fields = terminus.value if isinstance(terminus, Described) else []
    address = fields[0] if fields else ""
    return address.decode() if isinstance(address, bytes) else str(address)


def _selector(source: Any) -> str:
    """Return the position that a reader asks for, as it writes it."""
    fields = source.value if isinstance(source, Described) else []
    filters = fields[7] if len(fields) > 7 and isinstance(fields[7], dict) else {}
    for each in filters.values():
        text = each.value if isinstance(each, Described) else each
        return text.decode() if isinstance(text, bytes) else str(text)
    return ""
