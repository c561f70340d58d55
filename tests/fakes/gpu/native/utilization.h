/* What NVML says of a card's use: windows of 200 ms over the ledger of the device model.
 *
 * Alone on the card a process reads the share of its busy time, times the card's bias. Beside
 * others NVML cannot divide the card: every process that had work reads nearly all of it
 * (docs/gpu-facts.md). Pure, in time that is a parameter, without pointers.
 */
#ifndef FAKE_UTILIZATION_H
#define FAKE_UTILIZATION_H

#include <stdint.h>

#include "device_model.h"

#define FAKE_WINDOW_NS 200000000ull
#define FAKE_WINDOWS 64 /* that are remembered */
#define FAKE_ROWS 80    /* processes of one window */

struct fake_use_row {
  uint64_t owner;
  uint32_t percent; /* of the window, as NVML reads it, 0 .. 99 */
  uint32_t reserved;
};

struct fake_window {
  uint64_t end_ns; /* 0: not there */
  uint32_t card_percent;
  uint32_t rows;
  struct fake_use_row row[FAKE_ROWS]; /* of processes that had work in it */
};

struct fake_utilization {
  uint64_t next_ns;    /* end of the window that runs */
  uint64_t count;      /* windows that have ended; the last is window[(count - 1) % FAKE_WINDOWS] */
  uint64_t bias_q16;   /* 65536: none; 0: none */
  uint64_t last_busy_ns;
  uint64_t last_switch_ns;
  uint64_t last_owner[FAKE_OWNERS];
  uint64_t last_owner_busy_ns[FAKE_OWNERS];
  struct fake_window window[FAKE_WINDOWS];
};

void fake_utilization_init(struct fake_utilization *use, uint64_t bias_q16, uint64_t now_ns);
/* Let time pass on the card, with a window at each 200 ms: in the place of fake_device_advance. */
void fake_utilization_advance(struct fake_utilization *use, struct fake_device *device,
                              uint64_t now_ns);

#endif
