# SPDX-License-Identifier: GPL-2.0-only
"""Mutated profiles: whatever a person's cat types, the answer is a policy or a list of problems.

`python -m tests.profile.fuzz N` looks at N of them and says what came of it.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schedctl.cli.host import load_facts
from schedctl.errors import ProfileError, format_problem
from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.profile import text
from schedctl.profile.load import Loaded, Loader
from schedctl.resolve.assignment import resolve
from tests.sched.programs import ROOT

FACTS = load_facts(ROOT / "tests" / "resolve" / "facts" / "two-socket.json")
LOADER = Loader()
LIMIT_S = 2.0  # three times the slowest of 100,000
SEEDS = [path.read_bytes() for path in sorted((ROOT / "profiles").glob("*.yaml"))]
SEEDS = [seed.replace(b"extends: [desktop]\n", b"") for seed in SEEDS]
# What no shipped profile has to say.
SEEDS.append(b"""schedctl: 1
name: whole
policy: {order: edf, fair_share: 20%, background_share: 2.5%, cpu_max: ignore, power: performance}
classes:
  default: {slice: 10ms, weight: 50}
  measured:
    match: [{comm: a}]
    level: auto
    rate_monotonic: [{at_most: 5ms, level: 6}, {at_most: 30Hz, level: 4}, {else: 2}]
    period: auto
    timer_slack: 50us
    boost:
      max_level: none
  budget:
    match: [{comm: b}]
    level: 5
    period: 60Hz
    deadline: 8ms
    runtime: 2.5ms
    overrun: postpone
    threads: 4
    slice: 500us
    boost:
      max_level: 6
      recovery: {after: 3, within: 1s, decay: 2s}
