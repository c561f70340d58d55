/* Memory by handles: physical memory lives while its handle or a mapping of it does. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cuda_process.h"

#define GRANULARITY_BYTES (2ull << 20)
#define FILE_HANDLE 1

struct physical {
  CUmemGenericAllocationHandle handle;
  size_t bytes;
  int device; /* -1: another process pays for it */
  unsigned references; /* handles and mappings */
  unsigned handles;
  struct physical *next;
};

struct mapping {
  CUdeviceptr address; /* 0: free */
  size_t bytes;
  struct physical *of;
  struct mapping *next;
};

static struct physical *all;
static struct mapping *mappings;
static CUmemGenericAllocationHandle last_handle;

static struct physical *find(CUmemGenericAllocationHandle handle) {
  struct physical *at = all;
  while (at != NULL && (at->handle != handle || at->handles == 0)) at = at->next;
  return at;
}

static void drop(struct physical *physical) {
  if (--physical->references > 0 || physical->device < 0) return;
  cuda_card_give(physical->device, physical->bytes);
}

EXPORT CUresult cuMemGetAllocationGranularity(size_t *granularity_bytes,
                                              const struct cuda_allocation_props *props,
                                              int option) {
  (void)props;
  (void)option;
  *granularity_bytes = GRANULARITY_BYTES;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemAddressReserve(CUdeviceptr *address, size_t bytes, size_t alignment,
                                    CUdeviceptr wanted, unsigned long long flags) {
  (void)alignment;
  (void)wanted;
  (void)flags;
  if (bytes == 0 || bytes % GRANULARITY_BYTES != 0) return CUDA_ERROR_INVALID_VALUE;
  *address = cuda_address_make(bytes);
  return *address != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT CUresult cuMemAddressFree(CUdeviceptr address, size_t bytes) {
  cuda_address_end(address, bytes);
  return CUDA_SUCCESS;
}

static CUresult enter(CUmemGenericAllocationHandle *handle, size_t bytes, int device) {
  struct physical *physical = malloc(sizeof *physical);
  if (physical == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
  *physical = (struct physical){.handle = ++last_handle, .bytes = bytes, .device = device,
                                .references = 1, .handles = 1, .next = all};
  all = physical;
  *handle = physical->handle;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes,
                            const struct cuda_allocation_props *props,
                            unsigned long long flags) {
  int device = props->location.id;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  bool is_valid = flags == 0 && bytes > 0 && bytes % GRANULARITY_BYTES == 0 && device >= 0 &&
                  device < cuda_card_count();
  if (!is_valid) return cuda_end(CUDA_ERROR_INVALID_VALUE);
  result = cuda_card_take(device, bytes);
  return cuda_end(result == CUDA_SUCCESS ? enter(handle, bytes, device) : result);
}

EXPORT CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  struct physical *physical = find(handle);
  if (physical == NULL) return cuda_end(CUDA_ERROR_INVALID_VALUE);
  physical->handles--;
  drop(physical);
  return cuda_end(CUDA_SUCCESS);
}

/* A file that has the size of the memory stands for it. */
EXPORT CUresult cuMemExportToShareableHandle(void *shared, CUmemGenericAllocationHandle handle,
                                             int type, unsigned long long flags) {
  (void)flags;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  const struct physical *physical = find(handle);
  if (physical == NULL || type != FILE_HANDLE) return cuda_end(CUDA_ERROR_INVALID_VALUE);
  int file = memfd_create("memory", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, (off_t)physical->bytes) != 0) {
    return cuda_end(CUDA_ERROR_INVALID_VALUE);
  }
  *(int *)shared = file;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *handle, void *shared,
                                               int type) {
  struct stat status;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  bool is_valid = type == FILE_HANDLE && fstat((int)(intptr_t)shared, &status) == 0;
  if (!is_valid) return cuda_end(CUDA_ERROR_INVALID_VALUE);
  return cuda_end(enter(handle, (size_t)status.st_size, -1));
}

static struct mapping *mapping_at(CUdeviceptr address) {
  struct mapping *at = mappings;
  while (at != NULL && (at->of == NULL || address < at->address ||
                        address - at->address >= at->bytes)) {
    at = at->next;
  }
  return at;
}

EXPORT CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *handle, void *address) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  struct mapping *mapping = mapping_at((CUdeviceptr)(uintptr_t)address);
  if (mapping == NULL) return cuda_end(CUDA_ERROR_INVALID_VALUE);
  mapping->of->handles++;
  mapping->of->references++;
  *handle = mapping->of->handle;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset,
                         CUmemGenericAllocationHandle handle, unsigned long long flags) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  struct physical *physical = find(handle);
  struct mapping *mapping = malloc(sizeof *mapping);
  bool is_valid = physical != NULL && mapping != NULL && flags == 0 && offset == 0 &&
                  bytes <= physical->bytes && mapping_at(address) == NULL;
  if (!is_valid) {
    free(mapping);
    return cuda_end(CUDA_ERROR_INVALID_VALUE);
  }
  *mapping = (struct mapping){.address = address, .bytes = bytes, .of = physical,
                              .next = mappings};
  mappings = mapping;
  physical->references++;
  return cuda_end(CUDA_SUCCESS);
}

/* Unmaps all that begins in the range. */
EXPORT CUresult cuMemUnmap(CUdeviceptr address, size_t bytes) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  bool is_any = false;
  for (struct mapping *at = mappings; at != NULL; at = at->next) {
    if (at->of == NULL || at->address < address || at->address - address >= bytes) continue;
    drop(at->of);
    at->of = NULL;
    is_any = true;
  }
  return cuda_end(is_any ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

EXPORT CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const void *access,
                               size_t count) {
  (void)bytes;
  (void)access;
  (void)count;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  return cuda_end(mapping_at(address) != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}
