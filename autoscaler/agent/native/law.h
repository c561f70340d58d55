/* The law of compute: a generic cell rate algorithm (GCRA) on device time.
 *
 * One 64-bit theoretical arrival time (TAT) per pod and GPU, shared by all processes of the pod.  A
 * launch of estimated device time c moves it by c * k / share of wall time and may begin when the
 * TAT before it is at most `burst` ahead of now.  The clock refills, nobody else, so that the end
 * of an agent or of a neighbour frees and hangs nobody.  Pure arithmetic on one record: no clock,
 * no driver, no allocation; safe for many threads and processes.
 *
 * The record is written by the tenant's processes and is believed within bounds only: a TAT
 * further ahead than TF_LONGEST_DEBT_NS is cut to that, also where it is honest (a kernel that
 * ran for hours at a small share holds its pod for a minute, not for days).
 */
#ifndef TF_LAW_H
#define TF_LAW_H

#include <stdint.h>

#include "abi.h"

#define TF_DEFAULT_BURST_NS 20000000ull    /* 20 ms of wall time */
#define TF_DEFAULT_INFLIGHT_NS 50000000ull /* 50 ms of device time per process */
#define TF_LONGEST_DEBT_NS 60000000000ull  /* the most that a TAT may be ahead of now */

/* What is in force on one GPU now, read from `ctl` or from the environment. */
struct tf_terms {
  uint64_t share_q32; /* 1 .. TF_ONE_Q32; TF_ONE_Q32: nothing is held, all is counted */
  uint64_t trim_k_q16;
  uint64_t burst_ns;
  uint64_t inflight_ns;
  uint64_t left_q32; /* of the GPU's time, what other pods leave; 0: not known */
};

/* A launch's place behind what was charged before it.  A waiting launch carries it from one look to
 * the next, because the TAT it was given is in wall time of the share of then. */
struct tf_turn {
  uint64_t tat_before_ns;
  uint64_t own_ns; /* wall time that the launch itself was charged */
  uint64_t share_q32;
};

/* Charge `cost_ns` of device time to the TAT and return the place behind what was there before.
 * Under TF_ONE_Q32 nothing is charged. */
struct tf_turn tf_law_charge(struct tf_use_gpu *gpu, const struct tf_terms *terms, uint64_t cost_ns,
                             uint64_t now_ns);

/* Return when a launch may begin under the terms of now; not after `now_ns`: at once.  To be asked
 * again while it waits.  Under another share than before, what is still owed is rescaled once in
 * the record, and in the turn. */
uint64_t tf_law_free_at(struct tf_use_gpu *gpu, const struct tf_terms *terms, struct tf_turn *turn,
                        uint64_t now_ns);

/* Correct what was charged by what it took: `extra_ns` of device time more, or less. */
void tf_law_settle(struct tf_use_gpu *gpu, const struct tf_terms *terms, int64_t extra_ns,
                   uint64_t now_ns);

#endif
