# SPDX-License-Identifier: GPL-2.0-only
"""The folder of one boot in QEMU's chroot, and the tar of what that boot adds to the image."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _in_use(folder: Path) -> bool:
    """Whether the process that made it, or its QEMU, lives; without a lock that cannot be known."""
    try:
        lock = os.open(folder / "lock", os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


@contextmanager
def boot_folder(qemu: Path) -> Iterator[tuple[Path, int]]:
    """A new folder and its lock, which QEMU inherits; what killed runs left behind goes first."""
    parent = qemu / "lab"
    with (parent / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        for other in parent.glob("run-*"):
            if not _in_use(other):
                shutil.rmtree(other, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
        lock = os.open(folder / "lock", os.O_CREAT | os.O_WRONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder, lock
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _package_layer(image: Path) -> Path:
    """A tar of what installing the Debian package adds to the image."""
    command = [str(ROOT / "tests/lab/layer"), str(image)]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def write_additions(image: Path, folder: Path, copies: Sequence[Path]) -> None:
    """add.tar: the installed package, the lab's own choice, and `copies` in /root with their modes."""
    stage = folder / "stage"
    (stage / "root").mkdir(parents=True)
    stage.chmod(0o755)  # it becomes the guest's /
    (stage / "root").chmod(0o700)
    for copy in copies:
        shutil.copy2(copy, stage / "root" / copy.name)
    etc = stage / "etc"
    (etc / "schedctl").mkdir(parents=True)
    (etc / "schedctl" / "schedctl.yaml").write_text("profile: desktop\n")
    wants = etc / "systemd" / "system" / "multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "schedctld.service").symlink_to("/usr/lib/systemd/system/schedctld.service")
    additions = folder / "add.tar"
    shutil.copyfile(_package_layer(image), additions)
    tar = ["tar", "-C", str(stage), "--owner=0", "--group=0", "-rf", str(additions), "."]
    subprocess.run(tar, check=True)
    shutil.rmtree(stage)
