# SPDX-License-Identifier: GPL-2.0-only
"""Profiles: what is supplied, what is claimed, what is refused."""

from __future__ import annotations

import re
import time
from fractions import Fraction

import pytest

from schedctl.analysis import advice, domain
from schedctl.analysis.admission import admit, analyze_profile, profile_changes, profile_cpus
from schedctl.analysis.domain import domain_of, smallest_cache
from schedctl.analysis.model import Strength, Verdict
from schedctl.errors import AdmissionError, Problem
from schedctl.resolve.assignment import Assignment
from tests.analysis.profiles import FIXED, classes, host, profile
from tests.analysis.told import CASES, EQUALS, TWO, golden, of_case
from tests.sched.programs import ROOT

FITS = classes(**TWO)
NOISE = "  noise: {match: [{comm: noise}], level: 6}\n"
TOO_MUCH = FITS.replace("runtime: 5ms", "runtime: 20ms")


def verdicts(assignment: Assignment) -> dict[str, Verdict]:
    return {test.name: test.verdict for test in analyze_profile(assignment).result.tests}


@pytest.mark.parametrize("name", CASES)
def test_what_is_told_of_a_profile(name: str) -> None:
    assert of_case(name) == golden()[name], "python -m tests.analysis.told writes it anew"


def test_constants_are_those_of_the_scheduler() -> None:
    text = (ROOT / "bpf" / "sched_math.h").read_text() + (ROOT / "bpf" / "queue.bpf.c").read_text()
    defines = dict(re.findall(r"^#define (\w+) (.+)$", text, re.MULTILINE))

    def value(word: str) -> int:
        while names := re.findall(r"[A-Z_]{4,}", word):
            word = word.replace(names[0], f"({defines[names[0]]})")
        number: int = eval(word.replace("ULL", "").replace("/", "//"), {})
        return number

    for name in ("OWED_QUANTUM_NS", "MAX_WAIT_NS", "TICK_MAX_NS", "NR_CANDIDATES"):
        assert getattr(domain, name) == value(name), name


