/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps. schedctl pins those it reads or writes; the policy has two slots. */
#include "state.bpf.h"

struct task_ctx_map task_ctxs SEC(".maps");
struct cpu_ctx_map cpu_ctxs SEC(".maps");
struct domain_ctx_map domain_ctxs SEC(".maps");
struct class_stats_map class_stats SEC(".maps");
struct sched_stats_map sched_stats SEC(".maps");
struct exit_record_map exit_record SEC(".maps");
struct exit_dump_map exit_dump SEC(".maps");
struct identity_map identity SEC(".maps");
struct population_map population SEC(".maps");
struct end_timer_map end_timers SEC(".maps");
struct control_map control SEC(".maps");

struct policy_slot policy_a SEC(".maps"), policy_b SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct policy_slot);
} policy SEC(".maps") = {
	.values = { [0] = &policy_a },
};

__hidden struct policy *active_policy(void)
{
	u32 zero = 0;
	void *slot = bpf_map_lookup_elem(&policy, &zero);

	return slot ? bpf_map_lookup_elem(slot, &zero) : NULL;
}
