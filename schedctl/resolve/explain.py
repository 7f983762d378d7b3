# SPDX-License-Identifier: GPL-2.0-only
"""Why a thread has its class: each rule with what became of it. Uses nothing but match.py to decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from schedctl.profile.model import DEFAULT_CLASS, ThreadClass, Tier
from schedctl.resolve.assignment import Assignment, ResolvedItem, Rule
from schedctl.resolve.match import Decision, SchedPolicy, Thread, classify, failed_predicates, tier_of

# Of the alternatives of a predicate, in a sentence.
SHOWN = 3
# Predicates in the order of the profile's documentation, by the keys of a profile.
_FIELDS = {
    "comm": "comm",
    "exe": "exe",
    "exe_owner": "exe_owner_root",
    "cgroup": "cgroup",
    "unit": "unit",
    "user_unit": "user_unit",
    "user": "uids",
    "group": "gids",
    "kthread": "kthread",
    "leader": "leader",
    "nice": "nice",
    "not": "excluded",
}


class Outcome(StrEnum):
    WINS = "wins"
    HELD_BACK = "held_back"
    """It matches first, but may not lift this thread."""
    OUTRANKED = "outranked"
    """It matches too, but a rule before it decides."""
    NO_MATCH = "no_match"


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    rank: int  # index into Assignment.rules
    rule: Rule
    outcome: Outcome
    failed: tuple[str, ...]  # the predicates that do not match, by their keys
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    thread: Thread
    decision: Decision
    rules: tuple[RuleVerdict, ...]
    notes: tuple[str, ...]


def explain(assignment: Assignment, thread: Thread) -> Explanation:
    decision = classify(assignment, thread)
    verdicts = (_verdict(assignment, thread, decision, rank) for rank in range(len(assignment.rules)))
    return Explanation(thread, decision, tuple(verdicts), tuple(_notes(assignment, thread, decision)))


def predicates(item: ResolvedItem) -> tuple[str, ...]:
    """The keys that the item has."""
    values = {key: getattr(item, field) for key, field in _FIELDS.items()}
    values["exe_owner"] = item.exe_owner_root or None
    return tuple(key for key, value in values.items() if value not in ((), None))


def _verdict(assignment: Assignment, thread: Thread, decision: Decision, rank: int) -> RuleVerdict:
    rule = assignment.rules[rank]
    failed = tuple(failed_predicates(rule.item, thread))
    if failed:
        why = "; ".join(_why_not(key, rule.item, thread) for key in failed)
        return RuleVerdict(rank, rule, Outcome.NO_MATCH, failed, why)
    if rank != decision.rule:
        assert decision.rule is not None
        why = _why_outranked(assignment, assignment.rules[decision.rule], rule)
        return RuleVerdict(rank, rule, Outcome.OUTRANKED, (), why)
    if decision.held_back:
        return RuleVerdict(rank, rule, Outcome.HELD_BACK, (), _why_held_back(thread))
    return RuleVerdict(rank, rule, Outcome.WINS, (), _why_wins(assignment, rule, thread))


def _why_wins(assignment: Assignment, rule: Rule, thread: Thread) -> str:
    if tier_of(assignment, rule.class_name) is not Tier.REALTIME:
        return "the first rule that matches"
    if rule.item.trusted:
        return "the first rule that matches; its predicates cannot be forged"
    return f"the first rule that matches; uid {thread.uid} is one of realtime_users"


def _why_held_back(thread: Thread) -> str:
    return (
        f"matches by what anybody can give a thread, and uid {thread.uid} is not one of realtime_users:"
        " the thread stays in the fair tier"
    )


def _why_outranked(assignment: Assignment, winner: Rule, rule: Rule) -> str:
    if winner.implicit:
        return "`schedctl run` has put the thread into a class"
    if winner.class_name == rule.class_name:
        return "an earlier rule of the same class decides"
    precedence = {cls.name: cls.precedence for cls in assignment.classes}
    mine, theirs = precedence.get(rule.class_name, 0), precedence.get(winner.class_name, 0)
    if mine != theirs:
        return f"matches too, but has precedence {mine}, and {winner.class_name!r} has {theirs}"
    return f"matches too, but {winner.class_name!r} is declared before, and both have precedence {mine}"


def _why_not(key: str, item: ResolvedItem, thread: Thread) -> str:
    wanted = getattr(item, _FIELDS[key])
    if key == "not":
        return "what 'not' excludes matches"
    if key == "exe_owner":
        return f"exe_owner: {_is(thread.exe_owner_uid)}, not root"
    if key == "nice":
        return f"nice: is {thread.nice}, not {wanted[0]}..{wanted[1]}"
    have = {"user": thread.uid, "group": thread.gid, "comm": thread.comm.decode(errors="replace")}
    found = have[key] if key in have else getattr(thread, key)
    if isinstance(wanted, bool):
        return f"{key}: is {str(found).lower()}, not {str(wanted).lower()}"
    return f"{key}: {_is(found)}, not {_alternatives(wanted)}"


def _alternatives(wanted: Sequence[object]) -> str:
    more = [f"{len(wanted) - SHOWN} others"] if len(wanted) > SHOWN + 1 else []
    first = wanted[:SHOWN] if more else wanted
    return " or ".join([*map(_quoted, first), *more])


def _is(value: object) -> str:
    return "there is none" if value in ("", None) else f"is {_quoted(value)}"


def _quoted(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def _notes(assignment: Assignment, thread: Thread, decision: Decision) -> Iterator[str]:
    if thread.policy is SchedPolicy.IDLE:
        yield "SCHED_IDLE: it is background, whatever its class"
    elif thread.policy is SchedPolicy.BATCH:
        yield "SCHED_BATCH: it is never real-time, and its wake-ups take no CPU from others"
    elif thread.policy in (SchedPolicy.FIFO, SchedPolicy.RR, SchedPolicy.DEADLINE):
        name = f"SCHED_{thread.policy.upper()}"
        yield f"{name}: the kernel's own class comes before sched_ext; this one has no effect"
    if thread.kthread and decision.effective == DEFAULT_CLASS:
        yield "a kernel thread that is bound to one CPU runs before level 7, so that I/O goes on"
    for cls in assignment.classes:
        if cls.name == decision.effective and decision.tier is Tier.REALTIME:
            yield from _class_notes(cls)


def _class_notes(cls: ThreadClass) -> Iterator[str]:
    """What the running scheduler decides about a thread of the class."""
    if len(set(cls.levels)) > 1:
        others = ", ".join(map(str, dict.fromkeys(cls.levels)))
        yield f"level {cls.level} until its period is measured, then by rate_monotonic one of {others}"
    if cls.threads is not None:
        yield f"at most {cls.threads} threads have this level at a time; the others are fair"
