# SPDX-License-Identifier: GPL-2.0-only
"""/run/schedctl/ejections: how often the scheduler was ended without us, and what is done about it.

The daemon writes it, so that its own restarts forget nothing, and an apply that finds what nobody has seen;
root's `status` reads it, nobody else: the kernel's reasons name threads. An apply or a detach by a person
removes it. Times are CLOCK_MONOTONIC.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from schedctl import durable, paths
from schedctl.clock import on_the_wall
from schedctl.errors import SchedctlError, StateError
from schedctl.image.abi import decode
from schedctl.image.stats import ExitRecord
from schedctl.kernel.protocol import Kernel
from schedctl.observe import Observation, Owner
from schedctl.printable import shown
from schedctl.ran import policy_hash

VERSION = 1
# More are not needed to decide anything.
MAX_KEPT = 32


class Blame(StrEnum):
    """Whose doing it was, as far as the kernel's words tell."""

    POLICY = "policy"
    """The scheduler's: an error of its own, or a thread that it did not run."""
    HOST = "host"
    """A lockup or a stall that may have any reason, or a change of the machine."""
    PERSON = "person"
    """Somebody wanted it: SysRq-S, or a detach."""


# enum scx_exit_kind (kernel/sched/ext/internal.h): up to 63 nothing happened, from 1024 on errors.
_UNREG_KERN = 66
_ERROR = 1024
# Lockups and stalls come as plain errors: only the message tells (handle_lockup, scx_rcu_cpu_stall).
_HOST_MESSAGES = ("RCU CPU stall", "soft lockup", "hard lockup")


def blame_of(record: ExitRecord | None) -> Blame:
    """None: it ended without a trace, so somebody removed it."""
    if record is None or record.kind < _UNREG_KERN:
        return Blame.PERSON
    if record.kind == _UNREG_KERN:
        return Blame.HOST
    if record.kind < _ERROR:  # SysRq-S, and what ends with a parent scheduler
        return Blame.PERSON
    if record.kind == _ERROR and record.msg.startswith(_HOST_MESSAGES):
        return Blame.HOST
    return Blame.POLICY


def ended_by_person(observation: Observation) -> bool:
    """Whether nothing runs because somebody wanted it, as far as pins or a daemon's word tell."""
    if observation.owner is not Owner.NONE:
        return False
    if observation.ejected:
        return blame_of(observation.last_exit) is Blame.PERSON
    known = read_ejections()
    held = known.decision is not None and known.decision.next is Next.HOLD
    return held and known.past[-1].blame is Blame.PERSON


class Next(StrEnum):
    RETRY = "retry"
    """Attach what is selected, at its time."""
    LAST_GOOD = "last_good"
    """Attach the last policy that was good, at its time."""
    FALLEN_BACK = "fallen_back"
    """That one runs, and what is selected is left alone until a person applies."""
    HOLD = "hold"
    """The kernel's own scheduler, until a person applies."""


@dataclass(frozen=True, slots=True)
class Ejection:
    """`policy` is its hash, "" where it could not be read any more; `kind` the kernel's, by name."""

    at_ns: int
    policy: str
    profile: str
    kind: str
    reason: str
    blame: Blame
    record_at_ns: int = 0
    """When ops.exit wrote the record: the same one is counted once."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`at_ns` of RETRY and LAST_GOOD; `why` in a sentence for people."""

    next: Next
    why: str
    at_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Ejections:
    past: tuple[Ejection, ...] = ()
    decision: Decision | None = None

    def with_one(self, ejection: Ejection) -> Ejections:
        return replace(self, past=(*self.past, ejection)[-MAX_KEPT:])

    def knows(self, record_at_ns: int) -> bool:
        return any(one.record_at_ns == record_at_ns for one in self.past)


def ejection_of(kernel: Kernel, record: ExitRecord | None, now_ns: int) -> Ejection:
    """What has just ended, as far as what was pinned is still there."""
    policy = profile = ""
    try:
        image = decode(kernel.read_policy(kernel.active_slot()))[0]
        policy, profile = policy_hash(image), image.profile
    except (SchedctlError, ValueError):
        pass
    blame, at_ns = blame_of(record), record.at_ns if record else 0
    kind, reason = (record.kind_name, record.text) if record else ("none", "without a trace")
    return Ejection(now_ns, policy, profile, kind, reason, blame, at_ns)


def hold_after(ejection: Ejection) -> None:
    """Before an apply takes away what tells of it: should that apply fail, no daemon attaches instead.

    What the daemon has decided before stays. StateError: do not go on.
    """
    known = read_ejections()
    if known.decision is None or not known.knows(ejection.record_at_ns):
        why = f"it had ended ({ejection.reason}), and the change after that has failed"
        write_ejections(replace(known.with_one(ejection), decision=Decision(Next.HOLD, why)))


def read_ejections() -> Ejections:
    """Nothing for plain users, and where there is no file or one without sense: then it is counted anew."""
    try:
        document = durable.read_json(paths.ejections_file())
        return Ejections() if document is None else _from_document(document)
    except (StateError, ValueError, KeyError, TypeError):
        return Ejections()


def write_ejections(ejections: Ejections) -> None:
    """At once, or the old ones and StateError."""
    document = {"schedctl_ejections": VERSION, **asdict(ejections)}
    durable.write_json(paths.ejections_file(), document, durable.PRIVATE)


def forget_ejections() -> None:
    """A person has decided: nothing is held any more, and counting begins anew."""
    with suppress(StateError):
        durable.remove(paths.ejections_file())


def ejections_document() -> dict[str, Any] | None:
    """For `status`: what was, and what the daemon does next; None where nothing was."""
    known = read_ejections()
    if not known.past:
        return None
    latest, decision = known.past[-1], known.decision
    return {
        "count": len(known.past),
        "next": decision.next.value if decision else None,
        "at": on_the_wall(decision.at_ns) if decision and decision.at_ns is not None else None,
        "why": shown(decision.why) if decision else None,
        "last": {
            "kind": latest.kind,
            "reason": shown(latest.reason),
            "blame": latest.blame.value,
            "profile": latest.profile or None,
            "at": on_the_wall(latest.at_ns),
        },
    }


def ejections_lines(
    document: dict[str, Any] | None, ejected: bool, daemon: bool, privileged: bool
) -> list[str]:
    """The same for people."""
    if ejected and not privileged:
        return ["next       root's `schedctl status` says what follows"]
    if document is None or document["next"] is None:
        return ["           nothing attaches again before `schedctl apply`"] if ejected else []
    why = f"           ({document['why']})"
    if document["next"] in (Next.RETRY, Next.LAST_GOOD) and not daemon:
        return ["next       the daemon does not run: nothing attaches before `schedctl apply`", why]
    what = {
        Next.RETRY: f"what is selected is attached again at {document['at']}",
        Next.LAST_GOOD: f"the last good policy is attached at {document['at']}",
        Next.FALLEN_BACK: "the last good policy runs until `schedctl apply`",
        Next.HOLD: "nothing attaches again before `schedctl apply`",
    }
    return [f"next       {what[Next(document['next'])]}", why]


def _from_document(document: dict[str, Any]) -> Ejections:
    if document["schedctl_ejections"] != VERSION:
        raise ValueError("of another version")
    past = tuple(Ejection(**{**one, "blame": Blame(one["blame"])}) for one in document["past"])
    decision = document["decision"]
    if decision is not None:
        decision = Decision(**{**decision, "next": Next(decision["next"])})
    return Ejections(past, decision)
