#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_process.h"

enum { /* CUdevice_attribute */
  MAX_THREADS_PER_BLOCK = 1,
  WARP_SIZE = 10,
  MULTIPROCESSOR_COUNT = 16,
  INTEGRATED = 18,
  COMPUTE_MODE = 20,
  CONCURRENT_KERNELS = 31,
  UNIFIED_ADDRESSING = 41,
  COMPUTE_MAJOR = 75,
  COMPUTE_MINOR = 76,
  MANAGED_MEMORY = 83,
  COOPERATIVE_LAUNCH = 95,
  VIRTUAL_MEMORY = 102,
  MEMORY_POOLS = 115
};

static CUresult begin_with(int device) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  bool is_there = device >= 0 && device < cuda_card_count();
  return is_there ? CUDA_SUCCESS : cuda_end(CUDA_ERROR_INVALID_DEVICE);
}

static const struct fake_card_traits *traits_of(int device) {
  return &cuda_view(device)->card->traits;
}

EXPORT CUresult cuDriverGetVersion(int *version) {
  *version = DRIVER_VERSION;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetCount(int *count) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  *count = cuda_card_count();
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  CUresult result = begin_with(ordinal);
  if (result != CUDA_SUCCESS) return result;
  *device = ordinal;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuDeviceGetName(char *name, int bytes, CUdevice device) {
  CUresult result = begin_with(device);
  if (result != CUDA_SUCCESS) return result;
  snprintf(name, (size_t)bytes, "%s", traits_of(device)->name);
  return cuda_end(CUDA_SUCCESS);
}

/* "GPU-" and 32 hexadecimal digits with hyphens, as the 16 bytes that they mean. */
EXPORT CUresult cuDeviceGetUuid_v2(struct cuda_uuid *uuid, CUdevice device) {
  CUresult result = begin_with(device);
  if (result != CUDA_SUCCESS) return result;
  const char *text = traits_of(device)->uuid;
  text += strncmp(text, "GPU-", 4) == 0 ? 4 : 0;
  memset(uuid, 0, sizeof *uuid);
  for (unsigned digits = 0; *text != 0 && digits < 32; text++) {
    char digit[2] = {*text, 0};
    if (*text == '-') continue;
    unsigned byte = (unsigned)uuid->bytes[digits / 2] << 4 | (unsigned)strtoul(digit, NULL, 16);
    uuid->bytes[digits++ / 2] = (unsigned char)byte;
  }
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuDeviceGetUuid(struct cuda_uuid *uuid, CUdevice device) {
  return cuDeviceGetUuid_v2(uuid, device);
}

EXPORT CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
  CUresult result = begin_with(device);
  if (result != CUDA_SUCCESS) return result;
  *bytes = traits_of(device)->total_bytes - traits_of(device)->nvml_reserved_bytes;
  return cuda_end(CUDA_SUCCESS);
}

static int attribute_of(const struct fake_card_traits *traits, int attribute) {
  switch (attribute) {
    case MAX_THREADS_PER_BLOCK: return 1024;
    case WARP_SIZE: return 32;
    case MULTIPROCESSOR_COUNT: return (int)traits->multiprocessors;
    case CONCURRENT_KERNELS:
    case UNIFIED_ADDRESSING:
    case MANAGED_MEMORY:
    case COOPERATIVE_LAUNCH:
    case VIRTUAL_MEMORY:
    case MEMORY_POOLS: return 1;
    case COMPUTE_MAJOR: return (int)traits->compute_major;
    case COMPUTE_MINOR: return (int)traits->compute_minor;
    default: return 0; /* INTEGRATED and COMPUTE_MODE among them */
  }
}

EXPORT CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
  CUresult result = begin_with(device);
  if (result != CUDA_SUCCESS) return result;
  *value = attribute_of(traits_of(device), attribute);
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device) {
  CUresult result = cuDeviceGetAttribute(major, COMPUTE_MAJOR, device);
  return result == CUDA_SUCCESS ? cuDeviceGetAttribute(minor, COMPUTE_MINOR, device) : result;
}

EXPORT CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer) {
  CUresult result = begin_with(device);
  if (result != CUDA_SUCCESS) return result;
  *can = device != peer && peer >= 0 && peer < cuda_card_count();
  return cuda_end(CUDA_SUCCESS);
}

struct error_name {
  CUresult error;
  const char *name;
};

#define NAME(error) {error, #error}
static const struct error_name names[] = {
    NAME(CUDA_SUCCESS), NAME(CUDA_ERROR_INVALID_VALUE), NAME(CUDA_ERROR_OUT_OF_MEMORY),
    NAME(CUDA_ERROR_NOT_INITIALIZED), NAME(CUDA_ERROR_NO_DEVICE),
    NAME(CUDA_ERROR_INVALID_DEVICE), NAME(CUDA_ERROR_INVALID_IMAGE),
    NAME(CUDA_ERROR_INVALID_CONTEXT), NAME(CUDA_ERROR_INVALID_HANDLE),
    NAME(CUDA_ERROR_ILLEGAL_STATE), NAME(CUDA_ERROR_NOT_FOUND), NAME(CUDA_ERROR_NOT_READY),
    NAME(CUDA_ERROR_CONTEXT_IS_DESTROYED), NAME(CUDA_ERROR_NOT_SUPPORTED),
    NAME(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED), NAME(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED),
    NAME(CUDA_ERROR_STREAM_CAPTURE_MERGE), NAME(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED),
    NAME(CUDA_ERROR_STREAM_CAPTURE_UNJOINED), NAME(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT),
    NAME(CUDA_ERROR_CAPTURED_EVENT), NAME(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD),
    NAME(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE)};

EXPORT CUresult cuGetErrorName(CUresult error, const char **name) {
  *name = NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (names[i].error == error) *name = names[i].name;
  }
  return *name != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuGetErrorString(CUresult error, const char **text) {
  return cuGetErrorName(error, text);
}
