/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The timer of each CPU, and the threads that wait for it.
 *
 * The kernel ends slices at ticks. Where a budget or a quantum ends earlier, a timer of the
 * CPU's own kicks it with SCX_KICK_PREEMPT, which calls ops.dispatch. The same timer says when
 * the first parked thread may go on. It is armed for the earliest of the two; a later one that
 * is pending is left alone, and the callback arms it anew.
 *
 * A parked thread waits in a queue of this CPU, not in custody of BPF, so that a detach, a
 * change of class or a bypass finds it.
 */
#include "park.bpf.h"
#include "job.bpf.h"
#include "queue.bpf.h"

/* Threads brought back by one ops.dispatch; the rest by the next, right after. */
#define UNPARK_BATCH 8
#define CLOCK_MONOTONIC 1
#define EBUSY 16

static void arm(struct cpu_ctx *cpuc, u64 at)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct end_timer *timer;

	if ((cpuc->timer_at && !time_before(at, cpuc->timer_at)) || is_dead(cpuc))
		return;
	timer = bpf_map_lookup_elem(&end_timers, &cpu);
	if (!timer)
		return;
	if (bpf_timer_start(&timer->timer, at, BPF_F_TIMER_ABS | BPF_F_TIMER_CPU_PIN)) {
		count(nr_timer_failed);
		return;
	}
	cpuc->timer_at = at;
	count(nr_timer_armed);
}

/* The earlier of two times that are still to come; 0 = none. */
static u64 earlier_of(u64 a, u64 b, u64 now)
{
	if (!b || !time_before(now, b) || (a && !time_before(b, a)))
		return a;
	return b;
}

static int timer_fires(void *map, u32 *key, struct end_timer *timer)
{
	struct cpu_ctx *cpuc = this_cpu();
	u64 now = bpf_ktime_get_ns(), next = 0;

	/* the kernel moves the timers of a CPU that goes to another one */
	if (!cpuc || *key != bpf_get_smp_processor_id())
		return 0;
	cpuc->timer_at = 0;
	if (is_timer_late(cpuc, now))
		kick(bpf_get_smp_processor_id(), SCX_KICK_PREEMPT);
	next = earlier_of(next, cpuc->end_at, now);
	next = earlier_of(next, cpuc->park_at, now);
	next = earlier_of(next, cpuc->demote_at, now);
	if (next)
		arm(cpuc, next);
	return 0;
}

__hidden s32 init_timers(u32 nr_cpus)
{
	u32 cpu;

	bpf_for(cpu, 0, nr_cpus) {
		u32 key = cpu;
		struct end_timer *timer = bpf_map_lookup_elem(&end_timers, &key);
		s32 err;

		if (!timer)
			return -22;
		err = bpf_timer_init(&timer->timer, &end_timers, CLOCK_MONOTONIC);
		/* an object that comes back after a swap has its timers still */
		if (!err || err == -EBUSY)
			err = bpf_timer_set_callback(&timer->timer, timer_fires);
		if (err)
			return err;
	}
	return 0;
}

__hidden void time_run(struct cpu_ctx *cpuc, const struct task_ctx *taskc, u64 now, u64 slice_ns)
{
	bool ends_soon = slice_ns < TICK_MAX_NS;

	if (has_budget(taskc)) {
		/* the tick looks at slices only, and is up to a tick late; who exits has none and runs */
		if (!ends_soon && !budget_is_out(taskc->budget_ns) &&
		    taskc->budget_ns < (s64)(slice_ns + TICK_MAX_NS)) {
			slice_ns = taskc->budget_ns;
			ends_soon = true;
		}
	} else if (cpuc->grant == GRANT_NONE && taskc->slice_ns >= TICK_MAX_NS) {
		ends_soon = false;
	}
	if (!ends_soon) {
		cpuc->end_at = 0;
		return;
	}
	cpuc->end_at = now + slice_ns;
	arm(cpuc, cpuc->end_at);
}

static void wait_for(struct cpu_ctx *cpuc, u64 at)
{
	if (cpuc->park_at && !time_before(at, cpuc->park_at))
		return;
	cpuc->park_at = at;
	arm(cpuc, at);
}

