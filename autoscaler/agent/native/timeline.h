/* For which of a GPU's time a process has been charged lately, so that streams that run side by
 * side pay for the union of their times.
 *
 * Time is cut into steps.  A span may be charged what its steps have left, and takes it from all of
 * them alike, since nobody knows where in it its kernels were.  Pure; one thread at a time.
 */
#ifndef TF_TIMELINE_H
#define TF_TIMELINE_H

#include <stdint.h>

#define TF_STEP_NS 125000ull
#define TF_STEPS 512u /* 64 ms; what is older is taken to be free */

struct tf_timeline {
  uint64_t first_step; /* that is remembered, counted from the clock's zero */
  uint32_t used_ns[TF_STEPS];
};

/* Charge a span of time for `wanted_ns`; return how much of it the span has left. */
uint64_t tf_timeline_use(struct tf_timeline *timeline, uint64_t begin_ns, uint64_t end_ns,
                         uint64_t wanted_ns);

#endif
