# SPDX-License-Identifier: GPL-2.0-only
"""Every kind of journal entry has an ID for good, and a text that `journalctl -x` finds."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from schedctl.messages import MESSAGES, Kind

ROOT = Path(__file__).resolve().parent.parent
CATALOG = ROOT / "units" / "schedctl.catalog"
SOURCES = "\n".join(path.read_text() for path in (ROOT / "schedctl").rglob("*.py"))


def catalog() -> dict[str, tuple[dict[str, str], str]]:
    """By ID: the headers, and the text."""
    found = {}
    _, *parts = re.split(r"^-- (\S+)\n", CATALOG.read_text(), flags=re.MULTILINE)
    for identity, part in zip(parts[::2], parts[1::2], strict=True):
        assert identity not in found
        head, _, text = part.partition("\n\n")
        found[identity] = dict(line.split(": ", 1) for line in head.splitlines()), text
    return found


def test_every_kind_is_in_the_catalogue_and_nothing_else() -> None:
    assert set(get_args(Kind)) == set(MESSAGES)
    subjects = {identity: head["Subject"] for identity, (head, _) in catalog().items()}
    assert subjects == {message.id: message.subject for message in MESSAGES.values()}


@pytest.mark.parametrize("kind", MESSAGES)
def test_an_entry_of_the_catalogue(kind: Kind) -> None:
    message = MESSAGES[kind]
    assert re.fullmatch(r"[0-9a-f]{32}", message.id)
    head, text = catalog()[message.id]
    assert head["Defined-By"] == "schedctl"
    assert len(text.split()) >= 20, "what happened and what to do"
    for name in re.findall(r"@([^@\n]*)@", text):
        field = name.removeprefix("SCHEDCTL_").lower()
        assert re.search(rf"\b{field}=|\"{field}\": ", SOURCES), f"{name} is in no entry"
    assert f'"{kind}"' in SOURCES.replace((ROOT / "schedctl/messages.py").read_text(), ""), "nobody says it"


def test_systemd_reads_it(tmp_path: Path) -> None:
    """journalctl refuses the whole file for one mistake."""
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    (folder / CATALOG.name).write_bytes(CATALOG.read_bytes())
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    command = ["journalctl", f"--root={tmp_path}"]
    update = subprocess.run([*command, "--update-catalog"], capture_output=True, text=True, check=False)
    assert (update.returncode, update.stderr) == (0, "")
    dump = subprocess.run([*command, "--dump-catalog"], capture_output=True, text=True, check=True).stdout
    for message in MESSAGES.values():
        assert f"-- {message.id}\nSubject: {message.subject}\n" in dump
