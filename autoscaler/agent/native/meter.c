#include "passing.h"

#define LOOK_NS 250000ull          /* between two looks for what has ended */
#define SOONEST_NS 50000ull        /* of a wait for completions */
#define REFUND_NS 2000000ull       /* of a wait that a refund may shorten */
#define PASSES 256u                /* launches in a row without a look at the clock */
#define RARER 6u                   /* so many times, as spends_sample has it */
#define RUNS_TO_LEARN TF_COST_MEMORY /* from which the overhead of pairs is learned at first ... */
#define LAUNCHES_TO_LEARN 512u     /* ... within a lane's first launches ... */
#define LAUNCHES_OF_FIRST_RUNS 32u /* ... and these are short */
#define LAUNCHES_OF_LESSON 8u      /* later on: of a run behind one in so many launches that were ... */
#define LESSON_EVERY 8u            /* ... measured while the GPU was behind */
#define PUT_OFF 12u /* launches, of a measurement of one that was held: until the GPU is behind again */

uint64_t tf_meter_bytes(void) { return sizeof(struct tf_meter); }

void tf_meter_init(struct tf_meter *meter, struct tf_use_gpu *gpu, struct tf_costs *costs,
                   const struct tf_driver *driver) {
  meter->gpu = gpu;
  meter->costs = costs;
  meter->driver = driver;
}

void tf_meter_publish_to(struct tf_meter *meter, uint64_t *process_charged_ns) {
  __atomic_store_n(&meter->process_charged_ns, process_charged_ns, __ATOMIC_RELEASE);
}

static bool is_measured(const struct tf_cost *entry) { return tf_peek(&entry->estimate_ns) != 0; }

static uint32_t learned_runs(const struct tf_meter *meter) {
  return __atomic_load_n(&meter->costs->runs, __ATOMIC_RELAXED);
}

/* The overhead of pairs is learned from undisturbed runs of short launches: how many are in one; 0: it
 * is not learned now.  Pairs of the first launches of a process read more than those of later ones, and
 * under a limit no run is undisturbed that is not short. */
static uint64_t launches_to_learn(const struct tf_meter *meter, const struct tf_lane *lane,
                                  uint64_t cost_ns) {
  if (cost_ns > TF_SHORT_COST_NS) return 0;
  if (lane->is_taught) return LAUNCHES_OF_LESSON;
  const bool is_first = lane->launches < LAUNCHES_TO_LEARN && learned_runs(meter) < RUNS_TO_LEARN;
  return is_first ? LAUNCHES_OF_FIRST_RUNS : 0;
}

static bool wants_single(const struct tf_meter *meter, const struct tf_lane *lane,
                         const struct tf_cost *entry, uint64_t cost_ns) {
  if (!tf_cost_wants_sample(entry, lane->launches)) return false;
  return !is_measured(entry) || launches_to_learn(meter, lane, cost_ns) == 0 ||
         __atomic_load_n(&entry->sampled, __ATOMIC_RELAXED) < TF_COST_FIRST_SAMPLES;
}

static uint64_t end_of_run_ns(const struct tf_lane *lane) {
  return lane->run->charged_ns + TF_RUN_NS;
}

static bool is_full(const struct tf_meter *meter, const struct tf_lane *lane, uint64_t cost_ns) {
  const uint64_t learned_from = launches_to_learn(meter, lane, cost_ns);
  return lane->charged_ns >= end_of_run_ns(lane) ||
         (learned_from != 0 && lane->launches - lane->run->launches >= learned_from);
}

static void count(struct tf_meter *meter, struct tf_lane *lane, uint64_t cost_ns) {
  if (lane != &meter->overflow) {
    tf_lane_count(lane, cost_ns);
    return;
  }
  __atomic_fetch_add(&lane->launches, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&lane->charged_ns, cost_ns, __ATOMIC_RELAXED);
}

/* Spend a measurement, where it is within what measuring may cost.  What is known well is measured
 * more rarely where nothing is held: there it takes the program's time, and no price holds it. */
