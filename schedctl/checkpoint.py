# SPDX-License-Identifier: GPL-2.0-only
"""/run/schedctl/checkpoint: an apply is under way, and this is what ran before it."""

from __future__ import annotations

from contextlib import suppress

from schedctl import durable, paths
from schedctl.errors import StateError
from schedctl.ran import Ran


def write_checkpoint(before: Ran) -> None:
    """StateError: nothing has changed yet."""
    durable.write_json(paths.checkpoint_file(), {"schedctl_checkpoint": 1, **before.to_document()})


def clear_checkpoint() -> None:
    durable.remove(paths.checkpoint_file())


def sweep() -> None:
    """The lock's holder removes what one that was killed left: the kernel and the note say what to do.

    Neither is read from here: the kernel runs the old policy or the new one, and the note names one.
    """
    own = (paths.run_dir(), paths.copies_dir(), paths.state_dir(), paths.history_dir())
    for folder in (*own, paths.standing_file().resolve().parent):
        durable.sweep(folder)
    with suppress(StateError):  # where nothing can be written, nothing will be
        clear_checkpoint()
