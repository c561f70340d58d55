/* Finding real functions.  Everything of libdl is weak: a process without it, and one under another
 * C library's loader, must be able to load the limiter, and calls nothing of this. */
#define _GNU_SOURCE
#include "real.h"

#include <dlfcn.h>
#include <string.h>

#if defined(__x86_64__)
#define FIRST_GLIBC "GLIBC_2.2.5"
#else
#define FIRST_GLIBC "GLIBC_2.17"
#endif

extern void *dlvsym(void *, const char *, const char *) __attribute__((weak));
extern void *dlopen(const char *, int) __attribute__((weak));

tf_function tf_reals[TF_SYMBOLS];

static int absent(void) {
  return CUDA_ERROR_NOT_FOUND;
}

tf_function tf_real_absent(void) {
  return (tf_function)absent;
}

/* An address as the type that the callers want; ISO C knows no cast between the two. */
TF_EARLY static tf_function function_at(void *address) {
  tf_function function = NULL;
  memcpy(&function, &address, sizeof function);
  return function;
}

TF_EARLY tf_dlsym *tf_libc_dlsym(void) {
  static tf_function found;
  tf_function function = __atomic_load_n(&found, __ATOMIC_ACQUIRE);
  if (function == NULL && dlvsym != NULL) {
    function = function_at(dlvsym(RTLD_NEXT, "dlsym", FIRST_GLIBC));
    __atomic_store_n(&found, function, __ATOMIC_RELEASE);
  }
  return (tf_dlsym *)function;
}

TF_EARLY tf_dlsym *tf_next_dlsym(void) {
  static tf_function found;
  tf_function function = __atomic_load_n(&found, __ATOMIC_ACQUIRE);
  if (function == NULL) {
    tf_dlsym *libc_dlsym = tf_libc_dlsym();
    if (libc_dlsym == NULL) {
      return NULL;
    }
    function = function_at(libc_dlsym(RTLD_NEXT, "dlsym"));
    function = function != NULL ? function : (tf_function)libc_dlsym;
    __atomic_store_n(&found, function, __ATOMIC_RELEASE);
  }
  return (tf_dlsym *)function;
}

/* A library as its users see it, and a name in it that nobody takes the place of. */
struct origin {
  const char *library;
  const char *witness;
};

static struct origin origin_of(const char *name) {
  return name[0] == 'n' ? (struct origin){"libnvidia-ml.so.1", "nvmlSystemGetDriverVersion"}
                        : (struct origin){"libcuda.so.1", "cuDriverGetVersion"};
}

/* Whether a library is one of those that the loader binds names to.  Where the program has loaded it for
 * itself, another preload behind us would find nothing behind itself, and must not be called. */
static bool is_bound(void *library, const char *witness) {
  void *own = tf_libc_dlsym()(library, witness);
  return own != NULL && tf_libc_dlsym()(RTLD_NEXT, witness) == own;
}

static void *find(const char *name) {
  struct origin origin = origin_of(name);
  tf_dlsym *libc_dlsym = tf_libc_dlsym();
  void *next = libc_dlsym != NULL ? libc_dlsym(RTLD_NEXT, name) : NULL;
  void *library;
  if (libc_dlsym == NULL || dlopen == NULL) {
    return next;
  }
  library = dlopen(origin.library, RTLD_LAZY | RTLD_NOLOAD);
  if (library == NULL && next == NULL) {
    library = dlopen(origin.library, RTLD_LAZY); /* asked for before the program has loaded it */
  }
  if (library == NULL || (next != NULL && is_bound(library, origin.witness))) {
    return next;
  }
  return libc_dlsym(library, name);
}

tf_function tf_real_find(enum tf_symbol symbol) {
  tf_function function = function_at(find(tf_symbols[symbol].exported));
  if (function == NULL) {
    function = tf_real_absent();
  }
  __atomic_store_n(&tf_reals[symbol], function, __ATOMIC_RELEASE);
  return function;
}
