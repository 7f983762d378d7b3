/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which thread a CPU runs next: overdue before owed before the highest level, and the
 * previous thread takes part with its own key.
 */
#include "queue.bpf.h"
#include "job.bpf.h"
#include "park.bpf.h"
#include "classify.bpf.h"
#include "vtime.bpf.h"

/* How often a CPU looks at the ends of its queues, and how long it stays with what it found. */
#define TAILS_EVERY_NS SHARE_WINDOW_NS
#define TAILS_PAUSE_NS (8 * MSEC_NS)

/* The head of one queue. */
struct head {
	u64 dsq_id;
	u64 key; /* levels: absolute; fair and background: lag behind the queue's time */
	u32 rank; /* enum queue */
	bool found;
};

struct heads {
	struct head level, fair, background, overdue;
	u64 overdue_at;
	u64 late_dsq_id; /* where a thread waits that its misses have lifted */
	u32 late_pid;
};

static struct task_struct *peek(u64 dsq_id)
{
	struct task_struct *p = NULL;

	if (bpf_ksym_exists(scx_bpf_dsq_peek))
		return scx_bpf_dsq_peek(dsq_id);
	bpf_for_each(scx_dsq, p, dsq_id, 0)
		break;
	return p;
}

/* Take one queue's head into account. Not static: verified once, on its own. */
__noinline int look(struct heads *heads __arg_nonnull, u32 domain, u32 queue, u64 now)
{
	u64 dsq_id = dsq_of(domain, queue), key;
	struct task_struct *p;
	struct task_ctx *taskc;
	struct head *best;

	p = peek(dsq_id);
	if (!p)
		return 0;
	taskc = lookup_task(p);
	key = p->scx.dsq_vtime;
	if (taskc && time_since(now, taskc->queued_at) > MAX_WAIT_NS &&
	    (!heads->overdue.found || time_before(taskc->queued_at, heads->overdue_at))) {
		heads->overdue.found = true;
		heads->overdue.dsq_id = dsq_id;
		heads->overdue.rank = queue;
		heads->overdue_at = taskc->queued_at;
	}
	/* a thread that others keep from running sees to its misses nowhere else */
	if (queue >= QUEUE_LEVEL1 && taskc && is_late(taskc, now)) {
		note_late(p, taskc, now);
		update_level(taskc);
		if (queue_of(taskc) != queue) {
			heads->late_dsq_id = dsq_id;
			heads->late_pid = p->pid;
		}
	}
	if (queue >= QUEUE_LEVEL1) {
		if (heads->level.found && heads->level.rank > queue)
			return 0;
		best = &heads->level;
		if (best->found && best->rank == queue && !time_before(key, best->key))
			return 0;
	} else {
		key -= vnow_of(domain, tier_of_queue(queue));
		best = queue == QUEUE_FAIR ? &heads->fair : &heads->background;
		if (best->found && !time_before(key, best->key))
			return 0;
	}
	best->found = true;
	best->dsq_id = dsq_id;
	best->key = key;
	best->rank = queue;
	return 1;
}

/* From where a thread waited to the queue of the level that it has now. Not static: see look(). */
__noinline int lift(struct heads *heads __arg_nonnull, u64 now)
{
	struct task_struct *p = bpf_task_from_pid(heads->late_pid);
	struct task_ctx *taskc = p ? lookup_task(p) : NULL;

	if (p && taskc) {
		requeue(p, taskc, heads->late_dsq_id);
		look(heads, home_of(p), queue_of(taskc), now);
	}
	if (p)
		bpf_task_release(p);
	return 0;
}

static void look_at_queues(struct heads *heads, s32 cpu, u64 now)
{
	u32 i;

	look(heads, DOMAIN_SHARED, QUEUE_FAIR, now);
	if (any_may_wait(DOMAIN_SHARED)) {
		bpf_for(i, 0, NR_QUEUES) {
			if (i != QUEUE_FAIR && may_wait(DOMAIN_SHARED, i))
				look(heads, DOMAIN_SHARED, i, now);
		}
	}
	if (any_may_wait(DOMAIN_CPU0 + cpu)) {
		bpf_for(i, 0, NR_QUEUES) {
			if (may_wait(DOMAIN_CPU0 + cpu, i))
				look(heads, DOMAIN_CPU0 + cpu, i, now);
		}
	}
	if (heads->late_pid)
		lift(heads, now);
}

/* prev keeps the CPU. */
static void keep(struct task_struct *prev, struct task_ctx *prevc, struct cpu_ctx *cpuc, u32 grant)
{
	u64 slice_ns = run_ns(prevc);

	cpuc->grant = grant;
	if (grant == GRANT_OWED) {
		count(nr_owed);
		if (slice_ns > OWED_QUANTUM_NS)
			slice_ns = OWED_QUANTUM_NS;
	}
	advance_vnow(prevc, true);
	cpuc->curr_key = prevc->key;
	cpuc->curr_rank = queue_of(prevc);
	task_set_slice(prev, slice_ns);
	/* it was charged a moment ago */
	time_run(cpuc, prevc, cpuc->accounted_at, slice_ns);
}

