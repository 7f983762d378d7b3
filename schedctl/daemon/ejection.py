# SPDX-License-Identifier: GPL-2.0-only
"""What follows when the kernel has ended our scheduler: decided here, by the kernel's words and the clock.

Back-off, a circuit breaker per policy, the last good policy, then the kernel's own scheduler. The decision is
pure; `EjectionWatch` keeps it on disk, so that a daemon that is restarted again and again forgets nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from schedctl.ejections import (
    Blame,
    Decision,
    Ejection,
    Ejections,
    Next,
    ejection_of,
    read_ejections,
    write_ejections,
)
from schedctl.errors import SchedctlError
from schedctl.kernel.protocol import Kernel
from schedctl.observe import Observation, Owner
from schedctl.ran import Ran, policy_hash
from schedctl.selected import Choice, Selected

SECOND_NS = 1_000_000_000
# Before each new attempt within WINDOW_NS; the last one for all that follow.
BACK_OFF_NS = (1 * SECOND_NS, 5 * SECOND_NS, 25 * SECOND_NS, 125 * SECOND_NS)
WINDOW_NS = 600 * SECOND_NS
# So many ejections of one policy open the breaker, so many of the host's doing end the attempts.
BREAKER = 3
# What could not even be tried, because another scheduler runs or the profile is bad now.
POSTPONED_NS = 60 * SECOND_NS

LastGood = Callable[[], Ran | None]


def decide(past: tuple[Ejection, ...], now_ns: int, good: str | None, fallen_back: bool = False) -> Decision:
    """What follows the last of these; `good` is the hash of the last good policy, None without one.

    `fallen_back`: it was the last good policy that ran, in place of what is selected.
    """
    latest = past[-1]
    recent = [one for one in past if now_ns - one.at_ns < WINDOW_NS]
    if latest.blame is Blame.PERSON:
        return Decision(Next.HOLD, f"it was ended on purpose ({latest.reason})")
    at_ns = now_ns + BACK_OFF_NS[min(len(recent), len(BACK_OFF_NS)) - 1]
    if latest.blame is Blame.HOST:
        if sum(one.blame is Blame.HOST for one in recent) >= BREAKER:
            return Decision(Next.HOLD, f"{BREAKER} times within 10 minutes the machine locked up or stalled")
        next_one = Next.LAST_GOOD if fallen_back else Next.RETRY
        return Decision(next_one, "that may not be the policy's fault", at_ns)
    if _opens(recent, latest.policy):
        why = f"this policy was ended {BREAKER} times within 10 minutes"
        if fallen_back:
            return Decision(Next.HOLD, f"{why}, and so was the selected one")
        if good is None or good == latest.policy:
            return Decision(Next.HOLD, why)
        if _opens(recent, good):
            return Decision(Next.HOLD, f"{why}, and so was the last good one")
        return Decision(Next.LAST_GOOD, why, at_ns)
    next_one = Next.LAST_GOOD if fallen_back else Next.RETRY
    times = "once" if len(recent) == 1 else f"{len(recent)} times"
    return Decision(next_one, f"it was ended {times} within 10 minutes", at_ns)


def _opens(recent: list[Ejection], policy: str) -> bool:
    return sum(one.policy == policy and one.blame is Blame.POLICY for one in recent) >= BREAKER


class EjectionWatch:
    """`look` before each reconcile; at `due_at` reconcile; then tell what came of it."""

    def __init__(self, kernel: Kernel, clock: Callable[[], float], last_good: LastGood) -> None:
        self._kernel = kernel
        self._clock = clock
        self._last_good = last_good
        self._attached = False  # ours ran when last looked
        self._due_ns: int | None = None

    def now_ns(self) -> int:
        return int(self._clock() * SECOND_NS)

    def due_at(self) -> float | None:
        return None if self._due_ns is None else self._due_ns / SECOND_NS

    def look(self, observation: Observation, selected: Selected) -> tuple[Ejections, Ejection | None]:
        """What is known, and the ejection that is news now. StateError where it cannot be kept."""
        known = read_ejections()
        ours = observation.owner is Owner.SCHEDCTL
        was_attached, self._attached = self._attached, ours
        self._due_ns = known.decision.at_ns if known.decision else None
        if ours or selected.choice is Choice.NONE:
            return known, None
        record = observation.last_exit if observation.ejected else None
        if observation.ejected:
            fresh = not known.knows(record.at_ns if record else 0)
        else:
            fresh = was_attached
        if not fresh:
            return known, None
        ejection = ejection_of(self._kernel, record, self.now_ns())
        return self._count(known, ejection), ejection

    def _count(self, known: Ejections, ejection: Ejection) -> Ejections:
        past = known.with_one(ejection).past
        good = self.good()
        decision = decide(
            past,
            self.now_ns(),
            policy_hash(good.image) if good and good.image else None,
            known.decision is not None and known.decision.next in (Next.FALLEN_BACK, Next.LAST_GOOD),
        )
        return self._keep(Ejections(past, decision))

    def _keep(self, ejections: Ejections) -> Ejections:
        self._due_ns = ejections.decision.at_ns if ejections.decision else None
        write_ejections(ejections)
        return ejections

    def good(self) -> Ran | None:
        """None where there is none that can be read."""
        try:
            return self._last_good()
        except SchedctlError:
            return None

    def is_due(self, decision: Decision) -> bool:
        return decision.at_ns is not None and decision.at_ns <= self.now_ns()

    def attached(self) -> None:
        """What was due, or what a person wanted, runs now."""
        self._attached = True
        known = read_ejections()
        if known.decision is None:
            return
        decision = None
        if known.decision.next in (Next.LAST_GOOD, Next.FALLEN_BACK):
            decision = Decision(Next.FALLEN_BACK, known.decision.why)
        self._keep(replace(known, decision=decision))

    def failed(self, policy: str, profile: str, error: SchedctlError) -> Ejections:
        """The kernel refused what was due: as good as an ejection."""
        ejection = Ejection(self.now_ns(), policy, profile, "refused", error.message, Blame.POLICY)
        return self._count(read_ejections(), ejection)

    def postponed(self) -> None:
        """What was due could not be tried."""
        known = read_ejections()
        if known.decision is not None and known.decision.at_ns is not None:
            later = replace(known.decision, at_ns=self.now_ns() + POSTPONED_NS)
            self._keep(replace(known, decision=later))

    def detached(self) -> None:
        """By ourselves."""
        self._attached = False


def sentence(decision: Decision, now_ns: int) -> str:
    """What happens next, for people."""
    wait_s = -(-max(0, (decision.at_ns or now_ns) - now_ns) // SECOND_NS)  # rounded up
    match decision.next:
        case Next.RETRY:
            return f"attached again in {wait_s} s: {decision.why}"
        case Next.LAST_GOOD:
            return f"the last good policy is attached in {wait_s} s: {decision.why}"
        case Next.FALLEN_BACK:
            return f"the last good policy runs until `schedctl apply`: {decision.why}"
        case Next.HOLD:
            return f"nothing attaches before `schedctl apply`: {decision.why}"
