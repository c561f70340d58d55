/* Launches of kernels, in all their forms. */
#include "passage.h"
#include "real.h"

enum { SHAPE_OLD = 1, SHAPE_COOPERATIVE = 2 };

static inline uint64_t of_handle(const void *handle) {
  return (uint64_t)(uintptr_t)handle;
}

static inline uint64_t shape_of(unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
                                unsigned int block_x, unsigned int block_y, unsigned int block_z) {
  return tf_mixed(grid_x, grid_y, 0) ^ tf_mixed(grid_z, block_x, 1) ^ tf_mixed(block_y, block_z, 2);
}

#define DIMENSIONS                                                                            \
  unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x,        \
      unsigned int block_y, unsigned int block_z, unsigned int shared_bytes, CUstream stream
#define SHAPE shape_of(grid_x, grid_y, grid_z, block_x, block_y, block_z)

#define KERNEL(exported, form)                                                                    \
  TF_LAUNCH(exported, of_handle(function), SHAPE, stream, form,                                   \
            (CUfunction function, DIMENSIONS, void **parameters, void **extra),                   \
            (function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream,   \
             parameters, extra))
KERNEL(cuLaunchKernel, TF_LEGACY_STREAM)
KERNEL(cuLaunchKernel_ptsz, TF_THREAD_STREAM)

#define COOPERATIVE(exported, form)                                                               \
  TF_LAUNCH(exported, of_handle(function), SHAPE ^ SHAPE_COOPERATIVE, stream, form,               \
            (CUfunction function, DIMENSIONS, void **parameters),                                 \
            (function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream,   \
             parameters))
COOPERATIVE(cuLaunchCooperativeKernel, TF_LEGACY_STREAM)
COOPERATIVE(cuLaunchCooperativeKernel_ptsz, TF_THREAD_STREAM)

/* Without a configuration there is no stream either: the driver says what is wrong. */
static inline uint64_t shape_of_config(const CUlaunchConfig *config) {
  return config == NULL ? 0
                        : shape_of(config->gridDimX, config->gridDimY, config->gridDimZ,
                                   config->blockDimX, config->blockDimY, config->blockDimZ);
}

#define KERNEL_EX(exported, form)                                                                 \
  TF_LAUNCH(exported, of_handle(function), shape_of_config(config),                               \
            (config != NULL ? config->hStream : NULL), form,                                      \
            (const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra), \
            (config, function, parameters, extra))
KERNEL_EX(cuLaunchKernelEx, TF_LEGACY_STREAM)
KERNEL_EX(cuLaunchKernelEx_ptsz, TF_THREAD_STREAM)

/* The block of these was set on the function before; the grid alone is known here. */
#define OLD_SHAPE (tf_mixed((unsigned int)width, (unsigned int)height, 0) ^ SHAPE_OLD)
TF_LAUNCH(cuLaunch, of_handle(function), SHAPE_OLD, NULL, TF_LEGACY_STREAM, (CUfunction function),
          (function))
TF_LAUNCH(cuLaunchGrid, of_handle(function), OLD_SHAPE, NULL, TF_LEGACY_STREAM,
          (CUfunction function, int width, int height), (function, width, height))
TF_LAUNCH(cuLaunchGridAsync, of_handle(function), OLD_SHAPE, stream, TF_LEGACY_STREAM,
          (CUfunction function, int width, int height, CUstream stream),
          (function, width, height, stream))

/* Other functions may come to have the addresses of those that go. */
CUresult tf_hook_cuModuleUnload(CUmodule module) {
  CUresult result = tf_real(cuModuleUnload)(module);
  if (result == CUDA_SUCCESS) {
    tf_forget_costs();
  }
  return result;
}

CUresult tf_hook_cuLibraryUnload(CUlibrary library) {
  CUresult result = tf_real(cuLibraryUnload)(library);
  if (result == CUDA_SUCCESS) {
    tf_forget_costs();
  }
  return result;
}
