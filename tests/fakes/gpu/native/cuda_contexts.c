#include <stdlib.h>

#include "cuda_process.h"

#define STACKED_CONTEXTS 16

static struct CUctx_st *primary[FAKE_CARDS];
static __thread CUcontext stack[STACKED_CONTEXTS]; /* below the current one */
static __thread unsigned stacked;

CUresult cuda_context_open(int device, CUcontext *made) {
  struct fake_card_view *view = cuda_view(device);
  CUcontext context = calloc(1, sizeof *context);
  if (context == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
  uint64_t now_ns = fake_card_enter(view);
  context->index = -1;
  bool fits = fake_process_join(view) && fake_memory_take(view, view->card->traits.context_bytes);
  if (fits) {
    context->index = fake_context_open(view->device, view->card->process[view->slot].owner, now_ns);
    if (context->index < 0) fake_memory_give(view, view->card->traits.context_bytes);
  }
  fake_card_leave(view);
  if (context->index < 0) {
    free(context);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  context->device = device;
  context->is_alive = true;
  context->zero = (struct CUstream_st){.context = context, .is_alive = true};
  context->streams = &context->zero;
  *made = context;
  return CUDA_SUCCESS;
}

void cuda_context_close(CUcontext context) {
  struct fake_card_view *view = cuda_view(context->device);
  cuda_memory_forget(context);
  uint64_t now_ns = fake_card_enter(view);
  fake_context_close(view->device, context->index, now_ns);
  fake_memory_give(view, view->card->traits.context_bytes);
  if (context->has_code) fake_memory_give(view, view->card->traits.code_bytes);
  fake_card_leave(view);
  context->is_alive = false;
  for (CUstream stream = context->streams; stream != NULL; stream = stream->next) {
    stream->is_alive = false;
  }
}

static CUresult push(CUcontext context) {
  if (stacked == STACKED_CONTEXTS) return CUDA_ERROR_INVALID_VALUE;
  stack[stacked++] = cuda_current();
  cuda_set_current(context);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device) {
  (void)flags;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (device < 0 || device >= cuda_card_count()) return cuda_end(CUDA_ERROR_INVALID_DEVICE);
  result = cuda_context_open(device, context);
  return cuda_end(result == CUDA_SUCCESS ? push(*context) : result);
}

EXPORT CUresult cuCtxCreate_v3(CUcontext *context, void *affinities, int count, unsigned flags,
                               CUdevice device) {
  (void)affinities;
  (void)count;
  return cuCtxCreate_v2(context, flags, device);
}

EXPORT CUresult cuCtxCreate_v4(CUcontext *context, void *parameters, unsigned flags,
                               CUdevice device) {
  (void)parameters;
  return cuCtxCreate_v2(context, flags, device);
}

EXPORT CUresult cuCtxDestroy_v2(CUcontext context) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (context == NULL || !context->is_alive) return cuda_end(CUDA_ERROR_INVALID_CONTEXT);
  cuda_context_close(context);
  if (cuda_current() == context) cuda_set_current(stacked > 0 ? stack[--stacked] : NULL);
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (context != NULL && !context->is_alive) return cuda_end(CUDA_ERROR_INVALID_CONTEXT);
  cuda_set_current(context);
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuCtxGetCurrent(CUcontext *context) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  *context = cuda_current();
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuCtxPushCurrent_v2(CUcontext context) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (context == NULL || !context->is_alive) return cuda_end(CUDA_ERROR_INVALID_CONTEXT);
  return cuda_end(push(context));
}

EXPORT CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (cuda_current() == NULL) return cuda_end(CUDA_ERROR_INVALID_CONTEXT);
  if (context != NULL) *context = cuda_current();
  cuda_set_current(stacked > 0 ? stack[--stacked] : NULL);
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuCtxGetDevice(CUdevice *device) {
  CUcontext context;
  CUresult result = cuda_begin_in(&context);
  if (result != CUDA_SUCCESS) return result;
  *device = context->device;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuCtxGetApiVersion(CUcontext context, unsigned *version) {
  (void)context;
  *version = 3020;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) {
  if (least != NULL) *least = 0;
  if (greatest != NULL) *greatest = 0;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxSynchronize(void) {
  CUcontext context;
  CUresult result = cuda_begin_in(&context);
  if (result != CUDA_SUCCESS) return result;
  result = cuda_unsafe_call();
  uint64_t last[FAKE_STREAMS];
  const struct fake_device *device = cuda_view(context->device)->device;
  for (int i = 0; i < FAKE_STREAMS; i++) last[i] = fake_last_ticket(device, context->index, i);
  cuda_end(result);
  for (int i = 0; result == CUDA_SUCCESS && i < FAKE_STREAMS; i++) {
    result = cuda_wait_for(context, i, last[i]);
  }
  return result;
}

static CUresult begin_primary(CUdevice device) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  bool is_there = device >= 0 && device < cuda_card_count();
  return is_there ? CUDA_SUCCESS : cuda_end(CUDA_ERROR_INVALID_DEVICE);
}

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  CUresult result = begin_primary(device);
  if (result != CUDA_SUCCESS) return result;
  if (primary[device] == NULL) result = cuda_context_open(device, &primary[device]);
  if (result == CUDA_SUCCESS) {
    primary[device]->references++;
    *context = primary[device];
  }
  return cuda_end(result);
}

static void end_primary(CUdevice device) {
  cuda_context_close(primary[device]);
  primary[device] = NULL;
}

EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  CUresult result = begin_primary(device);
  if (result != CUDA_SUCCESS) return result;
  if (primary[device] == NULL) return cuda_end(CUDA_ERROR_INVALID_CONTEXT);
  if (--primary[device]->references == 0) end_primary(device);
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
  CUresult result = begin_primary(device);
  if (result != CUDA_SUCCESS) return result;
  if (primary[device] != NULL) end_primary(device);
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
  return cuDevicePrimaryCtxRelease_v2(device);
}

EXPORT CUresult cuDevicePrimaryCtxReset(CUdevice device) {
  return cuDevicePrimaryCtxReset_v2(device);
}

EXPORT CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *is_active) {
  CUresult result = begin_primary(device);
  if (result != CUDA_SUCCESS) return result;
  *flags = 0;
  *is_active = primary[device] != NULL;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
  (void)flags;
  CUresult result = begin_primary(device);
  return result == CUDA_SUCCESS ? cuda_end(CUDA_SUCCESS) : result;
}
