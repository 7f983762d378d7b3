# SPDX-License-Identifier: GPL-2.0-only
"""What a scheduler leaves for other versions to read."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from schedctl.errors import HostError
from schedctl.image.abi import TaskCtx
from schedctl.image.identity import Identity, identity_of


def test_it_is_read_as_written_by_later_versions_too() -> None:
    mine = Identity("ab" * 32, 7, 8, 600, 96)
    assert Identity.decode(mine.encode()) == mine
    assert Identity.decode(mine.encode() + bytes(64)) == mine, "it has grown since"
    with pytest.raises(ValueError, match="Buffer"):
        Identity.decode(mine.encode()[:-1])


def test_the_id_is_the_hash_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "main.bpf.o").write_bytes(b"object")
    found = identity_of(tmp_path / "main.bpf.o")
    assert found.object_id == hashlib.sha256(b"object").hexdigest()
    with pytest.raises(HostError, match=r"none\.o"):
        identity_of(tmp_path / "none.o")


def test_what_is_shared_follows_the_layouts() -> None:
    mine = Identity("ab" * 32)
    assert mine.shares_tables(replace(mine, object_id="cd" * 32, task_layout=9))
    assert not mine.shares_tables(replace(mine, abi_version=9))
    assert mine.shares_threads(replace(mine, abi_version=9))
    assert not mine.shares_threads(replace(mine, task_layout=9))
    assert not mine.shares_threads(replace(mine, task_size=9))


def test_slack_is_found_in_any_layout() -> None:
    context = bytes(TaskCtx(slack_ns=50_000, slack_asked_ns=1))
    assert Identity("ab" * 32).slack_of(context) == (50_000, 1)
    other = Identity("ab" * 32, task_size=40, slack_at=8)
    longer = bytes(8) + (70_000).to_bytes(8, "little") + (5).to_bytes(8, "little") + bytes(16)
    assert other.slack_of(longer) == (70_000, 5)
    with pytest.raises(ValueError, match="20 bytes"):
        other.slack_of(bytes(20))
