/* What launches cost: device time by what is launched, learned from pairs of events.
 *
 * Beside a neighbour a pair reads the true length, or that and what others did meanwhile: up to
 * whole slices, or less where they have little to do.  So a kernel that often reads near its lowest
 * pair is taken to be of that length, and what reads more to be cut.  Launches of several lengths
 * cost their mean (mixes.h).  A kernel longer than a slice is cut each time beside a neighbour: its
 * cost is learned from times without one.  Until then it is what others leave of a pair, where the
 * agent tells that, else too high rather than too low.  A pair also reads some microseconds more
 * than the kernel occupies the GPU in a full stream (docs/gpu-facts.md): that addition is subtracted
 * once it is known.
 *
 * One table per process, of fixed size, without locks or allocations.  Threads may race: then a
 * measurement is lost, never a key.
 */
#ifndef TF_COSTS_H
#define TF_COSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "mixes.h"

#define TF_COST_ENTRIES 4096u
#define TF_FIRST_COST_NS 10000ull      /* of what nobody measured, where nothing else was */
#define TF_COST_FIRST_SAMPLES 4u       /* launches of a key that are measured one after another */
#define TF_COST_MEMORY 8u              /* pairs, or runs, that a mean goes back */
#define TF_COST_WINDOW 32u             /* pairs of which the lowest is kept */
#define TF_MOST_SHARERS 8u             /* neighbours excuse no more than this factor */
#define TF_LARGEST_OVERHEAD_NS 4000ull /* of a pair */
#define TF_SHORT_COST_NS 100000ull     /* below it the overhead of a pair matters */

struct tf_cost {
  _Alignas(64) uint64_t key; /* hash of GPU, function and launch shape; 0 = free */
  uint64_t estimate_ns;      /* what a launch is charged; 0 = not measured yet */
  uint64_t mean_ns;          /* of pairs: the estimate with the overhead of a pair */
  uint64_t near_ns;          /* mean of the pairs near the lowest one */
  uint64_t lowest_ns;        /* of this window of pairs */
  uint64_t lowest_before_ns; /* of the window before */
  uint16_t in_window;
  uint8_t in_near; /* pairs, up to TF_COST_MEMORY */
  uint8_t proof;   /* how far it is shown that a long kernel's lowest pair holds no cut */
  uint32_t is_mixed; /* its launches are of several lengths: measured more often */
  uint32_t recent;   /* pairs; less by a quarter each time that a place is looked for here */
  uint32_t sampled;
  struct tf_mix mix;
};

struct tf_costs {
  struct tf_cost entry[TF_COST_ENTRIES];
  uint64_t median_ns;   /* of what is measured: the price of unknown keys; 0 = nothing is */
  uint64_t overhead_ns; /* what a pair around one kernel reads more than a kernel in a run takes */
  uint64_t priced_ns;   /* the overhead that is subtracted in all estimates now */
  uint64_t empty_ns;    /* what a pair around nothing reads */
  uint32_t runs;        /* from which overhead_ns was learned, up to TF_COST_MEMORY */
};

/* What else a pair may hold, as far as is known. */
struct tf_scene {
  uint64_t left_q32;     /* see struct tf_terms */
  uint64_t late_ns;      /* for so long the host was away between the events of the pair */
  bool is_alone;         /* no neighbour showed lately */
  bool is_side_by_side;  /* this process used several streams at once */
};

/* What one pair says. */
struct tf_lesson {
  uint64_t cost_ns; /* of this launch */
  bool is_cut;      /* it holds a neighbour's slice */
  bool is_mean;     /* the cost is a mean: it may be more than the pair reads */
};

/* Return the key of a launch; never 0 or 1.  Fibonacci hashing: what differs shows in the upper
 * bits. */
static inline uint64_t tf_cost_key(uint64_t gpu, uint64_t function, uint64_t shape) {
  const uint64_t key =
      (function + gpu) * 0x9e3779b97f4a7c15ull + shape * 0xd6e8feb86659fd93ull + gpu;
  return key | 2;
}

/* Return the first of the places that a key may take. */
static inline struct tf_cost *tf_cost_first(struct tf_costs *costs, uint64_t key) {
  return &costs->entry[(key >> 52) % TF_COST_ENTRIES];
}

/* Return the entry of a key that is not in its first place.  One is made where there is none, in
 * the place of the rarest of its neighbours where the table is full; so the key of an entry is to
 * be compared when a measurement comes back. */
struct tf_cost *tf_cost_search(struct tf_costs *costs, uint64_t key);

static inline struct tf_cost *tf_cost_of(struct tf_costs *costs, uint64_t key) {
  struct tf_cost *entry = tf_cost_first(costs, key);
  return __atomic_load_n(&entry->key, __ATOMIC_RELAXED) == key ? entry
                                                               : tf_cost_search(costs, key);
}

/* Return the device time that a launch of an entry is to be charged. */
uint64_t tf_cost_ns(const struct tf_costs *costs, const struct tf_cost *entry);

/* Return whether a launch of an entry is worth measuring: the first ones, then a few.  `number`
 * counts a thread's launches; the choice is spread over them so that no loop of launches hides a
 * key. */
static inline bool tf_cost_wants_sample(const struct tf_cost *entry, uint64_t number) {
  const uint32_t sampled = __atomic_load_n(&entry->sampled, __ATOMIC_RELAXED);
  if (sampled < TF_COST_FIRST_SAMPLES) return true;
  /* Multiples of the golden ratio: evenly spread, also along every period. */
  const uint32_t spread = (uint32_t)number * 0x9e3779b9u;
  if (__atomic_load_n(&entry->is_mixed, __ATOMIC_RELAXED) != 0) return spread < UINT32_MAX / 4;
  return spread < (sampled < TF_COST_WINDOW ? UINT32_MAX / 8 : UINT32_MAX / 32);
}

/* Learn from a pair of events around one launch. */
struct tf_lesson tf_cost_learn(struct tf_costs *costs, struct tf_cost *entry, uint64_t elapsed_ns,
                               const struct tf_scene *scene);

/* Learn the overhead of pairs from one around nothing, and from one around a run without pauses:
 * `launches` whose pairs would read `pairs_ns` together took `elapsed_ns`. */
void tf_cost_learn_empty(struct tf_costs *costs, uint64_t elapsed_ns);
void tf_cost_learn_run(struct tf_costs *costs, uint64_t launches, uint64_t pairs_ns,
                       uint64_t elapsed_ns);

/* Return what a pair reads more than its launch takes of the GPU, as far as is known. */
uint64_t tf_cost_overhead_ns(const struct tf_costs *costs);

/* Forget a key whose function or graph is gone. */
void tf_cost_forget(struct tf_costs *costs, uint64_t key);

#endif
