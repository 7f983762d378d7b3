/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a runnable thread waits, and which CPU an urgent one takes at once.
 *
 * A thread that may run everywhere waits in the shared domain; one whose affinity or
 * migrate_disable() binds it waits in the domain of the CPU that the kernel has put it
 * on, so that no CPU ever walks past threads that it may not run.
 */
#include "queue.bpf.h"
#include "job.bpf.h"
#include "park.bpf.h"
#include "vtime.bpf.h"

/* CPUs looked at for one that runs something less urgent. */
#define NR_CANDIDATES 8

/* In task_ctx.counted; without it 0 would be the background queue of all CPUs. */
#define COUNTED (1U << 31)

/* A tier's debt after `elapsed_ns` in which it waited or ran, and `ran_ns` that it got. */
static void settle_debt(struct cpu_ctx *cpuc, u32 tier, u32 ran_tier, u64 elapsed_ns, u64 ran_ns,
			u32 share_permille)
{
	s64 debt_ns = cpuc->debt_ns[tier];

	if (cpuc->backlog & 1 << tier || tier == ran_tier)
		debt_ns = debt_accrue(debt_ns, elapsed_ns, share_permille);
	if (tier == ran_tier)
		debt_ns = debt_pay(debt_ns, ran_ns, cpuc->grant == GRANT_OWED);
	cpuc->debt_ns[tier] = debt_ns;
}

/* What a thread of a tier ran, in the accounts of its CPU. */
static void charge_cpu(struct cpu_ctx *cpuc, u32 tier, u64 ran_ns, u64 now)
{
	u64 elapsed_ns = time_since(now, cpuc->accounted_at);
	struct sched_stats *totals = this_stats();

	cpuc->accounted_at = now;
	cpuc->busy_ns += ran_ns;
	settle_debt(cpuc, TIER_FAIR, tier, elapsed_ns, ran_ns, cpuc->fair_permille);
	settle_debt(cpuc, TIER_BACKGROUND, tier, elapsed_ns, ran_ns, cpuc->background_permille);
	if (time_since(now, cpuc->window_at) >= SHARE_WINDOW_NS) {
		cpuc->window_at = now;
		cpuc->overdue_ns = 0;
	}
	if (cpuc->grant == GRANT_OVERDUE)
		cpuc->overdue_ns += ran_ns;
	if (totals && tier < NR_TIERS)
		totals->tier_ns[tier] += ran_ns;
}

__hidden void charge(struct task_struct *p, struct task_ctx *taskc, struct cpu_ctx *cpuc, u64 now)
{
	u64 exec_ns = p->se.sum_exec_runtime, ran_ns = exec_ns - taskc->exec_ns;
	struct class_stats *stats = lookup_class_stats(taskc);
	u32 tier = tier_index(taskc->tier);

	taskc->exec_ns = exec_ns;
	taskc->slice_used_ns += ran_ns;
	if (tier != TIER_REALTIME)
		taskc->vtime = vtime_charge(taskc->vtime, ran_ns, taskc->weight);
	else if (taskc->runtime_ns)
		taskc->budget_ns -= ran_ns;
	charge_cpu(cpuc, tier, ran_ns, now);
	if (stats)
		stats->runtime_ns += ran_ns;
}

/*
 * An overdue thread has had its quantum: behind those that wait with it, or it would be the
 * head again, not overdue any more, and hide them.
 */
__hidden void end_overdue(struct task_ctx *taskc, u64 now)
{
	taskc->flags &= ~TASK_OVERDUE;
	if (taskc->tier == TIER_REALTIME) {
		release_again(taskc, now);
		return;
	}
	taskc->vtime = later_of(taskc->vtime, vnow_of(taskc->domain, taskc->tier));
}

__hidden bool is_dead(const struct cpu_ctx *cpuc)
{
	const struct cpumask *online;
	bool dead;

	if (!cpuc->offline)
		return false;
	online = scx_bpf_get_online_cpumask();
	dead = !bpf_cpumask_test_cpu(bpf_get_smp_processor_id(), online);
	scx_bpf_put_cpumask(online);
	return dead;
}

