/* What a modelled card is asked for: contexts, streams, operations, events, ledgers. */
#include "device_model.h"

#include <string.h>

#include "device_state.h"

static uint64_t given_or(uint64_t value, uint64_t otherwise) { return value ? value : otherwise; }

uint64_t fake_device_bytes(void) { return sizeof(struct fake_device); }

void fake_device_init(struct fake_device *device, const struct fake_timing *timing,
                      uint64_t now_ns) {
  device->timing.slice_ns = given_or(timing->slice_ns, 2100000);
  device->timing.switch_ns = given_or(timing->switch_ns, 165000);
  device->timing.gap_ns = given_or(timing->gap_ns, 1730);
  device->timing.drain_ns = given_or(timing->drain_ns, 2000);
  device->timing.record_ns = given_or(timing->record_ns, 1270);
  device->now_ns = now_ns;
  device->current = -1;
}

/* The record of an owner: its own, else a free one, else that of the owner which ended first. */
static uint32_t owner_index(const struct fake_device *device, uint64_t owner) {
  uint32_t chosen = FAKE_OWNERS;
  for (uint32_t i = 0; i < FAKE_OWNERS; i++) {
    const struct owner *at = &device->owner[i];
    if (at->owner == owner) return i;
    if (at->contexts > 0) continue;
    if (chosen == FAKE_OWNERS || at->last_ns < device->owner[chosen].last_ns) chosen = i;
  }
  return chosen;
}

static void open_owner(struct fake_device *device, struct context *context, uint64_t owner) {
  context->owner_index = owner_index(device, owner);
  struct owner *record = &device->owner[context->owner_index];
  if (record->owner != owner) memset(record, 0, sizeof *record);
  record->owner = owner;
  record->last_ns = device->now_ns;
  record->contexts++;
}

int fake_context_open(struct fake_device *device, uint64_t owner, uint64_t now_ns) {
  fake_device_advance(device, now_ns);
  for (uint32_t i = 0; i < FAKE_CONTEXTS; i++) {
    struct context *context = &device->context[i];
    if (context->is_open) continue;
    context->owner = owner;
    context->is_open = 1;
    context->streams = 1;
    context->stream[0].is_open = 1;
    memset(&context->ledger, 0, sizeof context->ledger);
    open_owner(device, context, owner);
    if (i >= device->contexts) device->contexts = i + 1;
    return (int)i;
  }
  return -1;
}

void fake_context_close(struct fake_device *device, int context, uint64_t now_ns) {
  fake_device_advance(device, now_ns);
  struct context *closed = &device->context[context];
  if (!closed->is_open) return;
  closed->is_open = 0;
  /* Tickets go on counting where the slot is used again, so that nobody waits for the past. */
  for (uint32_t i = 0; i < closed->streams; i++) {
    struct stream *stream = &closed->stream[i];
    stream->done = stream->issued;
    stream->is_open = stream->is_begun = stream->is_behind_kernel = 0;
  }
  memset(closed->event, 0, closed->events * sizeof closed->event[0]);
  closed->events = 0;
  struct owner *owner = &device->owner[closed->owner_index];
  owner->contexts--;
  owner->last_ns = device->now_ns;
}

void fake_owner_close(struct fake_device *device, uint64_t owner, uint64_t now_ns) {
  for (uint32_t i = 0; i < device->contexts; i++) {
    bool is_owned = device->context[i].is_open && device->context[i].owner == owner;
    if (is_owned) fake_context_close(device, (int)i, now_ns);
  }
}

int fake_stream_open(struct fake_device *device, int context, uint64_t now_ns) {
  fake_device_advance(device, now_ns);
  struct context *of = &device->context[context];
  for (uint32_t i = 1; i < FAKE_STREAMS; i++) {
    struct stream *stream = &of->stream[i];
    if (stream->is_open || stream->done < stream->issued) continue;
    stream->is_open = 1;
    stream->is_behind_kernel = 0;
    if (i >= of->streams) of->streams = i + 1;
    return (int)i;
  }
  return -1;
}

void fake_stream_close(struct fake_device *device, int context, int stream, uint64_t now_ns) {
  fake_device_advance(device, now_ns);
  device->context[context].stream[stream].is_open = 0;
}

static uint64_t put(struct fake_device *device, int context, int stream,
                    const struct operation *operation, uint64_t now_ns) {
  fake_device_advance(device, now_ns);
  struct stream *to = &device->context[context].stream[stream];
  /* What only waits and is over does not hold a place. */
  device_stream_is_ready(device, to);
  if (to->issued - to->done >= FAKE_QUEUE) return 0;
  to->queue[to->issued % FAKE_QUEUE] = *operation;
  return ++to->issued;
}

