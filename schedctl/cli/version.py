# SPDX-License-Identifier: GPL-2.0-only
"""schedctl version: what a bug report needs."""

from __future__ import annotations

import argparse
import os

from schedctl import __version__
from schedctl.cli.report import Report
from schedctl.errors import HostError


def run(args: argparse.Namespace) -> Report:
    from schedctl.image.abi import ABI_VERSION
    from schedctl.kernel import libbpf, sysfs

    try:
        library: str | None = libbpf.version()
    except HostError:
        library = None
    data = {
        "schedctl": __version__,
        "layout": ABI_VERSION,
        "kernel": os.uname().release,
        "sched_ext": sysfs.SCHED_EXT.is_dir(),
        "libbpf": library,
    }
    text = (
        f"schedctl {__version__} (policy layout {ABI_VERSION})\n"
        f"kernel {data['kernel']}, {'with' if data['sched_ext'] else 'without'} sched_ext\n"
        f"libbpf {library or 'not found, or too old'}"
    )
    return Report(text=text, data=data)
