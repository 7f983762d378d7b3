/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hostile SECONDS MODE:NAME:COUNT:CPU:UID...: COUNT processes named NAME, bound to CPU (-1: any), as
 * user UID, that do for SECONDS what a scheduler suffers from (modes.h).
 * Without arguments it ends at once.
 *
 * Prints "NAME alive operations cpu_ns longest_ns" per group: how many live at the end, what they
 * did, their CPU time with that of their children, and of the spinners the longest time that one
 * did not come round; 0 of who does something else. Then "fair" and "background" with what the scheduler gave to those tiers in
 * the meantime (0 where ours is not attached), and "elapsed".
 */
#include "modes.h"
#include "intf.h"

#define MAX_PROCESSES 512
#define MAX_CPUS 64
#define NR_MODES (sizeof(modes) / sizeof(*modes))
#define STATS_PIN "/sys/fs/bpf/schedctl/maps/sched_stats"

static struct record *records;

static void start(struct record *record, const char *mode, const char *name, int cpu, int uid,
		  int gate)
{
	size_t i = 0;
	char byte;

	while (i < NR_MODES && strcmp(modes[i].name, mode))
		i++;
	if (i == NR_MODES) {
		errno = EINVAL;
		die(mode);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	bind_to(cpu);
	prctl(PR_SET_NAME, name);
	if (uid && setuid((uid_t)uid))
		die("setuid");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (modes[i].policy != SCHED_OTHER)
		set_policy(0, modes[i].policy);
	if (read(gate, &byte, 1) < 0)
		die("read");
	modes[i].run(record);
}

/* CPU time by tier since the attach, from the scheduler's own statistics. */
static void read_tiers(uint64_t *tier_ns)
{
	static struct sched_stats stats[MAX_CPUS];
	union bpf_attr get = { .pathname = (uint64_t)(uintptr_t)STATS_PIN }, look;
	uint32_t zero = 0;
	int cpu, tier;
	long map = bpf(BPF_OBJ_GET, &get);

	memset(tier_ns, 0, NR_TIERS * sizeof(*tier_ns));
	if (map < 0)
		return;
	look = (union bpf_attr){ .map_fd = (uint32_t)map,
				 .key = (uint64_t)(uintptr_t)&zero,
				 .value = (uint64_t)(uintptr_t)stats };
	if (bpf(BPF_MAP_LOOKUP_ELEM, &look))
		die(STATS_PIN);
	close((int)map);
	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		for (tier = 0; tier < NR_TIERS; tier++)
			tier_ns[tier] += stats[cpu].tier_ns[tier];
	}
}

static uint64_t used_ns(const struct rusage *usage)
{
	return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000;
}

/* What it has done by now; the last gap of those that live may still be open. */
static void look_at(struct record *record)
{
	uint64_t last_at = record->last_at, gap = now_ns(CLOCK_MONOTONIC) - last_at;
	struct rusage usage;
	int status;

	record->died = wait4(record->pid, &status, WNOHANG, &usage) == record->pid;
	record->did = record->operations;
	record->waited_ns = record->longest_ns;
	if (record->died)
		record->cpu_ns = used_ns(&usage);
	else if (gap > record->waited_ns && (record->waited_ns || !record->did))
		record->waited_ns = gap;
	if (record->died && WIFEXITED(status) && WEXITSTATUS(status))
		exit(WEXITSTATUS(status));
}

static void print(const char *name, int group, int nr)
{
	uint64_t operations = 0, cpu_ns = 0, longest_ns = 0;
	int alive = 0, i;

	for (i = 0; i < nr; i++) {
		const struct record *record = &records[i];

		if (record->group != group)
			continue;
		alive += !record->died;
		operations += record->did;
		cpu_ns += record->cpu_ns;
		if (record->waited_ns > longest_ns)
			longest_ns = record->waited_ns;
	}
	printf("%s %d %llu %llu %llu\n", name, alive, (unsigned long long)operations,
	       (unsigned long long)cpu_ns, (unsigned long long)longest_ns);
}

int main(int argc, char **argv)
{
	uint64_t before[NR_TIERS], after[NR_TIERS], started, elapsed;
	int nr = 0, gate[2], i, g;
	char mode[16], name[16];
	struct rusage usage;

	if (argc == 1)
		return 0;
	records = mmap(NULL, MAX_PROCESSES * sizeof(*records), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc < 3 || records == MAP_FAILED || pipe(gate))
		return 64;
	for (g = 2; g < argc; g++) {
		int count, cpu, uid;
		pid_t pid;

		if (sscanf(argv[g], "%15[^:]:%15[^:]:%d:%d:%d", mode, name, &count, &cpu, &uid) !=
		    5)
			return 64;
		for (i = 0; i < count && nr < MAX_PROCESSES; i++, nr++) {
			struct record *record = &records[nr];

			record->group = g;
			pid = fork();
			if (pid < 0)
				die("fork");
			if (pid) {
				record->pid = pid;
				continue;
			}
			close(gate[1]);
			start(record, mode, name, cpu, uid, gate[0]);
		}
	}
	become_observer();
	sleep_ns(200000000);
	started = now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < nr; i++)
		records[i].last_at = started;
	read_tiers(before);
	close(gate[1]);
	nanosleep(&(struct timespec){ .tv_sec = atoi(argv[1]) }, NULL);
	read_tiers(after);
	elapsed = now_ns(CLOCK_MONOTONIC) - started;
	for (i = 0; i < nr; i++)
		look_at(&records[i]);
	for (i = 0; i < nr; i++) {
		if (!records[i].died)
			kill(records[i].pid, SIGKILL);
	}
	for (i = 0; i < nr; i++) {
		if (!records[i].died && wait4(records[i].pid, NULL, 0, &usage) == records[i].pid)
			records[i].cpu_ns = used_ns(&usage);
	}
	for (g = 2; g < argc; g++) {
		sscanf(argv[g], "%15[^:]:%15[^:]", mode, name);
		print(name, g, nr);
	}
	printf("fair %llu\nbackground %llu\nelapsed %llu\n",
	       (unsigned long long)(after[TIER_FAIR] - before[TIER_FAIR]),
	       (unsigned long long)(after[TIER_BACKGROUND] - before[TIER_BACKGROUND]),
	       (unsigned long long)elapsed);
	return 0;
}
