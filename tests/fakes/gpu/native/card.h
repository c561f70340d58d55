/* One card of the fake machine: a file that all processes map, with the device model, the memory
 * that processes hold, and what NVML is to say.
 *
 * A process that dies is found by its record lock on the file, which the kernel drops, in whatever
 * PID namespace it was; its work and its memory vanish at the next look of anyone.
 */
#ifndef FAKE_CARD_H
#define FAKE_CARD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "device_model.h"
#include "utilization.h"

#define FAKE_FOLDER_VARIABLE "TF_FAKE_GPUS" /* folder with card0, card1, ... */
#define FAKE_CARDS 16
#define FAKE_PROCESSES 128
#define FAKE_CARD_MAGIC 0x3130445241434b46ull
#define FAKE_SWEEP_NS 10000000ull

/* What the card is; cards.py has the same fields. */
struct fake_card_traits {
  char uuid[64];
  char name[96];
  char pci_bus_id[32];
  char driver_version[32];
  uint64_t total_bytes;
  uint64_t nvml_reserved_bytes; /* part of what NVML calls used in version 1 and reserved in 2 */
  uint64_t context_bytes;
  uint64_t code_bytes; /* of kernels, taken at the first launch in a context */
  uint32_t compute_major;
  uint32_t compute_minor;
  uint32_t multiprocessors;
  uint32_t cores;
  uint32_t bias_q16; /* of NVML's use of a process; 65536: none */
  uint32_t temperature_c;
  uint32_t power_mw;
  uint32_t power_limit_mw;
  uint32_t sm_mhz;
  uint32_t memory_mhz;
  uint32_t is_mig;
  uint32_t has_gpm;
  uint32_t numa_node; /* plus one; 0: none */
  uint32_t nvml_error; /* what every NVML call on the card answers; 0: it works */
  uint32_t is_under_mps; /* NVML lists its processes as clients of MPS; they take turns as ever */
  uint32_t reserved;
  struct fake_timing timing;
};

struct fake_process {
  uint64_t owner; /* in the device model: generation of the slot << 32 | pid; 0: free */
  uint64_t pid_namespace;
  uint64_t memory_bytes; /* contexts included */
  uint32_t generation;
  uint32_t reserved;
};

struct fake_card {
  uint64_t magic;
  uint64_t bytes;
  pthread_mutex_t lock;
  struct fake_card_traits traits;
  uint64_t swept_ns;
  struct fake_process process[FAKE_PROCESSES];
  struct fake_utilization utilization;
  /* The device model follows at the next page. */
};

/* A card as one process sees it. */
struct fake_card_view {
  struct fake_card *card; /* NULL: not there */
  struct fake_device *device;
  int file; /* stays open as long as the process lives: its locks depend on it */
  int slot; /* of this process; -1: none yet */
};

/* Make the file of a card. */
bool fake_card_create(const char *path, const struct fake_card_traits *traits);
bool fake_card_map(struct fake_card_view *view, const char *path);
void fake_card_unmap(struct fake_card_view *view);

/* Take the card for oneself, with its time advanced to now, which is returned; and give it back. */
uint64_t fake_card_enter(const struct fake_card_view *view);
/* The same after a look for dead processes, which fake_card_enter has every FAKE_SWEEP_NS only. */
uint64_t fake_card_look(const struct fake_card_view *view);
void fake_card_leave(const struct fake_card_view *view);

/* Inside: claim this process's slot; false: there are FAKE_PROCESSES. */
bool fake_process_join(struct fake_card_view *view);
/* Inside: end all that this process has on the card. */
void fake_process_leave(struct fake_card_view *view);
/* Inside: the process id of a slot's process as this process sees it; 0: it is gone. */
pid_t fake_process_pid(const struct fake_card_view *view, int slot);

/* Inside: take memory of the card for this process; false: the card has no more. */
bool fake_memory_take(const struct fake_card_view *view, uint64_t bytes);
void fake_memory_give(const struct fake_card_view *view, uint64_t bytes);
uint64_t fake_memory_used_bytes(const struct fake_card *card);

uint64_t fake_now_ns(void);

#endif
