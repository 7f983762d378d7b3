/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The period of a thread, from the times of its releases (struct period_ctx in intf.h). Pure
 * arithmetic, like sched_math.h.
 *
 * A gap is the time between two releases, a span of lag n the sum of n gaps in a row: a thread
 * that wakes up twice per period has irregular gaps and regular spans of lag 2. For each lag,
 * the last PERIOD_SPANS spans are held against multiples of a center (releases can be missing):
 * the mean of the spans near the middle one. A lag passes when the spans lie close to multiples,
 * most of them close to the center itself, and when those that do cover the time: a burst has
 * equal gaps too, but then the thread sleeps.
 *
 * A longer lag counts only where it is far more regular than the shorter ones: with random gaps
 * the deviation of spans grows with the lag, with several wake-ups per period it collapses.
 *
 * Results that agree over PERIOD_CONFIRM_NS are the period. Later ones move its running mean;
 * it outlives PERIOD_HOLD failures in a row. The first period is known after 41 releases.
 *
 * Limits: gaps from 20 us to 0.9 s; evenly spaced wake-ups are periods of their own; missing
 * wake-ups where there are several per period are jitter, and too many of them no period.
 */
#ifndef SCHEDCTL_PERIOD_MATH_H
#define SCHEDCTL_PERIOD_MATH_H

#include "sched_math.h"

/* Wake-ups closer than this to a release are part of it; clocks of two CPUs differ by less. */
#define PERIOD_MIN_GAP_NS 20000U
/* After a longer gap all begins anew. One and a half spans of three gaps fit into a u32. */
#define PERIOD_MAX_GAP_NS 900000000U
#define PERIOD_CONFIRM_NS (20 * MSEC_NS)

enum period_limits {
	PERIOD_SPANS = 24,
	PERIOD_LAGS = 3, /* wake-ups per period that can be told apart */
	PERIOD_EVERY = 8, /* releases between two estimates; divides PERIOD_GAPS */
	PERIOD_MULTIPLES = 4, /* periods in one span: three releases in a row can be missing */
	PERIOD_MIN_SINGLE = 14, /* spans of one period: 58 %, two alternating gaps have 50 % */
	PERIOD_MAX_ERROR = 120, /* mean distance from a multiple, in 1/1000 of the center */
	PERIOD_MIN_COVER = 75, /* per cent of the time */
	PERIOD_STEADIER = 70, /* a longer lag: per cent of the shorter one's scatter */
	PERIOD_MUCH_STEADIER = 40, /* ... where the shorter one passes too */
	PERIOD_STEADY = 50, /* spans that scatter by less than 1/50 need no longer lag */
	PERIOD_SAME = 12, /* results closer than 1/12 are of one period */
	PERIOD_SMOOTH = 8, /* results in the running mean, for each wake-up per period */
	PERIOD_HOLD = 4,
};

_Static_assert(sizeof(struct period_ctx) == 192, "no padding of the compiler's");
_Static_assert(!(PERIOD_GAPS & (PERIOD_GAPS - 1)) && PERIOD_GAPS % PERIOD_EVERY == 0, "rounds");

/* How the spans of one lag lie around the multiples of a center. */
struct period_fit {
	u64 sum_ns; /* of the spans near a multiple */
	u64 total_ns; /* of all */
	u64 deviation_ns; /* of those near a multiple, from it */
	u64 error_ns; /* the same of all; others count half a center */
	u64 scatter_ns; /* of all, from the middle one */
	u64 center_ns;
	u32 nr_near;
	u32 nr_single; /* near the center itself */
	u32 nr_periods;
	u32 pad;
};

/*
 * a < b, as 0 or 1, of values below 2^63. Without a branch, as all inside the loops here: the
 * verifier follows each way through a branch, and what was counted on it, separately. The empty
 * asm keeps the compiler from seeing the comparison, of which it would make a branch.
 */
static inline u32 is_less(u64 a, u64 b)
{
	u64 off = a - b;

	asm("" : "+r"(off));
	return (u32)(off >> 63);
}

/* |a - b|, of values below 2^63. */
static inline u64 distance_ns(u64 a, u64 b)
{
	return (a - b) * (1 - 2 * (u64)is_less(a, b));
}

