#include "mixes.h"

#include "fields.h"

#define ONE_Q16 65536u /* of a length ... */
#define ONE_Q15 32768u /* ... and of all pairs */
#define LONG_MEMORY 8u  /* pairs that a mean goes back, of launches longer than a slice ... */
#define FAR_IN_MEAN 16u /* ... and of others: far ones that are to be in it ... */
#define MEMORY 256u     /* ... within so many, as a part of all pairs goes back */
#define WINDOW 64u        /* pairs alone of which the mean is kept */
#define FEW_Q15 (ONE_Q15 / 64) /* so many far pairs are nothing: the host was late between events */
#define OFTEN_Q15 (ONE_Q15 / 5) /* so many near the lowest one: all are of that length */

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

void tf_enter_into_mean(uint64_t *mean, uint64_t elapsed_ns, uint64_t limit_ns, uint64_t pairs) {
  const uint64_t mean_ns = tf_get(mean);
  if (mean_ns == 0 || mean_ns > limit_ns)
    tf_put(mean, least(elapsed_ns, limit_ns));
  else if (elapsed_ns <= limit_ns)
    tf_put(mean, elapsed_ns > mean_ns ? mean_ns + (elapsed_ns - mean_ns) / pairs
                                      : mean_ns - (mean_ns - elapsed_ns) / pairs);
}

static void enter_into_part(uint16_t *part_q15, bool is_in, uint32_t pairs) {
  const uint32_t before_q15 = tf_get_short(part_q15);
  tf_put_short(part_q15, before_q15 - before_q15 / pairs + (is_in ? ONE_Q15 : 0u) / pairs);
}

static uint32_t one_more(uint16_t *pairs) {
  const uint32_t more = (uint32_t)least(tf_get_short(pairs), MEMORY - 1) + 1;
  tf_put_short(pairs, more);
  return more;
}

static bool is_far(const struct tf_pair *pair) {
  return pair->elapsed_ns > pair->near_limit_ns + TF_LATE_NS;
}

/* Up to where a pair holds no whole slice of others.  What is longer than a slice holds some
 * mostly. */
static uint64_t whole_ns(const struct tf_pair *pair) {
  return pair->lowest_ns > TF_SLICE_NS ? UINT64_MAX : pair->lowest_ns + TF_CUT_NS;
}

/* A window of pairs alone is full: keep what the one before has shown. */
static void keep(struct tf_mix *mix, uint64_t near_ns) {
  const uint64_t sum_ns = tf_get(&mix->window_ns);
  const uint64_t parts_q16 = near_ns == 0 ? 0 : sum_ns * ONE_Q16 / near_ns / WINDOW;
  tf_put_count(&mix->kept_q16, tf_get_count(&mix->next_q16));
  tf_put_short(&mix->kept_far_q15, tf_get_short(&mix->next_far_q15));
  tf_put_count(&mix->next_q16, (uint32_t)least(parts_q16, UINT32_MAX));
  tf_put_short(&mix->next_far_q15, tf_get_byte(&mix->far_in_window) * ONE_Q15 / WINDOW);
  tf_put(&mix->window_ns, 0);
  tf_put_byte(&mix->far_in_window, 0);
  tf_put_byte(&mix->in_window, 0);
}

/* How many pairs a mean goes back.  Where a few are far, many: an estimate that falls between two
 * of them is in force for more launches than one that was just raised, because what is cheap is
 * measured more rarely. */
static uint64_t memory_of(uint32_t far_q15, uint32_t pairs) {
  return least(pairs, FAR_IN_MEAN * ONE_Q15 / (far_q15 + 1) + 1);
}

static void learn_alone(struct tf_mix *mix, const struct tf_pair *pair) {
  const uint32_t pairs = one_more(&mix->alone_pairs);
  enter_into_part(&mix->alone_far_q15, is_far(pair), pairs);
  tf_enter_into_mean(&mix->alone_ns, pair->elapsed_ns, UINT64_MAX,
                     memory_of(tf_get_short(&mix->alone_far_q15), pairs));
  tf_put(&mix->window_ns, tf_get(&mix->window_ns) + pair->elapsed_ns);
  tf_put_byte(&mix->far_in_window, tf_get_byte(&mix->far_in_window) + (is_far(pair) ? 1u : 0u));
  tf_put_byte(&mix->in_window, tf_get_byte(&mix->in_window) + 1u);
  if (tf_get_byte(&mix->in_window) >= WINDOW) keep(mix, pair->near_ns);
}

void tf_mix_learn(struct tf_mix *mix, const struct tf_pair *pair) {
  if (pair->is_alone) {
    learn_alone(mix, pair);
    return;
  }
  if (tf_get_short(&mix->pairs) == 0 && tf_get_count(&mix->kept_q16) != 0) {
    tf_put_short(&mix->pairs, WINDOW);
    tf_put_short(&mix->far_q15, tf_get_short(&mix->kept_far_q15));
  }
  const uint32_t pairs = one_more(&mix->pairs);
  enter_into_part(&mix->far_q15, is_far(pair), pairs);
  enter_into_part(&mix->beyond_q15, pair->elapsed_ns > whole_ns(pair), pairs);
  const uint64_t memory = pair->lowest_ns > TF_SLICE_NS
                              ? least(pairs, LONG_MEMORY)
                              : memory_of(tf_get_short(&mix->far_q15), pairs);
  tf_enter_into_mean(&mix->spread_ns, pair->elapsed_ns, whole_ns(pair), memory);
  tf_enter_into_mean(&mix->all_ns, pair->elapsed_ns, UINT64_MAX, memory);
}

