# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel refuses to a reader of events."""

from __future__ import annotations

import errno

from schedctl.kernel.rings import RingReader


class RefusingMap:
    """A control map that nobody can write to any more."""

    def __init__(self) -> None:
        self.closed = False

    def update(self, _value: bytes) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    def close(self) -> None:
        self.closed = True


def test_a_reader_that_cannot_say_goodbye_goes_all_the_same() -> None:
    reader = RingReader.__new__(RingReader)  # as it is behind its constructor, without rings
    control = RefusingMap()
    reader._pointer, reader._fds, reader._control = None, [], control  # type: ignore[assignment]
    reader.close()
    assert control.closed
