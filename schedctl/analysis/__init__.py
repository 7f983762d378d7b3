# SPDX-License-Identifier: GPL-2.0-only
"""Is a set of tasks schedulable, by which published test, under what assumptions. Pure, exact."""