static bool spends_sample(struct tf_lane *lane, const struct tf_launch *launch) {
  if (!tf_affords_sample(lane)) return false;
  const bool is_rarer =
      launch->turn.share_q32 >= TF_ONE_Q32 &&
      __atomic_load_n(&launch->entry->sampled, __ATOMIC_RELAXED) >= TF_COST_WINDOW;
  lane->sampled_ns = tf_most(lane->sampled_ns, lane->charged_ns) +
                     (is_rarer ? RARER : 1) * TF_SAMPLE_EVERY_NS;
  return true;
}

bool tf_meter_pass(struct tf_meter *meter, uint64_t key, CUstream stream,
                   enum tf_stream_form form) {
  return tf_lane_passes(tf_lane_of(meter, stream, form), tf_cost_of(meter->costs, key));
}

/* How far the next launches of a lane may pass. */
static void plan(struct tf_meter *meter, struct tf_lane *lane, uint64_t cost_ns) {
  lane->until_ns = lane->paid_ns;
  if (lane->run == NULL) {
    lane->until_launches = lane->unmeasured;
    return;
  }
  lane->until_ns = tf_least(lane->until_ns, end_of_run_ns(lane));
  lane->until_launches = lane->launches + PASSES;
  const uint64_t learned_from = launches_to_learn(meter, lane, cost_ns);
  if (learned_from != 0)
    lane->until_launches = tf_least(lane->until_launches, lane->run->launches + learned_from - 1);
  if (lane->measured_from != 0)
    lane->until_launches = tf_least(lane->until_launches, lane->measured_from);
}

static bool claim_settling(struct tf_meter *meter) {
  return __atomic_exchange_n(&meter->is_settling, 1, __ATOMIC_ACQUIRE) == 0;
}

static void end_settling(struct tf_meter *meter) {
  __atomic_store_n(&meter->is_settling, 0, __ATOMIC_RELEASE);
}

void tf_meter_settle(struct tf_meter *meter, const struct tf_terms *terms, uint64_t now_ns) {
  if (!claim_settling(meter)) return;
  tf_poke(&meter->look_ns, now_ns + LOOK_NS);
  if (__atomic_load_n(&meter->pending, __ATOMIC_RELAXED) != 0)
    tf_settle_spans(meter, terms, now_ns);
  const uint64_t outstanding_ns = tf_peek(&meter->outstanding_ns);
  tf_poke(&meter->excused_ns, tf_least(tf_peek(&meter->excused_ns), outstanding_ns));
  tf_publish(meter, now_ns);
  end_settling(meter);
}

void tf_meter_wait_begins(struct tf_meter *meter, uint64_t now_ns) {
  if (__atomic_fetch_add(&meter->waiting, 1, __ATOMIC_ACQ_REL) == 0)
    tf_poke(&meter->waiting_since_ns, now_ns);
}

void tf_meter_wait_ends(struct tf_meter *meter, const struct tf_terms *terms, uint64_t now_ns) {
  const uint64_t since_ns = tf_peek(&meter->waiting_since_ns);
  if (__atomic_fetch_sub(&meter->waiting, 1, __ATOMIC_ACQ_REL) == 1 && now_ns > since_ns)
    __atomic_fetch_add(&meter->gpu->waited_ns, now_ns - since_ns, __ATOMIC_RELAXED);
  tf_meter_settle(meter, terms, now_ns);
}

static void look(struct tf_meter *meter, const struct tf_terms *terms, uint64_t now_ns) {
  if (now_ns >= tf_peek(&meter->look_ns)) tf_meter_settle(meter, terms, now_ns);
}

void tf_meter_begin(struct tf_meter *meter, struct tf_launch *launch, uint64_t key, CUstream stream,
                    enum tf_stream_form form, const struct tf_terms *terms, uint64_t now_ns) {
  look(meter, terms, now_ns);
  launch->key = key;
  launch->lane = tf_lane_of(meter, stream, form);
  launch->entry = tf_cost_of(meter->costs, key);
  launch->cost_ns = tf_cost_ns(meter->costs, launch->entry);
  launch->single = NULL;
  launch->looked_ns = now_ns;
  launch->bounded_ns = 0;
  launch->is_held = false;
  launch->due_ns = tf_lane_pay(meter, launch->lane, terms, launch->cost_ns);
  launch->turn = tf_law_charge(meter->gpu, terms, launch->due_ns, now_ns);
}

