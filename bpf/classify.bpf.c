/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a thread to its class. Nothing is hooked: what a rule can look at is kept as a
 * fingerprint in the thread's context and compared at every wake-up and slice end, so a
 * rename, an exec, a setuid or a move between cgroups acts at the next of these.
 *
 * Rules stand in rank order and the first match decides. Which cgroup patterns a cgroup
 * matches is worked out once per cgroup and generation, and kept as bits.
 */
#include "classify.bpf.h"

#define CGROUP_DEPTH 16
#define CGROUP_PATH_LEN 512
#define COMPONENT_LEN 256

struct comm {
	char text[16];
};

/* "/a/b": text, and where each component begins and ends. */
struct cgroup_path {
	char text[CGROUP_PATH_LEN + COMPONENT_LEN];
	u64 knodes[CGROUP_DEPTH];
	u32 begin[CGROUP_DEPTH];
	u32 end[CGROUP_DEPTH];
	u32 nr_components;
	u32 len;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cgroup_path);
} cgroup_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct cgroup_entry);
} cgroup_cache SEC(".maps");

/* before 7.x the member had another name */
struct kernfs_node___old {
	struct kernfs_node *parent;
} __attribute__((preserve_access_index));

/*
 * Always 0, but the verifier does not know: an index that starts from it is a range, so
 * that a loop over it converges instead of being walked once per value.
 */
static volatile u32 opaque_zero;

static __always_inline u32 byte_at(const char *text, u32 size, u32 i)
{
	return i < size ? (unsigned char)text[i] : 0;
}

/*
 * Match one "[...]" against `c`; `pos` stands behind the '['. A ']' that comes first, or
 * first after the '!', is itself a member. Unclosed sets never get here. Returns the
 * position behind the ']' times two, plus 1 where `c` is matched.
 */
static __always_inline u32 match_set(const char *pattern, u32 size, u32 pos, u32 c)
{
	u32 negated = byte_at(pattern, size, pos) == '!', hit = opaque_zero, i = pos + negated;
	u32 step;

	bpf_for(step, 0, size) {
		u32 low = byte_at(pattern, size, i), high = low;
		u32 after = byte_at(pattern, size, i + 2);

		if (!low || (low == ']' && step))
			break;
		if (byte_at(pattern, size, i + 1) == '-' && after && after != ']') {
			high = after;
			i += 2;
		}
		hit |= low <= c && c <= high;
		i++;
	}
	return (i + 1) << 1 | (hit ^ negated);
}

/* Not static, here and below: verified on its own, once, whatever the number of callers. */
__noinline int comm_set(const struct policy_rule *rule, u32 pos, u32 c)
{
	return rule ? match_set(rule->comm, COMM_PATTERN_LEN, pos, c) : 0;
}

__noinline int cgroup_set(const struct policy_cgroup *cgroup, u32 pos, u32 c)
{
	return cgroup ? match_set(cgroup->pattern, CGROUP_PATTERN_LEN, pos, c) : 0;
}

/* A copy whose range the verifier does not tie to the original's: see opaque_zero. */
#define unlinked(index) ((index) & 0x3ff)

/*
 * Anchored glob over text[pos, end): '*' any run, '?' any one byte, "[set]". On a
 * mismatch only the last '*' is tried again, one byte further: at most length x pattern
 * steps, and `max_steps` in any case.
 */
#define glob(pattern, pattern_size, text, text_size, begin, end, max_steps, set_fn, owner) \
	({                                                                                 \
		u32 ___at = opaque_zero, ___star_at = opaque_zero;                         \
		u32 ___pos = (begin), ___star_pos = opaque_zero, ___step;                  \
		int ___matched = 0;                                                        \
                                                                                           \
		bpf_for(___step, 0, max_steps) {                                           \
			u32 ___want = byte_at(pattern, pattern_size, ___at);               \
			u32 ___have = byte_at(text, text_size, ___pos), ___ok = 0;         \
                                                                                           \
			if (___want == '*') {                                              \
				___at = unlinked(___at + 1);                               \
				___star_at = unlinked(___at); /* 0: no '*' so far */       \
				___star_pos = unlinked(___pos);                            \
				continue;                                                  \
			}                                                                  \
			if (___pos >= (end)) {                                             \
				___matched = !___want;                                     \
				break;                                                     \
			}                                                                  \
			if (___want == '[') {                                              \
				___ok = set_fn(owner, ___at + 1, ___have);                 \
				___at = unlinked(___ok >> 1);                              \
				___ok &= 1;                                                \
			} else if (___want) {                                              \
				___ok = ___want == '?' || ___want == ___have;              \
				___at = unlinked(___at + 1);                               \
			}                                                                  \
			if (___ok) {                                                       \
				___pos = unlinked(___pos + 1);                             \
				continue;                                                  \
			}                                                                  \
			if (!___star_at)                                                   \
				break;                                                     \
			___star_pos = unlinked(___star_pos + 1);                           \
			___pos = unlinked(___star_pos);                                    \
			___at = unlinked(___star_at);                                      \
		}                                                                          \
		___matched;                                                                \
	})

