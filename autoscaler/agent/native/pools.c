/* What the driver says of a pool is read and charged under the lock, so that an older figure never
 * replaces a newer one. */
#include "pools.h"

#include "capture.h"
#include "pool_table.h"
#include "process.h"
#include "real.h"
#include "slots.h"

#define STEP_BYTES (32ull << 20) /* that the driver maps at once */

#define EACH(pool) \
  struct tf_pool *pool = tf_pool_table; pool < tf_pool_table + TF_MOST_POOLS; pool++

static uint64_t held_bytes(const struct tf_pool *pool) {
  uint64_t bytes = 0;
  bool is_told = tf_pool_told(pool->handle, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &bytes);
  return is_told ? bytes : pool->charged_bytes;
}

static uint64_t used_bytes(const struct tf_pool *pool) {
  uint64_t bytes = 0;
  bool is_told = tf_pool_told(pool->handle, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &bytes);
  return is_told && bytes < pool->charged_bytes ? bytes : pool->charged_bytes;
}

static void charge(struct tf_pool *pool, uint64_t bytes) {
  if (bytes > pool->charged_bytes) {
    tf_reserve_always(pool->gpu, bytes - pool->charged_bytes, false);
  } else {
    tf_unreserve(pool->gpu, pool->charged_bytes - bytes, false);
  }
  pool->charged_bytes = bytes;
}

static void look_at(struct tf_pool *pool) {
  charge(pool, held_bytes(pool));
}

static void trim(struct tf_pool *pool) {
  int mode;
  tf_relaxed_begin(&mode);
  tf_real(cuMemPoolTrimTo)(pool->handle, used_bytes(pool));
  tf_relaxed_end(mode);
  look_at(pool);
}

static void trim_all_on(int gpu) {
  for (EACH(pool)) {
    if (pool->handle != NULL && pool->gpu == gpu) {
      trim(pool);
    }
  }
}

/* Strike a pool out, with what is charged for it. */
static void forget(struct tf_pool *pool) {
  charge(pool, 0);
  tf_pool_strike_out(pool);
}

static uint64_t in_steps(uint64_t bytes) {
  return bytes > UINT64_MAX - STEP_BYTES ? UINT64_MAX
                                         : (bytes + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
}

/* What a pool will grow by beyond what is charged for it, which the driver may have given back since.
 * A pool that does not hold whole steps is of a driver that has others. */
static uint64_t growth_bytes(const struct tf_pool *pool, uint64_t bytes) {
  const uint64_t spare_bytes = pool->charged_bytes - used_bytes(pool);
  if (bytes <= spare_bytes) {
    return 0;
  }
  bytes -= spare_bytes;
  return pool->charged_bytes % STEP_BYTES == 0 ? in_steps(bytes) : bytes;
}

/* Reserve what a pool will grow by; it counts as the pool's own from now on. */
static bool reserve(struct tf_pool *pool, uint64_t bytes) {
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

static struct tf_pool *pool_of(uint32_t reference) {
  return &tf_pool_table[reference - 1];
}

static struct tf_pool *find_or_follow(CUmemoryPool handle) {
  struct tf_pool *pool = tf_pool_find(handle);
  if (pool == NULL) {
    pool = tf_pool_follow(handle);
    if (pool != NULL) {
      look_at(pool);
    }
  }
  return pool;
}

enum tf_pool_answer tf_pool_begin(CUmemoryPool handle, uint64_t bytes, struct tf_pool_turn *turn) {
  enum tf_pool_answer answer = TF_POOL_NOT_FOLLOWED;
  struct tf_pool *pool;
  if (handle == NULL || !tf_pools_acquire()) {
    return answer;
  }
  pool = find_or_follow(handle);
  if (pool != NULL) {
    turn->gpu = pool->gpu;
    turn->reference = (uint32_t)(pool - tf_pool_table) + 1;
    answer = reserve(pool, bytes) ? TF_POOL_OPEN : TF_POOL_FULL;
  }
  if (answer != TF_POOL_OPEN) {
    tf_pools_release();
  }
  return answer;
}

/* Charge what the pool holds; false: that is more than was reserved, and more than the limit leaves
 * even after a trim. */
static bool settle(struct tf_pool *pool) {
  const uint64_t bytes = held_bytes(pool);
  uint64_t more_bytes;
  if (bytes <= pool->charged_bytes) {
    charge(pool, bytes);
    return true;
  }
  more_bytes = bytes - pool->charged_bytes;
  if (tf_reserve_at_once(pool->gpu, more_bytes)) {
    pool->charged_bytes = bytes;
    return true;
  }
  trim_all_on(pool->gpu);
  if (!tf_is_over_limit(pool->gpu)) {
    return true;
  }
  tf_deny(pool->gpu, more_bytes);
  return false;
}

bool tf_pool_end(const struct tf_pool_turn *turn, CUresult result) {
  struct tf_pool *pool = pool_of(turn->reference);
  bool fits = settle(pool) || result != CUDA_SUCCESS;
  pool->allocations += fits && result == CUDA_SUCCESS;
  tf_pools_release();
  return fits;
}

void tf_pool_freed(uint32_t reference) {
  struct tf_pool *pool = pool_of(reference);
  if (!tf_pools_acquire()) {
    return;
  }
  pool->allocations -= pool->allocations > 0;
  if (pool->is_there && pool->handle == NULL && pool->allocations == 0) {
    forget(pool);
  }
  tf_pools_release();
}

CUresult tf_pool_destroy(CUmemoryPool handle) {
  struct tf_pool *pool;
  CUresult result;
  if (!tf_pools_acquire()) {
    return tf_real(cuMemPoolDestroy)(handle);
  }
  pool = tf_pool_find(handle);
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
  tf_pools_release();
  return result;
}

void tf_pools_make_room(int gpu) {
  if (tf_pools_any() && tf_pools_acquire()) {
    trim_all_on(gpu);
    tf_pools_release();
  }
}

void tf_pools_look(void) {
  if (!tf_pools_any() || !tf_pools_try()) {
    return;
  }
  for (EACH(pool)) {
    if (pool->handle != NULL) {
      look_at(pool);
    }
  }
  tf_pools_release();
}

static bool is_told(const struct tf_pool *pool) {
  uint64_t bytes;
  return tf_pool_told(pool->handle, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &bytes);
}

/* Of a default pool the driver still says what it holds.  Handles of others may have ended with the
 * context: they are followed again when they are used again. */
void tf_pools_end_on(CUdevice device) {
  const int gpu = tf_gpu_of_device(device);
  if (!tf_pools_acquire()) {
    return;
  }
  for (EACH(pool)) {
    if (!pool->is_there || pool->gpu != gpu) {
      continue;
    }
    if (pool->is_default && is_told(pool)) {
      look_at(pool);
    } else {
      forget(pool);
    }
  }
  tf_pools_release();
}

void tf_pools_clear(void) {
  tf_pool_table_clear();
}
