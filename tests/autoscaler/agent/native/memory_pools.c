/* The pools of the driver of memory: they grow in steps, keep what is freed up to their threshold, and
 * let go of it once somebody has waited for the stream, or looked at it.
 */
#include <string.h>

#include "memory_driver.h"

#define MOST_POOLS 32
#define STEP_BYTES (32ull << 20)
#define NO_CONTEXT UINT64_MAX

struct CUmemPoolHandle_st {
  bool is_there, is_destroyed;
  int device; /* -1: memory of the host */
  uint64_t reserved, used, threshold;
  uint64_t pending; /* freed, and not seen to be so */
  uint64_t pieces;  /* free, but beside what is used, so that it cannot be let go of */
};

static struct CUmemPoolHandle_st pools[MOST_POOLS]; /* the first ones are those of the devices */
static CUmemoryPool current[DEVICES];
static bool has_figures = true;
static bool is_busy;
static uint64_t waste_bytes;
static bool wastes_pieces;
static bool calls_back;

/* For tests. */
void driver_set_figures(int are_told);
void driver_set_busy(int streams_are_busy);
void driver_waste_in_pool(uint64_t bytes, int is_in_pieces);
uint64_t driver_pool_needs(uint64_t pool, uint64_t more);
uint64_t driver_pool_spare(uint64_t pool);
void driver_call_back(int calls);
void driver_synchronize(void);
void driver_set_threshold(int device, uint64_t bytes);
uint64_t driver_pool_of_device(int device);
void driver_set_pool(int device, uint64_t pool);

static uint64_t lower(uint64_t one, uint64_t other) {
  return one < other ? one : other;
}