uint64_t fake_launch(struct fake_device *device, int context, int stream, uint64_t length_ns,
                     uint64_t now_ns) {
  const struct operation operation = {.kind = KERNEL, .amount = length_ns};
  return put(device, context, stream, &operation, now_ns);
}

uint64_t fake_record(struct fake_device *device, int context, int stream, int event,
                     uint64_t now_ns) {
  const struct operation operation = {.kind = RECORD, .event = (uint32_t)event};
  uint64_t ticket = put(device, context, stream, &operation, now_ns);
  if (ticket == 0) return 0;
  struct event *recorded = &device->context[context].event[event];
  recorded->stream = (uint32_t)stream;
  recorded->ticket = ticket;
  return ticket;
}

uint64_t fake_wait(struct fake_device *device, int context, int stream, int other_context,
                   int other_stream, uint64_t ticket, uint64_t now_ns) {
  const struct operation operation = {.kind = WAIT,
                                      .amount = ticket,
                                      .other_context = (uint16_t)other_context,
                                      .other_stream = (uint16_t)other_stream};
  return put(device, context, stream, &operation, now_ns);
}

uint64_t fake_gate(struct fake_device *device, int context, int stream, uint64_t now_ns) {
  const struct operation operation = {.kind = GATE};
  return put(device, context, stream, &operation, now_ns);
}

void fake_release(struct fake_device *device, int context, int stream, uint64_t ticket,
                  uint64_t now_ns) {
  fake_device_advance(device, now_ns);
  struct stream *of = &device->context[context].stream[stream];
  if (ticket <= of->done || ticket > of->issued) return;
  struct operation *operation = &of->queue[(ticket - 1) % FAKE_QUEUE];
  operation->is_released = 1;
  if (operation->kind != KERNEL || ticket != of->done + 1 || !of->is_begun) return;
  /* One nanosecond is left, in which it ends as any other kernel does. */
  if (of->body_left_ns > 1) of->body_left_ns = 1;
}

bool fake_is_done(const struct fake_device *device, int context, int stream, uint64_t ticket) {
  return device->context[context].stream[stream].done >= ticket;
}

bool fake_has_begun(const struct fake_device *device, int context, int stream, uint64_t ticket) {
  const struct stream *of = &device->context[context].stream[stream];
  if (ticket <= of->done) return true;
  return ticket == of->done + 1 && of->is_begun && of->before_left_ns == 0;
}

uint64_t fake_last_ticket(const struct fake_device *device, int context, int stream) {
  return device->context[context].stream[stream].issued;
}

int fake_event_open(struct fake_device *device, int context) {
  struct context *of = &device->context[context];
  for (uint32_t i = 0; i < FAKE_EVENTS; i++) {
    if (of->event[i].is_open) continue;
    of->event[i] = (struct event){.is_open = 1};
    if (i >= of->events) of->events = i + 1;
    return (int)i;
  }
  return -1;
}

void fake_event_close(struct fake_device *device, int context, int event) {
  device->context[context].event[event].is_open = 0;
}

bool fake_event_is_done(const struct fake_device *device, int context, int event) {
  const struct event *asked = &device->context[context].event[event];
  return device->context[context].stream[asked->stream].done >= asked->ticket;
}

bool fake_event_where(const struct fake_device *device, int context, int event, int *stream,
                      uint64_t *ticket) {
  const struct event *asked = &device->context[context].event[event];
  *stream = (int)asked->stream;
  *ticket = asked->ticket;
  return asked->ticket > 0;
}

uint64_t fake_event_time_ns(const struct fake_device *device, int context, int event) {
  return device->context[context].event[event].time_ns;
}

struct fake_ledger fake_context_ledger(const struct fake_device *device, int context) {
  return device->context[context].ledger;
}

struct fake_ledger fake_owner_ledger(const struct fake_device *device, uint64_t owner) {
  for (uint32_t i = 0; owner != 0 && i < FAKE_OWNERS; i++) {
    if (device->owner[i].owner == owner) return device->owner[i].ledger;
  }
  return (struct fake_ledger){0};
}

struct fake_card_ledger fake_card_ledger(const struct fake_device *device) {
  return device->ledger;
}

uint64_t fake_device_now_ns(const struct fake_device *device) { return device->now_ns; }

uint64_t fake_owner_at(const struct fake_device *device, int index) {
  return device->owner[index].owner;
}
