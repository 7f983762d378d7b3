/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a thread's texts and numbers to the first rule that matches.
 *
 * Each rule has one anchor: what a matching text equals, begins or ends with, or a number.
 * The index finds the rules of an anchor by a hash, so the cost depends on the lengths of
 * anchors in use and on the few rules that share one, not on how many rules there are; the
 * compiler (schedctl/image/index.py) refuses what would exceed the bounds of intf.h. What a
 * cgroup's own texts decide is worked out once per cgroup and generation.
 */
#include "glob.bpf.h"

enum part {
	PART_ALL = 0,
	PART_CGROUP = 1, /* only the patterns that look at the cgroup */
	PART_REST = 2, /* all but those */
};

struct policy_buckets {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct policy_bucket);
};

struct policy_rules {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct policy_rule);
};

struct policy_patterns {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct policy_pattern);
};

/* By slot of the policy. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, u32);
	__array(values, struct policy_buckets);
} buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, u32);
	__array(values, struct policy_rules);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, u32);
	__array(values, struct policy_patterns);
} patterns SEC(".maps");

/* The rules whose cgroup patterns a cgroup matches. */
struct cgroup_entry {
	u64 generation;
	u32 nr_found;
	u32 found[MAX_FOUND];
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct cgroup_entry);
} cgroup_cache SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cgroup_entry);
} cgroup_scratch SEC(".maps");

static bool is_cgroup_subject(u32 subject)
{
	return CGROUP_SUBJECTS >> (subject & 31) & 1;
}

static bool match_number(const struct policy_pattern *pat, const struct subjects *s)
{
	u32 have = s->number[pat->subject & 15];

	if (pat->subject == SUBJECT_NICE)
		return (s16)pat->value <= (s16)have && (s16)have <= (s16)(pat->value >> 16);
	return pat->value == have;
}

__noinline int match_pattern(const struct policy_pattern *pat, const struct subjects *s, u32 part)
{
	u32 i;

	if (!pat || !s)
		return 0;
	if (part != PART_ALL && !pat->group &&
	    is_cgroup_subject(pat->subject) != (part == PART_CGROUP))
		return 1;
	if (pat->subject >= NR_TEXT_SUBJECTS)
		return match_number(pat, s);
	if (pat->subject != SUBJECT_CGROUP_PART)
		return match_text(pat, s, s->begin[pat->subject & 7], s->end[pat->subject & 7]);
	bpf_for(i, 0, CGROUP_DEPTH) {
		if (i >= s->nr_parts || i >= CGROUP_DEPTH)
			break;
		if (match_text(pat, s, s->part_begin[i], s->part_end[i]))
			return 1;
	}
	return 0;
}

__noinline int match_rule(const struct policy_rule *rule, const struct subjects *s, u32 slot,
			  u32 part)
{
	void *table = bpf_map_lookup_elem(&patterns, &slot);
	u32 clause = opaque_zero, group = opaque_zero, i;
	bool hit = false, all = true;

	if (!rule || !s || !table)
		return 0;
	bpf_for(i, 0, MAX_RULE_PATTERNS) {
		u32 index = rule->first + i;
		const struct policy_pattern *pat;

		if (i >= rule->nr)
			break;
		pat = bpf_map_lookup_elem(table, &index);
		if (!pat)
			return 0;
		if (i && (pat->clause != clause || pat->group != group)) {
			all = all && hit;
			hit = false;
		}
		if (i && pat->group != group) {
			if (all == (group != 0))
				return 0;
			all = true;
		}
		if (pat->group && part == PART_CGROUP)
			return 1;
		clause = pat->clause;
		group = pat->group;
		hit = hit || match_pattern(pat, s, part);
	}
	all = all && hit;
	return all != (group != 0);
}

/*
 * Where a bucket's rules stand: first << 32 | number; 0 = it is another anchor's. A function,
 * because clang describes a struct in BTF only where a function takes it.
 */
__noinline u64 bucket_slice(const struct policy_bucket *bucket, u64 hash)
{
	if (!bucket || bucket->hash != hash)
		return 0;
	return (u64)bucket->first << 32 | bucket->nr;
}

/* The slice of an anchor's rules; 0 = there are none. */
__noinline u64 find_bucket(u32 slot, u32 mask, u64 hash)
{
	void *table = bpf_map_lookup_elem(&buckets, &slot);
	u32 i;

	if (!table)
		return 0;
	bpf_for(i, 0, MAX_PROBES) {
		u32 index = (u32)(hash + i) & mask;
		const struct policy_bucket *bucket = bpf_map_lookup_elem(table, &index);
		u64 slice;

		if (!bucket || !bucket->nr)
			return 0;
		slice = bucket_slice(bucket, hash);
		if (slice)
			return slice;
	}
	return 0;
}

