# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel refuses to a reader of events."""

from __future__ import annotations

import errno

import pytest

from schedctl.kernel.rings import RingReader


class RefusingMap:
    """A control map that nobody can write to any more."""

    def __init__(self) -> None:
        self.closed = False

    def update(self, _value: bytes) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    def close(self) -> None:
        self.closed = True


def test_a_reader_that_cannot_say_goodbye_goes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RingReader, "__init__", lambda _: None)
    reader = RingReader()  # type: ignore[call-arg]
    control = RefusingMap()
    monkeypatch.setattr(reader, "_pointer", None, raising=False)
    monkeypatch.setattr(reader, "_fds", [], raising=False)
    monkeypatch.setattr(reader, "_control", control, raising=False)
    reader.close()
    assert control.closed
