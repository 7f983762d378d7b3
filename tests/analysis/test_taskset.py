# SPDX-License-Identifier: GPL-2.0-only
"""Task set files as tasks: every value where it belongs, and every problem with its place and what to do."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from schedctl.analysis.model import Placement, Scheduler, Task
from schedctl.analysis.report import TaskSet, analyze
from schedctl.analysis.supply import DEDICATED, BoundedDelay, Periodic
from schedctl.analysis.taskset import MAX_TIME_NS, load_taskset, read_taskset
from schedctl.errors import ProfileError
from schedctl.profile.document import load_bytes
from tests.analysis.sets import tasks_of

MS = 1_000_000
WHOLE = """
cpus: 2
scheduler: edf
placement: partitioned
supply: {period: 10ms, budget: 9us}
protocol: ceiling
resources:
  outer: {hold: {a: 1ms, c: 2000}}
  inner: {hold: {c: 7}, inside: outer}
tasks:
  - {name: a, wcet: 2ms, period: 60Hz, deadline: 5ms, jitter: 3us, blocking: 4us, level: 3}
  - {name: b, wcet: 5, period: 50, level: 3}
  - {name: c, wcet: 2ms, period: 200ms, level: 1}
"""


def read(text: str) -> TaskSet:
    return read_taskset(load_bytes(text.encode(), "t.yaml"))


def problems(text: str) -> list[str]:
    """`LINE:COLUMN PATH: MESSAGE | HINT` of each."""
    with pytest.raises(ProfileError) as refused:
        read(text)
    for found in refused.value.problems:
        assert (found.severity, found.file) == ("error", "t.yaml")
    return [
        f"{found.line}:{found.column} {found.path}: {found.message} | {found.hint}"
        for found in refused.value.problems
    ]


def test_every_key_is_read() -> None:
    found = read(WHOLE)
    assert (found.cpus, found.scheduler, found.placement) == (2, Scheduler.EDF, Placement.PARTITIONED)
    assert found.supply == Periodic(10 * MS, 9000)
    assert found.tasks == (
        Task("a", 2 * MS, 16_666_666, 5 * MS, 3000, 4000 + 2000, level=3, locks=True),
        Task("b", 5, 50, 50, 0, 0, level=3),
        Task("c", 2 * MS, 200 * MS, 200 * MS, 0, 0, level=1, locks=True),
    )


def test_what_is_not_said_is_usual() -> None:
    tasks = "tasks: [{name: a, wcet: 1, period: 9}, {name: b, wcet: 2, period: 9}]\n"
    found = read("scheduler: fixed_priority\n" + tasks)
    assert (found.cpus, found.placement, found.supply) == (1, Placement.UNIPROCESSOR, DEDICATED)
    assert found.tasks == (Task("a", 1, 9, 9, 0, 0, level=2), Task("b", 2, 9, 9, 0, 0, level=1))
    found = read("cpus: 3\nscheduler: edf\n" + tasks)
    assert (found.cpus, found.placement) == (3, Placement.GLOBAL)
    assert [task.level for task in found.tasks] == [0, 0], "one queue, by deadline"
    inherited = read(
        "scheduler: fixed_priority\nresources: {r: {hold: {b: 2}}, s: {hold: {a: 1, b: 1}}}\n" + tasks
    )
    assert [task.blocking_ns for task in inherited.tasks] == [1, 0], "by inheritance where nothing is said"


def test_one_cpu_may_be_called_so() -> None:
    found = read("scheduler: edf\nplacement: uniprocessor\ntasks: [{name: a, wcet: 1, period: 9}]\n")
    assert (found.cpus, found.placement) == (1, Placement.UNIPROCESSOR)


def test_the_budget_may_be_the_whole_period() -> None:
    text = "scheduler: edf\nsupply: {period: 1us, budget: 1000}\ntasks: [{name: a, wcet: 1, period: 9}]\n"
    assert read(text).supply == Periodic(1000, 1000)


def test_times_that_are_out_of_range() -> None:
    text = f"""
scheduler: fixed_priority
supply: {{period: 0, budget: 9}}
resources: {{r: {{hold: {{a: 0}}}}}}
tasks:
  - {{name: a, wcet: 0, period: {MAX_TIME_NS + 1}}}
  - {{name: b, wcet: 1, period: {MAX_TIME_NS}, deadline: 0us, jitter: 0, blocking: -1}}
