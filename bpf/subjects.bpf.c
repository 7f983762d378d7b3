/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The texts that rules look at: the cgroup's path with its systemd units, and the path of
 * the program. Both are read by walking up from their last component, so that no hook and
 * no helper process is needed, and threads older than the attach are like all others.
 */
#include "rules.bpf.h"

volatile u32 opaque_zero;

/* before 7.x the member had another name */
struct kernfs_node___old {
	struct kernfs_node *parent;
} __attribute__((preserve_access_index));

/* ".service" and so on as numbers: the last byte lowest */
#define DOT_SERVICE 0x2e73657276696365ULL
#define DOT_SOCKET 0x2e736f636b6574ULL
#define DOT_SCOPE 0x2e73636f7065ULL
#define DOT_MOUNT 0x2e6d6f756e74ULL
#define DOT_SLICE 0x2e736c696365ULL
#define DOT_SWAP 0x2e73776170ULL
#define USER_AT 0x7573657240ULL

static struct kernfs_node *kn_parent(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return BPF_CORE_READ((struct kernfs_node___old *)kn, parent);
}

/*
 * Write s->names[nr - 1 .. 0] as "/a/b" at text[at]; the end, or 0 where it does not fit
 * before text[limit]. With `parts` also where each component lies. Not static, here and
 * below: verified on its own, once, whatever the number of callers.
 */
__noinline u32 write_path(struct subjects *s, u32 nr, u32 at, u32 limit, u32 parts)
{
	u32 len = opaque_zero, i;

	if (!s || at > EXE_AT || nr > PATH_DEPTH)
		return 0;
	len += at;
	bpf_for(i, 0, PATH_DEPTH) {
		u32 from = nr - 1 - i;
		long copied;

		if (i >= nr || from >= PATH_DEPTH)
			break;
		if (len >= limit - 1 || len >= TEXT_LEN - COMPONENT_LEN - 1)
			return 0;
		s->text[len++] = '/';
		copied = bpf_probe_read_kernel_str(s->text + len, COMPONENT_LEN,
						   (const char *)s->names[from]);
		if (copied <= 0 || copied > COMPONENT_LEN)
			return 0;
		if (parts && i < CGROUP_DEPTH)
			s->part_begin[i] = len;
		len += copied - 1;
		if (parts && i < CGROUP_DEPTH)
			s->part_end[i] = len;
	}
	if (!nr)
		s->text[len++ & (TEXT_LEN - 1)] = '/';
	return len <= limit ? len : 0;
}

/* The last eight bytes of text[begin, end), the last one lowest; 0 for those before it. */
__noinline u64 last_bytes(const struct subjects *s, u32 begin, u32 end)
{
	u64 bytes = 0;
	u32 i;

	if (!s)
		return 0;
	bpf_for(i, 0, 8) {
		u32 pos = end - 8 + i;

		bytes = bytes << 8 |
			(pos >= begin && pos < end ? byte_at(s->text, TEXT_LEN, pos) : 0);
	}
	return bytes;
}

#define ends_with(bytes, suffix, length) (((bytes) & (~0ULL >> (64 - 8 * (length)))) == (suffix))

static bool is_slice(const struct subjects *s, u32 begin, u32 end)
{
	return end - begin > 6 && ends_with(last_bytes(s, begin, end), DOT_SLICE, 6);
}

__noinline int is_unit(const struct subjects *s, u32 begin, u32 end)
{
	u64 last = last_bytes(s, begin, end);

	if (!s || begin >= end || byte_at(s->text, TEXT_LEN, begin) == '.')
		return false;
	return ends_with(last, DOT_SERVICE, 8) || ends_with(last, DOT_SOCKET, 7) ||
	       ends_with(last, DOT_SCOPE, 6) || ends_with(last, DOT_MOUNT, 6) ||
	       ends_with(last, DOT_SWAP, 5);
}

