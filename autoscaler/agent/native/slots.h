/* Memory of the pod, counted in slots of its processes: reserve, then allocate.
 *
 * A process writes its own slot alone; what the pod holds is the sum over live slots.  Reserving adds
 * to the own slot first and sums then, so that of two racing processes at least one sees both.  Dead
 * processes are swept by the living of the same PID namespace, by the agent's word or by their own
 * look when an allocation would be denied.  No lock, nothing that a SIGKILL can leave wrong.
 */
#ifndef TF_SLOTS_H
#define TF_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

/* Claim a slot for this process, by one thread; again in a child after fork, and of no effect
 * otherwise.  Sweeps first: the slots of our program before exec are among the dead.  false: all are
 * taken by living ones; the process is limited all the same, but others do not see what it holds. */
bool tf_slot_claim(void);
void tf_slot_release(void);

/* Reserve bytes on a GPU; false: the limit would be exceeded, and the denial was counted.  A GPU that
 * is not the pod's (-1) is granted all and counts nothing.  A denial may take some milliseconds, in
 * which the dead are swept and competitors finish. */
bool tf_reserve(int gpu, uint64_t bytes);
/* The same by one look, without waiting for anybody; a denial is not counted. */
bool tf_reserve_at_once(int gpu, uint64_t bytes);
/* Reserve whatever the limit says: what exists already, as a context. */
void tf_reserve_always(int gpu, uint64_t bytes, bool is_context);
void tf_unreserve(int gpu, uint64_t bytes, bool is_context);

/* Count an allocation that was denied. */
void tf_deny(int gpu, uint64_t bytes);

/* Whether the pod holds more on a GPU than its limit. */
bool tf_is_over_limit(int gpu);

/* What the pod holds on a GPU, over all its live processes. */
uint64_t tf_held_bytes(int gpu);

#endif
