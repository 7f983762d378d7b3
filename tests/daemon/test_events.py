# SPDX-License-Identifier: GPL-2.0-only
"""The daemon on a real kernel: it hears events, sets timer slack and gives it back, refuses quotas."""

from __future__ import annotations

from tests.conftest import CONFIGS, IDLE, Guest, Lab
from tests.daemon.test_service import events, eventually, journal, start
from tests.proof import proof
from tests.sched.measure import wakeup_ns

# Every job of `late` is over its deadline; `urgent` has no deadline that it could miss.
LATE = """schedctl: 1
name: edited
classes:
  late: {match: [{comm: late}], level: 3, period: 1ms, deadline: 100us}
  urgent: {match: [{comm: urgent}], level: 7, deadline: 1s}
  one: {match: [{comm: one}], level: 2, threads: 1}
"""
WORK = 2_000_000
SLACK = """schedctl: 1
name: edited
classes:
  first: {match: [{comm: sleeper}], level: 6}
"""
# One of a class, which forks a child into another class, and by SIGHUP one more; it leaves by SIGUSR1 and
# comes back by SIGUSR2.
SLEEPERS = r"""
import os, signal, time
def name(text):
    open("/proc/self/comm", "w").write(text)
def fork(child):
    if os.fork() == 0:
        name(child)
def sleep():
    while True:
        time.sleep(0.05)
# what started this may be an RT thread, which has none
open("/proc/self/timerslack_ns", "w").write("50000")
if os.fork() == 0:
    name("sleeper")
    signal.signal(signal.SIGHUP, lambda *_: fork("orphan"))
    signal.signal(signal.SIGUSR1, lambda *_: name("leaver"))
    signal.signal(signal.SIGUSR2, lambda *_: name("sleeper"))
    time.sleep(1)
    fork("child")
    sleep()
if os.fork() == 0:
    name("other")
    sleep()
sleep()
"""
GROUP = "/sys/fs/cgroup/quota-test"
DEFAULT_SLACK = 50_000


def set_quota(guest: Guest, quota_us: int) -> None:
    """Of a new cgroup, in periods of 100 ms."""
    guest.sh(f"echo +cpu > /sys/fs/cgroup/cgroup.subtree_control; mkdir -p {GROUP}")
    guest.sh(f"echo '{quota_us} 100000' > {GROUP}/cpu.max")


def late_jobs(guest: Guest, count: int) -> None:
    guest.sh(f"/root/wake late {count} 2000 {WORK}", timeout=300)


def slack(guest: Guest, name: str) -> set[int]:
    """Of all threads of that name."""
    lines = guest.sh(f"for pid in $(pgrep -x {name}); do cat /proc/$pid/timerslack_ns; done")
    return set(map(int, lines.split()))


def test_misses_reach_the_journal_and_do_not_flood_it(lab1: Guest) -> None:
    start(lab1, LATE)
    before = lab1.status()["counters"]["nr_events"]
    late_jobs(lab1, 40)
    status = lab1.status()
    assert status["classes"]["late"]["misses"] >= 40
    assert status["counters"]["nr_events"] >= before + 40
    assert status["daemon"] is True
    eventually(lab1, lambda: events(lab1).count("miss") >= 2, seconds=20)
    first, *more = [entry for entry in journal(lab1) if entry["SCHEDCTL_EVENT"] == "miss"]
    assert (first["SCHEDCTL_CLASS"], first["SCHEDCTL_COMM"]) == ("late", "late")
    assert (first["SCHEDCTL_COUNT"], first["PRIORITY"]) == ("1", "4")
    assert int(first["SCHEDCTL_TARDINESS_NS"]) > 0
    assert "class late: thread" in first["MESSAGE"]
    assert len(more) <= 3
    assert sum(int(entry["SCHEDCTL_COUNT"]) for entry in more) >= 30


def test_a_thread_too_many_reaches_the_journal(lab1: Guest) -> None:
    start(lab1, LATE)
    lab1.sh("/root/share 1 one:2:-1:0")
    eventually(lab1, lambda: "surplus" in events(lab1))
    (entry,) = [entry for entry in journal(lab1) if entry["SCHEDCTL_EVENT"] == "surplus"]
    assert (entry["SCHEDCTL_CLASS"], entry["SCHEDCTL_COMM"]) == ("one", "one")
    assert "is one more than the class's `threads`, and runs as fair" in entry["MESSAGE"]


