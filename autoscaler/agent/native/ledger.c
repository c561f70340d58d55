/* Open addressing with linear probing; a deletion moves the rest of its run back, so that no marks of
 * the deleted pile up over millions of allocations. */
#define _GNU_SOURCE
#include "ledger.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_CAPACITY 1024u /* a power of two */

static struct {
  int lock;
  size_t capacity;
  size_t count;
  struct tf_holding *table; /* kind 0 = free */
} ledger;

static void acquire(void) {
  while (__atomic_exchange_n(&ledger.lock, 1, __ATOMIC_ACQUIRE) != 0) {
    sched_yield();
  }
}

static void release(void) {
  __atomic_store_n(&ledger.lock, 0, __ATOMIC_RELEASE);
}

static size_t home_of(enum tf_kind kind, uint64_t key) {
  uint64_t hash = (key ^ (uint64_t)kind << 56) * 0x9e3779b97f4a7c15ull;
  return (size_t)(hash >> 20) & (ledger.capacity - 1);
}

/* The place of a holding, or the free one where it belongs. */
static struct tf_holding *place_of(enum tf_kind kind, uint64_t key) {
  size_t at = home_of(kind, key);
  while (ledger.table[at].kind != 0 &&
         (ledger.table[at].kind != kind || ledger.table[at].key != key)) {
    at = (at + 1) & (ledger.capacity - 1);
  }
  return &ledger.table[at];
}

static struct tf_holding *find(enum tf_kind kind, uint64_t key) {
  struct tf_holding *place;
  if (ledger.count == 0) {
    return NULL;
  }
  place = place_of(kind, key);
  return place->kind == 0 ? NULL : place;
}

static void strike_out(struct tf_holding *holding) {
  const size_t mask = ledger.capacity - 1;
  size_t hole = (size_t)(holding - ledger.table);
  ledger.count--;
  for (size_t at = (hole + 1) & mask; ledger.table[at].kind != 0; at = (at + 1) & mask) {
    size_t home = home_of(ledger.table[at].kind, ledger.table[at].key);
    if (((at - home) & mask) >= ((at - hole) & mask)) {
      ledger.table[hole] = ledger.table[at];
      hole = at;
    }
  }
  ledger.table[hole].kind = 0;
}

static bool grow(void) {
  struct tf_holding *before = ledger.table;
  const size_t capacity_before = ledger.capacity;
  const size_t capacity = capacity_before == 0 ? FIRST_CAPACITY : capacity_before * 2;
  void *table = mmap(NULL, capacity * sizeof *before, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (table == MAP_FAILED) {
    return false;
  }
  ledger.table = table;
  ledger.capacity = capacity;
  for (size_t i = 0; i < capacity_before; i++) {
    if (before[i].kind != 0) {
      *place_of(before[i].kind, before[i].key) = before[i];
    }
  }
  if (before != NULL) {
    munmap(before, capacity_before * sizeof *before);
  }
  return true;
}

bool tf_ledger_put(const struct tf_holding *holding, struct tf_holding *replaced) {
  bool is_replacing = false;
  acquire();
  if ((ledger.count + 1) * 2 <= ledger.capacity || grow()) {
    struct tf_holding *place = place_of(holding->kind, holding->key);
    is_replacing = place->kind != 0;
    if (is_replacing) {
      *replaced = *place;
    } else {
      ledger.count++;
    }
    *place = *holding;
  }
  release();
  return is_replacing;
}

bool tf_ledger_find(enum tf_kind kind, uint64_t key, struct tf_holding *found) {
  const struct tf_holding *place;
  acquire();
  place = find(kind, key);
  if (place != NULL) {
    *found = *place;
  }
  release();
  return place != NULL;
}

bool tf_ledger_take(enum tf_kind kind, uint64_t key, struct tf_holding *taken) {
  struct tf_holding *place;
  acquire();
  place = find(kind, key);
  if (place != NULL) {
    *taken = *place;
    strike_out(place);
  }
  release();
  return place != NULL;
}

static uint32_t counted(uint32_t count, int change) {
  const int64_t after = (int64_t)count + change;
  return after > 0 ? (uint32_t)after : 0;
}

bool tf_ledger_count(enum tf_kind kind, uint64_t key, int references, int mappings,
                     struct tf_holding *taken) {
  struct tf_holding *place;
  bool is_last = false;
  acquire();
  place = find(kind, key);
  if (place != NULL) {
    place->references = counted(place->references, references);
    place->mappings = counted(place->mappings, mappings);
    is_last = place->references == 0 && place->mappings == 0;
  }
  if (is_last) {
    *taken = *place;
    strike_out(place);
  }
  release();
  return is_last;
}

void tf_ledger_take_owned(uint64_t owner, uint64_t bytes[TF_MOST_GPUS]) {
  memset(bytes, 0, TF_MOST_GPUS * sizeof *bytes);
  acquire();
  for (size_t i = 0; i < ledger.capacity;) {
    struct tf_holding *holding = &ledger.table[i];
    if (holding->kind == 0 || holding->kind == TF_MAPPING || owner == 0 ||
        holding->owner != owner) {
      i++;
      continue;
    }
    if (holding->gpu >= 0 && holding->gpu < (int)TF_MOST_GPUS) {
      bytes[holding->gpu] += holding->bytes;
    }
    strike_out(holding); /* another one may have moved to i */
  }
  release();
}

void tf_ledger_clear(void) {
  /* The lock may be held by a thread that is not in this child. */
  struct tf_holding *table = ledger.table;
  const size_t capacity = ledger.capacity;
  ledger.table = NULL;
  ledger.capacity = 0;
  ledger.count = 0;
  release();
  if (table != NULL) {
    munmap(table, capacity * sizeof *table);
  }
}
