# SPDX-License-Identifier: GPL-2.0-only
"""The load programs of tests/sched/load, compiled static for a guest that has no compiler."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPILE = ("gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-pthread")
SOURCES = Path(__file__).parent / "load"
PROGRAMS = ("actors", "classes", "crowd", "forks", "hostile", "jobs", "order", "policies", "share", "wake")


def build(name: str, folder: Path = SOURCES) -> Path:
    """Program NAME of a folder, compiled anew when a source is younger; raises CalledProcessError."""
    program = ROOT / "build" / "load" / name
    sources = [folder / f"{name}.c", *SOURCES.glob("*.h"), ROOT / "bpf" / "intf.h"]
    if program.exists() and all(s.stat().st_mtime < program.stat().st_mtime for s in sources):
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    partial = program.with_suffix(".new")
    subprocess.run(
        [*COMPILE, f"-I{ROOT / 'bpf'}", f"-I{SOURCES}", "-o", str(partial), str(sources[0])],
        check=True,
    )
    partial.rename(program)
    return program
