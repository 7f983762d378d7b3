# SPDX-License-Identifier: GPL-2.0-only
"""/var/lib/schedctl/last_good: the newest policy that was confirmed, or ran long enough."""

from __future__ import annotations

from schedctl import clock, durable, paths
from schedctl.errors import StateError
from schedctl.ran import Ran


def last_good() -> Ran | None:
    """None where there was none yet; StateError where it cannot be read."""
    document = durable.read_json(paths.last_good_file())
    if document is None:
        return None
    try:
        return Ran.from_document(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise StateError(
            f"{paths.last_good_file()} is damaged", "the next `schedctl confirm` mends it"
        ) from None


def keep_as_good(ran: Ran) -> None:
    """Written only where it says something new; StateError."""
    try:
        if last_good() == ran:
            return
    except StateError:
        pass  # damaged: written anew
    document = {"schedctl_last_good": 1, "at": clock.today(), "hash": ran.hash, **ran.to_document()}
    durable.write_json(paths.last_good_file(), document)
