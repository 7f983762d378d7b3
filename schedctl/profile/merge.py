# SPDX-License-Identifier: GPL-2.0-only
"""Several files' values as one profile's: each later layer changes what the earlier ones say.

Mappings merge key by key, scalars and lists replace, null takes a key back to its default, `match_add`
appends. What `state` and `when` say of a class counts after all merging.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from schedctl.profile.document import Document, Path_, Value
from schedctl.profile.model import Origin, Policy, Recovery

Place = tuple[Document, Path_]
Pieces = dict[Path_, tuple[Place, ...]]
"""Path in the profile -> where its value stands: several places only for the lists behind a `match`.

A declared class has a piece of its own, ("classes", NAME), which keeps the order of declaration.
"""
_POLICY_KEYS = tuple(field.name for field in fields(Policy))
_OWN_KEYS = ("schedctl", "name", "extends", "when")
_RECOVERY_KEYS = tuple(field.name.removesuffix("_ns") for field in fields(Recovery))
# The mappings inside a class, and below each the keys that null takes back with it.
_NESTED: dict[str, tuple[Path_, ...]] = {
    "boost": (("max_level",), *(("recovery", key) for key in _RECOVERY_KEYS)),
    "recovery": tuple((key,) for key in _RECOVERY_KEYS),
}


@dataclass(frozen=True, slots=True)
class Effective:
    """The merged values; the place of each is in the file that has the last word on it."""

    file: str
    value: Value
    places: dict[Path_, Place]

    def origin(self, path: Path_) -> Origin:
        """The place of a value, or of the nearest one that contains it."""
        found = self._find(path)
        return found[0].origin(found[1]) if found else Origin(self.file, 1, 1)

    def key_origin(self, path: Path_) -> Origin:
        found = self._find(path)
        return found[0].key_origin(found[1]) if found else Origin(self.file, 1, 1)

    def _find(self, path: Path_) -> Place | None:
        for length in range(len(path), -1, -1):
            if place := self.places.get(path[:length]):
                return place[0], (*place[1], *path[length:])
        return None


def pieces_of(document: Document) -> Pieces:
    """One layer's values; what is not shaped as a profile is left out, and the schema complains of it."""
    root = document.value
    if not isinstance(root, dict):
        return {}
    found: Pieces = {}
    for key, value in root.items():
        if key == "policy":
            found.update(_policy(document, value))
        elif key == "classes" and isinstance(value, dict):
            for name, keys in value.items():
                found.update(_class(document, name, keys))
        elif key == "resources" and isinstance(value, dict):
            found.update(_leaves(document, (key,), value))
        elif key not in _OWN_KEYS and key != "classes":
            found[(key,)] = ((document, (key,)),)
    return found


def _policy(document: Document, value: Value) -> Iterator[tuple[Path_, tuple[Place, ...]]]:
    if value is None:  # every key back to its default
        for key in _POLICY_KEYS:
            yield ("policy", key), ((document, ("policy",)),)
    elif isinstance(value, dict):
        for key in value:
            path: Path_ = ("policy", key)
            yield path, ((document, path),)


def _class(document: Document, name: str, keys: Value) -> Iterator[tuple[Path_, tuple[Place, ...]]]:
    here: Path_ = ("classes", name)
    yield here, ((document, here),)
    if not isinstance(keys, dict):
        return
    lists = [key for key in ("match", "match_add") if key in keys]
    for key in keys:
        if key in _NESTED:
            yield from _nested(document, (*here, key), keys[key])
        elif key not in lists:
            yield (*here, key), ((document, (*here, key)),)
        elif key == lists[-1]:  # with both, the one list that they make
            yield (*here, lists[0]), tuple((document, (*here, k)) for k in lists)


def _nested(document: Document, here: Path_, value: Value) -> Iterator[tuple[Path_, tuple[Place, ...]]]:
    """A mapping's own keys; null takes all of them back, and of what is no mapping the schema complains."""
    if value is None:
        for rest in _NESTED[str(here[-1])]:
            yield (*here, *rest), ((document, here),)
    for key, inner in value.items() if isinstance(value, dict) else ():
        path: Path_ = (*here, key)
        if key in _NESTED:
            yield from _nested(document, path, inner)
        else:
            yield path, ((document, path),)


