/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_PERIOD_BPF_H
#define SCHEDCTL_PERIOD_BPF_H

#include "state.bpf.h"

/* A release of a thread whose class has `period: auto`. */
void measure_period(struct task_struct *p, struct task_ctx *taskc, u64 now);

/* What was measured of the thread so far, for the class it has just come to. */
void adopt_period(struct task_struct *p, struct task_ctx *taskc, const struct policy_class *class);

#endif
