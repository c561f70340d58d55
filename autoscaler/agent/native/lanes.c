#include "meter_state.h"

#define PLACES 8u
/* Of wall time that a lane pays ahead at once.  A share that is given launch by launch costs a full
 * card two changes of context for each: beside who waits for each answer, a third of the card with
 * 1 ms, a sixth with 2 ms.  With more, neighbours with short kernels are away for longer than a slice
 * at times, and what they leave to long kernels is told wrong. */
#define PAID_AHEAD_NS 2000000ull
#define PAID_AHEAD_PART 64u /* ... and at most this part of all that it was ever charged */

/* Take a lane for a stream, maybe instead of another one.  A run that is open in it is given up,
 * because the old stream may be gone; what it counted stays. */
static struct tf_lane *turned(struct tf_lane *lane, CUstream stream, enum tf_stream_form form) {
  if (lane->run != NULL) tf_span_free(lane->run);
  lane->run = NULL;
  lane->until_launches = 0;
  lane->measured_from = 0;
  lane->is_taught = false;
  __atomic_store_n(&lane->stream, stream, __ATOMIC_RELAXED);
  __atomic_store_n(&lane->form, form, __ATOMIC_RELAXED);
  return lane;
}

struct tf_lane *tf_lane_of(struct tf_meter *meter, CUstream stream, enum tf_stream_form form) {
  const uint64_t thread = tf_this_thread();
  const uint64_t first = (uint64_t)(tf_lane_first(meter, thread, stream) - meter->lane);
  struct tf_lane *own = NULL;
  for (uint32_t number = 0; number < PLACES; number++) {
    struct tf_lane *lane = &meter->lane[(first + number) % TF_LANES];
    uint64_t owner = tf_peek(&lane->thread);
    if (owner == thread) {
      if (tf_lane_is(lane, thread, stream, form)) return lane;
      own = lane;
    } else if (owner == 0 &&
               __atomic_compare_exchange_n(&lane->thread, &owner, thread, false, __ATOMIC_RELAXED,
                                           __ATOMIC_RELAXED)) {
      return turned(lane, stream, form);
    }
  }
  return own != NULL ? turned(own, stream, form) : &meter->overflow;
}

/* Whether the thread's last launch that took the long way was in the same lane. */
static bool stays_in_lane(struct tf_meter *meter, struct tf_lane *lane) {
  struct tf_lane **latest = &meter->latest[tf_place_of(lane->thread)];
  if (__atomic_load_n(latest, __ATOMIC_RELAXED) == lane) return true;
  __atomic_store_n(latest, lane, __ATOMIC_RELAXED);
  return false;
}

/* What a lane pays ahead.  A thread that launches into streams by turns and is held pays for each
 * launch by itself: let go in bunches, these would run side by side, and each would be charged. */
static uint64_t ahead_ns(struct tf_meter *meter, struct tf_lane *lane,
                         const struct tf_terms *terms) {
  if (!stays_in_lane(meter, lane) && terms->share_q32 < TF_ONE_Q32) return 0;
  return tf_least(PAID_AHEAD_NS * terms->share_q32 / TF_ONE_Q32,
                  lane->charged_ns / PAID_AHEAD_PART);
}

uint64_t tf_lane_pay(struct tf_meter *meter, struct tf_lane *lane, const struct tf_terms *terms,
                     uint64_t cost_ns) {
  if (lane == &meter->overflow) return cost_ns;
  const uint64_t until_ns = lane->charged_ns + cost_ns + ahead_ns(meter, lane, terms);
  if (lane->charged_ns + cost_ns <= lane->paid_ns) return 0;
  const uint64_t due_ns = until_ns - lane->paid_ns;
  lane->paid_ns += due_ns;
  return due_ns;
}
