/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the scheduler (bpf/) and schedctl (Python): sizes, the
 * policy's bytes, the statistics. Fixed-width types only, no implicit padding;
 * schedctl/image/abi.py compares its view with the object's BTF, member by member.
 */
#ifndef SCHEDCTL_INTF_H
#define SCHEDCTL_INTF_H

#ifndef __VMLINUX_H__
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
#endif

/* Raised with every change of a struct below. */
#define ABI_VERSION 1

enum policy_limits {
	MAX_CLASSES = 64, /* the reserved class "default" (0) included */
	MAX_RULES = 512,
	MAX_CGROUPS = 64, /* distinct cgroup patterns: one bit each in cgroup_entry.matched */
	NAME_LEN = 32, /* NUL included */
	COMM_PATTERN_LEN = 32, /* NUL included */
	CGROUP_PATTERN_LEN = 128, /* NUL included */
	LATENCY_BUCKETS = 336,
	EXIT_REASON_LEN = 128,
	EXIT_MSG_LEN = 1024,
};

enum policy_order {
	ORDER_EDF = 0, /* inside a level: earliest absolute deadline first */
	ORDER_FIXED_PRIORITY = 1, /* inside a level: first released first */
};

enum policy_tier {
	TIER_REALTIME = 0,
	TIER_FAIR = 1,
	TIER_BACKGROUND = 2,
	NR_TIERS = 3,
};

enum comm_kind {
	COMM_ANY = 0, /* the rule has no comm predicate */
	COMM_LITERAL = 1,
	COMM_GLOB = 2,
};

enum cgroup_kind {
	CGROUP_COMPONENT = 0, /* pattern without '/': any one component of the path */
	CGROUP_PATH = 1, /* pattern with '/': the whole path from the root */
};

struct policy_class {
	char name[NAME_LEN];
	u64 period_ns; /* 0 = none */
	u64 deadline_ns; /* relative; 0 outside the real-time tier */
	u32 weight; /* 1..10000, 100 = neutral */
	u8 tier; /* enum policy_tier */
	u8 level; /* 1..7, 7 most urgent; 0 outside the real-time tier */
	u8 pad[2];
};

/* Rules stand in rank order: the first one that matches decides. */
struct policy_rule {
	char comm[COMM_PATTERN_LEN]; /* NUL-padded */
	u16 class_id; /* index into policy.classes */
	u16 cgroup; /* index into policy.cgroups + 1; 0 = no cgroup predicate */
	u8 comm_kind; /* enum comm_kind */
	u8 pad[3];
};

struct policy_cgroup {
	char pattern[CGROUP_PATTERN_LEN]; /* NUL-padded */
	u32 kind; /* enum cgroup_kind */
	u32 pad;
};

/* One slot: the whole policy in one map value, so that one write changes all of it. */
struct policy {
	u32 abi_version;
	u32 slot; /* 0 = policy_a, 1 = policy_b: selects the half of class_stats */
	u64 generation; /* rises with every change, never 0 */
	char profile[NAME_LEN];
	u32 order; /* enum policy_order */
	u32 fair_share_permille;
	u32 nr_classes;
	u32 nr_rules;
	u32 nr_cgroups;
	u32 pad;
	struct policy_class classes[MAX_CLASSES];
	struct policy_rule rules[MAX_RULES];
	struct policy_cgroup cgroups[MAX_CGROUPS];
};

/*
 * Per CPU; index = slot * MAX_CLASSES + class. Latency is wake-up to running, in
 * buckets: 16 linear ones of 64 ns, then 16 per power of two (at most 6.25 % wide);
 * the last one is open.
 */
struct class_stats {
	u64 nr_wakeups;
	u64 nr_runs; /* times a thread of the class got a CPU */
	u64 nr_preemptions; /* times a wake-up of the class took a CPU from another thread */
	u64 runtime_ns;
	u64 nr_held_back; /* wake-ups of threads that matched but may not be lifted */
	u32 latency[LATENCY_BUCKETS];
};

/* Per CPU, one entry, since the attach. */
struct sched_stats {
	u64 tier_ns[NR_TIERS]; /* CPU time by the tier it ran in */
	u64 kthread_ns; /* CPU time of per-CPU kernel threads in the local queue */
	u64 nr_owed; /* quanta of CPU time given to a tier below its share */
	u64 nr_overdue; /* quanta given to threads older than the maximum wait */
	u64 nr_classified; /* fingerprints that changed */
	u64 nr_held_back; /* threads (counted per classification) a rule may not lift */
	u64 nr_no_context; /* threads scheduled as fair because they have no context */
	u64 nr_restricted; /* enqueues into a CPU's own queue: affinity or migration disabled */
	u64 nr_slot_taken; /* urgent wake-ups that found another one under way to that CPU */
	u64 nr_cgroup_overflow; /* cgroup paths too long or too deep to be matched */
	u64 nr_cpu_offline;
	u64 nr_cpu_online;
};

/*
 * One per thread, in task storage (map task_ctxs), readable with a pidfd as key. What
 * the hot path touches comes first and fills one cache line.
 */
struct task_ctx {
	u64 key; /* order inside its queue: deadline, release or virtual time */
	u64 release_at; /* of the current job; 0 = never released */
	u64 vtime; /* fair and background: weighted virtual time */
	u64 deadline_ns; /* relative */
	u64 exec_ns; /* p->se.sum_exec_runtime up to which it was charged */
	u64 slice_used_ns; /* consumed of the current slice */
	u32 class_index; /* slot * MAX_CLASSES + class: index into class_stats */
	s32 idle_cpu; /* claimed by ops.select_cpu for this wake-up, or -1 */
	u16 weight; /* the class's */
	u8 tier; /* effective */
	u8 level; /* effective; 0 outside the real-time tier */
	u32 order; /* enum policy_order */
	/* from here on: once per wake-up, or less */
	u64 woken_at; /* 0 = not a wake-up, or already running */
	u64 queued_at; /* waits since; 0 = ran since */
	u64 generation; /* the policy that classified it; 0 = none yet */
	u64 comm[2];
	u64 cgroup_id;
	u32 uid;
	u32 gid;
	u32 exec_id;
	u32 domain; /* the queues whose virtual time `vtime` is relative to */
	u32 held_back; /* matched a real-time class without the privilege */
	u32 sched_policy; /* SCHED_NORMAL, SCHED_BATCH or SCHED_IDLE */
	u32 overdue; /* it runs because of its age */
	u32 reserved[5];
};

/* Written once by ops.exit; kind 0 = attached or never attached. */
struct exit_record {
	u32 kind; /* enum scx_exit_kind of the running kernel */
	u32 pad;
	s64 exit_code;
	u64 at_ns; /* CLOCK_MONOTONIC */
	char reason[EXIT_REASON_LEN];
	char msg[EXIT_MSG_LEN];
};

#endif
