/* A cooperative launch over several GPUs: one call that begins work on each of them.
 *
 * All of it is charged before any of it begins, and each part waits for its own GPU in turn; the waits
 * for completions end by themselves, so no part waits for another for ever.
 */
#include "passage.h"
#include "real.h"

enum { SHAPE_MULTI_DEVICE = 3 };

/* With its context current; returns whether the part is to be left again. */
static bool enter(struct tf_passage *passage, const CUDA_LAUNCH_PARAMS *part) {
  uint64_t function = (uint64_t)(uintptr_t)part->function;
  uint64_t shape = tf_mixed(part->gridDimX, part->blockDimX, SHAPE_MULTI_DEVICE);
  if (tf_passes(function, shape, part->hStream, TF_LEGACY_STREAM)) {
    return false;
  }
  tf_enter(passage, function, shape, part->hStream, TF_LEGACY_STREAM);
  return true;
}

/* Make the context of a part current; its stream cannot be the one without a handle. */
static bool push_context_of(const CUDA_LAUNCH_PARAMS *part) {
  CUcontext context = NULL;
  return tf_real(cuStreamGetCtx)(part->hStream, &context) == CUDA_SUCCESS &&
         tf_real(cuCtxPushCurrent_v2)(context) == CUDA_SUCCESS;
}

static void pop_context(void) {
  CUcontext context;
  tf_real(cuCtxPopCurrent_v2)(&context);
}

CUresult tf_hook_cuLaunchCooperativeKernelMultiDevice(CUDA_LAUNCH_PARAMS *parts, unsigned int count,
                                                      unsigned int flags) {
  struct tf_passage passages[TF_MOST_GPUS];
  bool is_metered[TF_MOST_GPUS] = {false};
  bool fits = parts != NULL && count <= TF_MOST_GPUS; /* else the driver says what is wrong */
  CUresult result;
  for (unsigned int i = 0; fits && i < count; i++) {
    if (push_context_of(&parts[i])) {
      is_metered[i] = enter(&passages[i], &parts[i]);
      pop_context();
    }
  }
  result = tf_real(cuLaunchCooperativeKernelMultiDevice)(parts, count, flags);
  for (unsigned int i = 0; fits && i < count; i++) {
    if (is_metered[i] && push_context_of(&parts[i])) {
      tf_leave(&passages[i], result);
      pop_context();
    }
  }
  return result;
}
