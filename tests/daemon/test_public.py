# SPDX-License-Identifier: GPL-2.0-only
"""The status socket, with a real daemon behind it: what it tells to whom, and that nobody can hold it up."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from schedctl import __version__, channel, inquiry, paths
from schedctl.cli.main import main
from schedctl.daemon.public import MAX_HELD, MAX_PER_USER, Public, told
from schedctl.doctor import look as doctor
from schedctl.doctor.look import look
from schedctl.errors import StateError
from schedctl.figures import digest
from schedctl.image.stats import ExitRecord
from schedctl.inquiry import ask, other_version
from schedctl.kernel import real
from schedctl.log import Entry, Priority
from schedctl.observe import observe
from schedctl.profile import load_profile
from schedctl.reconcile import desired_image, reconcile
from tests import process
from tests.cli.output import checked
from tests.daemon.sockets import daemon, edit
from tests.kernel.fake import FakeKernel, context

NOBODY = 65534
# A plain user's command imports and reads as that user.
CHECKOUT = Path(__file__).resolve().parents[2]
plain_user = pytest.mark.skipif(
    not all(path.stat().st_mode & stat.S_IXOTH for path in (CHECKOUT, *CHECKOUT.parents)),
    reason="other users may not enter this checkout's folder",
)


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A root folder that others may enter; each pytest closes the parents of its own."""
    with TemporaryDirectory(prefix="schedctl-") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("SCHEDCTL_ROOT", folder)
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
        edit(6)
        yield


def as_nobody(function: Callable[[], Any]) -> Any:
    """What it returns, by way of JSON."""
    reader, writer = os.pipe()

    def run() -> None:
        os.setgroups([])
        os.setresuid(NOBODY, NOBODY, NOBODY)
        os.write(writer, json.dumps(function()).encode())

    assert process.run(run) == 0
    os.close(writer)
    with os.fdopen(reader) as file:
        return json.load(file)


def ask_as_nobody() -> dict[str, Any]:
    def run() -> Any:
        found = ask(10)
        return found and {"events": found.events, "figures": found.figures, "digest": found.digest}

    found: dict[str, Any] = as_nobody(run)
    return found


def running(kernel: FakeKernel) -> None:
    reconcile(kernel, desired_image(load_profile(paths.under_root("/etc/schedctl/profiles/edited.yaml"))))
    kernel.threads = {7: context(1), 8: context(1), 9: context(0)}


def test_plain_users_are_told_figures_and_no_names() -> None:
    with daemon(running):
        found = ask_as_nobody()
    assert found["figures"]["profile"] == "edited"
    assert found["figures"]["classes"]["game"]["threads"] == 2
    assert found["figures"]["classes"]["game"]["level"] == 6
    (event,) = found["events"]
    assert (event["event"], event["profile"], event["message"]) == ("unchanged", "edited", None)
    kernel = FakeKernel()
    running(kernel)
    assert found["digest"] == digest(observe(kernel).image)


def status_as_nobody(
    monkeypatch: pytest.MonkeyPatch, prepare: Callable[[FakeKernel], object] = running
) -> tuple[dict[str, Any], str]:
    """`schedctl status` of a plain user, on a kernel that is as the daemon's."""
    kernel = FakeKernel()
    prepare(kernel)
    kernel.root = False
    monkeypatch.setattr(real, "RealKernel", lambda: kernel)

    def run() -> Any:
        said = []
        for words in (["status", "--json"], ["status"]):
            sys.stdout = io.StringIO()
            code = main(words)
            said.append(sys.stdout.getvalue())
        return [code, *said]

    code, document, text = as_nobody(run)
    found = checked("status", document)
    assert found["exit"] == code
    return found, text


