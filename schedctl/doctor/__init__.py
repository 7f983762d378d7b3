# SPDX-License-Identifier: GPL-2.0-only
"""Is this machine fit for schedctl: `look` gathers the evidence, `examine` says what it means."""
