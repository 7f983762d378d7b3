# SPDX-License-Identifier: GPL-2.0-only
"""The command line: one file per verb; only this package prints to stdout or exits."""
