# SPDX-License-Identifier: GPL-2.0-only
"""The profiles, and the names in them: used in the guest and outside of it."""

FILE = "/etc/schedctl/profiles/edited.yaml"
PROBE = "probe"
LEVELS = (6, 2)

_EDITED = """schedctl: 1
name: edited
classes:
  probe: {{match: [{{comm: probe}}], level: {level}}}
  other: {{match: [{{comm: job-b}}], level: 3}}
"""

# Two policies that differ in all that a thread under way may notice; the probe is above the others in both.
_FLIPPED = """schedctl: 1
name: flips
policy: {{order: {order}}}
classes:
  probe: {{match: [{{comm: probe}}], level: {level}, deadline: {deadline}}}
  budget: {{match: [{{comm: budget}}], level: 4, period: {period}, runtime: 2ms, deadline: {period}}}
  hog: {{match: [{{comm: hog}}], tier: {tier}}}
"""
POLICIES = (
    _FLIPPED.format(order="edf", level=7, deadline="2ms", period="20ms", tier="fair"),
    _FLIPPED.format(order="fixed_priority", level=5, deadline="5ms", period="40ms", tier="background"),
)


def edited(level: int) -> str:
    return _EDITED.format(level=level)
