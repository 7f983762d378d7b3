/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All arithmetic on time: no kernel types, no clock of its own, so that the tests
 * compile this file for the host and hold it against a model. Times are u64 ns of
 * CLOCK_MONOTONIC; keys wrap and are compared as signed differences.
 */
#ifndef SCHEDCTL_SCHED_MATH_H
#define SCHEDCTL_SCHED_MATH_H

#include "intf.h"

#define MSEC_NS 1000000ULL

/* Ends later than this are left to the tick, which is never longer apart (HZ = 250). */
#define TICK_MAX_NS (4 * MSEC_NS)
/* What is left of a slice is at least this. */
#define SLICE_MIN_NS (MSEC_NS / 4)
/* A run that a budget or a quantum cuts short is at least this: a timer is no sharper. */
#define RUN_MIN_NS (MSEC_NS / 50)
/* Shares are kept over this window; a debt never exceeds one window. */
#define SHARE_WINDOW_NS (100 * MSEC_NS)
/* The longest time that one run adds to a debt: a virtual CPU may have been away meanwhile. */
#define ACCRUE_MAX_NS (10 * SHARE_WINDOW_NS)
/* Owed time is paid in quanta of this size. */
#define OWED_QUANTUM_NS MSEC_NS
/* The watchdog's time-out, and the age at which a thread is overdue. */
#define TIMEOUT_MS 30000
#define MAX_WAIT_NS (TIMEOUT_MS / 4 * MSEC_NS)
/* Who comes goes behind all that came before the last epoch, so that the oldest come to the head. */
#define AGE_EPOCH_NS (MAX_WAIT_NS / 6)
/* Overdue threads run this long, and together at most half of each window. */
#define OVERDUE_QUANTUM_NS (MSEC_NS / 4)
#define OVERDUE_LIMIT_NS (SHARE_WINDOW_NS / 2)
/* How far behind the queue's virtual time a waking thread may start. */
#define VTIME_LAG_NS (20 * MSEC_NS)
/* Keys stay within this of the queue's virtual time: a queue shows only its head. */
#define VTIME_LEAD_NS (TIMEOUT_MS / 8 * MSEC_NS)
/* A class's and a cgroup's neutral weight; a thread's own, which has more digits. */
#define WEIGHT_NEUTRAL 100
#define WEIGHT_ONE 1024
#define WEIGHT_MAX (1 << 26)
/* Frequency: full speed, and the room that a utilization of less than that leaves. */
#define PERF_ONE 1024

static inline int time_before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

static inline u64 later_of(u64 a, u64 b)
{
	return time_before(a, b) ? b : a;
}

/* a - b as a duration: 0 where b is not in the past of a. */
static inline u64 time_since(u64 a, u64 b)
{
	return time_before(b, a) ? a - b : 0;
}

/* The absolute deadline of a job released at `release`. */
static inline u64 abs_deadline(u64 release, u64 deadline_ns)
{
	return release + deadline_ns;
}

/* The deadline of a level where neither deadline nor period is known: 2 ms for 7, 128 ms for 1. */
static inline u64 default_deadline_ns(u32 level)
{
	return MSEC_NS << (8 - (level & 7));
}

/* What is left of a slice of which `used_ns` have been consumed. */
static inline u64 slice_left(u64 slice_ns, u64 used_ns)
{
	if (used_ns + SLICE_MIN_NS >= slice_ns || used_ns > slice_ns)
		return SLICE_MIN_NS;
	return slice_ns - used_ns;
}

/* True where so little of a slice is left that the thread has had it. */
static inline int slice_used_up(u64 slice_ns, u64 used_ns)
{
	return used_ns + SLICE_MIN_NS > slice_ns || used_ns > slice_ns;
}

/*
 * The kernel's weight of a nice value, nice 0 = WEIGHT_ONE: each step is a quarter more, see
 * sched_prio_to_weight[] in kernel/sched/core.c. p->scx.weight has the same in units of 1/100,
 * which is too coarse for nice 15 and above.
 */
