/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a thread to its class. Nothing is hooked: what a rule can look at is kept as a
 * fingerprint in the thread's context and compared at every wake-up and slice end, so a
 * rename, an exec, a setuid, a new nice value or a move between cgroups acts at the next
 * of these. Which rule decides: rules.bpf.c.
 */
#include "classify.bpf.h"
#include "event.bpf.h"
#include "job.bpf.h"
#include "period.bpf.h"
#include "rules.bpf.h"

/* Levels of cgroups whose weights are multiplied. */
#define WEIGHT_DEPTH 16

u32 weight_epoch;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct subjects);
} subjects SEC(".maps");

static void fill_identity(struct task_struct *p, const struct task_ctx *taskc, struct subjects *s)
{
	u64 *comm = (u64 *)(s->text + COMM_AT);
	u32 end = COMM_AT, i;

	comm[0] = taskc->comm[0];
	comm[1] = taskc->comm[1];
	bpf_for(i, 0, sizeof(taskc->comm)) {
		if (!byte_at(s->text, TEXT_LEN, COMM_AT + i))
			break;
		end = COMM_AT + i + 1;
	}
	s->begin[SUBJECT_COMM] = COMM_AT;
	s->end[SUBJECT_COMM] = end;
	s->number[SUBJECT_UID] = taskc->uid;
	s->number[SUBJECT_GID] = taskc->gid;
	s->number[SUBJECT_KTHREAD] = !!(p->flags & PF_KTHREAD);
	s->number[SUBJECT_LEADER] = p->pid == p->tgid;
	s->number[SUBJECT_NICE] = taskc->static_prio - NICE_0_PRIO;
}

static u32 *lookup_population(const struct task_ctx *taskc)
{
	u32 index = taskc->class_index;

	return bpf_map_lookup_elem(&population, &index);
}

__hidden void leave_class(struct task_ctx *taskc)
{
	const struct policy *pol = active_policy();
	u32 *nr;

	if (!taskc->member)
		return;
	taskc->member = 0;
	/* the counts of a policy that is gone are gone with it */
	if (!pol || taskc->member_generation != pol->generation)
		return;
	nr = lookup_population(taskc);
	if (nr)
		__sync_fetch_and_sub(nr, 1);
}

/* One place of the class's `threads`, or the mark that there was none. */
static void take_place(struct task_ctx *taskc, const struct policy_class *class, u64 generation)
{
	u32 *nr = lookup_population(taskc);

	taskc->flags &= ~TASK_SURPLUS;
	if (!nr || !class->threads || taskc->class_tier != TIER_REALTIME)
		return;
	if (__sync_fetch_and_add(nr, 1) < class->threads) {
		taskc->member = 1;
		taskc->member_generation = generation;
		return;
	}
	__sync_fetch_and_sub(nr, 1);
	taskc->flags |= TASK_SURPLUS;
}

__hidden void retry_class(struct task_struct *p, struct task_ctx *taskc)
{
	const struct policy *pol = active_policy();
	const struct policy_class *class = class_of(pol, taskc);

	if (!pol || !class)
		return;
	take_place(taskc, class, pol->generation);
	update_level(taskc);
}

/*
 * Per thread, not per group: the product of the class's, the nice value's and the cgroups'
 * weights along the path of the cpu controller.
 */
static u32 weight_of(struct task_struct *p, const struct policy_class *class)
{
	u32 weight = weight_product(nice_weight(p->static_prio - NICE_0_PRIO), class->weight), i;
	struct task_group *group = BPF_CORE_READ(p, sched_task_group);

	bpf_for(i, 0, WEIGHT_DEPTH) {
		struct task_group *parent = group ? BPF_CORE_READ(group, parent) : NULL;

		if (!parent)
			break;
		weight = weight_product(weight, BPF_CORE_READ(group, scx.weight));
		group = parent;
	}
	return weight;
}

static void change_slack(struct task_struct *p, struct task_ctx *taskc, u64 slack_ns)
{
	count(nr_slack_changes);
	emit(p, taskc, EVENT_SLACK, slack_ns);
}

/*
 * The daemon writes it to the thread; what it was before is kept here, and given back later,
 * unless by then the thread has set its own. Whether the daemon has written shows only in the
 * thread's slack.
 */
static void ask_for_slack(struct task_struct *p, struct task_ctx *taskc,
			  const struct policy_class *class)
{
	u64 now_ns = p->timer_slack_ns, wanted_ns = class->timer_slack_ns;
	bool is_ours = now_ns == taskc->slack_asked_ns;

	/* children of an RT thread may have 0, which is as good as any wish and cannot be given back */
	if (p->flags & PF_KTHREAD || !now_ns)
		return;
	if (wanted_ns) {
		if (!taskc->slack_ns || (taskc->flags & TASK_SLACK_LEFT && !is_ours))
			taskc->slack_ns = now_ns;
		taskc->flags &= ~TASK_SLACK_LEFT;
		taskc->slack_asked_ns = wanted_ns;
		if (now_ns != wanted_ns)
			change_slack(p, taskc, wanted_ns);
	} else if (is_ours && taskc->slack_ns && taskc->slack_ns != now_ns) {
		taskc->flags |= TASK_SLACK_LEFT;
		change_slack(p, taskc, taskc->slack_ns);
	} else {
		taskc->flags &= ~TASK_SLACK_LEFT;
		taskc->slack_ns = 0;
		taskc->slack_asked_ns = 0;
	}
}