static void decide(struct subjects *s, const struct policy_rule *rule)
{
	s->best_rank = rule->rank;
	s->best_class = rule->class_id;
	s->best_trusted = rule->trusted;
}

/* Of rules [first, first + nr), by rank, the first that matches; or collect all of them. */
__noinline int try_rules(struct subjects *s, u32 slot, u32 first, u32 nr)
{
	void *table = bpf_map_lookup_elem(&rules, &slot);
	u32 i;

	if (!s || !table)
		return 0;
	bpf_for(i, 0, MAX_BUCKET_RULES) {
		u32 index = first + i;
		const struct policy_rule *rule;

		if (i >= nr)
			break;
		rule = bpf_map_lookup_elem(table, &index);
		if (!rule)
			break;
		if (s->collect) {
			if (!match_rule(rule, s, slot, PART_CGROUP))
				continue;
			if (s->nr_found < MAX_FOUND)
				s->found[s->nr_found] = index;
			s->nr_found++;
		} else {
			if (rule->rank >= s->best_rank)
				break;
			if (rule->walks && !s->walked) {
				s->pending |= match_rule(rule, s, slot, PART_REST);
			} else if (match_rule(rule, s, slot, PART_ALL)) {
				decide(s, rule);
				break;
			}
		}
	}
	return 0;
}

static void try_anchor(const struct policy *pol, struct subjects *s, u64 hash)
{
	u64 found = find_bucket(pol->slot & 1, pol->bucket_mask, hash);

	if (found)
		try_rules(s, pol->slot & 1, found >> 32, (u32)found);
}

#define has_length(lengths, n) ((lengths)[(n) / 64 & 1] >> ((n) & 63) & 1)

/* All anchors of text[begin, end): equal, prefixes and suffixes of the lengths in use. */
__noinline int try_text(const struct policy *pol, struct subjects *s, u32 subject, u32 begin,
			u32 end)
{
	const struct policy_lengths *lengths;
	u64 hash;
	u32 i;

	if (!pol || !s || begin > end || subject >= NR_TEXT_SUBJECTS)
		return 0;
	lengths = &pol->lengths[subject];
	hash = anchor_hash_start(pol->seed, subject, ANCHOR_PREFIX);
	bpf_for(i, 1, PATTERN_LEN) {
		if (begin + i > end)
			break;
		hash = anchor_hash_step(hash, byte_at(s->text, TEXT_LEN, begin + i - 1));
		if (has_length(lengths->prefix, i))
			try_anchor(pol, s, hash);
	}
	if (end - begin < PATTERN_LEN)
		try_anchor(pol, s, anchor_hash_step(hash, 0));
	hash = anchor_hash_start(pol->seed, subject, ANCHOR_SUFFIX);
	bpf_for(i, 1, PATTERN_LEN) {
		if (begin + i > end)
			break;
		hash = anchor_hash_step(hash, byte_at(s->text, TEXT_LEN, end - i));
		if (has_length(lengths->suffix, i))
			try_anchor(pol, s, hash);
	}
	return 0;
}

static u64 number_hash(const struct policy *pol, u32 subject, u32 value)
{
	u64 hash = anchor_hash_start(pol->seed, subject, ANCHOR_EQUAL);

	hash = anchor_hash_step(hash, value);
	hash = anchor_hash_step(hash, value >> 8);
	hash = anchor_hash_step(hash, value >> 16);
	return anchor_hash_step(hash, value >> 24);
}

__hidden bool is_realtime_uid(const struct policy *pol, u32 uid)
{
	u64 hash = number_hash(pol, SUBJECT_REALTIME_UID, uid);

	return find_bucket(pol->slot & 1, pol->bucket_mask, hash) != 0;
}

static void try_cgroup_texts(const struct policy *pol, struct subjects *s)
{
	u32 i;

	try_text(pol, s, SUBJECT_UNIT, s->begin[SUBJECT_UNIT], s->end[SUBJECT_UNIT]);
	try_text(pol, s, SUBJECT_USER_UNIT, s->begin[SUBJECT_USER_UNIT], s->end[SUBJECT_USER_UNIT]);
	try_text(pol, s, SUBJECT_CGROUP, s->begin[SUBJECT_CGROUP], s->end[SUBJECT_CGROUP]);
	if (!(pol->subjects & 1 << SUBJECT_CGROUP_PART))
		return;
	bpf_for(i, 0, CGROUP_DEPTH) {
		if (i >= s->nr_parts || i >= CGROUP_DEPTH)
			break;
		try_text(pol, s, SUBJECT_CGROUP_PART, s->part_begin[i], s->part_end[i]);
	}
}

