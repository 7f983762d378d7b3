/* SPDX-License-Identifier: GPL-2.0-only */
/* sched_math.h as a shared library: every function by the name `math_NAME`. */
#include "sched_math.h"

int math_time_before(u64 a, u64 b)
{
	return time_before(a, b);
}

u64 math_later_of(u64 a, u64 b)
{
	return later_of(a, b);
}

u64 math_time_since(u64 a, u64 b)
{
	return time_since(a, b);
}

u64 math_abs_deadline(u64 release, u64 deadline_ns)
{
	return abs_deadline(release, deadline_ns);
}

u64 math_default_deadline_ns(u32 level)
{
	return default_deadline_ns(level);
}

u64 math_slice_left(u64 slice_ns, u64 used_ns)
{
	return slice_left(slice_ns, used_ns);
}

int math_slice_used_up(u64 slice_ns, u64 used_ns)
{
	return slice_used_up(slice_ns, used_ns);
}

u32 math_nice_weight(s32 nice)
{
	return nice_weight(nice);
}

u32 math_weight_product(u32 weight, u32 factor)
{
	return weight_product(weight, factor);
}

u64 math_vtime_charge(u64 vtime, u64 ran_ns, u32 weight)
{
	return vtime_charge(vtime, ran_ns, weight);
}

u64 math_vtime_clamp(u64 vtime, u64 vnow)
{
	return vtime_clamp(vtime, vnow);
}

u64 math_vtime_behind(u64 behind_ns, u64 shared_vnow, u64 vtime, int contended)
{
	return vtime_behind(behind_ns, shared_vnow, vtime, contended);
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

u32 math_tardiness_bucket(u64 ns)
{
	return tardiness_bucket(ns);
}

int math_budget_is_out(s64 budget_ns)
{
	return budget_is_out(budget_ns);
}

int math_cbs_renews(s64 budget, u64 renewed, u64 now, u64 runtime, u64 period)
{
	return cbs_renews(budget, renewed, now, runtime, period);
}

int math_cbs_meets(s64 budget, u64 due, u64 now, u64 runtime, u64 deadline)
{
	return cbs_meets(budget, due, now, runtime, deadline);
}

s64 math_budget_refill(s64 budget_ns, u64 runtime_ns)
{
	return budget_refill(budget_ns, runtime_ns);
}

u64 math_next_period(u64 end_at, u64 now, u64 period_ns)
{
	return next_period(end_at, now, period_ns);
}

u32 math_util_average(u32 util, u64 busy_ns, u64 elapsed_ns)
{
	return util_average(util, busy_ns, elapsed_ns);
}

u32 math_perf_target(u32 util)
{
	return perf_target(util);
}

u64 math_anchor_hash_start(u64 seed, u32 subject, u32 anchor)
{
	return anchor_hash_start(seed, subject, anchor);
}

u64 math_anchor_hash_step(u64 hash, u8 byte)
{
	return anchor_hash_step(hash, byte);
}
