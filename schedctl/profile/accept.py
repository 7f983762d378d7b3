# SPDX-License-Identifier: GPL-2.0-only
"""Whether a document passes a JSON Schema: only yes or no, fifty times as fast as saying why not.

Importing jsonschema takes longer than everything else that most commands do. It is asked only where this
says no; tests/profile/test_accept.py holds both to the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]
Formats = dict[str, Callable[[str], object]]

_ANNOTATIONS = frozenset(
    {"$schema", "$id", "$defs", "$comment", "title", "description", "examples", "default"}
)
_TYPES: dict[str, Check] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


class UnknownKeywordError(Exception):
    """The schema has a keyword that is not understood here."""


def compile_schema(root: dict[str, Any], formats: Formats, definition: str = "") -> Check:
    """A function that is true exactly where the value passes the schema, or one of its definitions.

    Raises UnknownKeywordError.
    """
    return _Compiler(root, formats).schema(root["$defs"][definition] if definition else root)


def _all(checks: list[Check]) -> Check:
    """Written out: a generator takes half as long again."""

    def check(value: Any) -> bool:
        for one in checks:  # noqa: SIM110
            if not one(value):
                return False
        return True

    return check


class _Compiler:
    def __init__(self, root: dict[str, Any], formats: Formats) -> None:
        self._root, self._formats = root, formats
        self._known: dict[str, Check] = {}

    def schema(self, schema: Any) -> Check:
        if isinstance(schema, bool):
            return lambda _: schema
        checks = []
        for keyword, argument in schema.items():
            if keyword in _ANNOTATIONS or keyword in ("additionalProperties", "then", "else"):
                continue  # the latter: with `properties` and `if`
            name = re.sub("[A-Z]", lambda found: "_" + found[0].lower(), keyword.removeprefix("$"))
            method = getattr(self, "_" + name, None)
            if method is None:
                raise UnknownKeywordError(keyword)
            checks.append(method(argument, schema))
        if "additionalProperties" in schema and "properties" not in schema:
            checks.append(self._properties({}, schema))
        if len(checks) == 1:
            only: Check = checks[0]
            return only
        return _all(checks)

    def _ref(self, path: str, _: Any) -> Check:
        """Resolved when it is first used: schemas may be recursive."""

        def check(value: Any) -> bool:
            if path not in self._known:
                found: Any = self._root
                for part in path.removeprefix("#/").split("/"):
                    found = found[part]
                self._known[path] = self.schema(found)
            return self._known[path](value)

        return check

    def _type(self, names: str | list[str], _: Any) -> Check:
        if isinstance(names, str):
            return _TYPES[names]
        checks = [_TYPES[name] for name in names]
        return lambda value: any(check(value) for check in checks)

    def _const(self, wanted: Any, _: Any) -> Check:
        return lambda value: type(value) is type(wanted) and value == wanted

    def _enum(self, wanted: list[Any], _: Any) -> Check:
        return lambda value: any(type(value) is type(one) and value == one for one in wanted)

    def _pattern(self, pattern: str, _: Any) -> Check:
        search = re.compile(pattern).search
        return lambda value: not isinstance(value, str) or search(value) is not None

    def _format(self, name: str, _: Any) -> Check:
        parse = self._formats[name]

        def check(value: Any) -> bool:
            if isinstance(value, str):
                try:
                    parse(value)
                except ValueError:
                    return False
            return True

        return check

    def _min_length(self, least: int, _: Any) -> Check:
        return lambda value: not isinstance(value, str) or len(value) >= least

    def _max_length(self, most: int, _: Any) -> Check:
        return lambda value: not isinstance(value, str) or len(value) <= most

    def _minimum(self, least: int, _: Any) -> Check:
        return lambda value: not _TYPES["number"](value) or value >= least

    def _maximum(self, most: int, _: Any) -> Check:
        return lambda value: not _TYPES["number"](value) or value <= most

    def _min_items(self, least: int, _: Any) -> Check:
        return lambda value: not isinstance(value, list) or len(value) >= least

    def _max_items(self, most: int, _: Any) -> Check:
        return lambda value: not isinstance(value, list) or len(value) <= most

    def _unique_items(self, wanted: bool, _: Any) -> Check:
        return lambda value: (
            not wanted
            or not isinstance(value, list)
            or all(item not in value[:i] for i, item in enumerate(value))
        )

    def _min_properties(self, least: int, _: Any) -> Check:
        return lambda value: not isinstance(value, dict) or len(value) >= least

    def _max_properties(self, most: int, _: Any) -> Check:
        return lambda value: not isinstance(value, dict) or len(value) <= most

    def _required(self, names: list[str], _: Any) -> Check:
        return lambda value: not isinstance(value, dict) or all(name in value for name in names)

    def _items(self, schema: Any, _: Any) -> Check:
        check = self.schema(schema)
        return lambda value: not isinstance(value, list) or all(map(check, value))

    def _property_names(self, schema: Any, _: Any) -> Check:
        check = self.schema(schema)
        return lambda value: not isinstance(value, dict) or all(map(check, value))

    def _properties(self, properties: dict[str, Any], schema: dict[str, Any]) -> Check:
        known = {name: self.schema(inner) for name, inner in properties.items()}
        other = self.schema(schema.get("additionalProperties", True))

        def check(value: Any) -> bool:
            if not isinstance(value, dict):
                return True
            for name, inner in value.items():  # noqa: SIM110 - see _all
                if not known.get(name, other)(inner):
                    return False
            return True

        return check

    def _any_of(self, schemas: list[Any], _: Any) -> Check:
        checks = [self.schema(schema) for schema in schemas]
        return lambda value: any(check(value) for check in checks)

    def _all_of(self, schemas: list[Any], _: Any) -> Check:
        return _all([self.schema(schema) for schema in schemas])

    def _one_of(self, schemas: list[Any], _: Any) -> Check:
        checks = [self.schema(schema) for schema in schemas]
        return lambda value: sum(check(value) for check in checks) == 1

    def _not(self, schema: Any, _: Any) -> Check:
        check = self.schema(schema)
        return lambda value: not check(value)

    def _if(self, condition: Any, schema: dict[str, Any]) -> Check:
        true = self.schema(condition)
        then, other = self.schema(schema.get("then", True)), self.schema(schema.get("else", True))
        return lambda value: then(value) if true(value) else other(value)
