# SPDX-License-Identifier: GPL-2.0-only
"""schedctl show: the image document of a profile, or of what the kernel runs."""

from __future__ import annotations

import argparse

import yaml

from schedctl.cli.report import Report
from schedctl.cli.source import image_of
from schedctl.errors import MissingError
from schedctl.image.model import PolicyImage


def run(args: argparse.Namespace) -> Report:
    image = _live() if args.live else image_of(args.source)
    document = image.to_document()
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=False)
    return Report(text=text, data={"image": document})


def _live() -> PolicyImage:
    from schedctl.kernel.real import RealKernel
    from schedctl.observe import observe
    from schedctl.plan import refuse

    observation = observe(RealKernel())
    refuse(observation)
    if observation.image is None:
        raise MissingError("no scheduler of schedctl is attached", "`schedctl apply NAME` attaches one")
    return observation.image
