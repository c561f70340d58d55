/* What the driver of memory has handed out, by its parts: allocations, pools,
 * and contexts with the rest.
 */
#ifndef MEMORY_DRIVER_H
#define MEMORY_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "real.h"

#define DEVICES 2
#define INVALID_VALUE 1

struct thing {
  uint64_t key, bytes, context, mapped_at;
  int device, references, mappings;
  CUmemoryPool pool; /* NULL: it is the device's own */
  uint64_t pieces;   /* of the pool that go with it */
};

extern int current_device;
extern uint64_t current_context;
extern uint64_t graph_bytes[DEVICES]; /* what the driver holds for graphs */

struct thing *find_thing(uint64_t key);

/* Make a thing; the address of one that is gone is handed out again. */
CUresult make_thing(uint64_t *key, uint64_t bytes, int device, uint64_t context);

/* One reference less. */
CUresult drop_thing(uint64_t key);

/* The end of a context, and of all that was made in it. */
void drop_context(uint64_t context);

/* What pools hold on a device; a thing of one is gone; all is gone. */
uint64_t pooled_bytes(int device);
void leave_pool(const struct thing *thing);
void drop_pools(int device);

uint64_t driver_live_bytes(int device);

/* The functions of each part; NULL: it has none of this name. */
tf_function allocation_function(enum tf_symbol symbol);
tf_function pool_function(enum tf_symbol symbol);
tf_function context_function(enum tf_symbol symbol);

#endif
