/* Memory of the card: bytes are counted as asked for, without the real one's granularity;
 * addresses are reserved and cannot be read, but for managed memory. Managed memory takes nothing
 * of the card.
 */
#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "cuda_process.h"

#define PITCH_BYTES 512
#define POINTER_MEMORY_TYPE 2
#define POINTER_DEVICE_ORDINAL 9
#define POINTER_RANGE_START 11
#define POINTER_RANGE_BYTES 12

struct allocation {
  CUdeviceptr address; /* first: it is what the tree compares */
  size_t bytes;
  CUcontext context; /* NULL: it outlives contexts */
  CUmemoryPool pool; /* NULL: the card's own memory */
  int device;
  bool is_managed;
  struct allocation *next, *before;
};

static void *tree;
static struct allocation *allocations;

static int compare(const void *one, const void *other) {
  CUdeviceptr first = *(const CUdeviceptr *)one;
  CUdeviceptr second = *(const CUdeviceptr *)other;
  return (first > second) - (first < second);
}

CUdeviceptr cuda_address_make(size_t bytes) {
  void *range = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return range == MAP_FAILED ? 0 : (CUdeviceptr)(uintptr_t)range;
}

void cuda_address_end(CUdeviceptr address, size_t bytes) {
  munmap((void *)(uintptr_t)address, bytes);
}

