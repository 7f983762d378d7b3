# SPDX-License-Identifier: GPL-2.0-only
"""Locks that classes share: their users, their order, their ceilings."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from schedctl.errors import Problem
from schedctl.profile.document import Path_, Sourced, problem_at
from schedctl.profile.model import Profile, SharedResource, ThreadClass
from schedctl.quantity import format_duration

MIN_HOLD_NS = 100
MAX_HOLD_NS = 3_000_000_000


def check_resources(document: Sourced, profile: Profile) -> Iterator[Problem]:
    """All problems of the resources of a profile whose layers the schema accepts."""
    known = {resource.name: resource for resource in profile.resources}
    classes = {cls.name: cls for cls in profile.classes}
    fine = not any(_circle(resource, known) for resource in profile.resources)
    for resource in profile.resources:
        for problem in (
            *_check_users(document, resource, classes),
            *_check_inside(document, resource, known),
        ):
            fine = False
            yield problem
    if fine:
        computed = resource_ceilings(profile.resources, profile.classes, declared=False)
        yield from _check_ceilings(document, profile.resources, computed)


def _check_users(
    document: Sourced, resource: SharedResource, classes: dict[str, ThreadClass]
) -> Iterator[Problem]:
    here: Path_ = ("resources", resource.name)
    if not resource.hold_ns:
        message = f"nobody holds the resource {resource.name!r}"
        yield problem_at(document.key_origin(here), here, message, "add 'hold: {CLASS: 100us}'")
    for name, hold_ns in resource.hold_ns:
        path: Path_ = (*here, "hold", name)
        cls = classes.get(name)
        if cls is None:
            close = difflib.get_close_matches(name, list(classes), 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(classes)}"
            yield problem_at(document.key_origin(path), path, f"there is no class {name!r}", hint)
        elif cls.level is None:
            message = f"the class {name!r} has no level, and could hold {resource.name!r} for any time"
            hint = "give it a level; a lock that ordinary threads hold cannot be analyzed"
            yield problem_at(document.key_origin(path), path, message, hint)
        elif not MIN_HOLD_NS <= hold_ns <= MAX_HOLD_NS:
            message = f"{format_duration(hold_ns)} is out of range"
            yield problem_at(document.origin(path), path, message, "100ns to 3s")
        elif cls.runtime_ns is not None and hold_ns > cls.runtime_ns:
            runtime = format_duration(cls.runtime_ns)
            message = (
                f"it is held for {format_duration(hold_ns)}, longer than the runtime {runtime} of {name!r}"
            )
            yield problem_at(document.origin(path), path, message, f"at most {runtime}")


def _check_inside(
    document: Sourced, resource: SharedResource, known: dict[str, SharedResource]
) -> Iterator[Problem]:
    path: Path_ = ("resources", resource.name, "inside")
    if resource.inside is None:
        return
    if resource.inside not in known:
        message = f"there is no resource {resource.inside!r}"
        yield problem_at(document.origin(path), path, message, f"known are {', '.join(known)}")
        return
    chain = _circle(resource, known)
    if chain and resource.name == min(chain):  # once per circle
        message = f"resources inside each other: {' inside '.join(chain)}"
        yield problem_at(document.origin(path), path, message, "take them in one order everywhere")


def _circle(resource: SharedResource, known: dict[str, SharedResource]) -> list[str]:
    """The chain from a resource back to itself; empty without one."""
    chain = [resource.name]
    while (outer := known[chain[-1]].inside) in known and outer is not None:
        chain.append(outer)
        if outer == resource.name:
            return chain
        if outer in chain[:-1]:
            break  # of others
    return []


def _check_ceilings(
    document: Sourced, resources: Sequence[SharedResource], computed: dict[str, int]
) -> Iterator[Problem]:
    for resource in resources:
        if resource.ceiling is not None and resource.ceiling < computed[resource.name]:
            path: Path_ = ("resources", resource.name, "ceiling")
            message = f"the ceiling {resource.ceiling} is below its users: they have up to"
            message += f" level {computed[resource.name]}"
            yield problem_at(document.origin(path), path, message, "auto")


def resource_ceilings(
    resources: Sequence[SharedResource], classes: Sequence[ThreadClass], *, declared: bool = True
) -> dict[str, int]:
    """Resource -> the highest level of its users and of what it is taken inside of; or what is declared.

    There must be no circle.
    """
    levels = {cls.name: max(cls.levels, default=0) for cls in classes}
    known = {resource.name: resource for resource in resources}
    found = {}
    for resource in resources:
        highest, outer = 0, resource
        while True:
            highest = max([highest, *(levels[name] for name, _ in outer.hold_ns)])
            if declared and outer.ceiling is not None:
                highest = max(highest, outer.ceiling)
            if outer.inside is None:
                break
            outer = known[outer.inside]
        found[resource.name] = highest
    return found