static inline u32 nice_weight(s32 nice)
{
	static const u32 weights[64] = {
		88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
		9548,  7620,  6100,  4904,  3906,  3121,  2501,	 1991,	1586,  1277,
		1024,  820,   655,   526,   423,   335,	  272,	 215,	172,   137,
		110,   87,    70,    56,    45,	   36,	  29,	 23,	18,    15,
	};
	u32 weight = weights[(u32)(nice + 20) & 63];

	return weight ? weight : WEIGHT_ONE;
}

/* A weight times that of a class or a cgroup. */
static inline u32 weight_product(u32 weight, u32 factor)
{
	u64 product = (u64)weight * factor / WEIGHT_NEUTRAL;

	if (product < 1)
		return 1;
	return product > WEIGHT_MAX ? WEIGHT_MAX : (u32)product;
}

/* Virtual time after running for `ran_ns` with `weight`. */
static inline u64 vtime_charge(u64 vtime, u64 ran_ns, u32 weight)
{
	return vtime + ran_ns * WEIGHT_ONE / (weight ? weight : 1);
}

/* Keep a thread's virtual time within [now - lag, now + lead] of its queue's. */
static inline u64 vtime_clamp(u64 vtime, u64 vnow)
{
	if (time_before(vtime, vnow - VTIME_LAG_NS))
		return vnow - VTIME_LAG_NS;
	if (time_before(vnow + VTIME_LEAD_NS, vtime))
		return vnow + VTIME_LEAD_NS;
	return vtime;
}

/*
 * How far (signed) a CPU's virtual time is behind the shared one once a thread at `vtime` runs that
 * is bound to that CPU: at most so far that the thread is not more than a lag behind, or it would be
 * owed what no CPU of its could give; and where nobody else waits the time is the thread's.
 */
static inline u64 vtime_behind(u64 behind_ns, u64 shared_vnow, u64 vtime, int contended)
{
	u64 vnow = shared_vnow - behind_ns;

	if (time_before(vtime + VTIME_LAG_NS, vnow))
		return shared_vnow - vtime - VTIME_LAG_NS;
	if (!contended && time_before(vnow, vtime))
		return shared_vnow - vtime;
	return behind_ns;
}

/* CPU time owed to a tier after `elapsed_ns` in which its threads waited or ran. */
static inline s64 debt_accrue(s64 debt_ns, u64 elapsed_ns, u32 share_permille)
{
	u64 elapsed = elapsed_ns > ACCRUE_MAX_NS ? ACCRUE_MAX_NS : elapsed_ns;
	s64 debt = debt_ns + (s64)(elapsed * share_permille / 1000);

	return debt > (s64)SHARE_WINDOW_NS ? (s64)SHARE_WINDOW_NS : debt;
}

/*
 * The debt after the tier ran for `ran_ns`. Time given as an owed quantum may overdraw
 * (the quantum ends at a tick, late), and is then earned back; time it got because
 * nobody else wanted it is no reason to wait later.
 */
static inline s64 debt_pay(s64 debt_ns, u64 ran_ns, int owed)
{
	u64 ran = ran_ns > SHARE_WINDOW_NS ? SHARE_WINDOW_NS : ran_ns;
	s64 debt = debt_ns - (s64)ran;

	if (owed)
		return debt < -(s64)SHARE_WINDOW_NS ? -(s64)SHARE_WINDOW_NS : debt;
	if (debt < 0)
		return debt_ns < 0 ? debt_ns : 0;
	return debt;
}

