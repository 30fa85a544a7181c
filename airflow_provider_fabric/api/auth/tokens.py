"""One token per identity and process: fetched once for all callers, renewed before it expires, with backoff.

Nothing here knows how a token is fetched. A fetch runs in the thread of a synchronous caller, or in a thread of its
own for callers on an event loop; everyone else waits for that same fetch.
"""

from __future__ import annotations

import asyncio
import copy
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from airflow_provider_fabric.api.http.flow import Service
from airflow_provider_fabric.exceptions import FabricAuthError, FabricError

MARGIN = 300.0
"""Seconds before its expiry at which a token is renewed; a fifth of its life, for tokens that live shortly."""

PERMANENT_PAUSE = 10.0
"""Seconds for which a refusal that asking again cannot change is repeated without asking."""

REFUSED_PAUSE = 10.0
"""Seconds between renewals of tokens that the service refused: a token that is refused when new is not its age."""

LONGEST_PAUSE = 60.0

Audience = Service | str
"""What a token is for: one of our services, or the scopes that another library asked for, separated by spaces."""


@dataclass(frozen=True)
class AccessToken:
    """A token and its life.

    :param value: what is sent. Never shown.
    :param expires_at: epoch seconds.
    :param renew_at: epoch seconds from which it is renewed.
    """

    value: str = field(repr=False)
    expires_at: float
    renew_at: float

    @classmethod
    def living(cls, value: str, now: float, expires_in: float) -> AccessToken:
        """Return a token that lives ``expires_in`` seconds from ``now``."""
        return cls(value, now + expires_in, now + expires_in - min(MARGIN, expires_in / 5))


@dataclass
class _Slot:
    """What is known of one audience's token."""

    token: AccessToken | None = None
    pending: Future[AccessToken] | None = None
    failure: FabricError | None = None
    failures: int = 0
    ask_again_at: float = 0.0
    refused_at: float = float("-inf")


class SharedTokens:
    """Hands out tokens. Safe to use from any number of threads and event loops at once.

    :param fetch: gets a new token; blocks; raises a :class:`FabricError`.
    :param clock: epoch seconds.
    """

    def __init__(self, fetch: Callable[[Audience], AccessToken], *, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._slots: dict[Audience, _Slot] = {}

    def token(self, audience: Audience = Service.FABRIC, *, refused: str | None = None) -> str:
        """Return a token's text, waiting for it if need be; the parameters and errors are those of :meth:`get`."""
        return self.get(audience, refused=refused).value

    async def atoken(self, audience: Audience = Service.FABRIC, *, refused: str | None = None) -> str:
        """Return a token's text without blocking the event loop; see :meth:`get`."""
        return (await self.aget(audience, refused=refused)).value

    def get(self, audience: Audience = Service.FABRIC, *, refused: str | None = None) -> AccessToken:
        """Return a token, waiting for it if need be.

        :param audience: what it is for.
        :param refused: a token that the service just refused: a new one is fetched, unless that has been done.
        :raises FabricAuthError: none was issued.
        :raises FabricConnectionError: the connection's credentials cannot be used.
        """
        answer, mine = self._claim(audience, refused)
        if isinstance(answer, AccessToken):
            return answer
        if mine:
            self._run(audience, answer)
        try:
            return answer.result()
        except FabricError as error:
            raise copy.copy(error) from None

    async def aget(self, audience: Audience = Service.FABRIC, *, refused: str | None = None) -> AccessToken:
        """Return a token without blocking the event loop; the parameters and errors are those of :meth:`get`."""
        answer, mine = self._claim(audience, refused)
        if isinstance(answer, AccessToken):
            return answer
        if mine:
            self._run_apart(audience, answer)
        try:
            return await asyncio.wrap_future(answer)
        except FabricError as error:
            raise copy.copy(error) from None

    def _run_apart(self, audience: Audience, answer: Future[AccessToken]) -> None:
        """Fetch in a thread of its own."""
        thread = threading.Thread(target=self._run, args=(audience, answer), name="fabric-sign-in", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads: whoever waits gets it, and the next one tries again
            no_thread = FabricAuthError(f"No thread could be started to sign in: {error}.", is_retriable=True)
            self._failed(self._slots[audience], answer, no_thread)

    def _claim(self, audience: Audience, refused: str | None) -> tuple[AccessToken | Future[AccessToken], bool]:
        """Return a token that is there, or the fetch to wait for and whether the caller is to run it."""
        with self._lock:
            slot, now = self._slots.setdefault(audience, _Slot()), self._clock()
            held = slot.token if slot.token is not None and now < slot.token.expires_at else None
            if held and refused == held.value and now - slot.refused_at >= REFUSED_PAUSE:
                slot.refused_at, slot.token, held = now, None, None
            if held and (now < held.renew_at or slot.pending or now < slot.ask_again_at):
                return held, False
            if slot.pending:
                return slot.pending, False
            if slot.failure and now < slot.ask_again_at:
                raise copy.copy(slot.failure)
            slot.pending = Future()
            slot.pending.set_running_or_notify_cancel()  # so that a waiter that is cancelled does not cancel it
            return slot.pending, True

    def _run(self, audience: Audience, pending: Future[AccessToken]) -> None:
        slot = self._slots[audience]
        try:
            token = self._fetch(audience)
        except FabricError as error:
            self._failed(slot, pending, error)
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            with self._lock:
                slot.pending = None
            pending.set_exception(error)
        else:
            with self._lock:
                slot.token, slot.pending, slot.failure, slot.failures, slot.ask_again_at = token, None, None, 0, 0.0
            pending.set_result(token)

    def _failed(self, slot: _Slot, pending: Future[AccessToken], error: FabricError) -> None:
        with self._lock:
            now = self._clock()
            slot.pending, slot.failure, slot.failures = None, error, slot.failures + 1
            transient = isinstance(error, FabricAuthError) and error.is_retriable
            pause = min(2.0 ** min(slot.failures, 10), LONGEST_PAUSE) if transient else PERMANENT_PAUSE
            slot.ask_again_at = now + pause
            held = slot.token if slot.token is not None and now < slot.token.expires_at else None
        if held:
            pending.set_result(held)  # renewing was early: the old one is still good
        else:
            pending.set_exception(error)
