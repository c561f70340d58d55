/* cuGetProcAddress: by name, version and the form of stream 0. */
#include <string.h>

#include "cuda_process.h"

enum { FLAG_LEGACY_STREAM = 1, FLAG_THREAD_STREAM = 2 };
enum { SYMBOL_FOUND = 0, SYMBOL_NOT_FOUND = 1, VERSION_NOT_SUFFICIENT = 2 };

typedef void (*function)(void);

/* Declared without their parameters: only addresses are handed out. */
#define ONE(exported, base, version) extern void exported##_address(void) __asm__(#exported);
#define TWO(exported, base, version, thread)                                \
  extern void exported##_address(void) __asm__(#exported);                  \
  extern void exported##thread##_address(void) __asm__(#exported #thread);
#include "cuda_functions.def"
#undef ONE
#undef TWO

struct entry {
  const char *base;
  int version;
  function legacy, per_thread;
};

#define ONE(exported, base, version) {#base, version, exported##_address, exported##_address},
#define TWO(exported, base, version, thread) \
  {#base, version, exported##_address, exported##thread##_address},
static const struct entry entries[] = {
#include "cuda_functions.def"
};

static CUresult find(const char *name, void **found, int version, uint64_t flags, int *status) {
  const struct entry *best = NULL;
  bool is_known = false;
  if (name == NULL || found == NULL || flags > FLAG_THREAD_STREAM) return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
    if (strcmp(entries[i].base, name) != 0) continue;
    is_known = true;
    if (entries[i].version > version) continue;
    if (best == NULL || entries[i].version > best->version) best = &entries[i];
  }
  *status = best != NULL ? SYMBOL_FOUND : is_known ? VERSION_NOT_SUFFICIENT : SYMBOL_NOT_FOUND;
  *found = NULL;
  if (best == NULL) return CUDA_ERROR_NOT_FOUND;
  function chosen = flags == FLAG_THREAD_STREAM ? best->per_thread : best->legacy;
  memcpy(found, &chosen, sizeof chosen);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGetProcAddress(const char *name, void **found, int version, uint64_t flags) {
  int status;
  return find(name, found, version, flags, &status);
}

/* Who asks for the status gets no error for a function that is not there. */
EXPORT CUresult cuGetProcAddress_v2(const char *name, void **found, int version, uint64_t flags,
                                    int *status) {
  int own_status;
  CUresult result = find(name, found, version, flags, status != NULL ? status : &own_status);
  return status != NULL && result == CUDA_ERROR_NOT_FOUND ? CUDA_SUCCESS : result;
}
