#include "cuda_process.h"

static CUresult launch(CUfunction function, const unsigned *grid, CUstream stream,
                       enum stream_form form, void **parameters) {
  struct work work;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0) return cuda_end(CUDA_ERROR_INVALID_VALUE);
  result = cuda_end(cuda_function_work(function, parameters, &work));
  return result == CUDA_SUCCESS ? cuda_run(stream, form, &work, false) : result;
}

#define LAUNCH_KERNEL(name, form)                                                              \
  EXPORT CUresult name(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, \
                       unsigned block_x, unsigned block_y, unsigned block_z,                   \
                       unsigned shared_bytes, CUstream stream, void **parameters,              \
                       void **extra) {                                                         \
    const unsigned grid[] = {grid_x, grid_y, grid_z};                                          \
    (void)block_x, (void)block_y, (void)block_z, (void)shared_bytes, (void)extra;              \
    return launch(function, grid, stream, form, parameters);                                   \
  }
LAUNCH_KERNEL(cuLaunchKernel, LEGACY)
LAUNCH_KERNEL(cuLaunchKernel_ptsz, PER_THREAD)

#define LAUNCH_COOPERATIVE(name, form)                                                         \
  EXPORT CUresult name(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, \
                       unsigned block_x, unsigned block_y, unsigned block_z,                   \
                       unsigned shared_bytes, CUstream stream, void **parameters) {            \
    const unsigned grid[] = {grid_x, grid_y, grid_z};                                          \
    (void)block_x, (void)block_y, (void)block_z, (void)shared_bytes;                           \
    return launch(function, grid, stream, form, parameters);                                   \
  }
LAUNCH_COOPERATIVE(cuLaunchCooperativeKernel, LEGACY)
LAUNCH_COOPERATIVE(cuLaunchCooperativeKernel_ptsz, PER_THREAD)

EXPORT CUresult cuLaunchKernelEx(const struct cuda_launch_config *config, CUfunction function,
                                 void **parameters, void **extra) {
  (void)extra;
  return launch(function, config->grid, config->stream, LEGACY, parameters);
}

EXPORT CUresult cuLaunchKernelEx_ptsz(const struct cuda_launch_config *config,
                                      CUfunction function, void **parameters, void **extra) {
  (void)extra;
  return launch(function, config->grid, config->stream, PER_THREAD, parameters);
}

EXPORT CUresult cuLaunchCooperativeKernelMultiDevice(const struct cuda_launch_params *launches,
                                                     unsigned count, unsigned flags) {
  (void)flags;
  CUresult result = count > 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  for (unsigned i = 0; result == CUDA_SUCCESS && i < count; i++) {
    result = launch(launches[i].function, launches[i].grid, launches[i].stream, LEGACY,
                    launches[i].parameters);
  }
  return result;
}

/* The oldest forms, whose parameters are set beforehand; here they have none. */
EXPORT CUresult cuLaunchGridAsync(CUfunction function, int width, int height, CUstream stream) {
  const unsigned grid[] = {(unsigned)width, (unsigned)height, 1};
  return launch(function, grid, stream, LEGACY, NULL);
}

EXPORT CUresult cuLaunchGrid(CUfunction function, int width, int height) {
  return cuLaunchGridAsync(function, width, height, NULL);
}

EXPORT CUresult cuLaunch(CUfunction function) { return cuLaunchGrid(function, 1, 1); }
