# SPDX-License-Identifier: GPL-2.0-only
"""Manual pages and completions say what the parser accepts."""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Iterator

import pytest

from schedctl.cli.main import command_parser
from schedctl.errors import SchedctlError
from tests.build.test_install import ROOT

TEXTS = ROOT / "build/texts"


def verbs() -> dict[str, argparse.ArgumentParser]:
    parser = command_parser()
    (subparsers,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(subparsers.choices)


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction) and action.help != argparse.SUPPRESS:
            yield from (word for word in action.option_strings if word.startswith("--"))


def page(name: str) -> str:
    return (TEXTS / "man" / name).read_text().replace(r"\-", "-")


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_has_a_page_with_its_options(verb: str) -> None:
    text = page(f"schedctl-{verb}.1")
    assert [word for word in options(verbs()[verb]) if word not in text] == []
    assert f"schedctl-{verb}(1)" in page("schedctl.1")


def test_no_page_is_left_of_a_verb_that_went() -> None:
    found = {path.name for path in (TEXTS / "man").glob("schedctl-*")}
    assert found == {f"schedctl-{verb}.1" for verb in verbs()}


def test_the_main_page_has_every_exit_code() -> None:
    text = page("schedctl.1")
    codes = {kind.exit_code for kind in SchedctlError.__subclasses__()}
    assert [code for code in codes if rf"\fB{code}\fP" not in text] == []


def test_the_page_of_the_language_has_every_key() -> None:
    keys = set(re.findall(r"^\| `([a-z_.]+)`", (ROOT / "docs/profile.md").read_text(), re.MULTILINE))
    text = page("schedctl.profile.5")
    assert len(keys) > 40
    assert [key for key in keys if key not in text] == []
    assert "docs/" not in re.sub(r"docs/limits.md", "", text)


def completed(*words: str) -> set[str]:
    """What bash offers for the last word."""
    script = """source "$0"; COMP_WORDS=(schedctl "$@"); COMP_CWORD=$#; COMP_LINE="schedctl $*"
        COMP_POINT=${#COMP_LINE}; _shtab_schedctl schedctl "${@: -1}" ""; printf '%s\\n' "${COMPREPLY[@]}\""""
    command = ["bash", "-c", script, str(TEXTS / "completions/schedctl"), *words]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT / "profiles")
    return {line.strip() for line in said.stdout.splitlines()}


def test_bash_completes_verbs_options_and_profiles() -> None:
    assert set(verbs()) <= completed("")
    for verb in verbs():
        assert set(options(verbs()[verb])) <= completed(verb, "--"), verb
    assert "desktop.yaml" in completed("apply", "desk")
    assert "desktop.yaml" in completed("validate", "--facts", "desk")
