# SPDX-License-Identifier: GPL-2.0-only
"""Which object runs, and what of its state another one can go on with: struct identity."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

from schedctl.errors import HostError
from schedctl.image import abi
from schedctl.sha256 import sha256_hex


@dataclass(frozen=True, slots=True)
class Identity:
    """`object_id` is the SHA-256 of the object's file, in hex; `slack_at` an offset in a thread's context."""

    object_id: str
    abi_version: int = abi.ABI_VERSION
    task_layout: int = abi.TASK_LAYOUT
    task_size: int = ctypes.sizeof(abi.TaskCtx)
    slack_at: int = abi.TaskCtx.slack_ns.offset

    def encode(self) -> bytes:
        object_id = (ctypes.c_uint8 * abi.OBJECT_ID_LEN)(*bytes.fromhex(self.object_id))
        return bytes(
            abi.Identity(self.abi_version, self.task_layout, self.task_size, self.slack_at, object_id)
        )

    @classmethod
    def decode(cls, data: bytes) -> Identity:
        """Of this version or of any other: the struct only grows, at its end."""
        raw = abi.Identity.from_buffer_copy(data)
        return cls(bytes(raw.object_id).hex(), raw.abi_version, raw.task_layout, raw.task_size, raw.slack_at)

    def slack_of(self, context: bytes) -> tuple[int, int]:
        """(what it was before, what was asked for) in ns, of a thread's context of any layout."""
        end = self.slack_at + 16
        if end > len(context):
            raise ValueError(f"a thread's context of {len(context)} bytes")
        before, asked = (int.from_bytes(context[at : at + 8], "little") for at in (end - 16, end - 8))
        return before, asked

    def shares_tables(self, other: Identity) -> bool:
        """Whether policy and statistics of one are read by the other."""
        return self.abi_version == other.abi_version

    def shares_threads(self, other: Identity) -> bool:
        """Whether what one keeps about threads is read by the other."""
        return (self.task_layout, self.task_size) == (other.task_layout, other.task_size)


def identity_of(path: Path) -> Identity:
    """Of an object that has passed abi.check_object; HostError where it cannot be read."""
    try:
        return Identity(sha256_hex(path.read_bytes()))
    except OSError as error:
        raise HostError(
            f"{path}: {error.strerror}", "run `make build`, or install the package again"
        ) from None
