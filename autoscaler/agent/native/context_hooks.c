/* Contexts: what one takes of the card counts, and what was allocated in it ends with it.
 *
 * The driver does not say how much a context takes, so NVML's reading of the card is compared before
 * and after.  Neighbours allocate and free meanwhile: a difference that no context has is replaced by
 * what an empty context takes (docs/gpu-facts.md).
 */
#include "charging.h"
#include "graph_memory.h"
#include "pages.h"
#include "pools.h"
#include "process.h"
#include "real.h"
#include "slots.h"

#define USUAL_CONTEXT_BYTES (545ull << 20)
#define LEAST_CONTEXT_BYTES (64ull << 20)
#define MOST_CONTEXT_BYTES (1024ull << 20)

/* What is in use on a card, by everybody; 0: NVML does not say. */
static uint64_t used_bytes(int gpu) {
  nvmlMemory_t memory = {0};
  nvmlDevice_t device = NULL;
  if (!tf_has_real(nvmlInit_v2) || tf_real(nvmlInit_v2)() != 0 ||
      tf_real(nvmlDeviceGetHandleByUUID)(tf_gpu_uuid(gpu), &device) != 0 ||
      tf_real(nvmlDeviceGetMemoryInfo)(device, &memory) != 0) {
    return 0;
  }
  return memory.used;
}

/* What is in use before a context is made; 0: it will not be measured. */
static uint64_t before_context(int gpu) {
  return gpu >= 0 && tf_counts_contexts() ? used_bytes(gpu) : 0;
}

/* What a context takes that was made between two readings. */
static uint64_t context_bytes(int gpu, uint64_t before_bytes) {
  uint64_t after_bytes = before_bytes == 0 ? 0 : used_bytes(gpu);
  uint64_t bytes = after_bytes - before_bytes;
  bool is_plausible = after_bytes > before_bytes && bytes >= LEAST_CONTEXT_BYTES &&
                      bytes <= MOST_CONTEXT_BYTES;
  if (!tf_counts_contexts()) {
    return 0;
  }
  return is_plausible ? bytes : USUAL_CONTEXT_BYTES;
}

/* Enter a context with its device, and count it. */
static void enter_context(enum tf_kind kind, uint64_t key, CUcontext context, CUdevice device,
                          uint64_t before_bytes) {
  int gpu = tf_gpu_of_device(device);
  struct tf_holding holding = {.kind = kind,
                               .gpu = gpu,
                               .key = key,
                               .bytes = context_bytes(gpu, before_bytes),
                               .owner = (uint64_t)(uintptr_t)context,
                               .references = 1,
                               .mappings = (uint32_t)device + 1};
  tf_reserve_always(gpu, holding.bytes, true);
  tf_keep(CUDA_SUCCESS, &holding);
}

/* Give back what was allocated in a context that has ended. */
static void end_context(uint64_t context) {
  uint64_t bytes[TF_MOST_GPUS];
  tf_ledger_take_owned(context, bytes);
  for (int gpu = 0; gpu < (int)TF_MOST_GPUS; gpu++) {
    tf_unreserve(gpu, bytes[gpu], false);
  }
}

static uint64_t key_of(CUcontext context) {
  return (uint64_t)(uintptr_t)context;
}

static CUresult created(CUresult result, const CUcontext *context, CUdevice device,
                        uint64_t before_bytes) {
  if (result == CUDA_SUCCESS && tf_gpu_of_device(device) >= 0) {
    enter_context(TF_CONTEXT, key_of(*context), *context, device, before_bytes);
  }
  return result;
}

CUresult tf_hook_cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device) {
  uint64_t before_bytes = before_context(tf_gpu_of_device(device));
  return created(tf_real(cuCtxCreate_v2)(context, flags, device), context, device, before_bytes);
}

CUresult tf_hook_cuCtxCreate_v3(CUcontext *context, CUexecAffinityParam *affinities, int count,
                                unsigned int flags, CUdevice device) {
  uint64_t before_bytes = before_context(tf_gpu_of_device(device));
  return created(tf_real(cuCtxCreate_v3)(context, affinities, count, flags, device), context, device,
                 before_bytes);
}

