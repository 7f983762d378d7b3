# SPDX-License-Identifier: GPL-2.0-only
"""schedctl cat: the effective profile after all merging, itself a valid profile."""

from __future__ import annotations

import argparse

from schedctl.cli.report import Report
from schedctl.cli.source import compiled, load
from schedctl.profile import text
from schedctl.profile.document import format_path
from schedctl.profile.resources import resource_ceilings


def run(args: argparse.Namespace) -> Report:
    loaded = load(args.source, args.facts)
    found = text.with_defaults(loaded) if args.origins else loaded.effective
    files = [layer.document.file for layer in loaded.layers]
    head = [f"# {file}" for file in files] if args.origins else []
    profile = loaded.profile
    ceilings = {} if args.origins else resource_ceilings(profile.resources, profile.classes)
    places = {format_path(path): text.place_of(found, path) for path in text.paths(found.value)}
    return Report(
        text="\n".join([*head, text.dump(found, args.origins), *text.ceiling_comments(ceilings)]),
        data={"profile": found.value, "origins": places, "files": files},
        problems=compiled(profile, args.facts).problems,
    )
