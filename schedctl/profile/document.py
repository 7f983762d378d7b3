# SPDX-License-Identifier: GPL-2.0-only
"""YAML text to plain values, each with its place.

Scalars follow the YAML 1.2 core schema, as editors read it: only true and false are booleans; `on`,
`010` and `1:30` are text. Duplicate keys, tags, `<<` and keys that are not text are problems.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from schedctl.errors import MissingError, Problem, ProfileError
from schedctl.profile.model import Origin

MAX_BYTES = 4 * 1024 * 1024
MAX_ALIASES = 100
MAX_DEPTH = 32
MAX_VALUES = 300_000  # 65,536 items of two or three keys
_READS = 3

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
Path_ = tuple[str | int, ...]

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

try:
    from yaml import CSafeLoader as _Base
except ImportError:  # PyYAML built without libyaml: the same, ten times slower
    from yaml import SafeLoader as _Base  # type: ignore[assignment]


class _Loader(_Base):
    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """Tags by the rules of YAML 1.1 take long, and nobody looks at them: see _scalar."""
        return ""


class Sourced(Protocol):
    """Values that know where they stand: one file's, or several files' merged."""

    @property
    def file(self) -> str: ...

    @property
    def value(self) -> Value: ...

    def origin(self, path: Path_) -> Origin: ...

    def key_origin(self, path: Path_) -> Origin: ...


@dataclass(frozen=True, slots=True)
class Document:
    """One file's values; `origins` has the place of every value, `keys` that of every key, by path."""

    file: str
    value: Value
    origins: dict[Path_, Origin]
    keys: dict[Path_, Origin]
    empty: frozenset[Path_] = field(default=frozenset())
    """Values that are null because nothing is written there."""
    text: str = ""

    def origin(self, path: Path_) -> Origin:
        """The place of a value, or of the nearest one that contains it."""
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins.get(path, Origin(self.file, 1, 1))

    def key_origin(self, path: Path_) -> Origin:
        """The place of a key or of a list's item; for one that is missing, of what would contain it."""
        for length in range(len(path), 0, -1):
            inner = path[:length]
            found = self.origins.get(inner) if isinstance(inner[-1], int) else self.keys.get(inner)
            if found:
                return found
        return self.origin(path)


