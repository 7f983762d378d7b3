# SPDX-License-Identifier: GPL-2.0-only
"""The keys that act in the analysis: on one CPU with a rate of 89 % and gaps of 3.3 ms."""

from __future__ import annotations

from tests.proof import analysis_proof

HEAD = "policy: {admission: enforce}\n"
TWO = """classes:
  high: {match: [{comm: high}], level: 6, period: 100ms, deadline: 20ms, runtime: 5ms, threads: 1}
  low: {match: [{comm: low}], level: 2, period: 100ms, runtime: 30ms, threads: 1}
"""
MIDDLE = "  middle: {match: [{comm: middle}], level: 4, period: 100ms, runtime: 1ms, threads: 1}\n"
SHORT = MIDDLE.replace("runtime", "deadline: 20ms, runtime")


@analysis_proof(
    knob="policy.admission",
    on="enforce",
    off="warn",
    profile="policy: {admission: VALUE}\n" + TWO.replace("30ms", "95ms"),
)
def test_enforce_refuses(said: str) -> None:
    """A profile that is disproved is refused."""
    assert said.startswith("refused: ")


@analysis_proof(
    knob="classes.*.jitter", on="12ms", off="0ns", profile=HEAD + TWO.replace("20ms", "20ms, jitter: VALUE")
)
def test_jitter_uses_up_a_deadline(said: str) -> None:
    """A release that may be late leaves less of the deadline."""
    assert "not known" in said


@analysis_proof(
    knob="resources.*.hold.*",
    on="20ms",
    off="1ms",
    profile=HEAD + TWO + "resources: {r: {hold: {high: 1ms, low: VALUE}}}\n",
)
def test_a_long_section_blocks(said: str) -> None:
    """Who holds a resource delays who waits for it."""
    assert "not known" in said


@analysis_proof(
    knob="resources.*.inside",
    on="outer",
    off="null",
    profile=HEAD
    + TWO
    + MIDDLE
    + "resources:\n"
    + "  outer: {hold: {high: 1ms, middle: 1ms}}\n"
    + "  inner: {hold: {low: 20ms, middle: 1ms}, inside: VALUE}\n",
)
def test_a_resource_inside_another_blocks_those_that_wait_for_that(said: str) -> None:
    """Who waits for the outer resource waits for the holder of the inner one, too."""
    assert "not known" in said


@analysis_proof(
    knob="resources.*.ceiling",
    on="6",
    off="auto",
    profile=HEAD + TWO + SHORT + "resources: {r: {hold: {low: 20ms}, ceiling: VALUE}}\n",
)
def test_a_ceiling_lifts_over_those_that_never_wait(said: str) -> None:
    """A holder that is lifted delays whoever stands below the ceiling."""
    assert "not known" in said
