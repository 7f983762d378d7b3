# SPDX-License-Identifier: GPL-2.0-only
"""Hosts that lack something, and kernels that refuse: one sentence, the table's exit code, nothing lost."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from schedctl.kernel.libbpf import _SIGNATURES, LIBRARY
from tests.conftest import Guest

OBJECT = Path(__file__).resolve().parents[2] / "build" / "bpf" / "main.bpf.o"
INVALID_READ = struct.pack("<BBhi", 0x79, 0xA0, 8, 0)  # r0 = *(u64 *)(r10 + 8): outside of the stack
OLD, NEW = (
    f"schedctl: 1\nname: lab\nclasses: {{game: {{match: [{{comm: game}}], level: {level}}}}}\n"
    for level in (3, 5)
)


def section_offset(data: bytes, name: str) -> int:
    """Where a section of an ELF object begins in its file."""
    (table,) = struct.unpack_from("<Q", data, 40)
    entry, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, table + i * entry) for i in range(count)]
    strings = data[headers[names][4] :]
    return next(int(h[4]) for h in headers if strings[h[0] :].startswith(name.encode() + b"\0"))


def until(command: str) -> str:
    return f"timeout 60 sh -c 'until {command}; do sleep 0.2; done'"


def refused(guest: Guest, command: str, status: int, *sentences: str) -> None:
    """The verb says why, in words for people, and `sentences` are among them."""
    result = guest.run(command)
    assert result.status == status, result
    assert result.stdout == ""
    assert result.stderr.startswith("schedctl: error: ")
    assert "Traceback" not in result.stderr
    for sentence in sentences:
        assert sentence in result.stderr, result.stderr


@pytest.fixture
def guest(lab1: Guest) -> Guest:
    """OLD runs, and NEW waits to be applied."""
    lab1.apply(OLD)
    lab1.vm.put("/root/lab.yaml", NEW)
    return lab1


def level(guest: Guest) -> int:
    live = guest.schedctl("show", "--live")["image"]
    return int(live["classes"]["game"]["level"])


@pytest.mark.parametrize(
    ("hidden", "sentence"),
    [
        ("/sys/kernel/sched_ext", "this kernel has no sched_ext"),
        ("/sys/kernel/btf", "this kernel has no /sys/kernel/btf/vmlinux"),
    ],
)
def test_a_kernel_that_lacks_something(guest: Guest, hidden: str, sentence: str) -> None:
    guest.sh(f"mount -t tmpfs none {hidden}")
    try:
        refused(guest, "schedctl apply ./lab.yaml", 69, sentence, "hint: use ")
    finally:
        guest.sh(f"umount {hidden}")
    assert level(guest) == 3


def test_a_plain_user(guest: Guest) -> None:
    guest.sh("cp /root/lab.yaml /tmp/lab.yaml && chmod 644 /tmp/lab.yaml")
    plain = "cd /tmp && setpriv --reuid 1000 --clear-groups schedctl"
    for verb in ("apply ./lab.yaml", "detach"):
        refused(guest, f"{plain} {verb}", 77, "root", "hint: run it as root")
    assert guest.run(f"{plain} validate ./lab.yaml").status == 0
    assert "schedctl, attached" in guest.run(f"{plain} status").stdout
    assert level(guest) == 3


def test_a_full_disk(guest: Guest) -> None:
    guest.sh("mkdir -p /root/run && cp -a /run/schedctl/. /root/run")
    guest.sh("mount -t tmpfs -o size=16k none /run/schedctl")
    try:
        guest.sh("cp -a /root/run/. /run/schedctl; cat /dev/zero > /run/schedctl/fill 2> /dev/null; true")
        refused(guest, "schedctl apply ./lab.yaml", 73, "cannot write /run/schedctl/", "hint: make room")
        assert guest.status()["drift"] is False
    finally:
        guest.sh("umount /run/schedctl")
    assert level(guest) == 3


def put_broken(guest: Guest, folder: str) -> None:
    """An object that the verifier refuses."""
    data = OBJECT.read_bytes()
    start = section_offset(data, "struct_ops/schedctl_update_idle")
    guest.sh(f"mkdir -p {folder}")
    guest.vm.put(f"{folder}/main.bpf.o", data[:start] + INVALID_READ + data[start + len(INVALID_READ) :])


def test_a_verifier_that_refuses(lab1: Guest) -> None:
    lab1.sh("schedctl detach; rm -f /var/lib/schedctl/verifier.log")
    put_broken(lab1, "/root/broken")
    lab1.vm.put("/root/lab.yaml", NEW)
    refused(
        lab1,
        "SCHEDCTL_BPF_DIR=/root/broken schedctl apply ./lab.yaml",
        1,
        "the verifier's log is in /var/lib/schedctl/verifier.log",
        "invalid read from stack",
    )
    assert "invalid read from stack" in lab1.sh("cat /var/lib/schedctl/verifier.log")
    assert lab1.sh("cat /sys/kernel/sched_ext/state; ls /sys/fs/bpf") == "disabled\n"
    assert lab1.run("schedctl apply ./lab.yaml").status == 0


ASK = """
from schedctl.errors import HostError
from schedctl.kernel import libbpf
try:
    libbpf.library()
except HostError as error:
    print(error.message, error.hint)
"""


@pytest.mark.parametrize("names", [(), _SIGNATURES], ids=["no function", "version 1.3"])
def test_an_old_libbpf(tmp_path: Path, names: Iterable[str]) -> None:
    values = {"libbpf_major_version": 1, "libbpf_minor_version": 3}
    functions = [f"int {name}(void) {{ return {values.get(name, 0)}; }}\n" for name in names]
    (tmp_path / "old.c").write_text("".join(functions))
    subprocess.run(["gcc", "-shared", "-w", "-o", tmp_path / LIBRARY, tmp_path / "old.c"], check=True)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    said = subprocess.check_output([sys.executable, "-c", ASK], env=environment, text=True)
    assert "is too old" in said
    assert "install libbpf 1.4 or newer" in said
