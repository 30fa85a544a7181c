"""Files that a user's processes share: private or not used, whole or not there, and never more than a convenience."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_fabric.api.connection.settings import FabricSettings
from airflow_provider_fabric.api.local_cache import directory as directory_module
from airflow_provider_fabric.api.local_cache.directory import (
    MAX_BYTES,
    MAX_FILES,
    NAME,
    PrivateDirectory,
    cache_directory,
)
from airflow_provider_fabric.api.local_cache.locks import FileLock
from airflow_provider_fabric.api.local_cache.stamps import Stamp


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_module, "_said", set())


@pytest.fixture
def directory(tmp_path: Path) -> PrivateDirectory:
    made = PrivateDirectory(str(tmp_path / "cache"))
    made.write("ids", {"a": 1})
    return made


def file_of(directory: PrivateDirectory, name: str = "ids") -> Path:
    return Path(directory.path) / name


def test_what_is_written_is_read_and_nobody_else_may(directory: PrivateDirectory) -> None:
    assert directory.read("ids") == {"a": 1}
    assert stat.S_IMODE(os.stat(directory.path).st_mode) == 0o700
    assert stat.S_IMODE(file_of(directory).stat().st_mode) == 0o600
    assert os.listdir(directory.path) == ["ids"]


def test_an_open_umask_opens_nothing(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = PrivateDirectory(str(tmp_path))
        made.write("ids", {})
        FileLock(made, "ids").acquire()
    finally:
        os.umask(before)
    assert [stat.S_IMODE(entry.stat().st_mode) for entry in Path(made.path).iterdir()] == [0o600, 0o600]
    assert stat.S_IMODE(os.stat(made.path).st_mode) == 0o700


def test_what_was_never_written_is_empty_and_worth_no_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    nothing = PrivateDirectory(str(tmp_path / "none"))
    assert nothing.read("ids") == {}
    nothing.delete("ids")
    assert not os.path.exists(nothing.path)
    assert caplog.records == []


def replace_by_link(directory: PrivateDirectory) -> None:
    elsewhere = file_of(directory).parent.parent / "elsewhere"
    elsewhere.write_text('{"a": 2}')
    elsewhere.chmod(0o600)
    file_of(directory).unlink()
    file_of(directory).symlink_to(elsewhere)


def link_the_directory(directory: PrivateDirectory) -> None:
    real = Path(directory.path).rename(Path(directory.path).parent / "real")
    Path(directory.path).symlink_to(real)


def put(content: bytes) -> Callable[[PrivateDirectory], None]:
    return lambda directory: file_of(directory).write_bytes(content) and None


def give_away(directory: PrivateDirectory) -> None:
    os.chown(file_of(directory), 12345, 12345)


def give_the_directory_away(directory: PrivateDirectory) -> None:
    os.chown(directory.path, 12345, 12345)


def make_a_pipe(directory: PrivateDirectory) -> None:
    file_of(directory).unlink()
    os.mkfifo(file_of(directory), 0o600)


def make_a_directory(directory: PrivateDirectory) -> None:
    file_of(directory).unlink()
    file_of(directory).mkdir(0o700)


SPOILERS: dict[str, Callable[[PrivateDirectory], None]] = {
    "link": replace_by_link,
    "directory is a link": link_the_directory,
    "others may write": lambda directory: file_of(directory).chmod(0o602),
    "group may read": lambda directory: file_of(directory).chmod(0o640),
    "directory is open to all": lambda directory: os.chmod(directory.path, 0o777),
    "directory is open to the group": lambda directory: os.chmod(directory.path, 0o770),
    "pipe": make_a_pipe,
    "a directory in its place": make_a_directory,
    "garbage": put(b"\x80\x81 not JSON {{{"),
    "cut short": put(b'{"a": 1'),
    "empty": put(b""),
    "zeros": put(bytes(1000)),
    "nested": put(b'{"a":' * 5000 + b"1" + b"}" * 5000),
    "too large": put(b'{"a": "' + b"x" * MAX_BYTES + b'"}'),
    **({"another's file": give_away, "another's directory": give_the_directory_away} if os.geteuid() == 0 else {}),
}


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_what_is_not_surely_ours_counts_as_empty_and_one_debug_line_says_so(
    directory: PrivateDirectory, caplog: pytest.LogCaptureFixture, spoil: Callable[[PrivateDirectory], None]
) -> None:
    caplog.set_level(logging.DEBUG)
    spoil(directory)
    assert directory.read("ids") == {}
    assert directory.read("ids") == {}
    assert [(record.levelno, record.name) for record in caplog.records] == [(logging.DEBUG, directory_module.__name__)]
    directory.write("ids", {"a": 3})  # may or may not be kept, but harms nobody
    assert directory.read("ids") in ({}, {"a": 3})


@pytest.mark.parametrize("content", [b"[]", b"1", b'"ids"', b"null"])
def test_json_that_is_no_object_counts_as_empty(directory: PrivateDirectory, content: bytes) -> None:
    file_of(directory).write_bytes(content)
    assert directory.read("ids") == {}


def test_nothing_is_written_through_a_link(directory: PrivateDirectory) -> None:
    victim = Path(directory.path).parent / "victim"
    victim.write_text("precious")
    for name in ("ids", "ids.lock"):
        file_of(directory, name).unlink(missing_ok=True)
        file_of(directory, name).symlink_to(victim)
    directory.write("ids", {"a": 4})
    assert directory.read("ids") == {"a": 4}
    assert FileLock(directory, "ids").acquire()
    assert victim.read_text() == "precious"


def test_what_is_too_large_is_not_kept(directory: PrivateDirectory) -> None:
    directory.write("ids", {"a": "x" * MAX_BYTES})
    assert directory.read("ids") == {"a": 1}
    assert os.listdir(directory.path) == ["ids"]


def test_the_directory_does_not_grow_for_ever(directory: PrivateDirectory) -> None:
    for number in range(MAX_FILES + 20):
        directory.write(f"f{number}", {})
        os.utime(file_of(directory, f"f{number}"), (number, number))
    names = os.listdir(directory.path)
    assert len(names) <= MAX_FILES
    assert f"f{MAX_FILES + 19}" in names
    assert "f0" not in names


def test_a_directory_that_cannot_be_made_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    nowhere = PrivateDirectory(str(tmp_path / "file"))
    nowhere.write("ids", {"a": 1})
    assert nowhere.read("ids") == {}
    assert FileLock(nowhere, "ids").acquire()


def write_often(base: str, letter: str) -> None:
    mine = PrivateDirectory(base)
    for number in range(200):
        mine.write("ids", {"written": letter * 5000, "number": number})


def test_two_processes_that_write_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("spawn")
    writers = [fork.Process(target=write_often, args=(str(tmp_path), letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    directory, seen = PrivateDirectory(str(tmp_path)), set()
    while any(writer.is_alive() for writer in writers):
        content = directory.read("ids")
        assert content == {} or content["written"] in {"a" * 5000, "b" * 5000}
        seen.add(content.get("written", "")[:1])
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert {"a", "b"} & seen
    assert os.listdir(directory.path) == ["ids"]


class TestLocks:
    def test_one_holds_it_and_the_others_do_not_block(self, directory: PrivateDirectory) -> None:
        first, second, other = FileLock(directory, "a"), FileLock(directory, "a"), FileLock(directory, "b")
        assert first.acquire()
        assert not second.acquire()
        assert other.acquire()
        first.release()
        assert second.acquire()
        second.release()
        second.release()

    def test_it_ends_though_a_child_that_has_it_lives_on(self, directory: PrivateDirectory) -> None:
        lock = FileLock(directory, "a")
        assert lock.acquire()
        child = os.fork()
        if child == 0:
            signal.pause()
        try:
            assert not FileLock(directory, "a").acquire()
            lock.release()
            assert FileLock(directory, "a").acquire()
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def test_where_there_are_no_locks_everybody_works(
        self, directory: PrivateDirectory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_fabric.api.local_cache.locks.fcntl", None)
        assert FileLock(directory, "a").acquire()
        assert FileLock(directory, "a").acquire()

    def test_anothers_lock_file_is_no_lock(self, directory: PrivateDirectory) -> None:
        file_of(directory, "a.lock").touch(0o666)
        file_of(directory, "a.lock").chmod(0o666)
        assert FileLock(directory, "a").acquire()
        assert FileLock(directory, "a").acquire()


class TestWhere:
    def test_in_the_users_cache_directory(self, cache_home: Path) -> None:
        found = cache_directory(FabricSettings("c"))
        assert found is not None
        assert found.path == str(cache_home / NAME)

    @pytest.mark.parametrize("home", ["", "relative"])
    def test_in_the_home_directory(self, home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", home)
        monkeypatch.setenv("HOME", str(tmp_path))
        found = cache_directory(FabricSettings("c"))
        assert found is not None
        assert found.path == str(tmp_path / ".cache" / NAME)

    def test_where_the_connection_says(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        found = cache_directory(FabricSettings("c", local_cache="~/shared"))
        assert found is not None
        assert found.path == str(tmp_path / "shared" / NAME)

    def test_nowhere_if_it_is_switched_off(self) -> None:
        assert cache_directory(FabricSettings("c", local_cache=False)) is None


class TestStamps:
    NOW = Stamp(1000.0, 50.0)

    @pytest.mark.parametrize(
        ("stamp", "fresh"),
        [
            (Stamp(1000.0, 50.0), True),
            (Stamp(990.0, 40.0), True),
            (Stamp(989.0, 39.0), False),
            (Stamp(1001.0, 51.0), False),  # in the future
            (Stamp(995.0, 12_000.0), False),  # another host, or before this one started
            (Stamp(995.0, 10.0), False),
            (Stamp(-2600.0, 45.0), False),  # a clock that was set
            (Stamp(float("nan"), 45.0), False),
            (Stamp(float("inf"), float("inf")), False),
        ],
    )
    def test_both_clocks_must_agree(self, stamp: Stamp, fresh: bool) -> None:
        assert stamp.is_within(10.0, self.NOW) is fresh

    @pytest.mark.parametrize("state", [None, 1, [], [1], [1, "2"], [True, 1.0], {"wall": 1}, [1, 2, 3]])
    def test_nonsense_is_no_stamp(self, state: object) -> None:
        assert Stamp.from_state(state) is None

    def test_a_stamp_survives_a_file(self) -> None:
        assert Stamp.from_state(json.loads(json.dumps(self.NOW.to_state()))) == self.NOW
