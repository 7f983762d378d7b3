# SPDX-License-Identifier: GPL-2.0-only
"""`foreign.py OBJECT`: attach another's scheduler until this process ends. Runs in the guest."""

import signal
import sys

from schedctl.kernel.libbpf import Object
from schedctl.kernel.pins import OPS_MAP


def main() -> None:
    bpf = Object(sys.argv[1])
    bpf.load()
    bpf.attach_struct_ops(OPS_MAP)
    print("attached", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
