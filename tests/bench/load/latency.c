/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * latency HOGS COUNT PERIOD_US WORK SEED CLASS: beside HOGS spinners, sleeps for PERIOD_US / 2 ..
 * PERIOD_US * 3 / 2, COUNT times, WORK iterations after each. CLASS is fifo or other; the
 * timer slack is 1 ns in both. Prints "work NS", the mean CPU time of the work, then for each
 * wake-up the time from the end of the sleep to running, in ns.
 */
#include "load.h"
#include <sys/mman.h>

#define WARM_UP 10

static void start_hogs(int nr)
{
	pid_t pid;

	while (nr--) {
		pid = fork();
		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "bench-hog");
		for (;;)
			work(1000000);
	}
}

static void become(const char *class)
{
	struct sched_param param = { .sched_priority = 50 };

	prctl(PR_SET_NAME, "bench-wake");
	prctl(PR_SET_TIMERSLACK, 1);
	if (!strcmp(class, "fifo") && sched_setscheduler(0, SCHED_FIFO, &param))
		die("sched_setscheduler");
}

int main(int argc, char **argv)
{
	uint64_t *late, period, iterations, started, cpu_ns = 0;
	int count, i;

	if (argc != 7)
		return 64;
	count = atoi(argv[2]) + WARM_UP;
	period = strtoull(argv[3], NULL, 10) * 1000;
	iterations = strtoull(argv[4], NULL, 10);
	late = calloc((size_t)count, sizeof(*late));
	if (!late || mlockall(MCL_CURRENT))
		die("memory");
	start_hogs(atoi(argv[1]));
	srand((unsigned int)atoi(argv[5]));
	become(argv[6]);
	nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
	for (i = 0; i < count; i++) {
		uint64_t until = now_ns(CLOCK_MONOTONIC) + period / 2 + (uint64_t)rand() % period;
		struct timespec ts = { .tv_sec = (time_t)(until / 1000000000),
				       .tv_nsec = (long)(until % 1000000000) };

		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
			die("clock_nanosleep");
		late[i] = now_ns(CLOCK_MONOTONIC) - until;
		started = now_ns(CLOCK_THREAD_CPUTIME_ID);
		work(iterations);
		cpu_ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - started;
	}
	printf("work %llu\n", (unsigned long long)(cpu_ns / (uint64_t)count));
	for (i = WARM_UP; i < count; i++)
		printf("%llu\n", (unsigned long long)late[i]);
	return 0;
}