""")
TOKENS = [
    *(b"null", b"true", b"on", b"~", b"0", b"-1", b"7", b"8", b"07", b"1e999", b".inf", b"9" * 5000, b"1:30"),
    *(b"60Hz", b"1/0Hz", b"1/48kHz", b"0s", b"1ns", b"99999999999s", b"2ms", b"1.5.5ms", b"100%", b"-1%"),
    *(
        b"[]",
        b"{}",
        b"[",
        b"]",
        b"{",
        b"}",
        b"[[[[[[[[",
        b'"',
        b"'",
        b"|",
        b">",
        b"&a",
        b"*a",
        b"!!int",
        b"<<",
    ),
    *(
        b":",
        b": ",
        b"-",
        b"- ",
        b",",
        b"#",
        b"---\n",
        b"...\n",
        b"\t",
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
    ),
    *("é".encode(), "😀".encode(), "\u2028".encode(), b"\r", b"\n", b" " * 40, b"a" * 300, b"?", b"? x\n"),
    *(b"level", b"tier", b"period", b"deadline", b"weight", b"match", b"match_add", b"state", b"absent"),
    *(b"runtime", b"overrun", b"threads", b"slice", b"timer_slack", b"boost", b"recovery", b"max_level"),
    *(b"auto", b"rate_monotonic", b"at_most", b"else", b"after", b"within", b"decay", b"background_share"),
    *(
        b"throttle",
        b"postpone",
        b"demote",
        b"ignore",
        b"refuse",
        b"performance",
        b"1000s",
        b"250us",
        b"100us",
    ),
    *(b"extends: [a]\n", b"when: cpus >= 8\n", b"when: (" + b"(" * 100 + b"\n", b"policy: null\n"),
    *(
        b"not",
        b"comm",
        b"exe",
        b"unit",
        b"user",
        b"kthread: true",
        b"[!a",
        b"[z-a]",
        b"*",
        b"?" * 128,
        b"/",
        b".",
    ),
    *(b"<<", b"\xef\xbb\xbf", b".", b"0x10", b"[[" * 300),
    *(b"realtime", b"fair", b"background", b"default", b"none", b"@audio", b"active-seat", b"root", b"../x"),
]
KINDS = ("insert", "replace", "delete", "drop line", "repeat line", "move line", "flip", "indent", "cut")

Change = tuple[str, int, bytes]
changes = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 9999), st.sampled_from(TOKENS)), min_size=1, max_size=6
)


def mutate(seed: bytes, what: list[Change]) -> bytes:
    for kind, where, token in what:
        seed = _changed(seed, kind, where, token)
    return seed


def _changed(data: bytes, kind: str, where: int, token: bytes) -> bytes:
    """`where` is in ten-thousandths of the text."""
    at = where * len(data) // 10_000
    if kind == "insert":
        return data[:at] + token + data[at:]
    if kind in ("replace", "delete"):
        end = at + 1
        while end < len(data) and data[end : end + 1].isalnum():
            end += 1
        return data[:at] + (token if kind == "replace" else b"") + data[end:]
    if kind == "flip":
        return data[:at] + bytes([(data[at] ^ (1 << where % 8)) if at < len(data) else 0]) + data[at + 1 :]
    if kind == "cut":
        return data[: max(at, len(data) // 2)]
    lines = data.splitlines(keepends=True) or [b""]
    nr = where * len(lines) // 10_000
    if kind == "drop line":
        del lines[nr]
    elif kind == "repeat line":
        lines.insert(nr, lines[nr])
    elif kind == "move line":
        lines.insert(where % len(lines), lines.pop(nr))
    else:
        lines[nr] = b"  " + lines[nr] if where % 2 else lines[nr].removeprefix(b" ")
    return b"".join(lines)


def image(loaded: Loaded) -> PolicyImage:
    return compile_image(resolve(loaded.profile, FACTS))


def look(data: bytes) -> bool:
    """Whether the text is accepted; fails where it is neither that nor refused with problems for people."""
    try:
        loaded = LOADER.by_text(data, "<fuzz>")
        policy = image(loaded)
    except ProfileError as refused:
        check(refused, data)
        return False
    for found, origins in ((loaded.effective, False), (text.with_defaults(loaded), True)):
        again = text.dump(found, origins)
        assert image(LOADER.by_text(again.encode(), "<cat>")) == policy, "cat is another profile"
    return True


def check(refused: ProfileError, data: bytes) -> None:
    """Problems with words for people and places in the text."""
    assert refused.problems, "refused without a reason"
    assert refused.exit_code == 65
    lines = len(data.decode(errors="replace").splitlines()) + 1
    for problem in refused.problems:
        assert problem.message
        assert problem.message.isprintable(), problem.message
        assert 0 <= problem.line <= lines, problem
        assert len(format_problem(problem)) < 1000


@dataclass(slots=True)
class Tally:
    accepted: int = 0
    refused: int = 0
    slowest_s: float = 0.0

    def count(self, data: bytes) -> None:
        """Look at one text; CPU time, so that a busy machine does not count against it."""
        begin = time.thread_time()
        if look(data):
            self.accepted += 1
        else:
            self.refused += 1
        took = time.thread_time() - begin
        self.slowest_s = max(self.slowest_s, took)
        assert took < LIMIT_S, f"{took:.2f} s"


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(number: int) -> Tally:
    """Raises AssertionError with the smallest text that shows it."""
    tally = Tally()

    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(SEEDS), changes)
    def one(seed: bytes, what: list[Change]) -> None:
        tally.count(mutate(seed, what))

    one()
    return tally


def main() -> None:
    total, done = int(sys.argv[1]), Tally()
    while done.accepted + done.refused < total:
        tally = run(min(5000, total - done.accepted - done.refused))
        done.accepted += tally.accepted
        done.refused += tally.refused
        done.slowest_s = max(done.slowest_s, tally.slowest_s)
        print(f"{done.accepted + done.refused} of {total}", file=sys.stderr, flush=True)
    print(
        f"{done.accepted + done.refused} mutated profiles: {done.accepted} accepted, {done.refused} refused,"
        f" 0 tracebacks, slowest {done.slowest_s * 1000:.0f} ms, peak memory {peak_mib():.0f} MiB"
    )


if __name__ == "__main__":
    main()
