# SPDX-License-Identifier: GPL-2.0-only
"""schedctl.yaml's `profile:` set to another name; every other line stays as it is."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from schedctl import durable
from schedctl.errors import StateError
from schedctl.profile.document import load_text, read_file


def with_profile(text: str, file: str, name: str) -> str:
    """The text of schedctl.yaml with another profile; it must have passed the schema."""
    document = load_text(text, file)
    lines = text.splitlines(keepends=True)
    if isinstance(document.value, dict) and "profile" in document.value:
        key, value = document.key_origin(("profile",)), document.origin(("profile",))
        if key.line == value.line:
            line = lines[value.line - 1]
            start = value.column - 1
            old = _written(line[start:])
            lines[value.line - 1] = line[:start] + name + line[start + len(old) :]
            return "".join(lines)
        raise StateError(f"{file}:{key.line}: write 'profile: NAME' on one line")
    if isinstance(document.value, dict) and document.origin(()).source.lstrip().startswith("{"):
        raise StateError(f"{file}: write 'profile: {name}' into it by hand: it is one mapping in braces")
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join([*lines, f"profile: {name}\n"])


def _written(rest: str) -> str:
    """The value as it stands at the beginning of the rest of its line."""
    if rest[:1] in ("'", '"'):
        return rest[: rest.index(rest[0], 1) + 1]
    found = re.match(r"[^\s,}]*", rest)
    return found[0] if found else ""


@contextmanager
def standing_change(path: Path, name: str) -> Iterator[Callable[[], None]]:
    """Yield the function that makes the prepared file valid, so that a full disk shows before.

    Through links; raises StateError where it cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        text = read_file(target).decode() if target.exists() else ""
        mode = target.stat().st_mode & 0o7777 if target.exists() else durable.MODE
    except OSError as error:
        raise durable.unwritable(path, error) from error
    new = with_profile(text, str(path), name)
    if new == text:
        yield lambda: None
        return
    with durable.prepared(target, new.encode(), mode) as file:
        yield file.commit
