/* The meter of one process on one GPU: between a hooked launch and the law.
 *
 * It charges launches, measures some, settles what they took, and bounds the work in flight.  It
 * never waits itself: `tf_meter_wait` says until when its caller is to wait before it asks again, so
 * that the same code runs under hooks (clock_nanosleep) and in a simulation (virtual time).
 */
#ifndef TF_METER_H
#define TF_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "costs.h"
#include "driver.h"
#include "law.h"

#define TF_LONGEST_HOLD_NS 100000000ull /* of one wait for completions: they may depend on us */

struct tf_meter; /* in meter.c: fixed size, no allocation; all of it may be shared by threads */

/* One launch on its way; lives on the stack of its thread. */
struct tf_launch {
  uint64_t key;
  uint64_t cost_ns;
  uint64_t tat_before_ns;
  uint64_t begin_ns;  /* when it was asked for */
  uint64_t bounded_ns; /* until when completions are waited for at most */
  struct tf_cost *entry;
  int ring_slot; /* of its event pair; -1: it is not measured */
  bool is_charged;
};

/* Charge a launch.  Not to be called for launches into a stream that captures: these are neither
 * charged nor held. */
void tf_meter_begin(struct tf_meter *meter, struct tf_launch *launch, uint64_t key,
                    const struct tf_terms *terms, uint64_t now_ns);

/* Return 0 when the launch may go to the driver, else when to ask again (at most
 * TF_LONGEST_HOLD_NS away, so that new terms are seen). */
uint64_t tf_meter_wait(struct tf_meter *meter, struct tf_launch *launch,
                       const struct tf_terms *terms, uint64_t now_ns);

/* Right before and right after the real launch: record the pair of a measured one. */
void tf_meter_before(struct tf_meter *meter, struct tf_launch *launch, CUstream stream,
                     enum tf_stream_form form);
void tf_meter_after(struct tf_meter *meter, struct tf_launch *launch, CUstream stream,
                    enum tf_stream_form form, CUresult result, uint64_t now_ns);

/* Take in what has ended, and charge what still runs for its time so far; also called by hooks of
 * synchronising calls.  Cheap where nothing has changed. */
void tf_meter_settle(struct tf_meter *meter, const struct tf_terms *terms, uint64_t now_ns);

/* Make a meter over zeroed memory of tf_meter_bytes(). */
uint64_t tf_meter_bytes(void);
void tf_meter_init(struct tf_meter *meter, struct tf_use_gpu *gpu, struct tf_costs *costs,
                   const struct tf_driver *driver, uint64_t gpu_number);

#endif
