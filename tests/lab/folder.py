# SPDX-License-Identifier: GPL-2.0-only
"""The folder of one boot in QEMU's chroot, and the tar of what that boot adds to the image."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
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


def _remove(folder: Path, image: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for stage in image.parent.glob(f"image-*/rootfs/tmp/{folder.name}"):
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def boot_folder(image: Path, qemu: Path) -> Iterator[tuple[Path, int]]:
    """A new folder and its lock, which QEMU inherits; what killed runs left behind goes first."""
    parent = qemu / "lab"
    with (parent / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        for other in parent.glob("run-*"):
            if not _in_use(other):
                _remove(other, image)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
        lock = os.open(folder / "lock", os.O_CREAT | os.O_WRONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder, lock
    finally:
        _remove(folder, image)
        os.close(lock)


def _install_project(image: Path, stage: Path) -> None:
    """What `make install` gives, byte-compiled by the guest's Python, and the lab's own choice."""
    make = ["make", "-s", "-C", str(ROOT), "install", f"DESTDIR={stage}", "PREFIX=/usr"]
    subprocess.run(make, check=True, stdout=sys.stderr)
    etc = stage / "etc"
    (etc / "schedctl").mkdir(parents=True)
    (etc / "schedctl" / "schedctl.yaml").write_text("profile: desktop\n")
    wants = etc / "systemd" / "system" / "multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "schedctld.service").symlink_to("/usr/lib/systemd/system/schedctld.service")
    inside = f"/tmp/{stage.name}"
    compile_all = ["python3", "-m", "compileall", "-qq", "-s", inside, "-p", "/", inside]
    subprocess.run(["chroot", str(image / "rootfs"), *compile_all], check=True, stdout=sys.stderr)


def write_additions(image: Path, folder: Path, copies: Sequence[Path]) -> None:
    """add.tar: the project, and `copies` in /root with their modes."""
    stage = image / "rootfs" / "tmp" / folder.name
    stage.mkdir()
    stage.chmod(0o755)  # it becomes the guest's /
    _install_project(image, stage)
    (stage / "root").mkdir(mode=0o700, exist_ok=True)
    for copy in copies:
        shutil.copy2(copy, stage / "root" / copy.name)
    tar = ["tar", "-C", str(stage), "--owner=0", "--group=0", "-cf", str(folder / "add.tar"), "."]
    subprocess.run(tar, check=True)
    shutil.rmtree(stage)
