/* What time does to a modelled card: operations progress and end, slices end, contexts change. */
#include "device_state.h"

static void end_operation(struct stream *stream, bool is_kernel) {
  stream->done++;
  stream->is_begun = 0;
  stream->is_behind_kernel = is_kernel;
}

static bool is_waiting(const struct fake_device *device, const struct operation *operation) {
  if (operation->kind == GATE) return !operation->is_released;
  const struct context *other = &device->context[operation->other_context];
  return other->is_open && other->stream[operation->other_stream].done < operation->amount;
}

bool device_stream_is_ready(struct fake_device *device, struct stream *stream) {
  while (stream->done < stream->issued) {
    const struct operation *operation = first_operation(stream);
    if (operation->kind == KERNEL || operation->kind == RECORD) return true;
    if (is_waiting(device, operation)) return false;
    end_operation(stream, stream->is_behind_kernel);
  }
  return false;
}

static bool has_work(struct fake_device *device, struct context *context) {
  if (!context->is_open) return false;
  for (uint32_t i = 0; i < context->streams; i++) {
    if (device_stream_is_ready(device, &context->stream[i])) return true;
  }
  return false;
}

/* The next context after the current one that has work; the current one where it alone has; -1. */
static int32_t next_with_work(struct fake_device *device) {
  for (uint32_t i = 1; i <= device->contexts; i++) {
    int32_t context = (int32_t)(((uint32_t)(device->current + (int32_t)i)) % device->contexts);
    if (has_work(device, &device->context[context])) return context;
  }
  return -1;
}

static void give_card_to(struct fake_device *device, int32_t context) {
  if (device->current >= 0 && context != device->current) {
    device->switch_left_ns = device->timing.switch_ns;
    device->ledger.switches++;
  }
  device->current = context;
  device->slice_left_ns = device->timing.slice_ns;
}

static void begin_operation(const struct fake_device *device, struct stream *stream) {
  const struct operation *operation = first_operation(stream);
  bool is_kernel = operation->kind == KERNEL;
  uint64_t drain_ns = stream->is_behind_kernel ? device->timing.drain_ns : 0;
  stream->is_begun = 1;
  stream->before_left_ns =
      is_kernel ? device->timing.gap_ns : drain_ns + device->timing.record_ns;
  stream->body_left_ns = is_kernel ? operation->amount : 0;
  if (operation->is_released) stream->body_left_ns = 0;
}

static uint64_t left_of_step_ns(const struct stream *stream) {
  return stream->before_left_ns > 0 ? stream->before_left_ns : stream->body_left_ns;
}

static uint64_t least(uint64_t one, uint64_t other) { return one < other ? one : other; }

/* How long the card goes on as it does now, if the current context has work. */
static uint64_t step_ns(struct fake_device *device, struct context *context) {
  uint64_t step = device->slice_left_ns;
  for (uint32_t i = 0; i < context->streams; i++) {
    struct stream *stream = &context->stream[i];
    if (!device_stream_is_ready(device, stream)) continue;
    if (!stream->is_begun) begin_operation(device, stream);
    step = least(step, left_of_step_ns(stream));
  }
  return step;
}

static void end_if_over(struct fake_device *device, struct context *context, struct stream *stream,
                        uint64_t now_ns) {
  if (stream->before_left_ns > 0 || stream->body_left_ns > 0) return;
  const struct operation *operation = first_operation(stream);
  bool is_kernel = operation->kind == KERNEL;
  if (is_kernel) {
    context->ledger.kernels++;
    device->owner[context->owner_index].ledger.kernels++;
    device->ledger.all.kernels++;
  } else {
    context->event[operation->event].time_ns = now_ns;
  }
  end_operation(stream, is_kernel);
}

/* Progress of one stream; returns whether a kernel itself ran. */
static bool progress(struct stream *stream, uint64_t step) {
  if (stream->before_left_ns > 0) {
    stream->before_left_ns -= step;
    return false;
  }
  if (stream->body_left_ns != FAKE_ENDLESS) stream->body_left_ns -= step;
  return true;
}

static void add_time(struct fake_ledger *ledger, uint64_t step, bool is_kernel) {
  ledger->busy_ns += step;
  if (is_kernel) ledger->kernel_ns += step;
}

/* Let the current context run for `step`, which is at most step_ns. */
static void run_context(struct fake_device *device, struct context *context, uint64_t step) {
  bool is_kernel = false;
  uint32_t begun = 0;
  for (uint32_t i = 0; i < context->streams; i++) {
    if (context->stream[i].is_begun) begun |= 1u << i;
  }
  for (uint32_t i = 0; i < context->streams; i++) {
    if (begun >> i & 1u) is_kernel |= progress(&context->stream[i], step);
  }
  device->now_ns += step;
  device->slice_left_ns -= step;
  add_time(&context->ledger, step, is_kernel);
  add_time(&device->owner[context->owner_index].ledger, step, is_kernel);
  add_time(&device->ledger.all, step, is_kernel);
  for (uint32_t i = 0; i < context->streams; i++) {
    if (begun >> i & 1u) end_if_over(device, context, &context->stream[i], device->now_ns);
  }
}

static bool current_has_work(struct fake_device *device) {
  return device->current >= 0 && has_work(device, &device->context[device->current]);
}

/* Choose who has the card; false: nobody has work. */
static bool choose(struct fake_device *device) {
  if (device->slice_left_ns > 0 && current_has_work(device)) return true;
  int32_t next = next_with_work(device);
  if (next < 0) return false;
  give_card_to(device, next);
  return true;
}

void fake_device_advance(struct fake_device *device, uint64_t now_ns) {
  while (device->now_ns < now_ns) {
    uint64_t left = now_ns - device->now_ns;
    if (device->switch_left_ns > 0) {
      uint64_t step = least(left, device->switch_left_ns);
      device->switch_left_ns -= step;
      device->ledger.switch_ns += step;
      device->now_ns += step;
    } else if (!choose(device)) {
      device->ledger.idle_ns += left;
      device->now_ns = now_ns;
    } else if (device->switch_left_ns == 0) {
      struct context *context = &device->context[device->current];
      run_context(device, context, least(left, step_ns(device, context)));
    }
  }
}

uint64_t fake_device_next_ns(struct fake_device *device) {
  if (device->switch_left_ns > 0) return device->now_ns + device->switch_left_ns;
  if (!choose(device)) return FAKE_NEVER;
  if (device->switch_left_ns > 0) return device->now_ns + device->switch_left_ns;
  return device->now_ns + step_ns(device, &device->context[device->current]);
}
