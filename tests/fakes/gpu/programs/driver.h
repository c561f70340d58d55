/* The driver API for the test programs: no CUDA headers, and the same on the fake and a real
 * driver.
 *
 * Functions are found by dlopen and dlsym; with ROUTE_ASKED by cuGetProcAddress_v2, as the CUDA
 * runtime does; with ROUTE_LINKED by the dynamic linker. One file per program includes this.
 *
 * The kernel `spin` runs a number of turns of dependent multiplications. The fake driver takes 1
 * ns for each; what a real card takes is measured at the start unless --turns-per-us tells it.
 */
#ifndef PROGRAMS_DRIVER_H
#define PROGRAMS_DRIVER_H

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int Result;
typedef void *Handle;
typedef unsigned long long Address;

static const char PTX[] =
    ".version 7.0\n.target sm_70\n.address_size 64\n"
    ".visible .entry nothing() { ret; }\n"
    ".visible .entry spin(.param .u64 out, .param .u64 turns) {\n"
    "  .reg .u64 %rd<8>; .reg .pred %p<3>;\n"
    "  ld.param.u64 %rd1, [out]; ld.param.u64 %rd2, [turns];\n"
    "  mov.u64 %rd3, 0; mov.u64 %rd4, 88172645463325252;\n"
    "again:\n"
    "  mul.lo.u64 %rd4, %rd4, 6364136223846793005; add.u64 %rd4, %rd4, 1442695040888963407;\n"
    "  add.u64 %rd3, %rd3, 1; setp.lt.u64 %p1, %rd3, %rd2; @%p1 bra again;\n"
    "  setp.ne.u64 %p2, %rd4, 1; @%p2 bra done;\n"
    "  cvta.to.global.u64 %rd1, %rd1; st.global.u64 [%rd1], %rd4;\n"
    "done:\n  ret;\n}\n"
    ".visible .entry wait_flag(.param .u64 flag) {\n"
    "  .reg .u64 %rd<3>; .reg .u32 %r<3>; .reg .pred %p<2>;\n"
    "  ld.param.u64 %rd1, [flag]; cvta.to.global.u64 %rd1, %rd1;\n"
    "again:\n"
    "  ld.volatile.global.u32 %r1, [%rd1]; setp.eq.u32 %p1, %r1, 0; @%p1 bra again;\n"
    "  ret;\n}\n"
    ".visible .entry meet(.param .u64 own, .param .u64 other) {\n"
    "  .reg .u64 %rd<3>; .reg .u32 %r<3>; .reg .pred %p<2>;\n"
    "  ld.param.u64 %rd1, [own]; cvta.to.global.u64 %rd1, %rd1;\n"
    "  ld.param.u64 %rd2, [other]; cvta.to.global.u64 %rd2, %rd2;\n"
    "  mov.u32 %r1, 1; st.volatile.global.u32 [%rd1], %r1; membar.sys;\n"
    "again:\n"
    "  ld.volatile.global.u32 %r2, [%rd2]; setp.eq.u32 %p1, %r2, 0; @%p1 bra again;\n"
    "  ret;\n}\n";

#define LAUNCH_PARAMETERS                                                                     \
  (Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Handle, void **, \
   void **)

