/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_PARK_BPF_H
#define SCHEDCTL_PARK_BPF_H

#include "state.bpf.h"

/* Set up the timer of every CPU; an error of the kernel's otherwise. */
s32 init_timers(u32 nr_cpus);

/* The thread that this CPU now runs, for `slice_ns`: a timer ends it where the tick is too late. */
void time_run(struct cpu_ctx *cpuc, const struct task_ctx *taskc, u64 now, u64 slice_ns);

/* A CPU comes: what its timer was to do, another CPU has done or let be. */
void forget_timer(struct cpu_ctx *cpuc);

/*
 * Put a throttled thread away until its next period; from ops.enqueue. False where it got a new
 * budget instead, because this CPU goes.
 */
bool park(struct task_struct *p, struct task_ctx *taskc, u64 enq_flags);

/* Bring back those of `cpu` whose time has come; from ops.dispatch. Not static, as what it calls: see look(). */
int unpark_due(s32 cpu, struct cpu_ctx *cpuc, u64 now);

/* A thread is fair until its next period: remember when that is. */
void note_demoted(struct task_struct *p, const struct task_ctx *taskc);

/* Give those of this CPU whose time has come their level, if they still wait; from ops.dispatch. */
int restore_due(struct cpu_ctx *cpuc, u64 now);

/* Bring back all of a CPU that goes offline. */
void drain_parked(s32 cpu);

/* True where a time that the timer should have kept has passed: it was not armed. */
static inline bool is_timer_late(const struct cpu_ctx *cpuc, u64 now)
{
	return (cpuc->end_at && !time_before(now, cpuc->end_at)) ||
	       (cpuc->park_at && !time_before(now, cpuc->park_at)) ||
	       (cpuc->demote_at && !time_before(now, cpuc->demote_at));
}

#endif
