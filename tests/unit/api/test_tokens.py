"""One fetch for any number of waiters, renewed in time, not hammered for. No sockets: the fetch is a function."""

from __future__ import annotations

import asyncio
import threading

import pytest

from airflow_provider_fabric.api.auth.tokens import AccessToken, Audience, SharedTokens
from airflow_provider_fabric.api.http.flow import Service
from airflow_provider_fabric.exceptions import FabricAuthError, FabricConnectionError


class Fetches:
    """A scripted token endpoint: each fetch takes the next outcome, or issues ``token-N``."""

    def __init__(self, *outcomes: object, lifetime: float = 3600.0) -> None:
        self.outcomes = list(outcomes)
        self.lifetime = lifetime
        self.count = 0
        self.now = 1000.0
        self.gate = threading.Event()
        self.gate.set()
        self.tokens = SharedTokens(self.fetch, clock=lambda: self.now)

    def fetch(self, audience: Audience) -> AccessToken:
        self.count += 1
        name = audience.value if isinstance(audience, Service) else audience
        value = f"{name}-{self.count}"
        self.gate.wait(10)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, BaseException):
            raise outcome
        return AccessToken.living(value, self.now, self.lifetime)


def transient() -> FabricAuthError:
    return FabricAuthError("Entra is away", is_retriable=True)


def test_a_token_is_fetched_once_and_kept_per_service():
    fetches = Fetches()
    assert [fetches.tokens.token() for _ in range(3)] == ["fabric-1"] * 3
    assert fetches.tokens.token(Service.POWER_BI) == "power_bi-2"
    assert fetches.count == 2


@pytest.mark.parametrize(("lifetime", "kept_until"), [(3600.0, 3300.0), (100.0, 80.0)])
def test_a_token_is_renewed_before_it_expires(lifetime, kept_until):
    fetches = Fetches(lifetime=lifetime)
    fetches.tokens.token()
    fetches.now += kept_until - 1
    assert fetches.tokens.token() == "fabric-1"
    fetches.now += 1
    assert fetches.tokens.token() == "fabric-2"


def test_a_refused_token_is_replaced_once_for_all_who_held_it():
    fetches = Fetches()
    old = fetches.tokens.token()
    assert fetches.tokens.token(refused=old) == "fabric-2"
    assert fetches.tokens.token(refused=old) == "fabric-2"
    assert fetches.count == 2


def test_a_token_that_is_refused_while_new_is_not_replaced_at_once_again():
    fetches = Fetches()
    second = fetches.tokens.token(refused=fetches.tokens.token())
    assert fetches.tokens.token(refused=second) == second
    fetches.now += 10
    assert fetches.tokens.token(refused=second) == "fabric-3"


def test_many_threads_make_one_fetch():
    fetches = Fetches()
    fetches.gate.clear()
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(fetches.tokens.token())) for _ in range(20)]
    for thread in threads:
        thread.start()
    fetches.gate.set()
    for thread in threads:
        thread.join()
    assert (got, fetches.count) == (["fabric-1"] * 20, 1)


async def test_many_tasks_make_one_fetch_and_the_loop_runs_on():
    fetches = Fetches()
    fetches.gate.clear()
    waiting = [asyncio.create_task(fetches.tokens.atoken()) for _ in range(100)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    fetches.gate.set()
    assert (set(await asyncio.gather(*waiting)), fetches.count) == ({"fabric-1"}, 1)


async def test_a_waiter_that_is_cancelled_leaves_the_fetch_to_the_others():
    fetches = Fetches()
    fetches.gate.clear()
    first, second = (asyncio.create_task(fetches.tokens.atoken()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    fetches.gate.set()
    assert await second == "fabric-1"
    assert first.cancelled()


def test_two_event_loops_share_a_fetch():
    fetches = Fetches()
    fetches.gate.clear()
    got: list[str] = []
    loops = [threading.Thread(target=lambda: got.append(asyncio.run(fetches.tokens.atoken()))) for _ in range(2)]
    for loop in loops:
        loop.start()
    fetches.gate.set()
    for loop in loops:
        loop.join()
    assert (got, fetches.count) == (["fabric-1"] * 2, 1)


async def test_a_token_that_is_there_is_returned_without_a_thread():
    fetches = Fetches()
    await fetches.tokens.atoken()
    coroutine = fetches.tokens.atoken()
    with pytest.raises(StopIteration) as returned:
        coroutine.send(None)
    assert returned.value.value == "fabric-1"


def test_a_permanent_refusal_is_repeated_without_asking_for_ten_seconds():
    fetches = Fetches(FabricAuthError("wrong secret", error_code="AADSTS7000215"))
    for _ in range(5):
        with pytest.raises(FabricAuthError, match="wrong secret") as caught:
            fetches.tokens.token()
        assert caught.value.error_code == "AADSTS7000215"
    assert fetches.count == 1
    fetches.now += 10
    assert fetches.tokens.token() == "fabric-2"


def test_an_entra_in_trouble_is_asked_less_and_less_often():
    fetches = Fetches(*[transient() for _ in range(8)])
    asked_at = []
    for _ in range(200):
        before = fetches.count
        with pytest.raises(FabricAuthError):
            fetches.tokens.token()
        if fetches.count > before:
            asked_at.append(fetches.now - 1000)
        fetches.now += 1
    assert asked_at == [0, 2, 6, 14, 30, 62, 122, 182]


def test_a_good_token_outlives_a_failed_renewal():
    fetches = Fetches()
    fetches.tokens.token()
    fetches.outcomes = [transient()]
    fetches.now += 3400
    assert fetches.tokens.token() == "fabric-1"
    assert fetches.tokens.token() == "fabric-1"
    assert fetches.count == 2
    fetches.now += 200
    assert fetches.tokens.token() == "fabric-3"


async def test_an_error_reaches_every_waiter_as_its_own_exception():
    fetches = Fetches(FabricConnectionError("the certificate expired"))
    fetches.gate.clear()
    waiting = [asyncio.create_task(fetches.tokens.atoken()) for _ in range(3)]
    await asyncio.sleep(0)
    fetches.gate.set()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(error) for error in errors] == ["the certificate expired"] * 3
    assert len({id(error) for error in errors}) == 3


def test_an_unforeseen_exception_reaches_the_caller_and_the_next_one_tries_again():
    fetches = Fetches(MemoryError())
    with pytest.raises(MemoryError):
        fetches.tokens.token()
    assert fetches.tokens.token() == "fabric-2"


async def test_a_thread_that_cannot_start_hangs_nobody(monkeypatch: pytest.MonkeyPatch):
    fetches = Fetches()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(FabricAuthError, match="No thread could be started"):
            await asyncio.wait_for(fetches.tokens.atoken(), 5)
    fetches.now += 60
    assert await asyncio.wait_for(fetches.tokens.atoken(), 5) == "fabric-1"


def no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_token_is_not_in_its_repr():
    assert "secret" not in repr(AccessToken.living("secret", 0, 10))
