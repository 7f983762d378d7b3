/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel's dump of an ejected scheduler says of ours. */
#include "dump.bpf.h"

void BPF_STRUCT_OPS(schedctl_dump, struct scx_dump_ctx *dctx)
{
	const struct policy *pol = active_policy();
	u32 i;

	if (pol)
		scx_dump("generation %llu slot %u order %u classes %u rules %u", pol->generation,
			 pol->slot, pol->order, pol->nr_classes, pol->nr_rules);
	bpf_for(i, 0, NR_QUEUES)
		scx_dump("shared queue %u: %d threads", i,
			 scx_bpf_dsq_nr_queued(dsq_of(DOMAIN_SHARED, i)));
}

void BPF_STRUCT_OPS(schedctl_dump_cpu, struct scx_dump_ctx *dctx, s32 cpu, bool idle)
{
	struct cpu_ctx *cpuc = lookup_cpu(cpu);

	if (cpuc)
		scx_dump("rank %u valid %u grant %u pending %u debt fair %lld background %lld",
			 cpuc->curr_rank, cpuc->curr_valid, cpuc->grant, cpuc->urgent_pending,
			 cpuc->debt_ns[TIER_FAIR], cpuc->debt_ns[TIER_BACKGROUND]);
}

void BPF_STRUCT_OPS(schedctl_dump_task, struct scx_dump_ctx *dctx, struct task_struct *p)
{
	struct task_ctx *taskc = lookup_task(p);

	if (taskc)
		scx_dump("class %u tier %u level %u key %llu queued_at %llu domain %u",
			 taskc->class_index & (MAX_CLASSES - 1), taskc->tier, taskc->level,
			 taskc->key, taskc->queued_at, taskc->domain);
}
