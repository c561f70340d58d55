/* Arrays, and memory of other processes, for which the exporter pays. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuda_process.h"

struct CUblock_st {
  CUdeviceptr address; /* 0: external memory, which takes nothing here */
  size_t bytes;
};

struct ipc_content {
  CUdeviceptr address;
  size_t bytes;
  pid_t pid;
};

static size_t format_bytes(int format) {
  switch (format) {
    case 0x01:
    case 0x08: return 1;
    case 0x02:
    case 0x09:
    case 0x10: return 2;
    case 0x03:
    case 0x0a:
    case 0x20: return 4;
    default: return 0;
  }
}

static size_t larger(size_t one, size_t other) { return one > other ? one : other; }

static CUresult make(CUblock *made, size_t bytes) {
  CUcontext context;
  CUresult result = cuda_begin_in(&context);
  if (result != CUDA_SUCCESS) return result;
  result = cuda_unsafe_call();
  CUblock block = malloc(sizeof *block);
  if (block == NULL) result = CUDA_ERROR_OUT_OF_MEMORY;
  if (result == CUDA_SUCCESS) {
    block->bytes = bytes;
    result = cuda_memory_make(context, context->device, bytes, NULL, &block->address);
  }
  if (result == CUDA_SUCCESS) *made = block;
  else free(block);
  return cuda_end(result);
}

static CUresult end(CUblock block) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (block == NULL) return cuda_end(CUDA_ERROR_INVALID_HANDLE);
  if (block->address != 0) result = cuda_memory_end(block->address);
  free(block);
  return cuda_end(result);
}

static size_t bytes_of(const struct cuda_array_3d *array) {
  return array->width * larger(array->height, 1) * larger(array->depth, 1) *
         format_bytes(array->format) * array->channels;
}

EXPORT CUresult cuArray3DCreate_v2(CUblock *array, const struct cuda_array_3d *wanted) {
  return make(array, bytes_of(wanted));
}

EXPORT CUresult cuArrayCreate_v2(CUblock *array, const struct cuda_array *wanted) {
  const struct cuda_array_3d flat = {.width = wanted->width, .height = wanted->height,
                                     .format = wanted->format, .channels = wanted->channels};
  return cuArray3DCreate_v2(array, &flat);
}

EXPORT CUresult cuArrayDestroy(CUblock array) { return end(array); }

EXPORT CUresult cuMipmappedArrayCreate(CUblock *array, const struct cuda_array_3d *wanted,
                                       unsigned levels) {
  struct cuda_array_3d level = *wanted;
  size_t bytes = 0;
  for (unsigned i = 0; i < levels; i++) {
    bytes += bytes_of(&level);
    level.width = larger(level.width / 2, 1);
    level.height /= 2;
    level.depth /= 2;
  }
  return make(array, bytes);
}

EXPORT CUresult cuMipmappedArrayDestroy(CUblock array) { return end(array); }

EXPORT CUresult cuIpcGetMemHandle(struct cuda_ipc *handle, CUdeviceptr address) {
  extern CUresult cuMemGetAddressRange_v2(CUdeviceptr *, size_t *, CUdeviceptr);
  struct ipc_content content = {.pid = getpid()};
  CUresult result = cuMemGetAddressRange_v2(&content.address, &content.bytes, address);
  memset(handle, 0, sizeof *handle);
  memcpy(handle, &content, sizeof content);
  return result;
}

EXPORT CUresult cuIpcOpenMemHandle_v2(CUdeviceptr *address, struct cuda_ipc handle,
                                      unsigned flags) {
  (void)flags;
  struct ipc_content content;
  memcpy(&content, &handle, sizeof content);
  if (content.bytes == 0 || content.pid == getpid()) return CUDA_ERROR_INVALID_CONTEXT;
  *address = cuda_address_make(content.bytes);
  return *address != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT CUresult cuIpcCloseMemHandle(CUdeviceptr address) {
  return address != 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuImportExternalMemory(CUblock *memory, const struct cuda_external_memory *from) {
  CUblock block = calloc(1, sizeof *block);
  if (block == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
  block->bytes = from->bytes;
  *memory = block;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuExternalMemoryGetMappedBuffer(CUdeviceptr *address, CUblock memory,
                                                const struct cuda_external_buffer *buffer) {
  if (buffer->offset + buffer->bytes > memory->bytes) return CUDA_ERROR_INVALID_VALUE;
  *address = cuda_address_make(buffer->bytes);
  return *address != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT CUresult cuDestroyExternalMemory(CUblock memory) { return end(memory); }