/* The middle one of three, below 2^32. */
static inline u32 middle_of(u64 a, u64 b, u64 c)
{
	u64 swap = (a ^ b) * is_less(b, a), low = a ^ swap, high = b ^ swap;

	high ^= (high ^ c) * is_less(c, high);
	return (u32)(low ^ (low ^ high) * is_less(low, high));
}

/* The sums of as many gaps as the lag has. */
struct period_spans {
	u32 ns[PERIOD_SPANS];
};

/* About the median of the newest spans: the middle one of the middle ones of three each. */
static inline u32 period_middle(const u32 *spans)
{
	return middle_of(middle_of(spans[0], spans[1], spans[2]),
			 middle_of(spans[3], spans[4], spans[5]),
			 middle_of(spans[6], spans[7], spans[8]));
}

/* Begin a fit: the center is the mean of the spans within a quarter of the middle one. */
static inline void period_center(const u32 *spans, struct period_fit *fit)
{
	u64 middle_ns = period_middle(spans), sum_ns = 0;
	u32 nr = 0;

	*fit = (struct period_fit){};
	for (u32 i = 0; i < PERIOD_SPANS; i++) {
		u64 off_ns = distance_ns(spans[i], middle_ns);
		u32 near = is_less(off_ns, middle_ns / 4);

		fit->total_ns += spans[i];
		fit->scatter_ns += off_ns;
		sum_ns += spans[i] * (u64)near;
		nr += near;
	}
	fit->center_ns = nr ? sum_ns / nr : 0;
}

static inline void period_measure(const u32 *spans, struct period_fit *fit)
{
	u64 center_ns = fit->center_ns;

	for (u32 i = 0; i < PERIOD_SPANS; i++) {
		u64 span_ns = spans[i], off_ns;
		u32 nr = 1, near;

		for (u32 more = 1; more < PERIOD_MULTIPLES; more++)
			nr += is_less(center_ns * more + center_ns / 2, span_ns);
		off_ns = distance_ns(span_ns, center_ns * nr);
		near = is_less(off_ns, center_ns / 4);
		fit->sum_ns += span_ns * near;
		fit->deviation_ns += off_ns * near;
		fit->nr_periods += nr * near;
		fit->nr_near += near;
		fit->nr_single += near & is_less(nr, 2);
	}
	fit->error_ns = fit->deviation_ns + center_ns / 2 * (PERIOD_SPANS - fit->nr_near);
}

/* In BPF not static: verified once instead of for each lag. */
#ifndef PERIOD_FIT
#define PERIOD_FIT static inline
#endif
PERIOD_FIT int period_fit_spans(const struct period_spans *spans, struct period_fit *fit)
{
	if (!spans || !fit)
		return 0;
	period_center(spans->ns, fit);
	period_measure(spans->ns, fit);
	return 1;
}

/* 0 or 1. */
static inline u32 period_is_regular(const struct period_fit *fit)
{
	u64 most_ns = fit->center_ns * PERIOD_SPANS * PERIOD_MAX_ERROR;

	return is_less(PERIOD_MIN_SINGLE - 1, fit->nr_single) &
	       is_less(fit->error_ns * 1000, most_ns + 1);
}

/*
 * 0 or 1: whether a longer lag explains what a shorter one leaves scattered. Where the shorter
 * one passes, jitter and missing releases explain it already: no multiples then, and more of it.
 */
static inline u32 period_is_steadier(const struct period_fit *fit, u64 scatter_ns, u32 found)
{
	if (found)
		return is_less(fit->scatter_ns * 100, scatter_ns * PERIOD_MUCH_STEADIER + 1);
	return is_less(fit->error_ns * 100, scatter_ns * PERIOD_STEADIER + 1);
}