@plain_user
def test_status_of_a_plain_user(monkeypatch: pytest.MonkeyPatch) -> None:
    with daemon(running) as served:
        found, text = status_as_nobody(monkeypatch)
        assert (found["exit"], found["drift"], found["profile"]) == (0, False, "edited")
        assert found["classes"]["game"]["threads"] == 2
        assert (found["daemon"], found["answers"]) == (True, True)
        assert "game     6      2 " in text
        *_, lately, event = text.splitlines()
        assert lately == "lately, by `journalctl -xt schedctld`:"
        assert event.endswith("  The scheduling policy is as selected, profile edited")
        edit(2)
        found, _ = status_as_nobody(monkeypatch)
        assert (found["exit"], found["drift"]) == (3, True), "nobody watches here"
        edit(6)
        served.send(signal.SIGSTOP)
        found, text = status_as_nobody(monkeypatch)
        assert (found["daemon"], found["answers"], found["classes"]) == (True, False, {})
        assert "daemon     does not answer" in text
    found, text = status_as_nobody(monkeypatch)
    assert (found["daemon"], found["last_events"], found["drift"]) == (False, None, None)
    assert found["classes"] == {}
    assert "can be read by root only, or by all while schedctld answers" in text


@plain_user
def test_a_plain_user_is_not_told_whom_an_ejection_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(kernel: FakeKernel) -> None:
        running(kernel)
        kernel.threads = {}
        kernel.eject(ExitRecord(67, 0, 1, "disabled by sysrq-S", "secret[7]"))

    with daemon(ended):
        assert stat.S_IMODE(paths.ejections_file().stat().st_mode) == 0o600
        found, text = status_as_nobody(monkeypatch, ended)
    assert (found["exit"], found["ejected"], found["ejections"]) == (3, True, None)
    assert "next       root's `schedctl status` says what follows" in text
    assert "nothing attaches" not in text
    assert "secret" not in text + json.dumps(found)


def status_lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Root's, on a kernel that runs the daemon's scheduler."""
    kernel = FakeKernel()
    running(kernel)
    monkeypatch.setattr(real, "RealKernel", lambda: kernel)
    with redirect_stdout(io.StringIO()) as said:
        main(["status"])
    return said.getvalue().splitlines()


def test_a_daemon_of_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an upgrade under a daemon that runs: by `status` and by `doctor`."""
    with daemon(running):
        same = ask(10)
        assert same is not None
        assert (same.version, other_version(same.version)) == (__version__, None)
        assert "daemon     " not in "\n".join(status_lines(monkeypatch))
        monkeypatch.setattr(inquiry, "__version__", "9.8.7")
        restart = f"of version {__version__}, this command is of version 9.8.7: `systemctl restart schedctld`"
        assert f"daemon     schedctld is {restart}, what is attached stays" in status_lines(monkeypatch)
        seen = look()
        assert (seen.daemon, seen.daemon_answers, seen.daemon_version) == (True, True, __version__)
        monkeypatch.setattr(inquiry, "VERSION", 2)
        other = ask(10)
        assert other is not None
        assert (other.version, other.events, other.figures) == (__version__, [], None)


def test_doctor_asks_a_daemon_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_DAEMON_S", 0.3)
    with daemon() as stopped:
        assert look().daemon_answers is True
        stopped.send(signal.SIGSTOP)
        seen = look()
        assert (seen.daemon, seen.daemon_answers) == (True, False)
    assert look().daemon_answers is None


@plain_user
def test_figures_of_another_scheduler_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def attached_anew(kernel: FakeKernel) -> None:
        kernel.enable_seq = 5
        running(kernel)

    with daemon(attached_anew):
        found, _ = status_as_nobody(monkeypatch)
    assert (found["classes"], found["profile"], found["drift"]) == ({}, None, None)


def test_root_is_told_the_messages_and_reads_the_figures_itself() -> None:
    with daemon(running):
        found = ask(10)
    assert found is not None
    assert (found.figures, found.digest) == (None, None)
    assert found.events[0]["message"] == "profile edited, generation 1 runs: 0 changes"


def test_names_stay_with_root() -> None:
    kernel = FakeKernel()
    running(kernel)
    kernel.eject(ExitRecord(1026, 0, 1, "runnable task stall", "secret[7] did not run for 30s"))
    fields = {"class": "game", "comm": "secret", "tid": "7", "count": "12", "cgroup": "/secret"}
    entry = Entry(10**18, "miss", Priority.WARNING, "class game: thread 7 (secret)\nsecret", fields)
    document = told(kernel, [entry], False)
    assert "secret" not in json.dumps(document)
    assert document["figures"]["last_exit"]["reason"] == "runnable task stall"
    assert document["last_events"] == [
        {
            "at": "2001-09-09T01:46:40+00:00",
            "event": "miss",
            "priority": 4,
            "subject": "A thread has missed its deadline",
            "profile": None,
            "class": "game",
            "count": 12,
            "message": None,
        }
    ]
    assert told(kernel, [entry], True)["last_events"][0]["message"] == "class game: thread 7 (secret)"


