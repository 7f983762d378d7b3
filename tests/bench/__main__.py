# SPDX-License-Identifier: GPL-2.0-only
"""Measure schedctl beside other schedulers, in one boot of a machine with one CPU online, under --icount.

Writes docs/benchmarks/raw.json, from which `make docs-bench` makes docs/benchmarks.md; a part of it, by any
option, goes to build/bench.json, which `.venv/bin/python -m tests.bench.page build/bench.json` shows.
Contenders take turns in every round. The results are written after each turn: where a run is killed, what was
measured until then is there. What could not be built, attached or trusted is named in the results; the exit
status is 1 where the machine died.
"""

import sys

from tests.bench.bench import main

sys.exit(main(__doc__))
