/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a thread to its class. Nothing is hooked: what a rule can look at is kept as a
 * fingerprint in the thread's context and compared at every wake-up and slice end, so a
 * rename, an exec, a setuid, a new nice value or a move between cgroups acts at the next
 * of these. Which rule decides: rules.bpf.c.
 */
#include "classify.bpf.h"
#include "rules.bpf.h"

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

/*
 * Nobody gets a level by naming a thread: a rule without a predicate that the thread's
 * owner cannot forge lifts only threads of the users that the profile trusts.
 */
static void assign_class(struct task_struct *p, struct task_ctx *taskc, const struct policy *pol,
			 const struct subjects *s)
{
	u32 class_id = s->best_class & (MAX_CLASSES - 1);
	const struct policy_class *class = &pol->classes[class_id];

	taskc->held_back = class->tier == TIER_REALTIME && !s->best_trusted &&
			   !is_realtime_uid(pol, taskc->uid);
	if (taskc->held_back) {
		class_id = 0;
		class = &pol->classes[0];
		count(nr_held_back);
	}
	taskc->class_index = (pol->slot & 1) * MAX_CLASSES + class_id;
	taskc->tier = class->tier;
	taskc->level = class->tier == TIER_REALTIME ? (class->level & 7) : 0;
	taskc->deadline_ns = class->deadline_ns;
	taskc->weight = class->weight;
	taskc->order = pol->order;
	if (taskc->tier == TIER_REALTIME && !taskc->level)
		taskc->tier = TIER_FAIR;
}

/* SCHED_IDLE is background and SCHED_BATCH never real-time, whatever the rules say. */
static void apply_policy_class(struct task_struct *p, struct task_ctx *taskc)
{
	if (p->policy == SCHED_IDLE)
		taskc->tier = TIER_BACKGROUND;
	else if (p->policy == SCHED_BATCH && taskc->tier == TIER_REALTIME)
		taskc->tier = TIER_FAIR;
	if (taskc->tier != TIER_REALTIME)
		taskc->level = 0;
}

__hidden bool refresh_class(struct task_struct *p, struct task_ctx *taskc)
{
	const struct policy *pol = active_policy();
	u64 cgroup_id = BPF_CORE_READ(p, cgroups, dfl_cgrp, kn, id), comm[2] = {};
	u32 uid = BPF_CORE_READ(p, real_cred, uid.val), gid = BPF_CORE_READ(p, real_cred, gid.val);
	u32 exec_id = p->self_exec_id, zero = 0;
	struct subjects *s;

	if (!pol)
		return false;
	bpf_probe_read_kernel_str(comm, sizeof(comm), p->comm);
	if (taskc->generation == pol->generation && taskc->comm[0] == comm[0] &&
	    taskc->comm[1] == comm[1] && taskc->cgroup_id == cgroup_id && taskc->uid == uid &&
	    taskc->gid == gid && taskc->exec_id == exec_id &&
	    taskc->static_prio == p->static_prio && taskc->sched_policy == p->policy)
		return false;
	s = bpf_map_lookup_elem(&subjects, &zero);
	if (!s)
		return false;
	taskc->generation = pol->generation;
	taskc->comm[0] = comm[0];
	taskc->comm[1] = comm[1];
	taskc->cgroup_id = cgroup_id;
	taskc->uid = uid;
	taskc->gid = gid;
	taskc->exec_id = exec_id;
	taskc->static_prio = p->static_prio;
	taskc->sched_policy = p->policy;
	count(nr_classified);
	fill_identity(p, taskc, s);
	match_rules(p, pol, s, cgroup_id);
	assign_class(p, taskc, pol, s);
	apply_policy_class(p, taskc);
	return true;
}
