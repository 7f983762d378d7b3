# SPDX-License-Identifier: GPL-2.0-only
"""Declarative low-latency CPU scheduling for Linux."""

__version__ = "0.1.0"
