/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_CLASSIFY_BPF_H
#define SCHEDCTL_CLASSIFY_BPF_H

#include "state.bpf.h"

/*
 * Bring `taskc` up to date: where the policy's generation or the thread's fingerprint
 * changed since the last look, the first matching rule decides anew. True when it did.
 */
bool refresh_class(struct task_struct *p, struct task_ctx *taskc);

/* Make its place free in a class with a limit of threads: it exits, or goes to another class. */
void leave_class(struct task_ctx *taskc);

/* Take a place, if one has become free, for a thread that runs as fair for the lack of one. */
void retry_class(struct task_struct *p, struct task_ctx *taskc);

/* Rises with every change of a cgroup's weight. */
extern u32 weight_epoch;

#endif
