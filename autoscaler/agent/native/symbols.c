/* Looking hooks up: by exported name, and as cuGetProcAddress knows them. */
#include "real.h"

#include <string.h>

const struct tf_symbol_entry tf_symbols[TF_SYMBOLS] = {
#define TF_HOOK(exported, base, first_version, form, parameters) \
  [TF_SYMBOL_##exported] = {#exported, #base, first_version, form, (tf_function)tf_hook_##exported},
#define TF_NVML_HOOK(exported, parameters)                       \
  [TF_SYMBOL_##exported] = {#exported, NULL, 0, TF_LEGACY_STREAM, \
                            (tf_function)tf_hook_##exported},
#define TF_REAL(exported, parameters) \
  [TF_SYMBOL_##exported] = {#exported, NULL, 0, TF_LEGACY_STREAM, NULL},
#include "symbols.def"
};

TF_EARLY tf_function tf_hook_of_export(const char *exported) {
  bool is_driver = exported[0] == 'c' && exported[1] == 'u';
  bool is_nvml = exported[0] == 'n' && exported[1] == 'v' && exported[2] == 'm';
  if (!is_driver && !is_nvml) {
    return NULL; /* nearly every name that a process asks for */
  }
  for (unsigned int i = 0; i < TF_SYMBOLS; i++) {
    if (strcmp(tf_symbols[i].exported, exported) == 0) {
      return tf_symbols[i].hook;
    }
  }
  return NULL;
}

const struct tf_symbol_entry *tf_hook_of_base(const char *base, int version,
                                              enum tf_stream_form form) {
  const struct tf_symbol_entry *best = NULL;
  for (unsigned int i = 0; i < TF_SYMBOLS; i++) {
    const struct tf_symbol_entry *entry = &tf_symbols[i];
    if (entry->base != NULL && entry->form == form && entry->first_version <= version &&
        strcmp(entry->base, base) == 0 &&
        (best == NULL || entry->first_version > best->first_version)) {
      best = entry;
    }
  }
  return best;
}
