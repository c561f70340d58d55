/* The real functions of the driver and of NVML, found once each.
 *
 * The next one in the loader's order is taken, so that another preload behind this one keeps its
 * turn; where the program has loaded the driver for itself, that one.
 */
#ifndef TF_REAL_H
#define TF_REAL_H

#include "symbols.h"

/* The real function `exported` of symbols.def, by its type.  Where the driver has none, a function
 * that returns CUDA_ERROR_NOT_FOUND. */
#define tf_real(exported) ((tf_type_##exported *)tf_real_at(TF_SYMBOL_##exported))

/* The same where it was looked for before; else NULL. */
#define tf_real_if_found(exported) \
  ((tf_type_##exported *)__atomic_load_n(&tf_reals[TF_SYMBOL_##exported], __ATOMIC_ACQUIRE))

/* Whether the driver has it. */
#define tf_has_real(exported) (tf_real_at(TF_SYMBOL_##exported) != tf_real_absent())

extern tf_function tf_reals[TF_SYMBOLS];

tf_function tf_real_find(enum tf_symbol symbol);
tf_function tf_real_absent(void);

static inline tf_function tf_real_at(enum tf_symbol symbol) {
  tf_function found = __atomic_load_n(&tf_reals[symbol], __ATOMIC_ACQUIRE);
  return __builtin_expect(found != NULL, 1) ? found : tf_real_find(symbol);
}

/* Of what may run before a sanitizer that this library is tested under has started: it asks `dlsym` too. */
#define TF_EARLY __attribute__((no_sanitize("address", "thread", "undefined")))

/* The `dlsym` of the C library, and the one behind ours, which another preload may have put before it;
 * NULL: there is none (another C library, or a process without libdl). */
typedef void *tf_dlsym(void *handle, const char *name);
tf_dlsym *tf_libc_dlsym(void);
tf_dlsym *tf_next_dlsym(void);

#endif
