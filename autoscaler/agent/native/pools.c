/* A table of the pools that were allocated from.  What the driver says of a pool is read and charged
 * under the lock, so that an older figure never replaces a newer one. */
#include "pools.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "capture.h"
#include "ledger.h"
#include "process.h"
#include "real.h"
#include "slots.h"

#define MOST_POOLS 64
#define MOST_DEVICES 64
#define STEP_BYTES (32ull << 20) /* that the driver maps at once */

struct pool {
  CUmemoryPool handle; /* NULL: it was destroyed, and something of it is still allocated */
  bool is_there;       /* false: the place is free */
  bool is_default;     /* of its device */
  int gpu;
  uint32_t allocations;
  uint64_t charged_bytes;
};

static struct pool pools[MOST_POOLS];
static int pool_count;
static uintptr_t lock; /* thread that has it, or 0 */

static bool try_to_acquire(uintptr_t *holder) {
  *holder = 0;
  return __atomic_compare_exchange_n(&lock, holder, (uintptr_t)pthread_self(), false,
                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* false: this thread has it, and was called back out of the driver. */
static bool acquire(void) {
  uintptr_t holder;
  while (!try_to_acquire(&holder)) {
    if (holder == (uintptr_t)pthread_self()) {
      return false;
    }
    sched_yield();
  }
  return true;
}

static void release(void) {
  __atomic_store_n(&lock, (uintptr_t)0, __ATOMIC_RELEASE);
}

static bool has_pools(void) {
  return __atomic_load_n(&pool_count, __ATOMIC_RELAXED) != 0;
}

static bool is_on(const struct pool *pool, int gpu) {
  return pool->is_there && pool->handle != NULL && pool->gpu == gpu;
}

/* A figure of the driver in bytes; false: it does not say. */
static bool ask(CUmemoryPool handle, int attribute, uint64_t *bytes) {
  CUresult result;
  int mode;
  tf_relaxed_begin(&mode);
  result = tf_real(cuMemPoolGetAttribute)(handle, attribute, bytes);
  tf_relaxed_end(mode);
  return result == CUDA_SUCCESS;
}

static uint64_t held_bytes(const struct pool *pool) {
  uint64_t bytes = 0;
  bool is_told = ask(pool->handle, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &bytes);
  return is_told ? bytes : pool->charged_bytes;
}

static uint64_t used_bytes(const struct pool *pool) {
  uint64_t bytes = 0;
  bool is_told = ask(pool->handle, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &bytes);
  return is_told && bytes < pool->charged_bytes ? bytes : pool->charged_bytes;
}

static void charge(struct pool *pool, uint64_t bytes) {
  if (bytes > pool->charged_bytes) {
    tf_reserve_always(pool->gpu, bytes - pool->charged_bytes, false);
  } else {
    tf_unreserve(pool->gpu, pool->charged_bytes - bytes, false);
  }
  pool->charged_bytes = bytes;
}

static void look_at(struct pool *pool) {
  charge(pool, held_bytes(pool));
}

static void trim(struct pool *pool) {
  int mode;
  tf_relaxed_begin(&mode);
  tf_real(cuMemPoolTrimTo)(pool->handle, used_bytes(pool));
  tf_relaxed_end(mode);
  look_at(pool);
}

static void trim_all_on(int gpu) {
  for (struct pool *pool = pools; pool < pools + MOST_POOLS; pool++) {
    if (is_on(pool, gpu)) {
      trim(pool);
    }
  }
}

/* Strike a pool out, with what is charged for it. */
static void forget(struct pool *pool) {
  charge(pool, 0);
  memset(pool, 0, sizeof *pool);
  __atomic_fetch_sub(&pool_count, 1, __ATOMIC_RELAXED);
}

/* The device whose default pool it is; -1: it is nobody's. */
static CUdevice default_of(CUmemoryPool handle) {
  CUmemoryPool found = NULL;
  CUdevice device = 0;
  while (device < MOST_DEVICES && found != handle &&
         tf_real(cuDeviceGetDefaultMemPool)(&found, device) == CUDA_SUCCESS) {
    device++;
  }
  return found == handle ? device - 1 : -1;
}

/* Enter a pool; NULL: it is not of a GPU of the pod, the driver does not say what it holds, or there
 * are too many. */
static struct pool *follow(CUmemoryPool handle) {
  struct tf_holding made;
  struct pool found = {.handle = handle, .is_there = true, .gpu = -1};
  uint64_t bytes = 0;
  if (tf_ledger_find(TF_POOL, (uint64_t)(uintptr_t)handle, &made)) {
    found.gpu = made.references != 0 ? made.gpu : -1;
  } else {
    found.gpu = tf_gpu_of_device(default_of(handle));
    found.is_default = true;
  }
  if (found.gpu < 0 || !ask(handle, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &bytes)) {
    return NULL;
  }
  for (struct pool *pool = pools; pool < pools + MOST_POOLS; pool++) {
    if (!pool->is_there) {
      *pool = found;
      charge(pool, bytes);
      __atomic_fetch_add(&pool_count, 1, __ATOMIC_RELAXED);
      return pool;
    }
  }
  return NULL;
}

static struct pool *find(CUmemoryPool handle) {
  for (struct pool *pool = pools; pool < pools + MOST_POOLS; pool++) {
    if (pool->is_there && pool->handle == handle) {
      return pool;
    }
  }
  return NULL;
}

static uint64_t in_steps(uint64_t bytes) {
  return bytes > UINT64_MAX - STEP_BYTES ? UINT64_MAX
                                         : (bytes + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
}

/* What a pool will grow by beyond what is charged for it, which the driver may have given back since.
 * A pool that does not hold whole steps is of a driver that has others. */
static uint64_t growth_bytes(const struct pool *pool, uint64_t bytes) {
  const uint64_t spare_bytes = pool->charged_bytes - used_bytes(pool);
  if (bytes <= spare_bytes) {
    return 0;
  }
  bytes -= spare_bytes;
  return pool->charged_bytes % STEP_BYTES == 0 ? in_steps(bytes) : bytes;
}

/* Reserve what a pool will grow by; it counts as the pool's own from now on. */
static bool reserve(struct pool *pool, uint64_t bytes) {
  uint64_t more_bytes = growth_bytes(pool, bytes);
  if (more_bytes > 0 && !tf_reserve_at_once(pool->gpu, more_bytes)) {
    trim_all_on(pool->gpu);
    more_bytes = growth_bytes(pool, bytes);
    if (more_bytes > 0 && !tf_reserve(pool->gpu, more_bytes)) {
      return false;
    }
  }
  pool->charged_bytes += more_bytes;
  return true;
}

enum tf_pool_answer tf_pool_begin(CUmemoryPool handle, uint64_t bytes, struct tf_pool_turn *turn) {
  enum tf_pool_answer answer = TF_POOL_NOT_FOLLOWED;
  struct pool *pool;
  if (handle == NULL || !acquire()) {
    return answer;
  }
  pool = find(handle);
  pool = pool != NULL ? pool : follow(handle);
  if (pool != NULL) {
    turn->place = (int)(pool - pools);
    turn->gpu = pool->gpu;
    turn->reference = (uint32_t)turn->place + 1;
    answer = reserve(pool, bytes) ? TF_POOL_OPEN : TF_POOL_FULL;
  }
  if (answer != TF_POOL_OPEN) {
    release();
  }
  return answer;
}

/* Charge what the pool holds; false: that is more than was reserved, and more than the limit leaves
 * even after a trim. */
static bool settle(struct pool *pool) {
  const uint64_t bytes = held_bytes(pool);
  const uint64_t reserved_bytes = pool->charged_bytes;
  if (bytes > reserved_bytes && tf_reserve_at_once(pool->gpu, bytes - reserved_bytes)) {
    pool->charged_bytes = bytes;
  } else if (bytes > reserved_bytes) {
    trim_all_on(pool->gpu);
    if (tf_is_over_limit(pool->gpu)) {
      tf_deny(pool->gpu, bytes - reserved_bytes);
      return false;
    }
  }
  look_at(pool);
  return true;
}

bool tf_pool_end(const struct tf_pool_turn *turn, CUresult result) {
  struct pool *pool = &pools[turn->place];
  bool fits = settle(pool) || result != CUDA_SUCCESS;
  pool->allocations += fits && result == CUDA_SUCCESS;
  release();
  return fits;
}

void tf_pool_freed(uint32_t reference) {
  struct pool *pool = &pools[reference - 1];
  if (!acquire()) {
    return;
  }
  pool->allocations -= pool->allocations > 0;
  if (pool->is_there && pool->handle == NULL && pool->allocations == 0) {
    forget(pool);
  }
  release();
}

CUresult tf_pool_destroy(CUmemoryPool handle) {
  struct pool *pool;
  CUresult result;
  if (!acquire()) {
    return tf_real(cuMemPoolDestroy)(handle);
  }
  pool = find(handle);
  if (pool != NULL) {
    trim(pool); /* nobody can ask for it any more */
  }
  result = tf_real(cuMemPoolDestroy)(handle);
  if (pool != NULL && result == CUDA_SUCCESS) {
    pool->handle = NULL;
    if (pool->allocations == 0) {
      forget(pool);
    }
  }
  release();
  return result;
}

void tf_pools_make_room(int gpu) {
  if (has_pools() && acquire()) {
    trim_all_on(gpu);
    release();
  }
}

void tf_pools_look(void) {
  uintptr_t holder;
  if (!has_pools() || !try_to_acquire(&holder)) {
    return;
  }
  for (struct pool *pool = pools; pool < pools + MOST_POOLS; pool++) {
    if (pool->is_there && pool->handle != NULL) {
      look_at(pool);
    }
  }
  release();
}

/* Of a default pool the driver still says what it holds.  Handles of others may have ended with the
 * context: they are followed again when they are used again. */
void tf_pools_end_on(CUdevice device) {
  const int gpu = tf_gpu_of_device(device);
  if (!acquire()) {
    return;
  }
  for (struct pool *pool = pools; pool < pools + MOST_POOLS; pool++) {
    uint64_t bytes = 0;
    if (!pool->is_there || pool->gpu != gpu) {
      continue;
    }
    if (pool->is_default && ask(pool->handle, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &bytes)) {
      charge(pool, bytes);
    } else {
      forget(pool);
    }
  }
  release();
}

void tf_pools_clear(void) {
  memset(pools, 0, sizeof pools);
  pool_count = 0;
  release();
}
