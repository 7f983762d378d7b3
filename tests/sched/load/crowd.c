/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crowd: standard input has lines "CGROUP UID KIND NAME [NEWNAME]": one thread each, of
 * one process per (CGROUP, UID) run. KIND s sleeps in short steps, r does too and renames
 * itself to NEWNAME at once, b spins bound to the CPU named by NEWNAME. Prints "TID KIND"
 * in the order of the lines, then waits to be killed.
 */
#include "load.h"
#include <pthread.h>
#include <sys/mman.h>

#define MAX_THREADS 2048

struct member {
	char cgroup[256], name[16], renamed[16], kind;
	int uid;
	pid_t *tid;
};

static struct member members[MAX_THREADS];

static void *live(void *arg)
{
	struct member *member = arg;

	prctl(PR_SET_NAME, member->name);
	*member->tid = (pid_t)syscall(SYS_gettid);
	if (member->kind == 'b') {
		bind_to(atoi(member->renamed));
		/* what starts beside it under the default scheduler must get a CPU */
		if (nice(19) < 0)
			die("nice");
		for (;;)
			work(1000000);
	}
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	if (member->kind == 'r')
		prctl(PR_SET_NAME, member->renamed);
	for (;;)
		nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL);
	return NULL;
}

static void enter(const struct member *member)
{
	char path[320];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cgroup.procs", member->cgroup);
	file = fopen(path, "w");
	if (!file || fprintf(file, "0") != 1 || fclose(file))
		die(path);
	if (member->uid && setuid((uid_t)member->uid))
		die("setuid");
}

static void host(int from, int to)
{
	pthread_attr_t attr;
	pthread_t thread;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter(&members[from]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 32768);
	for (i = from; i < to; i++) {
		errno = pthread_create(&thread, &attr, live, &members[i]);
		if (errno)
			die("pthread_create");
	}
	for (;;)
		pause();
}

int main(void)
{
	pid_t *tids = mmap(NULL, MAX_THREADS * sizeof(*tids), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char line[512];
	int nr = 0, from, i;
	pid_t pid;

	if (tids == MAP_FAILED)
		die("mmap");
	while (nr < MAX_THREADS && fgets(line, sizeof(line), stdin)) {
		struct member *member = &members[nr];

		if (sscanf(line, "%255s %d %c %15s %15s", member->cgroup, &member->uid,
			   &member->kind, member->name, member->renamed) < 4)
			return 64;
		member->tid = &tids[nr++];
	}
	for (from = 0, i = 1; i <= nr; i++) {
		if (i < nr && members[i].uid == members[from].uid &&
		    !strcmp(members[i].cgroup, members[from].cgroup))
			continue;
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid)
			host(from, i);
		from = i;
	}
	for (i = 0; i < nr; i++) {
		while (!*(volatile pid_t *)&tids[i])
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		printf("%d %c\n", tids[i], members[i].kind);
	}
	fflush(stdout);
	for (;;)
		pause();
}