CUresult tf_hook_cuCtxCreate_v4(CUcontext *context, CUctxCreateParams *parameters,
                                unsigned int flags, CUdevice device) {
  uint64_t before_bytes = before_context(tf_gpu_of_device(device));
  return created(tf_real(cuCtxCreate_v4)(context, parameters, flags, device), context, device,
                 before_bytes);
}

CUresult tf_hook_cuCtxDestroy_v2(CUcontext context) {
  struct tf_holding holding;
  bool is_held = tf_let_go_begin(TF_CONTEXT, key_of(context), &holding);
  CUresult result;
  if (is_held) {
    tf_context_ends((CUdevice)holding.mappings - 1);
  }
  result = tf_let_go_end(tf_real(cuCtxDestroy_v2)(context), is_held, &holding);
  if (result == CUDA_SUCCESS) {
    end_context(key_of(context));
    tf_pools_look();
  }
  return result;
}

static bool is_primary_active(CUdevice device) {
  unsigned int flags = 0;
  int is_active = 0;
  return tf_real(cuDevicePrimaryCtxGetState)(device, &flags, &is_active) == CUDA_SUCCESS &&
         is_active != 0;
}

/* A device as a key, which is never zero. */
static uint64_t key_of_device(CUdevice device) {
  return (uint64_t)device + 1;
}

static bool find_primary(CUdevice device, struct tf_holding *holding) {
  return tf_ledger_find(TF_PRIMARY_CONTEXT, key_of_device(device), holding);
}

/* One retain more or less of a primary context that lives on. */
static void count_retain(CUdevice device, int change) {
  struct tf_holding none;
  tf_ledger_count(TF_PRIMARY_CONTEXT, key_of_device(device), change, 0, &none);
}

CUresult tf_hook_cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  int gpu = tf_gpu_of_device(device);
  bool is_new = gpu >= 0 && !is_primary_active(device);
  uint64_t before_bytes = is_new ? before_context(gpu) : 0;
  CUresult result = tf_real(cuDevicePrimaryCtxRetain)(context, device);
  if (result == CUDA_SUCCESS && is_new) {
    enter_context(TF_PRIMARY_CONTEXT, key_of_device(device), *context, device, before_bytes);
  } else if (result == CUDA_SUCCESS && gpu >= 0) {
    count_retain(device, 1);
  }
  return result;
}

/* Before a release: the events of the GPU end with the last one. */
static void before_release(CUdevice device) {
  struct tf_holding holding;
  if (find_primary(device, &holding) && holding.references <= 1) {
    tf_context_ends(device);
  }
}

/* After a release or a reset: the primary context is gone where it is active no more. */
static CUresult let_primary_go(CUresult result, CUdevice device) {
  struct tf_holding holding;
  if (result != CUDA_SUCCESS || !find_primary(device, &holding)) {
    return result;
  }
  if (is_primary_active(device)) {
    count_retain(device, holding.references > 1 ? -1 : 0);
  } else if (tf_let_go_begin(TF_PRIMARY_CONTEXT, key_of_device(device), &holding)) {
    tf_let_go_end(CUDA_SUCCESS, true, &holding);
    end_context(holding.owner);
    tf_graph_memory_end(device);
    tf_pools_end_on(device);
  }
  return result;
}

CUresult tf_hook_cuDevicePrimaryCtxRelease(CUdevice device) {
  before_release(device);
  return let_primary_go(tf_real(cuDevicePrimaryCtxRelease)(device), device);
}

CUresult tf_hook_cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  before_release(device);
  return let_primary_go(tf_real(cuDevicePrimaryCtxRelease_v2)(device), device);
}

CUresult tf_hook_cuDevicePrimaryCtxReset(CUdevice device) {
  tf_context_ends(device);
  return let_primary_go(tf_real(cuDevicePrimaryCtxReset)(device), device);
}

CUresult tf_hook_cuDevicePrimaryCtxReset_v2(CUdevice device) {
  tf_context_ends(device);
  return let_primary_go(tf_real(cuDevicePrimaryCtxReset_v2)(device), device);
}
