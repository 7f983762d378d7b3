# SPDX-License-Identifier: GPL-2.0-only
"""The Debian package: what it holds, and what stays attached when it comes, is upgraded and goes."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.test_install import ROOT, contents, make_install
from tests.conftest import Guest
from tests.kernel.faulty import BUILT, INSTALLED

SITE = "usr/lib/python3/dist-packages"
WANTS = "/etc/systemd/system/multi-user.target.wants/schedctld.service"
# Byte-compiling takes the emulator half a minute: what the host compiled comes back, but the changed file.
COMPILE = f"""#!/bin/sh
tar -C / -xf /root/pycache.tar
rm -f /{SITE}/schedctl/__pycache__/__init__.*
"""
DPKG = "PATH=/root/stub:$PATH DEBIAN_FRONTEND=noninteractive dpkg"
# Of the policy, over an upgrade that swaps the scheduler.
KEPT = ("profile", "generation", "drift")
STATE = """
echo state=$(cat /sys/kernel/sched_ext/state)
echo ops=$(cat /sys/kernel/sched_ext/root/ops 2> /dev/null)
echo enable_seq=$(cat /sys/kernel/sched_ext/enable_seq)
echo pins=$(ls /sys/fs/bpf/schedctl 2> /dev/null)
echo active=$(systemctl is-active schedctld)
echo enabled=$(systemctl is-enabled schedctld 2> /dev/null)
echo pid=$(systemctl show -P MainPID schedctld)
echo files=$(ls -d /var/lib/schedctl /run/schedctl /etc/schedctl/schedctl.yaml \
    /etc/schedctl/profiles/mine.yaml 2> /dev/null)
echo usr=$(find /usr -path '*schedctl*')
"""


def build(kind: str) -> Path:
    command = [str(ROOT / "packaging/deb"), kind]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def without_gzip(files: dict[str, tuple[int, bytes]]) -> dict[str, tuple[int, bytes]]:
    return {
        name.removesuffix(".gz"): (mode, gzip.decompress(data) if name.endswith(".gz") else data)
        for name, (mode, data) in files.items()
    }


@pytest.mark.lab
@pytest.mark.xdist_group("package")
def test_the_package_is_what_make_install_gives(tmp_path: Path) -> None:
    """Compiled in the chroot, and accepted by lintian there, or there would be no package."""
    subprocess.run(["dpkg-deb", "-x", build("release"), tmp_path / "deb"], check=True)
    packaged = without_gzip(contents(tmp_path / "deb"))
    make_install(tmp_path / "own", ZSHDIR="/usr/share/zsh/vendor-completions")
    own = contents(tmp_path / "own")
    more = packaged.keys() - own.keys()
    assert all(
        re.match(rf"usr/share/(doc|lintian)/|{SITE}/schedctl-[\d.]+\.dist-info/", name) for name in more
    )
    commands = {"usr/bin/schedctl", "usr/bin/schedctld"}  # pybuild writes its own
    assert [name for name in own.keys() - commands if packaged.get(name) != own[name]] == []
    assert all(re.match(rb"#! ?/usr/bin/python3\n", packaged[name][1]) for name in commands)


def test_every_override_says_why() -> None:
    for path in (ROOT / "packaging/debian").rglob("*lintian-overrides"):
        for block in re.findall(r"(?:^#.*\n)*(?:^[^#\n].*\n)+", path.read_text(), re.MULTILINE):
            assert block.startswith("# "), f"{path.name}: {block}"


@pytest.mark.parametrize(("script", "word"), [("prerm", "remove"), ("postrm", "purge")])
@pytest.mark.parametrize("left", [("schedctl",), ("schedctl-next",), ("schedctl", "schedctl-next"), ()])
def test_no_pin_stays_where_schedctl_cannot_run(
    tmp_path: Path, script: str, word: str, left: tuple[str, ...]
) -> None:
    """Also those of a swap that was interrupted. On a root folder of its own."""
    text = (ROOT / f"packaging/debian/schedctl.{script}").read_text()
    (tmp_path / script).write_text(re.sub(r"(?<!\w)/(?=(?:etc|run|sys|usr|var)/)", f"{tmp_path}/", text))
    for name in ("schedctl", "deb-systemd-invoke"):
        stub = tmp_path / "bin" / name
        stub.parent.mkdir(exist_ok=True)
        stub.write_text(f"#!/bin/sh\necho $0 $* >> {tmp_path}/called\nexit 1\n")
        stub.chmod(0o755)
    bpffs = tmp_path / "sys/fs/bpf"
    bpffs.mkdir(parents=True)
    for name in left:
        (bpffs / name / "maps").mkdir(parents=True)
        (bpffs / name / "link").touch()
    environment = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    subprocess.run(["sh", tmp_path / script, word], check=True, env=environment)
    assert list(bpffs.iterdir()) == []
    called = (tmp_path / "called").read_text() if (tmp_path / "called").exists() else ""
    assert ("schedctl detach" in called) is (script == "prerm" and left != ())


def repacked(deb: Path, folder: Path, version: str) -> Path:
    """A higher version, whose program says so, with another scheduler: an upgrade without a second build."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    shutil.copy(BUILT / "other" / "main.bpf.o", tree / INSTALLED.lstrip("/"))
    for path, pattern in (
        (tree / "DEBIAN/control", r"(?<=^Version: )\S+"),
        (tree / SITE / "schedctl/__init__.py", r"\d+\.\d+\.\d+"),
    ):
        path.write_text(re.sub(pattern, version, path.read_text(), flags=re.MULTILINE))
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, folder],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return next(folder.glob("*.deb"))


