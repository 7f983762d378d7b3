# SPDX-License-Identifier: GPL-2.0-only
"""What a JSON Schema can find, said for people and at its place."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from schedctl import quantity
from schedctl.errors import Problem
from schedctl.paths import schemas_dir
from schedctl.profile.accept import Check, compile_schema
from schedctl.profile.document import Document, Path_, Value, format_path, problem_at
from schedctl.profile.model import AUTO, NO_LIFT, Origin

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


def _own_period(text: str) -> int | None:
    return None if text == AUTO else quantity.parse_period_ns(text)


_FORMATS: dict[str, tuple[Callable[[str], object], str, str]] = {
    "duration": (quantity.parse_duration_ns, "a duration", "2ms"),
    "period": (quantity.parse_period_ns, "a duration or a rate", "16ms, 60Hz or 128/48kHz"),
    "own_period": (_own_period, "a duration or a rate", "16ms, 60Hz, 128/48kHz, or auto"),
    "share": (quantity.parse_share, "a share", "10%"),
    "nice": (quantity.parse_nice, "a nice value or a range of them, lowest first", "5 or '-20..-5'"),
}
PARSERS = {name: parse for name, (parse, _, _) in _FORMATS.items()}
_MANY = 9  # keys for one hint
MAX_PROBLEMS = 10_000
_HEAD = ("schedctl", "name", "extends")
_NAME_HINT = "a to z, 0 to 9, '_' and '-', at most 31 characters, beginning with a letter or digit"


def check_document(document: Document, schema: str, definition: str = "") -> list[Problem]:
    """All problems that `schemas/SCHEMA.schema.json` finds, or one of its definitions, one per cause."""
    root, passes = _compiled(schema, definition)
    problems = [] if passes(document.value) else _failures(document, root, definition)
    known = {problem.path for problem in problems}
    for path in sorted(document.empty, key=str):
        if path and not any(format_path(path).startswith(reported) for reported in known if reported):
            hint = "write it, or remove the key; 'null' takes back what a lower layer says"
            problems.append(problem_at(document.origin(path), path, "the value is missing", hint))
    return problems


@cache
def _compiled(schema: str, definition: str) -> tuple[dict[str, Any], Check]:
    """Once per process: the schemas are part of the program."""
    root = json.loads((schemas_dir() / f"{schema}.schema.json").read_text(encoding="utf-8"))
    return root, compile_schema(root, PARSERS, definition)


def _failures(document: Document, root: dict[str, Any], definition: str) -> list[Problem]:
    import jsonschema  # 0.1 s, and a good document does not need it

    checker = jsonschema.FormatChecker(formats=())
    for name, (parse, _, _) in _FORMATS.items():
        checker.checks(name, raises=ValueError)(_optional(parse))
    validator = _validator()(root, format_checker=checker)
    if definition:
        validator = validator.evolve(schema=root["$defs"][definition])
    if document.value is None:
        hint = "begin with 'schedctl: 1' and 'name: …'" if "name" in root.get("required", ()) else None
        return [problem_at(Origin(document.file, 1, 1), (), "there is nothing in it", hint)]
    problems: dict[tuple[int, int, str], Problem] = {}
    for error in validator.iter_errors(document.value):
        for problem in _explain(document, error):
            problems.setdefault((problem.line, problem.column, problem.message), problem)
        if len(problems) >= MAX_PROBLEMS:
            message = f"{MAX_PROBLEMS} problems and more: the rest was not looked for"
            return [*problems.values(), problem_at(document.origin(()), (), message, "mend these first")]
    return list(problems.values())


def _validator() -> Any:
    """2020-12, but 5.0 is not a whole number: nobody writes it who means 5."""
    from jsonschema import Draft202012Validator, validators

    types = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    extend: Callable[..., Any] = validators.extend
    return extend(Draft202012Validator, type_checker=types)


def _optional(parse: Callable[[str], object]) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if isinstance(value, str):
            parse(value)
        return True

    return check


def _explain(document: Document, error: ValidationError) -> Iterator[Problem]:
    path: Path_ = tuple(error.absolute_path)
    value: Any = error.instance
    schema: Any = error.schema
    wanted: Any = error.validator_value
    keyword: Any = error.validator
    if keyword == "oneOf":
        yield from _explain_alternatives(document, error, path)
    elif keyword == "anyOf":
        yield from _explain_number_or_word(document, error, path)
    elif keyword == "additionalProperties":
        known = list(schema.get("properties", {}))
        for key in [k for k in value if k not in known]:
            where = document.key_origin((*path, key))
            said = (f"unknown key {key!r}", _did_you_mean(key, known))
            if key == "not":
                said = ("a 'not' inside a 'not'", "write it as an item of its own")
            if known == ["else"]:
                said = (f"{key!r} beside 'else'", "write 'else' as a step of its own, the last one")
            if key in _HEAD and "classes" in known:
                said = (
                    f"a drop-in cannot say {key!r}",
                    "it stands in the file of the profile that this changes",
                )
            yield problem_at(where, (*path, key), *said)
    elif keyword == "required":
        for key in [k for k in wanted if k not in value]:
            example = {"schedctl": "schedctl: 1", "name": "name: my-profile"}.get(key, f"{key}: …")
            yield problem_at(document.origin(path), path, f"{key!r} is missing", f"add '{example}'")
    elif "propertyNames" in error.absolute_schema_path or (keyword == "pattern" and path):
        name = value
        if (*path, name) in document.keys:
            path = (*path, name)
            origin = document.key_origin(path)
        else:
            origin = document.origin(path)
        yield problem_at(origin, path, f"{name!r} is not a valid name", _NAME_HINT)
    elif keyword == "type" and value is None and len(path) == 2 and path[0] == "classes":
        away = f"to take it away, write '{path[1]}: {{state: absent}}'"
        yield problem_at(document.origin(path), path, f"the class {path[1]!r} has no keys", away)
    else:
        message, hint = _say(keyword, value, error)
        yield problem_at(document.origin(path), path, message, hint)


def _explain_alternatives(document: Document, error: ValidationError, path: Path_) -> Iterator[Problem]:
    """Text or a list of texts: report the list's items, or the one value."""
    value: Any = error.instance
    if isinstance(value, list) and value:
        for i, item in enumerate(value):
            if not isinstance(item, str) or not 0 < len(item) <= 127:
                yield problem_at(document.origin((*path, i)), (*path, i), *_say_text(item))
    else:
        yield problem_at(document.origin(path), path, *_say_text(value))


