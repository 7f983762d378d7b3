# SPDX-License-Identifier: GPL-2.0-only
"""Durations, rates and shares: exact, with their unit, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedctl.quantity import (
    format_duration,
    format_share,
    parse_duration_ns,
    parse_period_ns,
    parse_share,
    rounded_duration,
)

PARSERS: tuple[Callable[[str], object], ...] = (parse_duration_ns, parse_period_ns, parse_share)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0ns", 0),
        ("1ns", 1),
        ("400us", 400_000),
        ("2ms", 2_000_000),
        ("0.1ms", 100_000),
        ("2.5ms", 2_500_000),
        ("0.5s", 500_000_000),
        ("3s", 3_000_000_000),
        ("0.3us", 300),
        ("1.9ns", 1),
        ("007ms", 7_000_000),
    ],
)
def test_a_duration(text: str, ns: int) -> None:
    assert parse_duration_ns(text) == ns
    assert parse_period_ns(text) == ns


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("60Hz", 16_666_666),
        ("50Hz", 20_000_000),
        ("59.94Hz", 16_683_350),
        ("1kHz", 1_000_000),
        ("128/48kHz", 2_666_666),
        ("256/44.1kHz", 5_804_988),
        ("0.5Hz", 2_000_000_000),
    ],
)
def test_a_period_is_also_a_rate(text: str, ns: int) -> None:
    assert parse_period_ns(text) == ns
    with pytest.raises(ValueError):
        parse_duration_ns(text)


@pytest.mark.parametrize(
    ("text", "share"), [("10%", "1/10"), ("12.5%", "1/8"), ("0.1%", "1/1000"), ("100%", "1"), ("0%", "0")]
)
def test_a_share(text: str, share: str) -> None:
    assert parse_share(text) == Fraction(share)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "2", "ms", "%", "Hz", ".5ms", "5.ms", "2 ms", " 2ms", "2ms ", "2ms\n", "2MS", "2m", "2µs"],
        *["-2ms", "+2ms", "1e3ms", "1_000us", "0x10ms", "1,5ms", "inf%", "nan%", "10 %", "10%\n", "-1%"],
        *["0Hz", "0.0kHz", "1/0Hz", "/48kHz", "1/2/3Hz", "60hz", "60Hz\n", "60MHz", "2min", "1:30"],
        *["\u0663ms", "\u0663%", "\u0663Hz", "\uff19ms", "2\u20443Hz"],
        *["9" * 400 + unit for unit in ("s", "%", "Hz")],
        *["0." + "0" * 5000 + "1" + unit for unit in ("s", "%", "Hz")],
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_a_refusal(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@given(st.integers(0, 10**18))
def test_a_formatted_duration_is_the_duration(ns: int) -> None:
    text = format_duration(ns)
    assert parse_duration_ns(text) == parse_period_ns(text) == ns
    assert not text.removesuffix("ns").endswith("000"), "the largest unit that is exact"


@given(st.integers(0, 1000))
def test_a_formatted_share_is_the_share(permille: int) -> None:
    assert parse_share(format_share(Fraction(permille, 1000))) == Fraction(permille, 1000)


@given(st.integers(0, 10**9), st.integers(0, 999_999), st.sampled_from(["ns", "us", "ms", "s"]))
def test_a_duration_is_exact(whole: int, millionths: int, unit: str) -> None:
    unit_ns = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}[unit]
    ns = (whole * 10**6 + millionths) * unit_ns // 10**6
    assert parse_duration_ns(f"{whole}.{millionths:06}{unit}") == ns


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.sampled_from(["Hz", "kHz"]))
def test_a_rate_is_exact(samples: int, rate: int, unit: str) -> None:
    ns = parse_period_ns(f"{samples}/{rate}{unit}")
    hertz = rate * (1000 if unit == "kHz" else 1)
    assert ns * hertz <= samples * 10**9 < (ns + 1) * hertz


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.from_regex(r"[0-9./]{0,40}(ns|us|ms|s|Hz|kHz|%)?", fullmatch=True) | st.text())
def test_any_text_is_a_quantity_or_refused(parse: Callable[[str], object], text: str) -> None:
    try:
        value = parse(text)
    except ValueError:
        return
    assert isinstance(value, int | Fraction)
    assert value >= 0
    shown = format_share(value) if isinstance(value, Fraction) else format_duration(value)
    assert shown.isascii()


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0ns"),
        (999, "999ns"),
        (5000, "5us"),
        (999_700, "1000us"),
        (45_211_552, "45.2ms"),
        (3 * 10**12, "3000s"),
    ],
)
def test_a_duration_for_people(ns: int, text: str) -> None:
    assert rounded_duration(ns) == text
