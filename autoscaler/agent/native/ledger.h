/* What this process has allocated: by kind and address or handle, how much and on which GPU.
 *
 * A free says an address alone, so the bytes to give back are kept here.  Private to the process; one
 * spin lock, held for a few loads; grows by mmap, so that no allocator of the program is entered.
 */
#ifndef TF_LEDGER_H
#define TF_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

enum tf_kind {
  TF_POINTER = 1, /* of any allocation that is freed by its address */
  TF_ARRAY,
  TF_MIPMAPPED_ARRAY,
  TF_PHYSICAL, /* cuMemCreate: lives until it is released and unmapped as often as it was taken */
  TF_MAPPING,  /* address range over a physical allocation, whose handle is in `owner` */
  TF_POOL,     /* that was made here: on which GPU it allocates */
  TF_CONTEXT,
  TF_PRIMARY_CONTEXT, /* by its device */
  TF_GRAPH            /* executable graph with memory nodes */
};

struct tf_holding {
  enum tf_kind kind;
  int gpu; /* index in the pages; -1: counted nowhere */
  uint64_t key;
  uint64_t bytes;
  uint64_t owner; /* context whose end frees it, or 0; of a mapping: the handle */
  uint32_t references; /* of a pointer: its pool, where that is charged for it; of a pool: whether */
  uint32_t mappings; /* of a context: its device, plus one */
};

/* Enter a holding; true: there was one of the same kind and key, which is copied.  Where the host has
 * no memory for it, it is not entered. */
bool tf_ledger_put(const struct tf_holding *holding, struct tf_holding *replaced);

/* Copy a holding; false: there is none. */
bool tf_ledger_find(enum tf_kind kind, uint64_t key, struct tf_holding *found);

/* Copy a holding and strike it out; false: there is none. */
bool tf_ledger_take(enum tf_kind kind, uint64_t key, struct tf_holding *taken);

/* Change how often a holding is referenced and mapped; true: it was the last of both, and the holding
 * is copied and struck out. */
bool tf_ledger_count(enum tf_kind kind, uint64_t key, int references, int mappings,
                     struct tf_holding *taken);

/* Strike out everything that ends with a context, and add its bytes up by GPU. */
void tf_ledger_take_owned(uint64_t owner, uint64_t bytes[TF_MOST_GPUS]);

/* Strike out everything; in a child after fork, whose driver knows none of it. */
void tf_ledger_clear(void);

#endif
