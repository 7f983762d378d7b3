/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_JOB_BPF_H
#define SCHEDCTL_JOB_BPF_H

#include "state.bpf.h"

/* The one place that says at which level, and so in which tier, a thread competes. */
void update_level(struct task_ctx *taskc);

/* The one place that says when a job is released, by when it is due, and what it may use. */
void release_job(struct task_ctx *taskc, u64 now);

/* A runnable thread that has consumed a slice: without a budget it is released anew. */
void renew_slice(struct task_ctx *taskc, u64 now);

/* Behind its equals: a release and a deadline from now on, of the same job. */
void release_again(struct task_ctx *taskc, u64 now);

/* Its place among its equals, after a change of class, release or deadline. */
void rekey(struct task_ctx *taskc);

/* The job ends, the thread sleeps. */
void end_job(struct task_struct *p, struct task_ctx *taskc, u64 now);

/* The job is past its deadline and still there: a miss, once; to recovery again with each deadline more. */
int note_late(struct task_struct *p, struct task_ctx *taskc, u64 now);

/*
 * What has to happen to a thread that wants to go on, if its budget is used up or its period
 * over. True where it has to wait for its next period.
 */
int settle_budget(struct task_struct *p, struct task_ctx *taskc, u64 now);

/* The next period begins: a new budget, a new deadline. */
void replenish(struct task_ctx *taskc, u64 now);

/* How long it may run now: what is left of its slice and of its budget. */
u64 run_ns(const struct task_ctx *taskc);

/* In job_deadline_at: its miss is counted. There, so that one CPU of several that see it does so. */
#define SEEN_LATE 1ULL

static inline bool is_late(const struct task_ctx *taskc, u64 now)
{
	if (!taskc->job_deadline_at || !time_before(taskc->job_deadline_at, now))
		return false;
	if (!(taskc->job_deadline_at & SEEN_LATE))
		return true;
	return taskc->flags & TASK_RECOVERS && time_before(taskc->late_again_at, now);
}

/* A budget that limits it: not while it runs as fair. */
static inline bool has_budget(const struct task_ctx *taskc)
{
	return taskc->runtime_ns && taskc->tier == TIER_REALTIME;
}

#endif
