/* The long way of a launch: where its thread waits. */
#define _GNU_SOURCE
#include "passage.h"

#include <errno.h>
#include <time.h>

#define NS_PER_S 1000000000ull

static void sleep_until(uint64_t until_ns) {
  struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                           .tv_nsec = (long)(until_ns % NS_PER_S)};
  /* A signal ends the sleep early; the caller asks the clock again anyway. */
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

bool tf_passes(uint64_t function, uint64_t shape, CUstream stream, enum tf_stream_form form) {
  int gpu;
  struct tf_meter *meter = tf_current_meter(&gpu);
  if (meter == NULL || tf_is_captured(stream, form)) {
    return true;
  }
  return tf_meter_pass(meter, tf_cost_key((uint64_t)gpu, function, shape), stream, form);
}

void tf_enter(struct tf_passage *passage, uint64_t function, uint64_t shape, CUstream stream,
              enum tf_stream_form form) {
  uint64_t until_ns;
  int gpu;
  passage->meter = tf_current_meter(&gpu);
  if (passage->meter == NULL) {
    return; /* the process came to its end meanwhile */
  }
  passage->now_ns = tf_now_ns();
  tf_terms_of(gpu, &passage->terms, passage->now_ns);
  tf_meter_begin(passage->meter, &passage->launch, tf_cost_key((uint64_t)gpu, function, shape),
                 stream, form, &passage->terms, passage->now_ns);
  while ((until_ns = tf_meter_wait(passage->meter, &passage->launch, &passage->terms,
                                   passage->now_ns)) != 0) {
    sleep_until(until_ns);
    passage->now_ns = tf_now_ns();
    tf_terms_of(gpu, &passage->terms, passage->now_ns);
  }
  tf_meter_before(passage->meter, &passage->launch, passage->now_ns);
}

CUresult tf_leave(struct tf_passage *passage, CUresult result) {
  if (passage->meter == NULL) {
    return result;
  }
  /* The driver holds a launch back where its queue is full; to one that is measured that matters. */
  if (passage->launch.single != NULL) {
    passage->now_ns = tf_now_ns();
  }
  tf_meter_after(passage->meter, &passage->launch, &passage->terms, result, passage->now_ns);
  return result;
}
