/* SPDX-License-Identifier: GPL-2.0-only */
/* batch JOBS COUNT COMMAND...: runs COMMAND COUNT times, JOBS at a time; prints the time in ns. */
#include "load.h"

static void start(char **command)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		execv(command[0], command);
		die(command[0]);
	}
}

int main(int argc, char **argv)
{
	int running = 0, jobs, left, status;
	uint64_t started;

	if (argc < 4)
		return 64;
	jobs = atoi(argv[1]);
	left = atoi(argv[2]);
	started = now_ns(CLOCK_MONOTONIC);
	while (left || running) {
		for (; left && running < jobs; left--, running++)
			start(&argv[3]);
		if (wait(&status) < 0 || status)
			return 1;
		running--;
	}
	printf("%llu\n", (unsigned long long)(now_ns(CLOCK_MONOTONIC) - started));
	return 0;
}
