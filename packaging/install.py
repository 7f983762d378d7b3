# SPDX-License-Identifier: GPL-2.0-only
"""Copies what was built to where it is used. Only files and Python's standard library; no network.

With SOURCE_DATE_EPOCH every file gets that time, so that two trees of the same source are equal.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {"schedctl": "schedctl.cli.main", "schedctld": "schedctl.daemon.main"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things go, without DESTDIR."""

    prefix: Path
    python: Path
    units: Path
    zsh: Path


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to write: where, what, with which mode."""

    path: Path
    content: bytes
    mode: int = 0o644


def python_dir(prefix: Path) -> Path:
    """Where this Python looks for a distribution's packages under `prefix`."""
    scheme = "deb_system" if "deb_system" in sysconfig.get_scheme_names() else "posix_prefix"
    return Path(sysconfig.get_path("purelib", scheme, {"base": str(prefix), "platbase": str(prefix)}))


def command(layout: Layout, module: str) -> bytes:
    """The program that calls a module's entry(), by the Python that runs this."""
    lines = [f"#!{sys.executable}", "import sys", ""]
    if str(layout.python) not in sys.path:
        lines += [f'sys.path.insert(0, "{layout.python}")']
    lines += [f"from {module} import entry", "", "sys.exit(entry())", ""]
    return "\n".join(lines).encode()


def python_files(layout: Layout) -> Iterator[Entry]:
    for path in sorted((ROOT / "schedctl").rglob("*")):
        if path.suffix == ".py" or path.name == "py.typed":
            yield Entry(layout.python / path.relative_to(ROOT), path.read_bytes())
    for name, module in COMMANDS.items():
        yield Entry(layout.prefix / "bin" / name, command(layout, module), 0o755)


def _flat(folder: Path, pattern: str, target: Path) -> Iterator[Entry]:
    for path in sorted(folder.glob(pattern)):
        yield Entry(target / path.name, path.read_bytes())


def data_files(layout: Layout, bpf_object: Path, texts: Path) -> Iterator[Entry]:
    """Everything but Python."""
    lib, share = layout.prefix / "lib", layout.prefix / "share"
    yield Entry(lib / "schedctl/bpf" / bpf_object.name, bpf_object.read_bytes())
    yield from _flat(ROOT / "profiles", "*.yaml", lib / "schedctl/profiles")
    yield from _flat(ROOT / "schemas", "*.json", share / "schedctl/schemas")
    yield from _flat(ROOT / "schemas/output", "*.json", share / "schedctl/schemas/output")
    for kind in ("service", "socket", "path", "timer", "target"):
        for entry in _flat(ROOT / "units", f"*.{kind}", layout.units):
            unit = entry.content.replace(b"/usr/bin/", f"{layout.prefix}/bin/".encode())
            yield Entry(entry.path, unit)
    yield from _flat(ROOT / "units", "*.catalog", lib / "systemd/catalog")
    for kind in ("tmpfiles", "sysusers"):
        for path in sorted((ROOT / "units").glob(f"*.{kind}")):
            yield Entry(lib / f"{kind}.d" / f"{path.stem}.conf", path.read_bytes())
    for path in sorted((texts / "man").iterdir()):
        yield Entry(share / f"man/man{path.suffix[1:]}" / path.name, path.read_bytes())
    yield from _flat(texts / "completions", "schedctl", share / "bash-completion/completions")
    yield from _flat(texts / "completions", "_schedctl", layout.zsh)
    yield from _flat(texts / "completions", "schedctl.fish", share / "fish/vendor_completions.d")


def write(entry: Entry, destdir: str, epoch: str | None) -> None:
    target = Path(f"{destdir}{entry.path}")
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{target.name}.new")
    new.write_bytes(entry.content)
    new.chmod(entry.mode)
    if epoch:
        os.utime(new, (int(epoch), int(epoch)))
    new.rename(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("all", "data"), help="data: all but Python")
    for name in ("destdir", "prefix", "object", "texts", "pythondir", "systemdunitdir", "zshdir"):
        parser.add_argument(f"--{name}", default="")
    args = parser.parse_args()
    os.umask(0o022)
    prefix = Path(args.prefix)
    layout = Layout(
        prefix=prefix,
        python=Path(args.pythondir) if args.pythondir else python_dir(prefix),
        units=Path(args.systemdunitdir) if args.systemdunitdir else prefix / "lib/systemd/system",
        zsh=Path(args.zshdir) if args.zshdir else prefix / "share/zsh/site-functions",
    )
    entries = list(data_files(layout, Path(args.object), Path(args.texts)))
    if args.what == "all":
        shutil.rmtree(f"{args.destdir}{layout.python}/schedctl", ignore_errors=True)
        entries += python_files(layout)
    for entry in entries:
        write(entry, args.destdir, os.environ.get("SOURCE_DATE_EPOCH"))


main()