"""
    usual = f"1 to {MAX_TIME_NS} ns"
    assert problems(text) == [
        f"3:18 supply.period: 0 is out of range | {usual}",
        f"4:27 resources.r.hold.a: 0 is out of range | {usual}",
        f"6:21 tasks[0].wcet: 0 is out of range | {usual}",
        f"6:32 tasks[0].period: {MAX_TIME_NS + 1} is out of range | {usual}",
        f"7:60 tasks[1].deadline: 0us is out of range | {usual}",
        f"7:86 tasks[1].blocking: -1 is out of range | 0 to {MAX_TIME_NS} ns",
    ]


def test_values_that_do_not_go_together() -> None:
    text = """
scheduler: fixed_priority
cpus: 2
placement: uniprocessor
supply: {period: 5us, budget: 5001}
resources:
  r: {hold: {nobody: 1}, inside: q}
tasks:
  - {name: a, wcet: 1, period: 9}
  - {name: a, wcet: 1, period: 9, level: 0}
"""
    assert problems(text) == [
        "4:12 placement: uniprocessor, but there are 2 cpus | global or partitioned",
        "5:31 supply.budget: the budget is longer than its period | at most 5us",
        "7:14 resources.r.hold.nobody: no task is called 'nobody' | None",
        "7:34 resources.r.inside: no resource is called 'q' | None",
        "9:5 tasks[0]: 'a' has no level, others have | levels for all tasks, or for none",
        "10:12 tasks[1].name: the name 'a' occurs twice | give each task a name of its own",
    ]


def test_a_circle_of_resources() -> None:
    text = """
scheduler: edf
resources:
  s: {hold: {a: 1}}
  r: {hold: {a: 1}, inside: q}
  q: {hold: {a: 1}, inside: r}
