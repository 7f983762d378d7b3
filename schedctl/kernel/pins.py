# SPDX-License-Identifier: GPL-2.0-only
"""What of a scheduler is kept in bpffs: its link and its maps, in one folder that can be exchanged.

While a swap is under way there is a second folder beside it, of the scheduler that is to come.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from schedctl.errors import StateError
from schedctl.image.identity import Identity
from schedctl.image.stats import ExitRecord, decode_exit_record
from schedctl.kernel import libbpf
from schedctl.kernel.protocol import NotAttachedError
from schedctl.kernel.tables import TABLE_MAPS, refused
from schedctl.ownership import check_ours

OPS_MAP = "schedctl_ops"
SLOT_MAPS = ("policy_a", "policy_b")
# What a scheduler of the same layout goes on with.
TABLES = ("policy", *SLOT_MAPS, *TABLE_MAPS, "class_stats", "sched_stats", "events", "control")
THREADS = ("task_ctxs", "period_ctxs")
# And what belongs to one attach. The kernel cancels the timers of a map that user space neither holds
# nor has pinned, and without its struct_ops map a scheduler could not come back.
OWN = ("end_timers", "population", "exit_record", "exit_dump", "identity", OPS_MAP)
PINNED_MAPS = (*TABLES, *THREADS, *OWN)
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@dataclass(frozen=True, slots=True)
class Pins:
    directory: Path

    @property
    def link(self) -> Path:
        return self.directory / "link"

    @property
    def _partial_link(self) -> Path:
        return self.directory / "link-new"  # bpffs refuses names with a dot

    @property
    def maps(self) -> Path:
        return self.directory / "maps"

    @property
    def next(self) -> Pins:
        """Of the scheduler that a swap brings."""
        return Pins(self.directory.with_name(f"{self.directory.name}-next"))

    def attached(self) -> bool:
        """Whether there is a link that nobody has detached; the scheduler may have been ejected."""
        try:
            link = libbpf.Link.from_pin(str(self.link))
        except FileNotFoundError:
            return False
        try:
            return link.attached()
        finally:
            link.close()

    def pin_maps(self, bpf: libbpf.Object) -> None:
        for folder in (self.directory, self.maps):
            folder.mkdir(exist_ok=True, mode=0o700)
        for name in PINNED_MAPS:
            bpf.map(name).pin(str(self.maps / name))

    def replace_link(self, link: libbpf.Link) -> None:
        """At once: there is never none."""
        partial = self._partial_link
        partial.unlink(missing_ok=True)
        link.pin(str(partial))
        partial.replace(self.link)

    def exchange(self, other: Pins) -> None:
        """Both folders take each other's name, at once. OSError."""
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
        names = os.fsencode(self.directory), os.fsencode(other.directory)
        if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def remove(self) -> None:
        """Whatever is there, of this version or another; nothing may run by it any more. StateError."""
        # the link last: while it exists, the rest is known to be a leftover
        for pin in (*_entries(self.maps), self._partial_link, self.link):
            try:
                pin.unlink(missing_ok=True)
            except OSError as error:
                raise StateError(
                    f"{pin} cannot be removed: {error.strerror}", "remount it writable"
                ) from error
        for directory in (self.maps, self.directory):
            with suppress(OSError):
                directory.rmdir()

    @contextmanager
    def map(self, name: str) -> Iterator[libbpf.Map]:
        path = self.maps / name
        with refused(f"map {name} of the running scheduler"):
            try:
                check_ours(self.directory)
                found = libbpf.Map.from_pin(str(path))
            except FileNotFoundError:
                raise NotAttachedError(f"no scheduler of schedctl: {path} does not exist") from None
            try:
                yield found
            finally:
                found.close()

    def identity(self) -> Identity | None:
        """None where nothing is pinned, or by a version that did not note it."""
        try:
            with self.map("identity") as found:
                return Identity.decode(found.lookup())
        except NotAttachedError:
            return None

    def exit_record(self) -> ExitRecord | None:
        """None where nothing is pinned."""
        try:
            with self.map("exit_record") as record:
                return decode_exit_record(record.lookup())
        except NotAttachedError:
            return None


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []
