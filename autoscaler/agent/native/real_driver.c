/* Events of the real driver, each call in relaxed capture mode. */
#include "real_driver.h"

#include "capture.h"
#include "process.h"
#include "real.h"

#define NS_PER_MS 1e6

/* `call` between the two changes of the thread's capture mode; when the process ends, the driver may
 * have ended before us, and is not called. */
#define RELAXED(call)                       \
  int mode;                                 \
  CUresult result = CUDA_ERROR_DEINITIALIZED; \
  (void)self;                               \
  if (!tf_is_ending()) {                    \
    tf_relaxed_begin(&mode);                \
    result = (call);                        \
    tf_relaxed_end(mode);                   \
  }                                         \
  (void)0

static int create(void *self, CUevent *event) {
  RELAXED(tf_real(cuEventCreate)(event, CU_EVENT_DEFAULT));
  return result;
}

static int destroy(void *self, CUevent event) {
  RELAXED(tf_real(cuEventDestroy_v2)(event));
  return result;
}

static int record(void *self, CUevent event, CUstream stream, enum tf_stream_form form) {
  RELAXED(form == TF_THREAD_STREAM ? tf_real(cuEventRecord_ptsz)(event, stream)
                                   : tf_real(cuEventRecord)(event, stream));
  return result;
}

static int query(void *self, CUevent event) {
  RELAXED(tf_real(cuEventQuery)(event));
  return result;
}

static int elapsed(void *self, CUevent from, CUevent until, uint64_t *elapsed_ns) {
  float elapsed_ms = 0;
  RELAXED(tf_real(cuEventElapsedTime)(&elapsed_ms, from, until));
  *elapsed_ns = elapsed_ms > 0 ? (uint64_t)((double)elapsed_ms * NS_PER_MS) : 0;
  return result;
}

const struct tf_driver tf_real_driver = {
    .event_create = create,
    .event_destroy = destroy,
    .event_record = record,
    .event_query = query,
    .event_elapsed_ns = elapsed,
};