static uint64_t in_steps(uint64_t bytes) {
  return bytes > UINT64_MAX - STEP_BYTES ? bytes : (bytes + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
}

void driver_set_figures(int are_told) {
  has_figures = are_told != 0;
}

/* While streams are busy, what is freed is not to be had back. */
void driver_set_busy(int streams_are_busy) {
  is_busy = streams_are_busy != 0;
}

/* Let the next allocation make its pool larger than needed; in pieces: for as long as it is there. */
void driver_waste_in_pool(uint64_t bytes, int is_in_pieces) {
  waste_bytes = bytes;
  wastes_pieces = is_in_pieces != 0;
}

/* Allocate from the current pool by a call of the program's own API, as another preload may. */
void driver_call_back(int calls) {
  calls_back = calls != 0;
}

/* What a pool could do with: what of it is used, or freed and not seen to be so, or in pieces. */
uint64_t driver_pool_needs(uint64_t pool, uint64_t more) {
  CUmemoryPool of = (CUmemoryPool)(uintptr_t)pool;
  uint64_t used = of->used + (more > of->pending ? more : of->pending);
  return in_steps(used + of->pieces);
}

uint64_t driver_pool_spare(uint64_t pool) {
  CUmemoryPool of = (CUmemoryPool)(uintptr_t)pool;
  return of->reserved - of->used;
}

uint64_t driver_pool_of_device(int device) {
  pools[device].is_there = true;
  pools[device].device = device;
  return (uint64_t)(uintptr_t)&pools[device];
}

void driver_set_threshold(int device, uint64_t bytes) {
  driver_pool_of_device(device);
  pools[device].threshold = bytes;
}

/* As cuDeviceSetMemPool. */
void driver_set_pool(int device, uint64_t pool) {
  current[device] = (CUmemoryPool)(uintptr_t)pool;
}

uint64_t pooled_bytes(int device) {
  uint64_t bytes = 0;
  for (int i = 0; i < MOST_POOLS; i++) {
    bytes += pools[i].is_there && pools[i].device == device ? pools[i].reserved : 0;
  }
  return bytes;
}

static void shrink(CUmemoryPool pool, uint64_t least) {
  uint64_t kept = pool->used + pool->pending + pool->pieces;
  pool->reserved = lower(pool->reserved, in_steps(kept > least ? kept : least));
}

void driver_synchronize(void) {
  is_busy = false;
  for (int i = 0; i < MOST_POOLS; i++) {
    pools[i].pending = 0;
    shrink(&pools[i], pools[i].threshold);
  }
}

void drop_pools(int device) {
  for (int i = 0; i < MOST_POOLS; i++) {
    if (pools[i].device == device) {
      pools[i].reserved = pools[i].used = pools[i].pending = pools[i].pieces = 0;
    }
  }
}

void leave_pool(const struct thing *thing) {
  CUmemoryPool pool = thing->pool;
  pool->used -= lower(pool->used, thing->bytes);
  pool->pieces -= lower(pool->pieces, thing->pieces);
  pool->pending += thing->bytes + thing->pieces;
  if (pool->is_destroyed) {
    pool->pending = 0;
    shrink(pool, 0);
    pool->is_there = pool->used > 0;
  }
}

static CUresult take(CUdeviceptr *address, uint64_t bytes, CUmemoryPool pool) {
  uint64_t key = 0;
  uint64_t grown;
  CUresult result = make_thing(&key, bytes, pool->device, NO_CONTEXT);
  if (result != CUDA_SUCCESS) {
    return result;
  }
  find_thing(key)->pool = pool;
  pool->used += bytes;
  if (wastes_pieces) {
    find_thing(key)->pieces = waste_bytes;
    pool->pieces += waste_bytes;
  }
  grown = pool->used + pool->pieces;
  grown = (grown > pool->reserved ? grown : pool->reserved) + (wastes_pieces ? 0 : waste_bytes);
  pool->reserved = in_steps(grown);
  pool->pending = lower(pool->pending, pool->reserved - pool->used - pool->pieces);
  waste_bytes = 0;
  wastes_pieces = false;
  *address = key;
  return CUDA_SUCCESS;
}

static CUresult get_default(CUmemoryPool *pool, CUdevice device) {
  if (device < 0 || device >= DEVICES) {
    return INVALID_VALUE;
  }
  *pool = (CUmemoryPool)(uintptr_t)driver_pool_of_device(device);
  return CUDA_SUCCESS;
}

static CUresult get_current(CUmemoryPool *pool, CUdevice device) {
  CUresult result = get_default(pool, device);
  *pool = result == CUDA_SUCCESS && current[device] != NULL ? current[device] : *pool;
  return result;
}

static CUresult create(CUmemoryPool *made, const CUmemPoolProps *properties) {
  bool is_on_device = properties->location_type == CU_MEM_LOCATION_TYPE_DEVICE;
  for (int i = DEVICES; i < MOST_POOLS; i++) {
    if (!pools[i].is_there) {
      pools[i] = (struct CUmemPoolHandle_st){
          .is_there = true, .device = is_on_device ? properties->location_id : -1};
      *made = &pools[i];
      return CUDA_SUCCESS;
    }
  }
  return CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult destroy(CUmemoryPool pool) {
  pool->is_destroyed = true;
  pool->pending = 0;
  shrink(pool, 0);
  pool->is_there = pool->used > 0;
  for (int i = 0; i < DEVICES; i++) {
    current[i] = current[i] == pool ? NULL : current[i];
  }
  return CUDA_SUCCESS;
}

static CUresult trim_to(CUmemoryPool pool, size_t least) {
  shrink(pool, least);
  return CUDA_SUCCESS;
}

static CUresult get_attribute(CUmemoryPool pool, int attribute, void *value) {
  uint64_t bytes = attribute == CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT ? pool->reserved : pool->used;
  if (!has_figures) {
    return INVALID_VALUE;
  }
  memcpy(value, &bytes, sizeof bytes);
  return CUDA_SUCCESS;
}

static CUresult alloc_async(CUdeviceptr *address, size_t bytes, CUstream stream) {
  CUmemoryPool pool = NULL;
  get_current(&pool, current_device);
  return calls_back ? tf_hook_cuMemAllocFromPoolAsync(address, bytes, pool, stream)
                    : take(address, bytes, pool);
}

static CUresult alloc_from_pool(CUdeviceptr *address, size_t bytes, CUmemoryPool pool,
                                CUstream stream) {
  (void)stream;
  return take(address, bytes, pool);
}

static CUresult free_async(CUdeviceptr address, CUstream stream) {
  (void)stream;
  return drop_thing(address);
}

static CUresult query(CUstream stream) {
  (void)stream;
  for (int i = 0; i < MOST_POOLS && !is_busy; i++) {
    pools[i].pending = 0;
  }
  return is_busy ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

static const tf_function functions[TF_SYMBOLS] = {
    [TF_SYMBOL_cuDeviceGetDefaultMemPool] = (tf_function)get_default,
    [TF_SYMBOL_cuDeviceGetMemPool] = (tf_function)get_current,
    [TF_SYMBOL_cuMemAllocAsync] = (tf_function)alloc_async,
    [TF_SYMBOL_cuMemAllocAsync_ptsz] = (tf_function)alloc_async,
    [TF_SYMBOL_cuMemAllocFromPoolAsync] = (tf_function)alloc_from_pool,
    [TF_SYMBOL_cuMemAllocFromPoolAsync_ptsz] = (tf_function)alloc_from_pool,
    [TF_SYMBOL_cuMemFreeAsync] = (tf_function)free_async,
    [TF_SYMBOL_cuMemFreeAsync_ptsz] = (tf_function)free_async,
    [TF_SYMBOL_cuMemPoolCreate] = (tf_function)create,
    [TF_SYMBOL_cuMemPoolDestroy] = (tf_function)destroy,
    [TF_SYMBOL_cuMemPoolTrimTo] = (tf_function)trim_to,
    [TF_SYMBOL_cuMemPoolGetAttribute] = (tf_function)get_attribute,
    [TF_SYMBOL_cuStreamQuery] = (tf_function)query,
    [TF_SYMBOL_cuStreamQuery_ptsz] = (tf_function)query,
};

tf_function pool_function(enum tf_symbol symbol) {
  return functions[symbol];
}
