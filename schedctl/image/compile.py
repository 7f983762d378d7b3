# SPDX-License-Identifier: GPL-2.0-only
"""An assignment as the kernel's policy; what would exceed a limit is refused by name."""

from __future__ import annotations

from schedctl.errors import Problem, ProfileError
from schedctl.image import abi, index
from schedctl.image.model import ImageClass, ImageItem, ImageRule, PolicyImage
from schedctl.profile.model import DEFAULT_CLASS, DEFAULT_WEIGHT, Origin, ThreadClass, Tier
from schedctl.resolve.assignment import Assignment, ResolvedItem

_DEFAULT = ThreadClass(DEFAULT_CLASS, "", (), 0, Tier.FAIR, None, None, None, DEFAULT_WEIGHT)


def compile_image(assignment: Assignment) -> PolicyImage:
    """Classes with `default` first, the others as declared; raises ProfileError over a limit."""
    default = next((c for c in assignment.classes if c.name == DEFAULT_CLASS), _DEFAULT)
    declared = [c for c in assignment.classes if c.name != DEFAULT_CLASS]
    image = PolicyImage(
        assignment.profile,
        assignment.policy.order,
        assignment.policy.fair_share,
        tuple(map(_compile_class, (default, *declared))),
        tuple(
            ImageRule(
                rule.class_name,
                _compile_item(rule.item),
                tuple(map(_compile_item, rule.item.excluded)),
                rule.item.trusted,
            )
            for rule in assignment.rules
        ),
        tuple(sorted(set(assignment.realtime_uids))),
        assignment.policy.background_share,
        assignment.policy.power,
    )
    _check_limits(assignment, image)
    return image


def _compile_class(cls: ThreadClass) -> ImageClass:
    return ImageClass(
        cls.name,
        cls.tier,
        cls.level or 0,
        cls.period_ns or 0,
        cls.deadline_ns or 0,
        cls.weight,
        runtime_ns=cls.runtime_ns or 0,
        overrun=cls.overrun,
        threads=cls.threads or 0,
        slice_ns=cls.slice_ns,
        timer_slack_ns=cls.timer_slack_ns or 0,
        max_level=cls.max_level,
        recovery=cls.recovery,
        measured=cls.measured,
        # with a declared period the level is known
        rate_monotonic=cls.rate_monotonic if cls.measured else (),
    )


def _compile_item(item: ResolvedItem) -> ImageItem:
    return ImageItem(
        comm=_distinct(item.comm),
        exe=_distinct(item.exe),
        exe_owner=0 if item.exe_owner_root else None,
        cgroup=_distinct(item.cgroup),
        unit=_distinct(item.unit),
        user_unit=_distinct(item.user_unit),
        user=tuple(sorted(set(item.uids))),
        group=tuple(sorted(set(item.gids))),
        kthread=item.kthread,
        leader=item.leader,
        nice=item.nice,
    )


def _distinct(patterns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(patterns)))


def _check_limits(assignment: Assignment, image: PolicyImage) -> None:
    problems = []
    if len(image.classes) > abi.MAX_CLASSES:
        beyond = assignment.classes[abi.MAX_CLASSES - 1]
        message = f"{len(image.classes) - 1} classes, at most {abi.MAX_CLASSES - 1} fit"
        problems.append(_over(beyond.origin, beyond.name, message))
    try:
        index.arrange(image.rules)
    except index.IndexLimitError as error:
        rule = assignment.rules[error.rank]
        problems.append(_over(rule.origin, rule.class_name, str(error)))
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
        "the limit is exceeded from here on: name what the rules look at more narrowly",
        origin.source,
    )