__noinline int comm_glob(const struct policy_rule *rule, const struct comm *comm)
{
	u32 len = opaque_zero, i;

	if (!rule || !comm)
		return 0;
	bpf_for(i, 0, sizeof(comm->text)) {
		if (!comm->text[i & (sizeof(comm->text) - 1)])
			break;
		len = unlinked(i + 1);
	}
	return glob(rule->comm, COMM_PATTERN_LEN, comm->text, sizeof(comm->text), opaque_zero, len,
		    1024, comm_set, rule);
}

__noinline int cgroup_glob(const struct policy_cgroup *cgroup, const struct cgroup_path *path,
			   u32 begin, u32 end)
{
	if (!cgroup || !path)
		return 0;
	return glob(cgroup->pattern, CGROUP_PATTERN_LEN, path->text, sizeof(path->text), begin, end,
		    16384, cgroup_set, cgroup);
}

static struct kernfs_node *kn_parent(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return BPF_CORE_READ((struct kernfs_node___old *)kn, parent);
}

/* Fill `path` for the cgroup at `kn`. False where it is too deep or too long. */
static bool walk_cgroup(struct kernfs_node *kn, struct cgroup_path *path)
{
	u32 depth = opaque_zero, len = opaque_zero, i;

	bpf_for(i, 0, CGROUP_DEPTH) {
		struct kernfs_node *parent = kn_parent(kn);

		if (!parent)
			break;
		path->knodes[i] = (u64)kn;
		kn = parent;
		depth = unlinked(i + 1);
	}
	if (kn_parent(kn))
		return false;
	path->nr_components = depth;
	bpf_for(i, 0, CGROUP_DEPTH) {
		u32 from = depth - 1 - i;
		struct kernfs_node *node;
		long copied;

		if (i >= depth || from >= CGROUP_DEPTH)
			break;
		if (len >= CGROUP_PATH_LEN - 1)
			return false;
		path->text[len++] = '/';
		node = (struct kernfs_node *)path->knodes[from];
		copied = bpf_probe_read_kernel_str(path->text + len, COMPONENT_LEN,
						   BPF_CORE_READ(node, name));
		if (copied <= 0 || copied > COMPONENT_LEN)
			return false;
		path->begin[i & (CGROUP_DEPTH - 1)] = len;
		len += copied - 1;
		path->end[i & (CGROUP_DEPTH - 1)] = len;
	}
	if (len > CGROUP_PATH_LEN)
		return false;
	if (!depth) {
		path->text[0] = '/';
		len = 1;
	}
	path->len = len;
	return true;
}

static bool cgroup_matches(const struct policy_cgroup *cgroup, const struct cgroup_path *path)
{
	u32 i;

	if (cgroup->kind == CGROUP_PATH)
		return cgroup_glob(cgroup, path, opaque_zero, path->len);
	bpf_for(i, 0, CGROUP_DEPTH) {
		if (i >= path->nr_components)
			break;
		if (cgroup_glob(cgroup, path, path->begin[i & (CGROUP_DEPTH - 1)],
				path->end[i & (CGROUP_DEPTH - 1)]))
			return true;
	}
	return false;
}

/* The bits of the cgroup patterns that the thread's cgroup matches. */
static u64 cgroup_bits(struct task_struct *p, u64 cgroup_id, const struct policy *pol)
{
	struct cgroup_entry *cached = bpf_map_lookup_elem(&cgroup_cache, &cgroup_id);
	struct cgroup_entry entry = { .generation = pol->generation };
	struct cgroup_path *path;
	u32 zero = 0;
	u32 i;

	if (cached && cached->generation == pol->generation)
		return cached->matched;
	path = bpf_map_lookup_elem(&cgroup_scratch, &zero);
	if (!path)
		return 0;
	if (walk_cgroup(BPF_CORE_READ(p, cgroups, dfl_cgrp, kn), path)) {
		bpf_for(i, 0, MAX_CGROUPS) {
			if (i >= pol->nr_cgroups)
				break;
			if (cgroup_matches(&pol->cgroups[i & (MAX_CGROUPS - 1)], path))
				entry.matched |= 1ULL << (i & (MAX_CGROUPS - 1));
		}
	} else {
		count(nr_cgroup_overflow);
	}
	bpf_map_update_elem(&cgroup_cache, &cgroup_id, &entry, BPF_ANY);
	return entry.matched;
}

