#include "meter_state.h"

#define GRACE_NS 10000000ull /* that a span may be late before it is charged as it runs */
#define LANE_WORDS (TF_LANES / 64)

static bool sees_neighbour(const struct tf_meter *meter, uint64_t now_ns) {
  const uint64_t seen_ns = meter->neighbour_ns;
  return seen_ns != 0 && now_ns - tf_least(seen_ns, now_ns) < TF_NEIGHBOUR_NS;
}

/* Whether several streams had work lately. */
static bool is_side_by_side(const struct tf_meter *meter, uint64_t now_ns) {
  const uint64_t seen_ns = meter->side_by_side_ns;
  return seen_ns != 0 && now_ns - tf_least(seen_ns, now_ns) < TF_SIDE_BY_SIDE_NS;
}

/* Whether two lanes are of one stream.  Stream 0 is one for all threads in one form of the API, and
 * one of each in the other. */
static bool are_of_one_stream(const struct tf_lane *one, const struct tf_lane *other) {
  const CUstream stream = __atomic_load_n(&one->stream, __ATOMIC_RELAXED);
  const enum tf_stream_form form = __atomic_load_n(&one->form, __ATOMIC_RELAXED);
  if (stream != __atomic_load_n(&other->stream, __ATOMIC_RELAXED)) return false;
  if (form != __atomic_load_n(&other->form, __ATOMIC_RELAXED)) return stream != NULL;
  return stream != NULL || form == TF_LEGACY_STREAM;
}

/* Take over what lanes have counted since the last time; return the launches. */
static uint64_t collected_launches(struct tf_meter *meter, uint64_t now_ns) {
  const struct tf_lane *active = NULL;
  uint64_t launches = 0;
  for (uint32_t number = 0; number <= TF_LANES; number++) {
    struct tf_lane *lane = number < TF_LANES ? &meter->lane[number] : &meter->overflow;
    const uint64_t counted = tf_peek(&lane->launches);
    if (counted == lane->published_launches) continue;
    if (active != NULL && !are_of_one_stream(active, lane)) meter->side_by_side_ns = now_ns;
    active = lane;
    const uint64_t counted_ns = tf_peek(&lane->charged_ns);
    launches += counted - lane->published_launches;
    meter->unpublished_ns += counted_ns - lane->published_ns;
    lane->published_launches = counted;
    lane->published_ns = counted_ns;
  }
  return launches;
}

void tf_publish(struct tf_meter *meter, uint64_t now_ns) {
  const uint64_t launches = collected_launches(meter, now_ns);
  /* What was published never goes down, so that a refund makes the next charges smaller. */
  const uint64_t refund_ns = tf_least(meter->refund_ns, meter->unpublished_ns);
  meter->refund_ns -= refund_ns;
  meter->unpublished_ns -= refund_ns;
  /* A queue may be filled at once with work for seconds; the GPU does it one second at a time. */
  if (meter->published_at_ns == 0) meter->published_at_ns = now_ns;
  const uint64_t passed_ns = now_ns - tf_least(meter->published_at_ns, now_ns);
  const uint64_t charged_ns = tf_least(meter->unpublished_ns, passed_ns);
  meter->published_at_ns = tf_most(now_ns, meter->published_at_ns);
  meter->unpublished_ns -= charged_ns;
  /* All has ended but what the last runs hold: more than that cannot have taken place. */
  if (__atomic_load_n(&meter->pending, __ATOMIC_RELAXED) == 0)
    meter->unpublished_ns = tf_least(meter->unpublished_ns, TF_RUN_NS);
  if (launches != 0) __atomic_fetch_add(&meter->gpu->launches, launches, __ATOMIC_RELAXED);
  if (charged_ns == 0) return;
  __atomic_fetch_add(&meter->gpu->charged_ns, charged_ns, __ATOMIC_RELAXED);
  uint64_t *process_charged_ns = __atomic_load_n(&meter->process_charged_ns, __ATOMIC_ACQUIRE);
  if (process_charged_ns != NULL)
    __atomic_fetch_add(process_charged_ns, charged_ns, __ATOMIC_RELAXED);
}

