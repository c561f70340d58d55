/* The short way of a launch, which most take: no call, no clock, no word that others write often.
 *
 * Inline, so that a hook can leave its parameters where they are and jump to the driver.
 */
#ifndef TF_PASSING_H
#define TF_PASSING_H

#include <stdbool.h>
#include <stdint.h>

#include "meter_state.h"

/* As tf_meter_pass, for a launch whose lane and cost are known. */
static inline bool tf_lane_passes(struct tf_lane *lane, const struct tf_cost *entry) {
  const uint64_t cost_ns = tf_peek(&entry->estimate_ns);
  const uint64_t launches = lane->launches;
  const uint64_t charged_ns = lane->charged_ns + cost_ns;
  if (cost_ns == 0 || cost_ns >= TF_SINGLE_NS) return false;
  if (launches >= lane->until_launches || charged_ns > lane->until_ns) return false;
  if (__builtin_expect(tf_affords_sample(lane), 0) && tf_cost_wants_sample(entry, launches) &&
      lane->run != NULL)
    return false;
  tf_lane_count(lane, cost_ns);
  return true;
}

/* As tf_meter_pass, which is to be asked where this says no: only for a launch whose lane and cost
 * are in their first places. */
static inline bool tf_meter_passes_at_once(struct tf_meter *meter, uint64_t key, CUstream stream,
                                           enum tf_stream_form form) {
  const uint64_t thread = tf_this_thread();
  struct tf_lane *lane = tf_lane_first(meter, thread, stream);
  const struct tf_cost *entry = tf_cost_first(meter->costs, key);
  return tf_lane_is(lane, thread, stream, form) && tf_peek(&entry->key) == key &&
         tf_lane_passes(lane, entry);
}

#endif
