/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_ATTACH_BPF_H
#define SCHEDCTL_ATTACH_BPF_H

#include "state.bpf.h"

/* ops.init_task to ops.exit, as BPF_PROG() declares them. */
int schedctl_init_task(unsigned long long *ctx);
void schedctl_exit_task(unsigned long long *ctx);
void schedctl_disable(unsigned long long *ctx);
int schedctl_init(unsigned long long *ctx);
void schedctl_exit(unsigned long long *ctx);

#endif
