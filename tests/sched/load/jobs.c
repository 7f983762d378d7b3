/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * jobs SECONDS NAME:PERIOD_US:DEADLINE_US:WORK...: one process per argument, bound to CPU 0,
 * for SECONDS. With a period it is released every PERIOD_US and runs WORK iterations, with
 * ~PERIOD_US at random, so often on average; with period 0 it spins. Prints "NAME jobs late longest_ns cpu_ns elapsed_ns" per argument:
 * `late` jobs ended after their deadline, the longest response was longest_ns. Timer slack 1 ns.
 */
#include "load.h"

/* Random releases: at each of so many moments per period by chance, which is nearly a Poisson process. */
#define MOMENTS 64

struct result {
	uint64_t jobs, late, longest_ns, cpu_ns, elapsed_ns;
};

static void sleep_until(uint64_t at)
{
	struct timespec ts = { .tv_sec = (time_t)(at / 1000000000),
			       .tv_nsec = (long)(at % 1000000000) };

	if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
		die("clock_nanosleep");
}

static uint64_t gap_ns(uint64_t period_ns, int is_random)
{
	uint64_t moments = 1;

	if (!is_random)
		return period_ns;
	while (rand() % MOMENTS)
		moments++;
	return moments * period_ns / MOMENTS;
}

static void run(const char *argument, uint64_t begin, uint64_t end, int out)
{
	unsigned long long period_us, deadline_us, iterations;
	struct result result = {};
	uint64_t release, cpu;
	int at = 0, is_random;
	char name[16];

	sscanf(argument, "%15[^:]:%n", name, &at);
	is_random = argument[at] == '~';
	if (!at || sscanf(argument + at + is_random, "%llu:%llu:%llu", &period_us, &deadline_us,
			  &iterations) != 3)
		exit(64);
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_TIMERSLACK, 1);
	bind_to(0);
	sleep_until(begin);
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (release = begin; release < end; release += gap_ns(period_us * 1000, is_random)) {
		uint64_t response;

		if (!period_us) {
			while (now_ns(CLOCK_MONOTONIC) < end)
				work(2000);
			break;
		}
		sleep_until(release);
		work(iterations);
		response = now_ns(CLOCK_MONOTONIC) - release;
		result.jobs++;
		result.late += response > deadline_us * 1000;
		if (response > result.longest_ns)
			result.longest_ns = response;
	}
	result.cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	result.elapsed_ns = now_ns(CLOCK_MONOTONIC) - begin;
	if (write(out, &result, sizeof(result)) != sizeof(result))
		die("write");
	exit(0);
}

int main(int argc, char **argv)
{
	uint64_t begin = now_ns(CLOCK_MONOTONIC) + 300000000, end;
	int i, (*pipes)[2] = calloc((size_t)argc, sizeof(*pipes));

	if (argc < 3 || !pipes)
		return 64;
	end = begin + strtoull(argv[1], NULL, 10) * 1000000000;
	for (i = 2; i < argc; i++) {
		if (pipe(pipes[i]))
			die("pipe");
		switch (fork()) {
		case -1:
			die("fork");
			break;
		case 0:
			run(argv[i], begin, end, pipes[i][1]);
		}
	}
	become_observer();
	for (i = 2; i < argc; i++) {
		struct result result;

		close(pipes[i][1]);
		if (read(pipes[i][0], &result, sizeof(result)) != sizeof(result))
			return 1;
		printf("%.*s %llu %llu %llu %llu %llu\n", (int)strcspn(argv[i], ":"), argv[i],
		       (unsigned long long)result.jobs, (unsigned long long)result.late,
		       (unsigned long long)result.longest_ns, (unsigned long long)result.cpu_ns,
		       (unsigned long long)result.elapsed_ns);
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
