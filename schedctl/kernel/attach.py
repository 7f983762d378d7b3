# SPDX-License-Identifier: GPL-2.0-only
"""From an object's file to a scheduler that the kernel says runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from schedctl import paths
from schedctl.errors import ApplyError, HostError, StateError, VerificationError
from schedctl.image import abi
from schedctl.image.identity import Identity, identity_of
from schedctl.image.stats import ExitRecord
from schedctl.kernel import libbpf, sysfs
from schedctl.kernel.pins import SLOT_MAPS
from schedctl.kernel.rings import fill_rings
from schedctl.kernel.tables import TABLE_MAPS, read_table, refused, split, write_table
from schedctl.ownership import make_folder

# An attach under load waits for every thread to pass through the kernel's bypass mode.
SETTLE_S = 10.0
POLL_S = 0.02
LOG_LINES_SHOWN = 15


@contextmanager
def loaded(path: Path, shared: Mapping[str, libbpf.Map]) -> Iterator[tuple[libbpf.Object, Identity]]:
    """The object verified, its maps made, but for those that are given; nothing is attached.

    HostError without a good file, ApplyError with the verifier's last lines.
    """
    abi.check_object(path)
    identity = identity_of(path)
    with libbpf.MessageLog() as log:
        try:
            bpf = libbpf.Object(str(path))
        except OSError as error:
            raise HostError(f"{path}: {error.strerror}", "run `make build` or reinstall") from error
        try:
            _load(bpf, shared, log)
            with refused("the scheduler cannot be told which one it is"):
                bpf.map("identity").update(identity.encode())
            yield bpf, identity
        finally:
            bpf.close()


def _load(bpf: libbpf.Object, shared: Mapping[str, libbpf.Map], log: libbpf.MessageLog) -> None:
    try:
        for name, found in shared.items():
            bpf.reuse(name, found.fd)
        bpf.load()
    except OSError as error:
        where = _save_log(log.text)
        last = "\n".join(log.text.rstrip().splitlines()[-LOG_LINES_SHOWN:])
        raise ApplyError(
            f"the kernel refused the scheduler ({error.strerror}); the verifier's log is in {where}:\n{last}",
            "please report it with that file and `uname -r`",
        ) from error


def _save_log(text: str) -> Path:
    path = paths.state_dir() / "verifier.log"
    try:
        make_folder(path.parent)
        path.write_text(text)
    except OSError as error:
        raise StateError(
            f"the kernel refused the scheduler, and {path} cannot be written:"
            f" {error.strerror}\n{text[-2000:]}"
        ) from error
    return path


def preset(bpf: libbpf.Object, policy: bytes) -> None:
    """The policy, and room for events, are in place before the first thread asks for them."""
    with refused("there is no room for events"):
        fill_rings(bpf.map("events"))
    head, *tables = split(policy)
    slot, outers = bpf.map(SLOT_MAPS[0]), [bpf.map(name) for name in TABLE_MAPS]
    with refused("the policy cannot be written"):
        for name, outer, table in zip(TABLE_MAPS, outers, tables, strict=True):
            write_table(outer, 0, name, table)
        slot.update(head)
        sizes = map(len, tables)
        found = [read_table(outer, 0, size) for outer, size in zip(outers, sizes, strict=True)]
        if slot.lookup() + b"".join(found) != policy:
            raise VerificationError("the kernel holds another policy than was written")


def await_enabled(record_now: Callable[[], ExitRecord]) -> None:
    """Believes only the kernel's state; ApplyError with the reason where it has ended at once."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        record = record_now()
        if record.kind:
            raise ApplyError(f"the kernel ended the scheduler at once: {record.text}", "see `journalctl -k`")
        state = sysfs.read_state()
        if state.ours:
            return
        if time.monotonic() > deadline:
            raise ApplyError(
                f"the scheduler is not running {SETTLE_S:g} s after its attach:"
                f" state {state.state}, scheduler {state.ops or 'none'}",
                "see `journalctl -k`",
            )
        time.sleep(POLL_S)


def await_ended() -> None:
    deadline = time.monotonic() + SETTLE_S
    while sysfs.read_state().ours:
        if time.monotonic() > deadline:
            raise ApplyError(
                f"the scheduler still runs {SETTLE_S:g} s after its detach",
                "`echo S > /proc/sysrq-trigger` ends any sched_ext scheduler",
            )
        time.sleep(POLL_S)
