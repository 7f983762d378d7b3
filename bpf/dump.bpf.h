/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_DUMP_BPF_H
#define SCHEDCTL_DUMP_BPF_H

#include "state.bpf.h"

/* ops.dump, ops.dump_cpu and ops.dump_task, as BPF_PROG() declares them. */
void schedctl_dump(unsigned long long *ctx);
void schedctl_dump_cpu(unsigned long long *ctx);
void schedctl_dump_task(unsigned long long *ctx);

#endif
