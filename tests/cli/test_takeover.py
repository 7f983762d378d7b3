# SPDX-License-Identifier: GPL-2.0-only
"""Another's scheduler is named and left alone, unless a person says otherwise; managers are named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schedctl.harm import beside_managers
from schedctl.kernel import real, surroundings
from schedctl.kernel.protocol import Quota
from tests.cli.conftest import GOOD, Run
from tests.cli.test_host import NEW, OBJECT, put_broken, until
from tests.conftest import Guest
from tests.daemon.test_events import GROUP, set_quota
from tests.kernel.fake import FakeKernel

OURS, OTHER = (name + bytes(100) for name in (b"schedctl", b"stranger"))


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


def test_nothing_is_ended_for_what_is_refused(run: Run, kernel: FakeKernel, tmp_path: Path) -> None:
    kernel.limits = (Quota("/a", 1000, 100_000, ""),)
    assert run("apply", "--takeover", "-", stdin=GOOD)[0] == 69
    kernel.limits, kernel.foreign = (), None
    run("apply", "-", stdin=GOOD)
    plan = str(tmp_path / "a.plan")
    run("plan", "-", "-o", plan, stdin=GOOD.replace("6", "5"))
    run("detach")
    kernel.foreign = "scx_lavd"
    assert run("apply", "--takeover", plan)[0] == 75
    assert (kernel.calls, kernel.foreign) == (["attach", "detach"], "scx_lavd")


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


# --- on a real kernel ------------------------------------------------------------------------------


@contextmanager
def stranger(guest: Guest) -> Iterator[None]:
    """Another's scheduler, as far as schedctl can tell: ours under another name, pinned nowhere."""
    guest.sh("schedctl detach; rm -f /root/foreign.out")
    data = OBJECT.read_bytes()
    assert data.count(OURS) == 1
    guest.vm.put("/root/foreign.o", data.replace(OURS, OTHER))
    guest.vm.put("/root/foreign.py", Path(__file__).with_name("foreign.py"))
    guest.sh("setsid python3 /root/foreign.py /root/foreign.o > /root/foreign.out 2>&1 &")
    try:
        guest.sh(until("grep -q attached /root/foreign.out"))
        yield
    finally:
        guest.sh("pkill -f [f]oreign.py")


def attached(guest: Guest) -> tuple[str, str | None]:
    status = guest.status()
    return status["owner"], status["ops"]


def named(guest: Guest, code: int, what: str, *words: str) -> None:
    """Refused with a sentence that names it, and nothing of the other scheduler changes."""
    document = guest.schedctl(*words)
    said = "; ".join(problem["message"] for problem in document["problems"])
    assert (document["exit"], attached(guest)) == (code, ("other", "stranger")), said
    assert what in said


def test_another_scheduler(lab: Guest) -> None:
    lab.vm.put("/root/lab.yaml", NEW)
    with stranger(lab):
        for verb in (["plan", "/root/lab.yaml"], ["apply", "/root/lab.yaml"], ["detach"]):
            named(lab, 75, "stranger", *verb)
        set_quota(lab, 50_000)
        named(lab, 69, "/quota-test: 50% of a CPU", "apply", "--takeover", "/root/lab.yaml")
        lab.sh(f"rmdir {GROUP}")
        result = lab.run("schedctl apply --takeover ./lab.yaml")
        assert (result.status, attached(lab)) == (0, ("schedctl", "schedctl")), result
        assert "stranger was ended by SysRq-S" in result.stderr
    assert attached(lab) == ("schedctl", "schedctl"), "its owner ended, and ours with it"


def test_a_takeover_that_the_kernel_refuses(lab: Guest) -> None:
    """Neither of them runs then, and both are said."""
    lab.vm.put("/root/lab.yaml", NEW)
    put_broken(lab, "/root/broken")
    with stranger(lab):
        command = "SCHEDCTL_BPF_DIR=/root/broken schedctl apply --takeover ./lab.yaml"
        result = lab.run(command)
        assert (result.status, attached(lab)) == (1, ("none", None)), result
        assert "stranger was ended by SysRq-S" in result.stderr
        assert "invalid read from stack" in result.stderr
