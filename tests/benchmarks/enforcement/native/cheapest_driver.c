/* libcuda.so.1 whose launches cost as little as a call can: what the limiter adds to them shows.
 *
 * Each stream counts its launches, and an event notes the count; between two events every launch took
 * KERNEL_NS of a device, so that costs are learned and work is measured as often as on a card.  All
 * has ended when it is asked for.  Functions of the limiter's table that do nothing here answer success.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t word;

#define EXPORT __attribute__((visibility("default")))
#define KERNEL_NS 5000.0
#define PAIR_NS 3000.0       /* that a pair reads more than the kernels in it */
#define EMPTY_PAIR_NS 1270.0 /* docs/gpu-facts.md */
#define NS_PER_MS 1e6

struct stream {
  _Alignas(64) uint64_t launches;
};

struct event {
  uint64_t launches;
};

static struct stream default_stream;

static struct stream *stream_of(word handle) {
  return handle != 0 ? (struct stream *)(uintptr_t)handle : &default_stream;
}

#define LAUNCH(name)                                                                              \
  EXPORT int name(word function, unsigned grid_x, unsigned grid_y, unsigned grid_z,               \
                  unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,    \
                  word stream, void **parameters, void **extra);                                  \
  EXPORT int name(word function, unsigned grid_x, unsigned grid_y, unsigned grid_z,               \
                  unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,    \
                  word stream, void **parameters, void **extra) {                                 \
    (void)function, (void)grid_x, (void)grid_y, (void)grid_z, (void)block_x, (void)block_y,       \
        (void)block_z, (void)shared_bytes, (void)parameters, (void)extra;                         \
    stream_of(stream)->launches++;                                                                \
    return 0;                                                                                     \
  }
LAUNCH(cuLaunchKernel)

EXPORT int cuStreamCreate(word *made, unsigned flags);
EXPORT int cuStreamCreate(word *made, unsigned flags) {
  (void)flags;
  *made = (word)(uintptr_t)aligned_alloc(_Alignof(struct stream), sizeof(struct stream));
  if (*made == 0) return 2;
  stream_of(*made)->launches = 0;
  return 0;
}

EXPORT int cuEventCreate(word *made, unsigned flags);
EXPORT int cuEventCreate(word *made, unsigned flags) {
  (void)flags;
  *made = (word)(uintptr_t)calloc(1, sizeof(struct event));
  return *made == 0 ? 2 : 0;
}

EXPORT int cuEventRecord(word event, word stream);
EXPORT int cuEventRecord(word event, word stream) {
  ((struct event *)(uintptr_t)event)->launches = stream_of(stream)->launches;
  return 0;
}

EXPORT int cuEventElapsedTime(float *elapsed_ms, word from, word until);
EXPORT int cuEventElapsedTime(float *elapsed_ms, word from, word until) {
  const uint64_t launches = ((struct event *)(uintptr_t)until)->launches -
                            ((struct event *)(uintptr_t)from)->launches;
  const double elapsed_ns = launches == 0 ? EMPTY_PAIR_NS : (double)launches * KERNEL_NS + PAIR_NS;
  *elapsed_ms = (float)(elapsed_ns / NS_PER_MS);
  return 0;
}

EXPORT int cuDeviceGetCount(int *count);
EXPORT int cuDeviceGetCount(int *count) {
  *count = 1;
  return 0;
}

EXPORT int cuDeviceGetUuid(void *uuid, int device);
EXPORT int cuDeviceGetUuid(void *uuid, int device) {
  memset(uuid, 0x11 * (device + 1), 16);
  return 0;
}

EXPORT int cuDeviceGetUuid_v2(void *uuid, int device);
EXPORT int cuDeviceGetUuid_v2(void *uuid, int device) { return cuDeviceGetUuid(uuid, device); }

/* The rest of the table; those above are told from them by these names. */
#define cuLaunchKernel other_cuLaunchKernel
#define cuEventCreate other_cuEventCreate
#define cuEventRecord other_cuEventRecord
#define cuEventElapsedTime other_cuEventElapsedTime
#define cuDeviceGetCount other_cuDeviceGetCount
#define cuDeviceGetUuid other_cuDeviceGetUuid
#define cuDeviceGetUuid_v2 other_cuDeviceGetUuid_v2
#define SUCCEEDING(exported) \
  EXPORT int exported(void); \
  EXPORT int exported(void) { return 0; }
#define TF_HOOK(exported, base, first_version, form, parameters) SUCCEEDING(exported)
#define TF_REAL(exported, parameters) SUCCEEDING(exported)
#include "symbols.def"