def test_without_a_daemon_nobody_answers() -> None:
    assert ask() is None
    with daemon():
        assert ask(10) is not None
    assert paths.status_socket().is_socket(), "it was killed, and left it there"
    assert ask() is None
    with daemon() as stopped:
        assert ask(10) is not None, "a new one takes the name"
        stopped.end(signal.SIGTERM)
        assert not paths.status_socket().exists()


def test_a_daemon_that_hangs_is_not_waited_for() -> None:
    with daemon() as stopped:
        stopped.send(signal.SIGSTOP)
        begin = time.monotonic()
        assert ask(0.3) is None
        assert 0.3 <= time.monotonic() - begin < 2


def test_who_takes_nothing_keeps_nobody_waiting() -> None:
    """Two users: one takes all that he may have, the other one and root are served."""

    def hold(begun: Callable[[], object]) -> None:
        os.setgroups([])
        os.setresuid(NOBODY, NOBODY, NOBODY)
        kept = [channel.connect(paths.status_socket()) for _ in range(MAX_PER_USER)]
        while any(channel_is_empty(one) for one in kept):
            time.sleep(0.01)
        begun()
        time.sleep(60)

    with daemon(running) as served:
        before = served.nr_descriptors()
        with process.running(hold):
            assert as_nobody(lambda: ask(10) is None), "this user has had his part"
            assert ask(10) is not None
            assert served.nr_descriptors() <= before + MAX_PER_USER + 4
        deadline = time.monotonic() + 10
        while served.nr_descriptors() > before + 2:
            assert time.monotonic() < deadline, "descriptors are kept for those who have left"
            time.sleep(0.05)
        assert as_nobody(lambda: ask(10) is not None)


def channel_is_empty(connection: socket.socket) -> bool:
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True


def test_a_thousand_connections_and_garbage() -> None:
    with daemon(running) as served:
        before = served.nr_descriptors()
        kept = []
        for number in range(1000):
            try:
                connection = channel.connect(paths.status_socket())
            except BlockingIOError:  # more wait than it has room for
                continue
            if number % 3 == 0:
                connection.close()
                continue
            try:
                connection.send(os.urandom(200))
            except OSError:
                connection.close()
                continue
            kept.append(connection)
        assert served.nr_descriptors() <= before + MAX_HELD + 8
        for connection in kept:
            connection.close()
        time.sleep(0.5)
        assert ask(10) is not None
        assert served.nr_descriptors() <= before + 3


@pytest.mark.long
def test_a_flood_costs_little() -> None:
    """The cost is bounded by the pauses, not by who asks."""
    with daemon(running) as served:
        time.sleep(0.3)
        before, asked, end = served.cpu_s(), 0, time.monotonic() + 2
        while time.monotonic() < end:
            asked += ask() is not None
        assert served.cpu_s() - before < 0.6
        assert 10 <= asked <= 1000


def test_a_document_that_takes_long_is_made_seldom() -> None:
    now, made = 100.0, 0

    def document(to_root: bool) -> dict[str, Any]:
        nonlocal now, made
        now, made = now + 0.05, made + 1
        return {"schedctl_status": 1, "last_events": [], "to_root": to_root}

    paths.run_dir().mkdir(parents=True)
    public = Public(channel.listen(paths.status_socket(), 0o666, 1), document, lambda: now)
    for _ in range(100):
        with channel.connect(paths.status_socket()) as connection:
            public.serve()
            assert channel.receive(connection) is not None
        now += 0.04
    public.close()
    assert 4 <= made <= 6, "four seconds, and each second one"


def test_the_socket_is_for_everybody_and_the_folder_is_not() -> None:
    with daemon():
        assert stat.S_IMODE(paths.status_socket().stat().st_mode) == 0o666
    paths.run_dir().chmod(0o777)
    with pytest.raises(StateError, match="others may write"):
        channel.listen(paths.status_socket(), 0o666, 1)
    paths.run_dir().chmod(0o755)
    os.chown(paths.run_dir(), NOBODY, -1)
    with pytest.raises(StateError, match="others may write"):
        channel.listen(paths.status_socket(), 0o666, 1)
