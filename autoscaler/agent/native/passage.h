/* A hooked launch between the program and the driver: counted, charged, held, measured.
 *
 * Most launches need to be counted only, and go to the driver by a jump; TF_LAUNCH makes a hook of both
 * ways.  No lock is held while a launch waits, and other threads go on.
 */
#ifndef TF_PASSAGE_H
#define TF_PASSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "capture.h"
#include "passing.h"
#include "pages.h"
#include "process.h"

struct tf_passage {
  struct tf_meter *meter;
  struct tf_launch launch;
  struct tf_terms terms;
  uint64_t now_ns;
};

/* The long way: charge, wait, and record the beginning; after the real launch, the end.  Between both
 * the context must be the same.  `tf_leave` returns the result of the launch. */
void tf_enter(struct tf_passage *passage, uint64_t function, uint64_t shape, CUstream stream,
              enum tf_stream_form form);
CUresult tf_leave(struct tf_passage *passage, CUresult result);

/* Whether a launch may go to the driver without a wait; it is counted then, where it counts. */
bool tf_passes(uint64_t function, uint64_t shape, CUstream stream, enum tf_stream_form form);

/* The same without a call, where there is one GPU and no capture; false: ask tf_passes. */
static inline bool tf_passes_at_once(uint64_t function, uint64_t shape, CUstream stream,
                                     enum tf_stream_form form) {
  const struct tf_process_head *head = __atomic_load_n(&tf_process_head, __ATOMIC_ACQUIRE);
  struct tf_meter *meter = __atomic_load_n(&head->sole_meter, __ATOMIC_ACQUIRE);
  return meter != NULL && !tf_has_captures() &&
         tf_meter_passes_at_once(meter, tf_cost_key((uint64_t)head->sole_gpu, function, shape),
                                 stream, form);
}

#define TF_LIKELY(condition) __builtin_expect(!!(condition), 1)

/* Return by a jump, which leaves eleven arguments where they are; the compiler of the release can. */
#if defined(__clang__)
#define TF_RETURN_BY_JUMP __attribute__((musttail)) return
#else
#define TF_RETURN_BY_JUMP return
#endif

/* The hook of a launch.  `function` and `shape`: numbers of what is launched; launches with the same
 * numbers cost the same. */
#define TF_LAUNCH(exported, function, shape, stream, form, parameters, arguments)            \
  TF_LAUNCH_AS(tf_hook_##exported, exported, function, shape, stream, form, parameters, arguments)

/* The same under a name, for a hook that has more to do. */
#define TF_LAUNCH_AS(name, exported, function, shape, stream, form, parameters, arguments)   \
  static __attribute__((noinline)) CUresult long_way_of_##exported parameters {              \
    struct tf_passage passage;                                                               \
    if (tf_passes(function, shape, stream, form)) {                                          \
      return tf_real(exported) arguments;                                                    \
    }                                                                                        \
    tf_enter(&passage, function, shape, stream, form);                                       \
    return tf_leave(&passage, tf_real(exported) arguments);                                  \
  }                                                                                          \
  CUresult name parameters {                                                                 \
    if (TF_LIKELY(tf_real_if_found(exported) != NULL &&                                      \
                  tf_passes_at_once(function, shape, stream, form))) {                       \
      TF_RETURN_BY_JUMP tf_real_if_found(exported) arguments;                                \
    }                                                                                        \
    TF_RETURN_BY_JUMP long_way_of_##exported arguments;                                      \
  }

/* A number for a pair of numbers of 32 bits, as `place` of several. */
static inline uint64_t tf_mixed(unsigned int high, unsigned int low, unsigned int place) {
  return ((uint64_t)high << 32 | low) * (0x9e3779b97f4a7c15ull * (2u * place + 1u));
}

#endif
