# SPDX-License-Identifier: GPL-2.0-only
"""From names, paths and text to typed profiles: gather the layers, check each, merge, parse, check all."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

from schedctl.errors import MissingError, Problem, ProfileError, sorted_problems
from schedctl.profile.document import (
    Document,
    Path_,
    Value,
    format_path,
    load_bytes,
    load_text,
    problem_at,
    read_file,
)
from schedctl.profile.library import DROPINS, SUFFIX, Library, Rank
from schedctl.profile.merge import Effective, Pieces, Place, effective, merge, pieces_of
from schedctl.profile.model import MAX_CLASSES, Profile
from schedctl.profile.when import WhenError, evaluate

MAX_DEPTH = 32
RESERVED_NAME = "none"
_NAMELESS = "nameless"
_COPY = "schedctl_copy"
_NAME_ENDS = re.compile(r"(?=[.[])|$")
_AGAIN = "`schedctl apply` makes a new one"

Facts = Callable[[], Mapping[str, Any]]


def no_facts() -> Mapping[str, Any]:
    """For profiles that are looked at without a host."""
    return {}


@dataclass(frozen=True, slots=True)
class Layer:
    document: Document
    kind: str = "profile"  # or "dropin"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A profile, its values with their places, and the files behind it in merge order, lowest first."""

    profile: Profile
    effective: Effective
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Loader:
    """Each method raises MissingError, or ProfileError with all problems of all files."""

    library: Library = field(default_factory=Library)
    facts: Facts = no_facts

    def by_name(self, name: str) -> Loaded:
        entry = self.library.find(name)
        gatherer = _Gatherer(self.library, self.facts)
        gatherer.named(name, self.library.read(entry.path), entry.dropins)
        return gatherer.finish()

    def by_path(self, path: Path) -> Loaded:
        """This file without drop-ins; what it extends may lie beside it. A drop-in comes with its profile."""
        if path.parent.name.endswith(DROPINS):
            name = path.parent.name.removesuffix(DROPINS)
            return replace(self, library=self.library.beside(path.parent.parent)).by_name(name)
        document = load_bytes(read_file(path), str(path))
        gatherer = _Gatherer(self.library.beside(path.parent), self.facts)
        gatherer.named(path.name.removesuffix(SUFFIX), document)
        return gatherer.finish()

    def by_text(self, data: bytes, file: str) -> Loaded:
        return self.by_document(load_bytes(data, file))

    def by_document(self, document: Document, name: str | None = None) -> Loaded:
        """Text that has no name of its own but the one it gives itself."""
        gatherer = _Gatherer(self.library, self.facts)
        gatherer.named(name, document)
        return gatherer.finish()

    def by_copy(self, path: Path) -> Loaded:
        """What `to_copy` wrote: the layers as they were, with their places."""
        try:
            # several files may be in it, and an escape is longer
            data = path.read_bytes()
        except OSError as error:
            raise MissingError(f"{path}: {error.strerror}", _AGAIN) from None
        return self.by_copied(data, str(path))

    def by_copied(self, data: bytes, file: str) -> Loaded:
        """The same, from what is in the file."""
        try:
            copy = json.loads(data)
            layers = [Layer(load_text(part["text"], part["file"]), part["kind"]) for part in copy[_COPY]]
        except (ValueError, KeyError, TypeError):
            raise MissingError(f"{file}: not a copy of a profile", _AGAIN) from None
        gatherer = _Gatherer(Library(), self.facts)
        for layer in layers:
            gatherer.copied(layer)
        return gatherer.finish()


def to_copy(loaded: Loaded) -> bytes:
    """The layers' texts with their files' names, for a profile that is not followed."""
    parts = [{"file": at.document.file, "kind": at.kind, "text": at.document.text} for at in loaded.layers]
    return json.dumps({_COPY: parts}, indent=1).encode()


