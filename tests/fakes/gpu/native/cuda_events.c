#include <stdlib.h>

#include "cuda_process.h"

static CUresult begin_with(CUevent event) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  bool is_alive = event != NULL && event->is_alive && event->context->is_alive;
  return is_alive ? CUDA_SUCCESS : cuda_end(CUDA_ERROR_INVALID_HANDLE);
}

EXPORT CUresult cuEventCreate(CUevent *made, unsigned flags) {
  CUcontext context;
  CUresult result = cuda_begin_in(&context);
  if (result != CUDA_SUCCESS) return result;
  struct fake_card_view *view = cuda_view(context->device);
  CUevent event = calloc(1, sizeof *event);
  if (event == NULL) return cuda_end(CUDA_ERROR_OUT_OF_MEMORY);
  fake_card_enter(view);
  event->index = fake_event_open(view->device, context->index);
  fake_card_leave(view);
  if (event->index < 0) {
    free(event);
    return cuda_end(CUDA_ERROR_OUT_OF_MEMORY);
  }
  event->context = context;
  event->flags = flags;
  event->is_alive = true;
  *made = event;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuEventDestroy_v2(CUevent event) {
  CUresult result = begin_with(event);
  if (result != CUDA_SUCCESS) return result;
  struct fake_card_view *view = cuda_view(event->context->device);
  fake_card_enter(view);
  fake_event_close(view->device, event->context->index, event->index);
  fake_card_leave(view);
  event->is_alive = false;
  return cuda_end(CUDA_SUCCESS);
}

static CUresult put_record(CUevent event, CUstream stream) {
  struct fake_card_view *view = cuda_view(stream->context->device);
  uint64_t now_ns = fake_card_enter(view);
  CUresult result = cuda_order_streams(stream, now_ns);
  if (result == CUDA_SUCCESS && fake_record(view->device, stream->context->index, stream->index,
                                            event->index, now_ns) == 0) {
    result = CUDA_ERROR_NOT_READY;
  }
  fake_card_leave(view);
  return result;
}

static CUresult try_to_record(CUevent event, CUstream handle, enum stream_form form) {
  CUstream stream;
  CUresult result = begin_with(event);
  if (result != CUDA_SUCCESS) return result;
  result = cuda_stream_of(handle, form, &stream);
  if (result == CUDA_SUCCESS) result = cuda_legacy_call(stream, true);
  if (result != CUDA_SUCCESS) return cuda_end(result);
  if (event->context != stream->context) return cuda_end(CUDA_ERROR_INVALID_HANDLE);
  event->captured_in = stream->capture == NULL ? NULL : stream->capture->graph;
  if (stream->capture == NULL) return cuda_end(put_record(event, stream));
  bool is_broken = stream->capture->status == CAPTURE_INVALIDATED;
  return cuda_end(is_broken ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS);
}

static CUresult record(CUevent event, CUstream handle, enum stream_form form) {
  for (unsigned tries = 0;;) {
    CUresult result = try_to_record(event, handle, form);
    if (result != CUDA_ERROR_NOT_READY) return result;
    cuda_sleep(&tries, 0, 0);
  }
}

/* A look at an event from outside: not at one of a capture, and not while it breaks another one. */
static CUresult begin_look(CUevent event) {
  CUresult result = begin_with(event);
  if (result != CUDA_SUCCESS) return result;
  result = event->captured_in != NULL ? CUDA_ERROR_CAPTURED_EVENT : cuda_unsafe_call();
  if (result != CUDA_SUCCESS) return cuda_end(result);
  cuda_look_at_held();
  return CUDA_SUCCESS;
}

static bool is_done(CUevent event) {
  return fake_event_is_done(cuda_view(event->context->device)->device, event->context->index,
                            event->index);
}

EXPORT CUresult cuEventQuery(CUevent event) {
  CUresult result = begin_look(event);
  if (result != CUDA_SUCCESS) return result;
  struct fake_card_view *view = cuda_view(event->context->device);
  fake_card_enter(view);
  result = is_done(event) ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
  fake_card_leave(view);
  return cuda_end(result);
}

EXPORT CUresult cuEventSynchronize(CUevent event) {
  int stream;
  uint64_t ticket;
  CUresult result = begin_look(event);
  if (result != CUDA_SUCCESS) return result;
  fake_event_where(cuda_view(event->context->device)->device, event->context->index, event->index,
                   &stream, &ticket);
  cuda_end(CUDA_SUCCESS);
  return cuda_wait_for(event->context, stream, ticket);
}

EXPORT CUresult cuEventElapsedTime(float *elapsed_ms, CUevent from, CUevent until) {
  CUresult result = begin_look(from);
  if (result != CUDA_SUCCESS) return result;
  bool is_valid = until != NULL && until->is_alive && until->context == from->context &&
                  ((from->flags | until->flags) & EVENT_DISABLE_TIMING) == 0;
  if (!is_valid) return cuda_end(CUDA_ERROR_INVALID_HANDLE);
  if (until->captured_in != NULL) return cuda_end(CUDA_ERROR_CAPTURED_EVENT);
  struct fake_card_view *view = cuda_view(from->context->device);
  fake_card_enter(view);
  uint64_t from_ns = fake_event_time_ns(view->device, from->context->index, from->index);
  uint64_t until_ns = fake_event_time_ns(view->device, from->context->index, until->index);
  result = is_done(from) && is_done(until) ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
  fake_card_leave(view);
  if (from_ns == 0 || until_ns == 0) result = result ? result : CUDA_ERROR_INVALID_HANDLE;
  *elapsed_ms = (float)((double)(int64_t)(until_ns - from_ns) / 1e6);
  return cuda_end(result);
}

EXPORT CUresult cuEventElapsedTime_v2(float *elapsed_ms, CUevent from, CUevent until) {
  return cuEventElapsedTime(elapsed_ms, from, until);
}

/* An event of a capture takes the stream into the capture. */
static CUresult join(CUevent event, CUstream stream) {
  for (CUstream other = event->context->streams; other != NULL; other = other->next) {
    if (other->capture == NULL || other->capture->graph != event->captured_in) continue;
    if (stream->capture != NULL && stream->capture != other->capture) {
      return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    }
    stream->capture = other->capture;
    return CUDA_SUCCESS;
  }
  return CUDA_ERROR_CAPTURED_EVENT;
}

static CUresult put_wait(CUevent event, CUstream stream) {
  int other_stream;
  uint64_t ticket;
  struct fake_card_view *view = cuda_view(stream->context->device);
  bool is_same_card = event->context->device == stream->context->device;
  if (!fake_event_where(cuda_view(event->context->device)->device, event->context->index,
                        event->index, &other_stream, &ticket)) {
    return CUDA_SUCCESS;
  }
  uint64_t now_ns = fake_card_enter(view);
  uint64_t wait = is_same_card ? fake_wait(view->device, stream->context->index, stream->index,
                                           event->context->index, other_stream, ticket, now_ns)
                               : fake_gate(view->device, stream->context->index, stream->index,
                                           now_ns);
  fake_card_leave(view);
  if (wait == 0) return CUDA_ERROR_NOT_READY;
  if (!is_same_card) cuda_hold(stream, wait, NULL, event);
  return CUDA_SUCCESS;
}

static CUresult try_to_wait(CUstream handle, enum stream_form form, CUevent event) {
  CUstream stream;
  CUresult result = begin_with(event);
  if (result != CUDA_SUCCESS) return result;
  result = cuda_stream_of(handle, form, &stream);
  if (result != CUDA_SUCCESS) return cuda_end(result);
  if (event->captured_in != NULL) return cuda_end(join(event, stream));
  if (stream->capture != NULL) return cuda_end(CUDA_SUCCESS);
  return cuda_end(put_wait(event, stream));
}

static CUresult wait_event(CUstream handle, enum stream_form form, CUevent event) {
  for (unsigned tries = 0;;) {
    CUresult result = try_to_wait(handle, form, event);
    if (result != CUDA_ERROR_NOT_READY) return result;
    cuda_sleep(&tries, 0, 0);
  }
}

EXPORT CUresult cuEventRecord(CUevent event, CUstream stream) {
  return record(event, stream, LEGACY);
}
EXPORT CUresult cuEventRecord_ptsz(CUevent event, CUstream stream) {
  return record(event, stream, PER_THREAD);
}
EXPORT CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned flags) {
  (void)flags;
  return record(event, stream, LEGACY);
}
EXPORT CUresult cuEventRecordWithFlags_ptsz(CUevent event, CUstream stream, unsigned flags) {
  (void)flags;
  return record(event, stream, PER_THREAD);
}
EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags) {
  (void)flags;
  return wait_event(stream, LEGACY, event);
}
EXPORT CUresult cuStreamWaitEvent_ptsz(CUstream stream, CUevent event, unsigned flags) {
  (void)flags;
  return wait_event(stream, PER_THREAD, event);
}
