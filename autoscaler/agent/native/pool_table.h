/* The pools that are followed, and what the driver says of one; pools.c alone uses it.
 *
 * All but tf_pools_any is called by the thread that has the lock.
 */
#ifndef TF_POOL_TABLE_H
#define TF_POOL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "driver.h"

#define TF_MOST_POOLS 64

struct tf_pool {
  CUmemoryPool handle; /* NULL: it was destroyed, and something of it is still allocated */
  bool is_there;       /* false: the place is free */
  bool is_default;     /* of its device */
  int gpu;
  uint32_t allocations;
  uint64_t charged_bytes;
};

extern struct tf_pool tf_pool_table[TF_MOST_POOLS];

/* Take the lock.  false: this thread has it, and was called back out of the driver. */
bool tf_pools_acquire(void);
/* The same where nobody has it. */
bool tf_pools_try(void);
void tf_pools_release(void);

/* Whether there are any; one load. */
bool tf_pools_any(void);

/* NULL: it is not followed. */
struct tf_pool *tf_pool_find(CUmemoryPool handle);

/* Enter a pool, for which nothing is charged yet; NULL: it is not of a GPU of the pod, the driver does
 * not say what it holds, or there are too many. */
struct tf_pool *tf_pool_follow(CUmemoryPool handle);

void tf_pool_strike_out(struct tf_pool *pool);

/* A figure of the driver in bytes; false: it does not say. */
bool tf_pool_told(CUmemoryPool handle, int attribute, uint64_t *bytes);

/* In a child after fork. */
void tf_pool_table_clear(void);

#endif
