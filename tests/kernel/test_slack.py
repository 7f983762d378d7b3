# SPDX-License-Identifier: GPL-2.0-only
"""Timer slack of a real thread, with contexts that the test makes up."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from schedctl.image.abi import TASK_LAYOUT, TaskCtx
from schedctl.image.identity import Identity
from schedctl.image.task import TaskContext
from schedctl.kernel import libbpf, slack
from schedctl.slack import given_back

OLD_NS = 70_000


class Contexts:
    """The map of contexts: one look-up after another."""

    def __init__(self, *looks: dict[str, int] | None) -> None:
        self.looks = list(looks)

    def lookup(self, _key: int = 0) -> bytes:
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if look is None:
            raise OSError
        return bytes(TaskCtx(layout=TASK_LAYOUT, **look))


@pytest.fixture
def thread() -> Iterator[int]:
    with subprocess.Popen(["sleep", "60"]) as child:
        slack_file(child.pid).write_text(str(OLD_NS))
        yield child.pid
        child.kill()


def slack_file(tid: int) -> Path:
    return Path(f"/proc/{tid}/timerslack_ns")


def slack_ns(tid: int) -> int:
    return int(slack_file(tid).read_text())


def set_slack(tid: int, choose: int | None, *looks: dict[str, int] | None) -> bool:
    def chosen(_context: TaskContext, _now_ns: int) -> int | None:
        return choose

    return slack.set_slack(cast(libbpf.Map, Contexts(*looks)), tid, chosen)


IN = {"slack_ns": OLD_NS, "slack_asked_ns": 1}


def test_it_is_written(thread: int) -> None:
    assert set_slack(thread, 1, IN)
    assert slack_ns(thread) == 1
    assert not set_slack(thread, 1, IN), "it has it already"


@pytest.mark.parametrize("look", [None, {}])
def test_a_thread_that_nobody_asked_for_is_left(thread: int, look: dict[str, int] | None) -> None:
    assert not set_slack(thread, 1, look)
    assert slack_ns(thread) == OLD_NS


def test_a_class_left_behind_the_look_is_undone(thread: int) -> None:
    assert not set_slack(thread, 1, IN, {})
    assert slack_ns(thread) == OLD_NS


def test_it_is_given_back_also_where_that_was_seen_at_once(thread: int) -> None:
    slack_file(thread).write_text("1")
    contexts = cast(libbpf.Map, Contexts(IN, {}))
    assert slack.set_slack(contexts, thread, given_back)
    assert slack_ns(thread) == OLD_NS
    assert not slack.set_slack(cast(libbpf.Map, Contexts(IN)), thread, given_back), "once is enough"
    slack_file(thread).write_text("12345")
    assert not slack.set_slack(cast(libbpf.Map, Contexts(IN)), thread, given_back), "its own choice"


def test_a_thread_that_has_ended() -> None:
    with subprocess.Popen(["true"]) as child:
        pass
    assert not set_slack(child.pid, 1, IN)


class Other:
    """A map of contexts of another version."""

    def lookup(self, _key: int = 0) -> bytes:
        return bytes(8) + OLD_NS.to_bytes(8, "little") + (1).to_bytes(8, "little")


def test_it_is_given_back_by_a_context_of_another_layout(thread: int) -> None:
    contexts, identity = cast(libbpf.Map, Other()), Identity("ab" * 32, 9, 9, 24, 8)
    slack_file(thread).write_text("1")
    assert slack.give_back(contexts, thread, identity)
    assert slack_ns(thread) == OLD_NS
    assert not slack.give_back(contexts, thread, identity)
    slack_file(thread).write_text("1")
    assert not slack.give_back(contexts, thread, Identity("ab" * 32, 9, 9, 24, 16)), "no room for it"
    assert slack_ns(thread) == 1