def test_the_supply() -> None:
    """Per tier: 1 ms owed, what grows in a tick of 4 ms, 0.25 ms until it is noticed."""
    supply = domain_of(profile("policy: {fair_share: 10%, background_share: 5%}\n" + FITS)).found.supply
    assert supply.rate == Fraction(85, 100)
    assert supply.delay_ns == Fraction(2 * 1_250_000 + 15 * 4_000_000 // 100) / Fraction(85, 100)


def test_the_smallest_cache_counts() -> None:
    assert smallest_cache(host(4, 2, 8)) == 2
    assert smallest_cache(host(1)) == 1
    assert smallest_cache(host()) == 1


def test_one_cpu_both_orders() -> None:
    for order in ("edf", "fixed_priority"):
        found = analyze_profile(profile(f"policy: {{order: {order}}}\n{FITS}"))
        assert found.verdict is Verdict.SCHEDULABLE
        decided = [test for test in found.result.tests if test.verdict is Verdict.SCHEDULABLE]
        assert all(test.strength is Strength.SUFFICIENT for test in decided)
        assert [task.name for task in decided[0].tasks] == ["motor", "video"]
    # 2 ms and 2 * 5 ms with a rate of 89 % and a delay of 3.3 ms
    motor, video = decided[0].tasks
    delay = Fraction(2_940_000) / Fraction(89, 100)
    assert motor.response_time_ns == -(-(2_000_000 / Fraction(89, 100) + delay) // 1)
    assert video.response_time_ns == -(-(12_000_000 / Fraction(89, 100) + delay) // 1)


def test_threads_multiply() -> None:
    assert len(domain_of(profile(FITS)).found.tasks) == 3
    more = FITS.replace("threads: 2", "threads: 9")
    assert verdicts(profile(more))["capacity"] is Verdict.NOT_SCHEDULABLE


def test_a_gap_alone_disproves_nothing() -> None:
    """3 ms of deadline are less than the gap; a whole CPU would do."""
    short = profile(classes(audio="level: 7, period: 3ms, runtime: 500us, threads: 1"))
    assert analyze_profile(short).verdict is Verdict.UNKNOWN
    assert verdicts(short)["whole_cpu"] is Verdict.UNKNOWN


def test_a_miss_on_a_whole_cpu_disproves() -> None:
    late = classes(
        one="level: 7, period: 20ms, deadline: 10ms, runtime: 6ms, threads: 1",
        two="level: 6, period: 20ms, deadline: 10ms, runtime: 6ms, threads: 1",
    )
    assert verdicts(profile(late))["whole_cpu"] is Verdict.NOT_SCHEDULABLE
    assert analyze_profile(profile(late, (1, 1))).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("late", "said"),
    [
        ("period: 1ms, runtime: 200us", "late could fit with a period of at least"),  # or 10 us each 1 ms
        ("period: 50ms, runtime: 50ms", "late could fit with a runtime of at most"),  # or 50 ms each 5 s
    ],
)
def test_what_the_language_refuses_is_not_proposed(late: str, said: str) -> None:
    """1 % of a CPU is left; there is no runtime below 100 us and no period above 3 s."""
    rest = "level: 5, period: 100ms, runtime: 88ms, threads: 1"
    found = profile_changes(domain_of(profile(classes(late=f"level: 6, {late}, threads: 1", rest=rest))))
    (text,) = (change.text for change in found.found if change.text.startswith("late"))
    assert text.startswith(said)


def test_no_period_is_proposed_that_is_shorter_than_its_deadline() -> None:
    free = classes(a="level: 6, period: 100ms, deadline: 40ms, runtime: 1ms, threads: 1")
    found = profile_changes(domain_of(profile(free))).found
    (text,) = (change.text for change in found if "period" in change.text)
    said = re.search(r"at least (\d+)us", text)
    assert said, text
    assert 40_000 <= int(said[1]) <= 40_080


def test_several_cpus() -> None:
    assert analyze_profile(profile(TOO_MUCH, (1,))).verdict is Verdict.NOT_SCHEDULABLE
    assert verdicts(profile(TOO_MUCH, (4,))) == {
        "capacity": Verdict.UNKNOWN,
        "bertogna_cirinei": Verdict.SCHEDULABLE,
    }
    # each of two caches has room for all, together they have more than enough
    assert analyze_profile(profile(TOO_MUCH, (4, 4))).verdict is Verdict.SCHEDULABLE
    assert analyze_profile(profile(TOO_MUCH, (16,))).verdict is Verdict.UNKNOWN
    # what is too much for the smallest cache is not too much for the machine
    assert analyze_profile(profile(TOO_MUCH, (1, 4))).verdict is Verdict.UNKNOWN


def test_silent_classes_leave_what_is_above_them() -> None:
    silent = FITS + NOISE
    found = analyze_profile(profile(silent))
    assert found.verdict is Verdict.UNKNOWN
    test = found.result.tests[-1]
    assert [task.name for task in test.tasks] == ["motor"]
    assert "proven: motor; not known for level 6 and below" in test.detail
    assert any("noise (no runtime, period, threads)" in text for text in found.result.assumptions)


def test_recovery_may_lift_a_silent_class() -> None:
    lifted = FITS + (
        "  noise: {match: [{comm: noise}], level: 1, boost: {max_level: 6,"
        " recovery: {after: 1, within: 1s, decay: 1s}}}\n"
    )
    assert domain_of(profile(lifted)).unproven_level == 6
    assert domain_of(profile(lifted.replace("max_level: 6", "max_level: 2"))).unproven_level == 2


RESOURCES = "resources: {r: {hold: {motor: 100us, video: 3ms}}}\n"


def test_resources_block() -> None:
    tasks = domain_of(profile(FITS + RESOURCES)).found.tasks
    assert [task.blocking_ns for task in tasks] == [3_000_000, 0, 0]
    higher = FITS.replace("level: 7", "level: 5").replace("motor:", "hand:", 1)
    assert domain_of(profile(higher)).found.tasks[0].blocking_ns == 0


@pytest.mark.parametrize("order", ["edf", "fixed_priority"])
def test_blocking_is_bounded_where_the_host_has_one_cpu(order: str) -> None:
    """One CPU per cache is no CPU alone: what a thread waits for may be held on another one."""
    text = f"policy: {{order: {order}}}\n{FITS}{RESOURCES}"
    assert analyze_profile(profile(text)).verdict is Verdict.SCHEDULABLE
    for caches in ((1, 1), (1, 4), (2,)):
        found = analyze_profile(profile(text, caches))
        assert found.verdict is Verdict.UNKNOWN
        assert found.result.tests[-1].detail == (
            "does not apply: motor has blocking, which is bounded for one CPU only"
        )
    # two threads of one class: equals that wait for each other
    alone = text.replace("motor: 100us, ", "")
    assert analyze_profile(profile(alone)).verdict is Verdict.SCHEDULABLE
    assert analyze_profile(profile(alone, (1, 1))).verdict is Verdict.UNKNOWN
    assert analyze_profile(profile(alone, (2,))).verdict is Verdict.UNKNOWN


def test_admission() -> None:
    assert admit(profile(FITS)) == ()
    (warning,) = admit(profile(TOO_MUCH))
    assert warning.severity == "warning"
    assert admit(profile("policy: {admission: off}\n" + TOO_MUCH)) == ()
    with pytest.raises(AdmissionError) as refused:
        admit(profile("policy: {admission: enforce}\n" + TOO_MUCH))
    assert refused.value.exit_code == 3
    said = refused.value
    assert warning == Problem("warning", "", 0, 0, "", said.message, said.hint)
    assert (said.hint or "").endswith("; 'admission: warn' applies it all the same")
    assert refused.value.message == (
        "profile a cannot meet its deadlines on one CPU: utilization 11/10 against 89/100,"
        " class video alone asks for 100 % of a CPU (test: capacity)"
    )


def test_the_suggested_change_is_accepted() -> None:
    text = "policy: {admission: enforce}\n" + TOO_MUCH
    with pytest.raises(AdmissionError) as refused:
        admit(profile(text))
    found = re.match(
        r"video would fit with a runtime of at most (\w+) instead of 20ms", refused.value.hint or ""
    )
    assert found, refused.value.hint
    assert admit(profile(text.replace("runtime: 20ms", f"runtime: {found[1]}"))) == ()


@pytest.mark.parametrize("caches", [(1,), (2,)])
def test_nothing_is_advised_that_silent_classes_undo(caches: tuple[int, ...]) -> None:
    """Noise is above video and may take all of any number of CPUs: no change makes that provable."""
    domains = [domain_of(profile(text, caches)) for text in (FITS, FITS + NOISE)]
    assert [bool(profile_changes(found).found) for found in domains] == [True, False]
    assert [[*profile_cpus(found)] for found in domains] == [
        [f"as it is, {caches[0] + 1} CPUs are provably enough"],
        [],
    ]
    # too much for any scheduler without the noise, too: what is not disproved then is only possible
    many = 4 * caches[0]
    options = profile_changes(
        domain_of(profile(TOO_MUCH.replace("threads: 2", f"threads: {many}") + NOISE, caches))
    )
    assert options.found
    assert not options.proven


def test_who_says_nothing_is_never_refused() -> None:
    silent = "policy: {admission: enforce}\n" + classes(game="level: 5")
    assert admit(profile(silent)) == (
        Problem(
            *("note", "", 0, 0, ""),
            "deadlines are not checked: no class with a level says runtime, period and threads",
        ),
    )
    half = "policy: {admission: enforce}\n" + FITS + "  game: {match: [{comm: game}], level: 7}\n"
    assert admit(profile(half)) == (
        Problem(
            *("note", "", 0, 0, ""),
            "it is not known whether all deadlines are met: `schedctl analyze` says what is missing",
        ),
    )
    assert admit(profile(classes(game="tier: fair"))) == ()


def test_a_large_profile_is_refused_in_bounded_time() -> None:
    """Six classes of fifty threads: to look for a change that fits would take minutes."""
    text = FIXED + classes(
        **{f"c{i}": f"level: {i + 1}, period: {20 + i}ms, runtime: 100us, threads: 50" for i in range(6)}
    )
    start = time.process_time()
    (warning,) = admit(profile(text))
    assert time.process_time() - start < 10  # 2 s on an idle machine
    assert warning.severity == "warning"


def test_a_search_that_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "_STEPS", 1)
    (warning,) = admit(profile(FIXED + classes(**EQUALS)))
    assert warning.hint == (
        "to look for a change that fits takes too long; 'admission: warn' applies it all the same"
    )


def test_a_change_that_is_only_possible() -> None:
    """1 ms of deadline are within the gaps: nothing proves it, but less work is not disproved any more."""
    text = classes(motor="level: 7, period: 1100us, deadline: 1ms, runtime: 200us, threads: 6")
    (warning,) = admit(profile(text))
    assert (warning.hint or "").startswith("motor could fit with ")
    assert [*profile_cpus(domain_of(profile(text)))] == ["as it is, fewer than 2 CPUs cannot be enough"]
    assert [*profile_cpus(domain_of(profile(text, (1, 1))))] == []
