/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * classes PIN: reads TIDs from standard input, and prints for each the bytes that the
 * scheduler keeps about that thread (struct task_ctx): "TID HEX", or "TID gone".
 * PIN is the pinned task storage; a thread's pidfd is the key.
 */
#include "load.h"
#include "intf.h"
#include <fcntl.h>
#include <linux/bpf.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static void print_hex(int tid, const unsigned char *bytes, size_t nr)
{
	size_t i;

	printf("%d ", tid);
	for (i = 0; i < nr; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

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
			print_hex(tid, (const unsigned char *)&taskc, sizeof(taskc));
		if (pidfd >= 0)
			close(pidfd);
	}
	return 0;
}
