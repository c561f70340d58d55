/* Streams: which one a handle means, in which order the streams of a context run, and waiting. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "cuda_process.h"

#define HELD 256
#define LEGACY_HANDLE ((CUstream)1)
#define THREAD_HANDLE ((CUstream)2)

/* An operation that ends when a word of memory is set, or a stream that waits for another card. */
struct held {
  CUcontext context; /* NULL: free */
  int stream;
  uint64_t ticket;
  struct work work;
  int event_device;
  int event_context;
  int event_stream;
  uint64_t event_ticket; /* 0: not for an event */
};

static struct held held[HELD];

static CUstream open_stream(CUcontext context, unsigned flags, pid_t thread) {
  struct fake_card_view *view = cuda_view(context->device);
  CUstream stream = calloc(1, sizeof *stream);
  if (stream == NULL) return NULL;
  uint64_t now_ns = fake_card_enter(view);
  stream->index = fake_stream_open(view->device, context->index, now_ns);
  fake_card_leave(view);
  if (stream->index < 0) {
    free(stream);
    return NULL;
  }
  stream->context = context;
  stream->flags = flags;
  stream->thread = thread;
  stream->is_alive = true;
  stream->next = context->streams->next;
  context->streams->next = stream;
  return stream;
}

static CUstream stream_of_thread(CUcontext context) {
  pid_t thread = gettid();
  for (CUstream stream = context->streams; stream != NULL; stream = stream->next) {
    if (stream->thread == thread) return stream;
  }
  return open_stream(context, 0, thread);
}

