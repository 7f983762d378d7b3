/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policies NAME COUNT PERIOD_US PIN: sleeps as `wake` does, COUNT times or until SIGTERM, and looks
 * after each sleep which policy has classified it. PIN is the pinned task storage. Prints for each
 * new one "GENERATION LEVEL AT": AT is the time of CLOCK_MONOTONIC at which the scheduler has taken
 * the wake-up. At the end "COUNT P50 P99 MAX" of the time from the end of a sleep to running, in ns.
 */
#include "load.h"
#include "intf.h"
#include <linux/bpf.h>

static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void look(int map, int pidfd, struct task_ctx *taskc)
{
	union bpf_attr attr = { .map_fd = (uint32_t)map,
				.key = (uint64_t)(uintptr_t)&pidfd,
				.value = (uint64_t)(uintptr_t)taskc };

	if (syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)))
		die("task_ctxs");
}

int main(int argc, char **argv)
{
	union bpf_attr get = { .pathname = (uint64_t)(uintptr_t)argv[argc - 1] };
	uint64_t *late, period, generation = 0;
	int count, map, pidfd, nr = 0;
	struct task_ctx taskc;

	if (argc != 5)
		return 64;
	count = atoi(argv[2]);
	period = strtoull(argv[3], NULL, 10) * 1000;
	late = calloc((size_t)count, sizeof(*late));
	map = (int)syscall(SYS_bpf, BPF_OBJ_GET, &get, sizeof(get));
	pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (count < 1 || !late || map < 0 || pidfd < 0)
		die("policies");
	memset(late, 0, (size_t)count * sizeof(*late)); /* no page faults among what is measured */
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, end);
	prctl(PR_SET_NAME, argv[1]);
	prctl(PR_SET_TIMERSLACK, 1);
	srand(1);
	while (nr < count && !ended) {
		uint64_t until = now_ns(CLOCK_MONOTONIC) + period / 2 + (uint64_t)rand() % period;
		struct timespec ts = { .tv_sec = (time_t)(until / 1000000000),
				       .tv_nsec = (long)(until % 1000000000) };

		if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
			break;
		late[nr++] = now_ns(CLOCK_MONOTONIC) - until;
		look(map, pidfd, &taskc);
		if (taskc.generation != generation)
			printf("%llu %d %llu\n", (unsigned long long)taskc.generation, taskc.level,
			       (unsigned long long)taskc.release_at);
		generation = taskc.generation;
	}
	if (!nr)
		return 1;
	qsort(late, (size_t)nr, sizeof(*late), compare);
	printf("%d %llu %llu %llu\n", nr, (unsigned long long)late[nr / 2],
	       (unsigned long long)late[nr * 99 / 100], (unsigned long long)late[nr - 1]);
	return 0;
}
