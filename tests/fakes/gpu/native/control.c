/* What tests ask of a card from outside: its ledger, its memory, and changes of what it is.
 *
 * Built into a library of its own for cards.py; nothing of it is in the driver.
 */
#include <stdlib.h>

#include "card.h"

struct fake_card_view *control_open(const char *path) {
  struct fake_card_view *view = calloc(1, sizeof *view);
  if (view != NULL && fake_card_map(view, path)) return view;
  free(view);
  return NULL;
}

void control_close(struct fake_card_view *view) {
  fake_card_unmap(view);
  free(view);
}

/* Of a process, by the number that it gives itself; over all that had this number. */
struct fake_ledger control_ledger(const struct fake_card_view *view, uint32_t pid) {
  struct fake_ledger sum = {0};
  fake_card_look(view);
  for (int i = 0; i < FAKE_OWNERS; i++) {
    uint64_t owner = fake_owner_at(view->device, i);
    if (owner == 0 || (uint32_t)owner != pid) continue;
    struct fake_ledger of = fake_owner_ledger(view->device, owner);
    sum.busy_ns += of.busy_ns;
    sum.kernel_ns += of.kernel_ns;
    sum.kernels += of.kernels;
  }
  fake_card_leave(view);
  return sum;
}

/* Of the card; returns the time of the ledger. */
uint64_t control_card_ledger(const struct fake_card_view *view, struct fake_card_ledger *ledger) {
  uint64_t now_ns = fake_card_look(view);
  *ledger = fake_card_ledger(view->device);
  fake_card_leave(view);
  return now_ns;
}

/* Bytes that processes with this number hold; of all where it is 0. */
uint64_t control_memory_bytes(const struct fake_card_view *view, uint32_t pid) {
  uint64_t held_bytes = 0;
  fake_card_look(view);
  for (int i = 0; i < FAKE_PROCESSES; i++) {
    const struct fake_process *process = &view->card->process[i];
    if (process->owner == 0 || (pid != 0 && (uint32_t)process->owner != pid)) continue;
    if (fake_process_pid(view, i) != 0) held_bytes += process->memory_bytes;
  }
  fake_card_leave(view);
  return held_bytes;
}

/* What the card is from now on; timing and bias stay. */
void control_change(const struct fake_card_view *view, const struct fake_card_traits *traits) {
  fake_card_look(view);
  view->card->traits = *traits;
  fake_card_leave(view);
}
