/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Measured periods: from the releases of a thread to its deadline, and by rate_monotonic to its
 * level. Only threads of classes that ask for it have a place here; it outlives a change of
 * policy. The estimate itself: period_math.h.
 */
#include "period.bpf.h"
#include "job.bpf.h"
#define PERIOD_FIT __noinline
#include "period_math.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct period_ctx);
} period_ctxs SEC(".maps");

/* Every eighth release. Not static: verified once, on its own. */
__noinline int estimate_period(struct period_ctx *ctx)
{
	if (!ctx)
		return 0;
	period_estimate(ctx);
	return 1;
}

/* The first step that the period fits; without a period that of all periods. */
static u32 rate_monotonic_level(const struct policy_class *class, u64 period_ns)
{
	u64 wanted_ns = period_ns ? period_ns : ~0ULL;
	u32 i;

	bpf_for(i, 0, MAX_RM_STEPS) {
		const struct rm_step *step = &class->rate_monotonic[i];

		if (step->level && wanted_ns <= step->at_most_ns)
			return step->level & 7;
	}
	return class->level & 7;
}

static void set_period(struct task_ctx *taskc, const struct policy_class *class, u64 period_ns)
{
	u32 level = class->level & 7;

	if (class->flags & CLASS_AUTO_LEVEL)
		level = rate_monotonic_level(class, period_ns);
	taskc->period_ns = period_ns;
	if (taskc->class_tier == TIER_REALTIME)
		taskc->class_level = level;
	taskc->deadline_ns = class->deadline_ns;
	if (!taskc->deadline_ns)
		taskc->deadline_ns = period_ns ? period_ns : default_deadline_ns(level);
	update_level(taskc);
}

__hidden void adopt_period(struct task_struct *p, struct task_ctx *taskc,
			   const struct policy_class *class)
{
	struct period_ctx *ctx = bpf_task_storage_get(&period_ctxs, p, 0, 0);

	set_period(taskc, class, ctx ? ctx->period_ns : 0);
}

__hidden void measure_period(struct task_struct *p, struct task_ctx *taskc, u64 now)
{
	/* creation can fail here, under the lock of a run queue: then the next release tries */
	struct period_ctx *ctx =
		bpf_task_storage_get(&period_ctxs, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	const struct policy_class *class = class_of(active_policy(), taskc);
	struct class_stats *stats = lookup_class_stats(taskc);
	u32 before = taskc->class_level;

	if (!ctx || !class || !period_note(ctx, now))
		return;
	estimate_period(ctx);
	if (ctx->period_ns == taskc->period_ns)
		return;
	set_period(taskc, class, ctx->period_ns);
	if (stats && taskc->class_level != before)
		stats->nr_releveled++;
}
