# SPDX-License-Identifier: GPL-2.0-only
"""The shipped profiles: `profiles/NAME.yaml` gives `shipped/NAME.yaml` (cat) and `shipped/NAME.txt` (show).

For the host of `resolve/facts/two-socket.json`. `python -m tests.profile.test_shipped` writes both anew,
for review.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from schedctl.cli.host import load_facts
from schedctl.errors import ProfileError
from schedctl.image.abi import decode, encode
from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.paths import profile_dirs
from schedctl.profile import text
from schedctl.profile.document import Path_, format_path, load_document, load_text
from schedctl.profile.library import Directory, Library, Rank
from schedctl.profile.load import Loaded, Loader
from schedctl.quantity import format_duration, parse_period_ns
from schedctl.resolve.assignment import resolve
from tests.sched.programs import ROOT

PROFILES = sorted((ROOT / "profiles").glob("*.yaml"))
IDS = [path.stem for path in PROFILES]
GOLDEN = Path(__file__).parent / "shipped"
# Who sits there is in no group.
FACTS = replace(load_facts(ROOT / "tests" / "resolve" / "facts" / "two-socket.json"), active_seat=(1002,))
LOADER = Loader(Library((Directory(ROOT / "profiles", Rank.PACKAGE, checked=False),)))


def image(loaded: Loaded) -> PolicyImage:
    return compile_image(resolve(loaded.profile, FACTS))


def show(loaded: Loaded) -> str:
    return yaml.safe_dump(image(loaded).to_document(), sort_keys=False)


def cat(loaded: Loaded) -> str:
    return text.dump(text.with_defaults(loaded), origins=True).replace(f"{ROOT}/", "") + "\n"


@pytest.mark.parametrize("path", PROFILES, ids=IDS)
def test_golden(path: Path) -> None:
    loaded = LOADER.by_name(path.stem)
    assert show(loaded) == (GOLDEN / f"{path.stem}.txt").read_text()
    assert cat(loaded) == (GOLDEN / f"{path.stem}.yaml").read_text()
    assert decode(encode(image(loaded), 0, 1))[0] == image(loaded)
    assert PolicyImage.from_document(yaml.safe_load(show(loaded))) == image(loaded)


@pytest.mark.parametrize("path", PROFILES, ids=IDS)
def test_cat_reads_back_as_the_same(path: Path) -> None:
    loaded = LOADER.by_name(path.stem)
    again = LOADER.by_text(cat(loaded).encode(), path.name)
    assert image(again) == image(loaded)


def test_there_is_a_text_for_each() -> None:
    assert {"desktop", "gaming", "audio", "server", "build-server", "robot"} <= set(IDS)
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {path.stem for path in GOLDEN.glob("*.yaml")}
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(IDS)


@pytest.mark.parametrize("path", PROFILES, ids=IDS)
def test_each_says_what_it_is_for_and_what_it_costs(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# yaml-language-server: $schema=")
    assert [line for line in lines if line.startswith("# For: ")]
    assert [line for line in lines if line.startswith("# Costs: ")]
    assert not resolve(LOADER.by_name(path.stem).profile, FACTS).problems


def test_they_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    assert profile_dirs()[0] == ROOT / "profiles"


# --- no value is there for nothing ----------------------------------------------------------------


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*path, key))
    else:
        yield path


CASES = [
    (path, leaf)
    for path in PROFILES
    for leaf in leaves(load_document(path).value)
    if leaf not in [("schedctl",), ("name",)]
]
OTHER: dict[Any, Any] = {
    "edf": "fixed_priority",
    "fixed_priority": "edf",
    "fair": "background",
    "background": "fair",
    "10..19": "9..19",
    "throttle": "ignore",
    "demote": "ignore",
    "performance": "balanced",
    "auto": "60Hz",
}


def other(key: Any, value: Any) -> Any:
    """A value that means something else."""
    if value in OTHER:
        return OTHER[value]
    if isinstance(value, bool):
        return not value
    if key == "precedence":
        return -value
    if isinstance(value, int):
        return value + 1 if key == "max_level" else value - 1
    if key == "period":
        return format_duration(2 * parse_period_ns(value))
    if key in ("deadline", "runtime", "slice", "within", "decay"):
        return format_duration(parse_period_ns(value) * 3 // 4)
    if key in ("fair_share", "background_share"):
        return f"{Fraction(value.rstrip('%')) + 1}%"
    if key == "exe":
        return value + "x"
    return "z" + value[1:]


def changed(value: Any, leaf: Path_) -> Any:
    """The document with one value changed, or left out where there is no other."""
    found = copy.deepcopy(value)
    inner = found
    for key in leaf[:-1]:
        inner = inner[key]
    if any(name in ("extends", "realtime_users", "user", "exe_owner") for name in leaf):
        del inner[leaf[-1]]
    else:
        name = next(part for part in reversed(leaf) if isinstance(part, str))
        inner[leaf[-1]] = other(name, inner[leaf[-1]])
    return {key: item for key, item in found.items() if item != []}


@cache
def golden(path: Path) -> tuple[PolicyImage, str]:
    loaded = LOADER.by_name(path.stem)
    return image(loaded), cat(loaded)


@pytest.mark.parametrize(("path", "leaf"), CASES, ids=[f"{p.stem}:{format_path(leaf)}" for p, leaf in CASES])
def test_a_changed_value_changes_what_the_kernel_gets(path: Path, leaf: Path_) -> None:
    document = load_text(text.flow(changed(load_document(path).value, leaf)), path.name)
    try:
        mutant = LOADER.by_document(document, path.stem)
    except ProfileError as error:
        pytest.fail(f"the mutation is not a profile: {error}")
    policy, effective = golden(path)
    assert cat(mutant) != effective
    assert (image(mutant) == policy) == (leaf[-1] == "description")


if __name__ == "__main__":
    for name in IDS:
        (GOLDEN / f"{name}.txt").write_text(show(LOADER.by_name(name)))
        (GOLDEN / f"{name}.yaml").write_text(cat(LOADER.by_name(name)))
