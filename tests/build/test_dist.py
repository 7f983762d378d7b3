# SPDX-License-Identifier: GPL-2.0-only
"""The version, and the tarball: the same bytes each time, installed without compiler and network."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from schedctl import __version__
from schedctl.image.abi import ABI_VERSION, TASK_LAYOUT
from schedctl.image.model import IMAGE_VERSION
from schedctl.inquiry import VERSION as STATUS_VERSION
from schedctl.plan_file import PLAN_VERSION
from schedctl.report import OUTPUT_VERSION
from schedctl.request import REQUEST_VERSION
from schedctl.resolve.facts import FACTS_VERSION
from tests.build.hours import first_hour
from tests.build.test_install import ROOT, contents, make_install

pytestmark = pytest.mark.xdist_group("install")


def dist(folder: Path) -> Path:
    made = subprocess.run(
        [ROOT / "packaging/dist", folder],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return Path(made.stdout.strip())


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dist(tmp_path_factory.mktemp("dist"))


def test_the_version_stands_in_one_place() -> None:
    command = ["git", "-c", f"safe.directory={ROOT}", "grep", "-lwF", __version__, "--", ":!docs"]
    places = set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.split())
    assert places == {"schedctl/__init__.py", "CHANGELOG.md"}, "take it from schedctl.__version__"
    newest = re.search(r"^## (\S+),", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__


def test_the_compatibility_page_has_the_versions_of_the_code() -> None:
    page = (ROOT / "docs/compatibility.md").read_text()
    rows = re.findall(r"^\|[^|]+\| .*?`(\w+):?`.*? \| (\d+) \|", page, re.MULTILINE)
    numbers = {name: int(number) for name, number in rows}
    schema = json.loads((ROOT / "schemas/profile.schema.json").read_text())
    assert numbers == {
        "schedctl": schema["properties"]["schedctl"]["const"],
        "schedctl_image": IMAGE_VERSION,
        "schedctl_plan": PLAN_VERSION,
        "schedctl_facts": FACTS_VERSION,
        "schedctl_output": OUTPUT_VERSION,
        "schedctl_request": REQUEST_VERSION,
        "schedctl_status": STATUS_VERSION,
        "abi_version": ABI_VERSION,
        "layout": TASK_LAYOUT,
    }


def test_the_tarball_is_reproducible(tarball: Path, tmp_path: Path) -> None:
    again = dist(tmp_path)
    assert again.name == tarball.name == f"schedctl-{__version__}.tar.gz"
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (tarball, again)]
    assert digests[0] == digests[1]
    with tarfile.open(tarball) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid, member.uname) for member in members} == {(0, 0, "")}
    assert len({member.mtime for member in members}) == 1
    assert not [member.name for member in members if member.mode & 0o022]


def test_the_first_hour_of_a_packager(tarball: Path, tmp_path: Path) -> None:
    """README's commands, without a network, a compiler or a virtual environment within reach."""
    (tmp_path / tarball.name).symlink_to(tarball)
    tools = tmp_path / "tools"
    tools.mkdir()
    tools_needed = "bash sh make tar gzip python3 find rm mkdir cat awk ls sed env"
    for name in tools_needed.split():
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to("/usr/bin/python3" if name == "python3" else found)
    offline = [] if os.getuid() else ["unshare", "--net"]
    commands = first_hour("packager")
    ran = subprocess.run(
        [
            *offline,
            "env",
            "-i",
            f"PATH={tools}",
            "PYTHONDONTWRITEBYTECODE=1",
            "bash",
            "-euxc",
            "\n".join(commands),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    made = contents(next(tmp_path.glob("*/pkg")))
    make_install(tmp_path / "from-checkout")
    assert made == contents(tmp_path / "from-checkout")
    assert ran.stdout.splitlines()[-1] == f"schedctl {__version__}"
    assert {path.stat().st_mtime for path in tmp_path.glob("*/pkg/**/*") if path.is_file()} == {1700000000}
