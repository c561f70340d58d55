/* Memory pools of this process: a pool is charged for what the driver says that it holds, used or not.
 *
 * A pool grows in steps and keeps what is freed, up to its threshold; nobody else can use that.  What
 * the driver gives back meanwhile (at a synchronisation, by a trim) is no longer charged from the next
 * look on.  Pools of which the driver does not say what they hold are not followed: their allocations
 * are charged for what they ask for.  One lock for all pools, held over an allocation.
 */
#ifndef TF_POOLS_H
#define TF_POOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "driver.h"

/* An allocation from a pool that is under way. */
struct tf_pool_turn {
  int gpu;
  uint32_t reference; /* to the pool, for the ledger */
};

enum tf_pool_answer {
  TF_POOL_NOT_FOLLOWED, /* nothing was begun */
  TF_POOL_FULL,         /* nor here: the limit would be exceeded, and the denial was counted */
  TF_POOL_OPEN          /* the caller allocates, and ends its turn */
};

/* Before the real allocation: reserve what the pool will grow by.  What fits into what the pool holds
 * is always let through. */
enum tf_pool_answer tf_pool_begin(CUmemoryPool handle, uint64_t bytes, struct tf_pool_turn *turn);

/* After it, with its result: charge what the pool holds now.  false: it has grown by more than the
 * limit leaves.  The caller gives the allocation back, and calls tf_pools_make_room. */
bool tf_pool_end(const struct tf_pool_turn *turn, CUresult result);

/* An allocation with this reference was freed. */
void tf_pool_freed(uint32_t reference);

/* Destroy a pool; what is still allocated from it counts until the last of that is freed. */
CUresult tf_pool_destroy(CUmemoryPool handle);

/* Give back what pools on a GPU hold and do not use, as far as the driver lets go of it. */
void tf_pools_make_room(int gpu);

/* Charge what each pool holds now; while another thread allocates, not.  After a wait, after which the
 * driver may hold less, and before what is held is shown. */
void tf_pools_look(void);

/* The primary context of a device is gone. */
void tf_pools_end_on(CUdevice device);

/* In a child after fork. */
void tf_pools_clear(void);

#endif