CUresult cuda_card_take(int device, size_t bytes) {
  struct fake_card_view *view = cuda_view(device);
  fake_card_enter(view);
  bool fits = fake_process_join(view) && fake_memory_take(view, bytes);
  fake_card_leave(view);
  return fits ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

void cuda_card_give(int device, size_t bytes) {
  struct fake_card_view *view = cuda_view(device);
  fake_card_enter(view);
  fake_memory_give(view, bytes);
  fake_card_leave(view);
}

static CUresult enter(const struct allocation *of) {
  struct allocation *allocation = malloc(sizeof *allocation);
  if (allocation == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
  *allocation = *of;
  allocation->before = NULL;
  allocation->next = allocations;
  if (allocations != NULL) allocations->before = allocation;
  allocations = allocation;
  return tsearch(allocation, &tree, compare) != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuda_memory_make(CUcontext context, int device, size_t bytes, CUmemoryPool pool,
                          CUdeviceptr *address) {
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  bool is_taken = pool != NULL ? cuda_pool_take(pool, bytes)
                               : cuda_card_take(device, bytes) == CUDA_SUCCESS;
  if (!is_taken) return CUDA_ERROR_OUT_OF_MEMORY;
  *address = cuda_address_make(bytes);
  if (*address == 0) return CUDA_ERROR_OUT_OF_MEMORY;
  const struct allocation allocation = {
      .address = *address, .bytes = bytes, .context = context, .pool = pool, .device = device};
  return enter(&allocation);
}

static void end_allocation(struct allocation *allocation) {
  tdelete(allocation, &tree, compare);
  if (allocation->before != NULL) allocation->before->next = allocation->next;
  else allocations = allocation->next;
  if (allocation->next != NULL) allocation->next->before = allocation->before;
  if (allocation->pool != NULL) cuda_pool_give(allocation->pool, allocation->bytes);
  else if (!allocation->is_managed) cuda_card_give(allocation->device, allocation->bytes);
  cuda_address_end(allocation->address, allocation->bytes);
  free(allocation);
}

CUresult cuda_memory_end(CUdeviceptr address) {
  struct allocation **found = tfind(&address, &tree, compare);
  if (found == NULL) return CUDA_ERROR_INVALID_VALUE;
  end_allocation(*found);
  return CUDA_SUCCESS;
}

void cuda_memory_forget(CUcontext context) {
  struct allocation *next = NULL;
  for (struct allocation *at = allocations; at != NULL; at = next) {
    next = at->next;
    if (at->context == context) end_allocation(at);
  }
}

static const struct allocation *allocation_at(CUdeviceptr address) {
  for (const struct allocation *at = allocations; at != NULL; at = at->next) {
    if (address >= at->address && address - at->address < at->bytes) return at;
  }
  return NULL;
}

static CUresult begin_unsafe(CUcontext *context) {
  CUresult result = cuda_begin_in(context);
  if (result != CUDA_SUCCESS) return result;
  result = cuda_unsafe_call();
  return result == CUDA_SUCCESS ? result : cuda_end(result);
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
  CUcontext context;
  CUresult result = begin_unsafe(&context);
  if (result != CUDA_SUCCESS) return result;
  return cuda_end(cuda_memory_make(context, context->device, bytes, NULL, address));
}

EXPORT CUresult cuMemAllocPitch_v2(CUdeviceptr *address, size_t *pitch, size_t width,
                                   size_t height, unsigned element) {
  if (element != 4 && element != 8 && element != 16) return CUDA_ERROR_INVALID_VALUE;
  *pitch = (width + PITCH_BYTES - 1) / PITCH_BYTES * PITCH_BYTES;
  return cuMemAlloc_v2(address, *pitch * height);
}

EXPORT CUresult cuMemAllocManaged(CUdeviceptr *address, size_t bytes, unsigned flags) {
  CUcontext context;
  if (bytes == 0 || (flags != 1 && flags != 2)) return CUDA_ERROR_INVALID_VALUE;
  CUresult result = begin_unsafe(&context);
  if (result != CUDA_SUCCESS) return result;
  void *range = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) return cuda_end(CUDA_ERROR_OUT_OF_MEMORY);
  *address = (CUdeviceptr)(uintptr_t)range;
  const struct allocation allocation = {.address = *address, .bytes = bytes, .context = context,
                                        .device = context->device, .is_managed = true};
  return cuda_end(enter(&allocation));
}

EXPORT CUresult cuMemFree_v2(CUdeviceptr address) {
  CUcontext context;
  if (address == 0) return CUDA_SUCCESS;
  CUresult result = begin_unsafe(&context);
  return result == CUDA_SUCCESS ? cuda_end(cuda_memory_end(address)) : result;
}

EXPORT CUresult cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes) {
  CUcontext context;
  CUresult result = cuda_begin_in(&context);
  if (result != CUDA_SUCCESS) return result;
  struct fake_card_view *view = cuda_view(context->device);
  fake_card_enter(view);
  const struct fake_card_traits *traits = &view->card->traits;
  *total_bytes = traits->total_bytes - traits->nvml_reserved_bytes;
  *free_bytes = traits->total_bytes - fake_memory_used_bytes(view->card);
  fake_card_leave(view);
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *bytes, CUdeviceptr address) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  const struct allocation *allocation = allocation_at(address);
  if (allocation == NULL) return cuda_end(CUDA_ERROR_NOT_FOUND);
  if (base != NULL) *base = allocation->address;
  if (bytes != NULL) *bytes = allocation->bytes;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuPointerGetAttribute(void *value, int attribute, CUdeviceptr address) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  const struct allocation *allocation = allocation_at(address);
  if (allocation == NULL) return cuda_end(CUDA_ERROR_INVALID_VALUE);
  switch (attribute) {
    case POINTER_MEMORY_TYPE: *(unsigned *)value = 2; break; /* of the device */
    case POINTER_DEVICE_ORDINAL: *(int *)value = allocation->device; break;
    case POINTER_RANGE_START: *(CUdeviceptr *)value = allocation->address; break;
    case POINTER_RANGE_BYTES: *(size_t *)value = allocation->bytes; break;
    default: result = CUDA_ERROR_NOT_SUPPORTED;
  }
  return cuda_end(result);
}

EXPORT CUresult cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) {
  (void)flags;
  CUcontext context;
  CUresult result = begin_unsafe(&context);
  if (result != CUDA_SUCCESS) return result;
  *memory = calloc(1, bytes);
  return cuda_end(*memory != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
}

EXPORT CUresult cuMemAllocHost_v2(void **memory, size_t bytes) {
  return cuMemHostAlloc(memory, bytes, 0);
}

EXPORT CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *address, void *memory, unsigned flags) {
  (void)flags;
  *address = (CUdeviceptr)(uintptr_t)memory;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemFreeHost(void *memory) {
  CUcontext context;
  CUresult result = begin_unsafe(&context);
  if (result != CUDA_SUCCESS) return result;
  free(memory);
  return cuda_end(CUDA_SUCCESS);
}
