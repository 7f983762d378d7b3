# SPDX-License-Identifier: GPL-2.0-only
"""The contract of the kernel boundary, on the fake kernel and on the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from schedctl.kernel.protocol import Kernel
from tests.conftest import Guest
from tests.kernel import contract
from tests.kernel.fake import FakeKernel


@pytest.mark.parametrize("check", contract.CONTRACT, ids=lambda check: str(check.__name__))
def test_fake(check: Callable[[Kernel], None]) -> None:
    check(FakeKernel())


def test_real(lab: Guest) -> None:
    lab.sh("schedctl detach")
    lab.vm.put("/root/contract.py", Path(contract.__file__))
    done = lab.sh("python3 /root/contract.py", timeout=300).split()
    assert done == [check.__name__ for check in contract.CONTRACT]
