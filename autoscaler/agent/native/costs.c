#include "costs.h"

#include "abi.h"
#include "fields.h"

#define PLACES 16u        /* that a key may take, from the one of its hash on */
#define FORGOTTEN 1ull    /* key of a place that may be taken again */
#define NEAR_NS 2000ull   /* above the lowest pair, and an eighth of it: noise ... */
#define FAR_NS 100000ull  /* ... but not more than this */
#define SHORTEST_RUN 8u
#define PROVEN 128u       /* a pair that shows it counts two; one that does not takes one off */
#define MOST_LEFT (15.0 / 16) /* more shows nothing: pairs vary by as much themselves */
#define MOST_SWITCHED (1.0 / 7) /* of a shared GPU: two switches in a slice; more is told as used */
#define REPRICED_NS 8u    /* of overhead: by less, estimates are left as they are */

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

static struct tf_cost *place(struct tf_costs *costs, uint64_t key, uint32_t number) {
  return &costs->entry[((key >> 52) + number) % TF_COST_ENTRIES];
}

static void clear(struct tf_cost *entry) {
  tf_put(&entry->estimate_ns, 0);
  tf_put(&entry->mean_ns, 0);
  tf_put(&entry->near_ns, 0);
  tf_put(&entry->lowest_ns, 0);
  tf_put(&entry->lowest_before_ns, 0);
  tf_put_short(&entry->in_window, 0);
  tf_put_byte(&entry->in_near, 0);
  tf_put_byte(&entry->proof, 0);
  tf_put_count(&entry->is_mixed, 0);
  tf_put_count(&entry->recent, 0);
  tf_put_count(&entry->sampled, 0);
  tf_mix_clear(&entry->mix);
}

/* The place for a new key: free, forgotten, or of the rarest key, all of which age by being
 * asked. */
static struct tf_cost *place_for_new(struct tf_costs *costs, uint64_t key) {
  struct tf_cost *rarest = place(costs, key, 0);
  for (uint32_t number = 0; number < PLACES; number++) {
    struct tf_cost *entry = place(costs, key, number);
    if (tf_get(&entry->key) <= FORGOTTEN) return entry;
    const uint32_t recent = tf_get_count(&entry->recent);
    if (recent < tf_get_count(&rarest->recent)) rarest = entry;
    tf_put_count(&entry->recent, recent - (recent + 3) / 4);
  }
  return rarest;
}

static bool takes_over(struct tf_cost *entry, uint64_t from, uint64_t to) {
  if (!__atomic_compare_exchange_n(&entry->key, &from, to, false, __ATOMIC_RELAXED,
                                   __ATOMIC_RELAXED))
    return false;
  clear(entry);
  return true;
}

struct tf_cost *tf_cost_search(struct tf_costs *costs, uint64_t key) {
  for (uint32_t number = 0; number < PLACES; number++) {
    struct tf_cost *entry = place(costs, key, number);
    const uint64_t there = tf_get(&entry->key);
    if (there == key) return entry;
    if (there == 0) break;
  }
  struct tf_cost *entry = place_for_new(costs, key);
  /* Of two threads with new keys one loses the place; its key is entered at its next launch. */
  (void)takes_over(entry, tf_get(&entry->key), key);
  return entry;
}

void tf_cost_forget(struct tf_costs *costs, uint64_t key) {
  for (uint32_t number = 0; number < PLACES; number++)
    (void)takes_over(place(costs, key, number), key, FORGOTTEN);
}

uint64_t tf_cost_ns(const struct tf_costs *costs, const struct tf_cost *entry) {
  const uint64_t estimate_ns = tf_get(&entry->estimate_ns);
  if (estimate_ns != 0) return estimate_ns;
  const uint64_t median_ns = tf_get(&costs->median_ns);
  return median_ns != 0 ? median_ns : TF_FIRST_COST_NS;
}

/* Follow the median: a step up or down by a part of itself for each pair. */
static void follow_median(struct tf_costs *costs, uint64_t cost_ns) {
  const uint64_t median_ns = tf_get(&costs->median_ns);
  uint64_t next_ns = cost_ns;
  if (median_ns != 0 && cost_ns > median_ns)
    next_ns = least(cost_ns, median_ns + median_ns / 16 + 1);
  else if (median_ns != 0)
    next_ns = most(cost_ns, median_ns - median_ns / 16);
  tf_put(&costs->median_ns, next_ns);
}

/* The lowest pair of this window and the one before; 0: there is none. */
static uint64_t lowest_of(const struct tf_cost *entry) {
  const uint64_t now_ns = tf_get(&entry->lowest_ns);
  const uint64_t before_ns = tf_get(&entry->lowest_before_ns);
  if (now_ns == 0 || before_ns == 0) return most(now_ns, before_ns);
  return least(now_ns, before_ns);
}