/* The histogram bucket of a latency, see struct class_stats. */
static inline u32 latency_bucket(u64 ns)
{
	u64 units = ns >> 6;
	u32 shift = 0, bucket;

	if (units < 16)
		return (u32)units;
	if (units >> 24)
		return LATENCY_BUCKETS - 1;
	for (u32 step = 16; step; step >>= 1) {
		if (units >> (shift + step + 4))
			shift += step;
	}
	bucket = 16 + shift * 16 + ((u32)(units >> shift) - 16);
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The histogram bucket of a tardiness: as latency_bucket(), in units of 16 us. */
static inline u32 tardiness_bucket(u64 ns)
{
	u32 bucket = latency_bucket(ns >> 8);

	return bucket < TARDINESS_BUCKETS ? bucket : TARDINESS_BUCKETS - 1;
}

/* True where what is left of a budget is not worth a run. */
static inline int budget_is_out(s64 budget_ns)
{
	return budget_ns < (s64)RUN_MIN_NS;
}

/*
 * The wake-up rule of the constant-bandwidth server (Abeni & Buttazzo, RTSS 1998), by the period:
 * true where a new one may begin at once, because what was used of this one is no more than the
 * reserved bandwidth until now. By the deadline, where that is shorter, a thread that sleeps
 * until then would get runtime / deadline of a CPU. Durations are at most 3 s: products fit.
 */
static inline int cbs_renews(s64 budget_ns, u64 replenish_at, u64 now, u64 runtime_ns,
			     u64 period_ns)
{
	if (!time_before(now, replenish_at))
		return 1;
	if (budget_is_out(budget_ns) || replenish_at - now >= period_ns)
		return 0;
	return (u64)budget_ns * period_ns > (replenish_at - now) * runtime_ns;
}

/*
 * True where what is left of the budget fits before the old deadline without asking for more than
 * runtime / deadline of the time until then (the revised rule for constrained deadlines of
 * SCHED_DEADLINE cuts the budget instead, kernel commit 3effcb4247e7).
 */
static inline int cbs_meets(s64 budget_ns, u64 deadline_at, u64 now, u64 runtime_ns,
			    u64 deadline_ns)
{
	if (budget_is_out(budget_ns))
		return 1;
	if (!time_before(now, deadline_at))
		return 0;
	if (deadline_at - now >= deadline_ns)
		return 1;
	return (u64)budget_ns * deadline_ns <= (deadline_at - now) * runtime_ns;
}

/*
 * The budget of the next period: a debt is carried, but leaves an eighth, so that nobody waits
 * longer than one period.
 */
static inline s64 budget_refill(s64 budget_ns, u64 runtime_ns)
{
	s64 budget = budget_ns < 0 ? budget_ns : 0;

	if (budget < (s64)(runtime_ns / 8) - (s64)runtime_ns)
		return (s64)(runtime_ns / 8);
	return budget + (s64)runtime_ns;
}

/*
 * The start of the period that follows one which ended at `end_at`; now where that is old, or cut
 * short, or the thread would have to wait for two.
 */
static inline u64 next_period(u64 end_at, u64 now, u64 period_ns)
{
	return !time_before(now, end_at) && now - end_at < period_ns ? end_at : now;
}

/*
 * A CPU's utilization in 1/1024 after a time of which `busy_ns` were busy: rises at once,
 * falls by a quarter of the distance.
 */
static inline u32 util_average(u32 util, u64 busy_ns, u64 elapsed_ns)
{
	u64 busy = busy_ns > elapsed_ns ? elapsed_ns : busy_ns;
	u32 new = elapsed_ns ? (u32)(busy * PERF_ONE / elapsed_ns) : 0;

	return new > util ? new : util - (util - new + 3) / 4;
}

/* The frequency for a utilization: a quarter more than is used, as schedutil takes it. */
static inline u32 perf_target(u32 util)
{
	u32 target = util + util / 4;

	return target > PERF_ONE ? PERF_ONE : target;
}

/* The hash of an anchor: start, one step per byte (a number: its four, lowest first). */
static inline u64 anchor_hash_start(u64 seed, u32 subject, u32 anchor)
{
	return seed ^ (u64)(subject << 2 | anchor) * 0x9e3779b97f4a7c15ULL;
}

static inline u64 anchor_hash_step(u64 hash, u8 byte)
{
	hash = (hash ^ byte) * 0x100000001b3ULL;
	return hash ^ hash >> 29;
}

#endif