class _Gatherer:
    """Layers in merge order, and the problems met on the way."""

    def __init__(self, library: Library, facts: Facts) -> None:
        self._library, self._facts = library, facts
        self._layers: list[Layer] = []
        self._problems: list[Problem] = []
        self._done: set[str] = set()
        self._incomplete = False

    def named(
        self, name: str | None, document: Document, dropins: Iterable[Path] = (), chain: tuple[str, ...] = ()
    ) -> None:
        """A profile's parents, its file, its drop-ins; of one that comes twice only the first time counts."""
        self._check(document, "")
        if not chain:
            self._check_selected(document)
        elif not self._holds(document, ("when",)):
            return
        self._check_name(document, name)
        if name is not None:
            self._done.add(name)
        root = document.value
        parents = root.get("extends") if isinstance(root, dict) else None
        for i, parent in enumerate(parents if isinstance(parents, list) else ()):
            self._parent(document, i, parent, (*chain, name or "this profile"))
        self._layers.append(Layer(document))
        for path in dropins:
            self._dropin(path)

    def copied(self, layer: Layer) -> None:
        """Everything was decided when the copy was made, but for what `when` says of classes."""
        self._check(layer.document, "dropin" if layer.kind == "dropin" else "")
        self._layers.append(layer)

    def _parent(self, document: Document, index: int, name: object, chain: tuple[str, ...]) -> None:
        path: Path_ = ("extends", index)
        reported = any(p.path == format_path(path) and p.file == document.file for p in self._problems)
        if reported or not isinstance(name, str):
            return
        if name in chain:
            shown = " → ".join((*chain[chain.index(name) :], name))
            self._complain(document, path, f"a cycle of 'extends': {shown}", "take one of them out")
        elif len(chain) > MAX_DEPTH:
            self._complain(document, path, f"more than {MAX_DEPTH} profiles extend one another")
        elif name not in self._done:
            try:
                entry = self._library.find(name)
                parent = self._library.read(entry.path)
            except ProfileError as error:
                self._incomplete = True
                self._problems += error.problems
            except MissingError as error:
                self._incomplete = True
                self._complain(document, path, error.message, error.hint)
            else:
                self.named(name, parent, entry.dropins, chain)

    def _dropin(self, path: Path) -> None:
        try:
            document = self._library.read(path)
        except ProfileError as error:
            self._incomplete = True
            self._problems += error.problems
            return
        self._check(document, "dropin")
        if self._holds(document, ("when",)):
            self._layers.append(Layer(document, "dropin"))

    def _check(self, document: Document, definition: str) -> None:
        from schedctl.profile.schema import check_document

        if definition and document.value is None:
            return  # a drop-in may be empty
        self._problems += check_document(document, "profile", definition)
        if self._library.rank_of(Path(document.file)) is Rank.PACKAGE:
            for path in [path for path in document.keys if path[-1] == "when" and _takes_when(path)]:
                where = document.key_origin(path)
                hint = "a package cannot know the machine: put it into a profile or a drop-in of your own"
                self._problems.append(
                    problem_at(where, path, "'when' is for the administrator's files", hint)
                )

    def _check_name(self, document: Document, name: str | None) -> None:
        root = document.value
        said = root.get("name") if isinstance(root, dict) else None
        if not isinstance(said, str) or any(problem.path == "name" for problem in self._problems):
            return
        if said == RESERVED_NAME:
            message = f"the name {said!r} is reserved: in /run/schedctl/selected it stands for no profile"
            self._complain(document, ("name",), message, "give the profile another name")
        elif name is not None and said != name:
            hint = f"write 'name: {name}', or rename the file to {said}.yaml"
            self._complain(document, ("name",), f"the file is called {name}.yaml", hint)

    def _check_selected(self, document: Document) -> None:
        """Whoever selects a profile wants it to run: a `when` that is false is worth a word."""
        if not self._holds(document, ("when",)):
            self._complain(
                document,
                ("when",),
                "this is false here: the profile is not for this host",
                "`schedctl facts` shows what it is compared with",
            )

    def _holds(self, document: Document | Effective, path: Path_) -> bool:
        """What a `when` says; true where there is none, or where it cannot be answered and is a problem."""
        expression: Any = document.value
        for part in path:
            expression = expression.get(part) if isinstance(expression, dict) else None
        if not isinstance(expression, str) or not expression:
            return True
        try:
            return evaluate(expression, self._facts())
        except WhenError as error:
            where = document.origin(path)
            self._problems.append(problem_at(where, path, str(error), error.hint))
            return True

    def _complain(self, document: Document, path: Path_, message: str, hint: str | None = None) -> None:
        self._problems.append(problem_at(document.origin(path), path, message, hint))

    def finish(self) -> Loaded:
        """Merge and type what came; raises ProfileError."""
        from schedctl.profile.items import check_items
        from schedctl.profile.parse import parse_profile
        from schedctl.profile.rules import check_profile

        merged = self._merged()
        errors = [problem for problem in self._problems if problem.severity == "error"]
        doubtful = _names_below("classes", (problem.path for problem in errors))
        if self._incomplete:  # what a class has from the layers that are missing is not known
            doubtful = _class_names(merged)
        sound = _sound_part(merged, errors, doubtful) if errors else merged
        problems = list(self._problems)
        if sound:
            profile = parse_profile(sound)
            problems += check_profile(sound, profile)
            notes = tuple(problem for problem in problems if problem.severity == "note")
            problems = [problem for problem in problems if problem.severity != "note"]
            if not any(problem.severity == "error" for problem in problems):
                profile = replace(profile, problems=sorted_problems(problems), notes=notes)
                return Loaded(profile, merged, tuple(self._layers))
        if errors and (rest := _items_part(merged, errors, doubtful)):
            for cls in parse_profile(rest).classes:
                problems += check_items(rest, cls)
        raise ProfileError(tuple(dict.fromkeys(problems)))

    def _merged(self) -> Effective:
        profiles = [layer.document for layer in self._layers if layer.kind == "profile"]
        pieces = reduce(merge, (pieces_of(layer.document) for layer in self._layers))
        base = profiles[-1]
        absent = [
            str(path[1])
            for path, places in pieces.items()
            if len(path) == 3 and path[0] == "classes" and path[-1] == "when" and not self._class_when(places)
        ]
        if not self._incomplete:
            self._unfounded(pieces)
        merged = effective(base, pieces, absent)
        classes = merged.value.get("classes") if isinstance(merged.value, dict) else None
        if isinstance(classes, dict) and len(classes) > MAX_CLASSES and len(self._layers) > 1:
            message = f"{len(classes)} classes together, at most {MAX_CLASSES}"
            self._complain(base, ("classes",), message, "merge some of them")
        return merged

    def _unfounded(self, pieces: Pieces) -> None:
        """Items added to a class that has none are taken, but hardly meant."""
        matched = [str(path[1]) for path in pieces if len(path) == 3 and path[-1] == "match"]
        for path, places in pieces.items():
            if len(path) == 3 and path[-1] == "match_add":
                close = difflib.get_close_matches(str(path[1]), matched, 1)
                hint = f"did you mean {close[0]!r}?" if close else "write 'match:'"
                message = f"no lower layer has items of a class {path[1]!r} to add to"
                problem = problem_at(places[0][0].key_origin(places[0][1]), path, message, hint)
                self._problems.append(replace(problem, severity="warning"))

    def _class_when(self, places: tuple[tuple[Document, Path_], ...]) -> bool:
        document, path = places[-1]
        return self._holds(document, path)


