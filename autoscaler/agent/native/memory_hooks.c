/* Allocations that are freed by their address: linear, pitched, managed, and from pools.
 *
 * Charged is what was asked for, on the GPU of the current context or of the pool; managed memory in
 * full, wherever its pages are.  Memory that a pool keeps after a free is not charged, and neither is
 * what was opened from another process (IPC) or API: its exporter pays.  So these need no hooks.
 */
#include "capture.h"
#include "charging.h"
#include "process.h"
#include "real.h"
#include "slots.h"

#define PITCH_BYTES 512u /* at least, on all cards since Kepler */

static struct tf_holding pointer(int gpu, uint64_t bytes) {
  return (struct tf_holding){.kind = TF_POINTER, .gpu = gpu, .bytes = bytes};
}

/* Enter what the driver has put into `address`. */
static CUresult keep(CUresult result, struct tf_holding *holding, const CUdeviceptr *address) {
  if (result == CUDA_SUCCESS && holding->gpu >= 0) {
    holding->key = *address;
    holding->owner = tf_current_owner();
  }
  return tf_keep(result, holding);
}

CUresult tf_hook_cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  struct tf_holding holding = pointer(tf_current_gpu(), bytes);
  if (!tf_reserve(holding.gpu, bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  return keep(tf_real(cuMemAlloc_v2)(address, bytes), &holding, address);
}

CUresult tf_hook_cuMemAllocManaged(CUdeviceptr *address, size_t bytes, unsigned int flags) {
  struct tf_holding holding = pointer(tf_current_gpu(), bytes);
  if (!tf_reserve(holding.gpu, bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  return keep(tf_real(cuMemAllocManaged)(address, bytes, flags), &holding, address);
}

/* Bring what is reserved to what rows of the driver's pitch take; false: over the limit. */
static bool correct(struct tf_holding *holding, uint64_t bytes) {
  if (bytes > holding->bytes && !tf_reserve(holding->gpu, bytes - holding->bytes)) {
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
  struct tf_holding holding = pointer(tf_current_gpu(), 0);
  CUresult result;
  if (__builtin_add_overflow(width_bytes, PITCH_BYTES - 1, &holding.bytes) ||
      __builtin_mul_overflow(holding.bytes / PITCH_BYTES * PITCH_BYTES, height, &holding.bytes)) {
    /* No card has it: the driver says what is wrong. */
    return tf_real(cuMemAllocPitch_v2)(address, pitch_bytes, width_bytes, height, element_bytes);
  }
  if (!tf_reserve(holding.gpu, holding.bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  result = tf_real(cuMemAllocPitch_v2)(address, pitch_bytes, width_bytes, height, element_bytes);
  if (result == CUDA_SUCCESS && !correct(&holding, *pitch_bytes * height)) {
    tf_real(cuMemFree_v2)(*address);
    result = CUDA_ERROR_OUT_OF_MEMORY;
  }
  return keep(result, &holding, address);
}

CUresult tf_hook_cuMemFree_v2(CUdeviceptr address) {
  struct tf_holding holding;
  bool is_held = tf_let_go_begin(TF_POINTER, address, &holding);
  return tf_let_go_end(tf_real(cuMemFree_v2)(address), is_held, &holding);
}

typedef CUresult allocate_async(CUdeviceptr *, size_t, CUstream);
typedef CUresult allocate_from_pool(CUdeviceptr *, size_t, CUmemoryPool, CUstream);
typedef CUresult free_async(CUdeviceptr, CUstream);

/* A captured allocation is a node of the graph, and is reserved when the graph is launched. */
static int gpu_to_charge(int gpu, CUstream stream, enum tf_stream_form form) {
  return gpu >= 0 && tf_is_captured(stream, form) ? -1 : gpu;
}

static CUresult alloc_async(allocate_async *real, CUdeviceptr *address, size_t bytes,
                            CUstream stream, enum tf_stream_form form) {
  struct tf_holding holding = pointer(gpu_to_charge(tf_current_gpu(), stream, form), bytes);
  if (!tf_reserve(holding.gpu, bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  return keep(real(address, bytes, stream), &holding, address);
}

CUresult tf_hook_cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream stream) {
  return alloc_async(tf_real(cuMemAllocAsync), address, bytes, stream, TF_LEGACY_STREAM);
}

CUresult tf_hook_cuMemAllocAsync_ptsz(CUdeviceptr *address, size_t bytes, CUstream stream) {
  return alloc_async(tf_real(cuMemAllocAsync_ptsz), address, bytes, stream, TF_THREAD_STREAM);
}

/* GPU on which a pool allocates; pools that the driver made are of the current device. */
static int gpu_of_pool(CUmemoryPool pool) {
  struct tf_holding found;
  return tf_ledger_find(TF_POOL, (uint64_t)(uintptr_t)pool, &found) ? found.gpu : tf_current_gpu();
}

static CUresult alloc_from_pool(allocate_from_pool *real, CUdeviceptr *address, size_t bytes,
                                CUmemoryPool pool, CUstream stream, enum tf_stream_form form) {
  struct tf_holding holding = pointer(gpu_to_charge(gpu_of_pool(pool), stream, form), bytes);
  if (!tf_reserve(holding.gpu, bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  return keep(real(address, bytes, pool, stream), &holding, address);
}

CUresult tf_hook_cuMemAllocFromPoolAsync(CUdeviceptr *address, size_t bytes, CUmemoryPool pool,
                                         CUstream stream) {
  return alloc_from_pool(tf_real(cuMemAllocFromPoolAsync), address, bytes, pool, stream,
                         TF_LEGACY_STREAM);
}

CUresult tf_hook_cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *address, size_t bytes, CUmemoryPool pool,
                                              CUstream stream) {
  return alloc_from_pool(tf_real(cuMemAllocFromPoolAsync_ptsz), address, bytes, pool, stream,
                         TF_THREAD_STREAM);
}

static CUresult let_go_async(free_async *real, CUdeviceptr address, CUstream stream) {
  struct tf_holding holding;
  bool is_held = tf_let_go_begin(TF_POINTER, address, &holding);
  return tf_let_go_end(real(address, stream), is_held, &holding);
}

CUresult tf_hook_cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  return let_go_async(tf_real(cuMemFreeAsync), address, stream);
}

CUresult tf_hook_cuMemFreeAsync_ptsz(CUdeviceptr address, CUstream stream) {
  return let_go_async(tf_real(cuMemFreeAsync_ptsz), address, stream);
}

CUresult tf_hook_cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *properties) {
  CUresult result = tf_real(cuMemPoolCreate)(pool, properties);
  if (result == CUDA_SUCCESS && tf_attached()) {
    bool is_on_device = properties->location_type == CU_MEM_LOCATION_TYPE_DEVICE;
    struct tf_holding replaced;
    struct tf_holding holding = {
        .kind = TF_POOL,
        .key = (uint64_t)(uintptr_t)*pool,
        .gpu = is_on_device ? tf_gpu_of_device(properties->location_id) : -1,
    };
    tf_ledger_put(&holding, &replaced);
  }
  return result;
}

CUresult tf_hook_cuMemPoolDestroy(CUmemoryPool pool) {
  struct tf_holding holding; /* what was allocated from it counts until it is freed */
  bool is_held = tf_let_go_begin(TF_POOL, (uint64_t)(uintptr_t)pool, &holding);
  return tf_let_go_end(tf_real(cuMemPoolDestroy)(pool), is_held, &holding);
}
