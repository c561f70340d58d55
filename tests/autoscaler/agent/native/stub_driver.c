/* A driver without a device: libcuda.so.1 that notes what it is called with and answers what it is told.
 *
 * Every function of the limiter's table is here, made from the same table, so that a hook that passes
 * arguments wrongly or to the wrong function is found.  There is no device behind it; what a device
 * does is the business of the fake driver in tests/fakes/gpu.
 *
 * All parameters are words: integers and pointers take one register or stack place each, so that a
 * function with more parameters than it was called with reads places that mean nothing.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t word;

#define EXPORT __attribute__((visibility("default")))
#define MOST_ARGUMENTS 11
#define PARAMETERS                                                                             \
  word a0, word a1, word a2, word a3, word a4, word a5, word a6, word a7, word a8, word a9, word a10
#define ARGUMENTS a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10
#define MOST_OVERRIDES 16

enum stub_number {
#define TF_HOOK(exported, base, first_version, form, parameters) NUMBER_##exported,
#define TF_NVML_HOOK(exported, parameters) NUMBER_##exported,
#define TF_REAL(exported, parameters) NUMBER_##exported,
#include "symbols.def"
  NUMBERS
};

static struct {
  unsigned long calls[NUMBERS];
  word arguments[NUMBERS][MOST_ARGUMENTS];
  int answers[NUMBERS];
} noted;

EXPORT int stub_devices = 1;
EXPORT int stub_current_device = 0;
EXPORT int stub_capturing = 0;      /* status that streams answer */
EXPORT int stub_newest_version = 0; /* versions above it have other functions; 0: none */

#define NOTE(exported)                                                             \
  do {                                                                             \
    const word words[MOST_ARGUMENTS] = {ARGUMENTS};                                \
    __atomic_fetch_add(&noted.calls[NUMBER_##exported], 1, __ATOMIC_RELAXED);       \
    memcpy(noted.arguments[NUMBER_##exported], words, sizeof words);               \
  } while (0)

/* What a driver must do for the limiter to work; all else does nothing. */
static int effect(enum stub_number number, word a0, word a1) {
  if (number == NUMBER_cuDeviceGetCount) {
    *(int *)(uintptr_t)a0 = stub_devices;
  } else if (number == NUMBER_cuCtxGetDevice) {
    *(int *)(uintptr_t)a0 = stub_current_device;
  } else if (number == NUMBER_cuDeviceGetUuid || number == NUMBER_cuDeviceGetUuid_v2) {
    memset((void *)(uintptr_t)a0, 0x11 * ((int)a1 + 1), 16);
  } else if (number == NUMBER_cuStreamIsCapturing || number == NUMBER_cuStreamIsCapturing_ptsz) {
    *(int *)(uintptr_t)a1 = stub_capturing;
  } else if (number == NUMBER_cuPointerGetAttribute) {
    *(unsigned int *)(uintptr_t)a0 = 2;
  } else if (number == NUMBER_cuEventCreate || number == NUMBER_cuStreamGetCtx) {
    *(word *)(uintptr_t)(number == NUMBER_cuEventCreate ? a0 : a1) = 0x5000;
  } else if (number == NUMBER_cuEventElapsedTime) {
    *(float *)(uintptr_t)a0 = 0.01f;
  } else if (number == NUMBER_cuGraphInstantiate || number == NUMBER_cuGraphInstantiate_v2 ||
             number == NUMBER_cuGraphInstantiateWithFlags ||
             number == NUMBER_cuGraphInstantiateWithParams ||
             number == NUMBER_cuGraphInstantiateWithParams_ptsz) {
    *(word *)(uintptr_t)a0 = 0x6000;
  } else if (number == NUMBER_cuGraphGetNodes) {
    return 1; /* a graph that tells nothing */
  }
  return 0;
}

#define STUB(exported)                                                                        \
  EXPORT int exported(PARAMETERS);                                                            \
  EXPORT int exported(PARAMETERS) {                                                           \
    NOTE(exported);                                                                           \
    if (noted.answers[NUMBER_##exported] != 0) return noted.answers[NUMBER_##exported];        \
    return effect(NUMBER_##exported, a0, a1);                                                 \
  }

/* These two are below. */
#define cuGetProcAddress noted_cuGetProcAddress
#define cuGetProcAddress_v2 noted_cuGetProcAddress_v2
#define NUMBER_noted_cuGetProcAddress NUMBER_cuGetProcAddress
#define NUMBER_noted_cuGetProcAddress_v2 NUMBER_cuGetProcAddress_v2
#define TF_HOOK(exported, base, first_version, form, parameters) STUB(exported)
#define TF_NVML_HOOK(exported, parameters) STUB(exported)
#define TF_REAL(exported, parameters) STUB(exported)
#include "symbols.def"
#undef cuGetProcAddress
#undef cuGetProcAddress_v2

EXPORT int cuGetProcAddress(const char *name, void **found, int version, uint64_t flags);
EXPORT int cuGetProcAddress_v2(const char *name, void **found, int version, uint64_t flags,
                               int *status);

static int newer(PARAMETERS) {
  (void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8, (void)a9,
      (void)a10;
  return 0;
}

typedef void (*function)(void);

static const struct {
  const char *exported, *base;
  int version;
  int is_thread_form;
  function address;
} known[] = {
#define TF_LEGACY_STREAM 0
#define TF_THREAD_STREAM 1
#define TF_HOOK(exported, base, first_version, form, parameters) \
  {#exported, #base, first_version, form, (function)exported},
#include "symbols.def"
    {"cuDriverGetVersion", "cuDriverGetVersion", 2020, 0, (function)newer},
};

EXPORT int cuGetProcAddress_v2(const char *name, void **found, int version, uint64_t flags,
                               int *status) {
  int best = -1;
  for (int i = 0; i < (int)(sizeof known / sizeof known[0]); i++) {
    const int fits_form = !known[i].is_thread_form || flags == 2;
    if (strcmp(known[i].base, name) == 0 && fits_form && known[i].version <= version &&
        (best < 0 || known[i].version >= known[best].version)) {
      best = i;
    }
  }
  *found = NULL;
  if (status != NULL) *status = best < 0;
  if (best < 0) return 500;
  function chosen = stub_newest_version != 0 && version > stub_newest_version
                        ? (function)newer
                        : known[best].address;
  memcpy(found, &chosen, sizeof chosen);
  return 0;
}

EXPORT int cuGetProcAddress(const char *name, void **found, int version, uint64_t flags) {
  return cuGetProcAddress_v2(name, found, version, flags, NULL);
}

/* What tests ask. */
static int number_of(const char *exported) {
  static const char *const names[] = {
#define TF_HOOK(exported, base, first_version, form, parameters) #exported,
#define TF_NVML_HOOK(exported, parameters) #exported,
#define TF_REAL(exported, parameters) #exported,
#include "symbols.def"
  };
  for (int i = 0; i < NUMBERS; i++) {
    if (strcmp(names[i], exported) == 0) return i;
  }
  return -1;
}

EXPORT unsigned long stub_calls(const char *exported);
EXPORT unsigned long stub_calls(const char *exported) {
  return noted.calls[number_of(exported)];
}

EXPORT word stub_argument(const char *exported, int index);
EXPORT word stub_argument(const char *exported, int index) {
  return noted.arguments[number_of(exported)][index];
}

EXPORT void stub_answer(const char *exported, int result);
EXPORT void stub_answer(const char *exported, int result) {
  noted.answers[number_of(exported)] = result;
}
