# SPDX-License-Identifier: GPL-2.0-only
"""The unit as it is shipped: hardened, restarted when it hangs, skipped where it cannot work, and small."""

from __future__ import annotations

from tests.conftest import Guest
from tests.daemon.test_service import EDITED, TWO, eventually, journal, start

CAPABILITIES = {"cap_dac_read_search", "cap_perfmon", "cap_bpf", "cap_sys_admin", "cap_sys_nice"}
# docs/decisions.md has the reasons; systemd-analyze counts in tenths.
MAX_EXPOSURE = 25
RSS_KB = 40 * 1024
WATCHDOG_S = 30
# The loop reads this file in each reconcile, and waits for who would write into a pipe in its place. It waits
# on when the pipe has lost its name, and the next daemon does not find it.
HANG = f"mkfifo -m 600 /run/schedctl/ejections; touch {EDITED}; sleep 2; rm /run/schedctl/ejections"
# In 40 s: at most three looks of the loop, with some reads of files and maps in each.
MAX_WAKES = 15
# A thread of another user, whose slack is the default of threads that are not real-time.
SLEEPER = """
import os, time
open("/proc/self/timerslack_ns", "w").write("50000")
open("/proc/self/comm", "w").write("job-a")
os.setresuid(65534, 65534, 65534)  # nobody
while True:
    time.sleep(0.05)
"""


def show(guest: Guest, name: str) -> str:
    return guest.sh(f"systemctl show -P {name} schedctld").strip()


def test_it_is_hardened_and_works(lab1: Guest) -> None:
    assert lab1.run("systemd-analyze verify --man=no schedctld.service 2>&1").ok() == ""
    lab1.sh(f"systemd-analyze security --threshold={MAX_EXPOSURE} schedctld.service")
    start(lab1, TWO.replace("classes:", "policy: {realtime_users: [root, nobody]}\nclasses:"))
    bounding = lab1.sh("systemctl show -P CapabilityBoundingSet schedctld")
    assert set(bounding.split()) == CAPABILITIES
    assert lab1.sh("stat -c %a /sys/fs/bpf/schedctl /run/schedctl").split() == ["700", "755"]
    assert lab1.sh("stat -c '%a %U' /run/schedctl/daemon /run/schedctl/lock").splitlines() == [
        "644 root",
        "600 root",
    ]
    lab1.vm.put("/root/sleeper.py", SLEEPER)
    lab1.sh("setsid python3 /root/sleeper.py > /dev/null 2>&1 &")
    try:
        slack = "cat /proc/$(pgrep -x job-a)/timerslack_ns"
        eventually(lab1, lambda: lab1.run(slack).stdout == "1\n")
    finally:
        lab1.sh("pkill -KILL -x job-a")


def test_a_loop_that_hangs_is_restarted(lab1: Guest) -> None:
    start(lab1)
    before, pid = lab1.status(), show(lab1, "MainPID")
    restarts = int(show(lab1, "NRestarts"))
    said = lab1.sh(f"{HANG}; schedctl status; sleep {WATCHDOG_S // 3}")
    assert "daemon     does not answer" in said
    assert show(lab1, "MainPID") == pid, "the process lives, and its other threads go on"
    lab1.sh(f"sleep {WATCHDOG_S}")
    assert lab1.status()["state"] == "enabled"
    eventually(
        lab1, lambda: show(lab1, "MainPID") not in (pid, "0") and show(lab1, "SubState") == "running", 40
    )
    assert int(show(lab1, "NRestarts")) == restarts + 1
    log = lab1.sh("journalctl --sync; journalctl -q -o cat -u schedctld -n 20")
    assert "Watchdog timeout" in log
    after = lab1.status()
    assert [after[key] for key in ("enable_seq", "generation", "exit")] == [
        before[key] for key in ("enable_seq", "generation", "exit")
    ]
    assert [entry["SCHEDCTL_EVENT"] for entry in journal(lab1)] == ["unchanged"]


def test_it_is_skipped_without_sched_ext(lab1: Guest) -> None:
    lab1.sh("schedctl detach; mount -t tmpfs none /sys/kernel; systemctl start schedctld")
    try:
        assert (show(lab1, "ConditionResult"), show(lab1, "ActiveState")) == ("no", "inactive")
        document = lab1.schedctl("doctor")
        assert document["exit"] == 69
        said = {entry["check"]: entry["result"] for entry in document["findings"]}
        assert (said["sched_ext"], said["btf"], said["libbpf"]) == ("problem", "problem", "ok")
    finally:
        lab1.sh("umount /sys/kernel")


def test_it_needs_little_memory_and_sleeps(lab1: Guest) -> None:
    """All its threads: those that wait for files must not wake up for every program that starts."""
    start(lab1)
    switches = (
        f"cat /proc/{show(lab1, 'MainPID')}/task/*/status | awk '/^volun/ {{ n += $2 }} END {{ print n }}'"
    )
    before, after = map(int, lab1.sh(f"sleep 20; {switches}; sleep 40; {switches}").split())
    assert after - before <= MAX_WAKES
    status = lab1.sh(f"cat /proc/{show(lab1, 'MainPID')}/status")
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    assert int(line.split()[1]) <= RSS_KB


def test_pins_of_somebody_else_are_not_used(lab1: Guest) -> None:
    start(lab1)
    lab1.sh("systemctl stop schedctld; chown 4711 /sys/fs/bpf/schedctl")
    try:
        for words in (["apply", "edited"], ["detach"], ["status"]):
            document = lab1.schedctl(*words)
            assert document["exit"] == 73, words
            assert "/sys/fs/bpf/schedctl belongs to user 4711" in document["problems"][0]["message"]
        document = lab1.schedctl("doctor")
        said = {entry["check"]: entry["result"] for entry in document["findings"]}
        assert (document["exit"], said["pins"]) == (73, "problem")
    finally:
        lab1.sh("chown 0 /sys/fs/bpf/schedctl")
    assert lab1.status()["exit"] == 0


def test_doctor_where_all_is_well(lab1: Guest) -> None:
    start(lab1, TWO)
    document = lab1.schedctl("doctor")
    assert document["exit"] == 0
    wrong = [entry for entry in document["findings"] if entry["result"] not in ("ok", "note")]
    assert wrong == []
    said = {entry["check"]: entry["message"] for entry in document["findings"]}
    assert "its state: enabled" in said["sched_ext"]
    assert "runs, also after a boot" in said["unit"]
    plain = lab1.run("cd /tmp && setpriv --reuid 1000 --clear-groups schedctl doctor")
    assert (plain.status, plain.stderr) == (0, "")
    assert "not seen without root" in plain.stdout
    assert "daemon        schedctld runs" in plain.stdout


def test_a_report_of_a_real_machine(lab1: Guest) -> None:
    start(lab1, TWO.replace("job-b", "whale-caller"))
    lab1.sh("hostname heartofgold; rm -f /root/report.json; sleep 1")
    try:
        lab1.sh("schedctl doctor --report /root/report.json")
    finally:
        lab1.sh("hostname lab")
    text = lab1.vm.get("/root/report.json").decode()
    for name in ("heartofgold", "whale-caller", "job-a"):
        assert name not in text
    assert '"SCHEDCTL_EVENT": "applied"' in text
    assert '"state": "enabled"' in text
    lab1.sh("schedctl doctor --report /root/names.json --with-names")
    assert "whale-caller" in lab1.vm.get("/root/names.json").decode()
