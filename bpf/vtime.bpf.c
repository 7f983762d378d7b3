/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual time of the fair and the background tier.
 *
 * The threads that may run everywhere have one, that of the thread which was chosen last. A CPU's
 * own queue has the same, behind by a distance: it advances with the shared one, so that a thread
 * bound to the CPU gains on those that run while it waits. Nothing is owed for what the CPU could
 * not give to all that are bound to it, nor by them for what nobody else wanted.
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