def format_path(path: Path_) -> str:
    """("classes", "a", "match", 0) -> "classes.a.match[0]"."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def problem_at(origin: Origin, path: Path_, message: str, hint: str | None = None) -> Problem:
    return Problem(
        "error", origin.file, origin.line, origin.column, format_path(path), message, hint, origin.source
    )


def load_document(path: Path) -> Document:
    """Read a file; raises MissingError, or ProfileError with all problems of its text."""
    return load_bytes(read_file(path), str(path))


def read_file(path: Path, wanted: tuple[int, int] | None = None) -> bytes:
    """The file's bytes, at most one more than are allowed; MissingError.

    `wanted` is the device and inode that were looked at before. A file that is written to at the same
    time is read again.
    """
    try:
        for _ in range(_READS):
            with path.open("rb") as file:
                before = os.fstat(file.fileno())
                if wanted is not None and (before.st_dev, before.st_ino) != wanted:
                    raise MissingError(f"{path}: replaced while it was read", "try again")
                data = file.read(MAX_BYTES + 1)
                after = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode) or _version(before) == _version(after):
                return data
    except FileNotFoundError:
        raise MissingError(f"{path}: no such file") from None
    except OSError as error:
        raise MissingError(f"{path}: {error.strerror}") from None
    raise MissingError(f"{path}: changes while it is read", "try again when nothing writes to it")


def _version(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def load_bytes(data: bytes, file: str) -> Document:
    if len(data) > MAX_BYTES:
        raise _failed(file, 0, 0, f"the file has more than {MAX_BYTES} bytes", "split it")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise _failed(file, line, column, "this byte is not UTF-8", "save the file as UTF-8") from None
    return load_text(text, file)


def load_text(text: str, file: str) -> Document:
    """Parse text; raises ProfileError with all problems of the text."""
    return _Composer(text, file).compose()


def _special_word(origin: Origin) -> str | None:
    """The word at a place or ending there, if its first character has a meaning of its own in YAML."""
    for found in re.finditer(r"(?:^|(?<=[\s\[{,]))[*&!@%`][^\s,\]}]*", origin.source):
        if found.start() < origin.column <= found.end() + 1:
            return found[0]
    return None


def _failed(file: str, line: int, column: int, message: str, hint: str | None = None) -> ProfileError:
    return ProfileError((Problem("error", file, line, column, "", message, hint),))


class _Composer:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.lines = text.splitlines()
        self.file = file
        self.problems: list[Problem] = []
        self.origins: dict[Path_, Origin] = {}
        self.keys: dict[Path_, Origin] = {}
        self.empty: set[Path_] = set()

    def compose(self) -> Document:
        try:
            self._check_events()
            node = yaml.compose(self.text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            raise ProfileError((self._syntax(error),)) from None
        except yaml.YAMLError as error:
            raise _failed(self.file, 0, 0, f"not YAML: {str(error).splitlines()[0]}") from None
        except RecursionError:
            raise _failed(self.file, 0, 0, "nested too deeply") from None
        value = self._convert(node, (), 0) if node is not None else None
        if self.problems:
            raise ProfileError(tuple(self.problems))
        return Document(self.file, value, self.origins, self.keys, frozenset(self.empty), self.text)

    def _check_events(self) -> None:
        """Refuse what costs much, or means code, before anything is built."""
        depth = aliases = 0
        for event in yaml.parse(self.text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise ProfileError((problem_at(self._at(event.start_mark), (), "nested too deeply"),))
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.AliasEvent):
                aliases += 1
                if aliases > MAX_ALIASES:
                    at = self._at(event.start_mark)
                    raise ProfileError((problem_at(at, (), f"more than {MAX_ALIASES} aliases"),))
            if tag := getattr(event, "tag", None):
                at, tag = self._at(event.start_mark), tag.replace("tag:yaml.org,2002:", "!!")
                self.problems.append(problem_at(at, (), f"the tag {tag} is not allowed", "remove it"))

    def _syntax(self, error: yaml.MarkedYAMLError) -> Problem:
        origin = self._at(error.problem_mark or error.context_mark)
        said = f"{error.context} {error.problem}"
        message = error.problem or error.context or "not YAML"
        hint = "look for an open quote or bracket, or a wrong indentation, here or above"
        if "\t" in origin.source[: max(origin.column, 1)] and not origin.source[: origin.column - 1].strip():
            message, hint = "a tab cannot indent YAML", "use spaces"
        elif "nesting depth" in message:  # libyaml's own limit, since PyYAML 6.0.4
            message, hint = "nested too deeply", "check for brackets that are never closed"
        elif "expected a single document" in said:
            message, hint = "a second document begins here", "one profile per file: remove the '---'"
        elif "mapping values are not allowed" in message:
            message, hint = "a ':' is not allowed here", "check the indentation, or quote the text"
        elif word := _special_word(origin):
            message = f"a word that begins with {word[0]!r} is not text in YAML"
            define = f", or define it first: &{word[1:]}" if "undefined alias" in said else ""
            hint = f'write it in quotes: "{word}"{define}'
        return problem_at(origin, (), message, hint)

    def _at(self, mark: Any) -> Origin:
        if mark is None:
            return Origin(self.file, 0, 0)
        source = self.lines[mark.line] if mark.line < len(self.lines) else ""
        return Origin(self.file, mark.line + 1, mark.column + 1, source[:400])

    def _complain(self, node: yaml.Node, path: Path_, message: str, hint: str | None = None) -> None:
        self.problems.append(problem_at(self._at(node.start_mark), path, message, hint))

    def _convert(self, node: yaml.Node, path: Path_, depth: int) -> Value:
        self.origins[path] = self._at(node.start_mark)
        if len(self.origins) > MAX_VALUES:  # aliases multiply
            origin = self.origins[path[:1]]
            hint = "a list of patterns takes fewer than as many items: comm: [a, b]"
            raise ProfileError((problem_at(origin, path[:1], f"more than {MAX_VALUES} values", hint),))
        if depth > MAX_DEPTH:
            self._complain(node, path, "nested too deeply")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self._convert(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        if node.value == "" and not node.style:
            self.empty.add(path)
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path_, depth: int) -> dict[str, Value]:
        result: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or not isinstance(_scalar(key_node), str):
                self._complain(key_node, path, "a key must be text", "quote it")
                continue
            key = key_node.value
            if key == "<<":
                self._complain(key_node, path, "'<<' is not allowed", "write the keys out")
            elif key in result:
                first = self.keys[(*path, key)]
                self._complain(
                    key_node,
                    (*path, key),
                    f"{key!r} stands here twice, first in line {first.line}",
                    "keep one",
                )
            else:
                self.keys[(*path, key)] = self._at(key_node.start_mark)
                result[key] = self._convert(value_node, (*path, key), depth + 1)
        return result


def _scalar(node: yaml.ScalarNode) -> Value:
    """A scalar by the YAML 1.2 core schema; anything quoted is text."""
    text: str = node.value
    if node.style in ("'", '"', "|", ">"):
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if len(text) <= 40 and _INT.fullmatch(text):
        return int(text, 0)
    if len(text) <= 40 and _FLOAT.fullmatch(text):
        return float(text)
    return text
