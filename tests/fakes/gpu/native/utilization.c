/* Windows of utilisation. What lies between the measured cases (alone; beside neighbours that use
 * 20 % and more) is a guess: a neighbour counts in full from a tenth of the window on.
 */
#include "utilization.h"

#include <string.h>

#define PARTS 1000000ull /* of a window */
#define FULL_NEIGHBOUR_PARTS (PARTS / 10)
#define LIGHT_CARD_PARTS (PARTS * 45 / 100)
#define BESIDE_PARTS (PARTS * 99 / 100)       /* what each process reads beside others */
#define BESIDE_LIGHT_PARTS (PARTS * 94 / 100) /* where all together leave most of the card idle */

static uint64_t least(uint64_t one, uint64_t other) { return one < other ? one : other; }

static uint32_t percent_of(uint64_t parts) {
  return (uint32_t)(least(parts, BESIDE_PARTS) * 100 / PARTS);
}

void fake_utilization_init(struct fake_utilization *use, uint64_t bias_q16, uint64_t now_ns) {
  use->bias_q16 = bias_q16 ? bias_q16 : 65536;
  use->next_ns = now_ns + FAKE_WINDOW_NS;
}

static uint64_t reading_parts(const struct fake_utilization *use, uint64_t own, uint64_t all) {
  uint64_t biased = least(own * use->bias_q16 >> 16, PARTS);
  uint64_t beside = all < LIGHT_CARD_PARTS ? BESIDE_LIGHT_PARTS : BESIDE_PARTS;
  uint64_t weight = least(all - own, FULL_NEIGHBOUR_PARTS);
  if (biased >= beside) return biased;
  return biased + (beside - biased) * weight / FULL_NEIGHBOUR_PARTS;
}

/* What was used since the window before this one, as parts of a window. */
static uint64_t parts_since(uint64_t busy_ns, uint64_t *last_ns) {
  uint64_t parts = least((busy_ns - *last_ns) * PARTS / FAKE_WINDOW_NS, PARTS);
  *last_ns = busy_ns;
  return parts;
}

/* Busy time of an owner by its index; another owner at the same index begins anew. */
static uint64_t owner_parts(struct fake_utilization *use, const struct fake_device *device,
                            uint32_t index, uint64_t owner) {
  if (use->last_owner[index] != owner) {
    use->last_owner[index] = owner;
    use->last_owner_busy_ns[index] = 0;
  }
  return parts_since(fake_owner_ledger(device, owner).busy_ns, &use->last_owner_busy_ns[index]);
}

static void end_window(struct fake_utilization *use, const struct fake_device *device) {
  struct fake_window *window = &use->window[use->count % FAKE_WINDOWS];
  struct fake_card_ledger card = fake_card_ledger(device);
  uint64_t all = parts_since(card.all.busy_ns, &use->last_busy_ns);
  uint64_t taken = all + parts_since(card.switch_ns, &use->last_switch_ns);
  uint64_t busiest = least(taken * use->bias_q16 >> 16, PARTS);
  memset(window, 0, sizeof *window);
  for (uint32_t i = 0; i < FAKE_OWNERS; i++) {
    uint64_t owner = fake_owner_at(device, (int)i);
    uint64_t own = owner == 0 ? 0 : owner_parts(use, device, i, owner);
    if (own == 0 || window->rows == FAKE_ROWS) continue;
    uint64_t parts = reading_parts(use, own, all < own ? own : all);
    if (parts > busiest) busiest = parts;
    window->row[window->rows++] =
        (struct fake_use_row){.owner = owner, .percent = percent_of(parts)};
  }
  window->card_percent = (uint32_t)((busiest + PARTS / 200) * 100 / PARTS);
  window->end_ns = use->next_ns;
  use->count++;
}

void fake_utilization_advance(struct fake_utilization *use, struct fake_device *device,
                              uint64_t now_ns) {
  while (use->next_ns <= now_ns) {
    fake_device_advance(device, use->next_ns);
    end_window(use, device);
    use->next_ns += FAKE_WINDOW_NS;
  }
  fake_device_advance(device, now_ns);
}
