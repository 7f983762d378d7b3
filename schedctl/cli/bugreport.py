# SPDX-License-Identifier: GPL-2.0-only
"""doctor --report: one JSON file that says what a bug report needs; names only where a person asks for it."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schedctl import paths
from schedctl.cli import status, version
from schedctl.cli.source import load
from schedctl.doctor.evidence import Evidence
from schedctl.doctor.examine import examine
from schedctl.doctor.redact import LEFT_OUT, Redactor
from schedctl.errors import SchedctlError, StateError
from schedctl.printable import json_text

REPORT_VERSION = 1
_ENTRIES = 100
_LOG_LINES = 200
_JOURNAL_S = 20
_FIRST_UID, _NOBODY = 1000, 65534
_FIELD = "SCHEDCTL_"
_NAMELESS_FIELDS = frozenset({"SCHEDCTL_EVENT", "SCHEDCTL_CLASS", "SCHEDCTL_PROFILE", "SCHEDCTL_EXIT_KIND"})


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a report has beside the evidence, names and all."""

    profile: Any
    status: dict[str, Any]
    journal: list[dict[str, Any]]
    verifier_log: list[str]


def write_report(path: Path, seen: Evidence, with_names: bool) -> None:
    """Never over what is there already; StateError where it cannot be written."""
    gathered = Gathered(_profile(), _status(), list(_journal()), _verifier_log())
    document = report_document(seen, gathered, None if with_names else this_machine(seen))
    mode = 0o600 if with_names else 0o644
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json_text(document, indent=1) + "\n")
    except FileExistsError:
        raise StateError(f"{path} exists", "name another file, or remove it") from None
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}", "name another file") from error


def this_machine(seen: Evidence) -> Redactor:
    """Knows the people of this machine, its name, and where their files lie."""
    people = [user for user in pwd.getpwall() if _FIRST_UID <= user.pw_uid != _NOBODY]
    with suppress(KeyError):
        people.append(pwd.getpwuid(os.getuid()))
    users = {user.pw_name for user in people} | {os.environ.get("SUDO_USER", "")}
    homes = {user.pw_dir for user in people if user.pw_dir.count("/") > 1} | {"/root"}
    return Redactor(seen.facts.hostname, sorted(users - {"", "root"}), sorted(homes))


def report_document(seen: Evidence, found: Gathered, redactor: Redactor | None) -> dict[str, Any]:
    """Everything in one document; without names where there is a redactor."""
    if redactor is not None:
        seen, found = redactor.evidence(seen), _nameless(redactor, found)
    document = {
        "schedctl_report": REPORT_VERSION,
        "names": redactor is None,
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": version.run(argparse.Namespace()).data,
        "findings": [asdict(finding) for finding in examine(seen)],
        "facts": seen.facts.to_document(),
        "profile": found.profile,
        "status": found.status,
        "journal": found.journal,
        "verifier_log": found.verifier_log,
    }
    if redactor is None:
        return document
    # last, when every name was met
    return {key: redactor.document(value, key) for key, value in document.items()}


def _nameless(redactor: Redactor, found: Gathered) -> Gathered:
    told = _told(redactor, redactor.learn(found.status))
    entries = [_entry(redactor, entry) for entry in found.journal]
    return Gathered(redactor.learn(found.profile), told, entries, found.verifier_log)


def _profile() -> Any:
    """The effective profile that is selected, or the standing one; a sentence where it cannot be used."""
    try:
        return load(None).effective.value
    except SchedctlError as error:
        return {"error": error.message, "problems": [problem.message for problem in error.problems]}


def _status() -> dict[str, Any]:
    try:
        report = status.run(argparse.Namespace(watch=None, json=True))
    except SchedctlError as error:
        return {"exit": error.exit_code, "problems": [error.message]}
    problems = [problem.message for problem in report.problems]
    return {"exit": report.exit_code, "problems": problems, **report.data}


def _told(redactor: Redactor, told: dict[str, Any]) -> dict[str, Any]:
    """Problems may quote the profile, the kernel's reasons name threads."""
    result = {**told, "problems": [LEFT_OUT for _ in told["problems"]]}
    if isinstance(last := told.get("last_exit"), dict):
        result["last_exit"] = _reasons(redactor, last)
    if isinstance(ejections := told.get("ejections"), dict):
        last = _reasons(redactor, ejections["last"])
        result["ejections"] = {**_reasons(redactor, ejections), "last": last}
    return result


def _reasons(redactor: Redactor, told: dict[str, Any]) -> dict[str, Any]:
    quoting = {key: redactor.reason(told[key]) for key in ("reason", "why") if told.get(key)}
    return {**told, **quoting}


def _journal() -> Iterator[dict[str, Any]]:
    """The last entries of schedctld and of the service manager about it; none where no journal is."""
    words = ["journalctl", "-q", "-o", "json", "-n", str(_ENTRIES), "-u", "schedctld", "--no-pager"]
    try:
        lines = subprocess.run(words, capture_output=True, check=True, timeout=_JOURNAL_S).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return
    for line in lines:
        entry = json.loads(line)
        at_us = int(entry["__REALTIME_TIMESTAMP"])
        kept = {key: value for key, value in entry.items() if key.startswith(_FIELD)}
        at = datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds")
        message = entry.get("MESSAGE") or ""
        if isinstance(message, list):  # bytes that are no text
            message = bytes(message).decode(errors="replace")
        by, priority = entry.get("SYSLOG_IDENTIFIER"), entry.get("PRIORITY")
        yield {"at": at, "by": by, "priority": priority, "message": message, **kept}


def _entry(redactor: Redactor, entry: dict[str, Any]) -> dict[str, Any]:
    """Of schedctld's own the kind and the figures; of others (a traceback, say) what is not quoted."""
    if "SCHEDCTL_COMM" in entry:
        redactor.name("thread", str(entry["SCHEDCTL_COMM"]))
    kept = {
        key: value
        for key, value in entry.items()
        if not key.startswith(_FIELD) or key in _NAMELESS_FIELDS or str(value).lstrip("-").isdecimal()
    }
    own = "SCHEDCTL_EVENT" in entry
    return {**kept, "message": LEFT_OUT if own else redactor.message(entry["message"])}


def _verifier_log() -> list[str]:
    try:
        text = (paths.state_dir() / "verifier.log").read_text(errors="replace")
    except OSError:
        return []
    return text.splitlines()[-_LOG_LINES:]