__hidden void kick(s32 cpu, u64 flags)
{
	struct cpu_ctx *cpuc = this_cpu();

	if (cpuc && !is_dead(cpuc))
		scx_bpf_kick_cpu(cpu, flags);
}

/* While a BPF program runs, the current thread's own count is one higher because of it. */
static bool is_migration_disabled(struct task_struct *p)
{
	return p->migration_disabled > (p == bpf_get_current_task_btf());
}

static bool is_bound(struct task_struct *p)
{
	const struct cpumask *online;
	bool covers;

	if (p->nr_cpus_allowed == 1 || is_migration_disabled(p))
		return true;
	if ((u32)p->nr_cpus_allowed >= scx_bpf_nr_cpu_ids())
		return false;
	online = scx_bpf_get_online_cpumask();
	covers = bpf_cpumask_subset(online, p->cpus_ptr);
	scx_bpf_put_cpumask(online);
	return !covers;
}

__hidden u32 home_of(struct task_struct *p)
{
	return is_bound(p) ? DOMAIN_CPU0 + scx_bpf_task_cpu(p) : DOMAIN_SHARED;
}

/* The thread's place in the fair or background queue of `domain`. */
static void enter_domain(struct task_ctx *taskc, u32 domain)
{
	move_vtime(taskc, domain);
	taskc->vtime = vtime_clamp(taskc->vtime, vnow_of(domain, taskc->tier));
	taskc->key = taskc->vtime;
}

__hidden void count_out(struct task_ctx *taskc)
{
	struct domain_ctx *domc;
	u32 counted;

	if (!READ_ONCE(taskc->counted))
		return;
	/* by one CPU alone: another may move it to a queue while this one takes it from there */
	counted = __sync_lock_test_and_set(&taskc->counted, 0);
	if (!counted)
		return;
	domc = lookup_domain((counted & ~COUNTED) >> 8);
	if (domc)
		__sync_fetch_and_sub(&domc->nr[counted & 15], 1);
}

__hidden void count_in(struct task_ctx *taskc, u32 domain, u32 queue)
{
	struct domain_ctx *domc;

	count_out(taskc);
	if (domain == DOMAIN_SHARED && queue == QUEUE_FAIR)
		return;
	domc = lookup_domain(domain);
	if (!domc)
		return;
	__sync_fetch_and_add(&domc->nr[queue & 15], 1);
	WRITE_ONCE(taskc->counted, COUNTED | domain << 8 | queue);
}

/* More urgent than what runs on the CPU: a higher band, or in EDF an earlier deadline. */
static bool beats(const struct task_ctx *taskc, u32 rank, const struct cpu_ctx *cpuc)
{
	if (rank != cpuc->curr_rank)
		return rank > cpuc->curr_rank;
	return rank >= QUEUE_LEVEL1 && !(taskc->flags & TASK_FIXED_PRIORITY) &&
	       time_before(taskc->key, cpuc->curr_key);
}

/*
 * The CPU that runs the least urgent thread among a fixed number of candidates, if the
 * thread beats it; else -1, and *retry names a CPU that was in between two threads.
 */
static s32 find_victim(struct task_struct *p, const struct task_ctx *taskc, u32 rank, bool bound,
		       s32 *retry)
{
	u32 nr_cpus = scx_bpf_nr_cpu_ids(), start = scx_bpf_task_cpu(p), i;
	u32 worst_rank = NR_QUEUES;
	u64 worst_key = 0;
	s32 victim = -1;

	*retry = -1;
	bpf_for(i, 0, NR_CANDIDATES) {
		struct cpu_ctx *cpuc;
		s32 cpu;

		if (i >= nr_cpus || (bound && is_migration_disabled(p) && i))
			break;
		cpu = (start + i) % nr_cpus;
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		cpuc = lookup_cpu(cpu);
		if (!cpuc)
			break;
		if (cpuc->offline || cpuc->grant != GRANT_NONE)
			continue;
		if (!READ_ONCE(cpuc->curr_valid) || READ_ONCE(cpuc->urgent_pending)) {
			if (*retry < 0)
				*retry = cpu;
			continue;
		}
		if (!beats(taskc, rank, cpuc))
			continue;
		if (victim < 0 || cpuc->curr_rank < worst_rank ||
		    (cpuc->curr_rank == worst_rank && time_before(worst_key, cpuc->curr_key))) {
			victim = cpu;
			worst_rank = cpuc->curr_rank;
			worst_key = cpuc->curr_key;
		}
	}
	return victim;
}