CUresult cuda_stream_of(CUstream handle, enum stream_form form, CUstream *stream) {
  CUcontext context = cuda_current();
  bool is_zero = handle == NULL || handle == LEGACY_HANDLE || handle == THREAD_HANDLE;
  if (!is_zero) {
    *stream = handle;
    return handle->is_alive ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
  }
  if (context == NULL) return CUDA_ERROR_INVALID_CONTEXT;
  if (!context->is_alive) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
  bool is_of_thread = handle == THREAD_HANDLE || (handle == NULL && form == PER_THREAD);
  *stream = is_of_thread ? stream_of_thread(context) : &context->zero;
  return *stream != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

/* Make a stream wait for all that another one has; false: the queue is full. */
static bool follow(CUstream stream, CUstream other, uint64_t now_ns) {
  struct fake_device *device = cuda_view(stream->context->device)->device;
  int context = stream->context->index;
  uint64_t last = fake_last_ticket(device, context, other->index);
  if (fake_is_done(device, context, other->index, last)) return true;
  return fake_wait(device, context, stream->index, context, other->index, last, now_ns) != 0;
}

/* Stream 0 runs behind all blocking streams, and they behind it.  Inside the card. */
CUresult cuda_order_streams(CUstream stream, uint64_t now_ns) {
  CUstream zero = &stream->context->zero;
  if (stream != zero) {
    bool is_ordered = (stream->flags & STREAM_NON_BLOCKING) != 0 || follow(stream, zero, now_ns);
    return is_ordered ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
  }
  for (CUstream other = zero->next; other != NULL; other = other->next) {
    if (!other->is_alive || (other->flags & STREAM_NON_BLOCKING) != 0) continue;
    if (!follow(zero, other, now_ns)) return CUDA_ERROR_NOT_READY;
  }
  return CUDA_SUCCESS;
}

/* As a driver does that loads kernels when they are first launched.  Inside the card. */
static bool has_code(CUcontext context, const struct fake_card_view *view) {
  context->has_code = context->has_code || fake_memory_take(view, view->card->traits.code_bytes);
  return context->has_code;
}

CUresult cuda_put(CUstream stream, const struct work *work, uint64_t *ticket) {
  struct fake_card_view *view = cuda_view(stream->context->device);
  uint64_t now_ns = fake_card_enter(view);
  CUresult result = has_code(stream->context, view) ? cuda_order_streams(stream, now_ns)
                                                    : CUDA_ERROR_OUT_OF_MEMORY;
  if (result == CUDA_SUCCESS) {
    *ticket = fake_launch(view->device, stream->context->index, stream->index, work->length_ns,
                          now_ns);
    if (*ticket == 0) result = CUDA_ERROR_NOT_READY;
  }
  fake_card_leave(view);
  if (result == CUDA_SUCCESS && work->until != NULL) cuda_hold(stream, *ticket, work, NULL);
  return result;
}

void cuda_hold(CUstream stream, uint64_t ticket, const struct work *work, CUevent event) {
  for (int i = 0; i < HELD; i++) {
    if (held[i].context != NULL) continue;
    held[i] = (struct held){.context = stream->context, .stream = stream->index, .ticket = ticket};
    if (work != NULL) held[i].work = *work;
    if (event != NULL) {
      held[i].event_device = event->context->device;
      held[i].event_context = event->context->index;
      fake_event_where(cuda_view(held[i].event_device)->device, event->context->index,
                       event->index, &held[i].event_stream, &held[i].event_ticket);
    }
    return;
  }
  abort(); /* a program of the tests never has so many */
}

static bool is_over(const struct held *one) {
  if (one->event_ticket == 0) return one->work.until != NULL && *one->work.until != 0;
  struct fake_card_view *view = cuda_view(one->event_device);
  fake_card_enter(view);
  bool is_done = fake_is_done(view->device, one->event_context, one->event_stream,
                              one->event_ticket);
  fake_card_leave(view);
  return is_done;
}

static void look_at(struct held *one) {
  struct fake_card_view *view = cuda_view(one->context->device);
  bool is_to_end = !one->context->is_alive || is_over(one);
  uint64_t now_ns = fake_card_enter(view);
  bool has_begun = fake_has_begun(view->device, one->context->index, one->stream, one->ticket);
  if (has_begun && one->work.mark != NULL) *one->work.mark = 1;
  if (is_to_end && one->context->is_alive) {
    fake_release(view->device, one->context->index, one->stream, one->ticket, now_ns);
  }
  fake_card_leave(view);
  /* A kernel that is to set a mark is watched until it has begun. */
  bool is_settled = has_begun || one->work.mark == NULL || !one->context->is_alive;
  if (is_to_end && is_settled) one->context = NULL;
}

void cuda_look_at_held(void) {
  for (int i = 0; i < HELD; i++) {
    if (held[i].context != NULL) look_at(&held[i]);
  }
}

CUresult cuda_wait_for(CUcontext context, int stream, uint64_t ticket) {
  struct fake_card_view *view = cuda_view(context->device);
  for (unsigned tries = 0;;) {
    CUresult result = cuda_begin();
    if (result != CUDA_SUCCESS) return result;
    if (!context->is_alive) return cuda_end(CUDA_ERROR_CONTEXT_IS_DESTROYED);
    cuda_look_at_held();
    uint64_t now_ns = fake_card_enter(view);
    bool is_done = fake_is_done(view->device, context->index, stream, ticket);
    uint64_t next_ns = fake_device_next_ns(view->device);
    fake_card_leave(view);
    if (is_done) cuda_pools_trim();
    cuda_end(CUDA_SUCCESS);
    if (is_done) return CUDA_SUCCESS;
    cuda_sleep(&tries, now_ns, next_ns);
  }
}

/* Once: into the capture where there is one, else to the card. */
static CUresult try_to_run(CUstream handle, enum stream_form form, const struct work *work,
                           CUstream *stream, uint64_t *ticket) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  cuda_look_at_held();
  result = cuda_stream_of(handle, form, stream);
  if (result == CUDA_SUCCESS) result = cuda_legacy_call(*stream, true);
  if (result != CUDA_SUCCESS) return cuda_end(result);
  *ticket = 0;
  if ((*stream)->capture != NULL) return cuda_end(cuda_capture_add(*stream, work));
  return cuda_end(cuda_put(*stream, work, ticket));
}

