/* Stream capture, which the limiter must never disturb.
 *
 * A capture in global mode breaks when any thread makes a call that might synchronise, so each call of
 * ours stands between tf_relaxed_begin and tf_relaxed_end.  A launch into a stream that captures is no
 * work yet: it is neither charged nor held.
 */
#ifndef TF_CAPTURE_H
#define TF_CAPTURE_H

#include <stdbool.h>

#include "driver.h"

/* Put the thread into relaxed capture mode; `mode` keeps the one before. */
void tf_relaxed_begin(int *mode);
void tf_relaxed_end(int mode);

/* Captures that have begun and not ended in this process; read it by tf_has_captures. */
extern unsigned int tf_open_captures;

static inline bool tf_has_captures(void) {
  return __atomic_load_n(&tf_open_captures, __ATOMIC_ACQUIRE) != 0;
}

/* Whether a launch into this stream is captured.  One load where no capture is under way. */
bool tf_is_captured(CUstream stream, enum tf_stream_form form);

#endif
