#include "law.h"

#include <stdbool.h>

#include "words.h"

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Wall time that device time stands for, at most the longest debt.  In floating point, because the
 * product takes more than 64 bits; what is lost is far below a nanosecond. */
static uint64_t wall_ns(const struct tf_terms *terms, uint64_t device_ns) {
  const uint64_t trim_q16 = terms->trim_k_q16 != 0 ? terms->trim_k_q16 : TF_ONE_Q16;
  const double wall = (double)device_ns * (double)trim_q16 * (double)(TF_ONE_Q32 / TF_ONE_Q16) /
                      (double)most(terms->share_q32, 1);
  return wall < (double)TF_LONGEST_DEBT_NS ? (uint64_t)wall : TF_LONGEST_DEBT_NS;
}

/* The TAT as the law believes it: not before now, and no more ahead than the longest debt. */
static uint64_t believed_tat_ns(uint64_t tat_ns, uint64_t now_ns) {
  return least(most(tat_ns, now_ns), now_ns + TF_LONGEST_DEBT_NS);
}

static uint64_t rescaled_tat_ns(uint64_t tat_ns, uint64_t old_share_q32, uint64_t new_share_q32,
                                uint64_t now_ns) {
  const uint64_t owed_ns = believed_tat_ns(tat_ns, now_ns) - now_ns;
  const double wall = (double)owed_ns * (double)old_share_q32 / (double)most(new_share_q32, 1);
  return now_ns +
         (wall < (double)TF_LONGEST_DEBT_NS ? (uint64_t)wall : TF_LONGEST_DEBT_NS);
}

static bool holds(const struct tf_terms *terms) { return terms->share_q32 < TF_ONE_Q32; }

/* Whoever sees another share first claims it and rescales what is owed.  Processes that see the new
 * terms some microseconds apart rescale to and fro, which cancels out.  A SIGKILL between the two
 * stores leaves the debt in wall time of the old share: it is paid off late or early, once. */
static void rescale(struct tf_use_gpu *gpu, const struct tf_terms *terms, uint64_t now_ns) {
  const uint64_t old_share_q32 = tf_load(&gpu->tat_share_q32);
  if (old_share_q32 == terms->share_q32 ||
      !tf_exchange(&gpu->tat_share_q32, old_share_q32, terms->share_q32) || old_share_q32 == 0)
    return;
  uint64_t tat_ns;
  do {
    tat_ns = tf_load(&gpu->tat_ns);
    if (tat_ns <= now_ns) return;
  } while (!tf_exchange(&gpu->tat_ns, tat_ns,
                        rescaled_tat_ns(tat_ns, least(old_share_q32, TF_ONE_Q32),
                                        terms->share_q32, now_ns)));
}

/* Move the TAT ahead; return what it was, as believed. */
static uint64_t owe(struct tf_use_gpu *gpu, uint64_t own_ns, uint64_t now_ns) {
  uint64_t tat_ns;
  uint64_t before_ns;
  do {
    tat_ns = tf_load(&gpu->tat_ns);
    before_ns = believed_tat_ns(tat_ns, now_ns);
  } while (!tf_exchange(&gpu->tat_ns, tat_ns,
                        least(before_ns + own_ns, now_ns + TF_LONGEST_DEBT_NS)));
  return before_ns;
}

static void give_back(struct tf_use_gpu *gpu, uint64_t own_ns, uint64_t now_ns) {
  uint64_t tat_ns;
  uint64_t believed_ns;
  do {
    tat_ns = tf_load(&gpu->tat_ns);
    believed_ns = believed_tat_ns(tat_ns, now_ns);
    if (believed_ns == now_ns) return;
  } while (!tf_exchange(&gpu->tat_ns, tat_ns,
                        believed_ns - least(own_ns, believed_ns - now_ns)));
}

struct tf_turn tf_law_charge(struct tf_use_gpu *gpu, const struct tf_terms *terms, uint64_t cost_ns,
                             uint64_t now_ns) {
  struct tf_turn turn = {now_ns, 0, terms->share_q32};
  if (!holds(terms)) return turn;
  rescale(gpu, terms, now_ns);
  turn.own_ns = wall_ns(terms, cost_ns);
  turn.tat_before_ns = owe(gpu, turn.own_ns, now_ns);
  return turn;
}

uint64_t tf_law_free_at(struct tf_use_gpu *gpu, const struct tf_terms *terms, struct tf_turn *turn,
                        uint64_t now_ns) {
  if (!holds(terms)) return now_ns;
  rescale(gpu, terms, now_ns);
  if (turn->share_q32 != terms->share_q32) {
    turn->tat_before_ns =
        rescaled_tat_ns(turn->tat_before_ns, turn->share_q32, terms->share_q32, now_ns);
    turn->own_ns =
        rescaled_tat_ns(now_ns + turn->own_ns, turn->share_q32, terms->share_q32, now_ns) - now_ns;
    turn->share_q32 = terms->share_q32;
  }
  /* What was given back meanwhile also brings those forward that wait already. */
  const uint64_t tat_ns = believed_tat_ns(tf_load(&gpu->tat_ns), now_ns);
  const uint64_t latest_ns = tat_ns - least(turn->own_ns, tat_ns);
  turn->tat_before_ns = least(turn->tat_before_ns, latest_ns);
  return turn->tat_before_ns - least(terms->burst_ns, turn->tat_before_ns);
}

void tf_law_settle(struct tf_use_gpu *gpu, const struct tf_terms *terms, int64_t extra_ns,
                   uint64_t now_ns) {
  if (!holds(terms) || extra_ns == 0) return;
  rescale(gpu, terms, now_ns);
  if (extra_ns > 0)
    (void)owe(gpu, wall_ns(terms, (uint64_t)extra_ns), now_ns);
  else
    give_back(gpu, wall_ns(terms, 0 - (uint64_t)extra_ns), now_ns);
}