/* How many pairs of launches of a length may be cut, by chance a few more while there are few. */
static uint32_t cuts_q15(uint64_t length_ns, uint32_t pairs) {
  const uint64_t cuts = length_ns * (ONE_Q15 + ONE_Q15 / 7) / TF_SLICE_NS;
  return (uint32_t)least(cuts + FEW_Q15 + 2 * ONE_Q15 / (pairs + 1), UINT32_MAX);
}

static double part(uint32_t part_q15) { return (double)part_q15 / ONE_Q15; }

/* What times alone have shown, as long as far pairs are not more than then and cuts may be.  Where
 * they have become fewer, so have longer launches.  All are charged their mean, because which of
 * them is longer and which is cut, no pair tells. */
static bool is_as_alone(const struct tf_mix *mix, const struct tf_pair *pair,
                        struct tf_length *length) {
  const uint32_t kept_q16 = tf_get_count(&mix->kept_q16);
  const uint32_t kept_far_q15 = tf_get_short(&mix->kept_far_q15);
  const uint32_t far_q15 = tf_get_short(&mix->far_q15);
  if (kept_q16 <= ONE_Q16 || kept_far_q15 <= FEW_Q15) return false;
  /* Of a longer launch: how much longer it is than the near ones. */
  const double more = (double)(kept_q16 - ONE_Q16) / ONE_Q16 / part(kept_far_q15);
  const double longer = part((uint32_t)least(far_q15, kept_far_q15));
  const double near_ns = (double)pair->near_ns;
  length->mean_ns = (uint64_t)(near_ns * (1 + longer * more));
  length->own_ns = 0;
  length->cut_ns = length->mean_ns;
  return far_q15 <= kept_far_q15 + cuts_q15(length->mean_ns, tf_get_short(&mix->pairs));
}

static struct tf_length length_alone(const struct tf_mix *mix, const struct tf_pair *pair) {
  const uint32_t few_q15 = FEW_Q15 + 2 * ONE_Q15 / (tf_get_short(&mix->alone_pairs) + 1);
  const bool is_one = tf_get_short(&mix->alone_far_q15) <= few_q15;
  const uint64_t mean_ns = is_one ? pair->near_ns : tf_get(&mix->alone_ns);
  return (struct tf_length){mean_ns, UINT64_MAX, mean_ns};
}

/* Where pairs with whole slices of others are few enough to be cut: these stand for launches that
 * are as long as the other far ones, because the longer a launch, the more often it is cut. */
static struct tf_length length_with_cuts(const struct tf_mix *mix, const struct tf_pair *pair) {
  const double spread_ns = (double)tf_get(&mix->spread_ns);
  const double near_ns = (double)pair->near_ns;
  const double beyond = part(tf_get_short(&mix->beyond_q15));
  const double far = part(tf_get_short(&mix->far_q15)) - beyond;
  double longer_ns = spread_ns;
  if (far > 0 && spread_ns > near_ns)
    longer_ns = near_ns + (spread_ns - near_ns) * (1 - beyond) / far;
  const uint64_t cut_ns = least((uint64_t)longer_ns, whole_ns(pair));
  const double mean_ns = spread_ns * (1 - beyond) + (double)cut_ns * beyond;
  return (struct tf_length){(uint64_t)mean_ns, whole_ns(pair), cut_ns};
}

struct tf_length tf_mix_length(const struct tf_mix *mix, const struct tf_pair *pair) {
  struct tf_length length;
  if (pair->is_alone) return length_alone(mix, pair);
  if (is_as_alone(mix, pair, &length)) return length;
  const uint32_t pairs = tf_get_short(&mix->pairs);
  const uint32_t most_q15 =
      pair->is_side_by_side ? ONE_Q15 - OFTEN_Q15 : cuts_q15(pair->near_ns, pairs);
  if (tf_get_short(&mix->far_q15) <= most_q15 || pair->lowest_ns > TF_SLICE_NS)
    return (struct tf_length){pair->near_ns, pair->near_limit_ns, pair->near_ns};
  const uint64_t spread_ns = tf_get(&mix->spread_ns);
  if (pair->is_side_by_side || tf_get_short(&mix->beyond_q15) <= cuts_q15(spread_ns, pairs))
    return length_with_cuts(mix, pair);
  return (struct tf_length){tf_get(&mix->all_ns), UINT64_MAX, 0};
}

void tf_mix_clear(struct tf_mix *mix) {
  tf_put(&mix->spread_ns, 0);
  tf_put(&mix->all_ns, 0);
  tf_put(&mix->alone_ns, 0);
  tf_put_short(&mix->far_q15, 0);
  tf_put_short(&mix->beyond_q15, 0);
  tf_put_short(&mix->pairs, 0);
  tf_put_short(&mix->alone_far_q15, 0);
  tf_put_short(&mix->alone_pairs, 0);
  tf_put(&mix->window_ns, 0);
  tf_put_byte(&mix->in_window, 0);
  tf_put_byte(&mix->far_in_window, 0);
  tf_put_count(&mix->kept_q16, 0);
  tf_put_short(&mix->kept_far_q15, 0);
  tf_put_count(&mix->next_q16, 0);
  tf_put_short(&mix->next_far_q15, 0);
}