/* Exported name, name to ask for, version, flags (2: stream 0 of the thread), parameters. */
#define DRIVER_FUNCTIONS(X)                                                                      \
  X(cuInit, cuInit, 2000, 0, (unsigned))                                                         \
  X(cuDeviceGet, cuDeviceGet, 2000, 0, (int *, int))                                             \
  X(cuDeviceGetCount, cuDeviceGetCount, 2000, 0, (int *))                                        \
  X(cuCtxCreate_v2, cuCtxCreate, 3020, 0, (Handle *, unsigned, int))                             \
  X(cuCtxSetCurrent, cuCtxSetCurrent, 4000, 0, (Handle))                                         \
  X(cuCtxSynchronize, cuCtxSynchronize, 2000, 0, (void))                                         \
  X(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, 7000, 0, (Handle *, int))                \
  X(cuModuleLoadData, cuModuleLoadData, 2000, 0, (Handle *, const void *))                       \
  X(cuModuleGetFunction, cuModuleGetFunction, 2000, 0, (Handle *, Handle, const char *))         \
  X(cuLaunchKernel, cuLaunchKernel, 4000, 0, LAUNCH_PARAMETERS)                                  \
  X(cuLaunchKernel_ptsz, cuLaunchKernel, 7000, 2, LAUNCH_PARAMETERS)                             \
  X(cuStreamCreate, cuStreamCreate, 2000, 0, (Handle *, unsigned))                               \
  X(cuStreamSynchronize, cuStreamSynchronize, 2000, 0, (Handle))                                 \
  X(cuStreamSynchronize_ptsz, cuStreamSynchronize, 7000, 2, (Handle))                            \
  X(cuStreamWaitEvent, cuStreamWaitEvent, 3020, 0, (Handle, Handle, unsigned))                   \
  X(cuStreamQuery, cuStreamQuery, 2000, 0, (Handle))                                             \
  X(cuStreamBeginCapture_v2, cuStreamBeginCapture, 10010, 0, (Handle, int))                      \
  X(cuStreamEndCapture, cuStreamEndCapture, 10000, 0, (Handle, Handle *))                        \
  X(cuThreadExchangeStreamCaptureMode, cuThreadExchangeStreamCaptureMode, 10010, 0, (int *))     \
  X(cuGraphInstantiateWithFlags, cuGraphInstantiateWithFlags, 11040, 0,                          \
    (Handle *, Handle, unsigned long long))                                                      \
  X(cuGraphLaunch, cuGraphLaunch, 10000, 0, (Handle, Handle))                                    \
  X(cuGraphExecDestroy, cuGraphExecDestroy, 10000, 0, (Handle))                                  \
  X(cuDeviceGraphMemTrim, cuDeviceGraphMemTrim, 11040, 0, (int))                                 \
  X(cuEventCreate, cuEventCreate, 2000, 0, (Handle *, unsigned))                                 \
  X(cuEventRecord, cuEventRecord, 2000, 0, (Handle, Handle))                                     \
  X(cuEventQuery, cuEventQuery, 2000, 0, (Handle))                                               \
  X(cuEventSynchronize, cuEventSynchronize, 2000, 0, (Handle))                                   \
  X(cuEventElapsedTime, cuEventElapsedTime, 2000, 0, (float *, Handle, Handle))                  \
  X(cuMemGetInfo_v2, cuMemGetInfo, 3020, 0, (size_t *, size_t *))                                \
  X(cuMemAlloc_v2, cuMemAlloc, 3020, 0, (Address *, size_t))                                     \
  X(cuMemAllocPitch_v2, cuMemAllocPitch, 3020, 0,                                                \
    (Address *, size_t *, size_t, size_t, unsigned))                                             \
  X(cuMemAllocManaged, cuMemAllocManaged, 6000, 0, (Address *, size_t, unsigned))                \
  X(cuMemFree_v2, cuMemFree, 3020, 0, (Address))                                                 \
  X(cuMemHostAlloc, cuMemHostAlloc, 2020, 0, (void **, size_t, unsigned))                        \
  X(cuMemAllocAsync, cuMemAllocAsync, 11020, 0, (Address *, size_t, Handle))                     \
  X(cuMemAllocAsync_ptsz, cuMemAllocAsync, 11020, 2, (Address *, size_t, Handle))                \
  X(cuMemFreeAsync, cuMemFreeAsync, 11020, 0, (Address, Handle))                                 \
  X(cuMemFreeAsync_ptsz, cuMemFreeAsync, 11020, 2, (Address, Handle))                            \
  X(cuMemAllocFromPoolAsync, cuMemAllocFromPoolAsync, 11020, 0,                                  \
    (Address *, size_t, Handle, Handle))                                                         \
  X(cuDeviceGetDefaultMemPool, cuDeviceGetDefaultMemPool, 11020, 0, (Handle *, int))             \
  X(cuMemPoolCreate, cuMemPoolCreate, 11020, 0, (Handle *, const void *))                        \
  X(cuMemPoolSetAttribute, cuMemPoolSetAttribute, 11020, 0, (Handle, int, void *))               \
  X(cuMemPoolTrimTo, cuMemPoolTrimTo, 11020, 0, (Handle, size_t))                                \
  X(cuMemCreate, cuMemCreate, 10020, 0,                                                          \
    (Address *, size_t, const void *, unsigned long long))                                       \
  X(cuMemRelease, cuMemRelease, 10020, 0, (Address))                                             \
  X(cuArray3DCreate_v2, cuArray3DCreate, 3020, 0, (Handle *, const void *))                      \
  X(cuArrayDestroy, cuArrayDestroy, 2000, 0, (Handle))

#ifdef ROUTE_LINKED
#define DECLARE(name, base, version, flags, parameters) extern Result name parameters;
#else
#define DECLARE(name, base, version, flags, parameters) static Result(*name) parameters;
#endif
DRIVER_FUNCTIONS(DECLARE)

static inline void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(3);
}

static inline void must(Result result, const char *what) {
  if (result == 0) return;
  fprintf(stderr, "%s answered %d\n", what, result);
  exit(1);
}
#define MUST(call) must(call, #call)

