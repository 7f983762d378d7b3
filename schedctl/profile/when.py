# SPDX-License-Identifier: GPL-2.0-only
"""`when: EXPRESSION`: comparisons of facts, read by Jinja2's parser and nothing of the rest of it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import nodes

MAX_CHARACTERS = 1000
_OPERATORS = "== != < <= > >= in and or not"


class WhenError(Exception):
    """The expression cannot be answered; `hint` says what to write."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class KernelVersion(str):
    """ "6.12.48+deb13-amd64": ordered by its leading numbers, so that 6.9 is below 6.12.

    Equal is what has the same numbers as far as both are written out: 6.12.48 == "6.12".
    """

    __slots__ = ()

    def _pairs(self, other: object) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if not isinstance(other, str) or not re.match(r"\d", other):
            raise TypeError(f"kernel is compared with a version in quotes, as '6.12', not with {other!r}")
        mine, theirs = _numbers(self), _numbers(other)
        return mine[: len(theirs)], theirs

    def __eq__(self, other: object) -> bool:
        mine, theirs = self._pairs(other)
        return mine == theirs

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: str) -> bool:
        mine, theirs = self._pairs(other)
        return mine < theirs

    def __le__(self, other: str) -> bool:
        mine, theirs = self._pairs(other)
        return mine <= theirs

    def __gt__(self, other: str) -> bool:
        return not self <= other

    def __ge__(self, other: str) -> bool:
        return not self < other

    __hash__ = str.__hash__


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def evaluate(expression: str, facts: Mapping[str, Any]) -> bool:
    """Whether it holds; raises WhenError where it is no expression, or compares what cannot be compared."""
    # 40 ms, and only some profiles need it
    from jinja2 import TemplateSyntaxError, nodes
    from jinja2.sandbox import SandboxedEnvironment

    if len(expression) > MAX_CHARACTERS:
        raise WhenError(f"longer than {MAX_CHARACTERS} characters")
    environment = SandboxedEnvironment()
    try:
        if "\n" in expression or re.search(r"\{%|%\}|\{\{|\}\}|\{#|#\}", expression):
            raise WhenError("not one expression", "for example \"cpus >= 8 and 'laptop' not in tags\"")
        tree = environment.parse("{{ " + expression + " }}")
        output = tree.body[0]
        if len(tree.body) != 1 or not isinstance(output, nodes.Output) or len(output.nodes) != 1:
            raise WhenError("not one expression", "for example 'cpus >= 8'")
        _check(output.nodes[0], facts)
        result = environment.compile_expression(expression, undefined_to_none=False)(**facts)
    except TemplateSyntaxError as error:
        said = str(error.message).replace("token 'end of print statement'", "the end")
        raise WhenError(f"not an expression: {said}", f"operators are {_OPERATORS}") from None
    except (RecursionError, MemoryError):
        raise WhenError("nested too deeply") from None
    except TypeError as error:
        raise WhenError(_said(error), "text stands in quotes, numbers do not") from None
    if not isinstance(result, bool):
        raise WhenError(f"is {result!r}, neither true nor false", "compare it: for example 'cpus >= 8'")
    return result


def _said(error: TypeError) -> str:
    """Python's words for a comparison, or KernelVersion's own."""
    found = re.match(r"'(\S+)' not supported between instances of '(\w+)' and '(\w+)'", str(error))
    if not found:
        return str(error)
    words = {"int": "a number", "float": "a number", "bool": "true or false", "str": "text", "list": "a list"}
    mine, theirs = (words.get(kind, kind) for kind in found.groups()[1:])
    return f"{found[1]!r} cannot compare {mine} with {theirs}"


def _check(node: nodes.Node, facts: Mapping[str, Any]) -> None:
    """Only what the language has: facts, constants, lists of them, comparisons, and, or, not."""
    from jinja2 import nodes

    if isinstance(node, nodes.Name):
        if node.name not in facts:
            close = difflib.get_close_matches(node.name, facts, 1, 0.6)
            hint = f"did you mean {close[0]!r}?" if close else f"facts are {', '.join(facts)}; text is quoted"
            raise WhenError(f"no fact is called {node.name!r}", hint)
    elif isinstance(node, nodes.TemplateData):
        raise WhenError("not an expression")
    elif not isinstance(
        node,
        nodes.Const
        | nodes.Compare
        | nodes.Operand
        | nodes.And
        | nodes.Or
        | nodes.Not
        | nodes.List
        | nodes.Tuple,
    ):
        what = {"Getattr": "a '.'", "Call": "a call", "Filter": "a filter", "Test": "'is'"}
        kind = type(node).__name__
        raise WhenError(f"{what.get(kind, kind.lower())} is not possible", f"operators are {_OPERATORS}")
    for child in node.iter_child_nodes():
        _check(child, facts)
