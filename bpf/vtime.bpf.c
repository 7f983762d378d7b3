/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual time of the fair and the background tier.
 *
 * The threads that may run everywhere have one, that of the thread which was chosen last. A CPU's
 * own queue has the same, behind by a distance: it advances with the shared one, so that a thread
 * bound to the CPU gains on those that run while it waits. Nothing is owed for what the CPU could
 * not give to all that are bound to it, nor by them for what nobody else wanted.
 *
 * A queue shows who is first and last, and a thread that is overdue may be neither: far ahead in
 * virtual time for its small weight, behind others that come again and again. So each epoch ends
 * with a floor under the keys of all who come or go on, the highest key of the epoch before: what
 * was there before is served first, and within three epochs a thread is behind older ones only.
 */
#include "vtime.bpf.h"

/* Virtual time moves in steps of this, so that its cache line is mostly read. */
#define VNOW_STEP_NS (MSEC_NS / 10)

__hidden u64 vnow_of(u32 domain, u32 tier)
{
	struct domain_ctx *shared = lookup_domain(DOMAIN_SHARED), *domc;
	u32 index = tier_index(tier);

	if (!shared)
		return 0;
	if (domain == DOMAIN_SHARED)
		return shared->vnow[index];
	domc = lookup_domain(domain);
	return shared->vnow[index] - (domc ? domc->behind_ns[index] : 0);
}

__hidden void move_vtime(struct task_ctx *taskc, u32 domain)
{
	if (taskc->domain == domain && taskc->vtime_tier == taskc->tier)
		return;
	taskc->vtime += vnow_of(domain, taskc->tier) - vnow_of(taskc->domain, taskc->vtime_tier);
	taskc->domain = domain;
	taskc->vtime_tier = taskc->tier;
}

__hidden void advance_vnow(struct task_ctx *taskc, bool waited)
{
	u32 tier = tier_index(taskc->tier);
	u32 queue = tier == TIER_FAIR ? QUEUE_FAIR : QUEUE_BACKGROUND;
	struct domain_ctx *domc, *shared = lookup_domain(DOMAIN_SHARED);
	bool contended;
	u64 vnow;

	if (tier == TIER_REALTIME || !shared)
		return;
	move_vtime(taskc, taskc->domain);
	/* it came past the queues: as a kernel thread of the CPU, or from another scheduling class */
	if (!waited)
		taskc->vtime = vtime_clamp(taskc->vtime, vnow_of(taskc->domain, tier));
	vnow = shared->vnow[tier];
	if (taskc->domain == DOMAIN_SHARED) {
		if (time_before(vnow + VNOW_STEP_NS, taskc->vtime))
			shared->vnow[tier] = taskc->vtime;
		return;
	}
	domc = lookup_domain(taskc->domain);
	if (!domc)
		return;
	contended = scx_bpf_dsq_nr_queued(dsq_of(DOMAIN_SHARED, queue)) > 0;
	domc->behind_ns[tier] = vtime_behind(domc->behind_ns[tier], vnow, taskc->vtime, contended);
}

__hidden void respect_age(struct task_ctx *taskc, u64 now, bool waits)
{
	struct domain_ctx *domc = lookup_domain(taskc->domain);
	u32 tier = tier_index(taskc->tier);

	if (!domc)
		return;
	if (time_since(now, domc->epoch_at[tier]) >= AGE_EPOCH_NS) {
		domc->epoch_at[tier] = now;
		/* of the epoch before: virtual time has passed that by itself, but where all wait long */
		domc->floor[tier] = domc->next_floor[tier];
		domc->next_floor[tier] = domc->top[tier] + VNOW_STEP_NS;
	}
	taskc->vtime = later_of(taskc->vtime, domc->floor[tier]);
	if (waits && time_before(domc->top[tier] + VNOW_STEP_NS, taskc->vtime))
		domc->top[tier] = taskc->vtime;
}
