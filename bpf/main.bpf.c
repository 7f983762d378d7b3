/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * schedctl: classes of threads, by levels and deadlines
 *
 * A waking thread is a job release. Its level is a band: a higher level always goes
 * first and preempts, in both orders. Inside a band the order of the policy decides: edf
 * by absolute deadline (release + the class's deadline), fixed_priority by release. Below
 * the seven levels come the fair tier (weighted virtual time) and the background tier.
 * EDF within fixed priorities: Gonzalez Harbour & Palencia, RTSS 2003.
 *
 * Terms
 *   queue    0 background, 1 fair, 2..8 levels 1..7; its number is the thread's rank
 *   domain   a set of queues: one shared by the threads that may run everywhere, one per
 *            CPU for those that may not
 *   key      a thread's place in its queue: abs. deadline, release or virtual time, in ns
 *            of CLOCK_MONOTONIC or of virtual time, compared as signed differences
 *   renewal  a runnable thread without a budget that has consumed a whole slice is released
 *            anew, so that equals rotate and a job that never sleeps cannot starve its level
 *   budget   runtime per period and thread: a constant-bandwidth server (Abeni & Buttazzo,
 *            RTSS 1998), its states in job.bpf.c
 *   parked   out of budget: in a queue of the CPU whose timer ends the wait (park.bpf.c)
 *   late     past its job's deadline: counted when first seen, at the tick, when it gets a
 *            CPU or when it ends; misses within a time lift the thread (recovery)
 *   owed     a tier below its share: per CPU, over 100 ms, paid in quanta before any level
 *   overdue  a thread that waited a quarter of the watchdog's time-out; runs next whatever
 *            its tier, goes behind its equals then, and all of them take at most half of
 *            each 100 ms
 *
 * The way of a thread: ops.select_cpu claims an idle CPU; ops.runnable classifies, measures
 * its period where the class asks for it, and releases; ops.enqueue parks it, uses the claimed
 * CPU, takes the one that runs the least urgent thread of a few candidates, or queues;
 * ops.dispatch lets the previous thread take part with its own key. Classification:
 * classify.bpf.c. Jobs, levels, budgets: job.bpf.c. Queues: queue.bpf.c. Choice:
 * dispatch.bpf.c. Timers: park.bpf.c. Attach and end: attach.bpf.c. Arithmetic: sched_math.h,
 * period_math.h.
 *
 * Limits: a timer ends budgets and quanta, a tick the slices of 4 ms and more. A timer that
 * the kernel has no memory for leaves the tick to end them (nr_timer_failed). Threads of the
 * RT, deadline and fair classes of the kernel are outside. The maximum wait is a promise with
 * a load limit: half of the time, in quanta, over the time-out. A parked thread may hold a lock
 * of the kernel, for at most one period. A demoted thread that waits in the fair queue when its
 * period ends gets its level back when it next runs.
 */
#include "attach.bpf.h"
#include "classify.bpf.h"
#include "queue.bpf.h"
#include "job.bpf.h"
#include "dump.bpf.h"
#include "event.bpf.h"
#include "fault.bpf.h"
#include "park.bpf.h"
#include "period.bpf.h"
#include "power.bpf.h"
#include "vtime.bpf.h"

char _license[] SEC("license") = "GPL";

s32 BPF_STRUCT_OPS(schedctl_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	struct task_ctx *taskc = lookup_task(p);
	bool is_idle = false;
	s32 cpu;

	if (!taskc)
		return prev_cpu;
	/* a "sync" wake-up would get the waker's busy CPU, past all levels */
	cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags & ~SCX_WAKE_SYNC, &is_idle);
	taskc->idle_cpu = is_idle ? cpu : -1;
	return cpu;
}

void BPF_STRUCT_OPS(schedctl_enqueue, struct task_struct *p, u64 enq_flags)
{
	struct task_ctx *taskc = lookup_task(p);

	if (fault_enqueue(p, enq_flags))
		return;
	if (!taskc) {
		enqueue_without_context(p, enq_flags);
		return;
	}
	if (!(enq_flags & SCX_ENQ_WAKEUP)) {
		u64 now = bpf_ktime_get_ns();

		refresh_class(p, taskc);
		renew_slice(taskc, now);
		if (taskc->flags & TASK_OVERDUE && !taskc->queued_at)
			end_overdue(taskc, now);
	}
	enqueue_task(p, taskc, enq_flags);
}

void BPF_STRUCT_OPS(schedctl_dispatch, s32 cpu, struct task_struct *prev)
{
	dispatch_cpu(cpu, prev);
}

