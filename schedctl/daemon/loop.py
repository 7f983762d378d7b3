# SPDX-License-Identifier: GPL-2.0-only
"""The one thread that owns the kernel: wait for a trigger, read everything anew, reconcile."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from queue import Empty
from typing import Protocol

from schedctl import paths
from schedctl.choice import chosen_file, file_of
from schedctl.daemon import notify
from schedctl.daemon.triggers import Trigger, TriggerQueue
from schedctl.errors import SchedctlError, format_problem
from schedctl.kernel.protocol import Kernel
from schedctl.lock import locked
from schedctl.log import Priority, log
from schedctl.observe import Observation, Owner, observe
from schedctl.reconcile import Outcome, desired_image, reconcile
from schedctl.selected import Choice, Selected, read_selected

# An editor's rename, or a checkout of many files, is one change.
DEBOUNCE_S = 0.05


class Folders(Protocol):
    def watch(self, folders: Iterable[Path]) -> None: ...


class Daemon:
    """`run` returns after a STOP; the scheduler stays attached."""

    def __init__(self, kernel: Kernel, queue: TriggerQueue, folders: Folders) -> None:
        self._kernel = kernel
        self._queue = queue
        self._folders = folders
        self._attached = False  # our scheduler ran when last looked
        self._ejected = False  # it ended without us; only a person attaches again
        self._failure = ""  # the last failure, said once

    def run(self, tick_s: float | None) -> None:
        """Reconcile once, say READY, then once per batch of triggers; look at the state each tick."""
        self._reconcile()
        notify.ready()
        while (trigger := self._next(tick_s)) is not Trigger.STOP:
            notify.alive()
            if trigger is None:
                self._look()
                continue
            if trigger is Trigger.RELOAD:
                notify.reloading()
            self._reconcile()
            if trigger is Trigger.RELOAD:
                notify.ready()
        notify.stopping()
        log("stopped; what is attached stays attached", "stopped")

    def _next(self, tick_s: float | None) -> Trigger | None:
        """The next trigger with all that come right behind it; None when the tick is over."""
        try:
            first = self._queue.get(timeout=tick_s)
        except Empty:
            return None
        batch = {first}
        if first is Trigger.FILES:
            time.sleep(DEBOUNCE_S)
        while not self._queue.empty():
            batch.add(self._queue.get())
        for kind in (Trigger.STOP, Trigger.RELOAD):
            if kind in batch:
                return kind
        return Trigger.FILES

    def _look(self) -> None:
        """Cheap: only the kernel's words. An ejection is reported at the next tick at the latest."""
        if self._attached and not self._kernel.sched_state().ours:
            self._reconcile()

    def _reconcile(self) -> None:
        try:
            with locked(paths.lock_file()):
                self._watch()
                self._attempt()
            self._failure = ""
        except SchedctlError as error:
            self._report(error)

    def _watch(self) -> None:
        """Before the files are read, so that no edit falls between."""
        folders = [*paths.profile_dirs(), paths.standing_file().parent, paths.run_dir()]
        try:
            file = chosen_file()
        except SchedctlError:
            file = None  # reported when it is used
        if file is not None:
            folders += [file.parent, file.resolve().parent]
        self._folders.watch(folders)

    def _attempt(self) -> None:
        observation = observe(self._kernel)
        selected = read_selected(paths.selected_file())
        if self._held(observation, selected):
            return
        file = file_of(selected)
        if file is None:
            self._idle(selected)
            return
        outcome = reconcile(self._kernel, desired_image(file))
        _report_outcome(outcome, observation)
        self._attached, self._ejected = True, False

    def _held(self, observation: Observation, selected: Selected) -> bool:
        """Whether our scheduler ended without us: then nothing attaches before a person applies."""
        ours = observation.owner is Owner.SCHEDCTL
        if ours or selected.choice is Choice.NONE:
            self._attached, self._ejected = ours, False
            return False
        if not (observation.ejected or self._attached or self._ejected):
            return False
        if not self._ejected:
            record = observation.last_exit
            reason = record.text if record else "unknown"
            log(
                f"the scheduler has ended: {reason}; nothing attaches before `schedctl apply`",
                "ejected",
                Priority.ERROR,
                exit_kind=record.kind_name if record else None,
                exit_reason=reason,
            )
            notify.status(f"ejected: {reason}; run schedctl apply")
        self._attached, self._ejected = False, True
        return True

    def _idle(self, selected: Selected) -> None:
        if selected.choice is Choice.NONE:
            text = "detached by a person; attaches nothing before schedctl apply"
        else:
            text = "no profile is selected"
        notify.status(text)
        if text != self._failure:
            log(text, "idle")
        self._failure = text

    def _report(self, error: SchedctlError) -> None:
        """Once per failure; what runs keeps running."""
        lines = [format_problem(problem) for problem in error.problems] or [error.message]
        hint = f"\nhint: {error.hint}" if error.hint else ""
        text = "\n".join(lines) + hint
        notify.status(f"{error.message}; what ran before still runs")
        if text == self._failure:
            return
        self._failure = text
        first = error.problems[0] if error.problems else None
        log(
            f"not applied, what ran before still runs: {error.message}\n{text}",
            "rejected",
            Priority.ERROR,
            exit_code=error.exit_code,
            file=first.file if first else None,
            line=first.line if first else None,
        )


def _report_outcome(outcome: Outcome, before: Observation) -> None:
    profile, generation = outcome.plan.desired.profile, outcome.observation.generation
    notify.status(f"profile {profile}, generation {generation}")
    if not outcome.plan.changed:
        if before.owner is Owner.SCHEDCTL:
            log(
                f"profile {profile} runs, 0 changes",
                "unchanged",
                profile=profile,
                generation=generation,
                changes=0,
            )
        return
    log(
        "\n".join([f"applied profile {profile}, generation {generation}", *outcome.plan.lines()[1:]]),
        "applied",
        Priority.NOTICE,
        profile=profile,
        generation=generation,
        changes=len(outcome.plan.changes),
    )
