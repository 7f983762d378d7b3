# SPDX-License-Identifier: GPL-2.0-only
"""The shipped profiles, and what the kernel would hold: `profiles/NAME.yaml` gives `shipped/NAME.txt`.

`python -m tests.profile.test_shipped` writes the texts anew, for review.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from schedctl.image.abi import decode, encode
from schedctl.image.model import PolicyImage
from schedctl.paths import profile_dirs
from schedctl.profile import load_profile
from schedctl.reconcile import desired_image
from tests.sched.programs import ROOT

PROFILES = sorted((ROOT / "profiles").glob("*.yaml"))
GOLDEN = Path(__file__).parent / "shipped"


def document(path: Path) -> str:
    """The image document of a profile, as `schedctl show` gives it."""
    return yaml.safe_dump(desired_image(load_profile(path)).to_document(), sort_keys=False)


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: str(path.stem))
def test_shipped_profile(path: Path) -> None:
    assert document(path) == (GOLDEN / f"{path.stem}.txt").read_text()
    image = desired_image(load_profile(path))
    assert decode(encode(image, 0, 1))[0] == image
    assert PolicyImage.from_document(yaml.safe_load(document(path))) == image


def test_there_is_a_text_for_each() -> None:
    assert PROFILES
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {path.stem for path in PROFILES}


def test_they_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    assert profile_dirs()[0] == ROOT / "profiles"


if __name__ == "__main__":
    for profile in PROFILES:
        (GOLDEN / f"{profile.stem}.txt").write_text(document(profile))