static void correct(struct tf_meter *meter, const struct tf_terms *terms, uint64_t is_ns,
                    uint64_t was_ns, uint64_t now_ns) {
  if (is_ns >= was_ns)
    meter->unpublished_ns += is_ns - was_ns;
  else
    meter->refund_ns += was_ns - is_ns;
  tf_law_settle(meter->gpu, terms, (int64_t)(is_ns - was_ns), now_ns);
}

/* When a span ended.  The latest end of all is kept, and the others are told from it. */
static uint64_t end_of_ns(struct tf_meter *meter, struct tf_span *span, uint64_t length_ns) {
  const struct tf_driver *driver = meter->driver;
  uint64_t after_ns = length_ns;
  uint64_t before_ns = 0;
  /* Where the events cannot be compared, the span is taken to follow all others. */
  if (meter->frontier != NULL &&
      driver->event_elapsed_ns(driver->self, meter->frontier, span->end, &after_ns) !=
          CUDA_SUCCESS)
    after_ns = length_ns;
  if (after_ns == 0 && driver->event_elapsed_ns(driver->self, span->end, meter->frontier,
                                                &before_ns) != CUDA_SUCCESS)
    before_ns = 0;
  const uint64_t end_ns = meter->frontier_ns + after_ns - tf_least(before_ns, meter->frontier_ns);
  if (after_ns != 0) {
    const CUevent old = meter->frontier;
    meter->frontier = span->end;
    meter->frontier_ns = end_ns;
    span->end = old;
  }
  return end_ns;
}

/* Whether no other pod uses the GPU: the agent knows, else what was seen must do. */
static bool is_alone(const struct tf_meter *meter, const struct tf_terms *terms, uint64_t now_ns) {
  return terms->left_q32 != 0 ? terms->left_q32 >= TF_ONE_Q32 : !sees_neighbour(meter, now_ns);
}

/* Learn from a single launch; return what it is to be charged. */
static uint64_t price_of_single(struct tf_meter *meter, const struct tf_terms *terms,
                                struct tf_span *span, uint64_t length_ns, uint64_t now_ns) {
  if (__atomic_load_n(&span->entry->key, __ATOMIC_RELAXED) != span->key) return span->charged_ns;
  const bool is_late = !span->is_full && span->host_ns > TF_LATE_NS;
  const struct tf_scene scene = {.left_q32 = terms->left_q32,
                                 .late_ns = is_late ? span->host_ns : 0,
                                 .is_alone = is_alone(meter, terms, now_ns),
                                 .is_side_by_side = is_side_by_side(meter, now_ns)};
  const struct tf_lesson lesson = tf_cost_learn(meter->costs, span->entry, length_ns, &scene);
  if (lesson.is_cut) meter->neighbour_ns = now_ns;
  span->is_mixed = lesson.is_mean;
  return lesson.cost_ns;
}

static uint64_t price_of_run(struct tf_meter *meter, const struct tf_span *span,
                             uint64_t length_ns) {
  if (!span->is_full || span->is_mixed) return span->charged_ns;
  if (span->is_guessed) return length_ns;
  if (!span->is_repriced)
    tf_cost_learn_run(meter->costs, span->launches,
                      span->charged_ns + span->launches * span->overhead_ns, length_ns);
  return span->charged_ns;
}

/* Whether a span may be charged more than its time.  Launches that are charged by a mean are too
 * dear where they are the shorter ones, as they are too cheap where they are the longer ones. */
static bool is_evened_out(const struct tf_meter *meter, const struct tf_span *span,
                          uint64_t now_ns) {
  return span->is_mixed && !is_side_by_side(meter, now_ns);
}