tasks: [{name: a, wcet: 1, period: 9}]
"""
    assert problems(text) == [
        "5:29 resources.r.inside: resources inside each other: r inside q inside r"
        " | take them in one order everywhere"
    ]


@pytest.mark.parametrize(
    ("scheduler", "first_fit", "late"), [("edf", "SCHEDULABLE", "t1"), ("fixed_priority", "UNKNOWN", "t3")]
)
def test_each_test_gets_the_scheduler(scheduler: str, first_fit: str, late: str) -> None:
    tasks = "".join(
        f"  - {{name: t{i}, wcet: {c}, period: {t}}}\n" for i, c, t in ((1, 1, 3), (2, 1, 4), (3, 2, 5))
    )
    parted = analyze(read(f"scheduler: {scheduler}\nplacement: partitioned\ntasks:\n{tasks}"))
    assert parted.tests[-1].verdict.value == first_fit
    everywhere = analyze(read(f"scheduler: {scheduler}\nplacement: global\ntasks:\n{tasks}"))
    details = {test.name: test.detail for test in everywhere.tests}
    assert details["bcl"] == f"{late} may be interfered with for too long"
    assert details["bertogna_cirinei"].startswith(f"{late}: ")


JOBS = "jobs arrive at least a period apart and need at most their wcet, the scheduler's cost included"
TIES = "nobody says who goes first among equal levels: the worst is assumed, each loses every tie"
BLOCKING = "blocking is as declared, and happens once per job"
GLOBAL = "a waiting job is less urgent than all that run, and moving costs nothing"


@pytest.mark.parametrize(
    ("tasks", "kind", "said"),
    [
        (tasks_of([[1, 4], [1, 6]]), (1, Scheduler.FIXED_PRIORITY, Placement.UNIPROCESSOR), [JOBS]),
        (tasks_of([[1, 4]] * 2, levels=[1, 1]), (1, Scheduler.EDF, Placement.UNIPROCESSOR), [JOBS]),
        (
            tasks_of([[1, 4]] * 2, (0, 1), [1, 1]),
            (2, Scheduler.FIXED_PRIORITY, Placement.GLOBAL),
            [JOBS, BLOCKING, GLOBAL, TIES],
        ),
        (tasks_of([[1, 4]]), (2, Scheduler.FIXED_PRIORITY, Placement.PARTITIONED), [JOBS]),
    ],
)
def test_assumptions(tasks: list[Task], kind: tuple[int, Scheduler, Placement], said: list[str]) -> None:
    assert [*analyze(TaskSet(tuple(tasks), *kind)).assumptions] == said


@pytest.mark.parametrize(
    ("supply", "said"),
    [
        (
            BoundedDelay(Fraction(1), Fraction(5, 2)),
            "100 % of its time, with gaps that delay it by at most 3ns",
        ),
        (BoundedDelay(Fraction(3, 4)), "75 % of its time, with gaps that delay it by at most 0ns"),
    ],
)
def test_the_supply_is_an_assumption(supply: BoundedDelay, said: str) -> None:
    kind = (1, Scheduler.EDF, Placement.UNIPROCESSOR)
    found = analyze(TaskSet(tuple(tasks_of([[1, 4]])), *kind, supply))
    assert [*found.assumptions] == [JOBS, f"each CPU supplies {said}"]


def test_a_file_or_what_comes_in(tmp_path: Path) -> None:
    text = "scheduler: edf\ntasks: [{name: a, wcet: 0, period: 90}]\n"
    path = tmp_path / "t.yaml"
    path.write_text(text)
    for stdin, named in ((None, str(path)), (text.encode(), "<stdin>")):
        with pytest.raises(ProfileError) as refused:
            load_taskset(path, stdin)
        assert [problem.file for problem in refused.value.problems] == [named]


def test_priorities_and_too_many() -> None:
    assert problems("scheduler: edf\ntasks:\n  - {name: a, wcet: 1, period: 9, priority: 2}\n") == [
        "3:35 tasks[0].priority: 'priority' can mean both directions"
        " | write 'level': the larger the more urgent; or no levels, the most urgent task first"
    ]
    many = "".join(f"  - {{name: t{i}, wcet: 1, period: 9}}\n" for i in range(1001))
    assert problems("scheduler: edf\ntasks:\n" + many) == [
        "2:1 tasks: 1001 tasks, at most 1000 | analyze a part of them"
    ]
    assert len(read("scheduler: edf\ntasks:\n" + many.replace("  - {name: t0,", "  #", 1)).tasks) == 1000


# --- other tools' files ---------------------------------------------------------------------------

RT_APP = """
global: {default_policy: SCHED_FIFO}
tasks:
  one: {run: 3, timer: {ref: t, period: 20}, cpus: [2, 0], priority: 9, loop: -1, delay: 4}
  two: {runtime: 5, timer: {ref: t, period: 40}, cpus: [0, 2, 0], priority: 3, instance: 2}
