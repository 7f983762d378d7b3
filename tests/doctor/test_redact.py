# SPDX-License-Identifier: GPL-2.0-only
"""No private name leaves this machine in a bug report, and the same name is the same placeholder."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedctl.cli.bugreport import Gathered, report_document
from schedctl.doctor.evidence import Evidence, Folder, Selection, UnitState
from schedctl.doctor.redact import LEFT_OUT, Redactor
from schedctl.errors import HostError, Problem, ProfileError, StateError
from schedctl.image.stats import ExitRecord
from schedctl.kernel.protocol import Quota
from schedctl.kernel.surroundings import Pins
from schedctl.resolve.facts import Group, HostFacts
from schedctl.resolve.match import SchedPolicy, Thread

# Each stands in at least one place below; none may be in the file.
PRIVATE = (
    *("zaphod", "heartofgold", "whale-caller", "petunia-loop", "vogon.service", "slartibartfast"),
    *("babelfish", "magrathea", "krikkit", "towel-user", "improbability", "dolphins", "perspective"),
)
# A thread's name has at most 15 bytes.
STALL = ExitRecord(1026, 0, 1, "runnable task stall", "perspective [7][42] failed to run for 30.100s").text
SEEN = Evidence(
    facts=HostFacts(
        hostname="heartofgold",
        tags=("magrathea",),
        users={"root": 0, "zaphod": 1001},
        groups={"krikkit": Group(1002, (1001,))},
        units=("vogon.service",),
    ),
    pins=Pins(("link",), 0, 0o700),
    last_exit=STALL,
    quotas=(Quota("/user.slice/babelfish.slice", 1, 2, "babelfish.slice"),),
    selection=Selection(
        error=ProfileError(
            (Problem("error", "/home/zaphod/p.yaml", 3, 1, "x", "'dolphins' is no user", source="dolphins"),)
        )
    ),
    rivals=((5, Thread(b"whale-caller", "/opt/improbability/bin", policy=SchedPolicy.FIFO)),),
    folders=(Folder("/run/schedctl", untrusted=StateError("/run/schedctl belongs to slartibartfast")),),
    unit=UnitState("loaded", "failed", "enabled", "watchdog", "not applied: dolphins"),
    strangers=("/home/zaphod/go/bin/schedctl", "/data/people/towel-user/bin/schedctl"),
    refused={"object": HostError("/home/zaphod/src/main.bpf.o: no such file")},
)
PROFILE = {
    "name": "mine",
    "description": "for petunia-loop",
    "policy": {"realtime_users": ["zaphod", "active-seat"]},
    "classes": {
        "audio": {
            "match": [{"comm": ["whale-caller*", "petunia-loop"], "exe": "/opt/improbability/*"}],
            "level": 6,
        },
        "petunia-loop": {"match": [{"unit": "vogon.service", "not": [{"user": "slartibartfast"}]}]},
    },
}
STATUS = {
    "outside": [{"tid": 5, "comm": "whale-caller", "policy": "fifo", "class": "audio"}],
    "last_exit": {"kind": "error_stall", "reason": STALL, "at": "…"},
    "ejections": {
        "count": 1,
        "next": "hold",
        "at": None,
        "why": f"it had ended ({STALL}), and the change after that has failed",
        "last": {"kind": "error_stall", "reason": STALL, "blame": "policy", "profile": "mine", "at": "…"},
    },
    "quotas": {"cgroups": [{"cgroup": "/user.slice/babelfish.slice", "unit": "babelfish.slice"}]},
    "last_events": [{"event": "miss", "message": "thread 5 (dolphins) missed"}],
    "problems": ["user 'dolphins' unknown"],
    "classes": {"petunia-loop": {"threads": 1}},
}
JOURNAL = [
    {
        "at": "…",
        "by": "schedctld",
        "message": "thread 5 (dolphins)",
        "SCHEDCTL_EVENT": "miss",
        "SCHEDCTL_COMM": "dolphins",
        "SCHEDCTL_TID": "5",
    },
    {
        "at": "…",
        "by": "schedctld",
        "message": "KeyError: 'improbability'\nFile \"/usr/lib/python3/x.py\", line 3",
    },
    {"at": "…", "by": "systemd", "message": "Starting on heartofgold for zaphod."},
]
LOG = ["; /home/zaphod/src/bpf/main.bpf.c", "at heartofgold"]


FOUND = Gathered(PROFILE, STATUS, JOURNAL, LOG)


def redactor() -> Redactor:
    return Redactor("heartofgold", ["towel-user", "zaphod"], ["/home/zaphod", "/data/people/towel-user"])


def test_no_private_name_is_in_a_report() -> None:
    text = json.dumps(report_document(SEEN, FOUND, redactor()))
    assert [name for name in PRIVATE if name in text] == []


def test_each_of_them_is_there_when_a_person_asks_for_names() -> None:
    text = json.dumps(report_document(SEEN, FOUND, None))
    assert [name for name in PRIVATE if name not in text] == []


def test_what_helps_is_still_there() -> None:
    found: Any = report_document(SEEN, FOUND, redactor())
    classes = found["profile"]["classes"]
    comms = classes["audio"]["match"][0]["comm"]
    assert comms[0].endswith("*")
    assert comms[0].removesuffix("*") == found["status"]["outside"][0]["comm"]
    assert comms[1] in classes, "a class that is called as a thread"
    assert found["profile"]["policy"]["realtime_users"][1] == "active-seat"
    assert found["profile"]["description"] == LEFT_OUT
    miss, traceback, _ = found["journal"]
    assert (miss["SCHEDCTL_EVENT"], miss["SCHEDCTL_TID"], miss["message"]) == ("miss", "5", LEFT_OUT)
    assert traceback["message"] == "KeyError: '…'\nFile \"/usr/lib/python3/x.py\", line 3"
    assert found["facts"]["users"]["root"] == 0
    said = {entry["check"]: entry["message"] for entry in found["findings"]}
    assert said["profile"] == f"the selected profile cannot be used: HOME/…:3: {LEFT_OUT}"
    stall = "runnable task stall: a thread[42] failed to run for 30.100s"
    assert stall in said["pins"]
    status = found["status"]
    assert (status["last_exit"]["reason"], status["ejections"]["last"]["reason"]) == (stall, stall)
    assert status["ejections"]["why"] == f"it had ended ({stall}), and the change after that has failed"
    assert found["verifier_log"] == ["; HOME/…", "at host"]


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("user zaphod, not zaphodx", "user user2, not zaphodx"),
        ("/home/zaphod/a b", "HOME/… b"),
        ("/home/other/secret:3", "HOME/…:3"),
        ("'/data/people/towel-user'", "'HOME/…'"),
        ("heartofgold", "host"),
        ("nothing", "nothing"),
    ],
)
def test_a_text(text: str, without: str) -> None:
    assert redactor().text(text) == without


@pytest.mark.parametrize(
    ("reason", "without"),
    [
        (
            "runtime error: target CPU 3 not allowed for b c[42]",
            "runtime error: target CPU 3 not a thread[42]",
        ),
        ("runtime error: [x][42] has gone", "runtime error: a thread[42] has gone"),
        ("runtime error: ops.init_task() failed", "runtime error: ops.init_task() failed"),
        ("disabled by sysrq-S", "disabled by sysrq-S"),
        ("without a trace", "without a trace"),
    ],
)
def test_a_reason(reason: str, without: str) -> None:
    assert redactor().reason(reason) == without


@given(st.text(min_size=1, max_size=15).filter(lambda name: "\0" not in name))
def test_no_part_of_a_thread_s_name_is_in_a_reason(name: str) -> None:
    said = ExitRecord(1026, 0, 1, "runnable task stall", f"{name}[42] failed to run for 30.100s").text
    found = re.fullmatch(
        r"runnable task stall: (?:a thread\[\d+\])+ failed to run for 30.100s", redactor().reason(said)
    )
    assert found
