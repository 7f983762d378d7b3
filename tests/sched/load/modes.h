/* SPDX-License-Identifier: GPL-2.0-only */
/* What one process of the load program `hostile` does, by the name of a mode: see the end. */
#ifndef MODES_H
#define MODES_H

#include "load.h"
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#define TICK_NS 4000000
#define BIG_BYTES (16 << 20)
#define BURST 8
#define CONTEXTS_PIN "/sys/fs/bpf/schedctl/maps/task_ctxs"

/* One per process, shared with the observer. */
struct record {
	volatile uint64_t operations;
	/* a spinner's last round, and the longest time between two; the observer sets it to the start */
	volatile uint64_t last_at, longest_ns;
	/* the observer's */
	pid_t pid;
	int group;
	uint64_t did, waited_ns;
	uint64_t cpu_ns;
	bool died;
};

static void set_policy(pid_t tid, int policy)
{
	struct sched_param param = { .sched_priority = policy == SCHED_FIFO };

	if (sched_setscheduler(tid, policy, &param))
		die("sched_setscheduler");
}

static void sleep_ns(uint64_t ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)ns }, NULL);
}

static void spin(struct record *record)
{
	for (;;) {
		uint64_t now, gap;

		work(2000);
		now = now_ns(CLOCK_MONOTONIC);
		gap = now - record->last_at;
		if (gap > record->longest_ns)
			record->longest_ns = gap;
		record->last_at = now;
		record->operations++;
	}
}

static void reap(void)
{
	int status;

	if (wait(&status) < 0 || status)
		die("a child");
}

static void storm_of_forks(struct record *record)
{
	int i;

	for (;; record->operations++) {
		for (i = 0; i < BURST; i++) {
			pid_t pid = fork();

			if (!pid)
				_exit(0);
			if (pid < 0)
				die("fork");
		}
		for (i = 0; i < BURST; i++)
			reap();
	}
}

static void storm_of_execs(struct record *record)
{
	for (;; record->operations++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			execl("/proc/self/exe", "exec", NULL);
			die("exec");
		}
		reap();
	}
}