"""


def test_rt_app_threads() -> None:
    found = read(RT_APP)
    assert (found.cpus, found.scheduler, found.placement) == (2, Scheduler.FIXED_PRIORITY, Placement.GLOBAL)
    assert found.tasks == (
        Task("one", 3000, 20_000, 20_000, 0, 0, level=9),
        Task("two-0", 5000, 40_000, 40_000, 0, 0, level=3),
        Task("two-1", 5000, 40_000, 40_000, 0, 0, level=3),
    )
    none = read(RT_APP.replace("cpus: [2, 0], ", "").replace("cpus: [0, 2, 0], ", ""))
    assert (none.cpus, none.placement) == (1, Placement.UNIPROCESSOR)


def test_rt_app_threads_without_a_priority_are_equal() -> None:
    """It gives them 10 each: the one that is listed first does not go first."""
    timer = "timer: {period: 20}, policy: SCHED_FIFO"
    found = read(
        f"tasks: {{a: {{run: 3, {timer}}}, b: {{run: 3, {timer}}}, c: {{run: 3, {timer}, priority: 11}}}}"
    )
    assert [task.level for task in found.tasks] == [10, 10, 11]


def test_rt_app_deadlines_have_no_levels() -> None:
    text = (
        "tasks: {a: {dl-runtime: 2, dl-period: 9, dl-deadline: 5, run: 7, priority: 4, policy: SCHED_FIFO}}"
    )
    found = read(text)
    assert (found.scheduler, found.tasks) == (Scheduler.EDF, (Task("a", 2000, 9000, 5000, 0, 0, level=0),))
    assert read("tasks: {a: {dl-runtime: 2, dl-period: 9}}").tasks[0].deadline_ns == 9000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tasks:\n  a: 5", ["2:3 tasks.a: 'a' is not a periodic task: it is no mapping | None"]),
        (
            "tasks:\n  a: {run: 5}\n  b: {run: yes, timer: {period: 5}}\n  c: {zap: 1, abc: 2}",
            [
                "2:3 tasks.a: 'a' is not a periodic task: it has no period in whole µs | None",
                "3:3 tasks.b: 'b' is not a periodic task: it has no wcet in whole µs | None",
                "4:3 tasks.c: 'c' is not a periodic task: 'abc' is not understood here | None",
            ],
        ),
        (
            "tasks:\n  a: {run: 1, timer: {period: 5}, instance: 0}\n"
            "  b: {run: 1, timer: {period: 5}, instance: 1001}\n"
            "  c: {run: 1, timer: {period: 5}, instance: two}\n",
            [
                f"{i}:3 tasks.{c}: {n} instances | 1 to 1000"
                for i, c, n in ((2, "a", 0), (3, "b", 1001), (4, "c", "two"))
            ],
        ),
        (
            "global: 5\ntasks:\n  a: {run: 1, timer: {period: 5}, policy: SCHED_RR}\n"
            "  b: {run: 1, timer: {period: 5}, policy: SCHED_FIFO}\n",
            [
                "2:1 tasks: all threads must be SCHED_FIFO or all SCHED_DEADLINE, these are:"
                " SCHED_FIFO, SCHED_RR | None"
            ],
        ),
        (
            "global: 5\ntasks:\n  a: {run: 1, timer: {period: 5}}\n",
            ["2:1 tasks: all threads must be SCHED_FIFO or all SCHED_DEADLINE, these are: none | None"],
        ),
        (
            # two with 0.6 of CPU 0 and one with 0.1 of CPU 1: too much, though two CPUs for all are enough
            "global: {default_policy: SCHED_FIFO}\ntasks:\n  a: {run: 6, timer: {period: 10}, cpus: [0]}\n"
            "  b: {run: 6, timer: {period: 10}, cpus: [0, 0]}\n"
            "  c: {run: 1, timer: {period: 10}, cpus: [1]}\n  d: {run: 1, timer: {period: 10}}\n",
            [
                f"{at} tasks.{c}.cpus: {c!r} may use other CPUs than 'a'"
                " | one file for each group of threads with the same 'cpus'"
                for at, c in (("5:36", "c"), ("6:3", "d"))
            ],
        ),
        (
            "global: {default_policy: SCHED_FIFO}\ntasks:\n  a: {run: 1, timer: {period: 10}, cpus: 0}\n"
            "  b: {run: 1, timer: {period: 10}, cpus: [2, x]}\n  c: 5\n"
            "  d: {run: 1, timer: {period: 10}, cpus: []}\n"
            "  e: {run: 1, timer: {period: 10}, cpus: [-1]}\n",
            [
                "3:36 tasks.a.cpus: 0 is no list of CPUs | numbers, as in [0, 1]",
                "4:36 tasks.b.cpus: [2, 'x'] is no list of CPUs | numbers, as in [0, 1]",
                "5:3 tasks.c: 'c' is not a periodic task: it is no mapping | None",
                "6:36 tasks.d.cpus: [] is no list of CPUs | numbers, as in [0, 1]",
                "7:36 tasks.e.cpus: [-1] is no list of CPUs | numbers, as in [0, 1]",
            ],
        ),
        (
            "global: {default_policy: SCHED_FIFO}\ntasks:\n"
            "  a: {run: 1, timer: {period: 5}, priority: 9.5}\n"
            "  b: {run: 1, timer: {period: 5}, priority: yes}\n"
            "  c: {run: 1, timer: {period: 5}, priority: true}\n",
            [
                f"{line}:3 tasks.{c}: {c!r} is not a periodic task: its priority is no whole number: {p}"
                " | None"
                for line, c, p in ((3, "a", "9.5"), (4, "b", "'yes'"), (5, "c", "True"))
            ],
        ),
        (
            "global: {default_policy: SCHED_FIFO}\ntasks:\n  a: {run: 1, timer: {period: 5}, instance: 2}\n"
            "  b: {run: 0, timer: {period: 5}}\n",
            [f"4:3 tasks[2].wcet: 0 is out of range | 1 to {MAX_TIME_NS} ns"],
        ),
        (
            "global: {duration: 5}\ntasks:\n  a: {run: 1, timer: {period: 5}}\n",
            ["2:1 tasks: all threads must be SCHED_FIFO or all SCHED_DEADLINE, these are: none | None"],
        ),
    ],
)
def test_an_rt_app_file_that_is_no_task_set(text: str, said: list[str]) -> None:
    assert problems(text) == said


PHASED = "tasks:\n  a: {priority: 5, policy: SCHED_FIFO%s, phases: %s}"


def test_rt_app_phases_are_their_longest_run_each_shortest_period() -> None:
    both = "{x: {loop: 2, run: 3, timer: {ref: t, period: 20}}, y: {runtime: 5, timer: {ref: t, period: 9}}}"
    assert read(PHASED % ("", both)).tasks == (Task("a", 5000, 9000, 9000, 0, 0, level=5),)
    assert [task.name for task in read(PHASED % (", instance: 2", both)).tasks] == ["a-0", "a-1"]
    reserved = "tasks: {a: {dl-runtime: 4, dl-period: 9, dl-deadline: 6, phases: {x: {run: 1}, y: {run: 2}}}}"
    assert read(reserved).tasks == (Task("a", 4000, 9000, 6000, 0, 0, level=0),)


@pytest.mark.parametrize(
    ("more", "phases", "said"),
    [
        ("", "{}", "its phases are no mapping"),
        ("", "[1]", "its phases are no mapping"),
        (", run: 4", "{x: {timer: {period: 5}}}", "'run' is beside its phases, not in them"),
        ("", "{x: {run: 1}}", "in its phase 'x' it has no period in whole µs"),
        ("", "{x: 5}", "its phase 'x' is more than one run and one timer"),
        (
            "",
            "{x: {run: 1, sleep: 4, timer: {period: 5}}}",
            "its phase 'x' is more than one run and one timer",
        ),
        ("", "{x: {run: 1, runtime: 1}}", "its phase 'x' is more than one run and one timer"),
        (
            "",
            "{x: {run: 1, timer: {ref: a, period: 5}}, y: {run: 1, timer: {ref: b, period: 5}}}",
            "its phases wait for several timers",
        ),
    ],
)
def test_rt_app_phases_that_are_no_task(more: str, phases: str, said: str) -> None:
    assert problems(PHASED % (more, phases)) == [f"2:3 tasks.a: 'a' is not a periodic task: {said} | None"]


def test_as_many_instances_as_there_may_be() -> None:
    text = "tasks: {a: {run: 1, timer: {period: 5}, instance: 1000, policy: SCHED_FIFO}}"
    assert len(read(text).tasks) == 1000


def test_attributes_of_sched_deadline() -> None:
    found = read(
        "tasks:\n  - {name: a, sched_policy: 6, sched_runtime: 2, sched_period: 9, sched_deadline: 5,"
        " sched_flags: 4, sched_priority: 0}\n"
        "  - {name: b, sched_runtime: 2, sched_deadline: 7}\n  - {name: c, wcet: 1, period: 3}\n"
    )
    assert found.scheduler == Scheduler.EDF
    assert found.tasks == (
        Task("a", 2, 9, 5, 0, 0, level=0),
        Task("b", 2, 7, 7, 0, 0, level=0),
        Task("c", 1, 3, 3, 0, 0, level=0),
    )
    (no,) = problems("tasks:\n  - {name: a, sched_runtime: 2, sched_deadline: 7, sched_priority: 1}")
    assert "sched_priority" in no
    assert problems("tasks: [5, {name: a, sched_runtime: 1, sched_deadline: 5}]") == [
        "1:9 tasks[0]: expected a mapping, not 5"
        " | its keys are name, wcet, period, deadline, jitter, blocking, level"
    ]
    assert problems("tasks:\n  - {name: a, sched_runtime: -1, sched_period: 9, sched_deadline: 5}\n") == [
        f"2:30 tasks[0].wcet: -1 is out of range | 1 to {MAX_TIME_NS} ns"
    ]
