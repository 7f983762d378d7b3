# SPDX-License-Identifier: GPL-2.0-only
"""The schemas themselves, and a second look at all profiles by a validator that is not ours."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schedctl.errors import ProfileError
from schedctl.profile import load_profile_bytes
from schedctl.profile.document import load_bytes
from schedctl.profile.model import Policy, Profile
from schedctl.profile.schema import check_document
from tests.profile.test_bad import CASES
from tests.sched.programs import ROOT
from tests.tables import resolved

SCHEMAS = sorted((ROOT / "schemas").glob("*.schema.json"))
LANGUAGE = [path for path in SCHEMAS if path.name.startswith(("profile", "dropin", "schedctl"))]
PROFILES = sorted((ROOT / "profiles").glob("*.yaml"))
# What a schema says in a format of ours, and what readers of YAML see differently: 5.0 and 07 as numbers,
# an empty value as null, << as a key that merges.
OURS = {
    "deadline-auto",
    "deadline-huge",
    "deadline-negative",
    "level-float",
    "level-leading-zero",
    "level-null",
    "level-octal",
    "match-nice-dash",
    "match-nice-range",
    "match-nice-words",
    "merge-key",
    "period-sexagesimal",
    "period-automatic",
    "period-unit",
    "recovery-minutes",
    "runtime-share",
    "timer-slack-keep",
}


def foreign(schema: str, *files: Path) -> set[str]:
    """The stems of the files that check-jsonschema refuses."""
    command = [sys.executable, "-m", "check_jsonschema", "--disable-formats", "*", "-o", "json"]
    words = [*command, "--schemafile", str(ROOT / "schemas" / f"{schema}.schema.json"), *map(str, files)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    found: Any = json.loads(done.stdout)
    return {Path(error["filename"]).stem for error in found.get("errors", []) + found.get("parse_errors", [])}


def caught(path: Path) -> bool:
    """Whether reading the text or the schema finds something, without what needs several values."""
    try:
        return bool(check_document(load_bytes(path.read_bytes(), path.name), "profile"))
    except ProfileError:
        return True


def test_shipped_profiles_pass_a_foreign_validator() -> None:
    assert foreign("profile", *PROFILES) == set()


@pytest.mark.long
def test_what_a_schema_can_catch_a_foreign_validator_catches() -> None:
    found = foreign("profile", *CASES)
    ours = {path.stem for path in CASES if caught(path)}
    assert len(found) >= 50
    assert ours - found == OURS
    assert found - ours == set()


def test_dropins_and_settings_too(tmp_path: Path) -> None:
    texts = {
        "dropin": ("classes: {game: {level: 6}}\n", "name: a\n"),
        "schedctl": ("profile: desktop\ntags: [web]\n", "profil: desktop\n"),
    }
    for schema, (good, bad) in texts.items():
        (tmp_path / "good.yaml").write_text(good)
        (tmp_path / "bad.yaml").write_text(bad)
        assert foreign(schema, tmp_path / "good.yaml", tmp_path / "bad.yaml") == {"bad"}


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: str(path.name))
def test_a_schema_is_one(path: Path) -> None:
    schema = json.loads(path.read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    # a reference to the file beside it is only found there from a schema without a name of its own
    assert "$ref" in schema or schema["$id"].startswith("urn:schedctl:")
    jsonschema.Draft202012Validator.check_schema(schema)


def objects(part: Any) -> Iterator[dict[str, Any]]:
    """Every part of a schema that describes a mapping's keys."""
    if isinstance(part, dict):
        if "properties" in part:
            yield part
        for inner in part.values():
            yield from objects(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from objects(inner)


@cache
def registry() -> Any:
    """For references from one schema to another: by file name, as editors resolve them."""
    from referencing import Registry, Resource

    loaded = [(path.name, json.loads(path.read_text())) for path in SCHEMAS]
    return Registry().with_resources([(name, Resource.from_contents(schema)) for name, schema in loaded])


@pytest.mark.parametrize("path", LANGUAGE, ids=lambda path: str(path.name))
def test_every_key_is_described_with_an_example_that_is_right(path: Path) -> None:
    root = json.loads(path.read_text())
    for part in objects(root):
        assert part["additionalProperties"] is False
        for key, child in part["properties"].items():
            found = resolved(child, root)
            assert found["description"].endswith("."), key
            assert found["examples"], key
            for example in found["examples"]:
                schema = {"$defs": root.get("$defs", {}), "properties": root["properties"], **found}
                jsonschema.Draft202012Validator(schema, registry=registry()).validate(example)


def test_a_default_of_the_schema_changes_nothing() -> None:
    """Editors show them: they are those of the model."""
    root = json.loads((ROOT / "schemas" / "profile.schema.json").read_text())
    policy = root["properties"]["policy"]["properties"]
    keys = root["$defs"]["class"]["properties"]
    classes: dict[str, Any] = {
        "realtime": {"level": 5, "period": "60Hz", "runtime": "1ms"},
        "measured": {"level": "auto", "period": "auto"},
        "fair": {},
    }
    wanted = {"realtime": ("precedence", "overrun", "slice"), "measured": ("rate_monotonic", "slice")}
    plain = {name: {"match": [{"comm": name}], **said} for name, said in classes.items()}
    full = copy.deepcopy(plain)
    for name, said in full.items():
        said |= {key: keys[key]["default"] for key in wanted.get(name, ("precedence", "weight", "slice"))}
    full["realtime"]["boost"] = {"max_level": keys["boost"]["properties"]["max_level"]["default"]}

    def profile(values: dict[str, Any], policy: dict[str, Any]) -> Profile:
        text = json.dumps({"schedctl": 1, "name": "x", "policy": policy, "classes": values})
        return load_profile_bytes(text.encode(), "x")

    defaults = {key: part["default"] for key, part in policy.items()}
    assert set(defaults) == {field.name for field in fields(Policy)}
    assert profile(full, defaults) == profile(plain, {})


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: str(path.stem))
def test_a_shipped_profile_tells_editors_its_schema(path: Path) -> None:
    line = path.read_text().splitlines()[0]
    assert line == "# yaml-language-server: $schema=/usr/share/schedctl/schemas/profile.schema.json"
