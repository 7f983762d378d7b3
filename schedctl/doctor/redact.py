# SPDX-License-Identifier: GPL-2.0-only
"""Names of threads, users, this host and files in home folders, replaced by placeholders.

The same name gets the same placeholder everywhere in one report. What is known to hold a name is replaced
where it stands; then every text is searched for all names that were met, for users, and for home folders.
Texts that quote what somebody wrote (a profile's problem, say) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from schedctl.doctor.evidence import Evidence, Folder, Selection, UnitState
from schedctl.errors import Problem, ProfileError, SchedctlError, StateError
from schedctl.kernel.protocol import Quota
from schedctl.resolve.facts import HostFacts
from schedctl.resolve.match import Thread

LEFT_OUT = "(left out: it may quote names)"
_PATTERNS = {
    "comm": "thread",
    "exe": "program",
    "cgroup": "cgroup",
    "unit": "unit",
    "user_unit": "unit",
    "user": "user",
    "exe_owner": "user",
    "group": "group",
    "realtime_users": "user",
    "trusted_owners": "user",
}
# What the language means by itself.
_WORDS = frozenset({"root", "active-seat", "trusted"})
_SENTENCES = frozenset({"description", "message"})
_NAMED_MAPS = frozenset({"classes", "users", "groups"})
_QUOTED = re.compile(r"'[^'\n]*'|\"(?!/usr/)[^\"\n]*\"")
# In the kernel's messages a thread is NAME[PID]. NAME may be anything of up to 15 bytes: what stands before a
# shorter one goes with it.
_THREAD = re.compile(r"(?<![^\s\]]).{1,15}\[(\d+)\]", re.DOTALL)
_SHORTEST = 2


@dataclass(slots=True)
class Redactor:
    """`users` and `homes` are this machine's; `hostname` is its name."""

    hostname: str = ""
    users: Iterable[str] = ()
    homes: Iterable[str] = ()
    _given: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.hostname:
            self._given[self.hostname] = "host"
        for user in self.users:
            self.name("user", user)

    def name(self, kind: str, text: str) -> str:
        """`text` stands for something private of this kind; a pattern's ends stay."""
        core = text.strip("*")
        if not core or core in _WORDS or core.isdecimal():
            return text
        if core not in self._given:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._given[core] = f"{kind}{self._counts[kind]}"
        return text.replace(core, self._given[core], 1)

    def text(self, text: str) -> str:
        """Without home folders' paths and every name met so far."""
        for home in sorted({home.rstrip("/") for home in self.homes}, key=len, reverse=True):
            if home:
                text = re.sub(rf"{re.escape(home)}(?=/|\b)(/[^\s:'\",]*)?", "HOME/…", text)
        text = re.sub(r"/(?:var/)?home/[^\s:'\",]+", "HOME/…", text)
        return self._names().sub(lambda found: self._given[found[0]], text) if self._given else text

    def _names(self) -> re.Pattern[str]:
        known = sorted((n for n in self._given if len(n) >= _SHORTEST), key=len, reverse=True)
        return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, known))})(?![\w-])")

    # --- documents -------------------------------------------------------------------------------

    def learn(self, value: Any, key: str = "") -> Any:
        """The same value with placeholders wherever a key says that a name stands there."""
        if isinstance(value, Mapping):
            return {name: self.learn(inner, str(name)) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.learn(inner, key) for inner in value]
        if key in _SENTENCES and value is not None:
            return LEFT_OUT
        if key in _PATTERNS and isinstance(value, str):
            return self.name(_PATTERNS[key], value)
        return value

    def document(self, value: Any, key: str = "") -> Any:
        """Every text in it as by `text`; keys too where they are somebody's names."""
        if isinstance(value, Mapping):
            named = key in _NAMED_MAPS
            return {
                (self.text(str(name)) if named else name): self.document(inner, str(name))
                for name, inner in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.document(inner, key) for inner in value]
        return self.text(value) if isinstance(value, str) else value

    def message(self, text: str) -> str:
        """Of another program: without all that it quotes."""
        return self.text(_QUOTED.sub("'…'", text))

    def reason(self, text: str) -> str:
        """As ExitRecord.text has it: the kernel's reason, then its message, where threads are named."""
        head, colon, message = text.partition(": ")
        return self.text(head + colon + _THREAD.sub(r"a thread[\1]", message))

    # --- evidence --------------------------------------------------------------------------------

    def evidence(self, seen: Evidence) -> Evidence:
        """What the checks then say has no names in it."""
        return replace(
            seen,
            facts=self.facts(seen.facts),
            last_exit=None if seen.last_exit is None else self.reason(seen.last_exit),
            quotas=tuple(map(self._quota, seen.quotas)),
            selection=self._selection(seen.selection),
            rivals=tuple((tid, self._thread(thread)) for tid, thread in seen.rivals),
            folders=tuple(map(self._folder, seen.folders)),
            unit=None if seen.unit is None else self._unit(seen.unit),
            strangers=tuple(map(self.text, seen.strangers)),
            refused={need: self._error(error) for need, error in seen.refused.items()},
        )

    def facts(self, facts: HostFacts) -> HostFacts:
        return replace(
            facts,
            hostname="host" if facts.hostname else "",
            tags=tuple(self.name("tag", tag) for tag in facts.tags),
            users={self.name("user", name): uid for name, uid in facts.users.items()},
            groups={self.name("group", name): group for name, group in facts.groups.items()},
            units=(),
        )

    def _quota(self, quota: Quota) -> Quota:
        cgroup = self.name("cgroup", quota.cgroup)
        return replace(quota, cgroup=cgroup, unit=self.name("unit", quota.unit))

    def _thread(self, thread: Thread) -> Thread:
        if thread.kthread:  # the kernel's own names
            return thread
        comm = self.name("thread", thread.comm.decode(errors="replace"))
        return Thread(comm.encode(), policy=thread.policy)

    def _selection(self, found: Selection) -> Selection:
        if found.error is None:
            return found
        if isinstance(found.error, ProfileError):
            return replace(found, error=ProfileError(tuple(map(self._problem, found.error.problems))))
        return replace(found, error=type(found.error)(LEFT_OUT))

    def _problem(self, problem: Problem) -> Problem:
        file = self.text(problem.file)
        return replace(problem, file=file, path="", message=LEFT_OUT, hint=None, source="")

    def _folder(self, folder: Folder) -> Folder:
        if folder.untrusted is None:
            return folder
        return replace(folder, untrusted=StateError(f"{folder.path} is not used: others may change it"))

    def _unit(self, unit: UnitState) -> UnitState:
        return replace(unit, status=LEFT_OUT if unit.status else "")

    def _error(self, error: SchedctlError) -> SchedctlError:
        hint = None if error.hint is None else self.text(error.hint)
        return type(error)(self.text(error.message), hint)
