#include "meter_state.h"

#define PLACES 8u

/* Take a lane for a stream, maybe instead of another one.  A run that is open in it is given up,
 * because the old stream may be gone; what it counted stays. */
static struct tf_lane *turned(struct tf_lane *lane, CUstream stream, enum tf_stream_form form) {
  if (lane->run != NULL) tf_span_free(lane->run);
  lane->run = NULL;
  lane->until_launches = 0;
  lane->stream = stream;
  lane->form = form;
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
