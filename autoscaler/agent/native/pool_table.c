/* A table that is gone through from its begin: a process has one pool, or a few. */
#include "pool_table.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "capture.h"
#include "ledger.h"
#include "process.h"
#include "real.h"

#define MOST_DEVICES 64

struct tf_pool tf_pool_table[TF_MOST_POOLS];
static int count;
static uintptr_t holder; /* thread that has the lock, or 0 */

static bool try_to_acquire(uintptr_t *other) {
  *other = 0;
  return __atomic_compare_exchange_n(&holder, other, (uintptr_t)pthread_self(), false,
                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

bool tf_pools_acquire(void) {
  uintptr_t other;
  while (!try_to_acquire(&other)) {
    if (other == (uintptr_t)pthread_self()) {
      return false;
    }
    sched_yield();
  }
  return true;
}

bool tf_pools_try(void) {
  uintptr_t other;
  return try_to_acquire(&other);
}

void tf_pools_release(void) {
  __atomic_store_n(&holder, (uintptr_t)0, __ATOMIC_RELEASE);
}

bool tf_pools_any(void) {
  return __atomic_load_n(&count, __ATOMIC_RELAXED) != 0;
}

bool tf_pool_told(CUmemoryPool handle, int attribute, uint64_t *bytes) {
  CUresult result;
  int mode;
  tf_relaxed_begin(&mode);
  result = tf_real(cuMemPoolGetAttribute)(handle, attribute, bytes);
  tf_relaxed_end(mode);
  return result == CUDA_SUCCESS;
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

static struct tf_pool *free_place(void) {
  for (struct tf_pool *pool = tf_pool_table; pool < tf_pool_table + TF_MOST_POOLS; pool++) {
    if (!pool->is_there) {
      return pool;
    }
  }
  return NULL;
}

struct tf_pool *tf_pool_find(CUmemoryPool handle) {
  for (struct tf_pool *pool = tf_pool_table; pool < tf_pool_table + TF_MOST_POOLS; pool++) {
    if (pool->is_there && pool->handle == handle) {
      return pool;
    }
  }
  return NULL;
}

struct tf_pool *tf_pool_follow(CUmemoryPool handle) {
  struct tf_pool *place = free_place();
  struct tf_pool pool = {.handle = handle, .is_there = true};
  struct tf_holding made;
  uint64_t bytes;
  if (tf_ledger_find(TF_POOL, (uint64_t)(uintptr_t)handle, &made)) {
    pool.gpu = made.references != 0 ? made.gpu : -1;
  } else {
    pool.gpu = tf_gpu_of_device(default_of(handle));
    pool.is_default = true;
  }
  if (place == NULL || pool.gpu < 0 ||
      !tf_pool_told(handle, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &bytes)) {
    return NULL;
  }
  *place = pool;
  __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
  return place;
}

void tf_pool_strike_out(struct tf_pool *pool) {
  memset(pool, 0, sizeof *pool);
  __atomic_fetch_sub(&count, 1, __ATOMIC_RELAXED);
}

void tf_pool_table_clear(void) {
  memset(tf_pool_table, 0, sizeof tf_pool_table);
  count = 0;
  tf_pools_release();
}
