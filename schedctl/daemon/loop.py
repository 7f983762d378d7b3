# SPDX-License-Identifier: GPL-2.0-only
"""The one thread that owns the kernel: wait for a trigger, read everything anew, reconcile."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty
from typing import Protocol

from schedctl import paths
from schedctl.analysis.admission import admit
from schedctl.books import FOLLOW, Errand
from schedctl.checkpoint import sweep
from schedctl.choice import library, loader
from schedctl.clock import boot_id
from schedctl.daemon import notify
from schedctl.daemon.confirmation import WHO, Confirmation
from schedctl.daemon.control import Asked
from schedctl.daemon.ejection import EjectionWatch, LastGood, sentence
from schedctl.daemon.files import Followed, Signature, followed
from schedctl.daemon.listener import Listener
from schedctl.daemon.quota import QuotaWatch
from schedctl.daemon.sockets import Sockets
from schedctl.daemon.triggers import Trigger, TriggerQueue
from schedctl.desired import desired_by
from schedctl.ejections import Decision, Ejection, Next
from schedctl.errors import (
    EXIT_OK,
    ApplyError,
    InternalError,
    Problem,
    SchedctlError,
    StateError,
    VerificationError,
    format_problem,
)
from schedctl.image.model import PolicyImage
from schedctl.kernel.protocol import Kernel
from schedctl.last_good import last_good
from schedctl.lock import LockHeldError, locked
from schedctl.log import Priority, begin, log
from schedctl.messages import Kind
from schedctl.observe import Observation, Owner, observe
from schedctl.printable import shown
from schedctl.profile.model import CpuMax
from schedctl.ran import policy_hash
from schedctl.reconcile import Outcome, end_swap, reconcile
from schedctl.report import Report, report_of
from schedctl.request import carry_out
from schedctl.selected import Choice, Selected, read_selected
from schedctl.timer import SystemdTimer, Timer
from schedctl.trying import held_by_mark

# An editor's rename, or a checkout of many files, is one change: it is over after so much silence,
QUIET_S = 0.05
# and who never stops writing is not waited for.
PATIENCE_S = 1.0
# What cannot wait until no more files change.
_URGENT = {Trigger.STOP, Trigger.RELOAD, Trigger.CONTROL}
MAX_SHOWN = 20
# Less than the service manager's watchdog.
LOCK_S = 5.0


class Watcher(Protocol):
    def watch(self, files: Followed) -> None: ...


class Daemon:
    """`run` returns after a STOP; the scheduler stays attached."""

    def __init__(
        self,
        kernel: Kernel,
        queue: TriggerQueue,
        watcher: Watcher,
        clock: Callable[[], float] = time.monotonic,
        timer: Timer | None = None,
        last_good: LastGood = last_good,
    ) -> None:
        self._kernel = kernel
        self._clock = clock
        self._journal = begin(clock)
        self._listener = Listener(kernel, partial(queue.attend, Trigger.EVENTS), clock)
        self._sockets = Sockets(kernel, queue, self._journal, clock)
        self._quotas = QuotaWatch(kernel, clock)
        self._timer = timer or SystemdTimer()
        self._confirmation = Confirmation(kernel, clock, LOCK_S, self._timer)
        self._tick_at: float | None = None
        self._queue = queue
        self._watcher = watcher
        self._seen: Signature = ()
        self._ejections = EjectionWatch(kernel, clock, last_good)
        self._attached = False  # our scheduler ran when last looked
        self._said = ""
        self._warned: tuple[Problem, ...] = ()

    def run(self, tick_s: float | None) -> None:
        """Reconcile once, say READY, then once per batch of triggers; look at the state each tick."""
        try:
            self._confirmation.begin()
            self._reconcile()
            self._sockets.open()
            notify.ready()
            self._tick_at = self._after(tick_s)
            while Trigger.STOP not in (triggers := self._next()):
                notify.alive()
                self._serve(triggers)
                if not triggers or (self._tick_at is not None and self._clock() >= self._tick_at):
                    self._look()
                    self._tick_at = self._after(tick_s)
                self._guarded(self._do_what_is_due)
        finally:
            self._listener.close()
            self._confirmation.stop()
            self._sockets.close()
        notify.stopping()
        self._journal.flush(at_once=True)
        log("stopped; what is attached stays attached", "stopped")

    def _after(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._clock() + seconds

    def _serve(self, triggers: set[Trigger]) -> None:
        if Trigger.RELOAD in triggers:
            notify.reloading()
            self._reconcile()
            notify.ready()
        elif Trigger.FILES in triggers:
            self._reconcile()
        if Trigger.EVENTS in triggers:
            self._guarded(self._listener.read)
        self._sockets.serve(triggers)

    def _next(self) -> set[Trigger]:
        """The next trigger with all that come right behind it; none when it is time for something else."""
        duties = (
            *(self._listener, self._quotas, self._confirmation, self._journal, self._sockets),
            self._ejections,
        )
        times = (self._tick_at, *(duty.due_at() for duty in duties))
        waits = [at - self._clock() for at in times if at is not None]
        try:
            batch = {self._queue.get(timeout=max(0.0, min(waits)) if waits else None)}
        except Empty:
            return set()
        end = time.monotonic() + PATIENCE_S
        while Trigger.FILES in batch and not batch & _URGENT and time.monotonic() < end:
            try:
                batch.add(self._queue.get(timeout=QUIET_S))
            except Empty:
                break
        while not self._queue.empty():
            batch.add(self._queue.get())
        return batch | self._queue.readable()

    def _look(self) -> None:
        """Cheap. An ejection, and an edit that inotify lost, are noticed at the next tick at the latest."""
        ejected = self._attached and not self._kernel.sched_state().ours
        if ejected or followed(library()).signature() != self._seen:
            self._reconcile()
            return
        self._guarded(self._listener.follow)
        self._guarded(self._listener.look)
        _collect()

    def _do_what_is_due(self) -> None:
        self._sockets.due()
        if asked := self._sockets.next():
            self._carry_out(asked)
        if self._confirmation.due():
            self._reconcile()
        self._listener.due()
        self._journal.flush()
        due_at = self._ejections.due_at()
        if self._listener.take_ended() or (due_at is not None and due_at <= self._clock()):
            self._reconcile()
        if self._listener.quotas_changed:
            self._listener.quotas_changed = False
            self._quotas.look(self._attached)
        if self._quotas.is_due():
            with locked(paths.lock_file(), LOCK_S):
                if self._quotas.detach():
                    self._attached = False
                    self._ejections.detached()
            self._listener.follow()

    def _carry_out(self, asked: Asked) -> None:
        """What a person asks for, then everything is read anew: also after what was refused."""
        notify.alive()
        try:
            report = carry_out(self._kernel, asked.request, asked.who, LOCK_S, self._timer)
        except SchedctlError as error:
            report = report_of(error)
        except Exception as error:
            asked.answer(report_of(InternalError(f"a bug in schedctld: {type(error).__name__}: {error}")))
            raise
        self._say_request(asked, report)
        self._sockets.renew()  # who has the answer finds it in `status`
        asked.answer(report)
        self._reconcile()

    def _guarded(self, duty: Callable[[], None]) -> None:
        """What the kernel refuses beside a reconcile is said, and tried again with the next trigger."""
        try:
            duty()
        except SchedctlError as error:
            self._say_failure(error)

    def _reconcile(self) -> None:
        try:
            with locked(paths.lock_file(), LOCK_S):
                self._watch()
                self._attempt()
        except LockHeldError:
            self._queue.put(Trigger.FILES)
        except SchedctlError as error:
            self._say_failure(error)
        self._guarded(self._listener.follow)
        self._guarded(lambda: self._quotas.look(self._kernel.sched_state().ours))
        _collect()

    def _watch(self) -> None:
        """Before the files are read, so that no edit falls between."""
        files = followed(library())
        self._watcher.watch(files)
        self._seen = files.signature()

    def _attempt(self) -> None:
        end_swap(self._kernel)
        observation = observe(self._kernel)
        self._attached = observation.owner is Owner.SCHEDCTL
        with suppress(StateError):  # what cannot be removed is in nobody's way
            sweep()
        selected = read_selected(paths.selected_file())
        if selected.choice is Choice.NONE and observation.owner is Owner.NONE:
            self._guarded(self._kernel.release)  # of a detach that was killed
        decision = self._decided(observation, selected)
        if decision is None:
            self._follow(selected)
        elif decision.next is Next.LAST_GOOD and self._ejections.is_due(decision):
            self._fall_back()
        elif decision.next is Next.FALLEN_BACK and not self._attached:
            self._fall_back()  # it was detached for a quota
        elif decision.next is Next.RETRY and self._ejections.is_due(decision):
            self._follow(selected)

    def _fall_back(self) -> None:
        good = self._ejections.good()
        if good is not None and good.image is not None:
            self._run(good.image, good.cpu_max, ())

    def _follow(self, selected: Selected) -> None:
        """What was selected is to run."""
        try:
            desired = desired_by(selected, loader())
            if desired is None:
                self._say_idle(selected)
                return
            if not self._attached and self._held_by_mark():
                return
            admission = admit(desired.compiled.assignment) if desired.compiled else ()
        except SchedctlError:
            self._ejections.postponed()
            raise
        self._run(desired.image, desired.cpu_max, (*desired.problems, *admission))

    def _run(self, image: PolicyImage, cpu_max: CpuMax, problems: tuple[Problem, ...]) -> None:
        self._quotas.cpu_max = cpu_max
        try:
            outcome = reconcile(self._kernel, image, cpu_max, Errand(WHO, FOLLOW, timer=None))
        except (ApplyError, VerificationError) as error:
            if self._ejections.due_at() is not None:
                self._ejections.failed(policy_hash(image), image.profile, error)
            raise
        except SchedctlError:
            self._ejections.postponed()
            raise
        self._confirmation.look(outcome.observation)
        self._attached = True
        self._ejections.attached()
        self._say_outcome(outcome)
        self._say_warnings((*problems, *outcome.problems))

    def _decided(self, observation: Observation, selected: Selected) -> Decision | None:
        """What was decided when our scheduler ended without us; None where what is selected is followed."""
        known, ejection = self._ejections.look(observation, selected)
        if selected.choice is Choice.NONE or known.decision is None:
            return None
        if self._attached and known.decision.next is not Next.FALLEN_BACK:
            return None  # a person has attached it
        if ejection is not None:
            self._say_ejection(ejection, known.decision, observation)
        else:
            notify.status(sentence(known.decision, self._ejections.now_ns()))
        return known.decision

    def _say_ejection(self, ejection: Ejection, decision: Decision, observation: Observation) -> None:
        record = observation.last_exit if observation.ejected else None
        self._said = ""  # the same again is news
        self._say(
            f"the scheduler has ended: {ejection.reason}; {sentence(decision, self._ejections.now_ns())}",
            "ejected",
            Priority.ERROR,
            ejection.profile or None,
            exit_kind=ejection.kind if record else None,
            exit_reason=ejection.reason,
            exit_msg=record.msg if record else None,
            blame=ejection.blame.value,
            next=decision.next.value,
            policy=ejection.policy or None,
            dump=(self._kernel.read_exit_dump() or None) if record else None,
        )

    def _held_by_mark(self) -> bool:
        """Whether another boot ended before its policy had proved itself: a person decides."""
        mark = held_by_mark(boot_id())
        if mark is None:
            return False
        why = f"{paths.trying_file()} is damaged"
        if mark.profile:
            why = f"the machine went down soon after profile {shown(mark.profile)} was attached"
        self._say(
            f"attaches nothing before `schedctl apply`: {why}",
            "held",
            Priority.ERROR,
            profile=shown(mark.profile) or None,
        )
        return True

    # --- what it says, once: to the journal, and as the unit's status -------------------------

    def _say_request(self, asked: Asked, report: Report) -> None:
        verb, who = asked.request.verb.value, asked.who
        plan = report.data.get("plan")  # None where it ends with nothing attached
        first = report.problems[0].message if report.exit_code and report.problems else report.text
        log(
            f"{verb}, asked for by `{who.command}`: {first}",
            "request",
            Priority.NOTICE if report.exit_code == EXIT_OK else Priority.WARNING,
            verb=verb,
            uid=who.uid,
            login_uid=who.login_uid,
            command=who.command,
            exit_code=report.exit_code,
            profile=plan["profile"] if plan else None,
            generation=report.data.get("generation"),
        )

    def _say_idle(self, selected: Selected) -> None:
        if selected.choice is Choice.NONE:
            self._say("detached by a person; attaches nothing before `schedctl apply`", "idle")
        else:
            self._say(f"no profile is selected in {paths.standing_file()}", "idle")

    def _say_outcome(self, outcome: Outcome) -> None:
        profile, generation = outcome.plan.desired.profile, outcome.observation.generation
        changes, runs = len(outcome.plan.changes), f"profile {profile}, generation {generation}"
        if outcome.plan.changed:
            text = "\n".join([f"applied {runs}", *outcome.plan.lines()[1:]])
            self._said = ""  # the same change again is news
            self._say(text, "applied", Priority.NOTICE, profile, generation, changes=changes)
            self._said = runs
        elif self._said != runs:
            self._say(f"{runs} runs: 0 changes", "unchanged", Priority.INFO, profile, generation, changes=0)
            self._said = runs
        notify.status(runs)

    def _say_warnings(self, problems: tuple[Problem, ...]) -> None:
        found = tuple(problem for problem in problems if problem.severity == "warning")
        if found != self._warned:
            for problem in found:
                text = format_problem(problem)
                log(text, "warning", Priority.WARNING, file=problem.file, line=problem.line)
        self._warned = found

    def _say_failure(self, error: SchedctlError) -> None:
        lines = [format_problem(problem) for problem in error.problems[:MAX_SHOWN]]
        hint = [f"hint: {error.hint}"] if error.hint else []
        first = error.problems[0] if error.problems else None
        said = "not applied, what ran before still runs" if error.old_runs else "not applied"
        self._say(
            "\n".join([f"{said}: {error.message}", *lines, *hint]),
            "rejected",
            Priority.ERROR,
            exit_code=error.exit_code,
            file=first.file if first else None,
            line=first.line if first else None,
        )

    def _say(
        self,
        text: str,
        kind: Kind,
        priority: Priority = Priority.INFO,
        profile: str | None = None,
        generation: int | None = None,
        **fields: str | int | None,
    ) -> None:
        notify.status(text.splitlines()[0])
        if text != self._said:
            log(text, kind, priority, profile=profile, generation=generation, **fields)
        self._said = text


def _collect() -> None:
    """When the work is done: not by itself, in the middle of it, see main.entry."""
    if not gc.isenabled():
        gc.collect()
