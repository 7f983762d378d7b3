# SPDX-License-Identifier: GPL-2.0-only
"""An apply that ends, or is refused, at any place: the old policy or the new one, and the note agrees.

The kernel is the fake one, whose state is kept in a file, so that it outlives a process that is killed.
"""

from __future__ import annotations

import errno
import os
import pickle
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import schedctl
from schedctl import clock, history, paths, trying
from schedctl.apply import STEPS
from schedctl.books import FOLLOW, Errand
from schedctl.errors import ApplyError, SchedctlError, StateError
from schedctl.history import Result
from schedctl.observe import observe
from schedctl.pending import read_pending
from schedctl.quantity import NS_PER_S
from schedctl.ran import Ran
from schedctl.reconcile import desired_image, reconcile
from schedctl.request import Request, Verb, Who, carry_out
from schedctl.selected import Selected, read_selected
from tests import process
from tests.armed import ArmedTimers
from tests.cli.conftest import GOOD
from tests.kernel.fake import FakeKernel

WHO = Who(0, 1000, "schedctl apply")
STATE = ("slots", "active", "running", "link", "enable_seq", "exit", "foreign")
SOURCES = str(Path(schedctl.__file__).parent)
FILES = ("/apply.py", "/books.py", "/notes.py", "/durable.py")
MINUTE_NS = 60 * NS_PER_S