static void take_in(struct tf_meter *meter, const struct tf_terms *terms, struct tf_span *span,
                    uint64_t length_ns, uint64_t now_ns) {
  if (span->kind == TF_SPAN_EMPTY) {
    tf_cost_learn_empty(meter->costs, length_ns);
    return;
  }
  uint64_t price_ns = span->kind == TF_SPAN_SINGLE
                          ? price_of_single(meter, terms, span, length_ns, now_ns)
                          : price_of_run(meter, span, length_ns);
  /* Neighbours excuse some slices and a factor, not a kernel that never was so long before. */
  const bool is_busy = span->kind == TF_SPAN_SINGLE || span->is_full;
  if (is_busy && length_ns > TF_MOST_SHARERS * TF_SLICE_NS)
    price_ns = tf_most(price_ns, length_ns / TF_MOST_SHARERS);
  /* The events themselves also take time of the GPU. */
  price_ns += meter->costs->empty_ns + tf_cost_overhead_ns(meter->costs);
  const uint64_t end_ns = end_of_ns(meter, span, length_ns);
  const uint64_t begin_ns = end_ns - tf_least(length_ns, end_ns);
  uint64_t used_ns = tf_timeline_use(&meter->timeline, begin_ns, end_ns, price_ns);
  if (is_evened_out(meter, span, now_ns)) used_ns = tf_most(used_ns, price_ns);
  correct(meter, terms, used_ns, span->charged_ns + span->late_ns, now_ns);
}

static void end(struct tf_meter *meter, const struct tf_terms *terms, struct tf_span *span,
                int result, uint64_t now_ns) {
  const struct tf_driver *driver = meter->driver;
  uint64_t length_ns = 0;
  if (result == CUDA_SUCCESS)
    result = driver->event_elapsed_ns(driver->self, span->begin, span->end, &length_ns);
  tf_poke(&span->lane->done_ns, now_ns);
  tf_poke(&span->lane->done_lane_ns, span->lane_ns);
  __atomic_fetch_sub(&meter->outstanding_ns, span->held_ns, __ATOMIC_RELAXED);
  __atomic_fetch_sub(&meter->pending, 1, __ATOMIC_RELAXED);
  tf_poke(&meter->excused_ns, 0); /* something moves: no launch is waited for in vain */
  if (result != CUDA_SUCCESS) {
    tf_span_drop_events(meter, span);
    return;
  }
  take_in(meter, terms, span, length_ns, now_ns);
  tf_span_free(span);
}

/* Charge a span that runs much longer than it and all before it in its lane were estimated, for its
 * wall time so far.  Where the estimate was measured, neighbours may be the reason for a while. */
static void charge_late(struct tf_meter *meter, const struct tf_terms *terms, struct tf_span *span,
                        uint64_t now_ns) {
  const uint64_t began_ns = tf_most(tf_peek(&span->lane->done_ns), span->sent_ns);
  const uint64_t runs_ns = now_ns - tf_least(began_ns, now_ns);
  const uint64_t ahead_ns = span->lane_ns - tf_peek(&span->lane->done_lane_ns);
  const uint64_t excused_ns = GRACE_NS + ahead_ns * (span->is_guessed ? 2 : TF_MOST_SHARERS);
  const uint64_t charged_ns = ahead_ns + span->late_ns;
  if (runs_ns < excused_ns || runs_ns <= charged_ns) return;
  correct(meter, terms, runs_ns, charged_ns, now_ns);
  span->late_ns += runs_ns - charged_ns;
}

void tf_settle_spans(struct tf_meter *meter, const struct tf_terms *terms, uint64_t now_ns) {
  const struct tf_driver *driver = meter->driver;
  uint64_t waiting[LANE_WORDS] = {0};
  const uint32_t oldest = __atomic_load_n(&meter->next_span, __ATOMIC_RELAXED);
  for (uint32_t number = 0; number < TF_SPANS; number++) {
    struct tf_span *span = &meter->span[(oldest + number) % TF_SPANS];
    if (__atomic_load_n(&span->state, __ATOMIC_ACQUIRE) != TF_SPAN_PENDING) continue;
    const uint64_t lane = (uint64_t)(span->lane - meter->lane);
    if (waiting[lane / 64] >> lane % 64 & 1) continue; /* behind one that still runs */
    const int result = driver->event_query(driver->self, span->end);
    if (result != CUDA_ERROR_NOT_READY) {
      end(meter, terms, span, result, now_ns);
      continue;
    }
    waiting[lane / 64] |= 1ull << lane % 64;
    if (span->kind != TF_SPAN_EMPTY) charge_late(meter, terms, span, now_ns);
  }
}
