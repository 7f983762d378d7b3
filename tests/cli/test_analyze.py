# SPDX-License-Identifier: GPL-2.0-only
"""schedctl analyze --taskset: verdicts, exit codes, JSON; bad input in bounded time."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.output import checked

LATE = {"name": "c", "wcet": 12, "period": 50}
TASKS = [{"name": "a", "wcet": 10, "period": 30}, {"name": "b", "wcet": 10, "period": 40}, LATE]


def taskset(**keys: Any) -> str:
    return json.dumps({"cpus": 1, "scheduler": "fixed_priority", "tasks": TASKS} | keys)


def analyzed(run: Run, text: str, *words: str) -> dict[str, Any]:
    code, out, _ = run("analyze", "--taskset", "-", "--json", *words, stdin=text)
    document = checked("analyze", out)
    assert document["exit"] == code
    return document


def test_the_whole_document(run: Run) -> None:
    found = analyzed(run, taskset())
    assert found["verdict"] == "NOT_SCHEDULABLE"
    assert found["exit"] == 3
    assert found["scheduler"] == "fixed_priority"
    assert found["cpus"] == 1
    assert found["utilization"] == "247/300"
    test = found["tests"][-1]
    assert {key: test[key] for key in ("name", "strength", "verdict")} == {
        "name": "response_time_analysis",
        "strength": "exact",
        "verdict": "NOT_SCHEDULABLE",
    }
    assert test["tasks"][2] == {"name": "c", "response_time_ns": 52, "deadline_ns": 50, "slack_ns": -2}
    assert "advice" not in found
    assert found["assumptions"]


def test_edf_meets_what_fixed_priorities_miss(run: Run) -> None:
    found = analyzed(run, taskset(scheduler="edf"))
    assert found["exit"] == 0
    assert found["verdict"] == "SCHEDULABLE"
    names = [test["name"] for test in found["tests"]]
    assert names == ["capacity", "edf_utilization", "qpa", "processor_demand", "edf_response_time"]


@pytest.mark.parametrize(
    ("keys", "exit_code", "names"),
    [
        ({"cpus": 2}, 0, ["capacity", "bcl", "bertogna_cirinei", "guan"]),
        ({"cpus": 2, "scheduler": "edf"}, 0, ["capacity", "gfb", "bcl", "bertogna_cirinei"]),
        ({"cpus": 2, "placement": "partitioned"}, 0, ["capacity", "partitioned_first_fit"]),
        ({"cpus": 1, "placement": "global"}, 4, ["capacity", "bcl", "bertogna_cirinei", "guan"]),
        (
            {"scheduler": "edf", "tasks": [task | {"level": i} for i, task in enumerate(TASKS)]},
            3,
            ["capacity", "edf_within_fixed_priorities"],
        ),
    ],
)
def test_which_tests_count(run: Run, keys: dict[str, Any], exit_code: int, names: list[str]) -> None:
    found = analyzed(run, taskset(**keys))
    assert [test["name"] for test in found["tests"]] == names
    assert found["exit"] == exit_code


def test_levels_and_their_absence(run: Run) -> None:
    """The larger level is the more urgent; without any, the order of the list."""
    reversed_ = [task | {"level": level} for level, task in enumerate(reversed(TASKS))]
    first = analyzed(run, taskset(tasks=reversed_))["tests"][-1]["tasks"]
    listed = analyzed(run, taskset())["tests"][-1]["tasks"]
    assert {task["name"]: task for task in first} == {task["name"]: task for task in listed}
    equal = [task | {"level": 1} for task in TASKS]
    found = analyzed(run, taskset(tasks=equal))
    assert {task["response_time_ns"] for task in found["tests"][-1]["tasks"]} == {34, 42, 52}
    assert any("equal levels" in text for text in found["assumptions"])


def test_units_and_yaml(run: Run) -> None:
    text = "scheduler: edf\ntasks:\n  - {name: sound, wcet: 0.4ms, period: 128/48kHz, deadline: 2ms}\n"
    found = analyzed(run, text)
    task = found["tests"][-1]["tasks"][0]
    assert task == {
        "name": "sound",
        "response_time_ns": 400_000,
        "deadline_ns": 2_000_000,
        "slack_ns": 1_600_000,
    }
    assert found["utilization"] == "200000/1333333"


def responses(found: dict[str, Any]) -> list[int]:
    (test,) = (test for test in found["tests"] if test["name"] == "response_time_analysis")
    return [task["response_time_ns"] for task in test["tasks"]]


def test_blocking_from_resources(run: Run) -> None:
    resources = {"r": {"hold": {"a": 1, "c": 5}}, "s": {"hold": {"b": 2, "c": 3}, "inside": "r"}}
    wanted = {"pip": 7, "ceiling": 5}  # pip: b inside s and c inside r; both stand below a's ceiling
    for protocol, blocking in wanted.items():
        found = analyzed(run, taskset(resources=resources, protocol=protocol))
        assert responses(found)[0] == 10 + blocking
        assert found["exit"] == 3  # blocking may never happen, but c misses without it as well
    both = {"r": {"hold": {"a": 1, "b": 5}}, "s": {"hold": {"a": 2, "c": 3}}}
    for protocol, blocking in {"pip": 8, "ceiling": 5}.items():
        found = analyzed(run, taskset(resources=both, protocol=protocol))
        assert responses(found)[0] == 10 + blocking


@pytest.mark.parametrize("levels", [(2, 1), (1, 1)])
@pytest.mark.parametrize("scheduler", ["fixed_priority", "edf"])
@pytest.mark.parametrize("more", [{"blocking": 1}, {"supply": {"period": 10, "budget": 9}}, {}])
def test_blocking_and_gaps_do_not_hide_a_miss(
    run: Run, levels: tuple[int, int], scheduler: str, more: dict[str, Any]
) -> None:
    """6 + 6 by 10 is too much for a whole CPU with nothing that blocks; with jitter nothing is said."""
    supply = {key: value for key, value in more.items() if key == "supply"}
    tasks = [
        {"name": f"t{level}{i}", "wcet": 6, "period": 20, "deadline": 10, "level": level} | more
        for i, level in enumerate(levels)
    ]
    for task in tasks:
        task.pop("supply", None)
    found = analyzed(run, taskset(scheduler=scheduler, tasks=tasks, **supply))
    assert (found["verdict"], found["exit"]) == ("NOT_SCHEDULABLE", 3)
    if more:
        last = found["tests"][-1]
        assert (last["name"], last["strength"], last["verdict"]) == (
            "whole_cpu",
            "necessary",
            "NOT_SCHEDULABLE",
        )
        late = [{**task, "jitter": 1} for task in tasks]
        found = analyzed(run, taskset(scheduler=scheduler, tasks=late, **supply))
        assert (found["verdict"], found["exit"]) == ("UNKNOWN", 4)


def test_a_part_of_a_cpu(run: Run) -> None:
    tasks = [{"name": "a", "wcet": 2, "period": 30}, {"name": "b", "wcet": 3, "period": 50}]
    found = analyzed(run, taskset(tasks=tasks, supply={"period": 10, "budget": 4}))
    assert [task["response_time_ns"] for task in found["tests"][-1]["tasks"]] == [14, 23]
    assert found["verdict"] == "SCHEDULABLE"
    assert found["tests"][-1]["strength"] == "sufficient"


def test_explain_names_changes_that_fit(run: Run) -> None:
    found = analyzed(run, taskset(), "--explain")
    assert "c would fit with a runtime of at most 10ns instead of 12ns" in found["advice"]
    fixed = [*TASKS[:2], LATE | {"wcet": 10}]
    assert analyzed(run, taskset(tasks=fixed))["exit"] == 0
    assert "c would fit with a period of at least 52ns instead of 50ns" in found["advice"]
    assert analyzed(run, taskset(tasks=[*TASKS[:2], LATE | {"period": 52}]))["exit"] == 0


def test_explain_names_a_pinning(run: Run) -> None:
    tasks = [{"name": n, "wcet": c, "period": t} for n, c, t in (("x", 1, 5), ("y", 1, 5), ("long", 6, 6))]
    found = analyzed(run, taskset(cpus=2, tasks=tasks), "--explain")
    assert found["exit"] == 4
    assert "pin these and it is provable: CPU 0: long; CPU 1: x, y" in found["advice"]


def test_for_people(run: Run) -> None:
    code, out, err = run("analyze", "--taskset", "-", stdin=taskset())
    assert code == 3
    assert not err
    assert out.startswith("NOT_SCHEDULABLE: 3 tasks, 82.3 % of a CPU, on 1 CPU, fixed_priority\n")
    assert "c                            52ns         50ns         -2ns   late" in out
    assert "test                         strength    says" in out


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"tasks": [TASKS[0] | {"wcet": -1}]}, "-1 is out of range"),
        ({"tasks": [TASKS[0] | {"wcet": 0}]}, "0 is out of range"),
        ({"tasks": [TASKS[0] | {"period": 0}]}, "0 is out of range"),
        ({"tasks": [TASKS[0] | {"deadline": 0}]}, "0 is out of range"),
        ({"tasks": [TASKS[0] | {"jitter": -1}]}, "-1 is out of range"),
        ({"tasks": [TASKS[0] | {"period": 10**18}]}, f"{10**18} is out of range"),
        ({"tasks": [TASKS[0] | {"period": "0ns"}]}, "0ns is out of range"),
        ({"tasks": [TASKS[0] | {"period": 1.5}]}, "expected a whole number or text, not 1.5"),
        ({"tasks": [TASKS[0] | {"wcet": "-1ms"}]}, "'-1ms' is not a duration"),
        ({"tasks": [TASKS[0] | {"wcet": True}]}, "expected a whole number or text, not true"),
        ({"tasks": [{"name": "a", "wcet": 1}]}, "'period' is missing"),
        ({"tasks": [TASKS[0] | {"priority": 5}]}, "'priority' can mean both directions"),
        ({"tasks": [TASKS[0] | {"level": 1}, TASKS[1]]}, "'b' has no level, others have"),
        ({"tasks": [TASKS[0], TASKS[0]]}, "the name 'a' occurs twice"),
        ({"tasks": []}, "this is empty"),
        ({"tasks": [dict(LATE, name=f"t{i}") for i in range(10_000)]}, "10000 tasks, at most 1000"),
        ({"scheduler": "rr"}, "'rr' is none of fixed_priority, edf"),
        ({"cpus": 0}, "0 is out of range"),
        ({"cpus": 2, "placement": "uniprocessor"}, "uniprocessor, but there are 2 cpus"),
        ({"supply": {"period": 5, "budget": 6}}, "the budget is longer than its period"),
        ({"resources": {"r": {"hold": {"nobody": 1}}}}, "no task is called 'nobody'"),
        ({"resources": {"r": {"hold": {"a": 1}, "inside": "q"}}}, "no resource is called 'q'"),
        (
            {
                "resources": {
                    "r": {"hold": {"a": 1}, "inside": "q"},
                    "q": {"hold": {"b": 1}, "inside": "r"},
                }
            },
            "resources inside each other: r inside q inside r",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input(run: Run, keys: dict[str, Any], message: str) -> None:
    start = time.process_time()
    found = analyzed(run, taskset(**keys))
    assert found["exit"] == 65
    assert message in found["problems"][0]["message"]
    assert found["problems"][0]["line"] == 1
    assert time.process_time() - start < 5


@pytest.mark.parametrize("text", ["", "[]", "5", "{", "tasks: {a: 5}", "tasks: 5", '{"tasks": [5]}'])
def test_what_is_no_task_set(run: Run, text: str) -> None:
    assert analyzed(run, text)["exit"] == 65


def test_words(run: Run) -> None:
    assert run("analyze", "--taskset", "./no/such.json")[0] == 66


@pytest.mark.long
@pytest.mark.parametrize(
    ("scheduler", "cpus", "placement"),
    [
        ("edf", 1, "uniprocessor"),
        ("fixed_priority", 1, "uniprocessor"),
        ("edf", 4, "global"),
        ("fixed_priority", 4, "global"),
        ("fixed_priority", 4, "partitioned"),
    ],
)
def test_a_thousand_tasks_in_bounded_time(run: Run, scheduler: str, cpus: int, placement: str) -> None:
    """Periods without common factors: hyperperiods have thousands of digits."""
    tasks = [
        {"name": f"t{i}", "wcet": 900 * cpus + i, "period": 10**6 + 2 * i + 1, "deadline": 10**6}
        for i in range(1000)
    ]
    start = time.process_time()
    found = analyzed(run, taskset(scheduler=scheduler, cpus=cpus, placement=placement, tasks=tasks))
    assert found["exit"] in (0, 3, 4)
    assert time.process_time() - start < 10  # 5 s on an idle machine


@pytest.mark.long
def test_what_takes_too_long_is_unknown(run: Run) -> None:
    """Next to nothing is left over: the busy period has some 10^8 jobs, and deadlines allow for them."""
    tasks = [
        {"name": f"t{i}", "wcet": p // 4, "period": p, "deadline": 10**15}
        for i, p in enumerate((10**9 + 7, 10**9 + 9, 10**9 + 21, 10**9 + 33))
    ]
    found = analyzed(run, taskset(tasks=tasks))
    assert found["exit"] == 4
    assert "gave up after" in found["tests"][-1]["detail"]


def test_rt_app(run: Run) -> None:
    fifo = {
        "tasks": {
            "video": {
                "instance": 2,
                "loop": -1,
                "run": 2000,
                "timer": {"ref": "t", "period": 16000},
                "priority": 5,
            },
            "sound": {
                "run": 400,
                "timer": {"ref": "u", "period": 2666},
                "priority": 9,
                "policy": "SCHED_FIFO",
            },
        },
        "global": {"duration": 2, "default_policy": "SCHED_FIFO"},
    }
    found = analyzed(run, json.dumps(fifo))
    assert found["verdict"] == "SCHEDULABLE"
    assert [task["name"] for task in found["tests"][-1]["tasks"]] == ["video-0", "video-1", "sound"]
    assert found["tests"][-1]["tasks"][2]["response_time_ns"] == 400_000
    deadline = {"tasks": {"a": {"dl-runtime": 2000, "dl-period": 10000, "dl-deadline": 5000}}}
    found = analyzed(run, json.dumps(deadline))
    assert found["scheduler"] == "edf"
    assert found["tests"][-1]["tasks"][0]["deadline_ns"] == 5_000_000


@pytest.mark.parametrize(
    ("thread", "message"),
    [
        ({"phases": {}}, "its phases are no mapping"),
        ({"run": 5}, "it has no period"),
        ({"run": 5, "sleep": 5}, "'sleep' is not understood here"),
        ({"run": 1, "timer": {"period": 5}}, "all threads must be SCHED_FIFO or all SCHED_DEADLINE"),
        ({"run": 1, "timer": {"period": 5}, "instance": 0}, "0 instances"),
        ({"run": 1, "timer": {"period": 5}, "policy": "SCHED_FIFO", "cpus": 0}, "0 is no list of CPUs"),
    ],
)
def test_an_rt_app_file_that_is_no_task_set(run: Run, thread: dict[str, Any], message: str) -> None:
    found = analyzed(run, json.dumps({"tasks": {"a": thread}}))
    assert found["exit"] == 65
    assert message in found["problems"][0]["message"]


def test_sched_deadline_parameters(run: Run) -> None:
    tasks = [{"name": "a", "sched_runtime": 1000, "sched_period": 5000, "sched_deadline": 4000}]
    found = analyzed(run, json.dumps({"tasks": tasks}))
    assert found["scheduler"] == "edf"
    assert found["utilization"] == "1/5"
    assert found["tests"][-1]["tasks"][0]["deadline_ns"] == 4000
    tasks[0]["sched_period"] = 0  # as the kernel reads it: the deadline
    assert analyzed(run, json.dumps({"tasks": tasks}))["utilization"] == "1/4"
    tasks[0]["sched_runtime"] = -5
    assert analyzed(run, json.dumps({"tasks": tasks}))["exit"] == 65
