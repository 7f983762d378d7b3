# SPDX-License-Identifier: GPL-2.0-only
"""docs/profile.md: its tables are the schemas', its examples are accepted."""

from __future__ import annotations

import re
import textwrap

import pytest

from schedctl.profile import load_profile_bytes
from schedctl.profile.document import load_text
from schedctl.profile.schema import check_document
from tests.tables import PAGE, TABLES, page

BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
INDENTED = re.findall(r"(?<=\n\n)((?: {4}.*\n|\n)+)", PAGE.read_text())
CLASSES = [textwrap.dedent(block) for block in INDENTED if block.startswith("    classes:")]


def test_the_tables_are_up_to_date() -> None:
    assert page() == PAGE.read_text(), "run make docs-profile"
    assert set(re.findall(r"<!-- table: (\S+) -->", PAGE.read_text())) == set(TABLES)


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 2
    assert CLASSES


@pytest.mark.parametrize("block", [*BLOCKS, *CLASSES])
def test_an_example_is_accepted(block: str) -> None:
    if "schedctl: 1" in block:
        assert load_profile_bytes(block.encode(), "docs/profile.md").classes
    else:
        assert not check_document(load_text(block, "docs/profile.md"), "profile", "dropin")


def test_each_link_inside_the_page_leads_somewhere() -> None:
    text = PAGE.read_text()
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors
