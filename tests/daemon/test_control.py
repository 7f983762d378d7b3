# SPDX-License-Identifier: GPL-2.0-only
"""The control socket, with a real daemon behind it: one writer, the same answers, and never a hang."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schedctl import channel, handover, paths
from schedctl.daemon.control import MAX_CLIENTS
from schedctl.errors import ConflictError, SchedctlError, UsageError
from schedctl.handover import NoAnswerError, carried_out
from schedctl.image.stats import ExitRecord
from schedctl.inquiry import ask
from schedctl.lock import locked
from schedctl.presence import note_daemon
from schedctl.report import Report, report_of
from schedctl.request import Request, Verb, carry_out, myself
from schedctl.selected import Selected, read_selected
from tests import process
from tests.daemon.sockets import PROFILE, Process, daemon, edit
from tests.kernel.fake import FakeKernel

APPLY = Request(Verb.APPLY, Selected.profile("two"))
PATIENCE_S = 20.0


class NoKernel(FakeKernel):
    """What this process must not touch while a daemon does the work."""

    def _call(self, name: str) -> None:
        raise AssertionError(f"{name}: the daemon was to do it")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    edit(6)
    edit(3, "two")
    return tmp_path


def handed_over(request: Request, patience_s: float = PATIENCE_S) -> Report:
    return carried_out(NoKernel(), request, patience_s)


def exit_of(call: Callable[[], Report]) -> Report:
    try:
        return call()
    except SchedctlError as error:
        return report_of(error)


def events() -> list[str]:
    told = ask(PATIENCE_S)
    assert told is not None
    return [event["event"] for event in told.events]


def settled(served: Process, nr_descriptors: int) -> None:
    """It looks around after each answer; then it has no more than that."""
    deadline = time.monotonic() + PATIENCE_S
    while served.nr_descriptors() > nr_descriptors:
        assert time.monotonic() < deadline, f"{served.nr_descriptors()} descriptors, not {nr_descriptors}"
        time.sleep(0.02)


def connect() -> socket.socket:
    """A client of our own, that waits."""
    connection = channel.connect(paths.control_socket())
    connection.settimeout(PATIENCE_S)
    return connection


def answer_to(document: Any) -> dict[str, Any]:
    """What the daemon answers; a document that is no mapping is sent as it is."""
    with connect() as connection:
        descriptor = channel.sealed(document)
        channel.send(connection, descriptor)
        os.close(descriptor)
        answer = channel.receive(connection) or channel.receive(connection)
    assert answer is not None
    return answer


def test_the_daemon_does_what_is_asked() -> None:
    with daemon():
        report = handed_over(APPLY)
        assert report.text == "applied profile two: 3 changes, generation 2"
        assert (report.exit_code, report.changed) == (0, True)
        assert read_selected(paths.selected_file()) == APPLY.selected
        report = handed_over(APPLY)
        assert (report.text, report.changed) == ("nothing to change: profile two runs", False)
        assert handed_over(Request(Verb.DETACH)).text == "detached: the kernel's own scheduler runs"
        assert handed_over(Request(Verb.DETACH)).text == "nothing was attached"
        assert events()[-1] == "request"


def test_the_answer_is_that_without_a_daemon() -> None:
    (paths.profile_dirs()[1] / "bad.yaml").write_text(PROFILE % ("bad", 60))
    copy = paths.run_dir() / "copy.json"
    asked = [
        APPLY,
        Request(Verb.APPLY, Selected.profile("bad")),
        Request(Verb.APPLY, Selected.profile("missing")),
        Request(Verb.APPLY, Selected.copy(copy), paths.run_dir() / "not there"),
        Request(Verb.APPLY, diff=True),
        Request(Verb.DETACH),
        Request(Verb.APPLY),
    ]
    with daemon():
        by_daemon = [exit_of(lambda request=request: handed_over(request)) for request in asked]  # type: ignore[misc]
    paths.selected_file().unlink(missing_ok=True)
    shutil.rmtree(paths.state_dir())  # the history
    note_daemon()  # what needs one is not missed
    kernel = FakeKernel()
    carry_out(kernel, Request(Verb.APPLY), myself())
    alone = [exit_of(lambda request=request: carried_out(kernel, request)) for request in asked]  # type: ignore[misc]
    for request, one, other in zip(asked, by_daemon, alone, strict=True):
        assert one == other, request


def test_who_asked_is_in_the_journal() -> None:
    with daemon():
        handed_over(APPLY)
        told = ask(PATIENCE_S)
    assert told is not None
    (event,) = [event for event in told.events if event["event"] == "request"]
    assert event["message"].startswith("apply, asked for by `")
    assert f"`{myself().command}`" in event["message"]
    assert event["message"].endswith("`: applied profile two: 3 changes, generation 2")
    assert event["profile"] == "two"


def test_a_rollback_to_nothing_attached_is_said_too() -> None:
    with daemon() as process:
        handed_over(Request(Verb.DETACH))
        handed_over(Request(Verb.APPLY, APPLY.selected, confirm_within_ns=10**11))
        assert handed_over(Request(Verb.ROLLBACK, unconfirmed=True)).text.endswith("nothing attached")
        handed_over(APPLY)
        assert handed_over(Request(Verb.ROLLBACK)).text.endswith("nothing attached")
        assert process.end(signal.SIGTERM) == 0


def test_after_an_ejection_a_person_attaches_through_the_daemon() -> None:
    def ejected(kernel: FakeKernel) -> None:
        carry_out(kernel, Request(Verb.APPLY), myself())
        kernel.eject(ExitRecord(1026, 0, 1, "runnable task stall"))

    with daemon(ejected):
        assert events() == ["ejected"]
        assert handed_over(Request(Verb.APPLY)).changed


def test_without_a_daemon_the_command_does_it() -> None:
    kernel = FakeKernel()
    assert carried_out(kernel, APPLY, PATIENCE_S).changed
    with daemon():
        pass
    assert paths.control_socket().is_socket(), "it was killed, and left it there"
    kernel = FakeKernel()
    assert carried_out(kernel, APPLY, PATIENCE_S).changed
    assert kernel.running


@pytest.mark.long
def test_a_large_answer_arrives() -> None:
    rules = "\n".join(f"      - {{comm: n{number}}}" for number in range(15_000))
    text = f"schedctl: 1\nname: big\nclasses:\n  game:\n    level: 1\n    match:\n{rules}\n"
    (paths.profile_dirs()[1] / "big.yaml").write_text(text)
    with daemon():
        report = handed_over(Request(Verb.APPLY, Selected.profile("big"), diff=True))
    assert len(report.data["plan"]["changes"]) > 15_000
    assert len(json.dumps(report.data)) > 1 << 20


GARBAGE: list[Any] = [
    {},
    [],
    "text",
    {"schedctl_request": 0},
    {"schedctl_request": "1"},
    {"schedctl_request": True},
    APPLY.to_document() | {"verb": "reboot"},
    APPLY.to_document() | {"more": 1},
    APPLY.to_document() | {"number": -1.5},
    APPLY.to_document() | {"copy": "\ud800\0\x1b[2J"},
    {"schedctl_request": 1, "verb": {"a": []}},
]


def test_what_is_no_request_gets_an_answer() -> None:
    with daemon() as served:
        for document in GARBAGE:
            answer = answer_to(document)
            assert answer["report"]["exit"] in (UsageError.exit_code, 65, 66), document
            assert answer["report"]["problems"][0]["message"]
        assert handed_over(APPLY).exit_code == 0
        assert served.end(signal.SIGTERM) == 0, "it has never crashed"


def _pipe() -> int:
    return os.pipe()[0]


def _unsealed() -> int:
    return os.memfd_create("x", os.MFD_ALLOW_SEALING)


def _text(text: bytes) -> int:
    descriptor = os.memfd_create("x", os.MFD_ALLOW_SEALING)
    os.write(descriptor, text)
    channel.seal(descriptor)
    return descriptor


NO_DOCUMENTS: list[Callable[[], int | None]] = [
    lambda: None,
    _pipe,
    _unsealed,
    lambda: os.open("/dev/zero", os.O_RDONLY),
    lambda: os.open("/", os.O_RDONLY),
    lambda: _text(b""),
    lambda: _text(b"{"),
    lambda: _text(b"\xff" * 100),
    lambda: _text(b"[" * 1_000_000),
    lambda: _text(b'{"schedctl_request": ' + b"9" * 10_000 + b"}"),
]


def test_what_is_no_document_gets_an_answer() -> None:
    with daemon() as served:
        before = served.nr_descriptors()
        for make in NO_DOCUMENTS:
            with connect() as connection:
                descriptor = make()
                channel.send(connection, descriptor)
                answer = channel.receive(connection) or channel.receive(connection)
            if descriptor is not None:
                os.close(descriptor)
            assert answer is not None
            assert answer["report"]["exit"] == UsageError.exit_code
            assert not answer["carried_out"]
        assert handed_over(APPLY).exit_code == 0
        settled(served, before)
        assert served.end(signal.SIGTERM) == 0, "it has never crashed"


def test_a_newer_command_is_told_what_to_do() -> None:
    with daemon():
        answer = answer_to({"schedctl_request": 2, "verb": "apply", "what": "nobody knows yet"})
    (problem,) = answer["report"]["problems"]
    assert answer["report"]["exit"] == ConflictError.exit_code
    assert "schedctld is older than this command" in problem["message"]
    assert "systemctl restart schedctld" in problem["hint"]
    assert "stays attached" in problem["hint"]


def test_a_thousand_silent_connections_keep_nobody_out() -> None:
    with daemon() as served:
        before, kept = served.nr_descriptors(), []
        for number in range(1000):
            try:
                connection = channel.connect(paths.control_socket())
            except BlockingIOError:
                time.sleep(0.001)
                continue
            kept.append(connection)
            if number % 100 == 99:
                assert handed_over(APPLY).exit_code == 0
        assert len(kept) > 200
        # more than those while it looks around; silence alone ends them later
        assert served.nr_descriptors() <= before + MAX_CLIENTS + 6
        assert handed_over(APPLY).exit_code == 0
        for connection in kept:
            connection.close()
        settled(served, before)


def test_requests_come_in_order_and_each_is_answered() -> None:
    with daemon() as served:
        served.send(signal.SIGSTOP)
        asked = []
        for number in range(MAX_CLIENTS + 4):
            connection = connect()
            request = Request(Verb.APPLY, Selected.profile("two" if number % 2 else "edited"))
            channel.send_document(connection, request.to_document())
            asked.append(connection)
        served.send(signal.SIGCONT)
        generations = []
        for connection in asked:
            with connection:
                assert channel.receive(connection) is None, "the sign of life"
                answer = channel.receive(connection)
                assert answer is not None
                generations.append(answer["report"]["generation"])
        assert generations == sorted(generations)
        assert len(set(generations)) == len(generations) or generations[0] == generations[1]


def test_a_daemon_that_hangs_is_said_in_time_and_does_nothing_afterwards() -> None:
    with daemon() as served:
        served.send(signal.SIGSTOP)
        begin = time.monotonic()
        with pytest.raises(NoAnswerError) as caught:
            handed_over(APPLY, 0.5)
        assert 0.5 <= time.monotonic() - begin < 1.5
        assert caught.value.exit_code == 75
        assert "systemctl restart schedctld" in (caught.value.hint or "")
        served.send(signal.SIGCONT)
        assert events() == ["applied"], "the command has given up, and so does the daemon"
        assert read_selected(paths.selected_file()) == Selected()


def test_many_commands_and_a_daemon_that_hangs() -> None:
    """More than the socket has room for."""
    with daemon() as served:
        served.send(signal.SIGSTOP)
        kept = []
        for _ in range(200):
            try:
                kept.append(channel.connect(paths.control_socket()))
            except BlockingIOError:
                break
        else:
            pytest.fail("no limit")
        begin = time.monotonic()
        with pytest.raises(NoAnswerError):
            handed_over(APPLY, 0.5)
        assert time.monotonic() - begin < 1.5


def test_detach_needs_no_daemon() -> None:
    kernel = FakeKernel()
    carry_out(kernel, APPLY, myself())
    with daemon() as served:
        served.send(signal.SIGSTOP)
        report = carried_out(kernel, Request(Verb.DETACH), 0.3)
        assert (report.exit_code, report.changed) == (0, True)
        assert report.problems[0].message.startswith("done without the daemon: schedctld runs and does not")
        assert not kernel.running
        assert read_selected(paths.selected_file()) == Selected.none()


def test_a_detach_that_the_daemon_does_not_understand_is_done_by_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = FakeKernel()
    carry_out(kernel, APPLY, myself())
    monkeypatch.setattr(Request, "to_document", lambda _: {"schedctl_request": 7})
    with daemon():
        assert exit_of(lambda: carried_out(kernel, APPLY)).exit_code == 75
        assert carried_out(kernel, Request(Verb.DETACH)).changed


def test_a_lock_that_a_hung_daemon_holds_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "DETACH_LOCK_S", 0.2)

    def hold(begun: Callable[[], object]) -> None:
        with locked(paths.lock_file()):
            begun()
            time.sleep(60)

    with daemon() as served, process.running(hold):
        served.send(signal.SIGSTOP)
        with pytest.raises(ConflictError) as caught:
            carried_out(FakeKernel(), Request(Verb.DETACH), 0.2)
    assert "pytest" in caught.value.message


def test_a_daemon_that_dies_at_work_is_said() -> None:
    reader, writer = os.pipe()

    def slow(kernel: FakeKernel) -> None:
        def flip(_: int) -> None:
            os.write(writer, b".")
            time.sleep(60)

        kernel.flip = flip  # type: ignore[assignment, method-assign]

    with daemon(slow) as served:
        pid = os.fork()
        if pid == 0:
            os.read(reader, 1)
            served.send(signal.SIGKILL)
            os._exit(0)
        with pytest.raises(ConflictError) as caught:
            handed_over(APPLY)
        os.waitpid(pid, 0)
    assert caught.value.message == "schedctld has ended before it answered; now no policy of schedctl runs"
    assert "schedctl status" in (caught.value.hint or "")


def test_a_stop_answers_those_who_wait() -> None:
    with daemon() as served:
        served.send(signal.SIGSTOP)
        waiting = [connect() for _ in range(3)]
        for connection in waiting:
            channel.send_document(connection, APPLY.to_document())
        served.send(signal.SIGTERM)
        served.send(signal.SIGCONT)
        for connection in waiting:
            with connection:
                try:
                    answer = channel.receive(connection) or channel.receive(connection)
                except (EOFError, ConnectionError):
                    continue  # not yet heard: the command does it itself
                assert answer is not None
                assert answer["report"]["exit"] in (0, 75)


def test_a_restart_while_a_command_waits_is_no_hang() -> None:
    """Not yet begun: the command does it itself."""
    kernel = FakeKernel()
    with daemon() as served:
        served.send(signal.SIGSTOP)
        pid = os.fork()
        if pid == 0:
            time.sleep(0.3)
            served.send(signal.SIGKILL)
            os._exit(0)
        assert carried_out(kernel, APPLY, PATIENCE_S).changed
        os.waitpid(pid, 0)
    assert kernel.running


def test_the_socket_is_for_root_alone() -> None:
    with daemon():
        assert stat.S_IMODE(paths.control_socket().stat().st_mode) == 0o600
