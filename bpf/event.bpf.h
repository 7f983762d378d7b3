/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_EVENT_BPF_H
#define SCHEDCTL_EVENT_BPF_H

#include "state.bpf.h"

/* Tell the reader, if there is one, in the ring buffer of this CPU. */
void emit(struct task_struct *p, const struct task_ctx *taskc, u32 kind, u64 value);

/* The scheduler has ended. */
void emit_exit(void);

#endif