def _explain_number_or_word(document: Document, error: ValidationError, path: Path_) -> Iterator[Problem]:
    """`anyOf` of one word and a range: what is wrong about a number is said by the range."""
    value: Any = error.instance
    alternatives: Any = error.validator_value
    (word,), number = (part.get("enum", part) for part in alternatives)
    bounds = f"{number['minimum']} to {number['maximum']}"
    if isinstance(value, int) and not isinstance(value, bool):
        hint = f"{bounds}, or {word}" if word == NO_LIFT else bounds
        yield problem_at(document.origin(path), path, f"{value} is out of range", hint)
    else:
        message = f"expected a whole number or {word}, not {_show(value)}"
        yield problem_at(document.origin(path), path, message, f"{bounds}, or {word}")


def _say_text(value: Value) -> tuple[str, str | None]:
    if value == "":
        return "an empty pattern matches nothing", "write a name or a glob"
    if value == []:
        return "an empty list matches nothing", "write a name or a glob"
    if isinstance(value, str):
        return "the pattern is longer than 127 characters", None
    return f"expected text or a list of texts, not {_show(value)}", "quote it" if value is not None else None


def _say(keyword: str, value: Any, error: ValidationError) -> tuple[str, str | None]:
    wanted: Any = error.validator_value
    if keyword == "type":
        return _say_type(value, error)
    if keyword == "format":
        _, what, example = _FORMATS[wanted]
        return f"{value!r} is not {what}", f"for example {example}"
    if keyword == "enum":
        wanted = [word for word in wanted if word is not None]
    if keyword == "enum" and len(wanted) == 1:
        return f"{_show(value)} is not possible here", f"write {wanted[0]}, or remove the key"
    if keyword == "enum":
        return f"{_show(value)} is none of {', '.join(wanted)}", _did_you_mean(str(value), wanted)
    if keyword == "const":
        return f"{_show(value)} is not a known version", f"write {wanted}"
    if keyword in ("minimum", "maximum"):
        schema: Any = error.schema
        low, high = schema.get("minimum"), schema.get("maximum")
        return f"{value} is out of range", f"{low} to {high}"
    if keyword == "maxProperties":
        return f"{len(value)} classes, at most {wanted - 1} beside 'default'", "merge some of them"
    if keyword == "maxItems":
        return f"{len(value)} of them, at most {wanted}", "merge some of them"
    if keyword == "minItems" and error.path and error.path[-1] == "rate_monotonic":
        return "this is empty, and would give no level", "write at least '{else: 3}', or remove the key"
    if keyword in ("minItems", "minProperties"):
        return "this is empty, and would match nothing", "write at least one rule, or remove the key"
    if keyword == "minLength":
        return "this is empty", "write it, or remove the key"
    if keyword == "maxLength":
        return f"longer than {wanted} characters", None
    return f"{_show(value)} is not allowed here", None


def _say_type(value: Any, error: ValidationError) -> tuple[str, str | None]:
    kind: Any = error.validator_value
    schema: Any = error.schema
    kinds = [k for k in (kind if isinstance(kind, list) else [kind]) if k != "null"]
    wanted = " or ".join(_TYPES[k] for k in kinds)
    kind = kinds[0] if len(kinds) == 1 else kinds
    message = f"expected {wanted}, not {_show(value)}"
    name = schema.get("format")
    if name and kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        unit = "%" if name == "share" else "ms"
        return f"{value} has no unit", f"for example {value}{unit}"
    if value is None:
        return "the value is missing", f"write {wanted}, or remove the key"
    if kind == "string" and not isinstance(value, dict | list):
        return message, "quote it"
    if kind == "integer" and "minimum" in schema:
        return message, f"{schema['minimum']} to {schema['maximum']}"
    if kind == "boolean":
        return message, "true or false, without quotes"
    if kind == "object" and 0 < len(keys := schema.get("properties", {})) < _MANY:
        return message, f"its keys are {', '.join(keys)}"
    if kind == "array" and isinstance(value, dict):
        return message, "begin each item with '- '"
    if kind == "array":
        return message, f"write [{value}]"
    return message, None


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value) if isinstance(value, str) else str(value)


def _did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
