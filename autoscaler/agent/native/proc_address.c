/* `cuGetProcAddress`: the third way, and the one by which the CUDA runtime asks for everything.
 *
 * The driver is asked first, and NULL stays NULL.  Its answer says which parameters the function has:
 * where it gives the same address for the version that a hook was made for, the hook has the
 * parameters of the version that was asked for.  Another address is a newer function that nobody here
 * knows: it passes, and is counted in the page of use.
 */
#include "pages.h"
#include "process.h"
#include "real.h"

typedef CUresult ask(const char *base, void **address, int version, uint64_t flags);

static CUresult ask_first(const char *base, void **address, int version, uint64_t flags) {
  return tf_real(cuGetProcAddress)(base, address, version, flags);
}

static CUresult ask_second(const char *base, void **address, int version, uint64_t flags) {
  int status;
  return tf_real(cuGetProcAddress_v2)(base, address, version, flags, &status);
}

static bool is_known_base(const char *base) {
  return tf_hook_of_base(base, INT32_MAX, TF_LEGACY_STREAM) != NULL;
}

static const struct tf_symbol_entry *entry_for(const char *base, int version, uint64_t flags) {
  const struct tf_symbol_entry *entry = NULL;
  if ((flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0) {
    entry = tf_hook_of_base(base, version, TF_THREAD_STREAM);
  }
  return entry != NULL ? entry : tf_hook_of_base(base, version, TF_LEGACY_STREAM);
}

static void replace(ask *driver, const char *base, void **address, int version, uint64_t flags) {
  const struct tf_symbol_entry *entry;
  void *known = NULL;
  if (!is_known_base(base)) {
    tf_function hook = tf_hook_of_export(base); /* some ask by the exported name */
    if (hook != NULL) {
      __builtin_memcpy(address, &hook, sizeof hook);
    }
    return;
  }
  entry = entry_for(base, version, flags);
  if (entry != NULL && driver(base, &known, entry->first_version, flags) == CUDA_SUCCESS &&
      known == *address) {
    __builtin_memcpy(address, &entry->hook, sizeof entry->hook);
  } else if (tf_attached()) {
    __atomic_fetch_add(&tf_use()->unknown_symbols, 1, __ATOMIC_RELAXED);
  }
}

CUresult tf_hook_cuGetProcAddress(const char *base, void **address, int version, uint64_t flags) {
  CUresult result = ask_first(base, address, version, flags);
  if (result == CUDA_SUCCESS && base != NULL && address != NULL && *address != NULL) {
    replace(ask_first, base, address, version, flags);
  }
  return result;
}

CUresult tf_hook_cuGetProcAddress_v2(const char *base, void **address, int version, uint64_t flags,
                                     int *status) {
  CUresult result = tf_real(cuGetProcAddress_v2)(base, address, version, flags, status);
  if (result == CUDA_SUCCESS && base != NULL && address != NULL && *address != NULL) {
    replace(ask_second, base, address, version, flags);
  }
  return result;
}
