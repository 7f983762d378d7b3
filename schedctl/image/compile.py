# SPDX-License-Identifier: GPL-2.0-only
"""An assignment as the kernel's policy; what would exceed a limit is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schedctl.errors import Problem, ProfileError
from schedctl.image import abi
from schedctl.image.model import ImageClass, ImageRule, PolicyImage
from schedctl.profile.model import DEFAULT_CLASS, DEFAULT_WEIGHT, Origin, ThreadClass, Tier
from schedctl.resolve.assignment import Assignment, ResolvedItem


def compile_image(assignment: Assignment) -> PolicyImage:
    """Classes with `default` first, the others as declared; raises ProfileError over a limit."""
    weight = next((c.weight for c in assignment.classes if c.name == DEFAULT_CLASS), DEFAULT_WEIGHT)
    default = ImageClass(DEFAULT_CLASS, Tier.FAIR, 0, 0, 0, weight)
    declared = [c for c in assignment.classes if c.name != DEFAULT_CLASS]
    image = PolicyImage(
        assignment.profile,
        assignment.policy.order,
        assignment.policy.fair_share,
        (default, *(_compile_class(cls) for cls in declared)),
        tuple(dict.fromkeys(_image_rules(assignment))),
    )
    _check_limits(assignment, image)
    return image


def _image_rules(assignment: Assignment) -> Iterator[ImageRule]:
    """For now the kernel looks at comm and cgroup only: everything else is refused, not ignored."""
    problems = []
    for rule in assignment.rules:
        if rule.implicit:
            continue
        item = rule.item
        if item != ResolvedItem(comm=item.comm, cgroup=item.cgroup, origin=item.origin):
            message = "this rule needs more than 'comm' and 'cgroup', which the scheduler cannot look at yet"
            problems.append(replace(_over(rule.origin, rule.class_name, message), hint=None))
        for comm in item.comm or (None,):
            for cgroup in item.cgroup or (None,):
                yield ImageRule(rule.class_name, comm, cgroup)
    if problems:
        raise ProfileError(tuple(problems))


def _compile_class(cls: ThreadClass) -> ImageClass:
    return ImageClass(
        cls.name, cls.tier, cls.level or 0, cls.period_ns or 0, cls.deadline_ns or 0, cls.weight
    )


def _check_limits(assignment: Assignment, image: PolicyImage) -> None:
    problems = []
    if len(image.classes) > abi.MAX_CLASSES:
        beyond = assignment.classes[abi.MAX_CLASSES - 1]
        problems.append(
            _over(
                beyond.origin,
                beyond.name,
                f"{len(image.classes) - 1} classes, at most {abi.MAX_CLASSES - 1} fit",
            )
        )
    if len(image.rules) > abi.MAX_RULES:
        rule = assignment.rules[-1]
        message = f"{len(image.rules)} patterns after all lists are expanded, at most {abi.MAX_RULES} fit"
        problems.append(_over(rule.origin, rule.class_name, message))
    cgroups = abi.distinct_cgroups(image)
    if len(cgroups) > abi.MAX_CGROUPS:
        rule = next(r for r in assignment.rules if cgroups[abi.MAX_CGROUPS] in r.item.cgroup)
        message = f"{len(cgroups)} different cgroup patterns, at most {abi.MAX_CGROUPS} fit"
        problems.append(_over(rule.origin, rule.class_name, message))
    if problems:
        raise ProfileError(tuple(problems))


def _over(origin: Origin, class_name: str, message: str) -> Problem:
    return Problem(
        "error",
        origin.file,
        origin.line,
        origin.column,
        f"classes.{class_name}",
        message,
        "the limit is exceeded from here on: use globs instead of long lists",
        origin.source,
    )