static bool comm_matches(const struct policy_rule *rule, const struct comm *comm)
{
	const u64 *want = (const u64 *)rule->comm, *have = (const u64 *)comm->text;

	switch (rule->comm_kind) {
	case COMM_ANY:
		return true;
	case COMM_LITERAL:
		return want[0] == have[0] && want[1] == have[1];
	default:
		return comm_glob(rule, comm);
	}
}

/* The class of the first rule that matches, or 0. */
static u32 match_rules(struct task_struct *p, const struct policy *pol, const struct comm *comm,
		       u64 cgroup_id)
{
	u64 bits = pol->nr_cgroups ? cgroup_bits(p, cgroup_id, pol) : 0;
	u32 i;

	bpf_for(i, 0, MAX_RULES) {
		const struct policy_rule *rule;

		if (i >= pol->nr_rules)
			break;
		rule = &pol->rules[i & (MAX_RULES - 1)];
		if (rule->cgroup && !(bits >> ((rule->cgroup - 1) & (MAX_CGROUPS - 1)) & 1))
			continue;
		if (comm_matches(rule, comm))
			return rule->class_id & (MAX_CLASSES - 1);
	}
	return 0;
}

/*
 * Nobody gets a level by naming a thread: until a profile can say whom to trust, a rule
 * lifts only threads of the real user 0 above fair.
 */
static void assign_class(struct task_struct *p, struct task_ctx *taskc, const struct policy *pol,
			 u32 class_id)
{
	const struct policy_class *class = &pol->classes[class_id & (MAX_CLASSES - 1)];

	taskc->held_back = class->tier == TIER_REALTIME && taskc->uid != 0;
	if (taskc->held_back) {
		class_id = 0;
		class = &pol->classes[0];
		count(nr_held_back);
	}
	taskc->class_index = (pol->slot & 1) * MAX_CLASSES + (class_id & (MAX_CLASSES - 1));
	taskc->tier = class->tier;
	taskc->level = class->tier == TIER_REALTIME ? (class->level & 7) : 0;
	taskc->deadline_ns = class->deadline_ns;
	taskc->weight = class->weight;
	taskc->order = pol->order;
	if (taskc->tier == TIER_REALTIME && !taskc->level)
		taskc->tier = TIER_FAIR;
}

/* SCHED_IDLE is background whatever the rules say. */
static void apply_policy_class(struct task_struct *p, struct task_ctx *taskc)
{
	if (p->policy == SCHED_IDLE) {
		taskc->tier = TIER_BACKGROUND;
		taskc->level = 0;
	}
}

__hidden bool refresh_class(struct task_struct *p, struct task_ctx *taskc)
{
	const struct policy *pol = active_policy();
	struct comm comm = {};
	u64 cgroup_id = BPF_CORE_READ(p, cgroups, dfl_cgrp, kn, id);
	u32 uid = BPF_CORE_READ(p, real_cred, uid.val), gid = BPF_CORE_READ(p, real_cred, gid.val);
	u32 exec_id = p->self_exec_id;
	u64 *words = (u64 *)comm.text;

	if (!pol)
		return false;
	bpf_probe_read_kernel_str(comm.text, sizeof(comm.text), p->comm);
	if (taskc->generation == pol->generation && taskc->comm[0] == words[0] &&
	    taskc->comm[1] == words[1] && taskc->cgroup_id == cgroup_id && taskc->uid == uid &&
	    taskc->gid == gid && taskc->exec_id == exec_id && taskc->sched_policy == p->policy)
		return false;
	taskc->generation = pol->generation;
	taskc->comm[0] = words[0];
	taskc->comm[1] = words[1];
	taskc->cgroup_id = cgroup_id;
	taskc->uid = uid;
	taskc->gid = gid;
	taskc->exec_id = exec_id;
	taskc->sched_policy = p->policy;
	count(nr_classified);
	assign_class(p, taskc, pol, match_rules(p, pol, &comm, cgroup_id));
	apply_policy_class(p, taskc);
	return true;
}
