/* SPDX-License-Identifier: GPL-2.0-only */
/* spawn COUNT: fork, exec and wait, COUNT times; prints the time that it took in ns. */
#include "load.h"

int main(int argc, char **argv)
{
	uint64_t started;
	int i, status;
	pid_t pid;

	if (argc == 1)
		return 0;
	started = now_ns(CLOCK_MONOTONIC);
	for (i = atoi(argv[1]); i > 0; i--) {
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid) {
			execl("/proc/self/exe", "spawned", NULL);
			die("exec");
		}
		if (waitpid(pid, &status, 0) != pid || status)
			return 1;
	}
	printf("%llu\n", (unsigned long long)(now_ns(CLOCK_MONOTONIC) - started));
	return 0;
}
