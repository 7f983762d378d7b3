# SPDX-License-Identifier: GPL-2.0-only
"""Whether only trusted users can change what a path leads to: each folder, each link, the file itself."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

MAX_LINKS = 40


class UntrustedError(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class ForeignError(UntrustedError):
    """It belongs to somebody who is not trusted."""


def check_trusted(path: Path, root: Path, owners: Callable[[], frozenset[int]]) -> os.stat_result:
    """The status of what the path leads to; raises UntrustedError, OSError.

    Trusted are the owner of `root` (in everyday life `/`, and so root) and `owners`, who are asked for only
    where that is not enough. What is above `root` is not looked at.
    """
    trusted = {os.stat(root).st_uid}
    links = 0
    current = Path("/")
    pending = list(path.parts[1:])
    while True:
        status = os.lstat(current)
        if not root.is_relative_to(current) or current == root:
            _check_one(current, status, trusted, owners)
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > MAX_LINKS:
                raise UntrustedError("a link that leads back to itself", "remove or repair the link")
            target = Path(os.readlink(current))
            pending = [*target.parts, *pending]
            current = current.parent
            if target.is_absolute():
                current, pending = Path("/"), pending[1:]
                continue
        if not pending:
            return status
        part, *pending = pending
        current = current.parent if part == ".." else current / part


def _check_one(
    path: Path, status: os.stat_result, trusted: set[int], owners: Callable[[], frozenset[int]]
) -> None:
    if status.st_uid not in trusted:
        trusted |= owners()
    if status.st_uid not in trusted:
        raise ForeignError(
            f"{path} belongs to {_user(status.st_uid)}, and would choose root's policy",
            f"give it to root, or write 'trusted_owners: [{_user(status.st_uid).removeprefix('user ')}]' into"
            " schedctl.yaml, which gives that user root's choice of policy",
        )
    if stat.S_ISLNK(status.st_mode):
        return  # a link's own mode says nothing
    if status.st_mode & stat.S_IWOTH:
        raise UntrustedError(f"everybody may write to {path}", f"`chmod o-w {path}`")
    if status.st_mode & stat.S_IWGRP and status.st_gid != 0:
        raise UntrustedError(f"the group {status.st_gid} may write to {path}", f"`chmod g-w {path}`")


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