/* Whether a measurement that was put off is due. */
static bool is_due(const struct tf_lane *lane) {
  return lane->measured_from != 0 && lane->launches >= lane->measured_from;
}

/* Until when the share holds a launch; 0: not.  What is measured while the GPU is behind goes with the
 * piece that its lane has paid for. */
static uint64_t held_by_share(struct tf_meter *meter, struct tf_launch *launch,
                              const struct tf_terms *terms, uint64_t now_ns) {
  if (launch->due_ns == 0 && (launch->lane->is_taught || is_due(launch->lane))) return 0;
  const uint64_t free_at_ns = tf_law_free_at(meter->gpu, terms, &launch->turn, now_ns);
  if (now_ns > launch->looked_ns)
    __atomic_fetch_add(&meter->gpu->blocked_ns, now_ns - launch->looked_ns, __ATOMIC_RELAXED);
  launch->looked_ns = now_ns;
  if (free_at_ns <= now_ns) return 0;
  const bool may_be_refunded = __atomic_load_n(&meter->pending, __ATOMIC_RELAXED) != 0;
  return tf_least(free_at_ns, now_ns + (may_be_refunded ? REFUND_NS : TF_LONGEST_HOLD_NS));
}

/* Until when work in flight holds a launch; 0: not.  What was waited for in vain holds no more
 * launches, because it may be waiting for them. */
static uint64_t held_by_work(struct tf_meter *meter, struct tf_launch *launch,
                             const struct tf_terms *terms, uint64_t now_ns) {
  const uint64_t all_ns = tf_peek(&meter->outstanding_ns);
  const uint64_t excused_ns = tf_least(tf_peek(&meter->excused_ns), all_ns);
  const uint64_t outstanding_ns = all_ns - excused_ns;
  const uint64_t own_ns =
      is_measured(launch->entry) ? launch->cost_ns : tf_most(launch->cost_ns, TF_UNKNOWN_NS);
  if (outstanding_ns == 0 || outstanding_ns + own_ns <= terms->inflight_ns) return 0;
  if (launch->bounded_ns == 0) {
    launch->filled_ns = now_ns;
    launch->bounded_ns = now_ns + tf_least(2 * outstanding_ns, TF_LONGEST_HOLD_NS);
  }
  if (now_ns >= launch->bounded_ns) {
    tf_poke(&meter->excused_ns, all_ns);
    return 0;
  }
  /* Asked often at first: what is not known yet is mostly short. */
  const uint64_t pause_ns = (now_ns - launch->filled_ns) / 4;
  return tf_least(launch->bounded_ns,
                  now_ns + tf_least(tf_most(pause_ns, SOONEST_NS), REFUND_NS));
}

uint64_t tf_meter_wait(struct tf_meter *meter, struct tf_launch *launch,
                       const struct tf_terms *terms, uint64_t now_ns) {
  if (terms->share_q32 >= TF_ONE_Q32) return 0;
  const uint64_t until_ns = held_by_share(meter, launch, terms, now_ns);
  launch->is_held |= until_ns != 0;
  if (until_ns != 0) return until_ns;
  if (launch->bounded_ns != 0) tf_meter_settle(meter, terms, now_ns);
  const uint64_t ended_ns = held_by_work(meter, launch, terms, now_ns);
  if (ended_ns != 0) launch->looked_ns = ended_ns; /* not the share's doing */
  return ended_ns;
}

static void close_run(struct tf_meter *meter, struct tf_lane *lane, uint64_t now_ns) {
  struct tf_span *run = lane->run;
  lane->run = NULL;
  if (run == NULL) return;
  lane->is_taught = false;
  if (run->launches != lane->launches)
    (void)tf_span_close(meter, run, now_ns);
  else
    tf_span_free(run);
}

/* Put a measurement off, once, where the launch was held: on a GPU that has nothing to do, a pair reads
 * the time of the host between its calls too, which is no small part of a short launch.  Not before a
 * run has told the overhead of pairs: what empty ones tell is that of pairs on such a GPU. */