def _takes_when(path: Path_) -> bool:
    return len(path) == 1 or (len(path) == 3 and path[0] == "classes")


def _sound_part(
    merged: Effective, problems: Iterable[Problem], doubtful: Collection[str]
) -> Effective | None:
    """All but the doubtful classes, and the policy's keys that have no problem; None without a mapping."""
    if not isinstance(merged.value, dict):
        return None
    root: dict[str, Any] = {"schedctl": 1, "name": _NAMELESS}
    broken = {problem.path.partition("[")[0] for problem in problems}
    for key, without in (("policy", _names_below("policy", broken)), ("classes", doubtful)):
        found = merged.value.get(key)
        if isinstance(found, dict) and key not in broken:
            root[key] = {name: value for name, value in found.items() if name not in without}
    return replace(merged, value=root)


def _items_part(merged: Effective, problems: Iterable[Problem], doubtful: Iterable[str]) -> Effective | None:
    """The items of the doubtful classes; a harmless one stands for each that has a problem."""
    root: Any = merged.value
    classes = root.get("classes") if isinstance(root, dict) else None
    at = {(problem.file, problem.path) for problem in problems}
    found: dict[str, Value] = {}
    for name in doubtful:
        keys = classes.get(name) if isinstance(classes, dict) else None
        items = keys.get("match") if isinstance(keys, dict) else None
        if isinstance(items, list):
            path: Path_ = ("classes", name, "match")
            sound = [
                isinstance(item, dict) and not _reported(merged.places.get((*path, i)), at)
                for i, item in enumerate(items)
            ]
            kept: list[Value] = [
                item if good else {"comm": "*"} for item, good in zip(items, sound, strict=True)
            ]
            found[name] = {"match": kept}
    return replace(merged, value={"schedctl": 1, "name": _NAMELESS, "classes": found}) if found else None


def _class_names(merged: Effective) -> frozenset[str]:
    root: Any = merged.value
    classes = root.get("classes") if isinstance(root, dict) else None
    return frozenset(classes) if isinstance(classes, dict) else frozenset()


def _names_below(key: str, paths: Iterable[str]) -> frozenset[str]:
    """("classes", "classes.a.level") -> {"a", "a.level"}: a wrong name may have dots and brackets itself."""
    below = [path.removeprefix(f"{key}.") for path in paths if path.startswith(f"{key}.")]
    return frozenset(name[: end.start()] for name in below for end in _NAME_ENDS.finditer(name))


def _reported(place: Place | None, at: Iterable[tuple[str, str]]) -> bool:
    """Whether a problem stands at the place or below."""
    if place is None:
        return True
    document, path = place
    start = format_path(path)
    return any(
        file == document.file and (where == start or where.startswith((f"{start}.", f"{start}[")))
        for file, where in at
    )