/* The last resort against a missed kick: whoever waits at a higher level gets the CPU now. */
void BPF_STRUCT_OPS(schedctl_tick, struct task_struct *p)
{
	s32 cpu = bpf_get_smp_processor_id(), idle;
	struct task_ctx *taskc = lookup_task(p);
	struct cpu_ctx *cpuc = lookup_cpu(cpu);
	u64 now;

	if (!taskc || !cpuc)
		return;
	now = bpf_ktime_get_ns();
	if (is_late(taskc, now))
		note_late(p, taskc, now);
	set_frequency(cpu, cpuc, taskc->level, now);
	if (is_timer_late(cpuc, now)) {
		task_set_slice(p, 0);
		return;
	}
	if (cpuc->grant == GRANT_NONE && is_beaten(cpu, taskc)) {
		task_set_slice(p, 0);
		return;
	}
	if (queue_waits(cpu, 0)) {
		const struct cpumask *online = scx_bpf_get_online_cpumask();

		idle = scx_bpf_pick_idle_cpu(online, 0);
		scx_bpf_put_cpumask(online);
		if (idle >= 0)
			kick(idle, SCX_KICK_IDLE);
	}
}

void BPF_STRUCT_OPS(schedctl_runnable, struct task_struct *p, u64 enq_flags)
{
	struct task_ctx *taskc = lookup_task(p);
	struct class_stats *stats;
	u64 now;

	if (!taskc)
		return;
	count_out(taskc);
	now = bpf_ktime_get_ns();
	refresh_class(p, taskc);
	if (taskc->flags & TASK_SURPLUS)
		retry_class(p, taskc);
	/* an affinity or nice change re-enqueues too: a fresh deadline there would be a gift */
	if (!(enq_flags & SCX_ENQ_WAKEUP) && taskc->release_at)
		return;
	if (taskc->flags & TASK_MEASURED)
		measure_period(p, taskc, now);
	release_job(taskc, now);
	if (!(enq_flags & SCX_ENQ_WAKEUP))
		return;
	taskc->queued_at = 0;
	taskc->flags &= ~TASK_OVERDUE;
	taskc->woken_at = now;
	stats = lookup_class_stats(taskc);
	if (!stats)
		return;
	stats->nr_wakeups++;
	if (taskc->flags & (TASK_HELD_BACK | TASK_SURPLUS)) {
		stats->nr_held_back += !!(taskc->flags & TASK_HELD_BACK);
		stats->nr_over_population += !!(taskc->flags & TASK_SURPLUS);
	}
}

static void note_running(struct task_struct *p, struct task_ctx *taskc, struct cpu_ctx *cpuc,
			 u64 now)
{
	struct class_stats *stats = lookup_class_stats(taskc);

	count_out(taskc);
	taskc->exec_ns = p->se.sum_exec_runtime;
	advance_vnow(taskc, taskc->queued_at);
	if (stats) {
		stats->nr_runs++;
		if (taskc->woken_at) {
			u32 bucket = latency_bucket(time_since(now, taskc->woken_at));

			barrier_var(bucket); /* keep the check that the verifier needs */
			if (bucket < LATENCY_BUCKETS)
				stats->latency[bucket]++;
		}
	}
	taskc->woken_at = 0;
	/*
	 * Not by the CPU's grant: that is lost where another thread comes in between. And the
	 * mark stays where the kernel takes a running thread out and puts it back, as in exit.
	 */
	if (taskc->queued_at) {
		taskc->flags &= ~TASK_OVERDUE;
		if (time_since(now, taskc->queued_at) > MAX_WAIT_NS)
			taskc->flags |= TASK_OVERDUE;
	}
	taskc->queued_at = 0;
	if (is_late(taskc, now))
		note_late(p, taskc, now);
}

/* The slice it was inserted with, or the quantum that dispatch has granted. */
static u64 granted_ns(struct task_struct *p, const struct cpu_ctx *cpuc)
{
	u64 slice_ns = p->scx.slice;

	if (cpuc->grant == GRANT_OVERDUE)
		slice_ns = OVERDUE_QUANTUM_NS;
	else if (cpuc->grant == GRANT_OWED && slice_ns > OWED_QUANTUM_NS)
		slice_ns = OWED_QUANTUM_NS;
	else
		return slice_ns;
	task_set_slice(p, slice_ns);
	return slice_ns;
}

void BPF_STRUCT_OPS(schedctl_running, struct task_struct *p)
{
	struct task_ctx *taskc = lookup_task(p);
	struct cpu_ctx *cpuc = this_cpu();
	u32 rank;
	u64 now;

	if (!cpuc)
		return;
	WRITE_ONCE(cpuc->urgent_pending, 0);
	/* a grant is for the thread that dispatch chose, not for one that came in between */
	rank = taskc ? queue_of(taskc) : QUEUE_FAIR;
	cpuc->grant = cpuc->next_rank == rank ? cpuc->next_grant : GRANT_NONE;
	cpuc->next_grant = GRANT_NONE;
	if (!taskc) {
		run_without_context(p, cpuc);
		return;
	}
	now = bpf_ktime_get_ns();
	/* what came before was idle, or other scheduling classes: no tier of ours could have had it */
	cpuc->accounted_at = now;
	note_running(p, taskc, cpuc, now);
	cpuc->curr_key = taskc->key;
	cpuc->curr_rank = rank;
	WRITE_ONCE(cpuc->curr_valid, 1);
	time_run(cpuc, taskc, now, granted_ns(p, cpuc));
	if (READ_ONCE(cpuc->look_again)) {
		WRITE_ONCE(cpuc->look_again, 0);
		if (may_wait_above(bpf_get_smp_processor_id(), taskc))
			kick(bpf_get_smp_processor_id(), SCX_KICK_PREEMPT);
	}
	if (needs_full_speed(cpuc, taskc->level))
		set_frequency(bpf_get_smp_processor_id(), cpuc, taskc->level, now);
}

