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


def make_install(stage: Path, **variables: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    words = [f"{name}={value}" for name, value in {"DESTDIR": str(stage), **variables}.items()]
    subprocess.run(["make", "-s", "install", *words], cwd=ROOT, env=environment, check=True)


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
        "schedctl/**/*.py": "usr/lib/python3/dist-packages/schedctl",
        "profiles/*.yaml": "usr/lib/schedctl/profiles",
        "schemas/**/*.json": "usr/share/schedctl/schemas",
        "units/*.service": "usr/lib/systemd/system",
        "units/*.socket": "usr/lib/systemd/system",
        "units/*.catalog": "usr/lib/systemd/catalog",
        "build/texts/man/*.1": "usr/share/man/man1",
        "build/texts/man/*.5": "usr/share/man/man5",
        "build/texts/man/*.8": "usr/share/man/man8",
    }
    for pattern, place in places.items():
        top = pattern.split("/*")[0]
        expected |= {f"{place}/{path.relative_to(ROOT / top)}" for path in ROOT.glob(pattern)}
    expected |= {
        "usr/lib/python3/dist-packages/schedctl/py.typed",
        "usr/share/bash-completion/completions/schedctl",
        "usr/share/zsh/site-functions/_schedctl",
        "usr/share/fish/vendor_completions.d/schedctl.fish",
    }
    assert installed.keys() == expected


def test_installing_twice_changes_nothing(stage: Path) -> None:
    stale = stage / "usr/lib/python3/dist-packages/schedctl/gone.py"
    before = contents(stage)
    stale.touch()
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


def test_another_prefix_works_as_a_whole(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    make_install(Path(), DESTDIR="", PREFIX=str(prefix), SYSTEMDUNITDIR=str(tmp_path / "units"))
    unit = (tmp_path / "units/schedctld.service").read_text()
    assert f"ExecStart={prefix}/bin/schedctld\n" in unit
    # as the system's Python, which this test may not have the libraries of, sees it
    where = (
        "from schedctl import paths; print(paths.profile_dirs()[0], paths.schemas_dir(), paths.bpf_object())"
    )
    script = (prefix / "bin/schedctl").read_text().replace("from schedctl.cli.main import entry", where)
    environment = {"PATH": os.environ["PATH"]}
    command = ["/usr/bin/python3", "-c", script.replace("sys.exit(entry())", "")]
    said = subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True)
    share, lib = prefix / "share/schedctl", prefix / "lib/schedctl"
    assert said.stdout.split() == [f"{lib}/profiles", f"{share}/schemas", f"{lib}/bpf/main.bpf.o"]


def test_every_file_gets_the_time_of_the_source(tmp_path: Path) -> None:
    make_install(tmp_path, SOURCE_DATE_EPOCH="1700000000")
    assert {path.stat().st_mtime for path in tmp_path.rglob("*") if path.is_file()} == {1700000000}


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
