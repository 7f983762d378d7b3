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

/* The longest run against equals; ends at a tick, so it is one tick or more. */
#define SLICE_NS (4 * MSEC_NS)
#define SLICE_MIN_NS (MSEC_NS / 4)
/* Shares are kept over this window; a debt never exceeds one window. */
#define SHARE_WINDOW_NS (100 * MSEC_NS)
/* Owed time is paid in quanta of this size. */
#define OWED_QUANTUM_NS MSEC_NS
/* The watchdog's time-out, and the age at which a thread is overdue. */
#define TIMEOUT_MS 30000
#define MAX_WAIT_NS (TIMEOUT_MS / 4 * MSEC_NS)
/* Overdue threads run this long, and together at most half of each window. */
#define OVERDUE_QUANTUM_NS (MSEC_NS / 4)
#define OVERDUE_LIMIT_NS (SHARE_WINDOW_NS / 2)
/* How far behind the queue's virtual time a waking thread may start. */
#define VTIME_LAG_NS (20 * MSEC_NS)
/* Keys stay within this of the queue's virtual time: a queue shows only its head. */
#define VTIME_LEAD_NS (TIMEOUT_MS / 8 * MSEC_NS)
/* The background tier's guaranteed share. */
#define BACKGROUND_SHARE_PERMILLE 10
#define WEIGHT_NEUTRAL 100
#define WEIGHT_MAX 10000

static inline int time_before(u64 a, u64 b)
{
	return (s64)(a - b) < 0;
}

/* a - b as a duration: 0 where b is not in the past of a. */
static inline u64 time_since(u64 a, u64 b)
{
	return time_before(b, a) ? a - b : 0;
}

/* The key of a job released at `release`: smaller runs first inside its level. */
static inline u64 job_key(u32 order, u64 release, u64 deadline_ns)
{
	return order == ORDER_EDF ? release + deadline_ns : release;
}

/* What is left of a slice of which `used_ns` have been consumed. */
static inline u64 slice_left(u64 used_ns)
{
	if (used_ns + SLICE_MIN_NS >= SLICE_NS)
		return SLICE_MIN_NS;
	return SLICE_NS - used_ns;
}

/* Class weight times nice weight, both 100 = neutral, kept within 1..10000. */
static inline u32 weight_product(u32 class_weight, u32 nice_weight)
{
	u64 weight = (u64)class_weight * nice_weight / WEIGHT_NEUTRAL;

	if (weight < 1)
		return 1;
	return weight > WEIGHT_MAX ? WEIGHT_MAX : (u32)weight;
}

/* Virtual time after running for `ran_ns` with `weight`. */
static inline u64 vtime_charge(u64 vtime, u64 ran_ns, u32 weight)
{
	return vtime + ran_ns * WEIGHT_NEUTRAL / (weight ? weight : 1);
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

/* CPU time owed to a tier after `elapsed_ns` in which its threads waited or ran. */
static inline s64 debt_accrue(s64 debt_ns, u64 elapsed_ns, u32 share_permille)
{
	u64 elapsed = elapsed_ns > SHARE_WINDOW_NS ? SHARE_WINDOW_NS : elapsed_ns;
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
