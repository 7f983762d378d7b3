/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wake NAME COUNT PERIOD_US WORK: sleeps for PERIOD_US / 2 .. PERIOD_US * 3 / 2, COUNT
 * times, WORK iterations after each, timer slack 1 ns. Prints p50, p99 and maximum of
 * the time from the end of the sleep to running, in ns.
 */
#include "load.h"

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	uint64_t *late, period, iterations;
	int count, i;

	if (argc != 5)
		return 64;
	count = atoi(argv[2]);
	period = strtoull(argv[3], NULL, 10) * 1000;
	iterations = strtoull(argv[4], NULL, 10);
	late = calloc((size_t)count, sizeof(*late));
	if (count < 1 || !late)
		return 64;
	prctl(PR_SET_NAME, argv[1]);
	prctl(PR_SET_TIMERSLACK, 1);
	srand(1);
	for (i = 0; i < count; i++) {
		uint64_t until = now_ns(CLOCK_MONOTONIC) + period / 2 + (uint64_t)rand() % period;
		struct timespec ts = { .tv_sec = (time_t)(until / 1000000000),
				       .tv_nsec = (long)(until % 1000000000) };

		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
			die("clock_nanosleep");
		late[i] = now_ns(CLOCK_MONOTONIC) - until;
		work(iterations);
	}
	qsort(late, (size_t)count, sizeof(*late), compare);
	printf("%llu %llu %llu\n", (unsigned long long)late[count / 2],
	       (unsigned long long)late[count * 99 / 100], (unsigned long long)late[count - 1]);
	return 0;
}
