/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_POWER_BPF_H
#define SCHEDCTL_POWER_BPF_H

#include "state.bpf.h"

/* Threads from this level on run at full speed. */
#define FULL_FROM_LEVEL 5

/* This CPU's frequency, by its utilization and by what it runs: at each tick. */
void set_frequency(s32 cpu, struct cpu_ctx *cpuc, u32 level, u64 now);

/* The same for who has just got the CPU, where that cannot wait for the tick. */
static inline bool needs_full_speed(const struct cpu_ctx *cpuc, u32 level)
{
	return level >= FULL_FROM_LEVEL && cpuc->perf && cpuc->perf != PERF_ONE;
}

#endif
