/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_CLASSIFY_BPF_H
#define SCHEDCTL_CLASSIFY_BPF_H

#include "state.bpf.h"

/*
 * Bring `taskc` up to date: where the policy's generation or the thread's fingerprint
 * changed since the last look, the first matching rule decides anew. True when it did.
 */
bool refresh_class(struct task_struct *p, struct task_ctx *taskc);

#endif
