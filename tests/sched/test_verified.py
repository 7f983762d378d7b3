# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel's verifier walks for each callback: an attach and a swap take as long as that."""

from __future__ import annotations

import json

from tests.conftest import Guest

# Of 22 callbacks the longest: what measures periods walks 41,000.
BAR = 45_000
# struct bpf_prog_info: the name, and how many instructions were walked (linux/bpf.h).
ASK = """
import ctypes, json, os
library, found, number = ctypes.CDLL("libbpf.so.1"), [], ctypes.c_uint32(0)
while library.bpf_prog_get_next_id(number, ctypes.byref(number)) == 0:
    descriptor = library.bpf_prog_get_fd_by_id(number)
    if descriptor < 0:
        continue
    info, size = ctypes.create_string_buffer(256), ctypes.c_uint32(256)
    library.bpf_obj_get_info_by_fd(descriptor, info, ctypes.byref(size))
    os.close(descriptor)
    name = info.raw[64:80].partition(b"\\0")[0].decode()
    found.append((name, int.from_bytes(info.raw[216:220], "little")))
print(json.dumps(found))
"""


def test_no_callback_takes_the_verifier_long(lab1: Guest) -> None:
    lab1.apply("schedctl: 1\nname: lab\nclasses:\n  job: {match: [{comm: job}], level: 4}\n")
    lab1.vm.put("/root/ask.py", ASK)
    answer = json.loads(lab1.sh("python3 /root/ask.py"))
    walked = [(name, count) for name, count in answer if name.startswith("schedctl_")]
    assert len(walked) >= 20, walked
    assert all(0 < count <= BAR for _, count in walked), walked