/* True where prev goes before every head, all debts aside. */
static bool prev_wins(const struct heads *heads, const struct task_ctx *prevc)
{
	u32 rank = queue_of(prevc);
	const struct head *same;
	u64 key = prevc->key;

	if (rank >= QUEUE_LEVEL1)
		return !heads->level.found || heads->level.rank < rank ||
		       (heads->level.rank == rank && !time_before(heads->level.key, key));
	if (heads->level.found || (rank == QUEUE_BACKGROUND && heads->fair.found))
		return false;
	same = rank == QUEUE_FAIR ? &heads->fair : &heads->background;
	if (!same->found)
		return true;
	key = prevc->vtime - vnow_of(prevc->domain, prevc->tier);
	return !time_before(same->key, key);
}

static bool move_granted(struct cpu_ctx *cpuc, const struct head *head, u32 grant)
{
	if (!head->found)
		return false;
	if (!dsq_move_to_local(head->dsq_id))
		return false;
	cpuc->next_grant = grant;
	cpuc->next_rank = head->rank;
	return true;
}

/* Bring a thread that may go on up to date; false where its budget forbids it. */
static bool renew(struct task_struct *prev, struct task_ctx *prevc, struct cpu_ctx *cpuc, u64 now)
{
	charge(prev, prevc, cpuc, now);
	if (refresh_class(prev, prevc) && prevc->tier != TIER_REALTIME)
		move_vtime(prevc, prevc->domain);
	renew_slice(prevc, now);
	if (prevc->flags & TASK_OVERDUE)
		end_overdue(prevc, now);
	if (is_late(prevc, now)) {
		note_late(prev, prevc, now);
		update_level(prevc);
	}
	if (prevc->tier != TIER_REALTIME)
		respect_age(prevc, now, false);
	return !prevc->runtime_ns || !settle_budget(prev, prevc, now);
}

/* A tier that waits is owed its share; prev waits too where it is not the one to go on. */
static void note_backlog(struct cpu_ctx *cpuc, const struct heads *heads,
			 const struct task_ctx *prevc)
{
	const struct policy *pol = active_policy();

	cpuc->fair_permille = pol ? pol->fair_share_permille : 0;
	cpuc->background_permille = pol ? pol->background_share_permille : 0;
	cpuc->backlog = (heads->fair.found ? 1 << TIER_FAIR : 0) |
			(heads->background.found ? 1 << TIER_BACKGROUND : 0) |
			(prevc ? 1 << tier_index(prevc->tier) : 0);
}

/* Time that a tier below its share is owed, paid to its head or to prev. */
static bool pay_owed(struct cpu_ctx *cpuc, const struct head *head, u32 tier,
		     struct task_struct *prev, struct task_ctx *prevc)
{
	if (cpuc->debt_ns[tier] < (s64)OWED_QUANTUM_NS)
		return false;
	if (head->found) {
		if (!move_granted(cpuc, head, GRANT_OWED))
			return false;
		count(nr_owed);
		return true;
	}
	if (prevc && prevc->tier == tier) {
		keep(prev, prevc, cpuc, GRANT_OWED);
		return true;
	}
	return false;
}

/*
 * Since when the last thread of a queue waits if it is overdue, else 0; with `move` it runs
 * next. Heads do not show it while newcomers with smaller keys keep a slow queue busy. Not
 * static: verified once, on its own.
 */
__noinline u64 overdue_tail(u32 domain, u32 queue, u64 now, u32 move)
{
	u64 dsq_id = dsq_of(domain, queue), since = 0;
	struct task_struct *p = NULL;

	if (!may_wait(domain, queue) || scx_bpf_dsq_nr_queued(dsq_id) < 2)
		return 0;
	bpf_for_each(scx_dsq, p, dsq_id, SCX_DSQ_ITER_REV) {
		struct task_ctx *taskc = lookup_task(p);

		if (taskc && time_since(now, taskc->queued_at) > MAX_WAIT_NS)
			since = taskc->queued_at;
		if (since && move && !dsq_move_found_to_local(&___it, p))
			since = 0;
		break;
	}
	return since;
}

/* The oldest of the tails, if it waits since before `oldest`. */
__noinline int move_overdue_tail(struct cpu_ctx *cpuc __arg_nonnull, s32 cpu, u64 oldest, u64 now)
{
	u32 found = 2 * NR_QUEUES, i;

	cpuc->tails_at = now;
	bpf_for(i, 0, 2 * NR_QUEUES) {
		u64 since = overdue_tail(i & 1 ? DOMAIN_CPU0 + cpu : DOMAIN_SHARED, i / 2, now, 0);

		if (!since)
			continue;
		cpuc->tails_at = now - TAILS_EVERY_NS + TAILS_PAUSE_NS;
		if (time_before(since, oldest)) {
			oldest = since;
			found = i;
		}
	}
	if (found == 2 * NR_QUEUES ||
	    !overdue_tail(found & 1 ? DOMAIN_CPU0 + cpu : DOMAIN_SHARED, found / 2, now, 1))
		return 0;
	cpuc->next_grant = GRANT_OVERDUE;
	cpuc->next_rank = found / 2;
	return 1;
}

