/* The meter of one process on one GPU: between a hooked launch and the law.
 *
 * It charges launches, measures some, settles what they took, and bounds the work in flight.  It
 * never waits itself: `tf_meter_wait` says until when its caller is to wait before it asks again,
 * so that the same code runs under hooks (clock_nanosleep) and in a simulation (virtual time).
 *
 * A hook asks `tf_meter_pass` first, which needs no clock.  Where it says no, the long way:
 *
 *   tf_meter_begin; while ((until = tf_meter_wait)) sleep until then; tf_meter_before;
 *   the real launch; tf_meter_after
 *
 * All of it may be shared by threads.  Events are recorded only into the stream of the launch at
 * hand, because another one may have been destroyed.
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

struct tf_meter; /* in meter_state.h: fixed size, no allocation */
struct tf_lane;
struct tf_span;

/* One launch on its way; lives on the stack of its thread. */
struct tf_launch {
  uint64_t key;
  struct tf_cost *entry;
  struct tf_lane *lane;
  struct tf_span *single; /* where it is measured; or NULL */
  uint64_t cost_ns;
  uint64_t due_ns; /* what it was charged: more than its cost, or nothing; see tf_meter_pass */
  struct tf_turn turn;
  uint64_t looked_ns;  /* until when its wait is accounted for as blocked */
  uint64_t filled_ns;  /* since when it waits for completions ... */
  uint64_t bounded_ns; /* ... and until when at most; 0: it does not */
  bool is_held;        /* it has waited: the GPU may have had nothing to do meanwhile */
};

/* Count a launch that needs nothing but that: it is known, its lane has paid for it ahead, and it
 * is not to be measured.  true: to the driver with it, and no more calls; it stays counted where
 * the driver refuses it.  false: nothing was counted.
 *
 * A lane pays ahead at most two milliseconds of its pod's share, and a small part of what it ever
 * used: for so long launches may pass under the terms of before. */
bool tf_meter_pass(struct tf_meter *meter, uint64_t key, CUstream stream,
                   enum tf_stream_form form);

/* Charge a launch.  Neither this nor `tf_meter_pass` is to be called for launches into a stream
 * that captures: these are neither charged nor held. */
void tf_meter_begin(struct tf_meter *meter, struct tf_launch *launch, uint64_t key, CUstream stream,
                    enum tf_stream_form form, const struct tf_terms *terms, uint64_t now_ns);

/* Return 0 when the launch may go to the driver, else when to ask again (at most
 * TF_LONGEST_HOLD_NS away, so that new terms are seen). */
uint64_t tf_meter_wait(struct tf_meter *meter, struct tf_launch *launch,
                       const struct tf_terms *terms, uint64_t now_ns);

/* Right before and right after the real launch, with its context current: record events where they
 * are wanted.  A launch that the driver refuses is given back. */
void tf_meter_before(struct tf_meter *meter, struct tf_launch *launch, uint64_t now_ns);
void tf_meter_after(struct tf_meter *meter, struct tf_launch *launch, const struct tf_terms *terms,
                    CUresult result, uint64_t now_ns);

/* Right before and right after a call that waits for work: its time is counted, once for all threads
 * that wait, and then all is settled.  Each begin has one end, also where the call fails. */
void tf_meter_wait_begins(struct tf_meter *meter, uint64_t now_ns);
void tf_meter_wait_ends(struct tf_meter *meter, const struct tf_terms *terms, uint64_t now_ns);

/* Take in what has ended, charge what still runs for its time so far, and publish counters; after
 * waits, and for the end of the process.  One thread at a time does the work; others return at
 * once. */
void tf_meter_settle(struct tf_meter *meter, const struct tf_terms *terms, uint64_t now_ns);

/* Forget all events without touching them: their context is about to be destroyed or reset. */
void tf_meter_drop_events(struct tf_meter *meter);

/* Make a meter over zeroed memory of tf_meter_bytes(), aligned to 64; again in a child after fork,
 * over zeroed memory.  `driver`, `gpu` and `costs` must live as long. */
uint64_t tf_meter_bytes(void);
void tf_meter_init(struct tf_meter *meter, struct tf_use_gpu *gpu, struct tf_costs *costs,
                   const struct tf_driver *driver);
/* Also add what is charged to a word of this process's slot; NULL: not any more. */
void tf_meter_publish_to(struct tf_meter *meter, uint64_t *process_charged_ns);

#endif
