# SPDX-License-Identifier: GPL-2.0-only
"""Typical mistakes, and what a person reads: `bad/NAME.yaml` gives exactly `bad/NAME.txt`.

`python -m tests.profile.test_bad` writes the texts anew, for review.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from schedctl.errors import ProfileError, format_problem
from schedctl.image.compile import compile_image
from schedctl.profile import check_and_parse
from schedctl.profile.document import load_bytes
from schedctl.resolve.assignment import resolve

CASES = sorted((Path(__file__).parent / "bad").glob("*.yaml"))


def message(path: Path) -> str:
    """All problems of a bad profile as text; fails where it is accepted."""
    with pytest.raises(ProfileError) as caught:
        compile_image(resolve(check_and_parse(load_bytes(path.read_bytes(), path.name))))
    assert caught.value.exit_code == 65
    return "\n".join(map(format_problem, caught.value.problems)) + "\n"


@pytest.mark.parametrize("path", CASES, ids=lambda path: str(path.stem))
def test_bad_profile(path: Path) -> None:
    assert message(path) == path.with_suffix(".txt").read_text()


if __name__ == "__main__":
    for case in CASES:
        case.with_suffix(".txt").write_text(message(case))
