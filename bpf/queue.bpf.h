/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_QUEUE_BPF_H
#define SCHEDCTL_QUEUE_BPF_H

#include "state.bpf.h"

/* Charge what `p` ran since it was last charged: slice, virtual time, debts, statistics. */
void charge(struct task_struct *p, struct task_ctx *taskc, struct cpu_ctx *cpuc, u64 now);

/* Behind its equals, after a quantum that it got for its age. */
void end_overdue(struct task_ctx *taskc, u64 now);

/* Put a runnable thread where it waits, or on the CPU it may take at once. */
void enqueue_task(struct task_struct *p, struct task_ctx *taskc, u64 enq_flags);

/* The thread is about to wait in that queue, or waits nowhere any more. */
void count_in(struct task_ctx *taskc, u32 domain, u32 queue);
void count_out(struct task_ctx *taskc);

/* False where nothing waits in that queue; true where something may. */
static inline bool may_wait(u32 domain, u32 queue)
{
	struct domain_ctx *domc = lookup_domain(domain);

	if (domain == DOMAIN_SHARED && queue == QUEUE_FAIR)
		return true;
	return domc && READ_ONCE(domc->nr[queue & 15]);
}

/*
 * Move a thread from the queue that `it` is open on, or from the queue `from`, to that of its tier and
 * level; from ops.dispatch. False where it has left in the meantime.
 */
bool move_in(struct bpf_iter_scx_dsq *it, struct task_struct *p, struct task_ctx *taskc);
void requeue(struct task_struct *p, struct task_ctx *taskc, u64 from);

/* The same of a domain, all of its counted queues at once. */
static inline bool any_may_wait(u32 domain)
{
	struct domain_ctx *domc = lookup_domain(domain);
	const volatile u64 *pairs;

	if (!domc)
		return false;
	pairs = (const volatile u64 *)domc->nr;
	return pairs[0] | pairs[1] | pairs[2] | pairs[3] | pairs[4];
}

/* This CPU is going, and gets no interrupts any more; `cpuc` is its own. */
bool is_dead(const struct cpu_ctx *cpuc);

/*
 * scx_bpf_kick_cpu(), but not from a dead CPU: it would lose the interrupt that does the work, and
 * with it all interrupt work of the kernel on that CPU for good, also when it is back.
 */
void kick(s32 cpu, u64 flags);

/* True where somebody may wait at the thread's own level or above; says nothing of other tiers. */
static inline bool may_wait_above(s32 cpu, const struct task_ctx *taskc)
{
	return taskc->tier != TIER_REALTIME || any_may_wait(DOMAIN_SHARED) ||
	       any_may_wait(DOMAIN_CPU0 + cpu);
}

/* The domain whose queues the thread waits in. */
u32 home_of(struct task_struct *p);

/* A thread has come into its queue from elsewhere: let a CPU know that may take it. */
int offer(struct task_struct *p, struct task_ctx *taskc);

/* A thread for whose context there was no memory: fair, of nice 0, its time in the CPU's accounts. */
void enqueue_without_context(struct task_struct *p, u64 enq_flags);
void run_without_context(struct task_struct *p, struct cpu_ctx *cpuc);
void stop_without_context(struct task_struct *p, struct cpu_ctx *cpuc);

/* Fill `cpu`'s local queue, or let `prev` go on. */
void dispatch_cpu(s32 cpu, struct task_struct *prev);

/* True where somebody waits that goes before the thread which runs on `cpu`. */
bool is_beaten(s32 cpu, const struct task_ctx *taskc);

/* True where something waits that `cpu` may run and that goes before `rank`. */
bool queue_waits(s32 cpu, u32 rank);

#endif
