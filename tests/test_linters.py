# SPDX-License-Identifier: GPL-2.0-only
"""The linters, as tests: one runner reports everything. `make format` repairs what can be repaired."""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent

# House rule: about 400 lines per file and 50 per function.
MAX_FILE_LINES = 440
MAX_FUNCTION_LINES = 55
# Texts and data that are one thing however long.
LONG_FILES = ("LICENSE", "docs/", "schemas/", "README.md")


@functools.cache
def repository_files() -> tuple[Path, ...]:
    """Every file that is or would be committed, relative to the root."""
    try:
        listing = subprocess.run(
            f"git -c safe.directory={ROOT} ls-files -z --cached --others --exclude-standard".split(),
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    names = sorted({name for name in listing.split("\0") if name})
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


def files_named(*suffixes: str) -> list[Path]:
    return [path for path in repository_files() if path.suffix in suffixes]


@functools.cache
def text_of(path: Path) -> str:
    """A file's text; "" for a binary file."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return ""


def shell_scripts() -> list[Path]:
    shebang = re.compile(r"#!\s*/(usr/)?bin/(env )?(ba)?sh\b")
    return [path for path in repository_files() if shebang.match(text_of(path))]


def lint(hint: str, *command: str | Path) -> None:
    """Run one linter in the root; its output and the hint are the failure."""
    words = [str(word) for word in command]
    try:
        result = subprocess.run(
            words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except FileNotFoundError:
        pytest.fail(f"{words[0]} is not installed: run make build", pytrace=False)
    if result.returncode != 0:
        pytest.fail(f"{result.stdout.strip()}\nhint: {hint}", pytrace=False)


def fail_with(problems: list[str], hint: str) -> None:
    if problems:
        pytest.fail("\n".join([*problems, f"hint: {hint}"]), pytrace=False)


def test_ruff_check() -> None:
    lint("ruff check --fix repairs most of these: make format", TOOLS / "ruff", "check", "-q", ".")


def test_ruff_format() -> None:
    lint("make format", TOOLS / "ruff", "format", "-q", "--diff", ".")


def test_mypy() -> None:
    lint(
        "mypy --strict must pass; no untyped function, no bare Any", TOOLS / "mypy", "--strict", "--no-pretty"
    )


def test_clang_format() -> None:
    files = files_named(".c", ".h")
    if not files:
        pytest.skip("no C files")
    command = os.environ.get("CLANG_FORMAT", "clang-format-19")
    lint("make format", command, "--dry-run", "-Werror", *files)


def test_shellcheck() -> None:
    lint("https://www.shellcheck.net/wiki/ explains each SC number", "shellcheck", "-x", *shell_scripts())


def test_yamllint() -> None:
    files = files_named(".yaml", ".yml")
    if not files:
        pytest.skip("no YAML files")
    lint("the rules are in .yamllint", TOOLS / "yamllint", "--strict", "-f", "parsable", *files)


def long_functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines"


def test_sizes() -> None:
    problems = [
        f"{path}: {count} lines"
        for path in repository_files()
        if not str(path).startswith(LONG_FILES)
        and (count := text_of(path).count("\n")) > MAX_FILE_LINES
        and path.parts[:2] != ("tests", "golden")
    ]
    for path in files_named(".py"):
        problems.extend(long_functions(path))
    fail_with(problems, f"split: {MAX_FILE_LINES} lines per file, {MAX_FUNCTION_LINES} per function at most")


def test_license_lines() -> None:
    sources = {*files_named(".py", ".c", ".h", ".sh"), *shell_scripts()}
    problems = [
        f"{path}: no license line"
        for path in sorted(sources)
        if text_of(path) and "SPDX-License-Identifier: GPL-2.0-only" not in text_of(path)[:200]
    ]
    fail_with(problems, "begin the file with SPDX-License-Identifier: GPL-2.0-only in a comment")


def test_text_files_end_cleanly() -> None:
    problems = [
        f"{path}: trailing blanks or no newline at the end"
        for path in files_named(".py", ".c", ".h", ".md", ".yaml", ".json", ".service", ".toml", ".txt")
        if (text := text_of(path))
        and (not text.endswith("\n") or re.search(r"[ \t]+$", text, re.MULTILINE))
        and path.parts[:2] != ("docs", "results")
        and "bad" not in path.parts
    ]
    fail_with(problems, "make format, or remove them by hand")


def package_hosts() -> set[str]:
    """The hosts this machine takes its packages from, by apt's and pip's own configuration."""
    commands = (
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"],
        [str(TOOLS / "pip"), "config", "list"],
    )
    hosts: set[str] = set()
    for command in commands:
        try:
            output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        except FileNotFoundError:
            continue
        for address in re.findall(r"\bhttps?://[^\s'\"]+", output):
            hosts.add(urlsplit(address).hostname or "")
    return hosts - {"", "localhost", "127.0.0.1"}


def test_nothing_of_this_machine() -> None:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    paths = {str(path) for path in (ROOT, cache / "schedctl-lab") if len(path.parts) > 2}
    words = sorted(paths | package_hosts())
    pattern = re.compile(r"(?<![\w.-])(" + "|".join(map(re.escape, words)) + r")(?![\w-])")
    problems = [
        f"{path}:{text_of(path).count(chr(10), 0, found.start()) + 1}: {found[1]}"
        for path in repository_files()
        for found in pattern.finditer(text_of(path))
    ]
    fail_with(problems, "take paths from the environment and mirrors from apt's configuration, at run time")
