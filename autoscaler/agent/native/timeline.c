#include "timeline.h"

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

static uint32_t *used_of(struct tf_timeline *timeline, uint64_t step) {
  return &timeline->used_ns[step % TF_STEPS];
}

static void remember_up_to(struct tf_timeline *timeline, uint64_t last_step) {
  const uint64_t end = timeline->first_step + TF_STEPS;
  if (last_step < end) return;
  const uint64_t forget = least(last_step - end + 1, TF_STEPS);
  for (uint64_t number = 0; number < forget; number++) *used_of(timeline, end + number) = 0;
  timeline->first_step = last_step + 1 - TF_STEPS;
}

/* What a step has left of its overlap with a span. */
static uint64_t left_ns(struct tf_timeline *timeline, uint64_t step, uint64_t begin_ns,
                        uint64_t end_ns) {
  const uint64_t overlap_ns =
      least(end_ns, (step + 1) * TF_STEP_NS) - most(begin_ns, step * TF_STEP_NS);
  return least(overlap_ns, TF_STEP_NS - *used_of(timeline, step));
}

uint64_t tf_timeline_use(struct tf_timeline *timeline, uint64_t begin_ns, uint64_t end_ns,
                         uint64_t wanted_ns) {
  if (end_ns <= begin_ns) return 0;
  const uint64_t last = (end_ns - 1) / TF_STEP_NS;
  remember_up_to(timeline, last);
  const uint64_t known_ns = timeline->first_step * TF_STEP_NS;
  uint64_t all_ns = known_ns > begin_ns ? least(known_ns, end_ns) - begin_ns : 0;
  if (end_ns <= known_ns) return least(wanted_ns, all_ns);
  const uint64_t from_ns = most(begin_ns, known_ns);
  const uint64_t first = from_ns / TF_STEP_NS;
  for (uint64_t step = first; step <= last; step++)
    all_ns += left_ns(timeline, step, from_ns, end_ns);
  const uint64_t used_ns = least(wanted_ns, all_ns);
  if (used_ns == 0) return 0;
  const double part = (double)used_ns / (double)all_ns;
  for (uint64_t step = first; step <= last; step++) {
    const double taken_ns = (double)left_ns(timeline, step, from_ns, end_ns) * part;
    *used_of(timeline, step) += (uint32_t)taken_ns;
  }
  return used_ns;
}
