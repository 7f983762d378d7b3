# SPDX-License-Identifier: GPL-2.0-only
"""SHA-256 by Python's own module, as its `random` does: hashlib loads OpenSSL, and `status` waits."""

from __future__ import annotations

try:
    from _sha2 import sha256  # type: ignore[import-not-found]  # Python 3.12
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found]
    except ImportError:  # built without
        from hashlib import sha256


def sha256_hex(data: bytes) -> str:
    return str(sha256(data).hexdigest())
