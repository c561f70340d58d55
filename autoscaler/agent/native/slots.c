/* Slots: claimed and freed by one exchange of the word {pid, generation}, so that what a process held
 * stops to count at once and only once, and a slow sweeper cannot touch the next owner's slot. */
#define _GNU_SOURCE
#include "slots.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "abi.h"
#include "identity.h"
#include "pages.h"
#include "words.h"

#define MOST_TRIES 6u
#define TRY_AGAIN_NS 20000u /* a competitor that is to be denied is done by then */

typedef uint64_t __attribute__((may_alias)) tf_owner_word;

_Static_assert(offsetof(struct tf_use_process, pid) % 8 == 0 &&
                   offsetof(struct tf_use_process, generation) ==
                       offsetof(struct tf_use_process, pid) + 4 &&
                   __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "pid and generation are one word");

/* Of a process that found no free slot: it is limited by itself and what it can see. */
static struct tf_use_process lone_slot;
static struct tf_use_process *own_slot = &lone_slot;
static struct tf_identity self;

static uint64_t *owner_of(struct tf_use_process *slot) {
  return (tf_owner_word *)(void *)&slot->pid;
}

static uint64_t owner_word(uint32_t pid, uint32_t generation) {
  return (uint64_t)generation << 32 | pid;
}

static uint32_t pid_in(uint64_t owner) {
  return (uint32_t)owner;
}

static uint32_t generation_in(uint64_t owner) {
  return (uint32_t)(owner >> 32);
}

static bool is_ready(const struct tf_use_process *slot, uint64_t owner) {
  return tf_load(&slot->ready_generation) == generation_in(owner);
}

static uint32_t slots_used(struct tf_use *use) {
  uint64_t count = tf_load(&use->slots_used);
  return count < TF_MOST_PROCESSES ? (uint32_t)count : TF_MOST_PROCESSES;
}

/* Whether the owner of a slot is gone: by the agent's word, or by our own look in our namespace. */
static bool is_abandoned(const struct tf_use_process *slot, uint32_t index, uint64_t owner) {
  uint64_t pid_namespace = tf_load(&slot->pid_namespace);
  if (slot == own_slot) {
    return false; /* whatever anybody says */
  }
  if (tf_dead_generation(index) == generation_in(owner)) {
    return true;
  }
  if (!is_ready(slot, owner) || pid_namespace == 0 || pid_namespace != self.pid_namespace) {
    return false;
  }
  /* A slot of our own pid is that of our program before exec, or of an earlier process. */
  return pid_in(owner) == self.pid ||
         tf_has_ended(pid_in(owner), tf_load(&slot->start_time));
}

/* Free the slots of processes that are gone; returns whether there were any. */
static bool sweep(struct tf_use *use) {
  bool has_swept = false;
  for (uint32_t i = 0; i < slots_used(use); i++) {
    struct tf_use_process *slot = &use->process[i];
    uint64_t owner = tf_load(owner_of(slot));
    if (pid_in(owner) != 0 && is_abandoned(slot, i, owner)) {
      has_swept |= tf_exchange(owner_of(slot), owner, owner_word(0, generation_in(owner)));
    }
  }
  return has_swept;
}

static void raise_slots_used(struct tf_use *use, uint64_t count) {
  uint64_t before = tf_load(&use->slots_used);
  while (before < count && !tf_exchange(&use->slots_used, before, count)) {
    before = tf_load(&use->slots_used);
  }
}

/* Fill in a slot that is ours; it counts from the last store on. */
static void move_in(struct tf_use_process *slot, uint32_t generation) {
  for (uint32_t gpu = 0; gpu < TF_MOST_GPUS; gpu++) {
    tf_store(&slot->memory_bytes[gpu], 0);
  }
  tf_store(&slot->charged_ns, 0);
  tf_store(&slot->context_bytes, 0);
  tf_store(&slot->start_time, self.start_time);
  tf_store(&slot->pid_namespace, self.pid_namespace);
  tf_store(&slot->ready_generation, generation);
}

static struct tf_use_process *claim_free_slot(struct tf_use *use) {
  for (uint32_t i = 0; i < TF_MOST_PROCESSES; i++) {
    struct tf_use_process *slot = &use->process[i];
    uint64_t owner = tf_load(owner_of(slot));
    uint32_t generation = generation_in(owner) + 1;
    generation += generation == 0; /* 0 means none, also in the agent's list of the dead */
    if (pid_in(owner) == 0 &&
        tf_exchange(owner_of(slot), owner, owner_word(self.pid, generation))) {
      raise_slots_used(use, i + 1);
      move_in(slot, generation);
      return slot;
    }
  }
  return NULL;
}

static bool is_self(const struct tf_identity *other) {
  return other->pid == self.pid && other->start_time == self.start_time &&
         other->pid_namespace == self.pid_namespace;
}

bool tf_slot_claim(void) {
  struct tf_use *use = tf_use();
  struct tf_use_process *slot;
  struct tf_identity now = tf_identity_of_self();
  if (own_slot != &lone_slot && is_self(&now)) {
    return true;
  }
  memset(&lone_slot, 0, sizeof lone_slot);
  own_slot = &lone_slot;
  self = now;
  sweep(use);
  slot = claim_free_slot(use);
  if (slot != NULL) {
    __atomic_store_n(&own_slot, slot, __ATOMIC_RELEASE);
  }
  return slot != NULL;
}

