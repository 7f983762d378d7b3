/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps, and the one way to reach each of them. A look-up that cannot fail ends in
 * scx_error() here, so that callers just return.
 */
#ifndef SCHEDCTL_STATE_BPF_H
#define SCHEDCTL_STATE_BPF_H

#include "scx.bpf.h"
#include "intf.h"
#include "sched_math.h"

/*
 * Queues of a domain: QUEUE_LEVEL1 - 1 + level, then fair and background. A CPU's domain has
 * one more, of the throttled threads that wait for its timer, ordered by when they may go on.
 */
enum queue {
	QUEUE_BACKGROUND = 0,
	QUEUE_FAIR = 1,
	QUEUE_LEVEL1 = 2,
	NR_QUEUES = 9,
	QUEUE_PARK = 9,
};

/* Domain 0 holds the threads that may run everywhere, 1 + N those bound to CPU N. */
enum domain {
	DOMAIN_SHARED = 0,
	DOMAIN_CPU0 = 1,
	MAX_DOMAINS = 4097,
};

/* What the CPU's present quantum was given for. */
enum grant {
	GRANT_NONE = 0,
	GRANT_OWED = 1,
	GRANT_OVERDUE = 2,
};

/* Demoted threads of a CPU that get their level back in time; others when they next run. */
#define DEMOTED_MAX 16

struct cpu_ctx {
	/* read by the other CPUs' wake-ups */
	u64 curr_key;
	u32 curr_valid; /* a thread of ours runs; 0 while switching, idle or in another class */
	u32 curr_rank; /* enum queue of the running thread */
	u32 grant; /* enum grant: of the running thread */
	u32 urgent_pending; /* an urgent insert is on its way to the local queue */
	u32 look_again; /* another urgent thread came meanwhile, and waits in a queue */
	u32 offline;
	/* this CPU only */
	u64 accounted_at;
	u64 bare_exec_ns; /* sum_exec_runtime of a thread without a context when it began to run */
	s64 debt_ns[NR_TIERS + 1];
	u32 next_grant; /* enum grant: for the thread that dispatch has chosen */
	u32 next_rank; /* enum queue of that thread */
	u32 backlog; /* bit per tier: its threads waited when last looked */
	u32 fair_permille;
	u32 background_permille;
	u64 window_at;
	u64 overdue_ns; /* used by overdue threads in this window */
	u64 tails_at; /* when it last looked at the ends of its queues */
	u64 end_at; /* when the running thread's budget or quantum ends; 0 = the tick is soon enough */
	u64 park_at; /* when the first parked thread may go on; 0 = none */
	u64 demote_at; /* when the first demoted thread of those below is due; 0 = none */
	u64 timer_at; /* when the timer fires; 0 = not armed */
	u64 util_at; /* since when busy_ns are counted */
	u64 busy_ns;
	u32 util; /* in 1/1024 */
	u32 perf; /* the frequency last asked for; 0 = none yet, the attach has set it to PERF_ONE */
	u32 demoted_pid[DEMOTED_MAX]; /* 0 = free */
	u64 demoted_at[DEMOTED_MAX];
};

struct domain_ctx {
	u64 vnow[NR_TIERS + 1]; /* by tier, virtual time; only of the shared one, see vtime.bpf.c */
	u64 behind_ns[NR_TIERS + 1]; /* how far a CPU's is behind it, signed */
	/* by tier: keys of who comes are not below `floor`, what the highest was an epoch ago */
	u64 floor[NR_TIERS + 1];
	u64 next_floor[NR_TIERS + 1];
	u64 top[NR_TIERS + 1];
	u64 epoch_at[NR_TIERS + 1];
	/*
	 * By queue, threads that wait there or are on their way: 0 = surely none, so that a CPU
	 * need not ask the kernel. Not of the shared fair queue: every fair wake-up of the
	 * machine would write it. In a cache line of its own.
	 */
	u32 nr[16];
} __attribute__((aligned(64)));

/* One per CPU, which alone arms it. Not per-CPU memory: timers may not live there. */
struct end_timer {
	struct bpf_timer timer;
};

