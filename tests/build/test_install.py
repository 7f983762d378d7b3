# SPDX-License-Identifier: GPL-2.0-only
"""`make install` as packages and the lab use it, and the host set-up's refusals."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST_PACKAGES = ROOT / "tests/build/host-packages"

pytestmark = pytest.mark.xdist_group("install")


def make_install(stage: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    subprocess.run(
        ["make", "-s", "install", f"DESTDIR={stage}", "PREFIX=/usr"], cwd=ROOT, env=environment, check=True
    )


def contents(stage: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(stage)): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in stage.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("stage")
    make_install(directory)
    return directory


def test_everything_has_its_place(stage: Path) -> None:
    installed = contents(stage)
    expected = {"usr/bin/schedctl", "usr/bin/schedctld", "usr/lib/schedctl/bpf/main.bpf.o"}
    places = {
        "schedctl/**/*.py": "usr/lib/python3/dist-packages",
        "profiles/*.yaml": "usr/lib/schedctl",
        "schemas/**/*.json": "usr/share/schedctl",
        "units/*.service": "usr/lib/systemd/system",
    }
    for pattern, place in places.items():
        for source in ROOT.glob(pattern):
            name = source.name if pattern.startswith("units") else str(source.relative_to(ROOT))
            expected.add(f"{place}/{name.removeprefix('units/')}")
    assert expected <= installed.keys()
    assert {name for name in installed if "__pycache__" in name} == set()


def test_installing_twice_changes_nothing(stage: Path) -> None:
    before = contents(stage)
    make_install(stage)
    assert contents(stage) == before


def test_commands_use_the_system_python(stage: Path) -> None:
    for name in ("schedctl", "schedctld"):
        mode, text = contents(stage)[f"usr/bin/{name}"]
        assert mode == 0o755
        assert text.startswith(b"#!/usr/bin/python3\n")
        compile(text, name, "exec")


def test_nothing_installed_names_the_checkout(stage: Path) -> None:
    named = [name for name, (_, data) in contents(stage).items() if str(ROOT).encode() in data]
    assert named == []


def host_packages(tmp_path: Path, listing: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "packages.txt"
    path.write_text(listing)
    return subprocess.run(
        [HOST_PACKAGES, path], env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_missing_packages_are_only_listed_with_no_install(tmp_path: Path) -> None:
    result = host_packages(tmp_path, "# a comment\nno-such-package cmd:no-such-command\n", NO_INSTALL="1")
    assert result.returncode == 69
    assert "no-such-package" in result.stderr
    assert "NO_INSTALL" in result.stderr


def test_nothing_missing_is_silent(tmp_path: Path) -> None:
    result = host_packages(tmp_path, "make cmd:make\ngit cmd:git\n", NO_INSTALL="1")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
