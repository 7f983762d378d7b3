# SPDX-License-Identifier: GPL-2.0-only
"""An apply that replaces the scheduler and fails behind that: only policy and notes are taken back."""

from __future__ import annotations

import pytest

from schedctl import trying
from schedctl.books import KeptBooks
from schedctl.errors import StateError
from schedctl.observe import observe
from schedctl.pending import read_pending
from tests.kernel.fake import FakeKernel
from tests.test_apply_steps import MINUTE_NS, Host, host, memory

__all__ = ["host", "memory"]


@pytest.mark.parametrize("within_ns", [None, MINUTE_NS])
@pytest.mark.parametrize("layout", ["same", "another"])
def test_what_fails_behind_a_swap_leaves_the_new_scheduler_on_trial(
    host: Host, monkeypatch: pytest.MonkeyPatch, layout: str, within_ns: int | None
) -> None:
    def refuse(_: KeptBooks) -> None:
        raise StateError("the disk is full")

    kernel = FakeKernel()
    host.apply("old", kernel=kernel)
    trying.clear_mark()
    host.timers.armed.clear()
    kernel.installed = "b" * 64
    if layout == "another":
        kernel.slots[kernel.active] = bytes([99, 0, 0, 0]) + kernel.slots[kernel.active][4:]
    monkeypatch.setattr(KeptBooks, "note", refuse)
    policy = {"same": "old", "another": "new"}[layout]
    said = f"is full; the installed scheduler runs now, with the {policy} policy"
    with pytest.raises(StateError) as refused:
        host.apply("new", within_ns, kernel)
    assert refused.value.message.endswith(said)
    image = observe(kernel).image
    assert image is not None
    assert (image.profile, kernel.object, host.noted()) == (policy, kernel.installed, "old")
    assert trying.mark() is not None
    assert read_pending() is None
    assert [words for _, words in host.timers.armed.values()] == [["confirm", "--settled"]]
