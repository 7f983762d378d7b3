/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * classes PIN: reads TIDs from standard input, and prints for each what the scheduler
 * keeps about that thread: "TID class tier level held_back generation", or "TID gone".
 * PIN is the pinned task storage; a thread's pidfd is the key.
 */
#include "load.h"
#include "intf.h"
#include <fcntl.h>
#include <linux/bpf.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

int main(int argc, char **argv)
{
	union bpf_attr get = { .pathname = (uint64_t)(uintptr_t)argv[1] };
	int map, tid;

	if (argc != 2)
		return 64;
	map = (int)syscall(SYS_bpf, BPF_OBJ_GET, &get, sizeof(get));
	if (map < 0)
		die(argv[1]);
	while (scanf("%d", &tid) == 1) {
		struct task_ctx taskc = { 0 };
		int pidfd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
		union bpf_attr look = { .map_fd = (uint32_t)map,
					.key = (uint64_t)(uintptr_t)&pidfd,
					.value = (uint64_t)(uintptr_t)&taskc };

		if (pidfd < 0 || syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &look, sizeof(look)))
			printf("%d gone\n", tid);
		else
			printf("%d %u %u %u %u %llu\n", tid, taskc.class_index & (MAX_CLASSES - 1),
			       taskc.tier, taskc.level, !!(taskc.flags & TASK_HELD_BACK),
			       (unsigned long long)taskc.generation);
		if (pidfd >= 0)
			close(pidfd);
	}
	return 0;
}
