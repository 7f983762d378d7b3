# SPDX-License-Identifier: GPL-2.0-only
"""The kinds of journal entries. What each means, and what to do, is in units/schedctl.catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "applied",
    "unchanged",
    "rejected",
    "warning",
    "idle",
    "ejected",
    "held",
    "unconfirmed",
    "request",
    "refused-request",
    "miss",
    "overrun",
    "surplus",
    "lost",
    "deaf",
    "quota",
    "quota-detached",
    "unwatched",
    "no-socket",
    "no-sessions",
    "suppressed",
    "stopped",
    "failed",
]


@dataclass(frozen=True, slots=True)
class Message:
    """`id` is for good: people filter by it. `subject` names nobody: every user may read it in `status`."""

    id: str
    subject: str


MESSAGES: dict[Kind, Message] = {
    "applied": Message("bd1db5cd8d1749cc8d8a5e6c32146b10", "The scheduling policy was changed"),
    "unchanged": Message("b8fb1da70bca450ea95011427db095e6", "The scheduling policy is as selected"),
    "rejected": Message("371804f8545644d79f02b9bef1e4a74c", "The selected profile could not be applied"),
    "warning": Message("f1729dc091c74c149ee33800d274c2f8", "The selected profile has a warning"),
    "idle": Message("a8a175db5f584c849d997fa26235bafa", "Nothing is to be attached"),
    "ejected": Message("061565fc251643fe90dabb66477be40b", "The scheduler has ended without schedctl"),
    "held": Message("f51dc9976c89430d84ac09c7689f6e39", "A policy that was on trial is not attached"),
    "unconfirmed": Message("15b13f3e115249d2b3bfe62307d1ef74", "A policy was taken back: nobody confirmed"),
    "request": Message("6cbbd088dfc94bd2af03a0c99aa3856b", "A person's command was carried out"),
    "refused-request": Message("2dae63b4c47140aaa796fba75b43384f", "A request was not understood"),
    "miss": Message("e939c8d21ef040bea1e479683cad7efd", "A thread has missed its deadline"),
    "overrun": Message("250ff07bd747416fb681065d262bdfaf", "A thread has used up its budget"),
    "surplus": Message("2d03ca02302e420b86d7604f43f99744", "A class has more threads than declared"),
    "lost": Message("8cb159a7431b42688a01f040346f864a", "Events of the scheduler were lost"),
    "deaf": Message("f0cc0dc04ff9434f94c4392d3066191f", "The running scheduler cannot be heard"),
    "quota": Message("864f3ee1282d41adb1866799754cd55d", "A CPU quota does not hold"),
    "quota-detached": Message("a48a966c2adb4c2f8ab2ab9722ced258", "Detached for a CPU quota"),
    "unwatched": Message("86f3bc8c60264f1aa24b9dfc96da276e", "A folder cannot be watched"),
    "no-socket": Message("4271d717409d4410a509f88fb4a3c7c5", "Nobody can ask schedctld"),
    "no-sessions": Message("b3bc75814c494d71ade73c98a5aed15f", "Login sessions cannot be followed"),
    "suppressed": Message("e6b5dd6cbf944f81a6cc98e1b5f7d48e", "Entries were suppressed"),
    "stopped": Message("38adda37a9ea495e8f078a05b47277e7", "schedctld has stopped"),
    "failed": Message("35a7a045765c4724a88d43db6d3030ec", "schedctld cannot run here"),
}
