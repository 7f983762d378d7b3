# SPDX-License-Identifier: GPL-2.0-only
"""The policy as the kernel gets it: one typed value, and its bytes."""
