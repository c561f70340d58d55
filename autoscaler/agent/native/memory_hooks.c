/* Allocations that are freed by their address: linear, pitched, managed.
 *
 * Charged is what was asked for, on the GPU of the current context; managed memory in full, wherever
 * its pages are.  What was opened from another process (IPC) or API is not charged: its exporter pays.
 * So that needs no hooks.  Memory of pools, which is freed by its address too: pool_hooks.c.
 */
#include "charging.h"
#include "process.h"
#include "real.h"
#include "slots.h"

#define PITCH_BYTES 512u /* at least, on all cards since Kepler */

CUresult tf_hook_cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  struct tf_holding holding = tf_pointer(tf_current_gpu(), bytes);
  if (!tf_grant(holding.gpu, bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  return tf_keep_pointer(tf_real(cuMemAlloc_v2)(address, bytes), &holding, address);
}

CUresult tf_hook_cuMemAllocManaged(CUdeviceptr *address, size_t bytes, unsigned int flags) {
  struct tf_holding holding = tf_pointer(tf_current_gpu(), bytes);
  if (!tf_grant(holding.gpu, bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  return tf_keep_pointer(tf_real(cuMemAllocManaged)(address, bytes, flags), &holding, address);
}

/* Bring what is reserved to what rows of the driver's pitch take; false: over the limit. */
static bool correct(struct tf_holding *holding, uint64_t bytes) {
  if (bytes > holding->bytes && !tf_grant(holding->gpu, bytes - holding->bytes)) {
    return false;
  }
  if (bytes < holding->bytes) {
    tf_unreserve(holding->gpu, holding->bytes - bytes, false);
  }
  holding->bytes = bytes;
  return true;
}

CUresult tf_hook_cuMemAllocPitch_v2(CUdeviceptr *address, size_t *pitch_bytes, size_t width_bytes,
                                    size_t height, unsigned int element_bytes) {
  struct tf_holding holding = tf_pointer(tf_current_gpu(), 0);
  CUresult result;
  if (__builtin_add_overflow(width_bytes, PITCH_BYTES - 1, &holding.bytes) ||
      __builtin_mul_overflow(holding.bytes / PITCH_BYTES * PITCH_BYTES, height, &holding.bytes)) {
    /* No card has it: the driver says what is wrong. */
    return tf_real(cuMemAllocPitch_v2)(address, pitch_bytes, width_bytes, height, element_bytes);
  }
  if (!tf_grant(holding.gpu, holding.bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  result = tf_real(cuMemAllocPitch_v2)(address, pitch_bytes, width_bytes, height, element_bytes);
  if (result == CUDA_SUCCESS && !correct(&holding, *pitch_bytes * height)) {
    tf_real(cuMemFree_v2)(*address);
    result = CUDA_ERROR_OUT_OF_MEMORY;
  }
  return tf_keep_pointer(result, &holding, address);
}

CUresult tf_hook_cuMemFree_v2(CUdeviceptr address) {
  struct tf_holding holding;
  bool is_held = tf_let_go_begin(TF_POINTER, address, &holding);
  return tf_let_go_end(tf_real(cuMemFree_v2)(address), is_held, &holding);
}
