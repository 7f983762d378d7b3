/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDCTL_GLOB_BPF_H
#define SCHEDCTL_GLOB_BPF_H

#include "rules.bpf.h"

/* Whether text[begin, end) matches all of the pattern; an absent text (begin > end) never. */
int match_text(const struct policy_pattern *pat, const struct subjects *s, u32 begin, u32 end);

#endif
