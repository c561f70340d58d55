/* What launches cost: device time by what is launched, learned from pairs of events.
 *
 * Beside a neighbour a pair reads the true length, or that and whole slices of others, so the cost of
 * a kernel shorter than a slice is a low quantile of its pairs; a pair also reads some microseconds
 * more than the kernel takes (docs/gpu-facts.md).  A kernel longer than a slice is priced from times
 * without a neighbour.  One table per process, of fixed size, without locks or allocations.
 */
#ifndef TF_COSTS_H
#define TF_COSTS_H

#include <stdbool.h>
#include <stdint.h>

#define TF_COST_ENTRIES 4096u
#define TF_FIRST_COST_NS 10000ull /* of what was never measured, where nothing else was either */

struct tf_cost {
  uint64_t key;         /* hash of GPU, function and launch shape; 0 = free */
  uint64_t estimate_ns; /* 0 = not measured yet */
  uint64_t state[4];    /* of the quantile estimate; the meaning is costs.c's */
  uint32_t seen;        /* launches since it was entered */
  uint32_t sampled;
};

struct tf_costs {
  struct tf_cost entry[TF_COST_ENTRIES];
  uint64_t median_ns; /* of what is measured: the price of unknown keys */
};

/* Return the entry of a key, which is made where there is none; NULL where the table is full (the key
 * is then priced as unknown). */
struct tf_cost *tf_cost_of(struct tf_costs *costs, uint64_t key);

/* Return the device time that a launch of an entry, or of none, is to be charged. */
uint64_t tf_cost_ns(const struct tf_costs *costs, const struct tf_cost *entry);

/* Return whether the next launch of an entry is to be measured: its first ones, then a few. */
bool tf_cost_wants_sample(struct tf_cost *entry);

/* Learn from a pair of events around one launch.  `is_alone`: no neighbour used the GPU meanwhile, as
 * far as is known; `overhead_ns`: what a pair reads of nothing. */
void tf_cost_learn(struct tf_costs *costs, struct tf_cost *entry, uint64_t elapsed_ns,
                   uint64_t overhead_ns, bool is_alone);

/* Forget a key whose function or graph is gone. */
void tf_cost_forget(struct tf_costs *costs, uint64_t key);

uint64_t tf_cost_key(uint64_t gpu, uint64_t function, uint64_t shape);

#endif
