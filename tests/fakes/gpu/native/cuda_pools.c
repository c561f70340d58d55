/* Pools: they grow by whole steps. What is freed stays with its pool until somebody waits for the
 * card, and then what is above the pool's threshold (0 by default) goes back; a trim gives back
 * what was seen to be free.
 */
#include <stdlib.h>

#include "cuda_process.h"

#define STEP_BYTES (32ull << 20)

enum {
  POOL_RELEASE_THRESHOLD = 4,
  POOL_RESERVED_CURRENT = 5,
  POOL_RESERVED_HIGH = 6,
  POOL_USED_CURRENT = 7,
  POOL_USED_HIGH = 8
};

struct CUmemPool_st {
  int device;
  bool is_alive;
  uint64_t threshold_bytes;
  uint64_t reserved_bytes, reserved_high_bytes; /* of the card */
  uint64_t used_bytes, used_high_bytes;
  uint64_t unseen_bytes; /* freed, and nobody has waited or asked since */
  CUmemoryPool next;
};

static CUmemoryPool pools;
static CUmemoryPool pool_of_device[FAKE_CARDS];
static CUmemoryPool chosen_pool[FAKE_CARDS];

static CUmemoryPool make(int device) {
  CUmemoryPool pool = calloc(1, sizeof *pool);
  if (pool == NULL) return NULL;
  pool->device = device;
  pool->is_alive = true;
  pool->next = pools;
  pools = pool;
  return pool;
}

static CUmemoryPool default_pool(int device) {
  if (pool_of_device[device] == NULL) pool_of_device[device] = make(device);
  return pool_of_device[device];
}

CUmemoryPool cuda_pool_of(int device) {
  return chosen_pool[device] != NULL ? chosen_pool[device] : default_pool(device);
}

static uint64_t larger(uint64_t one, uint64_t other) { return one > other ? one : other; }

static uint64_t smaller(uint64_t one, uint64_t other) { return one < other ? one : other; }

static uint64_t in_steps(uint64_t bytes) {
  if (bytes > UINT64_MAX - STEP_BYTES) return bytes; /* no card has it */
  return (bytes + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
}

bool cuda_pool_take(CUmemoryPool pool, size_t bytes) {
  uint64_t spare_bytes = pool->reserved_bytes - pool->used_bytes;
  uint64_t more_bytes = bytes > spare_bytes ? in_steps(bytes - spare_bytes) : 0;
  if (more_bytes > 0 && cuda_card_take(pool->device, more_bytes) != CUDA_SUCCESS) return false;
  pool->reserved_bytes += more_bytes;
  pool->used_bytes += bytes;
  pool->unseen_bytes = smaller(pool->unseen_bytes, pool->reserved_bytes - pool->used_bytes);
  pool->reserved_high_bytes = larger(pool->reserved_high_bytes, pool->reserved_bytes);
  pool->used_high_bytes = larger(pool->used_high_bytes, pool->used_bytes);
  return true;
}

static void shrink(CUmemoryPool pool, uint64_t least_bytes) {
  uint64_t busy_bytes = pool->used_bytes + pool->unseen_bytes;
  if (pool->reserved_bytes <= least_bytes) return;
  uint64_t kept_bytes = in_steps(larger(busy_bytes, least_bytes));
  if (pool->reserved_bytes <= kept_bytes) return;
  cuda_card_give(pool->device, pool->reserved_bytes - kept_bytes);
  pool->reserved_bytes = kept_bytes;
}

void cuda_pool_give(CUmemoryPool pool, size_t bytes) {
  pool->used_bytes -= bytes;
  if (pool->is_alive) pool->unseen_bytes += bytes;
  else shrink(pool, 0);
}

void cuda_pools_see(void) {
  for (CUmemoryPool pool = pools; pool != NULL; pool = pool->next) pool->unseen_bytes = 0;
}

void cuda_pools_trim(void) {
  cuda_pools_see();
  for (CUmemoryPool pool = pools; pool != NULL; pool = pool->next) {
    shrink(pool, pool->threshold_bytes);
  }
}

static CUresult begin_on(CUdevice device) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  bool is_there = device >= 0 && device < cuda_card_count();
  return is_there ? CUDA_SUCCESS : cuda_end(CUDA_ERROR_INVALID_DEVICE);
}

