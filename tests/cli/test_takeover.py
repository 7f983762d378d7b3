# SPDX-License-Identifier: GPL-2.0-only
"""Another's scheduler is named and left alone, unless a person says otherwise; managers are named."""

from __future__ import annotations

import pytest

from schedctl.harm import beside_managers
from schedctl.kernel import real, surroundings
from tests.cli.conftest import GOOD, Run
from tests.kernel.fake import FakeKernel


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    kernel = FakeKernel()
    kernel.foreign = "scx_lavd"
    monkeypatch.setattr(real, "RealKernel", lambda: kernel)
    return kernel


def test_it_is_left_alone(run: Run, kernel: FakeKernel) -> None:
    code, _, stderr = run("apply", "-", stdin=GOOD)
    assert (code, kernel.calls, kernel.foreign) == (75, [], "scx_lavd")
    assert "scx_lavd" in stderr


def test_it_is_ended_where_a_person_says_so(run: Run, kernel: FakeKernel) -> None:
    code, _, stderr = run("apply", "--takeover", "-", stdin=GOOD)
    assert (code, kernel.calls, kernel.running) == (0, ["end_foreign", "attach"], True)
    assert "scx_lavd was ended by SysRq-S" in stderr


def test_nothing_is_ended_for_a_bad_profile(run: Run, kernel: FakeKernel) -> None:
    assert run("apply", "--takeover", "-", stdin=GOOD.replace("6", "60"))[0] == 65
    assert (kernel.calls, kernel.foreign) == ([], "scx_lavd")


def test_a_takeover_of_nobody_is_an_apply(run: Run, kernel: FakeKernel) -> None:
    kernel.foreign = None
    assert run("apply", "--takeover", "-", stdin=GOOD)[0] == 0
    assert kernel.calls == ["attach"]


def test_a_takeover_needs_root(run: Run, kernel: FakeKernel) -> None:
    kernel.root = False
    assert run("apply", "--takeover", "-", stdin=GOOD)[0] == 77
    assert (kernel.calls, kernel.foreign) == ([], "scx_lavd")


def test_managers_are_warned_of_by_name(
    run: Run, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.foreign = None
    monkeypatch.setattr(surroundings, "scheduling_managers", lambda: ("ananicy-cpp", "\x1b[31m"))
    code, _, stderr = run("apply", "-", stdin=GOOD)
    assert code == 0
    assert "warning: ananicy-cpp runs, which sets priorities" in stderr
    assert "\x1b" not in stderr
    assert len(list(beside_managers(("tuned", "gamemoded")))) == 2