CUresult cuda_run(CUstream handle, enum stream_form form, const struct work *work,
                  bool is_waited_for) {
  CUstream stream = NULL;
  uint64_t ticket = 0;
  CUresult result = CUDA_ERROR_NOT_READY;
  for (unsigned tries = 0;;) {
    result = try_to_run(handle, form, work, &stream, &ticket);
    if (result != CUDA_ERROR_NOT_READY) break;
    cuda_sleep(&tries, 0, 0);
  }
  if (result != CUDA_SUCCESS || !is_waited_for || ticket == 0) return result;
  return cuda_wait_for(stream->context, stream->index, ticket);
}

EXPORT CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority) {
  (void)priority;
  CUcontext context;
  CUresult result = cuda_begin_in(&context);
  if (result != CUDA_SUCCESS) return result;
  *stream = open_stream(context, flags, 0);
  return cuda_end(*stream != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
}

EXPORT CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
  return cuStreamCreateWithPriority(stream, flags, 0);
}

EXPORT CUresult cuStreamDestroy_v2(CUstream stream) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (stream == NULL || !stream->is_alive) return cuda_end(CUDA_ERROR_INVALID_HANDLE);
  struct fake_card_view *view = cuda_view(stream->context->device);
  uint64_t now_ns = fake_card_enter(view);
  fake_stream_close(view->device, stream->context->index, stream->index, now_ns);
  fake_card_leave(view);
  stream->is_alive = false;
  if (stream->capture != NULL) cuda_capture_break(stream->capture);
  return cuda_end(CUDA_SUCCESS);
}

/* A look at a stream, or a wait for it, from outside; both break captures. */
static CUresult begin_look(CUstream handle, enum stream_form form, CUstream *stream) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  result = cuda_stream_of(handle, form, stream);
  if (result == CUDA_SUCCESS && (*stream)->capture != NULL) {
    cuda_capture_break((*stream)->capture);
    result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  if (result == CUDA_SUCCESS) result = cuda_legacy_call(*stream, true);
  if (result == CUDA_SUCCESS) result = cuda_unsafe_call();
  if (result != CUDA_SUCCESS) return cuda_end(result);
  cuda_look_at_held();
  return CUDA_SUCCESS;
}

static CUresult query(CUstream handle, enum stream_form form) {
  CUstream stream;
  CUresult result = begin_look(handle, form, &stream);
  if (result != CUDA_SUCCESS) return result;
  struct fake_card_view *view = cuda_view(stream->context->device);
  fake_card_enter(view);
  uint64_t last = fake_last_ticket(view->device, stream->context->index, stream->index);
  bool is_done = fake_is_done(view->device, stream->context->index, stream->index, last);
  fake_card_leave(view);
  if (is_done) cuda_pools_see();
  return cuda_end(is_done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY);
}

static CUresult synchronize(CUstream handle, enum stream_form form) {
  CUstream stream;
  CUresult result = begin_look(handle, form, &stream);
  if (result != CUDA_SUCCESS) return result;
  const struct fake_device *device = cuda_view(stream->context->device)->device;
  uint64_t last = fake_last_ticket(device, stream->context->index, stream->index);
  cuda_end(CUDA_SUCCESS);
  return cuda_wait_for(stream->context, stream->index, last);
}

static CUresult context_of(CUstream handle, enum stream_form form, CUcontext *context) {
  CUstream stream;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  result = cuda_stream_of(handle, form, &stream);
  if (result == CUDA_SUCCESS) *context = stream->context;
  return cuda_end(result);
}

EXPORT CUresult cuStreamQuery(CUstream stream) { return query(stream, LEGACY); }
EXPORT CUresult cuStreamQuery_ptsz(CUstream stream) { return query(stream, PER_THREAD); }
EXPORT CUresult cuStreamSynchronize(CUstream stream) { return synchronize(stream, LEGACY); }
EXPORT CUresult cuStreamSynchronize_ptsz(CUstream stream) {
  return synchronize(stream, PER_THREAD);
}
EXPORT CUresult cuStreamGetCtx(CUstream stream, CUcontext *context) {
  return context_of(stream, LEGACY, context);
}
EXPORT CUresult cuStreamGetCtx_ptsz(CUstream stream, CUcontext *context) {
  return context_of(stream, PER_THREAD, context);
}
