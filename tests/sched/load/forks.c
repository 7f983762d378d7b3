/* SPDX-License-Identifier: GPL-2.0-only */
/* forks SECONDS: fork, exec and wait as often as possible; prints how often. */
#include "load.h"

int main(int argc, char **argv)
{
	uint64_t end;
	long nr = 0;

	if (argc == 1)
		return 0;
	end = now_ns(CLOCK_MONOTONIC) + (uint64_t)atoi(argv[1]) * 1000000000;
	while (now_ns(CLOCK_MONOTONIC) < end) {
		pid_t pid = fork();
		int status;

		if (pid < 0)
			die("fork");
		if (!pid) {
			execl("/proc/self/exe", "forked", NULL);
			die("exec");
		}
		if (waitpid(pid, &status, 0) != pid || status)
			return 1;
		nr++;
	}
	printf("%ld\n", nr);
	return 0;
}