static struct tf_use_process *slot_of_self(void) {
  return __atomic_load_n(&own_slot, __ATOMIC_ACQUIRE);
}

void tf_slot_release(void) {
  struct tf_use_process *slot = slot_of_self();
  uint64_t owner = tf_load(owner_of(slot));
  __atomic_store_n(&own_slot, &lone_slot, __ATOMIC_RELEASE);
  if (slot != &lone_slot && pid_in(owner) == self.pid) {
    tf_exchange(owner_of(slot), owner, owner_word(0, generation_in(owner)));
  }
}

static uint64_t add_up(uint64_t held_bytes, uint64_t bytes) {
  return held_bytes + bytes < held_bytes ? UINT64_MAX : held_bytes + bytes;
}

static bool is_known(int gpu) {
  return gpu >= 0 && gpu < (int)TF_MOST_GPUS;
}

uint64_t tf_held_bytes(int gpu) {
  struct tf_use *use = tf_use();
  uint64_t held_bytes;
  if (!is_known(gpu)) {
    return 0;
  }
  held_bytes = add_up(tf_hidden_bytes(gpu), tf_load(&lone_slot.memory_bytes[gpu]));
  for (uint32_t i = 0; i < slots_used(use); i++) {
    struct tf_use_process *slot = &use->process[i];
    uint64_t owner = tf_load(owner_of(slot));
    if (pid_in(owner) != 0 && is_ready(slot, owner)) {
      held_bytes = add_up(held_bytes, tf_load(&slot->memory_bytes[gpu]));
    }
  }
  return held_bytes;
}

/* Let a competitor finish: two that reserve at once each see the other's bytes, and both would be
 * denied where one fits.  Slots rest for different times, so that they do not meet again. */
static void give_way(uint32_t attempt) {
  uintptr_t place = (uintptr_t)slot_of_self() / sizeof(struct tf_use_process);
  struct timespec rest = {.tv_nsec = (long)(TRY_AGAIN_NS * attempt * (1 + place % 7))};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
}

static bool reserve_once(int gpu, uint64_t bytes, uint64_t limit_bytes) {
  uint64_t *own = &slot_of_self()->memory_bytes[gpu];
  tf_add(own, bytes);
  if (tf_held_bytes(gpu) <= limit_bytes) {
    return true;
  }
  tf_subtract(own, bytes);
  return false;
}

/* Whether a limit has to be asked; where there is none, the bytes are charged. */
static bool asks_limit(int gpu, uint64_t bytes, uint64_t *limit_bytes) {
  if (!is_known(gpu)) {
    return false;
  }
  *limit_bytes = tf_memory_limit_bytes(gpu);
  if (*limit_bytes == UINT64_MAX) {
    tf_add(&slot_of_self()->memory_bytes[gpu], bytes);
    return false;
  }
  return true;
}

bool tf_reserve(int gpu, uint64_t bytes) {
  struct tf_use *use = tf_use();
  uint64_t limit_bytes;
  if (!asks_limit(gpu, bytes, &limit_bytes)) {
    return true;
  }
  for (uint32_t attempt = 1; bytes <= limit_bytes && attempt <= MOST_TRIES; attempt++) {
    if (reserve_once(gpu, bytes, limit_bytes)) {
      return true;
    }
    if (!sweep(use)) {
      give_way(attempt);
    }
  }
  tf_deny(gpu, bytes);
  return false;
}

bool tf_reserve_at_once(int gpu, uint64_t bytes) {
  uint64_t limit_bytes;
  if (!asks_limit(gpu, bytes, &limit_bytes)) {
    return true;
  }
  /* First without a mark on the slot, which would deny a competitor for a moment. */
  return add_up(tf_held_bytes(gpu), bytes) <= limit_bytes && reserve_once(gpu, bytes, limit_bytes);
}

void tf_deny(int gpu, uint64_t bytes) {
  if (is_known(gpu)) {
    tf_add(&tf_use()->gpu[gpu].denied_allocations, 1);
    tf_add(&tf_use()->gpu[gpu].denied_bytes, bytes);
  }
}

bool tf_is_over_limit(int gpu) {
  return is_known(gpu) && tf_held_bytes(gpu) > tf_memory_limit_bytes(gpu);
}

void tf_reserve_always(int gpu, uint64_t bytes, bool is_context) {
  struct tf_use_process *slot = slot_of_self();
  if (is_known(gpu)) {
    tf_add(&slot->memory_bytes[gpu], bytes);
  }
  if (is_known(gpu) && is_context) {
    tf_add(&slot->context_bytes, bytes);
  }
}

void tf_unreserve(int gpu, uint64_t bytes, bool is_context) {
  struct tf_use_process *slot = slot_of_self();
  if (is_known(gpu)) {
    tf_subtract(&slot->memory_bytes[gpu], bytes);
  }
  if (is_known(gpu) && is_context) {
    tf_subtract(&slot->context_bytes, bytes);
  }
}
