# SPDX-License-Identifier: GPL-2.0-only
"""Every check in the order of the output, and the exit code of what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from schedctl.doctor import host_checks, use_checks
from schedctl.doctor.evidence import Evidence, Finding, Result
from schedctl.errors import EXIT_OK

CHECKS: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    host_checks.sched_ext,
    host_checks.command_line,
    host_checks.btf,
    host_checks.lsm,
    host_checks.lockdown,
    host_checks.libbpf,
    host_checks.bpf_file_system,
    host_checks.bpf_object,
    host_checks.isolated_cpus,
    host_checks.other_scheduler,
    host_checks.pins,
    use_checks.quotas,
    use_checks.managers,
    use_checks.other_classes,
    use_checks.rt_throttling,
    use_checks.host,
    use_checks.folders,
    use_checks.selection,
    use_checks.unit,
    use_checks.daemon,
    use_checks.strangers,
    use_checks.privilege,
)


def examine(seen: Evidence) -> tuple[Finding, ...]:
    return tuple(finding for check in CHECKS for finding in check(seen))


def exit_code(findings: Iterable[Finding]) -> int:
    """That of the first problem: what the host lacks comes before what stands in the way."""
    codes = (found.exit_code for found in findings if found.result is Result.PROBLEM)
    return next(codes, EXIT_OK)
