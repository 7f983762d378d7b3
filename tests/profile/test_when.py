# SPDX-License-Identifier: GPL-2.0-only
"""Expressions on a host's facts: what they can say, and that they can do nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from schedctl.profile.when import MAX_CHARACTERS, KernelVersion, WhenError, evaluate
from tests.sched.programs import ROOT

FACTS = {
    "cpus": 8,
    "numa_nodes": 2,
    "smt": True,
    "kernel": KernelVersion("7.3.4+deb13-amd64"),
    "virt": "none",
    "hostname": "web01",
    "tags": ["web", "production"],
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cpus == 8", True),
        ("cpus != 8", False),
        ("cpus < 8 or cpus > 8", False),
        ("cpus <= 8 and cpus >= 8", True),
        ("4 <= cpus < 16", True),
        ("smt", True),
        ("not smt", False),
        ("not (smt and cpus < 4)", True),
        ("'web' in tags", True),
        ("'db' not in tags", True),
        ("hostname in ['web01', 'web02']", True),
        ("virt == 'none' and numa_nodes == 2", True),
        ("true", True),
        ("kernel >= '7.0'", True),
        ("kernel == '7.3'", True),
        ("kernel < '7.10'", True),
        ("kernel > '7.3'", False),
        ("kernel != '6.12.48'", True),
    ],
)
def test_what_it_says(expression: str, expected: bool) -> None:
    assert evaluate(expression, FACTS) is expected


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "not"),
        ("cpus", "is 8, neither true nor false"),
        ("hostname", "neither true nor false"),
        ("cpu > 2", "no fact is called 'cpu'"),
        ("hostname.upper() == 'WEB01'", "is not possible"),
        ("hostname.__class__ == ''", "a '.' is not possible"),
        ("tags[0] == 'web'", "is not possible"),
        ("tags | length > 1", "a filter is not possible"),
        ("cpus is defined", "'is' is not possible"),
        ("range(3) == 3", "a call is not possible"),
        ("cpus + 1 == 9", "is not possible"),
        ("'a' ~ 'b' == 'ab'", "is not possible"),
        ("smt if cpus else smt", "is not possible"),
        ("{'a': 1} == {}", "is not possible"),
        ("cpus == 8 }}{{ smt", "not one expression"),
        ("cpus == 8 %}", "not one expression"),
        ("cpus => 8", "not an expression"),
        ("cpus = 8", "not an expression"),
        ("(cpus == 8", "not an expression"),
        ("cpus > '8'", "'>' cannot compare a number with text"),
        ("kernel > 7", "a version in quotes"),
        ("cpus == 8" + " " * MAX_CHARACTERS, f"longer than {MAX_CHARACTERS}"),
        ("(" * 400 + "smt" + ")" * 400, ""),
    ],
)
def test_what_it_refuses(expression: str, said: str) -> None:
    with pytest.raises(WhenError) as caught:
        evaluate(expression, FACTS)
    assert said in str(caught.value)


def test_jinja_is_loaded_only_where_it_is_needed() -> None:
    code = (
        "import sys; from schedctl.profile.load import Loader\n"
        "def load(text): Loader(facts=lambda: {'cpus': 8}).by_text(text.encode(), 'x')\n"
        "load('schedctl: 1\\nname: x\\n'); assert 'jinja2' not in sys.modules\n"
        "load('schedctl: 1\\nname: x\\nwhen: cpus == 8\\n'); assert 'jinja2' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
