/* Allocations from memory pools, in the order of a stream; and the pools themselves.
 *
 * A pool is charged as a whole (pools.h), so its allocations are entered with no bytes of their own.
 * Allocations of a pool that is not followed are charged for what they ask for.  What was opened from
 * a pool of another process is paid by its exporter, and needs no hooks.
 */
#define _GNU_SOURCE
#include <time.h>

#include "capture.h"
#include "charging.h"
#include "pools.h"
#include "process.h"
#include "real.h"

#define LOOK_AGAIN_NS 50000
#define MOST_LOOKS 4000 /* 0.2 s */

struct request {
  CUdeviceptr *address;
  size_t bytes;
  bool names_pool; /* else the current one of the stream's device is meant */
  CUmemoryPool pool;
  CUstream stream;
  enum tf_stream_form form;
};

static CUresult allocate(const struct request *of) {
  if (of->names_pool) {
    return of->form == TF_THREAD_STREAM
               ? tf_real(cuMemAllocFromPoolAsync_ptsz)(of->address, of->bytes, of->pool, of->stream)
               : tf_real(cuMemAllocFromPoolAsync)(of->address, of->bytes, of->pool, of->stream);
  }
  return of->form == TF_THREAD_STREAM
             ? tf_real(cuMemAllocAsync_ptsz)(of->address, of->bytes, of->stream)
             : tf_real(cuMemAllocAsync)(of->address, of->bytes, of->stream);
}

static CUresult query(const struct request *of) {
  CUresult result;
  int mode;
  tf_relaxed_begin(&mode);
  result = of->form == TF_THREAD_STREAM ? tf_real(cuStreamQuery_ptsz)(of->stream)
                                        : tf_real(cuStreamQuery)(of->stream);
  tf_relaxed_end(mode);
  return result;
}

/* Give back what has made its pool too large.  The driver lets go of it once the stream has come to
 * the free, which is waited for for a moment only: the stream may wait for this very thread. */
static void give_back(const struct request *of, int gpu) {
  const struct timespec rest = {.tv_nsec = LOOK_AGAIN_NS};
  if (of->form == TF_THREAD_STREAM) {
    tf_real(cuMemFreeAsync_ptsz)(*of->address, of->stream);
  } else {
    tf_real(cuMemFreeAsync)(*of->address, of->stream);
  }
  for (int looks = 0; looks < MOST_LOOKS && !tf_has_captures(); looks++) {
    if (query(of) != CUDA_ERROR_NOT_READY) {
      break;
    }
    clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
  }
  tf_pools_make_room(gpu);
}

/* GPU of an allocation that its pool does not tell: that of the pool, or of the current context. */
static int gpu_of(CUmemoryPool pool) {
  struct tf_holding found;
  return tf_ledger_find(TF_POOL, (uint64_t)(uintptr_t)pool, &found) ? found.gpu : tf_current_gpu();
}

static CUresult allocate_by_itself(const struct request *of) {
  struct tf_holding holding = tf_pointer(gpu_of(of->pool), of->bytes);
  if (!tf_grant(holding.gpu, of->bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  return tf_keep_pointer(allocate(of), &holding, of->address);
}

static CUresult allocate_in_turn(const struct request *of, const struct tf_pool_turn *turn) {
  CUresult result = allocate(of);
  struct tf_holding holding = tf_pointer(turn->gpu, 0);
  holding.references = turn->reference;
  if (!tf_pool_end(turn, result)) {
    give_back(of, turn->gpu);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  if (result == CUDA_SUCCESS) {
    holding.key = *of->address;
    tf_keep(result, &holding);
  }
  return result;
}

/* The pool that the device of a stream allocates from; NULL: the driver knows none. */
static CUmemoryPool pool_of(CUstream stream) {
  CUmemoryPool pool = NULL;
  CUdevice device = tf_device_of_stream(stream);
  return tf_real(cuDeviceGetMemPool)(&pool, device) == CUDA_SUCCESS ? pool : NULL;
}

static CUresult obey(struct request of) {
  struct tf_pool_turn turn;
  /* A captured allocation is a node of the graph, and is reserved when the graph is launched. */
  if (!tf_attached() || tf_is_captured(of.stream, of.form)) {
    return allocate(&of);
  }
  if (!of.names_pool) {
    of.pool = pool_of(of.stream);
  }
  switch (tf_pool_begin(of.pool, of.bytes, &turn)) {
    case TF_POOL_OPEN:
      return allocate_in_turn(&of, &turn);
    case TF_POOL_FULL:
      return CUDA_ERROR_OUT_OF_MEMORY;
    default:
      return allocate_by_itself(&of);
  }
}

#define ALLOCATE(exported, of_form)                                                        \
  CUresult tf_hook_##exported(CUdeviceptr *address, size_t bytes, CUstream stream) {       \
    return obey((struct request){                                                          \
        .address = address, .bytes = bytes, .stream = stream, .form = of_form});           \
  }
ALLOCATE(cuMemAllocAsync, TF_LEGACY_STREAM)
ALLOCATE(cuMemAllocAsync_ptsz, TF_THREAD_STREAM)

#define ALLOCATE_FROM(exported, of_form)                                                   \
  CUresult tf_hook_##exported(CUdeviceptr *address, size_t bytes, CUmemoryPool from,       \
                              CUstream stream) {                                           \
    return obey((struct request){.address = address,                                       \
                                 .bytes = bytes,                                           \
                                 .names_pool = true,                                       \
                                 .pool = from,                                             \
                                 .stream = stream,                                         \
                                 .form = of_form});                                        \
  }
ALLOCATE_FROM(cuMemAllocFromPoolAsync, TF_LEGACY_STREAM)
ALLOCATE_FROM(cuMemAllocFromPoolAsync_ptsz, TF_THREAD_STREAM)

#define FREE(exported)                                                            \
  CUresult tf_hook_##exported(CUdeviceptr address, CUstream stream) {             \
    struct tf_holding holding;                                                    \
    bool is_held = tf_let_go_begin(TF_POINTER, address, &holding);                \
    return tf_let_go_end(tf_real(exported)(address, stream), is_held, &holding);  \
  }
FREE(cuMemFreeAsync)
FREE(cuMemFreeAsync_ptsz)

/* Managed memory is charged in full, wherever it is: pools of it are not followed. */
CUresult tf_hook_cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *properties) {
  CUresult result = tf_real(cuMemPoolCreate)(pool, properties);
  if (result == CUDA_SUCCESS && tf_attached()) {
    bool is_on_device = properties->location_type == CU_MEM_LOCATION_TYPE_DEVICE;
    bool is_followed = properties->allocType == CU_MEM_ALLOCATION_TYPE_PINNED;
    struct tf_holding replaced;
    struct tf_holding holding = {
        .kind = TF_POOL,
        .key = (uint64_t)(uintptr_t)*pool,
        .gpu = is_on_device ? tf_gpu_of_device(properties->location_id) : -1,
        .references = is_followed,
    };
    tf_ledger_put(&holding, &replaced);
  }
  return result;
}

CUresult tf_hook_cuMemPoolDestroy(CUmemoryPool pool) {
  struct tf_holding holding;
  bool is_held = tf_attached() && tf_let_go_begin(TF_POOL, (uint64_t)(uintptr_t)pool, &holding);
  return tf_let_go_end(tf_pool_destroy(pool), is_held, &holding);
}

CUresult tf_hook_cuMemPoolTrimTo(CUmemoryPool pool, size_t least_bytes) {
  CUresult result = tf_real(cuMemPoolTrimTo)(pool, least_bytes);
  if (tf_attached()) {
    tf_pools_look();
  }
  return result;
}