static bool puts_off(const struct tf_meter *meter, struct tf_lane *lane,
                     const struct tf_launch *launch) {
  const bool is_put_off = launch->is_held && lane->measured_from == 0 &&
                          launch->cost_ns <= TF_SHORT_COST_NS && is_measured(launch->entry) &&
                          learned_runs(meter) != 0 && tf_affords_sample(lane);
  lane->measured_from = is_put_off ? lane->launches + PUT_OFF : 0;
  return is_put_off;
}

/* Whether a launch is to be measured by itself. */
static bool is_single(struct tf_meter *meter, struct tf_lane *lane, struct tf_launch *launch) {
  if (launch->cost_ns >= TF_SINGLE_NS) return true;
  return (is_due(lane) || wants_single(meter, lane, launch->entry, launch->cost_ns)) &&
         !puts_off(meter, lane, launch) && spends_sample(lane, launch);
}

void tf_meter_before(struct tf_meter *meter, struct tf_launch *launch, uint64_t now_ns) {
  struct tf_lane *lane = launch->lane;
  if (lane == &meter->overflow) return;
  if (lane->launches < lane->unmeasured) return;
  if (is_single(meter, lane, launch)) {
    close_run(meter, lane, now_ns);
    tf_span_measure_empty(meter, lane, now_ns);
    launch->single = tf_span_open(meter, lane, TF_SPAN_SINGLE);
  } else if (lane->run == NULL) {
    lane->run = tf_span_open(meter, lane, TF_SPAN_RUN);
  }
}

static void give_back(struct tf_meter *meter, struct tf_launch *launch,
                      const struct tf_terms *terms, uint64_t now_ns) {
  if (launch->turn.own_ns != 0)
    tf_law_settle(meter->gpu, terms, -(int64_t)launch->due_ns, now_ns);
  if (launch->lane != &meter->overflow) launch->lane->paid_ns -= launch->due_ns;
  if (launch->single != NULL) tf_span_free(launch->single);
}

void tf_meter_after(struct tf_meter *meter, struct tf_launch *launch, const struct tf_terms *terms,
                    CUresult result, uint64_t now_ns) {
  struct tf_lane *lane = launch->lane;
  if (result != CUDA_SUCCESS) {
    give_back(meter, launch, terms, now_ns);
    return;
  }
  count(meter, lane, launch->cost_ns);
  if (lane == &meter->overflow) return;
  struct tf_span *span = launch->single != NULL ? launch->single : lane->run;
  if (span != NULL) {
    span->is_guessed |= !is_measured(launch->entry);
    span->is_mixed |= __atomic_load_n(&launch->entry->is_mixed, __ATOMIC_RELAXED) != 0;
  }
  if (launch->single != NULL) {
    span->host_ns = now_ns - tf_least(launch->looked_ns, now_ns);
    span->entry = launch->entry;
    span->key = launch->key;
    const bool is_behind = tf_span_close(meter, span, now_ns);
    /* Without a limit there are undisturbed runs enough. */
    if (is_behind && launch->turn.share_q32 < TF_ONE_Q32 && launch->cost_ns <= TF_SHORT_COST_NS)
      lane->is_taught = lane->behind++ % LESSON_EVERY == 0;
  } else if (span != NULL && is_full(meter, lane, launch->cost_ns)) {
    close_run(meter, lane, now_ns);
  }
  plan(meter, lane, launch->cost_ns);
}

void tf_meter_drop_events(struct tf_meter *meter) {
  while (!claim_settling(meter)) continue; /* held for some microseconds at most */
  __atomic_fetch_add(&meter->epoch, 1, __ATOMIC_RELAXED);
  for (uint32_t number = 0; number < TF_SPANS; number++) {
    struct tf_span *span = &meter->span[number];
    if (__atomic_load_n(&span->state, __ATOMIC_ACQUIRE) != TF_SPAN_PENDING) continue;
    __atomic_fetch_sub(&meter->outstanding_ns, span->held_ns, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&meter->pending, 1, __ATOMIC_RELAXED);
    tf_span_free(span);
  }
  meter->frontier = NULL;
  end_settling(meter);
}
