/* The ledger and the slot, kept in step. */
#include "charging.h"

#include "pools.h"
#include "real.h"
#include "slots.h"

static bool is_context(const struct tf_holding *holding) {
  return holding->kind == TF_CONTEXT || holding->kind == TF_PRIMARY_CONTEXT;
}

static void give_back(const struct tf_holding *holding) {
  tf_unreserve(holding->gpu, holding->bytes, is_context(holding));
  if (holding->kind == TF_POINTER && holding->references != 0) {
    tf_pool_freed(holding->references);
  }
}

static void enter(const struct tf_holding *holding) {
  struct tf_holding replaced;
  /* Where the host has no memory for the entry, the bytes stay reserved until the process ends: a
   * free that is not credited errs on the side of the limit. */
  if (tf_ledger_put(holding, &replaced)) {
    give_back(&replaced); /* ended unseen: the driver has handed its address out again */
  }
}

uint64_t tf_current_owner(void) {
  CUcontext context = NULL;
  return tf_real(cuCtxGetCurrent)(&context) == CUDA_SUCCESS ? (uint64_t)(uintptr_t)context : 0;
}

bool tf_grant(int gpu, uint64_t bytes) {
  if (tf_reserve_at_once(gpu, bytes)) {
    return true;
  }
  tf_pools_make_room(gpu);
  return tf_reserve(gpu, bytes);
}

struct tf_holding tf_pointer(int gpu, uint64_t bytes) {
  return (struct tf_holding){.kind = TF_POINTER, .gpu = gpu, .bytes = bytes};
}

CUresult tf_keep(CUresult result, const struct tf_holding *holding) {
  if (holding->gpu < 0) {
    return result;
  }
  if (result == CUDA_SUCCESS) {
    enter(holding);
  } else {
    give_back(holding);
  }
  return result;
}

CUresult tf_keep_pointer(CUresult result, struct tf_holding *holding, const CUdeviceptr *address) {
  if (result == CUDA_SUCCESS && holding->gpu >= 0) {
    holding->key = *address;
    holding->owner = tf_current_owner();
  }
  return tf_keep(result, holding);
}

bool tf_let_go_begin(enum tf_kind kind, uint64_t key, struct tf_holding *holding) {
  return key != 0 && tf_ledger_take(kind, key, holding);
}

CUresult tf_let_go_end(CUresult result, bool is_held, const struct tf_holding *holding) {
  if (is_held && result == CUDA_SUCCESS) {
    give_back(holding);
  } else if (is_held) {
    enter(holding);
  }
  return result;
}
