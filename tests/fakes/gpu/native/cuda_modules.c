/* Modules: kernels are known by their names in the PTX text.
 *
 * "spin" takes an address and a number of turns, each of 1 ns; "spin_<ns>" always takes as long;
 * "wait_flag" runs until the word at its address is not zero; "meet" sets its first word and runs
 * until its second one is set; any other one takes 400 ns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_process.h"

#define NAME_BYTES 64
#define SHORTEST_KERNEL_NS 400

struct CUfunc_st {
  char name[NAME_BYTES];
  CUmodule module;
  CUfunction next;
};

struct CUmod_st {
  char *text;
  CUfunction functions;
  bool is_alive;
};

static CUresult load(CUmodule *made, const void *image) {
  const char *text = image;
  CUmodule module = calloc(1, sizeof *module);
  if (module == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
  module->text = strdup(text);
  if (module->text == NULL || strstr(text, ".entry") == NULL) {
    free(module->text);
    free(module);
    return CUDA_ERROR_INVALID_IMAGE;
  }
  module->is_alive = true;
  *made = module;
  return CUDA_SUCCESS;
}

static bool has_entry(const char *text, const char *name) {
  size_t bytes = strlen(name);
  for (const char *at = strstr(text, ".entry"); at != NULL; at = strstr(at, ".entry")) {
    at += strlen(".entry");
    at += strspn(at, " \t\n");
    if (strncmp(at, name, bytes) == 0 && strchr(" (\t\n", at[bytes]) != NULL) return true;
  }
  return false;
}

static CUresult find(CUfunction *found, CUmodule module, const char *name) {
  for (CUfunction function = module->functions; function != NULL; function = function->next) {
    *found = function;
    if (strcmp(function->name, name) == 0) return CUDA_SUCCESS;
  }
  if (!has_entry(module->text, name) || strlen(name) >= NAME_BYTES) return CUDA_ERROR_NOT_FOUND;
  CUfunction function = calloc(1, sizeof *function);
  if (function == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
  snprintf(function->name, NAME_BYTES, "%s", name);
  function->module = module;
  function->next = module->functions;
  module->functions = function;
  *found = function;
  return CUDA_SUCCESS;
}

static void *pointer_at(void *parameter) {
  uint64_t address;
  memcpy(&address, parameter, sizeof address);
  return (void *)(uintptr_t)address;
}

CUresult cuda_function_work(CUfunction function, void **parameters, struct work *work) {
  static const char spin[] = "spin_";
  *work = (struct work){.length_ns = SHORTEST_KERNEL_NS};
  if (function == NULL || !function->module->is_alive) return CUDA_ERROR_INVALID_HANDLE;
  bool is_spin = strcmp(function->name, "spin") == 0;
  bool is_meeting = strcmp(function->name, "meet") == 0;
  bool is_waiting = strcmp(function->name, "wait_flag") == 0;
  if ((is_spin || is_meeting || is_waiting) && parameters == NULL) return CUDA_ERROR_INVALID_VALUE;
  if (is_spin) memcpy(&work->length_ns, parameters[1], sizeof work->length_ns);
  if (is_waiting) work->until = pointer_at(parameters[0]);
  if (is_meeting) {
    work->mark = pointer_at(parameters[0]);
    work->until = pointer_at(parameters[1]);
  }
  if (work->until != NULL) work->length_ns = FAKE_ENDLESS;
  if (strncmp(function->name, spin, strlen(spin)) == 0) {
    work->length_ns = strtoull(function->name + strlen(spin), NULL, 10);
  }
  return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  CUcontext context;
  CUresult result = cuda_begin_in(&context);
  return result == CUDA_SUCCESS ? cuda_end(load(module, image)) : result;
}

EXPORT CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count,
                                   void *options, void **values) {
  (void)count;
  (void)options;
  (void)values;
  return cuModuleLoadData(module, image);
}

EXPORT CUresult cuModuleUnload(CUmodule module) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (module == NULL || !module->is_alive) return cuda_end(CUDA_ERROR_INVALID_HANDLE);
  module->is_alive = false;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (module == NULL || !module->is_alive) return cuda_end(CUDA_ERROR_INVALID_HANDLE);
  return cuda_end(find(function, module, name));
}

/* Libraries are modules of no context, and their kernels are functions. */
EXPORT CUresult cuLibraryLoadData(CUmodule *library, const void *code, void *options,
                                  void **option_values, unsigned option_count, void *more,
                                  void **more_values, unsigned more_count) {
  (void)options;
  (void)option_values;
  (void)option_count;
  (void)more;
  (void)more_values;
  (void)more_count;
  CUresult result = cuda_begin();
  return result == CUDA_SUCCESS ? cuda_end(load(library, code)) : result;
}

EXPORT CUresult cuLibraryUnload(CUmodule library) { return cuModuleUnload(library); }

EXPORT CUresult cuLibraryGetKernel(CUfunction *kernel, CUmodule library, const char *name) {
  return cuModuleGetFunction(kernel, library, name);
}

EXPORT CUresult cuKernelGetFunction(CUfunction *function, CUfunction kernel) {
  *function = kernel;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction function) {
  *value = attribute == 0 ? 1024 : 0; /* most threads of a block */
  return function == NULL ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}

EXPORT CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
  (void)attribute;
  (void)value;
  return function == NULL ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}
