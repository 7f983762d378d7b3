/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events for the daemon: one ring buffer per CPU, so that no two CPUs share a line. Nothing is
 * written while nobody listens; what does not fit is counted.
 */
#include "event.bpf.h"

struct event_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENT_RING_BYTES);
};

/* Named by a global, or BTF would not have it. */
const struct event *event_layout __attribute__((unused));

/* Filled by the loader, one per CPU; a CPU without one drops its events. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_DOMAINS);
	__type(key, u32);
	__array(values, struct event_ring);
} events SEC(".maps");

static bool is_heard(void)
{
	u32 zero = 0;
	struct control *found = bpf_map_lookup_elem(&control, &zero);

	return found && READ_ONCE(found->listening);
}

/* With its time and kind; NULL where nobody listens, or there is no room. */
static struct event *begin_event(u32 kind)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct event *event;
	void *ring;

	if (!is_heard())
		return NULL;
	ring = bpf_map_lookup_elem(&events, &cpu);
	event = ring ? bpf_ringbuf_reserve(ring, sizeof(*event), 0) : NULL;
	if (!event) {
		count(nr_events_dropped);
		return NULL;
	}
	event->at_ns = bpf_ktime_get_ns();
	event->kind = kind;
	return event;
}

__hidden void emit(struct task_struct *p, const struct task_ctx *taskc, u32 kind, u64 value)
{
	struct event *event = begin_event(kind);

	if (!event)
		return;
	event->value = value;
	event->generation = taskc->generation;
	event->class_id = taskc->class_index & (MAX_CLASSES - 1);
	event->pid = p->tgid;
	event->tid = p->pid;
	__builtin_memcpy(event->comm, taskc->comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, 0);
	count(nr_events);
}

__hidden void emit_exit(void)
{
	struct event *event = begin_event(EVENT_EXIT);

	if (!event)
		return;
	event->value = 0;
	event->generation = 0;
	event->class_id = 0;
	event->pid = 0;
	event->tid = 0;
	__builtin_memset(event->comm, 0, sizeof(event->comm));
	bpf_ringbuf_submit(event, 0);
	count(nr_events);
}