def test_a_stopped_reader_costs_events_and_no_time(lab1: Guest) -> None:
    start(lab1, LATE)
    heard = wakeup_ns(lab1, "urgent", hogs=4)
    lab1.sh("systemctl kill -s STOP schedctld")
    try:
        late_jobs(lab1, 300)
        counters = lab1.status()["counters"]
        assert counters["nr_events_dropped"] > 0
        stopped = wakeup_ns(lab1, "urgent", hogs=4)
    finally:
        lab1.sh("systemctl kill -s CONT schedctld")
    assert stopped.p50 <= 1.5 * heard.p50, (stopped, heard)
    assert stopped.p99 <= 1.5 * heard.p99, (stopped, heard)
    eventually(lab1, lambda: "lost" in events(lab1))
    lab1.sh("systemctl stop schedctld")
    before = lab1.status()["counters"]
    late_jobs(lab1, 5)
    after = lab1.status()["counters"]
    for key in ("nr_events", "nr_events_dropped"):
        assert after[key] == before[key], "nobody listens, and nothing is written or lost"


def test_slack_is_given_back(lab1: Guest) -> None:
    start(lab1, SLACK)
    lab1.vm.put("/root/sleepers.py", SLEEPERS)
    lab1.sh("setsid python3 /root/sleepers.py > /dev/null 2>&1 & sleep 0.5")
    try:
        eventually(lab1, lambda: slack(lab1, "sleeper") == {1})
        lab1.sh("sleep 2")
        eventually(lab1, lambda: slack(lab1, "child") == {DEFAULT_SLACK})
        assert slack(lab1, "other") == {DEFAULT_SLACK}
        lab1.sh("systemctl kill -s KILL schedctld; systemctl stop schedctld")
        assert slack(lab1, "sleeper") == {1}
        lab1.sh("pkill -HUP -x sleeper; sleep 0.5; pkill -USR1 -x sleeper; sleep 0.5")
        for name in ("orphan", "leaver"):
            assert slack(lab1, name) == {1}, "nobody is there to give it back"
        lab1.sh("systemctl reset-failed schedctld; systemctl start schedctld")
        eventually(lab1, lambda: slack(lab1, "leaver") == {DEFAULT_SLACK})
        eventually(lab1, lambda: slack(lab1, "orphan") == {DEFAULT_SLACK})
        lab1.sh("pkill -USR2 -x leaver")
        eventually(lab1, lambda: slack(lab1, "sleeper") == {1})
        lab1.sh("schedctl detach")
        for name in ("sleeper", "child", "other"):
            assert slack(lab1, name) == {DEFAULT_SLACK}, name
    finally:
        lab1.sh("pkill -KILL -f [s]leepers.py")


def test_an_idle_daemon_wakes_for_its_watchdog_only(lab1: Guest) -> None:
    """WatchdogSec=30: it looks every 15 s. Over before the policy has run for a minute, which is noted."""
    start(lab1, SLACK)
    look = "cat /proc/$(systemctl show -P MainPID schedctld)/status | grep ^voluntary"
    lab1.sh("sleep 10")
    before, after = (int(line.split()[1]) for line in lab1.sh(f"{look}; sleep 40; {look}").splitlines())
    assert after - before <= 6, "a tick takes some looks at files and maps"


def _with_daemon(guest: Guest, value: str) -> None:
    guest.sh("systemctl stop schedctld")
    start(guest, SLACK.replace("level: 6", f"level: 6, timer_slack: {value}"))


@proof(
    knob="classes.*.timer_slack",
    setup=_with_daemon,
    on="1ns",
    off="50us",
    counter="counters.nr_slack_changes",
)
def test_timer_slack(guest: Guest) -> None:
    """A class's threads get its timer slack"""
    own = "echo 50000 > /proc/$$/timerslack_ns; printf sleeper > /proc/$$/comm"
    script = f"{own}; sleep 1; cat /proc/$$/timerslack_ns"
    assert guest.sh(f"sh -c '{script}'").strip() == "1"


