/* Launches of one key that are of several lengths, as products of matrices by one kernel may be.
 *
 * Alone, every pair is its launch's own, and the mean of all is what launches cost.  Beside a
 * neighbour a pair that reads far above the lowest one is either a longer launch, or one that the
 * end of a time slice has cut.  Between two such ends a process has a whole slice of the GPU; so
 * cuts are at most as many as the key's own time has slices, and what is far more often is longer.
 * What is far more rarely is taken for cut, unless times alone have shown that it is not.
 */
#ifndef TF_MIXES_H
#define TF_MIXES_H

#include <stdbool.h>
#include <stdint.h>

#define TF_SLICE_NS 2400000ull        /* how long a GPU stays with one context */
#define TF_LATE_NS 10000ull         /* a host that takes longer for a launch was away meanwhile */
#define TF_CUT_NS (TF_SLICE_NS / 2) /* a pair this far above the lowest one holds others' slices */

struct tf_mix {
  uint64_t spread_ns; /* not known to be alone: mean of the pairs without a whole slice of others */
  uint64_t all_ns;    /* ... and of all */
  uint64_t alone_ns;  /* known to be alone: mean of all pairs */
  uint64_t window_ns; /* ... and the sum of those of this window */
  /* What the window before the last full one has shown: the end of times alone is told late. */
  uint32_t kept_q16; /* mean of all pairs, in parts of the mean of those near the lowest one */
  uint32_t next_q16;
  uint16_t kept_far_q15; /* how many pairs were far above the lowest one, of all */
  uint16_t next_far_q15;
  uint16_t far_q15;    /* the same of pairs not known to be alone ... */
  uint16_t beyond_q15; /* ... and how many read more by a slice of others and more */
  uint16_t alone_far_q15;
  uint16_t pairs;
  uint16_t alone_pairs;
  uint8_t in_window;
  uint8_t far_in_window;
};

/* One pair among those of its key. */
struct tf_pair {
  uint64_t elapsed_ns;
  uint64_t lowest_ns;     /* of the latest pairs */
  uint64_t near_limit_ns; /* what reads more is not near it; by TF_LATE_NS more, far */
  uint64_t near_ns;       /* mean of the pairs that are near it */
  bool is_alone;          /* known to be */
  bool is_side_by_side;   /* with launches of its own process: then far pairs tell nothing */
};

/* How long the launches of a key are, as its pairs show it.  A pair up to `own_ns` is its launch's
 * own length; one that reads more is taken to be a launch of `cut_ns`.  Where `own_ns` is 0, each is
 * as long as the mean, whatever its pair reads. */
struct tf_length {
  uint64_t mean_ns;
  uint64_t own_ns;
  uint64_t cut_ns;
};

void tf_mix_learn(struct tf_mix *mix, const struct tf_pair *pair);
struct tf_length tf_mix_length(const struct tf_mix *mix, const struct tf_pair *pair);
void tf_mix_clear(struct tf_mix *mix);

/* A mean of the latest `pairs`. */
void tf_enter_into_mean(uint64_t *mean, uint64_t elapsed_ns, uint64_t limit_ns, uint64_t pairs);

#endif
