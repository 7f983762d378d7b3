# SPDX-License-Identifier: GPL-2.0-only
"""The only code that talks to the kernel, behind one typed Protocol."""
