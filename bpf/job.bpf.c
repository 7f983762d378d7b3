/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The jobs of a thread: release and deadline, budget, misses and what follows from them.
 *
 * The budget is a constant-bandwidth server per thread: `runtime` in each `period`. It runs
 * from a release that the wake-up rule did not refuse to replenish_at; with what is left by
 * then, a job that comes earlier has a deadline of its own. Used up before:
 *
 *   throttle   THROTTLED: parked until replenish_at, then a new budget and deadline
 *   postpone   deadline and replenish_at move on by a period, with a new budget, at once
 *   demote     DEMOTED: fair until replenish_at; what it runs then is not charged
 *   ignore     counted, a new budget at once
 *
 * An overshoot is a debt of the next budget.
 */
#include "job.bpf.h"
#include "event.bpf.h"
#include "park.bpf.h"

/* sigmask(SIGKILL) */
#define SIGKILL_BIT (1 << 8)

static u32 effective_level(const struct task_ctx *taskc)
{
	u32 level = taskc->class_level, lifted;

	if (!level || taskc->flags & (TASK_DEMOTED | TASK_SURPLUS))
		return 0;
	lifted = level + taskc->recovery;
	if (lifted > taskc->max_level)
		lifted = taskc->max_level;
	return lifted > level ? lifted : level;
}

__hidden void update_level(struct task_ctx *taskc)
{
	taskc->level = effective_level(taskc);
	if (taskc->level)
		taskc->tier = TIER_REALTIME;
	else
		taskc->tier = taskc->class_tier == TIER_REALTIME ? TIER_FAIR : taskc->class_tier;
}

__hidden void rekey(struct task_ctx *taskc)
{
	if (taskc->tier == TIER_REALTIME)
		taskc->key = taskc->flags & TASK_FIXED_PRIORITY ? taskc->release_at
								: taskc->abs_deadline_at;
}

static void start_period(struct task_ctx *taskc, u64 start)
{
	taskc->release_at = start;
	taskc->abs_deadline_at = abs_deadline(start, taskc->deadline_ns);
	taskc->replenish_at = abs_deadline(start, taskc->period_ns);
	taskc->budget_ns = budget_refill(taskc->budget_ns, taskc->runtime_ns);
	taskc->flags &= ~(TASK_THROTTLED | TASK_DEMOTED);
}

__hidden void replenish(struct task_ctx *taskc, u64 now)
{
	start_period(taskc, next_period(taskc->replenish_at, now, taskc->period_ns));
	update_level(taskc);
	rekey(taskc);
}

/* Levels that recovery gave, taken back for each quiet time. */
static void decay_recovery(struct task_ctx *taskc, u64 now)
{
	const struct policy_class *class = class_of(active_policy(), taskc);
	u32 i;

	if (!class || !class->recovery_decay_ns) {
		taskc->recovery = 0;
		return;
	}
	bpf_for(i, 0, NR_LEVELS) {
		if (!taskc->recovery ||
		    time_since(now, taskc->quiet_since) < class->recovery_decay_ns)
			break;
		taskc->recovery--;
		taskc->quiet_since += class->recovery_decay_ns;
	}
}

__hidden void release_job(struct task_ctx *taskc, u64 now)
{
	u64 due;

	taskc->slice_used_ns = 0;
	if (taskc->class_tier != TIER_REALTIME) {
		taskc->release_at = now;
		return;
	}
	if (taskc->recovery)
		decay_recovery(taskc, now);
	if (taskc->runtime_ns && cbs_renews(taskc->budget_ns, taskc->replenish_at, now,
					    taskc->runtime_ns, taskc->period_ns)) {
		start_period(taskc, now);
	} else if (!taskc->runtime_ns || !cbs_meets(taskc->budget_ns, taskc->abs_deadline_at, now,
						    taskc->runtime_ns, taskc->deadline_ns)) {
		taskc->release_at = now;
		taskc->abs_deadline_at = abs_deadline(now, taskc->deadline_ns);
	}
	due = taskc->abs_deadline_at;
	/* a thread without budget is released by its next period */
	if (!time_before(now, due))
		due = abs_deadline(taskc->replenish_at, taskc->deadline_ns);
	taskc->job_deadline_at = due & ~SEEN_LATE;
	update_level(taskc);
	rekey(taskc);
}

__hidden void release_again(struct task_ctx *taskc, u64 now)
{
	taskc->release_at = now;
	taskc->abs_deadline_at = abs_deadline(now, taskc->deadline_ns);
	rekey(taskc);
}

__hidden void renew_slice(struct task_ctx *taskc, u64 now)
{
	if (!slice_used_up(taskc->slice_ns, taskc->slice_used_ns))
		return;
	taskc->slice_used_ns = 0;
	if (taskc->tier != TIER_REALTIME || taskc->runtime_ns)
		return;
	if (taskc->recovery)
		decay_recovery(taskc, now);
	update_level(taskc);
	release_again(taskc, now);
}