/* The rest of the rules that the cgroup has passed. */
__noinline int try_found(struct subjects *s, const struct cgroup_entry *entry, u32 slot)
{
	void *table = bpf_map_lookup_elem(&rules, &slot);
	u32 i;

	if (!s || !entry || !table)
		return 0;
	bpf_for(i, 0, MAX_FOUND) {
		const struct policy_rule *rule;

		if (i >= entry->nr_found || i >= MAX_FOUND)
			break;
		rule = bpf_map_lookup_elem(table, &entry->found[i]);
		if (!rule || rule->rank >= s->best_rank || !match_rule(rule, s, slot, PART_REST))
			continue;
		if (rule->walks && !s->walked)
			s->pending = 1;
		else
			decide(s, rule);
	}
	return 0;
}

/* Not cached where more rules pass than an entry holds: then they are decided on at once. */
static void try_cgroup(struct task_struct *p, const struct policy *pol, struct subjects *s,
		       u64 cgroup_id)
{
	struct cgroup_entry *entry = bpf_map_lookup_elem(&cgroup_cache, &cgroup_id);
	u32 zero = 0, i;

	if (entry && entry->generation == pol->generation) {
		try_found(s, entry, pol->slot & 1);
		return;
	}
	if (!s->walked && !walk_cgroup(p, s))
		count(nr_path_overflow);
	entry = bpf_map_lookup_elem(&cgroup_scratch, &zero);
	if (!entry)
		return;
	s->nr_found = 0;
	s->collect = 1;
	try_cgroup_texts(pol, s);
	s->collect = 0;
	if (s->nr_found > MAX_FOUND) {
		try_cgroup_texts(pol, s);
		return;
	}
	entry->generation = pol->generation;
	entry->nr_found = s->nr_found;
	bpf_for(i, 0, MAX_FOUND)
		entry->found[i & (MAX_FOUND - 1)] = s->found[i & (MAX_FOUND - 1)];
	bpf_map_update_elem(&cgroup_cache, &cgroup_id, entry, BPF_ANY);
	try_found(s, entry, pol->slot & 1);
}

static void try_all(struct task_struct *p, const struct policy *pol, struct subjects *s,
		    u64 cgroup_id)
{
	if (pol->subjects & CGROUP_SUBJECTS)
		try_cgroup(p, pol, s, cgroup_id);
	if (pol->nr_scanned)
		try_rules(s, pol->slot & 1, 0, pol->nr_scanned);
	if (pol->subjects & 1 << SUBJECT_COMM)
		try_text(pol, s, SUBJECT_COMM, s->begin[SUBJECT_COMM], s->end[SUBJECT_COMM]);
	if (pol->subjects & 1 << SUBJECT_EXE)
		try_text(pol, s, SUBJECT_EXE, s->begin[SUBJECT_EXE], s->end[SUBJECT_EXE]);
	if (pol->subjects & 1 << SUBJECT_UID)
		try_anchor(pol, s, number_hash(pol, SUBJECT_UID, s->number[SUBJECT_UID]));
	if (pol->subjects & 1 << SUBJECT_GID)
		try_anchor(pol, s, number_hash(pol, SUBJECT_GID, s->number[SUBJECT_GID]));
}

/* The cgroup's texts are read only where a rule that matches otherwise asks for them. */
__hidden void match_rules(struct task_struct *p, const struct policy *pol, struct subjects *s,
			  u64 cgroup_id)
{
	s->best_rank = NO_RANK;
	s->best_class = s->best_trusted = 0;
	s->collect = s->walked = s->pending = s->nr_parts = 0;
	s->begin[SUBJECT_UNIT] = s->begin[SUBJECT_USER_UNIT] = s->begin[SUBJECT_CGROUP] = 1;
	s->end[SUBJECT_UNIT] = s->end[SUBJECT_USER_UNIT] = s->end[SUBJECT_CGROUP] = 0;
	if (pol->subjects & (1 << SUBJECT_EXE | 1 << SUBJECT_EXE_OWNER) && !walk_exe(p, s))
		count(nr_path_overflow);
	try_all(p, pol, s, cgroup_id);
	if (!s->pending)
		return;
	walk_cgroup(p, s);
	try_all(p, pol, s, cgroup_id);
}
