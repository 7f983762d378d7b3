/* SPDX-License-Identifier: GPL-2.0-only */
/* sched_math.h as a shared library: every function by the name `math_NAME`. */
#include "sched_math.h"

int math_time_before(u64 a, u64 b)
{
	return time_before(a, b);
}

u64 math_time_since(u64 a, u64 b)
{
	return time_since(a, b);
}

u64 math_job_key(u32 order, u64 release, u64 deadline_ns)
{
	return job_key(order, release, deadline_ns);
}

u64 math_slice_left(u64 used_ns)
{
	return slice_left(used_ns);
}

u32 math_weight_product(u32 class_weight, u32 nice_weight)
{
	return weight_product(class_weight, nice_weight);
}

u64 math_vtime_charge(u64 vtime, u64 ran_ns, u32 weight)
{
	return vtime_charge(vtime, ran_ns, weight);
}

u64 math_vtime_clamp(u64 vtime, u64 vnow)
{
	return vtime_clamp(vtime, vnow);
}

s64 math_debt_accrue(s64 debt_ns, u64 elapsed_ns, u32 share_permille)
{
	return debt_accrue(debt_ns, elapsed_ns, share_permille);
}

s64 math_debt_pay(s64 debt_ns, u64 ran_ns, int owed)
{
	return debt_pay(debt_ns, ran_ns, owed);
}

u32 math_latency_bucket(u64 ns)
{
	return latency_bucket(ns);
}

u64 math_anchor_hash_start(u64 seed, u32 subject, u32 anchor)
{
	return anchor_hash_start(seed, subject, anchor);
}

u64 math_anchor_hash_step(u64 hash, u8 byte)
{
	return anchor_hash_step(hash, byte);
}
