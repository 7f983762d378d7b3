# SPDX-License-Identifier: GPL-2.0-only
"""The proofs of a feature, mechanically: a knob, a test that fails without it, a counter, an off state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from schedctl.analysis.admission import admit
from schedctl.errors import AdmissionError
from tests.analysis.profiles import profile as one_cpu
from tests.conftest import Guest

Body = Callable[[Guest], None]
Setup = Callable[[Guest, str], None]


@dataclass(frozen=True, slots=True)
class Proof:
    feature: str  # the body's docstring
    knob: str  # a key of the profile as a path, * for any class; or what else is turned
    on: str
    off: str
    counter: str  # a path into `schedctl status --json`
    test: str


PROOFS: list[Proof] = []


def proof(
    *,
    knob: str,
    on: str,
    off: str,
    counter: str,
    profile: str = "",
    setup: Setup | None = None,
    machine: str = "lab1",
    residue: Fraction = Fraction(0),
) -> Callable[[Body], Callable[[pytest.FixtureRequest], None]]:
    """Run the body with the knob on, where it must pass, and off, where it must fail.

    `profile` is a template with VALUE in the knob's place; `setup` turns another kind of knob. The
    counter must rise with the knob on, and off by at most `residue` of that: nothing, unless the off
    state is a small value of the same knob.
    """

    def apply_value(guest: Guest, value: str) -> None:
        assert guest.apply(profile.replace("VALUE", value))["changed"]

    turn = setup or apply_value

    def decorate(body: Body) -> Callable[[pytest.FixtureRequest], None]:
        PROOFS.append(Proof((body.__doc__ or "").strip(), knob, on, off, counter, body.__name__))

        @pytest.mark.usefixtures(machine)
        def test(request: pytest.FixtureRequest) -> None:
            guest: Guest = request.getfixturevalue(machine)
            risen = _trial(guest, turn, on, counter, body)
            assert risen > 0, f"{counter} does not move with {knob} = {on}"
            try:
                stayed = _trial(guest, turn, off, counter, body, must_fail=True)
                if stayed > risen * residue:  # now and then by a thread that is not the test's
                    turn(guest, on)
                    stayed = _trial(guest, turn, off, counter, body, must_fail=True)
            except _PassedError:
                pytest.fail(f"passes with {knob} = {off} too: it proves nothing")
            assert stayed <= risen * residue, f"{counter}: {stayed} off, {risen} on"

        test.__name__, test.__doc__, test.__module__ = body.__name__, body.__doc__, body.__module__
        return test

    return decorate


class _PassedError(Exception):
    """The body passed with the knob off."""


def _trial(guest: Guest, turn: Setup, value: str, counter: str, body: Body, must_fail: bool = False) -> int:
    turn(guest, value)
    # a change of the profile has just set the classes' counters to zero
    before = 0 if counter.startswith("classes.") else _count(guest.status(), counter)
    try:
        body(guest)
    except AssertionError:
        if not must_fail:
            raise
    else:
        if must_fail:
            raise _PassedError
    return _count(guest.status(), counter) - before


def _count(status: dict[str, Any], path: str) -> int:
    found: Any = status
    for part in path.split("."):
        found = found[int(part)] if isinstance(found, list) else found.get(part, 0)
    return int(found or 0)


@dataclass(frozen=True, slots=True)
class AnalysisProof:
    """Of a key that acts before anything is applied, and in the kernel never: no counter, no machine."""

    feature: str
    knob: str
    on: str
    off: str
    test: str


ANALYSIS_PROOFS: list[AnalysisProof] = []


def analysis_proof(
    *, knob: str, on: str, off: str, profile: str
) -> Callable[[Callable[[str], None]], Callable[[], None]]:
    """Run the body with what `plan` says of the profile: it passes with the knob on, and must fail off."""

    def decorate(body: Callable[[str], None]) -> Callable[[], None]:
        feature = (body.__doc__ or "").strip()
        ANALYSIS_PROOFS.append(AnalysisProof(feature, knob, on, off, body.__name__))

        def test() -> None:
            body(said_of(profile.replace("VALUE", on)))
            with pytest.raises(AssertionError):
                body(said_of(profile.replace("VALUE", off)))

        test.__name__, test.__doc__, test.__module__ = body.__name__, body.__doc__, body.__module__
        return test

    return decorate


def said_of(text: str) -> str:
    """ "refused: …", "warning: …", "note: …" or "" for one CPU."""
    try:
        return "".join(f"{problem.severity}: {problem.message}" for problem in admit(one_cpu(text)))
    except AdmissionError as error:
        return f"refused: {error.message}"
