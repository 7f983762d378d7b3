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
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
#endif

/* Raised with every change of a struct below. */
#define ABI_VERSION 4
/* Raised with every change of struct task_ctx or period_ctx that another object could not go on with. */
#define TASK_LAYOUT 2

enum policy_limits {
	MAX_CLASSES = 256, /* the reserved class "default" (0) included */
	MAX_RULES = 65536, /* entries: one per alternative of a rule's anchor */
	MAX_PATTERNS = 262144,
	MAX_RULE_PATTERNS = 64, /* of one entry */
	MAX_BUCKET_RULES = 64, /* entries that share an anchor */
	MAX_SCANNED = 64, /* entries without an anchor */
	MAX_LENGTHS = 24, /* of the anchors of one subject, per direction */
	MAX_PROBES = 8, /* of one look-up in the index */
	NAME_LEN = 32, /* NUL included */
	PATTERN_LEN = 128, /* NUL included */
	LATENCY_BUCKETS = 336,
	TARDINESS_BUCKETS = 256,
	NR_LEVELS = 8, /* 0 = fair and background, then 1..7 */
	MAX_RM_STEPS = 8,
	PERIOD_GAPS = 32, /* remembered of a thread whose period is measured; a power of two */
	EVENT_RING_BYTES = 16384, /* per CPU: 256 events */
	EXIT_REASON_LEN = 128,
	EXIT_MSG_LEN = 1024,
	EXIT_DUMP_LEN = 32768, /* the kernel's own default */
	OBJECT_ID_LEN = 32, /* SHA-256 */
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

/* What happens to a thread that has used its runtime before its period is over. */
enum policy_overrun {
	OVERRUN_THROTTLE = 0, /* waits for the next period */
	OVERRUN_POSTPONE = 1, /* deadline and budget move on by a period; edf only */
	OVERRUN_DEMOTE = 2, /* fair until then */
	OVERRUN_IGNORE = 3, /* counted */
};

enum policy_power {
	POWER_BALANCED = 0, /* frequency follows utilization, full for levels 5..7 */
	POWER_PERFORMANCE = 1, /* always full */
};

enum class_flags {
	CLASS_MEASURED = 1 << 0, /* period: auto */
	CLASS_AUTO_LEVEL = 1 << 1, /* level: auto, by rate_monotonic from the measured period */
};

/* What a pattern looks at. */
enum subject {
	SUBJECT_COMM = 0,
	SUBJECT_EXE = 1,
	SUBJECT_UNIT = 2,
	SUBJECT_USER_UNIT = 3,
	SUBJECT_CGROUP = 4, /* the whole path from the root */
	SUBJECT_CGROUP_PART = 5, /* any one component of it */
	NR_TEXT_SUBJECTS = 6, /* the others are numbers */
	SUBJECT_UID = 6,
	SUBJECT_GID = 7,
	SUBJECT_KTHREAD = 8, /* 0 or 1 */
	SUBJECT_LEADER = 9, /* 0 or 1 */
	SUBJECT_NICE = 10, /* lowest in the low 16 bits, highest in the high ones */
	SUBJECT_EXE_OWNER = 11, /* a uid */
	SUBJECT_REALTIME_UID = 12, /* in the index only: whose threads any rule may lift */
	NR_SUBJECTS = 13,
};

enum anchor {
	ANCHOR_EQUAL = 0, /* the whole text, or a number */
	ANCHOR_PREFIX = 1,
	ANCHOR_SUFFIX = 2,
};

/* Periods up to this have that level; the first step that fits decides. */
struct rm_step {
	u64 at_most_ns; /* all bits set: every period, and threads without one */
	u32 level;
	u32 pad;
};

struct policy_class {
	char name[NAME_LEN];
	u64 period_ns; /* 0 = none, or measured */
	u64 deadline_ns; /* relative; 0 outside the real-time tier, or where it is the measured period */
	u64 runtime_ns; /* budget per period and thread; 0 = none */
	u64 slice_ns; /* longest run against equals */
	u64 timer_slack_ns; /* the daemon writes it to the threads; 0 = left alone */
	u64 recovery_within_ns; /* recovery_after misses in this time lift the thread a level */
	u64 recovery_decay_ns; /* each quiet time of this length takes one back */
	struct rm_step rate_monotonic[MAX_RM_STEPS]; /* of CLASS_AUTO_LEVEL */
	u32 weight; /* 1..10000, 100 = neutral */
	u32 threads; /* most at this level, more run as fair; 0 = no limit */
	u32 recovery_after; /* 0 = no recovery */
	u32 flags; /* enum class_flags */
	u8 tier; /* enum policy_tier */
	u8 level; /* 1..7, 7 most urgent; 0 outside the real-time tier */
	u8 overrun; /* enum policy_overrun */
	u8 max_level; /* of all lifts; 0 = none */
	u8 pad[4];
};

/* Which lengths of anchors occur: bit per length in bytes. */
struct policy_lengths {
	u64 prefix[PATTERN_LEN / 64];
	u64 suffix[PATTERN_LEN / 64];
};

/*
 * The head of a slot: with one write of the outer map all of the policy changes. The rules
 * are in three tables of the same slot, made anew with each policy and of just its size.
 */
struct policy {
	u32 abi_version;
	u32 slot; /* 0 = policy_a, 1 = policy_b: selects the tables and the half of class_stats */
	u64 generation; /* rises with every change, never 0 */
	u64 seed; /* of the index's hash */
	char profile[NAME_LEN];
	u32 order; /* enum policy_order */
	u32 fair_share_permille;
	u32 background_share_permille;
	u32 power; /* enum policy_power */
	u32 nr_classes;
	u32 nr_rules;
	u32 nr_patterns;
	u32 nr_scanned; /* the first rules: looked at for every thread */
	u32 bucket_mask; /* size of the index - 1 */
	u32 subjects; /* bit per enum subject: some rule looks at it */
	struct policy_lengths lengths[NR_TEXT_SUBJECTS];
	struct policy_class classes[MAX_CLASSES];
};

/* The index: open addressing. Which rules have the anchor with this hash. */
struct policy_bucket {
	u64 hash; /* anchor_hash() over subject, enum anchor and the bytes */
	u32 first; /* index of a rule */
	u32 nr; /* 0 = the slot is empty */
};

/* An entry; those with one anchor stand together, by rank. Several can be of one rule. */
struct policy_rule {
	u32 rank; /* the smallest that matches decides */
	u32 first; /* index of its first pattern: the anchor */
	u16 nr; /* of its patterns */
	u16 class_id; /* index into policy.classes */
	u8 trusted; /* may lift threads of every user */
	u8 walks; /* needs the cgroup's texts, which its anchor does not bring */
	u8 pad[2];
};

/*
 * Patterns of one clause are alternatives; all clauses of group 0 must match, and of no
 * other group all. Clauses and groups stand together.
 */
struct policy_pattern {
	u8 subject;
	u8 is_glob; /* 0: compared as it is */
	u8 clause;
	u8 group; /* 0, or the number of an excluded item */
	u32 value; /* of a number; of a text its length */
	char text[PATTERN_LEN]; /* NUL-padded */
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
	u64 nr_jobs; /* ended, by sleeping */
	u64 nr_misses; /* jobs past their deadline, counted when first seen so, at their end at the latest */
	u64 nr_overruns; /* times a budget ran out */
	u64 nr_throttled; /* by kind: what the overruns led to */
	u64 nr_postponed;
	u64 nr_demoted;
	u64 nr_ignored;
	u64 nr_over_population; /* wake-ups as fair: the class has its `threads` already */
	u64 nr_lifted; /* levels given by recovery */
	u64 nr_releveled; /* levels changed with a measured period */
	u32 latency[LATENCY_BUCKETS];
	u32 tardiness
		[TARDINESS_BUCKETS]; /* of jobs that ended late: as latency, in units of 16 us */
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
	u64 nr_path_overflow; /* paths of a cgroup or a program too long or too deep to be matched */
	u64 nr_cpu_offline;
	u64 nr_cpu_online;
	u64 nr_timer_armed; /* timers started for an end before the next tick */
	u64 nr_timer_failed; /* ... that the kernel had no memory for: the tick ends it */
	u64 nr_unparked; /* threads that came back from throttling */
	u64 nr_drained; /* threads taken from the queues of a CPU that went offline */
	u64 nr_cpuperf; /* changes of a CPU's frequency target */
	u64 nr_quota_changes; /* cpu.max set while attached */
	u64 nr_slack_changes; /* threads whose timer slack was to become another */
	u64 nr_events; /* written to the ring buffers */
	u64 nr_events_dropped; /* no room: nobody reads, or not fast enough */
};

enum task_flags {
	TASK_FIXED_PRIORITY = 1 << 0, /* the policy's order */
	TASK_DEMOTED = 1 << 1, /* fair until replenish_at */
	TASK_SURPLUS = 1 << 2, /* fair, because its class has its `threads` already */
	TASK_OVERDUE = 1 << 4, /* runs because of its age */
	TASK_HELD_BACK = 1 << 5, /* matched a real-time class without the privilege */
	TASK_THROTTLED = 1 << 6, /* out of budget, waits for replenish_at */
	TASK_MEASURED = 1 << 7, /* its period is measured */
	TASK_RECOVERS = 1 << 9, /* misses lift it */
	TASK_SLACK_LEFT = 1 << 10, /* left a class that asked for slack: slack_ns is due to it */
};

/*
 * One per thread, in task storage (map task_ctxs), readable with a pidfd as key. What the hot
 * path touches comes first and fills one cache line, of which the kernel has the first eight
 * bytes (struct bpf_local_storage_data); a job's own data the second; the rest is touched by
 * classification, by classes that asked for it, or never.
 */
struct task_ctx {
	u64 key; /* order inside its queue: deadline, release or virtual time */
	u64 release_at; /* of the current job; 0 = never released */
	u64 vtime; /* fair and background: weighted virtual time */
	u64 exec_ns; /* p->se.sum_exec_runtime up to which it was charged */
	u64 slice_used_ns; /* consumed of the current slice */
	u64 slice_ns; /* the class's */
	u32 weight; /* class, nice and cgroups; WEIGHT_ONE = neutral */
	u16 flags; /* enum task_flags */
	u8 tier; /* effective */
	u8 level; /* effective; 0 outside the real-time tier */
	/* the job */
	u16 class_index; /* slot * MAX_CLASSES + class: index into class_stats */
	s16 idle_cpu; /* claimed by ops.select_cpu for this wake-up, or -1 */
	u32 counted; /* COUNTED | domain << 8 | queue: in domain_ctx.nr of that queue; 0 = in none */
	u64 woken_at; /* 0 = not a wake-up, or already running */
	u64 queued_at; /* waits since; 0 = ran since */
	u64 abs_deadline_at; /* moves on with a renewal or a postponement */
	u64 job_deadline_at; /* what the job has to meet; 0 = none; odd = it was seen late */
	u64 deadline_ns; /* relative */
	s64 budget_ns; /* left of runtime_ns; negative is debt */
	u64 runtime_ns; /* 0 = no budget */
	/* the class, and what it was found by */
	u64 replenish_at; /* end of the budget's period: throttled and demoted until then */
	u64 period_ns; /* declared or measured; 0 = none */
	u64 generation; /* the policy that classified it; 0 = none yet */
	u64 comm[2];
	u64 cgroup_id;
	u64 task_group; /* of the cpu controller, whose weights count: the kernel's address, or 0 */
	u32 uid;
	u32 gid;
	u32 exec_id;
	s32 static_prio; /* 120 + nice */
	u32 sched_policy; /* SCHED_NORMAL, SCHED_BATCH or SCHED_IDLE */
	u32 weight_epoch; /* changes of cgroup weights seen */
	u32 domain; /* the queues whose virtual time `vtime` is relative to */
	u16 layout; /* TASK_LAYOUT */
	u8 class_tier; /* the class's own */
	u8 class_level;
	/* recovery */
	u64 miss_window_at; /* since when nr_misses are counted */
	u64 quiet_since; /* the last miss, or the last level given back */
	u64 late_again_at; /* a job that is still there by then counts as another miss, to recovery */
	u32 nr_misses;
	u8 recovery; /* levels it is lifted by */
	u8 max_level;
	u8 overrun; /* enum policy_overrun */
	u8 member; /* counted in the class's population */
	u64 member_generation;
	/* donations of waiting threads: room for the locks */
	u64 min_deadline[NR_LEVELS];
	u16 nr_donors[NR_LEVELS];
	/* timer slack before a class asked for another, and what it asked for; 0 = none did */
	u64 slack_ns;
	u64 slack_asked_ns;
	u32 vtime_tier; /* whose virtual time `vtime` is relative to */
	u32 pad;
	u64 reserved[5];
};

/*
 * What was measured of the releases of a thread whose class has `period: auto`, in task storage (map
 * period_ctxs), readable with a pidfd as key. All zero = nothing known. See period_math.h.
 */
struct period_ctx {
	u64 last_at; /* the latest release */
	u64 nr_releases;
	u64 period_ns; /* 0 = aperiodic, or not known */
	u64 jitter_ns; /* mean absolute deviation of a span from the period */
	u64 mean_ns; /* running mean of the results; becomes period_ns */
	u64 agreed_at; /* when the results began to agree */
	u32 nr_agreed; /* results in mean_ns */
	u32 nr_failed; /* estimates since period_ns was last confirmed */
	u32 nr_gaps;
	u16 confidence; /* share of spans near a multiple of the period, per mille */
	u8 lag; /* wake-ups per period of the latest result */
	u8 pad;
	u32 gaps_ns[PERIOD_GAPS];
};

enum event_kind {
	EVENT_MISS = 1, /* value: tardiness so far, ns */
	EVENT_OVERRUN = 2, /* value: ns over the budget */
	EVENT_SURPLUS = 3, /* a thread beyond the class's `threads` */
	EVENT_SLACK = 4, /* the thread's timer slack is to be set to `value` */
	EVENT_QUOTA = 5, /* a cgroup's cpu.max was set; value: its id */
	EVENT_EXIT = 6, /* the scheduler has ended: the exit record says why */
};

/* In the ring buffer of the CPU where it happened. */
struct event {
	u64 at_ns; /* CLOCK_MONOTONIC */
	u64 value;
	u64 generation;
	u32 kind; /* enum event_kind */
	u32 class_id;
	u32 pid; /* of the process, in the initial PID namespace */
	u32 tid;
	char comm[16];
};

/* Written by schedctl, read at wake-ups; in a cache line of its own. */
struct control {
	u32 listening; /* somebody reads the events */
	u32 pad[15];
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

/* What the kernel has dumped of a scheduler that it ejected; before the record. */
struct exit_dump {
	char text[EXIT_DUMP_LEN];
};

/*
 * Which object runs, and what of its state another one can go on with; written by schedctl
 * before the attach. Every later version reads it: it may only grow, at its end.
 */
struct identity {
	u32 abi_version;
	u32 task_layout;
	u32 task_size; /* of struct task_ctx */
	u32 slack_at; /* offset of slack_ns in it; slack_asked_ns follows */
	u8 object_id[OBJECT_ID_LEN]; /* SHA-256 of the object's file */
};

#endif
