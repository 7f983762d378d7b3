# SPDX-License-Identifier: GPL-2.0-only
"""A request to whoever has to carry it out: the daemon where one runs, else this process.

The command sends one document, and the daemon's loop says that it lives before it begins; so a command
that has heard nothing knows that nothing was done. Then it waits for as long as the work takes.
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from schedctl import channel, paths
from schedctl.errors import ConflictError, InternalError, Problem, SchedctlError
from schedctl.kernel.protocol import Kernel
from schedctl.observe import observe
from schedctl.report import Report, envelope, report_from
from schedctl.request import Request, Verb, carry_out, myself

ANSWER_VERSION = 1
# For the first sign of life; a daemon that lives needs some milliseconds.
PATIENCE_S = 10.0
RETRY_S = 0.05
# The way out does not wait for long for a daemon that hangs with the lock in its hands.
DETACH_LOCK_S = 5.0


class NoAnswerError(ConflictError):
    """The daemon has given no sign of life in time."""


def carried_out(kernel: Kernel, request: Request, patience_s: float = PATIENCE_S) -> Report:
    """By the daemon, or under the lock by this process; raises as request.carry_out does.

    NoAnswerError: a daemon is there, and hangs. Only a detach goes on without it.
    """
    try:
        answer = hand_over(kernel, request, patience_s)
    except NoAnswerError as error:
        if request.verb is not Verb.DETACH:
            raise
        report = carry_out(kernel, request, myself(), DETACH_LOCK_S)
        said = Problem("warning", "", 0, 0, "", f"done without the daemon: {error.message}", error.hint)
        return replace(report, problems=(*report.problems, said))
    return carry_out(kernel, request, myself()) if answer is None else answer


def hand_over(kernel: Kernel, request: Request, patience_s: float) -> Report | None:
    """The daemon's answer; None where none runs, or where it leaves a detach to this process."""
    deadline = time.monotonic() + patience_s
    try:
        connection = _connected(deadline, patience_s)
    except (FileNotFoundError, ConnectionRefusedError, PermissionError):
        return None
    with connection:
        try:
            channel.send_document(connection, request.to_document())
            answer = _first(connection, deadline, request, patience_s)
        except (EOFError, ConnectionError):
            return None  # it has ended, before it began
        try:
            document = answer or channel.receive(_readable(connection))
        except (EOFError, ConnectionError):
            raise ConflictError(
                f"schedctld has ended before it answered{_what_runs(kernel)}",
                "`schedctl status` says whether that is what was selected; if not, try again",
            ) from None
    return _report(document or {}, request)


def answer_document(report: Report, verb: str | None) -> dict[str, Any]:
    """What the daemon answers; `verb` is None where it has carried out nothing."""
    return {
        "schedctl_answer": ANSWER_VERSION,
        "carried_out": verb is not None,
        "report": envelope(verb or "schedctl", report),
        "text": report.text,
        "sources": [problem.source for problem in report.problems],
    }


def _report(answer: dict[str, Any], request: Request) -> Report | None:
    if answer.get("schedctl_answer") != ANSWER_VERSION:
        raise ConflictError(
            "schedctld is of another version than this command",
            "`systemctl restart schedctld`; what is attached stays attached",
        )
    try:
        if not answer["carried_out"] and request.verb is Verb.DETACH:
            return None
        report = report_from(answer["report"], answer["text"])
        sources = zip(report.problems, answer["sources"], strict=True)
    except (KeyError, TypeError, ValueError) as error:
        raise InternalError(f"not an answer of schedctld: {error!r}") from None
    return replace(report, problems=tuple(replace(found, source=text) for found, text in sources))


def _connected(deadline: float, patience_s: float) -> socket.socket:
    while True:
        try:
            return channel.connect(paths.control_socket())
        except BlockingIOError:  # others wait there already
            if time.monotonic() >= deadline:
                raise _no_answer(patience_s) from None
            time.sleep(RETRY_S)


def _first(
    connection: socket.socket, deadline: float, request: Request, patience_s: float
) -> dict[str, Any] | None:
    """Waits for the sign of life; an answer that comes in its place. EOFError, ConnectionError: it ended."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    if poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        return channel.receive(connection)
    # From here on it cannot begin any more: a sign that was not sent yet is refused by the kernel.
    connection.shutdown(socket.SHUT_RDWR)
    try:
        channel.receive(connection)
    except (EOFError, OSError):
        if request.copy is not None:
            with suppress(OSError):
                request.copy.unlink(missing_ok=True)
        raise _no_answer(patience_s) from None
    raise ConflictError(
        f"schedctld has begun only after {patience_s:g} s, and goes on by itself",
        "`schedctl status` says what runs; `systemctl status schedctld` what it does",
    )


def _readable(connection: socket.socket) -> socket.socket:
    """Waits, for however long the work takes."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.poll()
    return connection


def _no_answer(patience_s: float) -> NoAnswerError:
    return NoAnswerError(
        f"schedctld runs and does not answer: no sign of life in {patience_s:g} s; nothing was changed",
        "`systemctl status schedctld` says what it does, `systemctl restart schedctld` starts it anew: what"
        " is attached stays attached; `schedctl detach` needs no daemon",
    )


def _what_runs(kernel: Kernel) -> str:
    try:
        found = observe(kernel)
    except SchedctlError:
        return ""
    if found.image is None:
        return "; now no policy of schedctl runs"
    return f"; profile {found.image.profile}, generation {found.generation}, runs now"