class KeptKernel(FakeKernel):
    """In a file, as the real one is in the kernel: what was done stays when the process is killed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        if path.exists():
            self.__dict__.update(pickle.loads(path.read_bytes()))

    def _keep(self) -> None:
        self.path.write_bytes(pickle.dumps({key: getattr(self, key) for key in STATE}))

    def attach(self, policy: bytes) -> None:
        super().attach(policy)
        self._keep()

    def write_policy(self, slot: int, policy: bytes) -> None:
        super().write_policy(slot, policy)
        self._keep()

    def flip(self, slot: int) -> None:
        super().flip(slot)
        self._keep()

    def release(self) -> None:
        super().release()
        self._keep()


class Host:
    """A root folder with the profiles `old` and `new`, and a kernel."""

    def __init__(self, root: Path) -> None:
        self.root, self.timers = root, ArmedTimers()

    @property
    def kernel(self) -> KeptKernel:
        return KeptKernel(self.root / "kernel")

    def profile(self) -> str | None:
        image = observe(self.kernel).image
        return image.profile if image else None

    def noted(self) -> str:
        return read_selected(paths.selected_file()).value

    def apply(self, name: str, within_ns: int | None = None, kernel: FakeKernel | None = None) -> None:
        request = Request(Verb.APPLY, Selected.profile(name), confirm_within_ns=within_ns)
        carry_out(kernel or self.kernel, request, WHO, timer=self.timers)

    def start(self) -> None:
        """What a daemon does first."""
        selected = read_selected(paths.selected_file())
        if selected.value:
            image = desired_image(profile_named(selected.value))
            reconcile(self.kernel, image, errand=Errand(WHO, FOLLOW, None))

    def left_over(self) -> list[str]:
        folders = (paths.run_dir(), paths.copies_dir(), paths.state_dir(), paths.history_dir())
        files = [path.name for folder in folders if folder.is_dir() for path in folder.iterdir()]
        return [name for name in files if name.startswith(".") or name == "checkpoint"]


def profile_named(name: str) -> Any:
    from schedctl.choice import loader

    return loader().by_name(name).profile


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder whose files are synced at once: a disk takes 10 ms for each."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


@pytest.fixture
def host(memory: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    root = memory / "root"
    profiles = root / "etc" / "schedctl" / "profiles"
    profiles.mkdir(parents=True)
    for name, level in (("old", "6"), ("new", "5")):
        (profiles / f"{name}.yaml").write_text(GOOD.replace("good", name).replace("6", level))
    monkeypatch.setenv("SCHEDCTL_ROOT", str(root))
    return Host(root)


def calls_of(function: Callable[[], object], at: Callable[[int, str], None]) -> Callable[[], None]:
    """The function, with `at(number, name)` before each of our functions that apply runs through."""
    number = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal number
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(SOURCES) and file.endswith(FILES):
            number += 1
            at(number, frame.f_code.co_qualname)
        return trace

    def traced() -> None:
        sys.settrace(trace)
        try:
            function()
        finally:
            sys.settrace(None)

    return traced


def killed_at(number: int, function: Callable[[], object]) -> int:
    def at(found: int, _: str) -> None:
        if found == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return process.run(calls_of(function, at))


@contextmanager
def fresh(host: Host, template: Path) -> Iterator[None]:
    shutil.rmtree(host.root)
    shutil.copytree(template, host.root)
    yield


@pytest.mark.long
@pytest.mark.parametrize(("begin", "within_ns"), [("running", None), ("detached", MINUTE_NS)])
def test_a_kill_at_any_place(host: Host, memory: Path, begin: str, within_ns: int | None) -> None:
    host.apply("old")
    if begin == "detached":
        carry_out(host.kernel, Request(Verb.DETACH), WHO, timer=host.timers)
    template = memory / "template"
    shutil.copytree(host.root, template)
    old = {"running": ("old", "old"), "detached": (None, "")}[begin]
    seen, status, number = [], -signal.SIGKILL, 0
    while status == -signal.SIGKILL:
        number += 1
        with fresh(host, template):
            status = killed_at(number, lambda: host.apply("new", within_ns))
            now = (host.profile(), host.noted())
            seen.append(now)
            assert now in (old, ("new", "new"), ("new", old[1])), "never a mix, and the note never first"
            if now[0] == "new":
                assert within_ns is None or read_pending(), "who has to confirm can still be late"
                assert begin == "running" or trying.mark()
            if within_ns is not None and (pending := read_pending()):
                request = Request(Verb.ROLLBACK, number=pending.number, unconfirmed=True)
                carry_out(host.kernel, request, WHO, timer=host.timers)
                assert (host.profile(), host.noted()) == old
            else:
                host.start()
                assert host.profile() == (host.noted() or host.profile())
            assert begin == "detached" or not host.left_over()
            host.apply("new")
            assert (host.profile(), host.noted(), host.left_over()) == ("new", "new", [])
    assert status == 0
    assert set(seen) == {old, ("new", old[1]), ("new", "new")}
    assert seen == sorted(seen, key=[old, ("new", old[1]), ("new", "new")].index)
    assert number > 30


def test_every_step_is_one_of_the_places(host: Host) -> None:
    host.apply("old")
    names: list[str] = []
    calls_of(lambda: host.apply("new", MINUTE_NS), lambda _, name: names.append(name))()
    steps = [step.__qualname__ for step in STEPS]
    own = [name for name in names if name in steps]
    assert list(dict.fromkeys(own)) == steps


@pytest.mark.parametrize("step", [step.__name__ for step in STEPS])
@pytest.mark.parametrize("begin", ["running", "detached"])
def test_an_interrupt_at_a_step_takes_everything_back(host: Host, step: str, begin: str) -> None:
    if begin == "running":
        host.apply("old")
    before = (host.profile(), host.noted(), trying.mark())

    def at(_: int, name: str) -> None:
        if name == f"Apply.{step}":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calls_of(lambda: host.apply("new", MINUTE_NS), at)()
    assert (host.profile(), host.noted(), trying.mark()) == before
    assert read_pending() is None
    assert host.left_over() == []
    assert not host.timers.armed or begin == "running"
    host.apply("new")
    assert (host.profile(), host.noted()) == ("new", "new")


@pytest.mark.parametrize("begin", ["running", "detached"])
def test_a_refusal_at_the_nth_call_of_the_kernel(host: Host, memory: Path, begin: str) -> None:
    if begin == "running":
        host.apply("old")
    old = (host.profile(), host.noted())
    template = memory / "template"
    shutil.copytree(host.root, template)
    refused = 0
    for number in range(1, 20):
        with fresh(host, template):
            kernel = host.kernel
            kernel.refuse_at = number
            try:
                host.apply("new", kernel=kernel)
            except ApplyError:
                refused += 1
                assert (host.profile(), host.noted()) == old
                assert history.read_history().entries[-1].result is Result.FAILED
                host.start()
                assert (host.profile(), host.noted()) == old
            else:
                assert (host.profile(), host.noted()) == ("new", "new")
                break
    assert refused == {"running": 3, "detached": 1}[begin]


def test_a_kernel_that_runs_something_else_is_flipped_back(host: Host) -> None:
    host.apply("old")

    class Other(KeptKernel):
        def flip(self, slot: int) -> None:
            self.slots[slot] = self.slots[1 - slot] if slot else self.slots[slot]
            super().flip(slot)

    with pytest.raises(SchedctlError, match="another policy"):
        host.apply("new", kernel=Other(host.root / "kernel"))
    assert (host.profile(), host.noted()) == ("old", "old")
    assert observe(host.kernel).generation == 1


def test_a_generation_is_never_used_twice(host: Host) -> None:
    """Threads that a policy classified which did not stay must not look as if they were up to date."""
    host.apply("old")

    def at(_: int, name: str) -> None:
        if name == "Apply.note":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calls_of(lambda: host.apply("new"), at)()
    assert observe(host.kernel).generation == 1
    host.apply("new")
    assert observe(host.kernel).generation == 3


# --- files that refuse --------------------------------------------------------------------------------


FUNCTIONS: tuple[tuple[Any, str], ...] = (
    *((os, name) for name in ("fsync", "open", "fchmod")),
    *((Path, name) for name in ("replace", "unlink", "mkdir")),
)


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[list[int]]:
    """The n-th system call that changes a file fails: the disk is full."""
    count = [0]

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            count[0] += 1
            if count[0] == number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for holder, name in FUNCTIONS:
            patch.setattr(holder, name, wrapped(getattr(holder, name)))
        yield count


@pytest.mark.long
@pytest.mark.parametrize(("begin", "within_ns"), [("running", None), ("detached", MINUTE_NS)])
def test_a_full_disk_at_the_nth_call(
    host: Host, memory: Path, monkeypatch: pytest.MonkeyPatch, begin: str, within_ns: int | None
) -> None:
    if begin == "running":
        host.apply("old")
    old = (host.profile(), host.noted())
    template = memory / "template"
    shutil.copytree(host.root, template)
    refusals, number, count = 0, 0, [1]
    while number <= count[0]:
        number += 1
        with fresh(host, template):
            kernel = host.kernel
            try:
                with failing(monkeypatch, number) as count:
                    host.apply("new", within_ns, kernel)
            except SchedctlError as error:
                refusals += error.exit_code == StateError.exit_code
                assert (host.profile(), host.noted()) == old, number
                assert read_pending() is None
                host.start()
                assert (host.profile(), host.noted()) == old
            else:
                assert (host.profile(), host.noted()) == ("new", "new"), number
                assert (read_pending() is None) == (within_ns is None)
            host.apply("new")
            assert (host.profile(), host.noted(), host.left_over()) == ("new", "new", [])
    assert refusals > 8


def test_state_that_cannot_be_written_refuses_an_attach_and_no_change(host: Host) -> None:
    """Without the mark, a policy that freezes the machine would be attached at each boot."""
    paths.state_dir().parent.mkdir(parents=True)
    paths.state_dir().write_text("not a folder")
    with pytest.raises(StateError):
        host.apply("old")
    assert host.profile() is None
    paths.state_dir().unlink()
    host.apply("old")
    shutil.rmtree(paths.state_dir())
    paths.state_dir().write_text("not a folder")
    host.apply("new", MINUTE_NS)
    assert (host.profile(), host.noted()) == ("new", "new")
    assert read_pending() is not None


def test_no_file_may_grow(host: Host) -> None:
    host.apply("old")

    def apply() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        kernel = FakeKernel()  # this one needs no file
        kernel.__dict__.update({key: getattr(host.kernel, key) for key in STATE})
        host.apply("new", kernel=kernel)

    assert process.run(apply) == StateError.exit_code
    assert (host.profile(), host.noted(), host.left_over()) == ("old", "old", [])


def test_a_clock_that_is_set_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.apply("old")
    monkeypatch.setattr(clock, "today", lambda: "1970-01-01T00:00:00+00:00")
    host.apply("new")
    entries = history.read_history().entries
    assert [entry.number for entry in entries] == [1, 2]
    assert [entry.ran.profile for entry in entries] == ["old", "new"]
    carry_out(host.kernel, Request(Verb.ROLLBACK), WHO, timer=host.timers)
    assert host.profile() == "old"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"\xff", b'{"who": 7}', b"[" * 100_000])
def test_damaged_state_is_passed_over(host: Host, data: bytes) -> None:
    host.apply("old")
    host.apply("new")
    (paths.history_dir() / "000007.json").write_bytes(data)
    for path in (paths.pending_file(), paths.checkpoint_file(), paths.trying_file(), paths.last_good_file()):
        path.write_bytes(data)
    found = history.read_history()
    assert [entry.number for entry in found.entries] == [1, 2]
    assert [problem.severity for problem in found.problems] == ["warning"]
    carry_out(host.kernel, Request(Verb.ROLLBACK), WHO, timer=host.timers)
    assert (host.profile(), host.noted(), host.left_over()) == ("old", "old", [])
    assert read_pending() is None
    assert [entry.number for entry in history.read_history().entries] == [1, 2, 8]
    carry_out(host.kernel, Request(Verb.DETACH), WHO, timer=host.timers)
    assert trying.mark() is None


def test_only_so_many_entries_are_kept(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_ENTRIES", 3)
    for name in ("old", "new", "old", "new", "old"):
        host.apply(name)
    assert [entry.number for entry in history.read_history().entries] == [3, 4, 5]
    monkeypatch.setattr(history, "MAX_BYTES", 1)
    host.apply("new")
    assert [entry.number for entry in history.read_history().entries] == [6]


def test_what_ran_survives_its_document(host: Host) -> None:
    host.apply("old")
    (entry,) = history.read_history().entries
    assert Ran.from_document(entry.ran.to_document()) == entry.ran
    assert entry.who == WHO
    assert entry.ran.image == observe(host.kernel).image