__hidden bool park(struct task_struct *p, struct task_ctx *taskc, u64 enq_flags)
{
	struct cpu_ctx *cpuc = this_cpu();

	if (!cpuc)
		return false;
	/* it moves its threads away, and would keep this one until it is back */
	if (cpuc->offline) {
		replenish(taskc, bpf_ktime_get_ns());
		count(nr_drained);
		return false;
	}
	/* not part of the maximum wait: the watchdog sees it run within a period */
	taskc->queued_at = 0;
	taskc->flags &= ~TASK_OVERDUE;
	dsq_insert_vtime(p, dsq_of(DOMAIN_CPU0 + bpf_get_smp_processor_id(), QUEUE_PARK),
			 RUN_MIN_NS, taskc->replenish_at, enq_flags);
	wait_for(cpuc, taskc->replenish_at);
	return true;
}

__hidden void forget_timer(struct cpu_ctx *cpuc)
{
	cpuc->timer_at = 0;
	cpuc->end_at = 0;
	cpuc->park_at = 0;
}

/* From a queue of parked threads to where it waits for a CPU. */
static void unpark(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 now)
{
	struct task_ctx *taskc = lookup_task(p);

	if (!taskc)
		return;
	replenish(taskc, now);
	taskc->queued_at = now;
	if (move_in(it, p, taskc))
		count(nr_unparked);
	offer(p, taskc);
}

__noinline int unpark_due(s32 cpu, struct cpu_ctx *cpuc __arg_nonnull, u64 now)
{
	u32 nr = opaque_zero; /* not known to the verifier, or it would walk each value */
	struct task_struct *p = NULL;
	u64 next = 0;

	bpf_for_each(scx_dsq, p, dsq_of(DOMAIN_CPU0 + cpu, QUEUE_PARK), 0) {
		if (time_before(now, p->scx.dsq_vtime) || nr++ >= UNPARK_BATCH) {
			next = p->scx.dsq_vtime;
			break;
		}
		unpark(&___it, p, now);
	}
	cpuc->park_at = 0;
	if (next)
		wait_for(cpuc, time_before(now, next) ? next : now + RUN_MIN_NS);
	return 0;
}

__hidden void note_demoted(struct task_struct *p, const struct task_ctx *taskc)
{
	struct cpu_ctx *cpuc = this_cpu();
	u32 i;

	if (!cpuc)
		return;
	bpf_for(i, 0, DEMOTED_MAX) {
		if (i >= DEMOTED_MAX || cpuc->demoted_pid[i])
			continue;
		cpuc->demoted_pid[i] = p->pid;
		cpuc->demoted_at[i] = taskc->replenish_at;
		if (!cpuc->demote_at || time_before(taskc->replenish_at, cpuc->demote_at)) {
			cpuc->demote_at = taskc->replenish_at;
			arm(cpuc, taskc->replenish_at);
		}
		return;
	}
}

/* From the fair queue to that of its level; where it does not wait there, it has seen to itself. */
__noinline int restore(u32 pid, u64 now)
{
	struct task_struct *p = bpf_task_from_pid(pid);
	struct task_ctx *taskc = p ? lookup_task(p) : NULL;

	if (p && taskc && taskc->flags & TASK_DEMOTED && taskc->queued_at &&
	    !time_before(now, taskc->replenish_at)) {
		u64 from = dsq_of(taskc->domain, QUEUE_FAIR);

		replenish(taskc, now);
		requeue(p, taskc, from);
		offer(p, taskc);
	}
	if (p)
		bpf_task_release(p);
	return 0;
}

__noinline int restore_due(struct cpu_ctx *cpuc __arg_nonnull, u64 now)
{
	u64 next = 0;
	u32 i;

	bpf_for(i, 0, DEMOTED_MAX) {
		u32 pid;

		if (i >= DEMOTED_MAX)
			break;
		pid = cpuc->demoted_pid[i];
		if (!pid)
			continue;
		if (time_before(now, cpuc->demoted_at[i])) {
			next = earlier_of(next, cpuc->demoted_at[i], now);
			continue;
		}
		cpuc->demoted_pid[i] = 0;
		restore(pid, now);
	}
	cpuc->demote_at = next;
	if (next)
		arm(cpuc, next);
	return 0;
}

__hidden void drain_parked(s32 cpu)
{
	u64 now = bpf_ktime_get_ns();
	struct task_struct *p = NULL;

	bpf_for_each(scx_dsq, p, dsq_of(DOMAIN_CPU0 + cpu, QUEUE_PARK), 0) {
		unpark(&___it, p, now);
		count(nr_drained);
	}
}
