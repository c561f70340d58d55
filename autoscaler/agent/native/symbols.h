/* The table of hooks: which function of ours stands for which function of the driver.
 *
 * Programs reach the driver by three ways: symbols that the loader binds, `dlsym`, and
 * `cuGetProcAddress`.  Each way asks this table; the hooks know nothing of the ways.
 */
#ifndef TF_SYMBOLS_H
#define TF_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "driver.h"

typedef void (*tf_function)(void);

/* Every function of symbols.def by number: hooks of the driver first, then those of NVML, then the
 * ones that are called only. */
enum tf_symbol {
#define TF_HOOK(exported, base, first_version, form, parameters) TF_SYMBOL_##exported,
#include "symbols.def"
#define TF_NVML_HOOK(exported, parameters) TF_SYMBOL_##exported,
#include "symbols.def"
#define TF_REAL(exported, parameters) TF_SYMBOL_##exported,
#include "symbols.def"
  TF_SYMBOLS
};

/* Type of each function, and the hooks. */
#define TF_HOOK(exported, base, first_version, form, parameters) \
  typedef CUresult tf_type_##exported parameters;                \
  CUresult tf_hook_##exported parameters;
#define TF_NVML_HOOK(exported, parameters)  \
  typedef int tf_type_##exported parameters; \
  int tf_hook_##exported parameters;
#define TF_REAL(exported, parameters) typedef int tf_type_##exported parameters;
#include "symbols.def"

struct tf_symbol_entry {
  const char *exported;
  const char *base;  /* NULL: cuGetProcAddress does not know it */
  int first_version;
  enum tf_stream_form form;
  tf_function hook; /* NULL: it is called only */
};

extern const struct tf_symbol_entry tf_symbols[TF_SYMBOLS];

/* The hook of an exported name; NULL: there is none. */
tf_function tf_hook_of_export(const char *exported);

/* The entry that has the parameters which `base` has in `version` for this form, as far as it is known
 * here; NULL: none. */
const struct tf_symbol_entry *tf_hook_of_base(const char *base, int version,
                                              enum tf_stream_form form);

#endif
