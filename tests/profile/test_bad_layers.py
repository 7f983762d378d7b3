# SPDX-License-Identifier: GPL-2.0-only
"""Typical mistakes between files, and what a person reads: `bad/layers/NAME.case` gives `NAME.txt`.

A case has the files of a machine, each below a line `=== PATH`, links as `=== PATH -> TARGET`; the profile
`a` is selected. `python -m tests.profile.test_bad_layers` writes the texts anew, for review.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from schedctl.cli.host import load_facts
from schedctl.errors import MissingError, ProfileError, format_problem
from schedctl.image.compile import compile_image
from schedctl.profile.library import Directory, Library, Rank
from schedctl.profile.load import Loader
from schedctl.profile.settings import load_settings
from schedctl.resolve.assignment import resolve
from tests.sched.programs import ROOT

CASES = sorted((Path(__file__).parent / "bad" / "layers").glob("*.case"))
FACTS = load_facts(ROOT / "tests" / "resolve" / "facts" / "two-socket.json")
DIRECTORIES = {
    Rank.PACKAGE: "usr/lib/schedctl/profiles",
    Rank.ADMINISTRATOR: "etc/schedctl/profiles",
    Rank.RUNTIME: "run/schedctl/profiles",
}


def unpack(case: str, root: Path) -> None:
    for part in case.split("=== ")[1:]:
        head, _, text = part.partition("\n")
        name, _, target = head.partition(" -> ")
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if target:
            path.symlink_to(target)
        else:
            path.write_text(text)


def load(root: Path) -> None:
    """What `schedctl apply a` does before it looks at the kernel."""
    load_settings(root / "etc/schedctl/schedctl.yaml", root)
    library = Library(tuple(Directory(root / path, rank) for rank, path in DIRECTORIES.items()), root)
    loaded = Loader(library, FACTS.for_when).by_name("a")
    compile_image(resolve(loaded.profile, FACTS))


def message(path: Path, root: Path) -> str:
    """All problems of a case as text; fails where it is accepted."""
    unpack(path.read_text(), root)
    with pytest.raises((ProfileError, MissingError)) as caught:
        load(root)
    error = caught.value
    lines = list(map(format_problem, error.problems)) or [f"error: {error.message}", f"hint: {error.hint}"]
    return "\n".join([*lines, f"exit {error.exit_code}"]).replace(str(root), "") + "\n"


@pytest.mark.parametrize("path", CASES, ids=lambda path: str(path.stem))
def test_bad_layers(path: Path, tmp_path: Path) -> None:
    assert message(path, tmp_path) == path.with_suffix(".txt").read_text()


if __name__ == "__main__":
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            case.with_suffix(".txt").write_text(message(case, Path(folder)))
