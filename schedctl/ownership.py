# SPDX-License-Identifier: GPL-2.0-only
"""Files of ours beside the profiles, in /run/schedctl and /var/lib/schedctl: only root may change them.

Who may write to one of them, to a link on the way or to a folder above chooses what root does. Where only
root may, no link can be planted, and a check and what follows it cannot be told apart by anybody else.
"""

from __future__ import annotations

import os
from pathlib import Path

from schedctl import paths
from schedctl.errors import StateError
from schedctl.profile.trust import ForeignError, UntrustedError, check_trusted

FOLDER_MODE = 0o755


def check_ours(path: Path) -> None:
    """StateError where somebody else can change what the path leads to; FileNotFoundError."""
    try:
        check_trusted(path.absolute(), paths.under_root("/"), frozenset)
    except ForeignError as error:
        raise StateError(f"{path} is not used: {error}", "give it to root, or remove it") from None
    except UntrustedError as error:
        raise StateError(f"{path} is not used: {error}", error.hint) from None


def is_ours(path: Path) -> bool:
    """Whether it lies in a folder of ours: schedctl.yaml may be a link to anywhere."""
    return any(path.is_relative_to(folder) for folder in (paths.run_dir(), paths.state_dir()))


def make_folder(path: Path) -> None:
    """The folder, readable for everybody, whatever the umask; raises StateError as check_ours, OSError."""
    missing = [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]
    for folder in reversed(missing):
        try:
            folder.mkdir()
            folder.chmod(FOLDER_MODE)
        except FileExistsError:  # somebody else was faster
            pass
    check_ours(path)