/* `recovery_after` misses within `recovery_within_ns` lift the thread. */
static void recover(struct task_ctx *taskc, struct class_stats *stats, u64 now)
{
	const struct policy_class *class = class_of(active_policy(), taskc);

	if (!class || !class->recovery_after)
		return;
	taskc->quiet_since = now;
	if (time_since(now, taskc->miss_window_at) > class->recovery_within_ns) {
		taskc->miss_window_at = now;
		taskc->nr_misses = 0;
	}
	taskc->nr_misses++;
	if (taskc->nr_misses < class->recovery_after)
		return;
	taskc->nr_misses = 0;
	if (taskc->class_level + taskc->recovery < taskc->max_level) {
		taskc->recovery++;
		stats->nr_lifted++;
	}
}

__noinline int note_late(struct task_struct *p __arg_trusted, struct task_ctx *taskc __arg_nonnull,
			 u64 now)
{
	struct class_stats *stats = lookup_class_stats(taskc);
	u64 due;

	if (!stats)
		return 0;
	due = READ_ONCE(taskc->job_deadline_at);
	if (due && !(due & SEEN_LATE) &&
	    __sync_val_compare_and_swap(&taskc->job_deadline_at, due, due | SEEN_LATE) == due) {
		stats->nr_misses++;
		emit(p, taskc, EVENT_MISS, time_since(now, due));
	}
	if (taskc->flags & TASK_RECOVERS) {
		recover(taskc, stats, now);
		taskc->late_again_at = abs_deadline(now, taskc->deadline_ns);
	}
	return 0;
}

__hidden void end_job(struct task_struct *p, struct task_ctx *taskc, u64 now)
{
	struct class_stats *stats = lookup_class_stats(taskc);

	if (!stats || !taskc->job_deadline_at)
		return;
	stats->nr_jobs++;
	if (time_before(taskc->job_deadline_at, now)) {
		u32 bucket = tardiness_bucket(time_since(now, taskc->job_deadline_at));

		if (is_late(taskc, now))
			note_late(p, taskc, now);
		barrier_var(bucket); /* keep the check that the verifier needs */
		if (bucket < TARDINESS_BUCKETS)
			stats->tardiness[bucket]++;
	}
	taskc->job_deadline_at = 0;
}

static void overrun(struct task_struct *p, struct task_ctx *taskc)
{
	struct class_stats *stats = lookup_class_stats(taskc);

	if (!stats)
		return;
	stats->nr_overruns++;
	emit(p, taskc, EVENT_OVERRUN, taskc->budget_ns < 0 ? 0 - (u64)taskc->budget_ns : 0);
	switch (taskc->overrun) {
	case OVERRUN_POSTPONE:
		stats->nr_postponed++;
		taskc->abs_deadline_at = abs_deadline(taskc->abs_deadline_at, taskc->period_ns);
		taskc->replenish_at = abs_deadline(taskc->replenish_at, taskc->period_ns);
		taskc->budget_ns = budget_refill(taskc->budget_ns, taskc->runtime_ns);
		break;
	case OVERRUN_DEMOTE:
		stats->nr_demoted++;
		taskc->flags |= TASK_DEMOTED;
		note_demoted(p, taskc);
		break;
	case OVERRUN_IGNORE:
		stats->nr_ignored++;
		taskc->budget_ns = budget_refill(taskc->budget_ns, taskc->runtime_ns);
		break;
	default:
		stats->nr_throttled++;
		taskc->flags |= TASK_THROTTLED;
	}
	update_level(taskc);
	rekey(taskc);
}

/* Who exits or has been killed runs until it is gone, or what it holds would wait with it. */
static bool is_dying(struct task_struct *p)
{
	return p->flags & PF_EXITING || p->pending.signal.sig[0] & SIGKILL_BIT;
}

__noinline int settle_budget(struct task_struct *p __arg_trusted,
			     struct task_ctx *taskc __arg_nonnull, u64 now)
{
	if (!taskc->runtime_ns || !budget_is_out(taskc->budget_ns))
		return 0;
	if (!time_before(now, taskc->replenish_at))
		replenish(taskc, now);
	else if (!(taskc->flags & (TASK_THROTTLED | TASK_DEMOTED)) && taskc->tier == TIER_REALTIME)
		overrun(p, taskc);
	return taskc->flags & TASK_THROTTLED && !is_dying(p);
}

__hidden u64 run_ns(const struct task_ctx *taskc)
{
	u64 left_ns = slice_left(taskc->slice_ns, taskc->slice_used_ns);

	if (!has_budget(taskc) || taskc->flags & TASK_THROTTLED)
		return left_ns;
	if (taskc->budget_ns < (s64)RUN_MIN_NS)
		return RUN_MIN_NS;
	return (u64)taskc->budget_ns < left_ns ? (u64)taskc->budget_ns : left_ns;
}
