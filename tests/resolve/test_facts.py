# SPDX-License-Identifier: GPL-2.0-only
"""Facts of another machine, from a file; and back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from schedctl.cli.host import load_facts
from schedctl.errors import MissingError, ProfileError
from schedctl.resolve.facts import HostFacts
from tests.resolve.profiles import assignment

TWO_SOCKETS = Path(__file__).parent / "facts" / "two-socket.json"


def test_two_sockets() -> None:
    facts = load_facts(TWO_SOCKETS)
    assert (len(facts.cpus), facts.nodes, facts.llcs, facts.smt) == (32, (0, 1), (0, 4, 8, 12), True)
    assert [cpu.number for cpu in facts.cpus if cpu.isolated] == [14, 15, 30, 31]
    assert facts.kernel.hz == 1000
    assert facts.groups["audio"].members == (1000, 1001)


def test_the_round_trip() -> None:
    text = TWO_SOCKETS.read_text()
    document = load_facts(TWO_SOCKETS).to_document()
    assert document == json.loads(text)
    assert HostFacts.from_document(document).to_document() == document


def test_a_profile_resolves_for_that_machine() -> None:
    facts = load_facts(TWO_SOCKETS)
    text = "policy: {realtime_users: [active-seat, '@render']}\nclasses:\n  r: {match: [{user: render}]}\n"
    found = assignment(text, facts)
    assert found.realtime_uids == (990, 1000)
    assert [rule.item.uids for rule in found.rules if not rule.implicit] == [(990,)]
    assert found.problems == ()


def test_a_unit_that_is_nearly_one_of_that_machine() -> None:
    units = (
        *("ngnix.service", "[sshd.service, ssh.service]", "getty@tty1.service", "mine.service"),
        "systemd-resolved.service",
    )
    items = "".join(f"  c{i}: {{match: [{{unit: {unit}}}]}}\n" for i, unit in enumerate(units))
    facts = load_facts(TWO_SOCKETS)
    facts = replace(facts, units=(*facts.units, "systemd-bsod.service"))
    found = assignment(f"classes:\n{items}", facts).problems
    assert [(p.severity, p.message, p.hint) for p in found] == [
        ("warning", "this host has no unit 'ngnix.service'", "did you mean 'nginx.service'?")
    ]


def test_what_the_verb_printed_around_it_is_no_harm(tmp_path: Path) -> None:
    wrapped = tmp_path / "wrapped.json"
    wrapped.write_text(json.dumps({"schedctl_output": 1, "facts": json.loads(TWO_SOCKETS.read_text())}))
    assert load_facts(wrapped) == load_facts(TWO_SOCKETS)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schedctl_output": 1}', '{"schedctl_facts": 1, "cpus": [{}]}']
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(ProfileError) as caught:
        load_facts(file)
    assert caught.value.problems
    with pytest.raises(MissingError):
        load_facts(tmp_path / "absent.json")