def test_a_quota_that_appears_ends_it(lab1: Guest) -> None:
    start(lab1)
    set_quota(lab1, 50_000)
    eventually(lab1, lambda: "quota" in events(lab1))
    status = lab1.status()
    assert (status["exit"], status["state"], status["quotas"]["refused"]) == (3, "enabled", 1)
    assert status["counters"]["nr_quota_changes"] == 1
    assert any("/quota-test: 50% of a CPU" in problem["message"] for problem in status["problems"])
    eventually(lab1, lambda: "quota-detached" in events(lab1), seconds=25)
    assert lab1.status()["state"] == "disabled"
    result = lab1.schedctl("apply")
    assert result["exit"] == 69
    assert any("/quota-test" in problem["message"] for problem in result["problems"])
    lab1.sh(f"rmdir {GROUP}; systemctl reload schedctld")
    eventually(lab1, lambda: lab1.status()["state"] == "enabled", seconds=40)


def test_a_quota_for_a_moment_is_forgiven(lab1: Guest) -> None:
    start(lab1)
    set_quota(lab1, 50_000)
    lab1.sh(f"sleep 2; rmdir {GROUP}; sleep 15")
    assert events(lab1)[-1] == "quota"
    assert lab1.status()["exit"] == 0


QUOTA = """schedctl: 1
name: edited
policy: {cpu_max: %s}
classes: {}
"""


def _policy(guest: Guest, value: str) -> None:
    guest.sh(f"rmdir {GROUP} 2> /dev/null; true")
    guest.apply(QUOTA % value)


@proof(knob="policy.cpu_max", setup=_policy, on="refuse", off="ignore", counter="quotas.refused")
def test_cpu_max(guest: Guest) -> None:
    """A profile that refuses to lose CPU quotas is not kept where one appears"""
    set_quota(guest, 50_000)
    status = guest.status()
    assert (status["quotas"]["lost"], status["exit"]) == (1, 3)


def test_lost_quotas_and_threads_outside_are_announced(lab1: Guest) -> None:
    set_quota(lab1, 25_000)
    text = QUOTA % "ignore" + "  game: {match: [{comm: fifo-game}], level: 3}\n"
    lab1.vm.put("/root/profile", text.replace("classes: {}", "classes:"))
    lab1.sh("setsid chrt -f 5 sh -c 'printf fifo-game > /proc/$$/comm; sleep 1000; :' > /dev/null 2>&1 &")
    try:
        for words in (("plan", "-"), ("apply", "-")):
            result = lab1.schedctl(*words, stdin="/root/profile")
            said = [problem["message"] for problem in result["problems"]]
            assert any("/quota-test: 25% of a CPU" in message for message in said), said
            assert any("timer slack is not set for class game" in message for message in said), said
            assert [(one["comm"], one["policy"], one["class"]) for one in result["outside"]] == [
                ("fifo-game", "fifo", "game")
            ]
        status = lab1.status()
        assert (status["exit"], status["quotas"]["lost"], len(status["outside"])) == (0, 1, 1)
        plain = "cd /tmp && setpriv --reuid 1000 --clear-groups"
        text = lab1.run(f"{plain} schedctl status").stdout
        assert "schedctl, attached" in text
        assert "quotas     1 of cgroups do not hold" in text
    finally:
        lab1.sh(f"pkill -KILL -x fifo-game; rmdir {GROUP}")


def test_facts_that_matter_to_an_attach(lab1: Guest) -> None:
    lab1.sh("setsid chrt -d -T 1000000 -D 10000000 -P 10000000 0 sleep 1000 > /dev/null 2>&1 &")
    try:
        lab1.sh("sleep 1")
        kernel = lab1.schedctl("facts")["facts"]["kernel"]
    finally:
        lab1.sh("pkill -KILL -x sleep")
    assert kernel["hz"] == 250
    assert kernel["ext_server"] is True
    assert kernel["isolcpus"] is None
    assert kernel["deadline_bandwidth"] == "1/10"


def test_isolated_cpus_are_said_before_the_kernel_says_einval(no_machine: Lab) -> None:
    with no_machine.one_boot(CONFIGS["lab"], append=f"{IDLE} isolcpus=1") as guest:
        for verb in ("plan", "apply"):
            result = guest.schedctl(verb, "desktop")
            assert result["exit"] == 69
            assert "CPUs 1 are isolated by isolcpus=" in result["problems"][0]["message"]