def look(guest: Guest) -> dict[str, str]:
    return dict(line.split("=", 1) for line in guest.sh(STATE).splitlines())


@pytest.fixture
def machine(lab: Guest, tmp_path: Path) -> Iterator[Guest]:
    """With an older and a newer package in /root; afterwards installed as before."""
    older = build("lab")
    lab.vm.put("/root/older.deb", older)
    lab.vm.put("/root/newer.deb", repacked(older, tmp_path, "9.9.9"))
    lab.vm.put("/root/stub/py3compile", COMPILE, 0o755)
    lab.sh(f"cd / && tar -cf /root/pycache.tar $(find {SITE}/schedctl -name __pycache__)")
    lab.sh(f"rm {WANTS}; systemctl daemon-reload")
    yield lab
    lab.sh(f"{DPKG} -i /root/older.deb && ln -s /usr/lib/systemd/system/schedctld.service {WANTS}")


def attached(guest: Guest) -> dict[str, str]:
    deadline = time.monotonic() + 120
    while look(guest)["state"] != "enabled" and time.monotonic() < deadline:
        time.sleep(0.5)
    return look(guest)


def test_install_upgrade_remove_purge(machine: Guest) -> None:
    machine.sh("mkdir -p /etc/schedctl/profiles")
    machine.sh("cp /usr/lib/schedctl/profiles/audio.yaml /etc/schedctl/profiles/mine.yaml")
    machine.sh("systemctl start schedctld")
    running, before = attached(machine), machine.status()
    assert running["ops"] == "schedctl"

    machine.sh(f"{DPKG} -i /root/newer.deb", 300)
    upgraded = look(machine)
    assert machine.sh("schedctl --version").strip() == "schedctl 9.9.9"
    assert (upgraded["state"], int(upgraded["enable_seq"])) == ("enabled", int(running["enable_seq"]) + 1)
    assert [machine.status()[key] for key in KEPT] == [before[key] for key in KEPT]
    assert "the scheduler was replaced by the installed one" in machine.sh("journalctl -u schedctld -o cat")
    assert upgraded["active"] == "active"
    assert upgraded["pid"] != running["pid"]
    assert machine.run("schedctl status").status == 0

    machine.sh(f"{DPKG} -r schedctl", 300)
    removed = look(machine)
    assert (removed["state"], removed["pins"], removed["active"]) == ("disabled", "", "inactive")
    left = ["/etc/schedctl/profiles/mine.yaml", "/etc/schedctl/schedctl.yaml"]
    assert {*left, "/var/lib/schedctl"} <= set(removed["files"].split())
    assert removed["usr"] == ""

    machine.sh(f"{DPKG} -P schedctl", 300)
    assert look(machine)["files"] == "/etc/schedctl/profiles/mine.yaml"

    machine.sh("rm -r /etc/schedctl")
    machine.sh(f"{DPKG} -i /root/older.deb", 300)
    fresh = look(machine)
    assert (fresh["state"], fresh["pins"]) == ("disabled", "")
    assert (fresh["active"], fresh["enabled"]) == ("inactive", "disabled")
    assert machine.sh("find /etc -name '*schedctl*' ! -path '*/schedctld.service.d*'") == ""
    assert machine.run("schedctl status").status == 0
