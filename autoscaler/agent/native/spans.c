#include "meter_state.h"

#define TRIES 8u       /* past spans that are open, or claimed at the same time */
#define UNMEASURED 64u /* launches that go by after all spans were found busy */

static struct tf_span *claimed(struct tf_meter *meter) {
  for (uint32_t tries = 0; tries < TRIES; tries++) {
    uint32_t number = __atomic_load_n(&meter->next_span, __ATOMIC_RELAXED);
    struct tf_span *span = &meter->span[number % TF_SPANS];
    uint32_t state = TF_SPAN_FREE;
    const bool is_claimed = __atomic_compare_exchange_n(&span->state, &state, TF_SPAN_OPEN, false,
                                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    /* All is full of pending ones; passing them by would lose their order. */
    if (!is_claimed && state == TF_SPAN_PENDING) return NULL;
    (void)__atomic_compare_exchange_n(&meter->next_span, &number, number + 1, false,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    if (is_claimed) return span;
  }
  return NULL;
}

static bool recorded(const struct tf_meter *meter, CUevent *event, const struct tf_lane *lane) {
  const struct tf_driver *driver = meter->driver;
  if (*event == NULL && driver->event_create(driver->self, event) != CUDA_SUCCESS) {
    *event = NULL;
    return false;
  }
  return driver->event_record(driver->self, *event, lane->stream, lane->form) == CUDA_SUCCESS;
}

void tf_span_free(struct tf_span *span) {
  __atomic_store_n(&span->state, TF_SPAN_FREE, __ATOMIC_RELEASE);
}

/* An event belongs to the context it was made in; one that the driver refuses is of another one,
 * or of one that is gone, where destroying it fails too. */
void tf_span_drop_events(struct tf_meter *meter, struct tf_span *span) {
  const struct tf_driver *driver = meter->driver;
  if (span->begin != NULL) (void)driver->event_destroy(driver->self, span->begin);
  if (span->end != NULL) (void)driver->event_destroy(driver->self, span->end);
  span->begin = NULL;
  span->end = NULL;
  tf_span_free(span);
}

struct tf_span *tf_span_open(struct tf_meter *meter, struct tf_lane *lane,
                             enum tf_span_kind kind) {
  if (lane == &meter->overflow) return NULL;
  struct tf_span *span = claimed(meter);
  if (span == NULL) {
    lane->unmeasured = lane->launches + UNMEASURED;
    return NULL;
  }
  const uint32_t epoch = __atomic_load_n(&meter->epoch, __ATOMIC_RELAXED);
  if (span->epoch != epoch) {
    span->begin = NULL;
    span->end = NULL;
    span->epoch = epoch;
  }
  span->kind = kind;
  span->lane = lane;
  span->entry = NULL;
  span->key = 0;
  span->launches = lane->launches;
  span->charged_ns = lane->charged_ns;
  span->late_ns = 0;
  span->overhead_ns = tf_cost_overhead_ns(meter->costs);
  span->is_full = false;
  span->is_guessed = false;
  span->is_mixed = false;
  if (recorded(meter, &span->begin, lane)) return span;
  tf_span_drop_events(meter, span);
  lane->unmeasured = lane->launches + UNMEASURED;
  return NULL;
}

bool tf_span_close(struct tf_meter *meter, struct tf_span *span, uint64_t now_ns) {
  const struct tf_driver *driver = meter->driver;
  if (span->epoch != __atomic_load_n(&meter->epoch, __ATOMIC_RELAXED)) {
    tf_span_free(span);
    return false;
  }
  const bool is_full = driver->event_query(driver->self, span->begin) == CUDA_ERROR_NOT_READY;
  span->is_full = is_full;
  if (!recorded(meter, &span->end, span->lane)) {
    tf_span_drop_events(meter, span);
    return false;
  }
  span->is_repriced = span->overhead_ns != tf_cost_overhead_ns(meter->costs);
  span->launches = span->lane->launches - span->launches;
  span->charged_ns = span->lane->charged_ns - span->charged_ns;
  span->sent_ns = now_ns;
  span->lane_ns = span->lane->charged_ns;
  span->held_ns = span->is_guessed ? tf_most(span->charged_ns, TF_UNKNOWN_NS) : span->charged_ns;
  __atomic_fetch_add(&meter->outstanding_ns, span->held_ns, __ATOMIC_RELAXED);
  __atomic_fetch_add(&meter->pending, 1, __ATOMIC_RELAXED);
  __atomic_store_n(&span->state, TF_SPAN_PENDING, __ATOMIC_RELEASE);
  return is_full;
}

void tf_span_measure_empty(struct tf_meter *meter, struct tf_lane *lane, uint64_t now_ns) {
  if (__atomic_exchange_n(&meter->has_asked_empty, 1, __ATOMIC_RELAXED) != 0) return;
  struct tf_span *span = tf_span_open(meter, lane, TF_SPAN_EMPTY);
  if (span != NULL) (void)tf_span_close(meter, span, now_ns);
}