/* The fit of the best of the lags that pass; returns the lag, or 0 where none passes. */
static inline u32 period_search(const struct period_ctx *ctx, struct period_fit *best)
{
	struct period_spans spans = {};
	u64 scatter_ns = 0;
	u32 found = 0;

	for (u32 lag = 1; lag <= PERIOD_LAGS; lag++) {
		struct period_fit fit;
		u32 better, chosen;

		for (u32 i = 0; i < PERIOD_SPANS; i++)
			spans.ns[i] += ctx->gaps_ns[(ctx->nr_gaps - lag - i) % PERIOD_GAPS];
		if (!period_fit_spans(&spans, &fit))
			break;
		better = period_is_regular(&fit);
		/* a burst, or one long pause: longer lags only hide it in their multiples */
		if (better && fit.sum_ns * 100 < fit.total_ns * PERIOD_MIN_COVER)
			break;
		if (lag == 1)
			scatter_ns = fit.scatter_ns;
		else
			better &= period_is_steadier(&fit, scatter_ns, found);
		/* arithmetic again: each found lag would be followed separately */
		chosen = better;
		asm("" : "+r"(chosen));
		found += (lag - found) * chosen;
		if (!better)
			continue;
		*best = fit;
		scatter_ns = fit.scatter_ns;
		if (scatter_ns * PERIOD_STEADY <= fit.center_ns * PERIOD_SPANS)
			break;
	}
	return found;
}

static inline void period_forget(struct period_ctx *ctx)
{
	ctx->period_ns = 0;
	ctx->jitter_ns = 0;
	ctx->confidence = 0;
	ctx->nr_agreed = 0;
	ctx->nr_failed = 0;
	ctx->lag = 0;
}

/* Put a result into the running mean, or begin one with it. Returns whether it is confirmed. */
static inline int period_agrees(struct period_ctx *ctx, u64 result_ns, u32 lag)
{
	u64 off_ns = distance_ns(result_ns, ctx->mean_ns);

	if (ctx->nr_agreed && off_ns <= ctx->mean_ns / PERIOD_SAME) {
		if (ctx->nr_agreed < PERIOD_SMOOTH * lag)
			ctx->nr_agreed++;
		ctx->mean_ns = (ctx->mean_ns * (ctx->nr_agreed - 1) + result_ns) / ctx->nr_agreed;
	} else {
		ctx->mean_ns = result_ns;
		ctx->agreed_at = ctx->last_at;
		ctx->nr_agreed = 1;
	}
	ctx->lag = (u8)lag;
	return ctx->nr_agreed > 1 && ctx->last_at - ctx->agreed_at >= PERIOD_CONFIRM_NS;
}

/* The heavy part, when period_note() says so: a new estimate from the remembered gaps. */
static inline void period_estimate(struct period_ctx *ctx)
{
	struct period_fit fit = {};
	u32 lag = period_search(ctx, &fit);

	if (lag && period_agrees(ctx, fit.sum_ns / fit.nr_periods, lag)) {
		ctx->period_ns = ctx->mean_ns;
		ctx->jitter_ns = fit.deviation_ns / fit.nr_near;
		ctx->confidence = (u16)(fit.nr_near * 1000 / PERIOD_SPANS);
		ctx->nr_failed = 0;
		return;
	}
	if (!lag && ctx->mean_ns != ctx->period_ns)
		ctx->nr_agreed = 0;
	if (++ctx->nr_failed > PERIOD_HOLD) {
		ctx->period_ns = 0;
		ctx->jitter_ns = 0;
		ctx->confidence = 0;
	}
}

/* Note a release; returns whether period_estimate() is due. */
static inline int period_note(struct period_ctx *ctx, u64 now)
{
	u64 gap_ns = now - ctx->last_at;

	if (ctx->nr_releases && gap_ns + PERIOD_MIN_GAP_NS < 2 * PERIOD_MIN_GAP_NS)
		return 0;
	ctx->last_at = now;
	ctx->nr_releases++;
	if (ctx->nr_releases == 1 || gap_ns >= PERIOD_MAX_GAP_NS) {
		period_forget(ctx);
		ctx->nr_gaps = 0;
		return 0;
	}
	ctx->gaps_ns[ctx->nr_gaps++ % PERIOD_GAPS] = (u32)gap_ns;
	return ctx->nr_gaps >= PERIOD_GAPS && ctx->nr_gaps % PERIOD_EVERY == 0;
}

static inline void period_release(struct period_ctx *ctx, u64 now)
{
	if (period_note(ctx, now))
		period_estimate(ctx);
}

#endif