/* user@1000.service */
__noinline int is_user_manager(const struct subjects *s, u32 begin, u32 end)
{
	u32 digits = opaque_zero, i;

	if (!s || end - begin < 14 || !ends_with(last_bytes(s, begin, end), DOT_SERVICE, 8) ||
	    !ends_with(last_bytes(s, begin, begin + 5), USER_AT, 5))
		return false;
	bpf_for(i, 0, 16) {
		u32 pos = begin + 5 + i, c;

		if (pos >= end - 8)
			return digits > 0;
		c = byte_at(s->text, TEXT_LEN, pos);
		if (c < '0' || c > '9')
			return false;
		digits = unlinked(digits + 1);
	}
	return false;
}

/*
 * The systemd units of the cgroup, as schedctl/resolve/units.py: below slices the first
 * component, and below a user's manager the same once more.
 */
__noinline int find_units(struct subjects *s)
{
	u32 subject = SUBJECT_UNIT, i;

	if (!s)
		return 0;
	bpf_for(i, 0, CGROUP_DEPTH) {
		u32 begin, end;

		if (i >= s->nr_parts || i >= CGROUP_DEPTH)
			break;
		begin = s->part_begin[i];
		end = s->part_end[i];
		/* systemd's mark on names that the kernel uses itself */
		if (byte_at(s->text, TEXT_LEN, begin) == '_')
			begin++;
		if (is_slice(s, begin, end))
			continue;
		if (is_unit(s, begin, end)) {
			s->begin[subject & 7] = begin;
			s->end[subject & 7] = end;
		}
		if (subject == SUBJECT_USER_UNIT || !is_user_manager(s, begin, end))
			break;
		subject = SUBJECT_USER_UNIT;
	}
	return 0;
}

__hidden bool walk_cgroup(struct task_struct *p, struct subjects *s)
{
	struct kernfs_node *kn = BPF_CORE_READ(p, cgroups, dfl_cgrp, kn);
	u32 depth = opaque_zero, end, i;

	s->walked = 1;
	bpf_for(i, 0, CGROUP_DEPTH) {
		struct kernfs_node *parent = kn_parent(kn);

		if (!parent)
			break;
		s->names[i] = (u64)BPF_CORE_READ(kn, name);
		kn = parent;
		depth = unlinked(i + 1);
	}
	if (kn_parent(kn))
		return false;
	end = write_path(s, depth, CGROUP_AT, EXE_AT - COMPONENT_LEN, 1);
	if (!end)
		return false;
	s->nr_parts = depth;
	s->begin[SUBJECT_CGROUP] = CGROUP_AT;
	s->end[SUBJECT_CGROUP] = end;
	find_units(s);
	return true;
}

/* As /proc/PID/exe has it from within the thread's own mount namespace. */
__hidden bool walk_exe(struct task_struct *p, struct subjects *s)
{
	struct file *file = BPF_CORE_READ(p, mm, exe_file);
	struct vfsmount *vfsmount = BPF_CORE_READ(file, f_path.mnt);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	u32 depth = opaque_zero, end, i;
	bool whole = false;

	s->begin[SUBJECT_EXE] = 1;
	s->end[SUBJECT_EXE] = 0;
	s->number[SUBJECT_EXE_OWNER] = ~0U;
	if (!file)
		return true;
	s->number[SUBJECT_EXE_OWNER] = BPF_CORE_READ(file, f_inode, i_uid.val);
	bpf_for(i, 0, 2 * PATH_DEPTH) {
		struct mount *mount = container_of(vfsmount, struct mount, mnt);
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		if (dentry == BPF_CORE_READ(vfsmount, mnt_root)) {
			struct mount *above = BPF_CORE_READ(mount, mnt_parent);

			whole = above == mount;
			if (whole)
				break;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			vfsmount = (struct vfsmount *)((void *)above +
						       bpf_core_field_offset(struct mount, mnt));
			continue;
		}
		whole = dentry == parent; /* of no mount, as a memfd */
		if (whole || depth >= PATH_DEPTH)
			break;
		s->names[depth & (PATH_DEPTH - 1)] = (u64)BPF_CORE_READ(dentry, d_name.name);
		depth = unlinked(depth + 1);
		dentry = parent;
	}
	end = whole ? write_path(s, depth, EXE_AT, COMM_AT - COMPONENT_LEN, 0) : 0;
	if (!end)
		return false;
	s->begin[SUBJECT_EXE] = EXE_AT;
	s->end[SUBJECT_EXE] = end;
	return true;
}