void BPF_STRUCT_OPS(schedctl_stopping, struct task_struct *p, bool runnable)
{
	struct task_ctx *taskc = lookup_task(p);
	struct cpu_ctx *cpuc = this_cpu();

	if (!cpuc)
		return;
	WRITE_ONCE(cpuc->curr_valid, 0);
	cpuc->end_at = 0;
	if (taskc) {
		struct sched_stats *stats = this_stats();
		u64 ran_ns = p->se.sum_exec_runtime - taskc->exec_ns, now = bpf_ktime_get_ns();

		if (stats && p->flags & PF_KTHREAD && p->nr_cpus_allowed == 1)
			stats->kthread_ns += ran_ns;
		charge(p, taskc, cpuc, now);
		/* it is not runnable for a change of nice or affinity either; then it is not asleep */
		if (!runnable && taskc->job_deadline_at && p->__state)
			end_job(p, taskc, now);
	} else {
		stop_without_context(p, cpuc);
	}
	cpuc->grant = GRANT_NONE;
}

/* The kernel sets the idle bit before it calls this: whoever was queued before is seen. */
void BPF_STRUCT_OPS(schedctl_update_idle, s32 cpu, bool idle)
{
	struct cpu_ctx *cpuc = lookup_cpu(cpu);

	if (!cpuc || !idle || cpuc->offline)
		return;
	if (queue_waits(cpu, 0) || is_timer_late(cpuc, bpf_ktime_get_ns()))
		kick(cpu, SCX_KICK_IDLE);
}

/* Children's weights follow from their parents': every thread looks again. */
void BPF_STRUCT_OPS(schedctl_cgroup_set_weight, struct cgroup *cgrp, u32 weight)
{
	__sync_fetch_and_add(&weight_epoch, 1);
}

/* The kernel enforces no quota of sched_ext threads: the daemon looks at what was set. */
void BPF_STRUCT_OPS(schedctl_cgroup_set_bandwidth, struct cgroup *cgrp, u64 period_us, u64 quota_us,
		    u64 burst_us)
{
	struct task_struct *p = bpf_get_current_task_btf();
	struct task_ctx *taskc = lookup_task(p);

	count(nr_quota_changes);
	if (taskc)
		emit(p, taskc, EVENT_QUOTA, cgrp->kn->id);
}

void BPF_STRUCT_OPS(schedctl_cpu_online, s32 cpu)
{
	struct cpu_ctx *cpuc = lookup_cpu(cpu);

	if (cpuc) {
		forget_timer(cpuc);
		cpuc->offline = 0;
	}
	count(nr_cpu_online);
}

/* The kernel itself re-enqueues the threads of a CPU that goes, on its local queue. */
void BPF_STRUCT_OPS(schedctl_cpu_offline, s32 cpu)
{
	struct cpu_ctx *cpuc = lookup_cpu(cpu);

	if (cpuc)
		cpuc->offline = 1;
	drain_parked(cpu);
	count(nr_cpu_offline);
}

SEC(".struct_ops.link")
struct sched_ext_ops schedctl_ops = {
	.select_cpu = (void *)schedctl_select_cpu,
	.enqueue = (void *)schedctl_enqueue,
	.dispatch = (void *)schedctl_dispatch,
	.tick = (void *)schedctl_tick,
	.runnable = (void *)schedctl_runnable,
	.running = (void *)schedctl_running,
	.stopping = (void *)schedctl_stopping,
	.update_idle = (void *)schedctl_update_idle,
	.init_task = (void *)schedctl_init_task,
	.disable = (void *)schedctl_disable,
	.exit_task = (void *)schedctl_exit_task,
	.cgroup_set_weight = (void *)schedctl_cgroup_set_weight,
	.cgroup_set_bandwidth = (void *)schedctl_cgroup_set_bandwidth,
	.cpu_online = (void *)schedctl_cpu_online,
	.cpu_offline = (void *)schedctl_cpu_offline,
	.dump = (void *)schedctl_dump,
	.dump_cpu = (void *)schedctl_dump_cpu,
	.dump_task = (void *)schedctl_dump_task,
	.init = (void *)schedctl_init,
	.exit = (void *)schedctl_exit,
	.flags = SCX_OPS_ENQ_LAST | SCX_OPS_ENQ_EXITING | SCX_OPS_ENQ_MIGRATION_DISABLED |
		 SCX_OPS_KEEP_BUILTIN_IDLE,
	.timeout_ms = FAULT_TIMEOUT_MS,
	.name = "schedctl",
};
