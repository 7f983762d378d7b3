/* SPDX-License-Identifier: GPL-2.0-only */
/* What rules look at, and the index that finds the few rules worth a look. */
#ifndef SCHEDCTL_RULES_BPF_H
#define SCHEDCTL_RULES_BPF_H

#include "state.bpf.h"

#define TEXT_LEN 2048
#define CGROUP_AT 0
#define EXE_AT 1024
#define COMM_AT (TEXT_LEN - 16)
#define COMPONENT_LEN 256 /* NUL included */
#define CGROUP_DEPTH 16
#define PATH_DEPTH 32
#define MAX_FOUND 32
#define NO_RANK 0xffffffff
#define CGROUP_SUBJECTS                                                     \
	(1 << SUBJECT_UNIT | 1 << SUBJECT_USER_UNIT | 1 << SUBJECT_CGROUP | \
	 1 << SUBJECT_CGROUP_PART)

/* One thread as rules see it; scratch of the CPU. A text is absent where begin > end. */
struct subjects {
	char text[TEXT_LEN];
	u32 begin[8], end[8]; /* by enum subject */
	u32 part_begin[CGROUP_DEPTH], part_end[CGROUP_DEPTH];
	u32 nr_parts;
	u32 number[16]; /* by enum subject; nice as 16 bits */
	u64 names[PATH_DEPTH]; /* of the components of a path, the last one first */
	u32 best_rank;
	u32 best_class;
	u32 best_trusted;
	u32 collect; /* rules are collected by their cgroup's patterns, not decided on */
	u32 walked; /* the cgroup's texts are there */
	u32 pending; /* a rule may match, and needs them */
	u32 nr_found;
	u32 found[MAX_FOUND];
};

/* The thread's paths; false where one is too long or too deep. */
bool walk_cgroup(struct task_struct *p, struct subjects *s);
bool walk_exe(struct task_struct *p, struct subjects *s);

/* The first rule that matches the thread, into s->best_*. */
void match_rules(struct task_struct *p, const struct policy *pol, struct subjects *s,
		 u64 cgroup_id);

/* True where any rule may lift threads of this user. */
bool is_realtime_uid(const struct policy *pol, u32 uid);

/* A copy whose range the verifier does not tie to the original's: see opaque_zero. */
#define unlinked(index) ((index) & (TEXT_LEN - 1))

static __always_inline u32 byte_at(const char *text, u32 size, u32 i)
{
	return i < size ? (unsigned char)text[i] : 0;
}

#endif
