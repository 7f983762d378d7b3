/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * order CPU ITERATIONS NAME[@MS]...: one process per NAME, all released by one close(), each
 * with the same work on the same CPU (-1: any), MS later where that is given. Prints the
 * names as they finish, with the time since the release in ns.
 */
#include "load.h"

int main(int argc, char **argv)
{
	int start[2], done[2], cpu, i, delay_ms;
	uint64_t iterations, released;
	char *at;
	char byte;

	if (argc < 4)
		return 64;
	cpu = atoi(argv[1]);
	iterations = strtoull(argv[2], NULL, 10);
	if (pipe(start) || pipe(done))
		die("pipe");
	for (i = 3; i < argc; i++) {
		pid_t pid;

		at = strchr(argv[i], '@');
		delay_ms = at ? atoi(at + 1) : 0;
		if (at)
			*at = 0;
		pid = fork();
		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		close(start[1]);
		bind_to(cpu);
		prctl(PR_SET_NAME, argv[i]);
		if (read(start[0], &byte, 1) < 0)
			die("read");
		if (delay_ms)
			nanosleep(&(struct timespec){ .tv_nsec = delay_ms * 1000000L }, NULL);
		work(iterations);
		byte = (char)i;
		if (write(done[1], &byte, 1) != 1)
			die("write");
		_exit(0);
	}
	become_observer();
	/* until all of them sleep in read() */
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	released = now_ns(CLOCK_MONOTONIC);
	close(start[1]);
	for (i = 3; i < argc; i++) {
		if (read(done[0], &byte, 1) != 1)
			die("read");
		printf("%s %llu\n", argv[(int)byte],
		       (unsigned long long)(now_ns(CLOCK_MONOTONIC) - released));
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
