# SPDX-License-Identifier: GPL-2.0-only
"""Units from cgroup paths, as systemd derives them."""

from __future__ import annotations

import pytest

from schedctl.resolve.units import unit_of, user_unit_of

USER = "/user.slice/user-1000.slice/user@1000.service"

TABLE = [
    # cgroup, unit, user unit
    ("/", "", ""),
    ("", "", ""),
    ("/init.scope", "init.scope", ""),
    ("/system.slice/nginx.service", "nginx.service", ""),
    ("/system.slice", "", ""),
    ("/system.slice/nginx.service/worker/1", "nginx.service", ""),
    ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", ""),
    (r"/system.slice/dev-disk\x2dby.mount", r"dev-disk\x2dby.mount", ""),
    ("/system.slice/_cpu.service", "cpu.service", ""),
    ("/system.slice/__x.service", "_x.service", ""),
    ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", ""),
    (USER, "user@1000.service", ""),
    (f"{USER}/init.scope", "user@1000.service", "init.scope"),
    (f"{USER}/app.slice/app-org.kde.konsole-77.scope", "user@1000.service", "app-org.kde.konsole-77.scope"),
    (rf"{USER}/app.slice/app-a\x2db.slice/x.service/y.service", "user@1000.service", "x.service"),
    (f"{USER}/app.slice", "user@1000.service", ""),
    ("/user@1000.service/x.scope", "user@1000.service", "x.scope"),
    # what a container or a user makes below a unit of its own is no unit of the system manager
    ("/machine.slice/c.scope/payload/system.slice/nginx.service", "c.scope", ""),
    ("/system.slice/a.service/user@0.service/root.service", "a.service", ""),
    (f"{USER}/a.service/user@0.service/b.service", "user@1000.service", "a.service"),
    ("/docker/0123abc", "", ""),
    ("/docker/nginx.service", "", ""),
    ("/user.slice/user@x.service/a.scope", "user@x.service", ""),
    ("/x.target", "", ""),
    ("/.service", "", ""),
    ("/.slice/a.service", "", ""),
]


@pytest.mark.parametrize(("cgroup", "unit", "user_unit"), TABLE, ids=[row[0] for row in TABLE])
def test_units(cgroup: str, unit: str, user_unit: str) -> None:
    assert (unit_of(cgroup), user_unit_of(cgroup)) == (unit, user_unit)