/* A budget that is another one begins full, with the thread's next look at it. */
static void assign_budget(struct task_ctx *taskc, const struct policy_class *class)
{
	if (taskc->runtime_ns == class->runtime_ns &&
	    (!class->runtime_ns || taskc->period_ns == class->period_ns))
		return;
	taskc->runtime_ns = class->runtime_ns;
	taskc->budget_ns = 0;
	taskc->replenish_at = 0;
	taskc->flags &= ~(TASK_THROTTLED | TASK_DEMOTED);
}

/* SCHED_IDLE is background and SCHED_BATCH never real-time, whatever the rules say. */
static u32 tier_for(struct task_struct *p, const struct policy_class *class)
{
	if (p->policy == SCHED_IDLE)
		return TIER_BACKGROUND;
	if (class->tier == TIER_REALTIME && (p->policy == SCHED_BATCH || !class->level))
		return TIER_FAIR;
	return class->tier;
}

/*
 * Nobody gets a level by naming a thread: a rule without a predicate that the thread's
 * owner cannot forge lifts only threads of the users that the profile trusts.
 */
static void assign_class(struct task_struct *p, struct task_ctx *taskc, const struct policy *pol,
			 const struct subjects *s)
{
	u32 class_id = s->best_class & (MAX_CLASSES - 1);
	const struct policy_class *class = &pol->classes[class_id];

	leave_class(taskc);
	taskc->flags &= ~(TASK_HELD_BACK | TASK_FIXED_PRIORITY | TASK_MEASURED | TASK_RECOVERS);
	if (class->tier == TIER_REALTIME && !s->best_trusted && !is_realtime_uid(pol, taskc->uid)) {
		taskc->flags |= TASK_HELD_BACK;
		class_id = 0;
		class = &pol->classes[0];
		count(nr_held_back);
	}
	if (pol->order == ORDER_FIXED_PRIORITY)
		taskc->flags |= TASK_FIXED_PRIORITY;
	taskc->class_index = (pol->slot & 1) * MAX_CLASSES + class_id;
	taskc->class_tier = tier_for(p, class);
	taskc->class_level = taskc->class_tier == TIER_REALTIME ? class->level & 7 : 0;
	taskc->max_level = class->max_level & 7;
	taskc->overrun = class->overrun;
	taskc->slice_ns = class->slice_ns;
	taskc->deadline_ns = class->deadline_ns;
	taskc->weight = weight_of(p, class);
	assign_budget(taskc, class);
	taskc->period_ns = class->period_ns;
	if (class->flags & CLASS_MEASURED) {
		taskc->flags |= TASK_MEASURED;
		adopt_period(p, taskc, class);
	}
	if (class->recovery_after)
		taskc->flags |= TASK_RECOVERS;
	else
		taskc->recovery = 0;
	take_place(taskc, class, pol->generation);
	if (taskc->flags & TASK_SURPLUS)
		emit(p, taskc, EVENT_SURPLUS, 0);
	ask_for_slack(p, taskc, class);
	update_level(taskc);
	if (taskc->job_deadline_at && taskc->class_tier != TIER_REALTIME)
		taskc->job_deadline_at = 0;
	rekey(taskc);
}

/* The thread's fingerprint into its context; true where it is another one than before. */
static bool refresh_fingerprint(struct task_struct *p, struct task_ctx *taskc, u64 generation)
{
	u64 cgroup_id = p->cgroups->dfl_cgrp->kn->id, task_group = (u64)p->sched_task_group;
	u32 uid = p->real_cred->uid.val, gid = p->real_cred->gid.val, exec_id = p->self_exec_id;
	u64 comm[2];

	/* padded with zeros by the kernel (__set_task_comm) */
	bpf_probe_read_kernel(comm, sizeof(comm), p->comm);
	if (taskc->generation == generation && taskc->comm[0] == comm[0] &&
	    taskc->comm[1] == comm[1] && taskc->cgroup_id == cgroup_id && taskc->uid == uid &&
	    taskc->gid == gid && taskc->exec_id == exec_id &&
	    taskc->static_prio == p->static_prio && taskc->sched_policy == p->policy &&
	    taskc->weight_epoch == weight_epoch && taskc->task_group == task_group)
		return false;
	taskc->generation = generation;
	taskc->comm[0] = comm[0];
	taskc->comm[1] = comm[1];
	taskc->cgroup_id = cgroup_id;
	taskc->task_group = task_group;
	taskc->uid = uid;
	taskc->gid = gid;
	taskc->exec_id = exec_id;
	taskc->static_prio = p->static_prio;
	taskc->sched_policy = p->policy;
	taskc->weight_epoch = weight_epoch;
	return true;
}

/* The rare part. Not static: verified on its own, and callers are followed once for all that it does. */
__noinline int classify(struct task_struct *p __arg_trusted, struct task_ctx *taskc __arg_nonnull)
{
	const struct policy *pol = active_policy();
	struct subjects *s;
	u32 zero = 0;

	s = bpf_map_lookup_elem(&subjects, &zero);
	if (!pol || !s)
		return 0;
	count(nr_classified);
	fill_identity(p, taskc, s);
	match_rules(p, pol, s, taskc->cgroup_id);
	assign_class(p, taskc, pol, s);
	return 1;
}

__hidden bool refresh_class(struct task_struct *p, struct task_ctx *taskc)
{
	const struct policy *pol = active_policy();

	return pol && refresh_fingerprint(p, taskc, pol->generation) && classify(p, taskc);
}