static void enter_into_window(struct tf_cost *entry, uint64_t elapsed_ns) {
  const uint16_t in_window = tf_get_short(&entry->in_window);
  const uint64_t lowest_ns = tf_get(&entry->lowest_ns);
  if (in_window == TF_COST_WINDOW) tf_put(&entry->lowest_before_ns, lowest_ns);
  const bool is_new = in_window == TF_COST_WINDOW || lowest_ns == 0;
  tf_put(&entry->lowest_ns, is_new ? elapsed_ns : least(lowest_ns, elapsed_ns));
  tf_put_short(&entry->in_window, is_new ? 1 : (uint16_t)(in_window + 1));
}

static uint64_t near_limit_ns(uint64_t lowest_ns) {
  return lowest_ns + least(lowest_ns / 8 + NEAR_NS, FAR_NS);
}

static void enter_into_near(struct tf_cost *entry, uint64_t elapsed_ns, uint64_t limit_ns) {
  const uint64_t pairs = least(tf_get_byte(&entry->in_near), TF_COST_MEMORY - 1) + 1;
  tf_put_byte(&entry->in_near, (uint32_t)pairs);
  tf_enter_into_mean(&entry->near_ns, elapsed_ns, limit_ns, pairs);
}

/* What a pair says that its launch took of the GPU. */
static uint64_t without_overhead_ns(const struct tf_costs *costs, uint64_t elapsed_ns) {
  /* Where the overhead is the most of it, it is not known well enough to subtract it all. */
  const uint64_t least_ns = most(elapsed_ns / 4, 1);
  return most(least_ns, elapsed_ns - least(tf_cost_overhead_ns(costs), elapsed_ns));
}

static double lesser(double a, double b) { return a < b ? a : b; }

static double part(uint64_t left_q32) {
  return (double)least(left_q32, TF_ONE_Q32) / (double)TF_ONE_Q32;
}

/* What a long kernel takes of the GPU in a mean pair, of which others leave a part, and switches
 * take some of that: the more, the more others use, until there are two in each slice.  A kernel
 * ends within a slice, so that half of a cut is missing behind it on the average. */
static uint64_t left_ns(uint64_t mean_ns, uint64_t left_q32) {
  const double left = part(left_q32);
  const double unswitched = 1.0 - lesser((1.0 - left) / 2, MOST_SWITCHED);
  const double own = left * unswitched;
  const double half_slice_ns = unswitched * (double)(TF_SLICE_NS / 2);
  return (uint64_t)(own * (double)mean_ns + (1.0 - own) * half_slice_ns);
}

/* A long kernel's lowest pair is its own length where it was alone; and where it is less than what
 * others leave of the mean pair, so that they were not in it.  Many pairs must show it, since what
 * others leave is told late. */
static void weigh_proof(struct tf_cost *entry, uint64_t lowest_ns, uint64_t left_q32) {
  const uint32_t proof = tf_get_byte(&entry->proof);
  if (left_q32 == 0 || proof >= PROVEN) return;
  const double left = part(left_q32);
  const double left_of_mean_ns = left * (double)tf_get(&entry->mix.all_ns);
  const bool is_less = left <= MOST_LEFT && (double)lowest_ns <= left_of_mean_ns;
  if (is_less || left_q32 >= TF_ONE_Q32)
    tf_put_byte(&entry->proof, proof + 2);
  else if (proof > 0)
    tf_put_byte(&entry->proof, proof - 1);
}

/* Whether a long kernel is to be priced by what others leave of its pairs. */
static bool is_judged(const struct tf_cost *entry, uint64_t left_q32) {
  return left_q32 != 0 && left_q32 < TF_ONE_Q32 && tf_get_byte(&entry->proof) < PROVEN;
}

/* Enter a pair into all that is remembered; return the length that it and others show. */
static struct tf_length enter(struct tf_cost *entry, uint64_t elapsed_ns,
                              const struct tf_scene *scene) {
  const uint64_t before_ns = lowest_of(entry);
  if (near_limit_ns(elapsed_ns) < before_ns) tf_put_byte(&entry->proof, 0);
  /* A long kernel is cut each time, so that beside a neighbour its lowest pair would rise to
   * that. */
  if (elapsed_ns <= before_ns + TF_CUT_NS || scene->is_alone || before_ns <= TF_SLICE_NS)
    enter_into_window(entry, elapsed_ns);
  struct tf_pair pair = {
      .elapsed_ns = elapsed_ns,
      .lowest_ns = lowest_of(entry),
      .is_alone = scene->left_q32 >= TF_ONE_Q32 && !scene->is_side_by_side,
      .is_side_by_side = scene->is_side_by_side,
  };
  pair.near_limit_ns = near_limit_ns(pair.lowest_ns);
  enter_into_near(entry, elapsed_ns, pair.near_limit_ns);
  pair.near_ns = tf_get(&entry->near_ns);
  tf_mix_learn(&entry->mix, &pair);
  const struct tf_length length = tf_mix_length(&entry->mix, &pair);
  tf_put_count(&entry->is_mixed, length.mean_ns > pair.near_limit_ns);
  tf_put_count(&entry->recent, tf_get_count(&entry->recent) + 1);
  tf_put_count(&entry->sampled,
               (uint32_t)least(tf_get_count(&entry->sampled), UINT32_MAX - 1) + 1);
  return length;
}