def _leaves(document: Document, path: Path_, value: Value) -> Iterator[tuple[Path_, tuple[Place, ...]]]:
    """Mappings of any depth, key by key; an empty one is a value of its own."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(document, (*path, key), inner)
    else:
        yield path, ((document, path),)


def merge(low: Pieces, high: Pieces) -> Pieces:
    """Associative: merge(merge(a, b), c) is merge(a, merge(b, c))."""
    result = dict(low)
    for path, places in high.items():
        if path[0] == "resources":
            for below in [other for other in result if other[: len(path)] == path != other]:
                del result[below]
            result[path] = places
        elif path[-1] == "match" and len(path) == 3:
            result.pop((*path[:2], "match_add"), None)
            result[path] = places
        elif path[-1] == "match_add" and len(path) == 3:
            replaced = (*path[:2], "match")
            target = replaced if replaced in result else path
            result[target] = (*result.get(target, ()), *places)
        elif len(path) == 2 and path[0] == "classes":
            result.setdefault(path, places)
        else:
            if len(path) > 3:  # below a mapping in a class, which stands where it was changed last
                result.pop(path, None)
            result[path] = places
    return result


def value_at(place: Place) -> Any:
    value: Any = place[0].value
    for part in place[1]:
        value = value[part]
        if value is None:
            return None
    return value


def effective(base: Document, pieces: Pieces, absent: Iterable[str] = ()) -> Effective:
    """The merged profile without the classes that are absent, as a document that extends nothing."""
    root: dict[str, Any] = {}
    places: dict[Path_, Place] = {(): (base, ())}
    if isinstance(base.value, dict):
        for key in ("schedctl", "name"):
            if key in base.value:
                root[key] = base.value[key]
                places[(key,)] = (base, (key,))
    gone = {*absent, *(path[1] for path, at in pieces.items() if _is_absent(path, at))}
    for path, found in pieces.items():
        if path[0] == "classes" and (path[1] in gone or (path[-1] in ("state", "when") and len(path) == 3)):
            continue
        _put(root, places, path, found)
    # classes come last, as people write them
    for key in ("classes", "resources"):
        if key in root:
            root[key] = root.pop(key)
    return Effective(base.file, root, places)


def _is_absent(path: Path_, found: tuple[Place, ...]) -> bool:
    return len(path) == 3 and path[0] == "classes" and path[-1] == "state" and value_at(found[-1]) == "absent"


def _put(root: dict[str, Any], places: dict[Path_, Place], path: Path_, found: tuple[Place, ...]) -> None:
    if len(path) == 2 and path[0] == "classes":
        places[path] = found[0]
        # a class that is no mapping stays what it is: its problem is reported where it stands
        value = value_at(found[0])
        root.setdefault("classes", {})[path[1]] = {} if isinstance(value, dict) else value
        return
    if path[0] == "classes" and path[-1] in ("match", "match_add") and len(path) == 3:
        _put_items(root["classes"][path[1]], places, (*path[:2], "match"), found)
        return
    document, place = found[-1]
    places.update((path[:n], (document, place[:n])) for n in range(3, len(path)))
    value = value_at(found[-1])
    if value is None:
        return
    target = root
    for part in path[:-1]:
        target = target.setdefault(str(part), {})
        if not isinstance(target, dict):
            return
    target[str(path[-1])] = value
    places[path] = found[-1]


def _put_items(target: Any, places: dict[Path_, Place], key: Path_, found: tuple[Place, ...]) -> None:
    if not isinstance(target, dict):
        return
    items = [(place, i) for place in found for i in range(len(_list(value_at(place))))]
    if not items:
        places[key] = found[-1]  # who took them away
        return
    places[key] = found[0]
    target["match"] = [_list(value_at(place))[i] for place, i in items]
    places.update(((*key, n), (place[0], (*place[1], i))) for n, (place, i) in enumerate(items))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