struct policy_slot {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct policy);
};

struct task_ctx_map {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_ctx);
};

struct cpu_ctx_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpu_ctx);
};

struct domain_ctx_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_DOMAINS);
	__type(key, u32);
	__type(value, struct domain_ctx);
};

struct class_stats_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * MAX_CLASSES);
	__type(key, u32);
	__type(value, struct class_stats);
};

struct sched_stats_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sched_stats);
};

/* How many threads have a class with `threads`; index as class_stats. */
struct population_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * MAX_CLASSES);
	__type(key, u32);
	__type(value, u32);
};

struct end_timer_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_DOMAINS);
	__type(key, u32);
	__type(value, struct end_timer);
};

struct control_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct control);
};

struct exit_record_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct exit_record);
};

struct exit_dump_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct exit_dump);
};

struct identity_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct identity);
};

extern struct task_ctx_map task_ctxs SEC(".maps");
extern struct cpu_ctx_map cpu_ctxs SEC(".maps");
extern struct domain_ctx_map domain_ctxs SEC(".maps");
extern struct class_stats_map class_stats SEC(".maps");
extern struct sched_stats_map sched_stats SEC(".maps");
extern struct exit_record_map exit_record SEC(".maps");
extern struct exit_dump_map exit_dump SEC(".maps");
extern struct identity_map identity SEC(".maps");
extern struct population_map population SEC(".maps");
extern struct end_timer_map end_timers SEC(".maps");
extern struct control_map control SEC(".maps");

/*
 * Always 0, but the verifier does not know: an index that starts from it is a range, so
 * that a loop over it converges instead of being walked once per value.
 */
extern volatile u32 opaque_zero;

/* The active slot, or NULL where none was ever written. Valid until the program ends. */
struct policy *active_policy(void);

static inline struct task_ctx *lookup_task(struct task_struct *p)
{
	return bpf_task_storage_get(&task_ctxs, p, 0, 0);
}

/* The class that a thread was given by `pol`, or NULL where another policy gave it. */
static inline const struct policy_class *class_of(const struct policy *pol,
						  const struct task_ctx *taskc)
{
	if (!pol || taskc->generation != pol->generation)
		return NULL;
	return &pol->classes[taskc->class_index & (MAX_CLASSES - 1)];
}

static inline struct cpu_ctx *lookup_cpu(s32 cpu)
{
	u32 zero = 0;
	struct cpu_ctx *cpuc = bpf_map_lookup_percpu_elem(&cpu_ctxs, &zero, cpu);

	if (!cpuc)
		scx_error("no context for CPU %d", cpu);
	return cpuc;
}

static inline struct cpu_ctx *this_cpu(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&cpu_ctxs, &zero);
}

static inline struct domain_ctx *lookup_domain(u32 domain)
{
	return bpf_map_lookup_elem(&domain_ctxs, &domain);
}

static inline struct class_stats *lookup_class_stats(const struct task_ctx *taskc)
{
	u32 index = taskc->class_index;

	return bpf_map_lookup_elem(&class_stats, &index);
}

static inline struct sched_stats *this_stats(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&sched_stats, &zero);
}

#define count(field)                                         \
	({                                                   \
		struct sched_stats *___stats = this_stats(); \
                                                             \
		if (___stats)                                \
			___stats->field++;                   \
	})

static inline u64 dsq_of(u32 domain, u32 queue)
{
	return (u64)domain << 8 | queue;
}

static inline u32 queue_of(const struct task_ctx *taskc)
{
	if (taskc->tier == TIER_REALTIME)
		return QUEUE_LEVEL1 - 1 + taskc->level;
	return taskc->tier == TIER_FAIR ? QUEUE_FAIR : QUEUE_BACKGROUND;
}

/* The tier as an index that the verifier can follow. */
#define tier_index(tier) ((tier) & NR_TIERS)

static inline u32 tier_of_queue(u32 queue)
{
	if (queue >= QUEUE_LEVEL1)
		return TIER_REALTIME;
	return queue == QUEUE_FAIR ? TIER_FAIR : TIER_BACKGROUND;
}

#endif
