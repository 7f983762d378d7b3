# SPDX-License-Identifier: GPL-2.0-only
"""schedctld: keeps the kernel at what was selected, and says in the journal what it did."""