static inline uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void sleep_until(uint64_t at_ns) {
  const struct timespec at = {.tv_sec = (time_t)(at_ns / 1000000000u),
                              .tv_nsec = (long)(at_ns % 1000000000u)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) continue;
}

/* Find the driver's functions; exits with 3 where there is no driver. */
static inline void find_driver(void) {
#ifndef ROUTE_LINKED
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == NULL) fail("no CUDA driver here", dlerror());
#ifdef ROUTE_ASKED
  Result (*ask)(const char *, void **, int, uint64_t, int *);
  *(void **)&ask = dlsym(library, "cuGetProcAddress_v2");
  if (ask == NULL) fail("cuGetProcAddress_v2", "is not in libcuda.so.1");
#define FIND(name, base, version, flags, parameters)             \
  {                                                              \
    int status = 0;                                              \
    void *found = NULL;                                          \
    if (ask(#base, &found, version, flags, &status) != 0 || found == NULL) { \
      fail(#base, "is not told by cuGetProcAddress_v2");         \
    }                                                            \
    memcpy(&name, &found, sizeof found);                         \
  }
#else
#define FIND(name, base, version, flags, parameters)                    \
  {                                                                     \
    void *found = dlsym(library, #name);                                \
    if (found == NULL) fail(#name, "is not in libcuda.so.1");           \
    memcpy(&name, &found, sizeof found);                                \
  }
#endif
  DRIVER_FUNCTIONS(FIND)
#endif
}

/* One device with its context, and the kernels in it. */
struct place {
  Handle context, spin, wait_flag, meet;
  Address out;
};

static inline struct place open_place(int ordinal) {
  struct place place;
  Handle module;
  int device;
  MUST(cuDeviceGet(&device, ordinal));
  MUST(cuDevicePrimaryCtxRetain(&place.context, device));
  MUST(cuCtxSetCurrent(place.context));
  MUST(cuModuleLoadData(&module, PTX));
  MUST(cuModuleGetFunction(&place.spin, module, "spin"));
  MUST(cuModuleGetFunction(&place.wait_flag, module, "wait_flag"));
  MUST(cuModuleGetFunction(&place.meet, module, "meet"));
  MUST(cuMemAlloc_v2(&place.out, 4096));
  return place;
}

static double turns_per_us = 0; /* 0: to be measured */

/* Blocks of one warp each, side by side: how many changes the shape of a launch, not its length. */
static inline Result launch_blocks(const struct place *place, uint64_t turns, unsigned blocks,
                                   Handle stream) {
  Address out = place->out;
  void *parameters[] = {&out, &turns};
  return cuLaunchKernel(place->spin, blocks, 1, 1, 32, 1, 1, 0, stream, parameters, NULL);
}

static inline Result launch_turns(const struct place *place, uint64_t turns, Handle stream) {
  return launch_blocks(place, turns, 1, stream);
}

static inline uint64_t turns_of_ns(uint64_t ns) {
  uint64_t turns = (uint64_t)((double)ns * turns_per_us / 1000.0);
  return turns > 0 ? turns : 1;
}

static inline Result launch_ns(const struct place *place, uint64_t ns, Handle stream) {
  return launch_turns(place, turns_of_ns(ns), stream);
}

/* Learn what a turn takes, from the shortest of some kernels. */
static inline void calibrate(const struct place *place, Handle stream) {
  const uint64_t turns = 2000000;
  Handle from, until;
  double shortest_us = 0;
  MUST(cuEventCreate(&from, 0));
  MUST(cuEventCreate(&until, 0));
  for (int i = 0; turns_per_us == 0 && i < 8; i++) {
    float elapsed_ms = 0;
    MUST(cuEventRecord(from, stream));
    MUST(launch_turns(place, turns, stream));
    MUST(cuEventRecord(until, stream));
    MUST(cuEventSynchronize(until));
    MUST(cuEventElapsedTime(&elapsed_ms, from, until));
    double us = (double)elapsed_ms * 1000.0;
    if (shortest_us == 0 || us < shortest_us) shortest_us = us;
  }
  if (turns_per_us == 0) turns_per_us = (double)turns / shortest_us;
}

/* The value of "--name VALUE"; `otherwise` where it is not given. */
static inline const char *option(int count, char **words, const char *name, const char *otherwise) {
  for (int i = 1; i + 1 < count; i++) {
    if (strncmp(words[i], "--", 2) == 0 && strcmp(words[i] + 2, name) == 0) return words[i + 1];
  }
  return otherwise;
}

static inline double number(int count, char **words, const char *name, double otherwise) {
  const char *text = option(count, words, name, NULL);
  return text != NULL ? strtod(text, NULL) : otherwise;
}

/* What every program does first. */
static inline void start(int count, char **words) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  turns_per_us = number(count, words, "turns-per-us", 0);
  find_driver();
}

#endif
