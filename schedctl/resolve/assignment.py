# SPDX-License-Identifier: GPL-2.0-only
"""A profile made concrete for one host: its classes, its rules in rank order, users and groups as numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from schedctl.errors import Problem, sorted_problems
from schedctl.glob import is_bare
from schedctl.profile.model import (
    DEFAULT_CLASS,
    NOWHERE,
    RUN_PREFIX,
    MatchItem,
    Origin,
    Policy,
    Profile,
    SharedResource,
    ThreadClass,
)
from schedctl.resolve.accounts import Accounts
from schedctl.resolve.facts import HostFacts


@dataclass(frozen=True, slots=True)
class ResolvedItem:
    """A MatchItem with numbers for users and groups; () and None = the predicate is absent.

    An item that needs a user or group which does not exist is left out of the rules altogether, so
    that absent and unknown cannot be confused.
    """

    comm: tuple[str, ...] = ()
    exe: tuple[str, ...] = ()
    cgroup: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    user_unit: tuple[str, ...] = ()
    uids: tuple[int, ...] = ()
    gids: tuple[int, ...] = ()
    exe_owner_root: bool = False
    kthread: bool | None = None
    leader: bool | None = None
    nice: tuple[int, int] | None = None
    excluded: tuple[ResolvedItem, ...] = ()
    origin: Origin = NOWHERE

    @property
    def trusted(self) -> bool:
        """Whether a predicate holds that the thread's owner cannot forge.

        `unit`, unless one alternative is a bare '*'; `user`, `group`; `kthread: true` (false is true of
        everybody's threads). Not `user_unit`: the owner of a user manager starts any unit there, under
        any name. Nothing under `not`: it is easy to be none of something.
        """
        unit = bool(self.unit) and not any(map(is_bare, self.unit))
        return unit or bool(self.uids) or bool(self.gids) or self.kthread is True


@dataclass(frozen=True, slots=True)
class Rule:
    """The first rule whose item matches decides."""

    class_name: str
    item: ResolvedItem
    origin: Origin
    implicit: bool = False
    """Stands for `schedctl run CLASS`, and in no file."""


@dataclass(frozen=True, slots=True)
class Assignment:
    profile: str
    policy: Policy
    classes: tuple[ThreadClass, ...]
    rules: tuple[Rule, ...]
    realtime_uids: tuple[int, ...] = (0,)
    """Whose threads an item that is not trusted may lift above the fair tier."""
    resources: tuple[SharedResource, ...] = ()
    facts: HostFacts = field(default_factory=HostFacts, compare=False)
    problems: tuple[Problem, ...] = field(default=(), compare=False)
    """Warnings: the profile's, and the names that this host does not know."""
    notes: tuple[Problem, ...] = field(default=(), compare=False)
    """The profile's."""


def resolve(profile: Profile, facts: HostFacts | None = None) -> Assignment:
    """Rules in rank order: of `schedctl run`, then highest precedence, on a tie as declared.

    Without facts only root is known.
    """
    accounts = Accounts(facts or HostFacts())
    by_rank = sorted(profile.classes, key=lambda cls: -cls.precedence)
    rules = [*_run_rules(profile)]
    for cls in by_rank:
        for item in cls.match:
            if (resolved := _resolve_item(item, accounts)) is not None:
                rules.append(Rule(cls.name, resolved, item.origin))
    return Assignment(
        profile.name,
        profile.policy,
        profile.classes,
        tuple(rules),
        accounts.realtime_uids(profile),
        profile.resources,
        facts or HostFacts(),
        sorted_problems((*profile.problems, *accounts.problems)),
        profile.notes,
    )


def run_pattern(class_name: str) -> str:
    """The scopes of `schedctl run CLASS`: two numbers behind the name, so that no other class's fit."""
    return f"{RUN_PREFIX}{class_name}-[0-9]*-[0-9]*.scope"


def scope_name(class_name: str, pid: int, number: int) -> str:
    return f"{RUN_PREFIX}{class_name}-{pid}-{number}.scope"


def _run_rules(profile: Profile) -> Iterator[Rule]:
    """Two of each class: root's scope belongs to the system manager, another user's to his own.

    The longer name first: `a-1` has the scopes `a-1-PID-N`, which the pattern of `a` takes too.
    """
    classes = [cls for cls in profile.classes if cls.name != DEFAULT_CLASS]
    for cls in sorted(classes, key=lambda cls: -len(cls.name)):
        pattern = (run_pattern(cls.name),)
        yield Rule(cls.name, ResolvedItem(unit=pattern, origin=cls.origin), cls.origin, True)
        yield Rule(cls.name, ResolvedItem(user_unit=pattern, origin=cls.origin), cls.origin, True)


def _resolve_item(item: MatchItem, accounts: Accounts) -> ResolvedItem | None:
    """None where it needs an account that this host does not have."""
    accounts.check_units(item.unit, item.origin)
    uids = accounts.uids(item.user, item.origin)
    gids = accounts.gids(item.group, item.origin)
    if (item.user and not uids) or (item.group and not gids):
        return None
    excluded = (_resolve_item(other, accounts) for other in item.excluded)
    return ResolvedItem(
        comm=item.comm,
        exe=item.exe,
        cgroup=item.cgroup,
        unit=item.unit,
        user_unit=item.user_unit,
        uids=uids,
        gids=gids,
        exe_owner_root=item.exe_owner_root,
        kthread=item.kthread,
        leader=item.leader,
        nice=item.nice,
        excluded=tuple(other for other in excluded if other is not None),
        origin=item.origin,
    )
