/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * actors GO: standard input has lines "CGROUP UID NICE EXE NAME CHANGE VALUE": one process
 * each with two threads that sleep in short steps, the first called NAME. When the file GO
 * exists, the first thread changes once: `stay`, `rename` to VALUE, `exec` of the program
 * VALUE, `setuid` to VALUE, `cgroup` to VALUE, or `nice` to VALUE. Prints the PIDs in the order of
 * the lines, then waits to be killed. `actors` alone only sleeps.
 */
#include "load.h"
#include <pthread.h>
#include <sys/resource.h>

static struct actor {
	char cgroup[256], exe[256], name[16], change[16], value[256];
	int uid, nice;
} actor;

static void *doze(void *arg)
{
	for (;;)
		nanosleep(&(struct timespec){ .tv_nsec = 400000000 }, NULL);
	return arg;
}

static void enter(const char *cgroup)
{
	char path[320];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cgroup.procs", cgroup);
	file = fopen(path, "w");
	if (!file || fprintf(file, "0") != 1 || fclose(file))
		die(path);
}

static void change(void)
{
	if (!strcmp(actor.change, "rename"))
		prctl(PR_SET_NAME, actor.value);
	else if (!strcmp(actor.change, "setuid") && setuid((uid_t)atoi(actor.value)))
		die("setuid");
	else if (!strcmp(actor.change, "nice") && setpriority(PRIO_PROCESS, 0, atoi(actor.value)))
		die("setpriority");
	else if (!strcmp(actor.change, "cgroup"))
		enter(actor.value);
	else if (!strcmp(actor.change, "exec"))
		execl(actor.value, actor.value, NULL), die(actor.value);
}

/* Its program is another copy of this one, which gets the line as its words. */
static void act(char **words)
{
	pthread_t thread;

	strcpy(actor.name, words[1]);
	strcpy(actor.change, words[2]);
	strcpy(actor.value, words[3]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, actor.name);
	errno = pthread_create(&thread, NULL, doze, NULL);
	if (errno)
		die("pthread_create");
	while (access(words[0], F_OK))
		nanosleep(&(struct timespec){ .tv_nsec = 400000000 }, NULL);
	change();
	doze(NULL);
}

int main(int argc, char **argv)
{
	char line[1024];

	if (argc == 1)
		doze(NULL);
	if (argc == 5)
		act(argv + 1);
	if (argc != 2)
		return 64;
	while (fgets(line, sizeof(line), stdin)) {
		pid_t pid;

		if (sscanf(line, "%255s %d %d %255s %15s %15s %255s", actor.cgroup, &actor.uid,
			   &actor.nice, actor.exe, actor.name, actor.change, actor.value) != 7)
			return 64;
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid) {
			enter(actor.cgroup);
			if (setpriority(PRIO_PROCESS, 0, actor.nice))
				die("setpriority");
			if (setgid((gid_t)actor.uid) || setuid((uid_t)actor.uid))
				die("setuid");
			execl(actor.exe, actor.exe, argv[1], actor.name, actor.change, actor.value,
			      NULL);
			die(actor.exe);
		}
		printf("%d\n", pid);
	}
	fflush(stdout);
	for (;;)
		pause();
}