/* A pair without what the host was late for, which is none of its launch where it reads much. */
static uint64_t in_time_ns(const struct tf_cost *entry, uint64_t elapsed_ns, uint64_t late_ns) {
  const uint64_t near_ns = tf_get(&entry->near_ns);
  if (near_ns == 0 || elapsed_ns <= near_ns) return most(elapsed_ns, 1);
  return most(near_ns, elapsed_ns - least(late_ns, elapsed_ns));
}

struct tf_lesson tf_cost_learn(struct tf_costs *costs, struct tf_cost *entry, uint64_t elapsed_ns,
                               const struct tf_scene *scene) {
  elapsed_ns = in_time_ns(entry, elapsed_ns, scene->late_ns);
  const uint64_t before_ns = lowest_of(entry);
  const bool is_long = before_ns > TF_SLICE_NS;
  const struct tf_length length = enter(entry, elapsed_ns, scene);
  const bool is_cut =
      before_ns != 0 && elapsed_ns > before_ns + TF_CUT_NS && elapsed_ns > length.own_ns;
  if (is_long) weigh_proof(entry, lowest_of(entry), scene->left_q32);
  const bool is_left = is_long && is_judged(entry, scene->left_q32);
  uint64_t mean_ns = length.mean_ns;
  if (is_left) mean_ns = least(mean_ns, left_ns(tf_get(&entry->mix.all_ns), scene->left_q32));
  if (is_long) mean_ns = most(mean_ns, elapsed_ns / TF_MOST_SHARERS);
  tf_put(&entry->mean_ns, mean_ns);
  const uint64_t estimate_ns = without_overhead_ns(costs, mean_ns);
  tf_put(&entry->estimate_ns, estimate_ns);
  follow_median(costs, estimate_ns);
  const bool is_mean = !is_left && length.own_ns == 0;
  if (is_left || is_mean) return (struct tf_lesson){estimate_ns, is_cut, is_mean};
  const bool is_own = elapsed_ns <= length.own_ns || (is_long && scene->is_alone && !is_cut);
  const uint64_t own_ns = is_own ? elapsed_ns : most(length.cut_ns, is_long ? mean_ns : 0);
  return (struct tf_lesson){without_overhead_ns(costs, own_ns), is_cut, false};
}

uint64_t tf_cost_overhead_ns(const struct tf_costs *costs) { return tf_get(&costs->priced_ns); }

/* Price all keys anew, which otherwise wait for their next pairs. */
static void price_with(struct tf_costs *costs, uint64_t overhead_ns) {
  tf_put(&costs->priced_ns, overhead_ns);
  for (uint32_t number = 0; number < TF_COST_ENTRIES; number++) {
    struct tf_cost *entry = &costs->entry[number];
    const uint64_t estimate_ns = tf_get(&entry->estimate_ns);
    if (estimate_ns != 0 && estimate_ns <= TF_SHORT_COST_NS)
      tf_put(&entry->estimate_ns, without_overhead_ns(costs, tf_get(&entry->mean_ns)));
  }
}

/* Before there are runs to learn from, and for programs that wait for each kernel and never have
 * any: what empty pairs read, times what was measured on a card (docs/gpu-facts.md: 1.27 and 3.0
 * us). */
void tf_cost_learn_empty(struct tf_costs *costs, uint64_t elapsed_ns) {
  tf_put(&costs->empty_ns, least(elapsed_ns, TF_LARGEST_OVERHEAD_NS));
  if (tf_get_count(&costs->runs) == 0)
    price_with(costs, least(elapsed_ns * 5 / 2, TF_LARGEST_OVERHEAD_NS));
}

void tf_cost_learn_run(struct tf_costs *costs, uint64_t launches, uint64_t pairs_ns,
                       uint64_t elapsed_ns) {
  /* Longer than all its pairs: slices of neighbours, or another stream of this process, are in
   * it. */
  if (launches < SHORTEST_RUN || pairs_ns > launches * TF_SHORT_COST_NS || elapsed_ns > pairs_ns)
    return;
  /* The run's own pair reads the overhead once. */
  const uint64_t one_ns = least((pairs_ns - elapsed_ns) / (launches - 1), TF_LARGEST_OVERHEAD_NS);
  const uint64_t before_ns = tf_get(&costs->overhead_ns);
  const uint32_t runs = (uint32_t)least(tf_get_count(&costs->runs), TF_COST_MEMORY - 1) + 1;
  const uint64_t overhead_ns = before_ns + one_ns / runs - before_ns / runs;
  tf_put(&costs->overhead_ns, overhead_ns);
  tf_put_count(&costs->runs, runs);
  const uint64_t priced_ns = tf_cost_overhead_ns(costs);
  if (most(overhead_ns, priced_ns) - least(overhead_ns, priced_ns) > REPRICED_NS)
    price_with(costs, overhead_ns);
}
