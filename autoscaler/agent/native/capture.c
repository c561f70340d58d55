/* Counting captures, and the calls that wait for the device. */
#include "capture.h"

#include "pages.h"
#include "pools.h"
#include "process.h"
#include "real.h"

/* Too high costs time, too low a capture: one whose end was refused goes on, and stays counted. */
unsigned int tf_open_captures;

void tf_relaxed_begin(int *mode) {
  *mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  tf_real(cuThreadExchangeStreamCaptureMode)(mode);
}

void tf_relaxed_end(int mode) {
  tf_real(cuThreadExchangeStreamCaptureMode)(&mode);
}

bool tf_is_captured(CUstream stream, enum tf_stream_form form) {
  int status = CU_STREAM_CAPTURE_STATUS_NONE;
  CUresult result;
  if (!tf_has_captures()) {
    return false;
  }
  result = form == TF_THREAD_STREAM ? tf_real(cuStreamIsCapturing_ptsz)(stream, &status)
                                    : tf_real(cuStreamIsCapturing)(stream, &status);
  /* An error says that the stream may not be asked now, because of a capture it would join. */
  return result != CUDA_SUCCESS || status != CU_STREAM_CAPTURE_STATUS_NONE;
}

static void capture_begins(void) {
  __atomic_fetch_add(&tf_open_captures, 1, __ATOMIC_ACQ_REL);
}

/* Before the call, so that no launch of another thread finds a capture uncounted. */
static CUresult capture_began(CUresult result) {
  if (result != CUDA_SUCCESS) {
    __atomic_fetch_sub(&tf_open_captures, 1, __ATOMIC_ACQ_REL);
  }
  return result;
}

static CUresult capture_ended(CUresult result) {
  unsigned int open = __atomic_load_n(&tf_open_captures, __ATOMIC_ACQUIRE);
  if (result != CUDA_SUCCESS && result != CUDA_ERROR_STREAM_CAPTURE_INVALIDATED) {
    return result;
  }
  while (open > 0 && !__atomic_compare_exchange_n(&tf_open_captures, &open, open - 1, false,
                                                  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
  }
  return result;
}

static struct tf_meter *wait_begins(int *gpu) {
  struct tf_meter *meter = tf_current_meter(gpu);
  if (meter != NULL) {
    tf_meter_wait_begins(meter, tf_now_ns());
  }
  return meter;
}

static CUresult wait_ends(struct tf_meter *meter, int gpu, CUresult result) {
  if (meter != NULL) {
    struct tf_terms terms;
    uint64_t now_ns = tf_now_ns();
    tf_terms_of(gpu, &terms, now_ns);
    tf_meter_wait_ends(meter, &terms, now_ns);
    tf_pools_look();
  }
  return result;
}

#define BEGIN(exported, parameters, arguments)              \
  CUresult tf_hook_##exported parameters {                  \
    capture_begins();                                       \
    return capture_began(tf_real(exported) arguments);      \
  }
#define END(exported)                                              \
  CUresult tf_hook_##exported(CUstream stream, CUgraph *graph) {   \
    return capture_ended(tf_real(exported)(stream, graph));        \
  }
#define WAIT(exported, parameters, arguments)        \
  CUresult tf_hook_##exported parameters {           \
    int gpu = -1;                                    \
    struct tf_meter *meter = wait_begins(&gpu);      \
    return wait_ends(meter, gpu, tf_real(exported) arguments); \
  }

BEGIN(cuStreamBeginCapture, (CUstream stream), (stream))
BEGIN(cuStreamBeginCapture_ptsz, (CUstream stream), (stream))
BEGIN(cuStreamBeginCapture_v2, (CUstream stream, int mode), (stream, mode))
BEGIN(cuStreamBeginCapture_v2_ptsz, (CUstream stream, int mode), (stream, mode))
BEGIN(cuStreamBeginCaptureToGraph,
      (CUstream stream, CUgraph graph, const CUgraphNode *nodes, const CUgraphEdgeData *edges,
       size_t count, int mode),
      (stream, graph, nodes, edges, count, mode))
BEGIN(cuStreamBeginCaptureToGraph_ptsz,
      (CUstream stream, CUgraph graph, const CUgraphNode *nodes, const CUgraphEdgeData *edges,
       size_t count, int mode),
      (stream, graph, nodes, edges, count, mode))
END(cuStreamEndCapture)
END(cuStreamEndCapture_ptsz)
WAIT(cuStreamSynchronize, (CUstream stream), (stream))
WAIT(cuStreamSynchronize_ptsz, (CUstream stream), (stream))
WAIT(cuEventSynchronize, (CUevent event), (event))
WAIT(cuCtxSynchronize, (void), ())
