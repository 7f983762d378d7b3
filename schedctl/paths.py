# SPDX-License-Identifier: GPL-2.0-only
"""Where things lie. SCHEDCTL_ROOT is put before every absolute path, for tests."""

from __future__ import annotations

import os
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent


def under_root(path: str) -> Path:
    return Path(os.environ.get("SCHEDCTL_ROOT", "/")) / path.lstrip("/")


def profile_dirs() -> tuple[Path, ...]:
    """Lowest first: a higher directory's file replaces a lower one's."""
    shipped = under_root("/usr/lib/schedctl/profiles")
    if not shipped.is_dir() and (_CHECKOUT / "profiles").is_dir():
        shipped = _CHECKOUT / "profiles"
    return (shipped, under_root("/etc/schedctl/profiles"), under_root("/run/schedctl/profiles"))


def schemas_dir() -> Path:
    installed = Path("/usr/share/schedctl/schemas")
    return _CHECKOUT / "schemas" if (_CHECKOUT / "schemas").is_dir() else installed


def bpf_object() -> Path:
    """main.bpf.o: SCHEDCTL_BPF_DIR, else this checkout's build, else the installed one."""
    if directory := os.environ.get("SCHEDCTL_BPF_DIR"):
        return Path(directory) / "main.bpf.o"
    built = _CHECKOUT / "build" / "bpf" / "main.bpf.o"
    return built if built.exists() else Path("/usr/lib/schedctl/bpf/main.bpf.o")


def standing_file() -> Path:
    return under_root("/etc/schedctl/schedctl.yaml")


def run_dir() -> Path:
    return under_root("/run/schedctl")


def state_dir() -> Path:
    return under_root("/var/lib/schedctl")


def lock_file() -> Path:
    return run_dir() / "lock"


def daemon_file() -> Path:
    return run_dir() / "daemon"


def control_socket() -> Path:
    return run_dir() / "control"


def status_socket() -> Path:
    return run_dir() / "status"


def selected_file() -> Path:
    return run_dir() / "selected"


def copies_dir() -> Path:
    """Of profiles and images that are selected and not followed."""
    return run_dir() / "selected.d"


def pending_file() -> Path:
    return run_dir() / "pending"


def checkpoint_file() -> Path:
    return run_dir() / "checkpoint"


def trying_file() -> Path:
    return state_dir() / "trying"


def last_good_file() -> Path:
    return state_dir() / "last_good"


def history_dir() -> Path:
    return state_dir() / "history"
