/* What programs see of memory: the pod's limit as the card, what the pod holds as used.
 *
 * The driver, NVML and the limit say the same, so that a framework sizes its caches by what it may
 * have.  Free is never more than the card has free.  Without a limit the card is shown as it is.
 */
#include "pages.h"
#include "pools.h"
#include "process.h"
#include "real.h"
#include "slots.h"

#define UUID_BYTES 96u /* of NVML's longest form */

struct view {
  uint64_t total_bytes;
  uint64_t free_bytes;
  uint64_t used_bytes;
};

static uint64_t lower(uint64_t one, uint64_t other) {
  return one < other ? one : other;
}

/* The view of a card of this size; false: there is no limit, and the card is to be shown. */
static bool view_of(int gpu, uint64_t total_bytes, uint64_t free_bytes, struct view *view) {
  const uint64_t limit_bytes = gpu < 0 ? UINT64_MAX : tf_memory_limit_bytes(gpu);
  if (limit_bytes == UINT64_MAX) {
    return false;
  }
  view->total_bytes = lower(total_bytes, limit_bytes);
  view->used_bytes = lower(tf_held_bytes(gpu), view->total_bytes);
  view->free_bytes = lower(free_bytes, view->total_bytes - view->used_bytes);
  return true;
}

CUresult tf_hook_cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes) {
  struct view view;
  CUresult result = tf_real(cuMemGetInfo_v2)(free_bytes, total_bytes);
  if (result == CUDA_SUCCESS) {
    tf_pools_look();
  }
  if (result == CUDA_SUCCESS && view_of(tf_current_gpu(), *total_bytes, *free_bytes, &view)) {
    *free_bytes = (size_t)view.free_bytes;
    *total_bytes = (size_t)view.total_bytes;
  }
  return result;
}

CUresult tf_hook_cuDeviceTotalMem_v2(size_t *total_bytes, CUdevice device) {
  struct view view;
  CUresult result = tf_real(cuDeviceTotalMem_v2)(total_bytes, device);
  if (result == CUDA_SUCCESS &&
      view_of(tf_gpu_of_device(device), *total_bytes, *total_bytes, &view)) {
    *total_bytes = (size_t)view.total_bytes;
  }
  return result;
}

/* Index in the pages of a device of NVML; a program that asks NVML alone is attached here. */
static int gpu_of_nvml(nvmlDevice_t device) {
  char uuid[UUID_BYTES] = "";
  if (!tf_attached() || tf_real(nvmlDeviceGetUUID)(device, uuid, sizeof uuid) != 0) {
    return -1;
  }
  return tf_gpu_index(uuid);
}

int tf_hook_nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
  struct view view;
  int result = tf_real(nvmlDeviceGetMemoryInfo)(device, memory);
  if (result == 0 && view_of(gpu_of_nvml(device), memory->total, memory->free, &view)) {
    memory->total = view.total_bytes;
    memory->free = view.free_bytes;
    memory->used = view.used_bytes;
  }
  return result;
}

int tf_hook_nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) {
  struct view view;
  int result = tf_real(nvmlDeviceGetMemoryInfo_v2)(device, memory);
  if (result == 0 && view_of(gpu_of_nvml(device), memory->total, memory->free, &view)) {
    memory->total = view.total_bytes;
    memory->reserved = 0; /* the card's own part is not the pod's */
    memory->free = view.free_bytes;
    memory->used = view.used_bytes;
  }
  return result;
}
