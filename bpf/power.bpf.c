/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPU frequency. An attach sets every CPU to its maximum, and only the scheduler can lower it:
 * by utilization, as schedutil would, and full while a thread of level 5 to 7 runs.
 */
#include "power.bpf.h"

/* Utilization is taken over at least this. */
#define UTIL_WINDOW_NS (8 * MSEC_NS)
/* Smaller changes of the target are not worth a call into cpufreq. */
#define PERF_STEP (PERF_ONE / 16)

__hidden void set_frequency(s32 cpu, struct cpu_ctx *cpuc, u32 level, u64 now)
{
	const struct policy *pol = active_policy();
	u64 elapsed_ns = time_since(now, cpuc->util_at);
	u32 target = PERF_ONE, last = cpuc->perf ? cpuc->perf : PERF_ONE;

	if (elapsed_ns >= UTIL_WINDOW_NS) {
		cpuc->util = util_average(cpuc->util, cpuc->busy_ns, elapsed_ns);
		cpuc->util_at = now;
		cpuc->busy_ns = 0;
	}
	if (pol && pol->power == POWER_BALANCED && level < FULL_FROM_LEVEL)
		target = perf_target(cpuc->util);
	if (target == last || (target < last ? last - target : target - last) < PERF_STEP)
		return;
	if (bpf_ksym_exists(scx_bpf_cpuperf_set))
		scx_bpf_cpuperf_set(cpu, target);
	cpuc->perf = target;
	count(nr_cpuperf);
}
