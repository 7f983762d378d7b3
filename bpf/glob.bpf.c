/* SPDX-License-Identifier: GPL-2.0-only */
/* One pattern against one text, as schedctl/glob.py. Bounded, whatever the pattern. */
#include "glob.bpf.h"

/*
 * Match one "[...]" against `c`; `pos` stands behind the '['. A ']' that comes first, or
 * first after the '!', is itself a member. Unclosed sets never get here. Returns the
 * position behind the ']' times two, plus 1 where `c` is matched. Not static, here and
 * below: verified on its own, once, whatever the number of callers.
 */
__noinline int match_set(const struct policy_pattern *pat, u32 pos, u32 c)
{
	u32 negated, hit = opaque_zero, i, step;

	if (!pat)
		return 0;
	negated = byte_at(pat->text, PATTERN_LEN, pos) == '!';
	i = pos + negated;
	bpf_for(step, 0, PATTERN_LEN) {
		u32 low = byte_at(pat->text, PATTERN_LEN, i), high = low;
		u32 after = byte_at(pat->text, PATTERN_LEN, i + 2);

		if (!low || (low == ']' && step))
			break;
		if (byte_at(pat->text, PATTERN_LEN, i + 1) == '-' && after && after != ']') {
			high = after;
			i += 2;
		}
		hit |= low <= c && c <= high;
		i++;
	}
	return (i + 1) << 1 | (hit ^ negated);
}

/*
 * Anchored glob over text[begin, end): '*' any run, '?' any one byte, "[set]". On a
 * mismatch only the last '*' is tried again, one byte further: at most length x pattern
 * steps.
 */
__noinline int match_glob(const struct policy_pattern *pat, const struct subjects *s, u32 begin,
			  u32 end)
{
	u32 at = opaque_zero, star_at = opaque_zero, star_pos = opaque_zero, pos = begin, step;

	if (!pat || !s)
		return 0;
	bpf_for(step, 0, 65536) {
		u32 want = byte_at(pat->text, PATTERN_LEN, at), ok = 0;
		u32 have = byte_at(s->text, TEXT_LEN, pos);

		if (want == '*') {
			at = unlinked(at + 1);
			star_at = unlinked(at); /* 0: no '*' so far */
			star_pos = unlinked(pos);
			continue;
		}
		if (pos >= end)
			return !want;
		if (want == '[') {
			ok = match_set(pat, at + 1, have);
			at = unlinked(ok >> 1);
			ok &= 1;
		} else if (want) {
			ok = want == '?' || want == have;
			at = unlinked(at + 1);
		}
		if (ok) {
			pos = unlinked(pos + 1);
			continue;
		}
		if (!star_at)
			return 0;
		star_pos = unlinked(star_pos + 1);
		pos = unlinked(star_pos);
		at = unlinked(star_at);
	}
	return 0;
}

__noinline int match_text(const struct policy_pattern *pat, const struct subjects *s, u32 begin,
			  u32 end)
{
	u32 i;

	if (!pat || !s || begin > end)
		return 0;
	if (pat->is_glob)
		return match_glob(pat, s, begin, end);
	if (pat->value != end - begin)
		return 0;
	bpf_for(i, 0, PATTERN_LEN) {
		if (i >= pat->value)
			break;
		if (byte_at(pat->text, PATTERN_LEN, i) != byte_at(s->text, TEXT_LEN, begin + i))
			return 0;
	}
	return 1;
}
