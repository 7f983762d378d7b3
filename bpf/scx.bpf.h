/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel offers a sched_ext scheduler, newest names first. Every kfunc is weak:
 * one object loads on all kernels, and the verifier removes the branches whose symbol is
 * missing. libbpf strips one "___suffix" from a name, hence "___v2___compat".
 */
#ifndef SCHEDCTL_SCX_BPF_H
#define SCHEDCTL_SCX_BPF_H

#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000
#define NICE_0_PRIO 120
#define SCHED_BATCH 3
#define SCHED_IDLE 5

#define BPF_STRUCT_OPS(name, args...) SEC("struct_ops/" #name) BPF_PROG(name, ##args)
#define BPF_STRUCT_OPS_SLEEPABLE(name, args...) SEC("struct_ops.s/" #name) BPF_PROG(name, ##args)

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile typeof(x) *)&(x) = (value))

extern bool scx_bpf_dsq_insert___v2___compat(struct task_struct *p, u64 dsq_id, u64 slice,
					     u64 enq_flags) __ksym __weak;
extern bool scx_bpf_dsq_move_to_local___v2___compat(u64 dsq_id, u64 enq_flags) __ksym __weak;
/* 6.12 */
extern void scx_bpf_dispatch___compat(struct task_struct *p, u64 dsq_id, u64 slice,
				      u64 enq_flags) __ksym __weak;
extern void scx_bpf_dispatch_vtime___compat(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime,
					    u64 enq_flags) __ksym __weak;
extern bool scx_bpf_consume___compat(u64 dsq_id) __ksym __weak;
extern bool scx_bpf_dispatch_from_dsq___compat(struct bpf_iter_scx_dsq *it, struct task_struct *p,
					       u64 dsq_id, u64 enq_flags) __ksym __weak;
extern void scx_bpf_dispatch_from_dsq_set_slice___compat(struct bpf_iter_scx_dsq *it,
							 u64 slice) __ksym __weak;
extern void scx_bpf_dispatch_from_dsq_set_vtime___compat(struct bpf_iter_scx_dsq *it,
							 u64 vtime) __ksym __weak;
extern bool scx_bpf_dispatch_vtime_from_dsq___compat(struct bpf_iter_scx_dsq *it,
						     struct task_struct *p, u64 dsq_id,
						     u64 enq_flags) __ksym __weak;

static inline void dsq_insert(struct task_struct *p, u64 dsq_id, u64 slice_ns, u64 enq_flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert___v2___compat))
		scx_bpf_dsq_insert___v2___compat(p, dsq_id, slice_ns, enq_flags);
	else if (bpf_ksym_exists(scx_bpf_dsq_insert))
		scx_bpf_dsq_insert(p, dsq_id, slice_ns, enq_flags);
	else
		scx_bpf_dispatch___compat(p, dsq_id, slice_ns, enq_flags);
}

static inline void dsq_insert_vtime(struct task_struct *p, u64 dsq_id, u64 slice_ns, u64 vtime,
				    u64 enq_flags)
{
	if (bpf_ksym_exists(__scx_bpf_dsq_insert_vtime)) {
		struct scx_bpf_dsq_insert_vtime_args args = {
			.dsq_id = dsq_id,
			.slice = slice_ns,
			.vtime = vtime,
			.enq_flags = enq_flags,
		};

		__scx_bpf_dsq_insert_vtime(p, &args);
	} else if (bpf_ksym_exists(scx_bpf_dsq_insert_vtime)) {
		scx_bpf_dsq_insert_vtime(p, dsq_id, slice_ns, vtime, enq_flags);
	} else {
		scx_bpf_dispatch_vtime___compat(p, dsq_id, slice_ns, vtime, enq_flags);
	}
}

/*
 * For inserts into a local queue (7.1): where a thread of a higher class takes the CPU, the
 * thread comes back to ops.enqueue instead of waiting for that CPU alone.
 */
static inline u64 enq_immed(void)
{
	if (bpf_core_enum_value_exists(enum scx_enq_flags, SCX_ENQ_IMMED))
		return bpf_core_enum_value(enum scx_enq_flags, SCX_ENQ_IMMED);
	return 0;
}

static inline bool dsq_move_to_local(u64 dsq_id)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local___v2___compat))
		return scx_bpf_dsq_move_to_local___v2___compat(dsq_id, enq_immed());
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local))
		return scx_bpf_dsq_move_to_local(dsq_id);
	return scx_bpf_consume___compat(dsq_id);
}

/* `it` is where bpf_for_each() stands, `p` what it has found. */
static inline bool dsq_move_found_to_local(struct bpf_iter_scx_dsq *it, struct task_struct *p)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move))
		return scx_bpf_dsq_move(it, p, SCX_DSQ_LOCAL, enq_immed());
	return scx_bpf_dispatch_from_dsq___compat(it, p, SCX_DSQ_LOCAL, 0);
}

/* The same into another queue, with its key there. */
static inline bool dsq_move_vtime(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id,
				  u64 vtime, u64 slice_ns)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_vtime)) {
		scx_bpf_dsq_move_set_slice(it, slice_ns);
		scx_bpf_dsq_move_set_vtime(it, vtime);
		return scx_bpf_dsq_move_vtime(it, p, dsq_id, 0);
	}
	scx_bpf_dispatch_from_dsq_set_slice___compat(it, slice_ns);
	scx_bpf_dispatch_from_dsq_set_vtime___compat(it, vtime);
	return scx_bpf_dispatch_vtime_from_dsq___compat(it, p, dsq_id, 0);
}

static inline void task_set_slice(struct task_struct *p, u64 slice_ns)
{
	if (bpf_ksym_exists(scx_bpf_task_set_slice))
		scx_bpf_task_set_slice(p, slice_ns);
	else
		p->scx.slice = slice_ns;
}

#define scx_print(kfunc, fmt, args...)                                    \
	({                                                                \
		static char ___fmt[] = fmt;                               \
		unsigned long long ___param[___bpf_narg(args) ?: 1] = {}; \
                                                                          \
		___bpf_fill(___param, args);                              \
		kfunc(___fmt, ___param, sizeof(___param));                \
	})
#define scx_error(fmt, args...) scx_print(scx_bpf_error_bstr, fmt, ##args)
#define scx_dump(fmt, args...) scx_print(scx_bpf_dump_bstr, fmt, ##args)

#endif
