/* Stream capture by the rules of the real driver.
 *
 * A call that is "potentially unsafe" (queries, waits, allocations) breaks every capture in global
 * mode of any thread and every one of its own thread that is not relaxed, unless the calling
 * thread is in relaxed mode; in thread-local mode it heeds its own thread's captures alone. It
 * answers 900, and the end of the broken capture 901.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "cuda_process.h"

static struct capture *captures; /* that are open */
static unsigned long long capture_count;
static __thread int thread_mode = CAPTURE_GLOBAL;

void cuda_capture_break(struct capture *capture) { capture->status = CAPTURE_INVALIDATED; }

static bool is_disturbed(const struct capture *capture) {
  if (capture->mode == CAPTURE_RELAXED) return false;
  if (capture->thread == gettid()) return true;
  return capture->mode == CAPTURE_GLOBAL && thread_mode == CAPTURE_GLOBAL;
}

CUresult cuda_unsafe_call(void) {
  CUresult result = CUDA_SUCCESS;
  if (captures == NULL || thread_mode == CAPTURE_RELAXED) return CUDA_SUCCESS;
  for (struct capture *capture = captures; capture != NULL; capture = capture->next) {
    if (!is_disturbed(capture)) continue;
    cuda_capture_break(capture);
    result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  return result;
}

CUresult cuda_legacy_call(CUstream stream, bool breaks) {
  CUresult result = CUDA_SUCCESS;
  if (captures == NULL || stream != &stream->context->zero) return CUDA_SUCCESS;
  for (CUstream other = stream->next; other != NULL; other = other->next) {
    if (other->capture == NULL || (other->flags & STREAM_NON_BLOCKING) != 0) continue;
    if (breaks) cuda_capture_break(other->capture);
    result = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
  }
  return result;
}

CUresult cuda_capture_add(CUstream stream, const struct work *work) {
  struct capture *capture = stream->capture;
  if (capture->status == CAPTURE_INVALIDATED) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  CUgraphNode node = cuda_graph_add(capture->graph, NODE_KERNEL, work);
  return node != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

/* `to`: the graph that takes what is captured; NULL: a new one. */
static CUresult begin_capture(CUstream handle, enum stream_form form, int mode, CUgraph to) {
  CUstream stream;
  if (mode < CAPTURE_GLOBAL || mode > CAPTURE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  result = cuda_stream_of(handle, form, &stream);
  if (result != CUDA_SUCCESS) return cuda_end(result);
  if (stream == &stream->context->zero) return cuda_end(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  if (stream->capture != NULL) return cuda_end(CUDA_ERROR_ILLEGAL_STATE);
  struct capture *capture = calloc(1, sizeof *capture);
  CUgraph graph = to != NULL ? to : cuda_graph_make();
  if (capture == NULL || graph == NULL) return cuda_end(CUDA_ERROR_OUT_OF_MEMORY);
  *capture = (struct capture){.graph = graph, .origin = stream, .thread = gettid(), .mode = mode,
                              .status = CAPTURE_ACTIVE, .id = ++capture_count, .next = captures};
  captures = capture;
  stream->capture = capture;
  return cuda_end(CUDA_SUCCESS);
}

static void take_out(const struct capture *capture) {
  struct capture **at = &captures;
  while (*at != capture) at = &(*at)->next;
  *at = capture->next;
  for (CUstream stream = capture->origin->context->streams; stream != NULL; stream = stream->next) {
    if (stream->capture == capture) stream->capture = NULL;
  }
}

static CUresult end_capture(CUstream handle, enum stream_form form, CUgraph *graph) {
  CUstream stream;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  result = cuda_stream_of(handle, form, &stream);
  if (result != CUDA_SUCCESS) return cuda_end(result);
  const struct capture *capture = stream->capture;
  if (capture == NULL) return cuda_end(CUDA_ERROR_ILLEGAL_STATE);
  if (capture->origin != stream) return cuda_end(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
  if (capture->mode != CAPTURE_RELAXED && capture->thread != gettid()) {
    return cuda_end(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
  }
  bool is_broken = capture->status == CAPTURE_INVALIDATED;
  *graph = is_broken ? NULL : capture->graph;
  take_out(capture);
  return cuda_end(is_broken ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS);
}

static CUresult capture_info(CUstream handle, enum stream_form form, int *status,
                             unsigned long long *id, CUgraph *graph) {
  CUstream stream;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  result = cuda_stream_of(handle, form, &stream);
  if (result == CUDA_SUCCESS) result = cuda_legacy_call(stream, false);
  if (result != CUDA_SUCCESS) return cuda_end(result);
  *status = stream->capture == NULL ? CAPTURE_NONE : stream->capture->status;
  if (id != NULL) *id = stream->capture == NULL ? 0 : stream->capture->id;
  if (graph != NULL) *graph = stream->capture == NULL ? NULL : stream->capture->graph;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuThreadExchangeStreamCaptureMode(int *mode) {
  int before = thread_mode;
  if (*mode < CAPTURE_GLOBAL || *mode > CAPTURE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
  thread_mode = *mode;
  *mode = before;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuStreamBeginCapture(CUstream stream) {
  return begin_capture(stream, LEGACY, CAPTURE_GLOBAL, NULL);
}
EXPORT CUresult cuStreamBeginCapture_ptsz(CUstream stream) {
  return begin_capture(stream, PER_THREAD, CAPTURE_GLOBAL, NULL);
}
EXPORT CUresult cuStreamBeginCapture_v2(CUstream stream, int mode) {
  return begin_capture(stream, LEGACY, mode, NULL);
}
EXPORT CUresult cuStreamBeginCapture_v2_ptsz(CUstream stream, int mode) {
  return begin_capture(stream, PER_THREAD, mode, NULL);
}
EXPORT CUresult cuStreamBeginCaptureToGraph(CUstream stream, CUgraph graph,
                                            const CUgraphNode *behind, const void *edges,
                                            size_t count, int mode) {
  (void)behind, (void)edges, (void)count;
  return begin_capture(stream, LEGACY, mode, graph);
}
EXPORT CUresult cuStreamBeginCaptureToGraph_ptsz(CUstream stream, CUgraph graph,
                                                 const CUgraphNode *behind, const void *edges,
                                                 size_t count, int mode) {
  (void)behind, (void)edges, (void)count;
  return begin_capture(stream, PER_THREAD, mode, graph);
}
EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  return end_capture(stream, LEGACY, graph);
}
EXPORT CUresult cuStreamEndCapture_ptsz(CUstream stream, CUgraph *graph) {
  return end_capture(stream, PER_THREAD, graph);
}
EXPORT CUresult cuStreamIsCapturing(CUstream stream, int *status) {
  return capture_info(stream, LEGACY, status, NULL, NULL);
}
EXPORT CUresult cuStreamIsCapturing_ptsz(CUstream stream, int *status) {
  return capture_info(stream, PER_THREAD, status, NULL, NULL);
}
EXPORT CUresult cuStreamGetCaptureInfo_v2(CUstream stream, int *status, unsigned long long *id,
                                          CUgraph *graph, const CUgraphNode **dependencies,
                                          size_t *count) {
  if (dependencies != NULL) *dependencies = NULL;
  if (count != NULL) *count = 0;
  return capture_info(stream, LEGACY, status, id, graph);
}
EXPORT CUresult cuStreamGetCaptureInfo_v2_ptsz(CUstream stream, int *status,
                                               unsigned long long *id, CUgraph *graph,
                                               const CUgraphNode **dependencies, size_t *count) {
  if (dependencies != NULL) *dependencies = NULL;
  if (count != NULL) *count = 0;
  return capture_info(stream, PER_THREAD, status, id, graph);
}