/* Processes that have much to give back when they end. */
static void storm_of_exits(struct record *record)
{
	for (;; record->operations++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			if (mmap(NULL, BIG_BYTES, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
				die("mmap");
			_exit(0);
		}
		reap();
	}
}

static void yield(struct record *record)
{
	for (;; record->operations++)
		sched_yield();
}

/* Runs between two ticks, sleeps while one comes. */
static void dodge_ticks(struct record *record)
{
	prctl(PR_SET_TIMERSLACK, 1);
	for (;; record->operations++) {
		uint64_t now = now_ns(CLOCK_MONOTONIC), tick = (now / TICK_NS + 1) * TICK_NS;

		while (now < tick - 200000) {
			work(500);
			now = now_ns(CLOCK_MONOTONIC);
		}
		if (tick + 50000 > now)
			sleep_ns(tick + 50000 - now);
	}
}

static void *spin_beside(void *arg)
{
	*(volatile pid_t *)arg = (pid_t)syscall(SYS_gettid);
	for (;;)
		work(1000000);
	return NULL;
}

/* A second thread of the process that only spins: its TID. */
static pid_t start_beside(void)
{
	static volatile pid_t tid;
	pthread_t thread;

	errno = pthread_create(&thread, NULL, spin_beside, (void *)&tid);
	if (errno)
		die("pthread_create");
	while (!tid)
		sleep_ns(1000000);
	return tid;
}

static void flip_affinity(struct record *record)
{
	pid_t beside = start_beside();
	int nr_cpus = get_nprocs_conf(), cpu;
	cpu_set_t set;

	for (;; record->operations++) {
		int target = (int)(record->operations % (unsigned)(nr_cpus + 1));

		CPU_ZERO(&set);
		for (cpu = 0; cpu < nr_cpus; cpu++) {
			if (target == nr_cpus || target == cpu)
				CPU_SET(cpu, &set);
		}
		/* fails where that CPU is offline */
		sched_setaffinity(beside, sizeof(set), &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
}

static void flip_nice(struct record *record)
{
	pid_t beside = start_beside();

	for (;; record->operations++) {
		int value = (int)(record->operations % 20);

		if (setpriority(PRIO_PROCESS, (id_t)beside, value) ||
		    setpriority(PRIO_PROCESS, 0, value))
			die("setpriority");
	}
}

/* In and out of sched_ext, and between its own policies. */
static void flip_policy(struct record *record)
{
	static const int policies[] = { SCHED_FIFO,  SCHED_OTHER, SCHED_IDLE,
					SCHED_OTHER, SCHED_BATCH, SCHED_OTHER };
	pid_t beside = start_beside();

	for (;; record->operations++) {
		int policy = policies[record->operations % 6];

		if (policy != SCHED_FIFO)
			set_policy(beside, policy);
		set_policy(0, policy);
		if (policy == SCHED_OTHER)
			work(5000);
	}
}

/* Its name decides its class, at each wake-up another one. */
static void flip_name(struct record *record)
{
	for (;; record->operations++) {
		prctl(PR_SET_NAME, record->operations & 1 ? "renamed1" : "renamed2");
		work(2000);
		sleep_ns(1000);
	}
}

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* Runs BPF programs for itself, in which the kernel preempts it but may not migrate it. */
static void stay_unmigratable(struct record *record)
{
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	static char packet[64];
	union bpf_attr load = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				.insns = (uint64_t)(uintptr_t)program,
				.insn_cnt = 2,
				.license = (uint64_t)(uintptr_t)"GPL" };
	long program_fd = bpf(BPF_PROG_LOAD, &load);

	if (program_fd < 0)
		die("BPF_PROG_LOAD");
	for (;; record->operations++) {
		union bpf_attr run = { .test.prog_fd = (uint32_t)program_fd,
				       .test.repeat = 100000,
				       .test.data_in = (uint64_t)(uintptr_t)packet,
				       .test.data_size_in = sizeof(packet) };

		if (bpf(BPF_PROG_TEST_RUN, &run) && errno != EINTR)
			die("BPF_PROG_TEST_RUN");
	}
}

/* Takes away what the scheduler keeps about it, as if there had been no memory for it. */
static void lose_context(struct record *record)
{
	union bpf_attr get = { .pathname = (uint64_t)(uintptr_t)CONTEXTS_PIN }, delete;
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	long map = bpf(BPF_OBJ_GET, &get);

	delete = (union bpf_attr){ .map_fd = (uint32_t)map, .key = (uint64_t)(uintptr_t)&self };
	if (self < 0 || map < 0 || bpf(BPF_MAP_DELETE_ELEM, &delete))
		die(CONTEXTS_PIN);
	spin(record);
}

/* Takes the CPU from whoever has it, some thousand times a second. */
static void interrupt(struct record *record)
{
	prctl(PR_SET_TIMERSLACK, 1);
	for (;; record->operations++) {
		work(5000);
		sleep_ns(100000);
	}
}

static void write_to_disk(struct record *record)
{
	static char block[1 << 18];
	int fd = open("/root/written", O_CREAT | O_TRUNC | O_WRONLY, 0600);

	for (;; record->operations++) {
		if (fd < 0 || pwrite(fd, block, sizeof(block), 0) != sizeof(block) || fdatasync(fd))
			die("/root/written");
	}
}

/* Spins, and has another thread that acts upon a signal: it renames the first, or ends all. */
static void *act_on_signals(void *arg)
{
	char path[64];
	sigset_t set;
	int signal;
	FILE *file;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	for (;;) {
		if (sigwait(&set, &signal))
			die("sigwait");
		if (signal == SIGUSR2)
			exit(0);
		snprintf(path, sizeof(path), "/proc/self/task/%d/comm", *(pid_t *)arg);
		file = fopen(path, "w");
		if (!file || fputs("renamed", file) < 0 || fclose(file))
			die(path);
	}
	return NULL;
}

static void spin_with_ear(struct record *record)
{
	static pid_t self;
	pthread_t thread;
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	self = (pid_t)syscall(SYS_gettid);
	errno = pthread_create(&thread, NULL, act_on_signals, &self);
	if (errno)
		die("pthread_create");
	spin(record);
}

static const struct {
	const char *name;
	void (*run)(struct record *record);
	int policy, nice;
} modes[] = {
	{ "spin", spin, SCHED_OTHER, 0 },
	{ "low", spin, SCHED_OTHER, 19 },
	{ "idle", spin, SCHED_IDLE, 0 },
	{ "batch", spin, SCHED_BATCH, 0 },
	{ "ear", spin_with_ear, SCHED_OTHER, 0 },
	{ "fork", storm_of_forks, SCHED_OTHER, 0 },
	{ "exec", storm_of_execs, SCHED_OTHER, 0 },
	{ "exit", storm_of_exits, SCHED_OTHER, 0 },
	{ "yield", yield, SCHED_OTHER, 0 },
	{ "tick", dodge_ticks, SCHED_OTHER, 0 },
	{ "affinity", flip_affinity, SCHED_OTHER, 0 },
	{ "nice", flip_nice, SCHED_OTHER, 0 },
	{ "policy", flip_policy, SCHED_OTHER, 0 },
	{ "name", flip_name, SCHED_OTHER, 0 },
	{ "bpf", stay_unmigratable, SCHED_OTHER, 0 },
	{ "write", write_to_disk, SCHED_OTHER, 0 },
	{ "lost", lose_context, SCHED_OTHER, 0 },
	{ "fifo", interrupt, SCHED_FIFO, 0 },
};

#endif
