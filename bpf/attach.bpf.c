/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler begins and ends, and threads with it.
 *
 * Maps outlive an attach: the next object may share those of the threads and the statistics, and
 * an object that was replaced may come back with all of its own. So nothing here trusts what it
 * finds. What a thread's context keeps is its timer slack, which is nobody else's to give back;
 * everything else begins anew, budgets full.
 */
#include "attach.bpf.h"
#include "classify.bpf.h"
#include "event.bpf.h"
#include "fault.bpf.h"
#include "park.bpf.h"
#include "queue.bpf.h"
#include "vtime.bpf.h"

#define EINVAL 22

/* Never an error: it would fail the fork, or the attach. */
s32 BPF_STRUCT_OPS(schedctl_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct task_ctx *taskc =
		bpf_task_storage_get(&task_ctxs, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	u64 slack_ns, slack_asked_ns;
	u16 slack_left;

	if (!taskc)
		return 0;
	slack_ns = taskc->slack_ns;
	slack_asked_ns = taskc->slack_asked_ns;
	slack_left = taskc->flags & TASK_SLACK_LEFT;
	__builtin_memset(taskc, 0, sizeof(*taskc));
	taskc->slack_ns = slack_ns;
	taskc->slack_asked_ns = slack_asked_ns;
	taskc->flags = slack_left;
	taskc->idle_cpu = -1;
	taskc->tier = TIER_FAIR;
	taskc->class_tier = TIER_FAIR;
	taskc->weight = WEIGHT_ONE;
	taskc->slice_ns = TICK_MAX_NS;
	taskc->layout = TASK_LAYOUT;
	taskc->exec_ns = p->se.sum_exec_runtime;
	taskc->domain = DOMAIN_SHARED;
	/* a child has its parent's timer slack, which may be a class's */
	if (args->fork) {
		struct task_ctx *parentc = lookup_task(bpf_get_current_task_btf());

		if (parentc) {
			taskc->slack_ns = parentc->slack_ns;
			taskc->slack_asked_ns = parentc->slack_asked_ns;
			taskc->flags |= parentc->flags & TASK_SLACK_LEFT;
		}
	}
	/* a child begins with a slice of debt, or a storm of forks would go before all others */
	taskc->vtime_tier = TIER_FAIR;
	taskc->vtime = vnow_of(DOMAIN_SHARED, TIER_FAIR) + (args->fork ? TICK_MAX_NS : 0);
	return 0;
}

void BPF_STRUCT_OPS(schedctl_exit_task, struct task_struct *p, struct scx_exit_task_args *args)
{
	struct task_ctx *taskc = lookup_task(p);

	if (!taskc)
		return;
	leave_class(taskc);
	count_out(taskc);
}

/* To another scheduling class of the kernel, for a while or for good. */
void BPF_STRUCT_OPS(schedctl_disable, struct task_struct *p)
{
	struct task_ctx *taskc = lookup_task(p);

	if (taskc)
		count_out(taskc);
}

/* Nobody runs or waits yet, and no time has passed. */
static void reset_state(u32 nr_cpus)
{
	u32 cpu, domain;

	bpf_for(cpu, 0, nr_cpus) {
		struct cpu_ctx *cpuc = lookup_cpu(cpu);

		if (cpuc)
			__builtin_memset(cpuc, 0, sizeof(*cpuc));
	}
	bpf_for(domain, 0, DOMAIN_CPU0 + nr_cpus) {
		struct domain_ctx *domc = lookup_domain(domain);

		if (domc)
			__builtin_memset(domc, 0, sizeof(*domc));
	}
}

s32 BPF_STRUCT_OPS_SLEEPABLE(schedctl_init)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), domain, queue;
	s32 err = fault_init();

	if (err)
		return err;
	if (DOMAIN_CPU0 + nr_cpus > MAX_DOMAINS) {
		scx_error("%u CPUs, at most %u", nr_cpus, MAX_DOMAINS - 1);
		return -EINVAL;
	}
	reset_state(nr_cpus);
	bpf_for(domain, 0, DOMAIN_CPU0 + nr_cpus) {
		bpf_for(queue, 0, NR_QUEUES + 1) {
			err = scx_bpf_create_dsq(dsq_of(domain, queue), -1);
			if (err) {
				scx_error("queue %u of domain %u: error %d", queue, domain, err);
				return err;
			}
		}
	}
	err = init_timers(nr_cpus);
	if (err)
		scx_error("timers: error %d", err);
	return err;
}

/* The record's kind last: with it the rest is there. */
void BPF_STRUCT_OPS(schedctl_exit, struct scx_exit_info *ei)
{
	u32 zero = 0;
	struct exit_record *record = bpf_map_lookup_elem(&exit_record, &zero);
	struct exit_dump *dump = bpf_map_lookup_elem(&exit_dump, &zero);

	if (!record || !dump)
		return;
	if (ei->dump)
		bpf_probe_read_kernel_str(dump->text, sizeof(dump->text), ei->dump);
	record->exit_code = ei->exit_code;
	record->at_ns = bpf_ktime_get_ns();
	bpf_probe_read_kernel_str(record->reason, sizeof(record->reason), ei->reason);
	bpf_probe_read_kernel_str(record->msg, sizeof(record->msg), ei->msg);
	WRITE_ONCE(record->kind, ei->kind);
	emit_exit();
}
