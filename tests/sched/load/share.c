/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * share SECONDS NAME:COUNT:CPU:UID...: COUNT spinners named NAME bound to CPU (-1: any)
 * as user UID, for SECONDS. Prints "NAME cpu_ns" per group, then "elapsed ns".
 * The CPU time is the kernel's sum_exec_runtime (/proc/PID/schedstat).
 */
#include "load.h"

#define MAX_SPINNERS 4096

static uint64_t exec_ns(pid_t pid)
{
	char path[64];
	unsigned long long ns = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &ns) != 1)
		die(path);
	fclose(file);
	return ns;
}

int main(int argc, char **argv)
{
	static pid_t pids[MAX_SPINNERS];
	static int group[MAX_SPINNERS];
	static uint64_t before[MAX_SPINNERS];
	uint64_t total, started, elapsed;
	int nr = 0, start[2], i, g;
	char byte;

	if (argc < 3 || pipe(start))
		return 64;
	for (g = 2; g < argc; g++) {
		int count = 0, cpu = -1, uid = 0;
		char name[16];

		if (sscanf(argv[g], "%15[^:]:%d:%d:%d", name, &count, &cpu, &uid) != 4)
			return 64;
		for (i = 0; i < count && nr < MAX_SPINNERS; i++, nr++) {
			group[nr] = g;
			pids[nr] = fork();
			if (pids[nr] < 0)
				die("fork");
			if (pids[nr])
				continue;
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			bind_to(cpu);
			prctl(PR_SET_NAME, name);
			if (uid && setuid((uid_t)uid))
				die("setuid");
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(start[1]);
			if (read(start[0], &byte, 1) < 0)
				die("read");
			for (;;)
				work(1000000);
		}
	}
	become_observer();
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	close(start[1]);
	nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
	started = now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < nr; i++)
		before[i] = exec_ns(pids[i]);
	nanosleep(&(struct timespec){ .tv_sec = atoi(argv[1]) }, NULL);
	elapsed = now_ns(CLOCK_MONOTONIC) - started;
	for (g = 2; g < argc; g++) {
		for (total = 0, i = 0; i < nr; i++)
			total += group[i] == g ? exec_ns(pids[i]) - before[i] : 0;
		printf("%.*s %llu\n", (int)strcspn(argv[g], ":"), argv[g],
		       (unsigned long long)total);
	}
	printf("elapsed %llu\n", (unsigned long long)elapsed);
	for (i = 0; i < nr; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