EXPORT CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device) {
  CUresult result = begin_on(device);
  if (result != CUDA_SUCCESS) return result;
  *pool = default_pool(device);
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice device) {
  CUresult result = begin_on(device);
  if (result != CUDA_SUCCESS) return result;
  *pool = cuda_pool_of(device);
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool) {
  CUresult result = begin_on(device);
  if (result != CUDA_SUCCESS) return result;
  chosen_pool[device] = pool;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuMemPoolCreate(CUmemoryPool *pool, const struct cuda_pool_props *props) {
  CUresult result = begin_on(props->location.id);
  if (result != CUDA_SUCCESS) return result;
  *pool = make(props->location.id);
  return cuda_end(*pool != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
}

static CUresult begin_with(CUmemoryPool pool) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  bool is_alive = pool != NULL && pool->is_alive;
  return is_alive ? CUDA_SUCCESS : cuda_end(CUDA_ERROR_INVALID_VALUE);
}

EXPORT CUresult cuMemPoolDestroy(CUmemoryPool pool) {
  CUresult result = begin_with(pool);
  if (result != CUDA_SUCCESS) return result;
  pool->is_alive = false;
  pool->threshold_bytes = 0;
  pool->unseen_bytes = 0;
  if (chosen_pool[pool->device] == pool) chosen_pool[pool->device] = NULL;
  shrink(pool, 0);
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuMemPoolTrimTo(CUmemoryPool pool, size_t least_bytes) {
  CUresult result = begin_with(pool);
  if (result != CUDA_SUCCESS) return result;
  shrink(pool, least_bytes);
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuMemPoolSetAttribute(CUmemoryPool pool, int attribute, void *value) {
  CUresult result = begin_with(pool);
  if (result != CUDA_SUCCESS) return result;
  if (attribute == POOL_RELEASE_THRESHOLD) pool->threshold_bytes = *(uint64_t *)value;
  if (attribute == POOL_RESERVED_HIGH) pool->reserved_high_bytes = pool->reserved_bytes;
  if (attribute == POOL_USED_HIGH) pool->used_high_bytes = pool->used_bytes;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuMemPoolGetAttribute(CUmemoryPool pool, int attribute, void *value) {
  CUresult result = begin_with(pool);
  if (result != CUDA_SUCCESS) return result;
  switch (attribute) {
    case POOL_RELEASE_THRESHOLD: *(uint64_t *)value = pool->threshold_bytes; break;
    case POOL_RESERVED_CURRENT: *(uint64_t *)value = pool->reserved_bytes; break;
    case POOL_RESERVED_HIGH: *(uint64_t *)value = pool->reserved_high_bytes; break;
    case POOL_USED_CURRENT: *(uint64_t *)value = pool->used_bytes; break;
    case POOL_USED_HIGH: *(uint64_t *)value = pool->used_high_bytes; break;
    default: *(int *)value = 1; /* the ways of reuse are on */
  }
  return cuda_end(CUDA_SUCCESS);
}

static CUresult allocate(CUdeviceptr *address, size_t bytes, CUmemoryPool pool, CUstream handle,
                         enum stream_form form) {
  CUstream stream;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  result = cuda_stream_of(handle, form, &stream);
  if (result != CUDA_SUCCESS) return cuda_end(result);
  if (stream->capture != NULL) {
    return cuda_end(cuda_graph_add_alloc(stream->capture->graph, bytes, address, NULL));
  }
  int device = stream->context->device;
  if (pool == NULL) pool = cuda_pool_of(device);
  return cuda_end(cuda_memory_make(NULL, pool->device, bytes, pool, address));
}

static CUresult give_back(CUdeviceptr address, CUstream handle, enum stream_form form) {
  CUstream stream;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  result = cuda_stream_of(handle, form, &stream);
  if (result != CUDA_SUCCESS) return cuda_end(result);
  if (stream->capture != NULL) {
    return cuda_end(cuda_graph_add(stream->capture->graph, NODE_FREE, NULL) != NULL
                        ? CUDA_SUCCESS
                        : CUDA_ERROR_OUT_OF_MEMORY);
  }
  return cuda_end(cuda_memory_end(address));
}

EXPORT CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream stream) {
  return allocate(address, bytes, NULL, stream, LEGACY);
}
EXPORT CUresult cuMemAllocAsync_ptsz(CUdeviceptr *address, size_t bytes, CUstream stream) {
  return allocate(address, bytes, NULL, stream, PER_THREAD);
}
EXPORT CUresult cuMemAllocFromPoolAsync(CUdeviceptr *address, size_t bytes, CUmemoryPool pool,
                                        CUstream stream) {
  return allocate(address, bytes, pool, stream, LEGACY);
}
EXPORT CUresult cuMemAllocFromPoolAsync_ptsz(CUdeviceptr *address, size_t bytes,
                                             CUmemoryPool pool, CUstream stream) {
  return allocate(address, bytes, pool, stream, PER_THREAD);
}
EXPORT CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  return give_back(address, stream, LEGACY);
}
EXPORT CUresult cuMemFreeAsync_ptsz(CUdeviceptr address, CUstream stream) {
  return give_back(address, stream, PER_THREAD);
}
