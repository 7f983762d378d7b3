/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_POWER_BPF_H
#define SCHEDCTL_POWER_BPF_H

#include "state.bpf.h"

/* This CPU's frequency, by its utilization and by what it runs; from ops.running and ops.tick. */
void set_frequency(s32 cpu, struct cpu_ctx *cpuc, u32 level, u64 now);

#endif
