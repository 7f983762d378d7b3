# SPDX-License-Identifier: GPL-2.0-only
"""`on_fake.py POLICY VERB…`: a command whose kernel is the one in memory, and runs the policy in a file."""

import gc
import sys
from pathlib import Path

from schedctl.cli.main import entry

if __name__ == "__main__":
    gc.disable()  # as `entry` does before it imports these
    from schedctl.kernel import real
    from tests.kernel.fake import FakeKernel

    kernel = FakeKernel()
    kernel.slots = [Path(sys.argv.pop(1)).read_bytes(), b""]
    kernel.running = kernel.link = True
    kernel.object = kernel.object_id()
    real.RealKernel = lambda: kernel  # type: ignore[assignment,misc]
    sys.exit(entry())
