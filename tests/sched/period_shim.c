/* SPDX-License-Identifier: GPL-2.0-only */
/* period_math.h as a shared library. */
#include "period_math.h"

/* Release a thread at each of `times`; its period after each of them goes to `periods`. */
void period_run(struct period_ctx *ctx, const u64 *times, u64 *periods, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		period_release(ctx, times[i]);
		periods[i] = ctx->period_ns;
	}
}

/* An estimate from any state, however it came about. */
void period_force(struct period_ctx *ctx)
{
	period_estimate(ctx);
}

u32 period_is_less(u64 a, u64 b)
{
	return is_less(a, b);
}

u64 period_distance(u64 a, u64 b)
{
	return distance_ns(a, b);
}

u32 period_middle_of(u64 a, u64 b, u64 c)
{
	return middle_of(a, b, c);
}

u32 period_ctx_size(void)
{
	return sizeof(struct period_ctx);
}
