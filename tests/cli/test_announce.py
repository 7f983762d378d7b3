# SPDX-License-Identifier: GPL-2.0-only
"""What plan, apply and status say of quotas, isolation, slack and threads outside, on the fake kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schedctl import paths
from schedctl.kernel import procfs, real
from schedctl.kernel.protocol import Quota
from schedctl.presence import daemon_runs, note_daemon
from schedctl.resolve.match import SchedPolicy, Thread
from tests.cli.conftest import GOOD, Run
from tests.cli.output import checked
from tests.kernel.fake import FakeKernel

LIMITS = (
    Quota("/system.slice/web.service", 50_000, 100_000, "web.service"),
    Quota("/bare", 1_000, 50_000, ""),
)
WEB = "/system.slice/web.service: 50% of a CPU (50ms in each 100ms), by web.service"


@pytest.fixture
def kernel(run: Run, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    kernel = FakeKernel()
    monkeypatch.setattr(real, "RealKernel", lambda: kernel)
    monkeypatch.setattr(procfs, "rivals", lambda: ())
    paths.standing_file().write_text("profile: good\n")
    return kernel


@pytest.mark.parametrize("words", [("plan",), ("apply", "--check"), ("apply",)])
def test_quotas_are_refused_by_name(run: Run, kernel: FakeKernel, words: tuple[str, ...]) -> None:
    kernel.limits = LIMITS
    status, out, err = run(*words)
    assert (status, out) == (69, "")
    assert f"schedctl: error: {WEB}\n" in err
    assert "schedctl: error: /bare: 2% of a CPU (1ms in each 50ms)\n" in err
    assert err.count("hint: `policy: {cpu_max: ignore}`") == 1
    assert not kernel.running


def test_quotas_that_are_let_go_are_listed(run: Run, kernel: FakeKernel, tmp_path: Path) -> None:
    kernel.limits = LIMITS
    file = tmp_path / "etc/schedctl/profiles/good.yaml"
    file.write_text(GOOD + "policy: {cpu_max: ignore}\n")
    for words, code in ((("plan",), 2), (("apply",), 0), (("plan",), 0)):
        status, _, err = run(*words)
        assert status == code
        assert f"schedctl: warning: {WEB}\n" in err
    document = checked("status", run("status", "--json")[1])
    assert (document["exit"], document["quotas"]["lost"], document["quotas"]["refused"]) == (0, 2, 0)
    assert document["quotas"]["cgroups"][1] == {
        "cgroup": "/bare",
        "unit": None,
        "quota_ns": 1_000_000,
        "period_ns": 50_000_000,
    }
    assert "quotas     2 of cgroups do not hold" in run("status")[1]


def test_a_quota_that_appears_is_a_problem_of_status(run: Run, kernel: FakeKernel) -> None:
    assert run("apply")[0] == 0
    kernel.limits = LIMITS[:1]
    status, _, err = run("status")
    assert status == 3
    assert f"a CPU quota does not hold: {WEB}" in err


def test_isolation_is_said_up_front(run: Run, kernel: FakeKernel, tmp_path: Path) -> None:
    kernel.isolated = "2-3"
    for verb in ("plan", "apply"):
        status, _, err = run(verb)
        assert status == 69
        assert "CPUs 2-3 are isolated by isolcpus=" in err
    facts = json.loads((Path(__file__).parents[1] / "resolve/facts/two-socket.json").read_text())
    facts["kernel"]["isolcpus"] = "4"
    (tmp_path / "facts").write_text(json.dumps(facts))
    status, _, err = run("plan", "--facts", str(tmp_path / "facts"))
    assert status == 69
    assert "CPUs 4 are isolated" in err


def test_facts_of_an_older_version_are_read(run: Run, kernel: FakeKernel, tmp_path: Path) -> None:
    facts = json.loads((Path(__file__).parents[1] / "resolve/facts/two-socket.json").read_text())
    for key in ("isolcpus", "ext_server", "deadline_bandwidth"):
        del facts["kernel"][key]
    (tmp_path / "facts").write_text(json.dumps(facts))
    assert run("plan", "--facts", str(tmp_path / "facts"))[0] == 2
    facts["kernel"] |= {"ext_server": False, "deadline_bandwidth": "99"}
    (tmp_path / "facts").write_text(json.dumps(facts))
    err = run("plan", "--facts", str(tmp_path / "facts"))[2]
    assert "no ext server" in err
    assert "SCHED_DEADLINE threads have reserved 99 of" in err


def test_slack_needs_the_daemon(run: Run, kernel: FakeKernel) -> None:
    assert "note: timer slack is not set for class game" in run("plan")[2]
    assert run("apply")[0] == 0
    assert "daemon     does not run" in run("status")[1]
    note_daemon()
    assert daemon_runs()
    assert "timer slack" not in run("plan")[2]
    assert "does not run" not in run("status")[1]
    pid, started = paths.daemon_file().read_text().split()
    for text in (f"{pid} {int(started) + 1}\n", "4194304 1\n", "", "nonsense"):
        paths.daemon_file().write_text(text)
        assert not daemon_runs()


def test_threads_outside_are_listed(run: Run, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    game = Thread(b"game", policy=SchedPolicy.FIFO)
    threads = [(n, game) for n in range(1, 31)] + [(99, Thread(b"other", policy=SchedPolicy.RR))]
    monkeypatch.setattr(procfs, "rivals", lambda: threads[:1])
    assert "1 thread that a rule matches is outside of sched_ext" in run("plan")[1]
    monkeypatch.setattr(procfs, "rivals", lambda: threads)
    _, out, _ = run("plan")
    assert "30 threads that rules match are outside of sched_ext" in out
    assert out.count("fifo") == 20
    assert "and 10 more" in out
    for verb in ("apply", "status"):
        document = checked(verb, run(verb, "--json")[1])
        assert len(document["outside"]) == 30
        assert document["outside"][0] == {"tid": 1, "comm": "game", "policy": "fifo", "class": "game"}
    assert (
        "outside    threads of classes that sched_ext never sees (fifo, rr, deadline): game 30"
        in run("status")[1]
    )


def test_what_the_kernel_counts_and_should_not(run: Run, kernel: FakeKernel) -> None:
    assert run("apply")[0] == 0
    # an attach on a busy CPU, which the kernel spends in its own bypass
    kernel.kernel_events = {"REFILL_SLICE_DFL": 3, "BYPASS_DISPATCH": 3, "BYPASS_ACTIVATE": 1}
    assert "should be 0" not in run("status")[1]
    kernel.kernel_events = {"REFILL_SLICE_DFL": 4, "BYPASS_DISPATCH": 3, "DISPATCH_KEEP_LAST": 0}
    assert "kernel     should be 0: REFILL_SLICE_DFL 1\n" in run("status")[1]
    assert checked("status", run("status", "--json")[1])["events"] == kernel.kernel_events


def test_watching_is_for_people(run: Run, kernel: FakeKernel) -> None:
    for words in (("--watch", "0"), ("--watch", "x"), ("--watch", "1", "--json")):
        assert run("status", *words)[0] == 64


def test_watching_prints_again(
    run: Run, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", nap)
    with pytest.raises(KeyboardInterrupt):
        run("status", "--watch", "0.5")
    assert naps == [0.5, 0.5]
    out = capsys.readouterr().out
    assert out.count("scheduler  ") == 2
    assert "\x1b" not in out, "it is no terminal"
