/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults on purpose, for the tests of swap and ejection: objects built with -DSCHEDCTL_FAULTS=N
 * are in no package. Without it nothing of this is in the object.
 */
#ifndef SCHEDCTL_FAULT_BPF_H
#define SCHEDCTL_FAULT_BPF_H

#include "state.bpf.h"

/* Values of SCHEDCTL_FAULTS; 0 is just another object. */
#define FAULT_BY_NAME 1 /* threads of certain names misbehave */
#define FAULT_INIT 2 /* the kernel accepts it, and ops.init fails */

#ifdef SCHEDCTL_FAULTS
/* the sooner a stall shows, the sooner a test ends; the others only have to be other objects */
#define FAULT_TIMEOUT_MS (SCHEDCTL_FAULTS == FAULT_BY_NAME ? 5000 : TIMEOUT_MS - 1)
#define FAULT_NO_DSQ 0xdeadULL

static inline bool fault_is_named(const struct task_struct *p, char last)
{
	return p->comm[0] == 'f' && p->comm[1] == 'a' && p->comm[2] == 'u' && p->comm[3] == 'l' &&
	       p->comm[4] == 't' && p->comm[5] == '-' && p->comm[6] == last && !p->comm[7];
}

/* True where the thread was dealt with, badly. */
static inline bool fault_enqueue(struct task_struct *p, u64 enq_flags)
{
	if (SCHEDCTL_FAULTS != FAULT_BY_NAME)
		return false;
	if (fault_is_named(p, 's')) /* stall: it waits in no queue */
		return true;
	if (!fault_is_named(p, 'k')) /* kfunc */
		return false;
	dsq_insert(p, FAULT_NO_DSQ, TICK_MAX_NS, enq_flags);
	return true;
}

static inline s32 fault_init(void)
{
	return SCHEDCTL_FAULTS == FAULT_INIT ? -22 : 0;
}
#else
#define FAULT_TIMEOUT_MS TIMEOUT_MS

static inline bool fault_enqueue(struct task_struct *p, u64 enq_flags)
{
	return false;
}

static inline s32 fault_init(void)
{
	return 0;
}
#endif

#endif