__hidden bool move_in(struct bpf_iter_scx_dsq *it, struct task_struct *p, struct task_ctx *taskc)
{
	u32 domain = home_of(p), queue = queue_of(taskc);

	count_in(taskc, domain, queue);
	return dsq_move_vtime(it, p, dsq_of(domain, queue), taskc->key, run_ns(taskc));
}

/* An iterator may move a thread that it has not come to, as long as that is in its queue. */
__hidden void requeue(struct task_struct *p, struct task_ctx *taskc, u64 from)
{
	struct bpf_iter_scx_dsq it;

	if (!bpf_iter_scx_dsq_new(&it, from, 0))
		move_in(&it, p, taskc);
	bpf_iter_scx_dsq_destroy(&it);
}

__noinline int offer(struct task_struct *p __arg_trusted, struct task_ctx *taskc __arg_nonnull)
{
	s32 cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0), retry;

	if (cpu >= 0) {
		kick(cpu, SCX_KICK_IDLE);
		return 0;
	}
	cpu = find_victim(p, taskc, queue_of(taskc), is_bound(p), &retry);
	if (cpu >= 0 && cpu != (s32)bpf_get_smp_processor_id())
		kick(cpu, SCX_KICK_PREEMPT);
	return 0;
}

static void wait_in_queue(struct task_struct *p, struct task_ctx *taskc, u32 domain, u64 enq_flags)
{
	if (taskc->tier != TIER_REALTIME)
		enter_domain(taskc, domain);
	/* since it last ran: who is put back without having run keeps its age */
	if (!taskc->queued_at) {
		taskc->queued_at = bpf_ktime_get_ns();
		if (taskc->tier != TIER_REALTIME) {
			respect_age(taskc, taskc->queued_at, true);
			taskc->key = taskc->vtime;
		}
	}
	count_in(taskc, domain, queue_of(taskc));
	dsq_insert_vtime(p, dsq_of(domain, queue_of(taskc)), run_ns(taskc), taskc->key, enq_flags);
}

/* True when a CPU was taken from something less urgent. */
static bool preempt_cpu(struct task_struct *p, struct task_ctx *taskc, s32 cpu, u64 enq_flags)
{
	struct class_stats *stats = lookup_class_stats(taskc);
	struct cpu_ctx *cpuc = lookup_cpu(cpu);

	if (!cpuc)
		return false;
	/* two urgent inserts would pile up in the local queue, without order */
	if (__sync_val_compare_and_swap(&cpuc->urgent_pending, 0, 1)) {
		count(nr_slot_taken);
		return false;
	}
	if (stats)
		stats->nr_preemptions++;
	dsq_insert(p, SCX_DSQ_LOCAL_ON | cpu, run_ns(taskc),
		   enq_flags | SCX_ENQ_PREEMPT | enq_immed());
	return true;
}

/* The idle CPU that a waking thread gets, claimed; or -1. */
static s32 claim_idle(struct task_struct *p, struct task_ctx *taskc, bool wakeup)
{
	s32 cpu = scx_bpf_task_cpu(p), claimed = taskc->idle_cpu;

	taskc->idle_cpu = -1;
	if (!wakeup)
		return -1;
	if (claimed == cpu)
		return cpu;
	/* ops.select_cpu was not asked, or overruled: give the CPU it claimed back */
	if (claimed >= 0)
		kick(claimed, SCX_KICK_IDLE);
	return scx_bpf_test_and_clear_cpu_idle(cpu) ? cpu : -1;
}

