# SPDX-License-Identifier: GPL-2.0-only
"""The JSON of a verb, held against its schema."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas" / "output"


@functools.cache
def _validator(verb: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{verb}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def checked(verb: str, stdout: str) -> dict[str, Any]:
    """The one object on stdout; it must pass the verb's schema."""
    document: dict[str, Any] = json.loads(stdout)
    _validator(verb).validate(document)
    return document
