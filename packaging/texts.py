# SPDX-License-Identifier: GPL-2.0-only
"""Manual pages and completions, from the parser of the command line and from docs/profile.md.

No verb is listed here. Pages of verbs: argparse-manpage; other pages: go-md2man; completions: shtab.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import shtab
from argparse_manpage.manpage import Manpage

from schedctl import __version__
from schedctl.cli.main import command_parser
from schedctl.errors import EXIT_OK, EXIT_PENDING, EXIT_STATUS_DIFFERS, EXIT_UNKNOWN, SchedctlError

ROOT = Path(__file__).resolve().parent.parent
MANUAL = "schedctl"
RESULTS = {
    EXIT_OK: "Done, or nothing to change.",
    EXIT_PENDING: "Only plan and apply --check: changes are pending.",
    EXIT_STATUS_DIFFERS: "Of status: the kernel runs something else than what was selected.",
    EXIT_UNKNOWN: "Of analyze: neither proven nor disproven.",
}
NAMES = (
    "for d in /run /etc /usr/lib; do ls $d/schedctl/profiles 2> /dev/null; done"
    " | sed -n 's/[.]yaml$//p' | sort -u"
)
# A profile by name, or a file.
PROFILE = {
    "bash": "_schedctl_profiles",
    "zsh": "_schedctl_profiles",
    "fish": "(__schedctl_profiles)",
}
PREAMBLE = {
    "bash": f"""_schedctl_profiles() {{
  compgen -W "$({NAMES})" -- "$1"
  compgen -f -- "$1"
}}""",
    "zsh": f"""_schedctl_profiles() {{
  local -a names
  names=(${{(f)"$({NAMES})"}})
  _alternative "profiles:profile:compadd -a names" 'files:file:_files'
}}""",
    "fish": f"""function __schedctl_profiles
  sh -c "{NAMES.replace("$", chr(92) + "$")}"
  __fish_complete_path (commandline -ct)
end""",
}


def release_date() -> date:
    """Of the newest entry in CHANGELOG.md, which is the one of this version."""
    text = (ROOT / "CHANGELOG.md").read_text()
    found = re.search(r"^## (\S+), (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)
    if found is None or found[1] != __version__:
        sys.exit(f"CHANGELOG.md does not begin with '## {__version__}, YYYY-MM-DD'")
    return date.fromisoformat(found[2])


def verbs_of(parser: argparse.ArgumentParser) -> dict[str, tuple[argparse.ArgumentParser, str]]:
    """Each verb's parser, and what the list of verbs says of it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            about = {choice.dest: choice.help or "" for choice in action._choices_actions}
            return {name: (child, about[name]) for name, child in action.choices.items()}
    raise AssertionError("the parser has no verbs")


def exit_codes() -> dict[int, str]:
    """What each exit code means; of errors from the classes' own words."""
    codes = {code: [words] for code, words in RESULTS.items()}
    for kind in SchedctlError.__subclasses__():
        words = (kind.__doc__ or "The command line is not understood.").strip().splitlines()[0]
        codes.setdefault(kind.exit_code, []).append(words)
    return {code: " Or: ".join(codes[code]) for code in sorted(codes)}


def verb_page(name: str, parser: argparse.ArgumentParser, about: str) -> str:
    parser.prog = f"schedctl {name}"
    parser.description = f"{about[:1].upper()}{about[1:]}.".replace("?.", "?").replace("…..", "….")
    page = Manpage(parser)
    page.synopsis = parser.format_usage().split(":", 1)[-1].split()
    page.synopsis = [page.prog, *page.synopsis[2:]]
    page.prog, page.source, page.manual = f"schedctl-{name}", f"schedctl {__version__}", MANUAL
    page.date, page.description = str(release_date()), about
    page.add_section("exit status", "=", "0 where all is as wished; schedctl(1) has the table of the others.")
    others = "schedctl(1), schedctl.profile(5), schedctld(8)"
    page.add_section("see also", "=", others.replace("-", r"\-"))
    return str(page).replace("…", r"\&...")


def table_as_list(table: list[str]) -> list[str]:
    """A table is too wide for a terminal: its first column becomes terms, the others their explanation."""
    head, _, *rows = [[cell.strip() for cell in line.strip("|\n ").split(" | ")] for line in table]
    lines: list[str] = []
    for first, *cells in rows:
        told = dict(zip(head[1:], cells, strict=True))
        meaning = told.pop("meaning", "")
        rest = "; ".join(f"{title}: {cell}" for title, cell in told.items() if cell not in ("-", ""))
        lines += [first, f": {meaning} ({rest})" if meaning else f": {rest}", ""]
    return lines


def profile_markdown() -> str:
    """docs/profile.md without what only a page of the web needs."""
    lines: list[str] = []
    table: list[str] = []
    for line in (ROOT / "docs/profile.md").read_text().splitlines():
        if line.startswith("|"):
            table.append(line)
            continue
        if table:
            lines += table_as_list(table)
            table = []
        if not re.match(r"# |<!--|\* \[", line):
            lines.append(re.sub(r"^##", "#", re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", line)))
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    return f"# NAME\n\nschedctl.profile - the language of schedctl's profiles\n\n# DESCRIPTION\n{body}\n"


def markdown_page(name: str, section: int, text: str) -> str:
    title = f'% "{name.upper()}" "{section}" "{release_date()}" "schedctl {__version__}" "{MANUAL}"\n\n'
    command = ["go-md2man"]
    page = subprocess.run(command, input=title + text, stdout=subprocess.PIPE, text=True, check=True).stdout
    return page.replace(r"\fC", "")  # a font that terminals do not have; the text is bold anyway


def main_markdown(parser: argparse.ArgumentParser) -> str:
    """packaging/man/schedctl.md with the verbs and the exit codes in their places."""
    verbs = [f"**{name}**\n: {about}, schedctl-{name}(1)\n" for name, (_, about) in verbs_of(parser).items()]
    codes = [f"**{code}**\n: {words}\n" for code, words in exit_codes().items()]
    text = (ROOT / "packaging/man/schedctl.md").read_text()
    return text.replace("VERBS_HERE\n", "\n".join(verbs)).replace("EXIT_CODES_HERE\n", "\n".join(codes))


def completion(shell: str) -> str:
    parser = command_parser()
    for child, _ in verbs_of(parser).values():
        for action in child._actions:
            if action.metavar in ("PROFILE", "SOURCE"):
                action.complete = PROFILE  # type: ignore[attr-defined]
            elif action.metavar == "FILE":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    text = shtab.complete(parser, shell=shell, preamble=PREAMBLE)  # type: ignore[arg-type]
    return str(text).rstrip() + "\n"


def main(target: Path) -> None:
    man, completions = target / "man", target / "completions"
    for folder in (man, completions):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
    parser = command_parser()
    (man / "schedctl.1").write_text(markdown_page("schedctl", 1, main_markdown(parser)))
    daemon = (ROOT / "packaging/man/schedctld.md").read_text()
    (man / "schedctld.8").write_text(markdown_page("schedctld", 8, daemon))
    (man / "schedctl.profile.5").write_text(markdown_page("schedctl.profile", 5, profile_markdown()))
    for name, (child, about) in verbs_of(parser).items():
        (man / f"schedctl-{name}.1").write_text(verb_page(name, child, about))
    for shell, name in {"bash": "schedctl", "zsh": "_schedctl", "fish": "schedctl.fish"}.items():
        (completions / name).write_text(completion(shell))


main(Path(sys.argv[1]))
