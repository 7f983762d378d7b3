/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * share SECONDS NAME:COUNT:CPU:UID[:NICE[:CGROUP]]... [-- COMMAND]: COUNT spinners named NAME bound
 * to CPU (-1: any) as user UID, for SECONDS. Prints "NAME cpu_ns" per group, then "elapsed ns".
 * The CPU time is the kernel's sum_exec_runtime (/proc/PID/schedstat). With a COMMAND, does so
 * again for SECONDS after having run that.
 */
#include "load.h"
#include <sys/resource.h>

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

static pid_t pids[MAX_SPINNERS];
static int group[MAX_SPINNERS];
static int nr;

static void enter(const char *cgroup)
{
	char path[320];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cgroup.procs", cgroup);
	file = fopen(path, "w");
	if (!file || fprintf(file, "0") != 1 || fclose(file))
		die(path);
}

static void spin(const char *argument, const int *gate)
{
	int count, cpu, uid, value = 0;
	char name[16], cgroup[256] = "", byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sscanf(argument, "%15[^:]:%d:%d:%d:%d:%255s", name, &count, &cpu, &uid, &value, cgroup);
	bind_to(cpu);
	prctl(PR_SET_NAME, name);
	if (*cgroup)
		enter(cgroup);
	if (value && setpriority(PRIO_PROCESS, 0, value))
		die("setpriority");
	if (uid && setuid((uid_t)uid))
		die("setuid");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(gate[1]);
	if (read(gate[0], &byte, 1) < 0)
		die("read");
	for (;;)
		work(1000000);
}

static void measure(int seconds, char **groups)
{
	static uint64_t before[MAX_SPINNERS];
	uint64_t started = now_ns(CLOCK_MONOTONIC), elapsed, total;
	int i, g;

	for (i = 0; i < nr; i++)
		before[i] = exec_ns(pids[i]);
	nanosleep(&(struct timespec){ .tv_sec = seconds }, NULL);
	elapsed = now_ns(CLOCK_MONOTONIC) - started;
	for (g = 0; groups[g] && strcmp(groups[g], "--"); g++) {
		for (total = 0, i = 0; i < nr; i++)
			total += group[i] == g ? exec_ns(pids[i]) - before[i] : 0;
		printf("%.*s %llu\n", (int)strcspn(groups[g], ":"), groups[g],
		       (unsigned long long)total);
	}
	printf("elapsed %llu\n", (unsigned long long)elapsed);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char **groups = &argv[2];
	int start[2], i, g;

	if (argc < 3 || pipe(start))
		return 64;
	for (g = 0; groups[g] && strcmp(groups[g], "--"); g++) {
		int count = 0, cpu, uid;
		char name[16];

		if (sscanf(groups[g], "%15[^:]:%d:%d:%d", name, &count, &cpu, &uid) != 4)
			return 64;
		for (i = 0; i < count && nr < MAX_SPINNERS; i++, nr++) {
			group[nr] = g;
			pids[nr] = fork();
			if (pids[nr] < 0)
				die("fork");
			if (!pids[nr])
				spin(groups[g], start);
		}
	}
	become_observer();
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	close(start[1]);
	nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
	measure(atoi(argv[1]), groups);
	if (groups[g] && groups[g + 1]) {
		if (system(groups[g + 1]))
			return 1;
		nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
		measure(atoi(argv[1]), groups);
	}
	for (i = 0; i < nr; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
