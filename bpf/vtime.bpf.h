/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_VTIME_BPF_H
#define SCHEDCTL_VTIME_BPF_H

#include "state.bpf.h"

/* The virtual time of a domain's fair or background queue. */
u64 vnow_of(u32 domain, u32 tier);

/* The thread competes in `domain` and in its tier from now on: its virtual time, kept as a lag. */
void move_vtime(struct task_ctx *taskc, u32 domain);

/* It begins to run, or goes on, after it `waited` or ran: virtual time is where the thread is. */
void advance_vnow(struct task_ctx *taskc, bool waited);

#endif
