# SPDX-License-Identifier: GPL-2.0-only
"""A compiler for a guest that has none: the host's own cc1, its libraries, and a source for it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

FUNCTIONS = 8
# The guest's own are as good, and belong to its C library.
OF_THE_GUEST = ("libc.so", "libm.so", "libz.so", "ld-linux")


def compiler() -> list[Path]:
    """cc1 and those of its libraries that the guest lacks; raises CalledProcessError without gcc."""
    name = ["gcc", "-print-prog-name=cc1"]
    cc1 = Path(subprocess.run(name, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
    listed = subprocess.run(["ldd", cc1], check=True, stdout=subprocess.PIPE, text=True).stdout
    libraries = re.findall(r"=> (/\S+)", listed)
    return [cc1, *(Path(path) for path in libraries if not Path(path).name.startswith(OF_THE_GUEST))]


def version() -> str:
    command = ["gcc", "-dumpfullversion"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def source() -> str:
    """C that needs no header: functions of loops, tables and branches that call each other."""
    lines = ["static unsigned table[256];", "static unsigned f0(unsigned x) { return x + table[x & 255]; }"]
    for i in range(1, FUNCTIONS):
        lines += [
            f"unsigned f{i}(unsigned x)",
            "{",
            f"\tunsigned sum = {i * 2654435761 % 2**32}u, i;",
            f"\tfor (i = 0; i < (x & {16 + i % 48}); i++) {{",
            f"\t\tsum = (sum << {1 + i % 7}) ^ f{i // 2}(sum + i) ^ table[(sum >> {i % 24}) & 255];",
            f"\t\tif (sum % {3 + i % 11} == {i % 3})",
            f"\t\t\ttable[i & 255] += sum / ({i % 13 + 1} + (x & 7));",
            "\t\telse switch (sum & 7) {",
            *(f"\t\tcase {case}: sum += x * {case * i + 1}u; break;" for case in range(6)),
            "\t\tdefault: sum = ~sum; }",
            "\t}",
            f"\treturn sum + f{i - 1}(x / 2);",
            "}",
        ]
    return "\n".join(lines) + "\n"