/* Whoever of the heads and, now and then, of the tails has waited longest. */
static bool move_overdue(struct cpu_ctx *cpuc, const struct heads *heads, s32 cpu, u64 now)
{
	u64 oldest = heads->overdue.found ? heads->overdue_at : now;

	if (cpuc->overdue_ns >= OVERDUE_LIMIT_NS)
		return false;
	if (time_since(now, cpuc->tails_at) > TAILS_EVERY_NS &&
	    move_overdue_tail(cpuc, cpu, oldest, now))
		return true;
	return move_granted(cpuc, &heads->overdue, GRANT_OVERDUE);
}

static bool move_any(s32 cpu)
{
	u32 i;

	bpf_for(i, 0, NR_QUEUES) {
		u32 queue = NR_QUEUES - 1 - i;

		if (may_wait(DOMAIN_CPU0 + cpu, queue) &&
		    dsq_move_to_local(dsq_of(DOMAIN_CPU0 + cpu, queue)))
			return true;
		if (may_wait(DOMAIN_SHARED, queue) &&
		    dsq_move_to_local(dsq_of(DOMAIN_SHARED, queue)))
			return true;
	}
	return false;
}

__hidden void dispatch_cpu(s32 cpu, struct task_struct *prev)
{
	struct cpu_ctx *cpuc = lookup_cpu(cpu);
	struct task_ctx *prevc = NULL;
	u64 now = bpf_ktime_get_ns();
	struct heads heads = {};

	if (!cpuc)
		return;
	if (prev && prev->scx.flags & SCX_TASK_QUEUED && bpf_cpumask_test_cpu(cpu, prev->cpus_ptr))
		prevc = lookup_task(prev);
	if (cpuc->park_at && !time_before(now, cpuc->park_at))
		unpark_due(cpu, cpuc, now);
	if (cpuc->demote_at && !time_before(now, cpuc->demote_at))
		restore_due(cpuc, now);
	if (prev && prevc && !renew(prev, prevc, cpuc, now))
		prevc = NULL;
	cpuc->grant = GRANT_NONE;
	cpuc->next_grant = GRANT_NONE;
	look_at_queues(&heads, cpu, now);
	note_backlog(cpuc, &heads, prevc);

	if (move_overdue(cpuc, &heads, cpu, now)) {
		count(nr_overdue);
		return;
	}
	if (heads.level.found || (prevc && prevc->tier == TIER_REALTIME)) {
		if (pay_owed(cpuc, &heads.fair, TIER_FAIR, prev, prevc))
			return;
	}
	if (heads.level.found || heads.fair.found || (prevc && prevc->tier != TIER_BACKGROUND)) {
		if (pay_owed(cpuc, &heads.background, TIER_BACKGROUND, prev, prevc))
			return;
	}
	if (prev && prevc && prev_wins(&heads, prevc)) {
		keep(prev, prevc, cpuc, GRANT_NONE);
		return;
	}
	if (move_granted(cpuc, &heads.level, GRANT_NONE) ||
	    move_granted(cpuc, &heads.fair, GRANT_NONE) ||
	    move_granted(cpuc, &heads.background, GRANT_NONE) || move_any(cpu))
		return;
	if (prev && prevc)
		keep(prev, prevc, cpuc, GRANT_NONE);
}

static bool waits_in(u32 domain, u32 rank)
{
	u32 i;

	if (!any_may_wait(domain))
		return false;
	bpf_for(i, rank, NR_QUEUES) {
		if (may_wait(domain, i) && scx_bpf_dsq_nr_queued(dsq_of(domain, i)) > 0)
			return true;
	}
	return false;
}

__hidden bool queue_waits(s32 cpu, u32 rank)
{
	if (rank <= QUEUE_FAIR && scx_bpf_dsq_nr_queued(dsq_of(DOMAIN_SHARED, QUEUE_FAIR)) > 0)
		return true;
	return waits_in(DOMAIN_SHARED, rank) || waits_in(DOMAIN_CPU0 + cpu, rank);
}

/* The head of the thread's own level in that domain has an earlier deadline. */
static bool head_beats(u32 domain, const struct task_ctx *taskc)
{
	u32 queue = queue_of(taskc);
	struct task_struct *p;

	if (!may_wait(domain, queue))
		return false;
	p = peek(dsq_of(domain, queue));
	return p && time_before(p->scx.dsq_vtime, taskc->key);
}

__hidden bool is_beaten(s32 cpu, const struct task_ctx *taskc)
{
	if (queue_waits(cpu, queue_of(taskc) + 1))
		return true;
	if (taskc->tier != TIER_REALTIME || taskc->flags & TASK_FIXED_PRIORITY)
		return false;
	return head_beats(DOMAIN_SHARED, taskc) || head_beats(DOMAIN_CPU0 + cpu, taskc);
}
