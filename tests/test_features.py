# SPDX-License-Identifier: GPL-2.0-only
"""No key without a proof, and docs/features.md says what the tests prove."""

from __future__ import annotations

from tests.features import EXEMPT, ROOT, collected, collected_analysis, page, schema_keys


def test_every_key_has_a_proof() -> None:
    proven = {proof.knob for proof in collected()} | {proof.knob for proof in collected_analysis()}
    keys = {key for key in schema_keys() if not EXEMPT & set(key.split("."))}
    assert "classes.*.match.comm" in keys
    assert keys <= proven, keys - proven


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "features.md").read_text() == page(), "run make docs-features"
