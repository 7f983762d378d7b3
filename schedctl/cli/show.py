# SPDX-License-Identifier: GPL-2.0-only
"""schedctl show: the image document of a profile, or of what the kernel runs.

Ceilings of resources are no part of the image: the kernel knows no resources.
"""

from __future__ import annotations

import argparse

import yaml

from schedctl.cli.report import Report
from schedctl.cli.source import compiled, load
from schedctl.errors import MissingError, UsageError
from schedctl.image.model import PolicyImage
from schedctl.profile.resources import resource_ceilings
from schedctl.profile.text import ceiling_comments


def run(args: argparse.Namespace) -> Report:
    if args.live and args.facts:
        raise UsageError("--live shows what this host runs, --facts is about another", "leave one out")
    found = None if args.live else compiled(load(args.source, args.facts).profile, args.facts)
    image = found.image if found else _live()
    document = image.to_document()
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=False)
    if found is None:
        return Report(text=text, data={"image": document})
    ceilings = resource_ceilings(found.assignment.resources, found.assignment.classes)
    text += "".join(f"{line}\n" for line in ceiling_comments(ceilings))
    return Report(text=text, data={"image": document, "ceilings": ceilings}, problems=found.problems)


def _live() -> PolicyImage:
    from schedctl.kernel.real import RealKernel
    from schedctl.observe import observe
    from schedctl.plan import refuse

    observation = observe(RealKernel())
    refuse(observation)
    if observation.image is None:
        raise MissingError("no scheduler of schedctl is attached", "`schedctl apply NAME` attaches one")
    return observation.image
