#include "costs.h"

#include "abi.h"

#define PLACES 16u        /* that a key may take, from the one of its hash on */
#define FORGOTTEN 1ull    /* key of a place that may be taken again */
#define CUT_NS (TF_SLICE_NS / 2) /* a pair this far above the lowest one holds others' slices */
#define NEAR_NS 2000ull   /* above the lowest pair, and an eighth of it: noise ... */
#define FAR_NS 100000ull  /* ... but not more than this */
#define ONE_Q16 65536u
#define OFTEN_Q16 (ONE_Q16 / 5) /* so many pairs near the lowest one: all are of that length */
#define SHORTEST_RUN 16u
#define PROVEN 128u       /* a pair that shows it counts two; one that does not takes one off */
#define MOST_LEFT (15.0 / 16) /* more shows nothing: pairs vary by as much themselves */
#define MOST_SWITCHED (1.0 / 7) /* of a shared GPU's time, what goes into its switches */
#define REPRICED_NS 8u    /* of overhead: by less, estimates are left as they are */

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Every field may be read and written by several threads at once; each by itself is whole. */
static uint64_t get(const uint64_t *field) { return __atomic_load_n(field, __ATOMIC_RELAXED); }

static void put(uint64_t *field, uint64_t value) {
  __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

static uint32_t get_count(const uint32_t *field) {
  return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static void put_count(uint32_t *field, uint32_t count) {
  __atomic_store_n(field, count, __ATOMIC_RELAXED);
}

static uint8_t get_byte(const uint8_t *field) { return __atomic_load_n(field, __ATOMIC_RELAXED); }

static void put_byte(uint8_t *field, uint32_t count) {
  __atomic_store_n(field, (uint8_t)count, __ATOMIC_RELAXED);
}

static uint16_t get_short(const uint16_t *field) {
  return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static void put_short(uint16_t *field, uint16_t count) {
  __atomic_store_n(field, count, __ATOMIC_RELAXED);
}

static struct tf_cost *place(struct tf_costs *costs, uint64_t key, uint32_t number) {
  return &costs->entry[((key >> 52) + number) % TF_COST_ENTRIES];
}

static void clear(struct tf_cost *entry) {
  put(&entry->estimate_ns, 0);
  put(&entry->near_ns, 0);
  put(&entry->spread_ns, 0);
  put(&entry->lowest_ns, 0);
  put(&entry->lowest_before_ns, 0);
  put_short(&entry->in_window, 0);
  put_byte(&entry->in_means, 0);
  put_byte(&entry->proof, 0);
  put_count(&entry->near_q16, 0);
  put_count(&entry->recent, 0);
  put_count(&entry->sampled, 0);
}

/* The place for a new key: free, forgotten, or of the rarest key, all of which age by being
 * asked. */
static struct tf_cost *place_for_new(struct tf_costs *costs, uint64_t key) {
  struct tf_cost *rarest = place(costs, key, 0);
  for (uint32_t number = 0; number < PLACES; number++) {
    struct tf_cost *entry = place(costs, key, number);
    if (get(&entry->key) <= FORGOTTEN) return entry;
    const uint32_t recent = get_count(&entry->recent);
    if (recent < get_count(&rarest->recent)) rarest = entry;
    put_count(&entry->recent, recent - (recent + 3) / 4);
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
    const uint64_t there = get(&entry->key);
    if (there == key) return entry;
    if (there == 0) break;
  }
  struct tf_cost *entry = place_for_new(costs, key);
  /* Of two threads with new keys one loses the place; its key is entered at its next launch. */
  (void)takes_over(entry, get(&entry->key), key);
  return entry;
}

void tf_cost_forget(struct tf_costs *costs, uint64_t key) {
  for (uint32_t number = 0; number < PLACES; number++)
    (void)takes_over(place(costs, key, number), key, FORGOTTEN);
}

uint64_t tf_cost_ns(const struct tf_costs *costs, const struct tf_cost *entry) {
  const uint64_t estimate_ns = get(&entry->estimate_ns);
  if (estimate_ns != 0) return estimate_ns;
  const uint64_t median_ns = get(&costs->median_ns);
  return median_ns != 0 ? median_ns : TF_FIRST_COST_NS;
}

/* Follow the median: a step up or down by a part of itself for each pair. */
static void follow_median(struct tf_costs *costs, uint64_t cost_ns) {
  const uint64_t median_ns = get(&costs->median_ns);
  uint64_t next_ns = cost_ns;
  if (median_ns != 0 && cost_ns > median_ns)
    next_ns = least(cost_ns, median_ns + median_ns / 16 + 1);
  else if (median_ns != 0)
    next_ns = most(cost_ns, median_ns - median_ns / 16);
  put(&costs->median_ns, next_ns);
}

/* The lowest pair of this window and the one before; 0: there is none. */
static uint64_t lowest_of(const struct tf_cost *entry) {
  const uint64_t now_ns = get(&entry->lowest_ns);
  const uint64_t before_ns = get(&entry->lowest_before_ns);
  if (now_ns == 0 || before_ns == 0) return most(now_ns, before_ns);
  return least(now_ns, before_ns);
}

static void enter_into_window(struct tf_cost *entry, uint64_t elapsed_ns) {
  const uint16_t in_window = get_short(&entry->in_window);
  const uint64_t lowest_ns = get(&entry->lowest_ns);
  if (in_window == TF_COST_WINDOW) put(&entry->lowest_before_ns, lowest_ns);
  const bool is_new = in_window == TF_COST_WINDOW || lowest_ns == 0;
  put(&entry->lowest_ns, is_new ? elapsed_ns : least(lowest_ns, elapsed_ns));
  put_short(&entry->in_window, is_new ? 1 : (uint16_t)(in_window + 1));
}

static uint64_t near_limit_ns(uint64_t lowest_ns) {
  return lowest_ns + least(lowest_ns / 8 + NEAR_NS, FAR_NS);
}

/* A mean that goes TF_COST_MEMORY pairs back, and begins anew where it cannot be right any more. */
static void enter_into_mean(uint64_t *mean, uint64_t elapsed_ns, uint64_t limit_ns,
                            uint64_t pairs) {
  const uint64_t mean_ns = get(mean);
  if (mean_ns == 0 || mean_ns > limit_ns)
    put(mean, least(elapsed_ns, limit_ns));
  else if (elapsed_ns <= limit_ns)
    put(mean, elapsed_ns > mean_ns ? mean_ns + (elapsed_ns - mean_ns) / pairs
                                   : mean_ns - (mean_ns - elapsed_ns) / pairs);
}

static void enter_into_means(struct tf_cost *entry, uint64_t elapsed_ns, uint64_t lowest_ns) {
  const uint64_t pairs = least(get_byte(&entry->in_means), TF_COST_MEMORY - 1) + 1;
  put_byte(&entry->in_means, (uint32_t)pairs);
  enter_into_mean(&entry->near_ns, elapsed_ns, near_limit_ns(lowest_ns), pairs);
  const uint64_t whole_ns = lowest_ns > TF_SLICE_NS ? UINT64_MAX : lowest_ns + CUT_NS;
  enter_into_mean(&entry->spread_ns, elapsed_ns, whole_ns, pairs);
  const uint32_t near_q16 = get_count(&entry->near_q16);
  /* A half of the first one, so that it stands for no rule; later a sixteenth of each. */
  const uint32_t part = (uint32_t)(2 * pairs);
  const uint32_t is_q16 = elapsed_ns <= near_limit_ns(lowest_ns) ? ONE_Q16 : 0;
  put_count(&entry->near_q16, near_q16 - near_q16 / part + is_q16 / part);
}

/* Whether what a pair reads above the lowest one is others' doing. */
static bool is_of_one_length(const struct tf_cost *entry) {
  return lowest_of(entry) > TF_SLICE_NS || get_count(&entry->near_q16) >= OFTEN_Q16;
}

/* What a pair says that its launch took of the GPU. */
static uint64_t without_overhead_ns(const struct tf_costs *costs, uint64_t elapsed_ns) {
  /* Where the overhead is the most of it, it is not known well enough to subtract it all. */
  const uint64_t least_ns = most(elapsed_ns / 4, 1);
  return most(least_ns, elapsed_ns - least(tf_cost_overhead_ns(costs), elapsed_ns));
}

static uint64_t estimate_of(const struct tf_costs *costs, const struct tf_cost *entry) {
  return without_overhead_ns(
      costs, get(is_of_one_length(entry) ? &entry->near_ns : &entry->spread_ns));
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
  const uint32_t proof = get_byte(&entry->proof);
  if (left_q32 == 0 || proof >= PROVEN) return;
  const double left = part(left_q32);
  const double left_of_mean_ns = left * (double)get(&entry->spread_ns);
  const bool is_less = left <= MOST_LEFT && (double)lowest_ns <= left_of_mean_ns;
  if (is_less || left_q32 >= TF_ONE_Q32)
    put_byte(&entry->proof, proof + 2);
  else if (proof > 0)
    put_byte(&entry->proof, proof - 1);
}

/* Whether a long kernel is to be priced by what others leave of its pairs. */
static bool is_judged(const struct tf_cost *entry, uint64_t left_q32) {
  return left_q32 != 0 && left_q32 < TF_ONE_Q32 && get_byte(&entry->proof) < PROVEN;
}

struct tf_lesson tf_cost_learn(struct tf_costs *costs, struct tf_cost *entry, uint64_t elapsed_ns,
                               bool is_alone, uint64_t left_q32) {
  elapsed_ns = most(elapsed_ns, 1);
  const uint64_t before_ns = lowest_of(entry);
  const bool is_cut = before_ns != 0 && elapsed_ns > before_ns + CUT_NS;
  const bool is_long = before_ns > TF_SLICE_NS;
  if (near_limit_ns(elapsed_ns) < before_ns) put_byte(&entry->proof, 0);
  /* A long kernel is cut each time, so that beside a neighbour its lowest pair would rise to
   * that. */
  if (!is_cut || is_alone || !is_long) enter_into_window(entry, elapsed_ns);
  const uint64_t lowest_ns = lowest_of(entry);
  enter_into_means(entry, elapsed_ns, lowest_ns);
  put_count(&entry->recent, get_count(&entry->recent) + 1);
  put_count(&entry->sampled, (uint32_t)least(get_count(&entry->sampled), UINT32_MAX - 1) + 1);
  if (is_long) weigh_proof(entry, lowest_ns, left_q32);
  const bool is_left = is_long && is_judged(entry, left_q32);
  uint64_t estimate_ns = estimate_of(costs, entry);
  if (is_left) estimate_ns = least(estimate_ns, left_ns(get(&entry->spread_ns), left_q32));
  if (is_long) estimate_ns = most(estimate_ns, elapsed_ns / TF_MOST_SHARERS);
  put(&entry->estimate_ns, estimate_ns);
  follow_median(costs, estimate_ns);
  const bool is_own = !is_left && !is_cut &&
                      (elapsed_ns <= near_limit_ns(lowest_ns) || !is_of_one_length(entry) ||
                       (is_long && is_alone));
  return (struct tf_lesson){is_own ? without_overhead_ns(costs, elapsed_ns) : estimate_ns, is_cut};
}

uint64_t tf_cost_overhead_ns(const struct tf_costs *costs) { return get(&costs->priced_ns); }

/* Price all keys anew, which otherwise wait for their next pairs. */
static void price_with(struct tf_costs *costs, uint64_t overhead_ns) {
  put(&costs->priced_ns, overhead_ns);
  for (uint32_t number = 0; number < TF_COST_ENTRIES; number++) {
    struct tf_cost *entry = &costs->entry[number];
    const uint64_t estimate_ns = get(&entry->estimate_ns);
    if (estimate_ns != 0 && estimate_ns <= TF_SHORT_COST_NS)
      put(&entry->estimate_ns, estimate_of(costs, entry));
  }
}

/* Before there are runs to learn from, and for programs that wait for each kernel and never have
 * any: what empty pairs read, times what was measured on a card (docs/gpu-facts.md: 1.27 and 3.0
 * us). */
void tf_cost_learn_empty(struct tf_costs *costs, uint64_t elapsed_ns) {
  put(&costs->empty_ns, least(elapsed_ns, TF_LARGEST_OVERHEAD_NS));
  if (get_count(&costs->runs) == 0)
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
  const uint64_t before_ns = get(&costs->overhead_ns);
  const uint32_t runs = (uint32_t)least(get_count(&costs->runs), TF_COST_MEMORY - 1) + 1;
  const uint64_t overhead_ns = before_ns + one_ns / runs - before_ns / runs;
  put(&costs->overhead_ns, overhead_ns);
  put_count(&costs->runs, runs);
  const uint64_t priced_ns = tf_cost_overhead_ns(costs);
  if (most(overhead_ns, priced_ns) - least(overhead_ns, priced_ns) > REPRICED_NS)
    price_with(costs, overhead_ns);
}
