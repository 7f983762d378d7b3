# SPDX-License-Identifier: GPL-2.0-only
"""`on_fake.py POLICY VERB…`: a command whose kernel is the one in memory, and runs the policy in a file."""

import sys
from pathlib import Path

from schedctl.cli.main import entry
from schedctl.kernel import real
from tests.kernel.fake import FakeKernel

if __name__ == "__main__":
    kernel = FakeKernel()
    kernel.slots = [Path(sys.argv.pop(1)).read_bytes(), b""]
    kernel.running = kernel.link = True
    kernel.object = kernel.object_id()
    real.RealKernel = lambda: kernel  # type: ignore[assignment,misc]
    sys.exit(entry())