static bool is_cpu_kthread(struct task_struct *p, const struct task_ctx *taskc)
{
	return p->flags & PF_KTHREAD && p->nr_cpus_allowed == 1 &&
	       !(taskc->class_index & (MAX_CLASSES - 1));
}

__hidden void enqueue_task(struct task_struct *p, struct task_ctx *taskc, u64 enq_flags)
{
	bool wakeup = enq_flags & SCX_ENQ_WAKEUP, bound;
	s32 idle = claim_idle(p, taskc, wakeup), victim, retry;
	u32 rank, domain;

	/* the kernel's own per-CPU work goes before level 7, or a hog would stop I/O */
	if (wakeup && is_cpu_kthread(p, taskc)) {
		dsq_insert(p, SCX_DSQ_LOCAL, run_ns(taskc), enq_flags | SCX_ENQ_PREEMPT);
		return;
	}
	if (taskc->runtime_ns && settle_budget(p, taskc, bpf_ktime_get_ns()) &&
	    park(p, taskc, enq_flags)) {
		if (idle >= 0)
			kick(idle, SCX_KICK_IDLE);
		return;
	}
	rank = queue_of(taskc);
	bound = is_bound(p);
	domain = bound ? DOMAIN_CPU0 + scx_bpf_task_cpu(p) : DOMAIN_SHARED;
	if (bound)
		count(nr_restricted);
	if (idle >= 0) {
		if (taskc->tier != TIER_REALTIME)
			enter_domain(taskc, domain);
		dsq_insert(p, SCX_DSQ_LOCAL_ON | idle, run_ns(taskc), enq_flags | enq_immed());
		return;
	}
	retry = -1;
	if (wakeup && rank > QUEUE_BACKGROUND && p->policy != SCHED_BATCH) {
		victim = find_victim(p, taskc, rank, bound, &retry);
		if (victim >= 0) {
			if (taskc->tier != TIER_REALTIME)
				enter_domain(taskc, domain);
			if (preempt_cpu(p, taskc, victim, enq_flags))
				return;
			retry = victim;
		}
	}
	wait_in_queue(p, taskc, domain, enq_flags);
	if (retry >= 0 && rank >= QUEUE_LEVEL1) {
		struct cpu_ctx *cpuc = lookup_cpu(retry);

		/* the kick may hit whoever runs there until the other urgent one does */
		if (cpuc)
			WRITE_ONCE(cpuc->look_again, 1);
		/* it looks again, and goes on with what it has where that is more urgent */
		kick(retry, SCX_KICK_PREEMPT);
	} else if (!wakeup && !bound) {
		s32 cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);

		if (cpu >= 0)
			kick(cpu, SCX_KICK_IDLE);
	}
}

__hidden void enqueue_without_context(struct task_struct *p, u64 enq_flags)
{
	u32 domain = home_of(p);
	struct domain_ctx *domc = lookup_domain(domain);

	count(nr_no_context);
	/* nobody counts it out: from then on this queue is asked each time */
	if (domc && domain != DOMAIN_SHARED)
		__sync_fetch_and_add(&domc->nr[QUEUE_FAIR], 1);
	/* the kernel keeps the key that it had: each turn is a slice of neutral weight */
	dsq_insert_vtime(p, dsq_of(domain, QUEUE_FAIR), TICK_MAX_NS,
			 vtime_clamp(p->scx.dsq_vtime + TICK_MAX_NS, vnow_of(domain, TIER_FAIR)),
			 enq_flags);
}

__hidden void run_without_context(struct task_struct *p, struct cpu_ctx *cpuc)
{
	cpuc->accounted_at = bpf_ktime_get_ns();
	cpuc->bare_exec_ns = p->se.sum_exec_runtime;
	cpuc->curr_rank = QUEUE_FAIR;
	WRITE_ONCE(cpuc->curr_valid, 1);
}

__hidden void stop_without_context(struct task_struct *p, struct cpu_ctx *cpuc)
{
	charge_cpu(cpuc, TIER_FAIR, p->se.sum_exec_runtime - cpuc->bare_exec_ns,
		   bpf_ktime_get_ns());
}
