/* Memsets, and copies from device memory to device memory: work of the GPU whose length goes by bytes.
 *
 * They are priced like kernels, by a key of what is done and of a class of sizes; eight classes to a
 * doubling, so that what is learned of a class is within 10 % of each of its sizes.  Copies from and to
 * the host are not metered.
 */
#include "passage.h"
#include "real.h"

enum work { MEMSET_8 = 5, MEMSET_16, MEMSET_32, MEMSET_2D, COPY };

/* Number of the class of a size. */
static uint64_t class_of(uint64_t bytes) {
  unsigned int doubling;
  if (bytes < 16) {
    return bytes;
  }
  doubling = 63u - (unsigned int)__builtin_clzll(bytes);
  return (uint64_t)doubling << 3 | (bytes >> (doubling - 3) & 7u) | 128u;
}

static bool is_device_memory(CUdeviceptr pointer) {
  unsigned int kind = 0;
  int mode;
  CUresult result;
  tf_relaxed_begin(&mode);
  result = tf_real(cuPointerGetAttribute)(&kind, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, pointer);
  tf_relaxed_end(mode);
  return result == CUDA_SUCCESS && kind == CU_MEMORYTYPE_DEVICE;
}

/* Parameters end in one of these two: without a stream the call goes to stream 0. */
#define NO_STREAM NULL

#define WORK(exported, form, kind, bytes, at_stream, parameters, arguments) \
  TF_LAUNCH(exported, kind, class_of(bytes), at_stream, form, parameters, arguments)

#define SET(bits, type, form, end)                                                             \
  WORK(cuMemsetD##bits##_v2##end, form, MEMSET_##bits, count * sizeof(type), NO_STREAM,        \
       (CUdeviceptr to, type value, size_t count), (to, value, count))
#define SET_ASYNC(bits, type, form, end)                                                       \
  WORK(cuMemsetD##bits##Async##end, form, MEMSET_##bits, count * sizeof(type), stream,         \
       (CUdeviceptr to, type value, size_t count, CUstream stream), (to, value, count, stream))
#define SET_2D(bits, type, form, end)                                                          \
  WORK(cuMemsetD2D##bits##_v2##end, form, MEMSET_2D, width * height * sizeof(type), NO_STREAM, \
       (CUdeviceptr to, size_t pitch, type value, size_t width, size_t height),                \
       (to, pitch, value, width, height))
#define SET_2D_ASYNC(bits, type, form, end)                                                    \
  WORK(cuMemsetD2D##bits##Async##end, form, MEMSET_2D, width * height * sizeof(type), stream,  \
       (CUdeviceptr to, size_t pitch, type value, size_t width, size_t height, CUstream stream), \
       (to, pitch, value, width, height, stream))

#define SETS(bits, type)                             \
  SET(bits, type, TF_LEGACY_STREAM, )                \
  SET(bits, type, TF_THREAD_STREAM, _ptds)           \
  SET_ASYNC(bits, type, TF_LEGACY_STREAM, )          \
  SET_ASYNC(bits, type, TF_THREAD_STREAM, _ptsz)     \
  SET_2D(bits, type, TF_LEGACY_STREAM, )             \
  SET_2D(bits, type, TF_THREAD_STREAM, _ptds)        \
  SET_2D_ASYNC(bits, type, TF_LEGACY_STREAM, )       \
  SET_2D_ASYNC(bits, type, TF_THREAD_STREAM, _ptsz)
SETS(8, unsigned char)
SETS(16, unsigned short)
SETS(32, unsigned int)

#define COPY_PARAMETERS (CUdeviceptr to, CUdeviceptr from, size_t bytes)
#define COPY_PARAMETERS_ASYNC (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)
#define COPIES(exported, form) \
  WORK(exported, form, COPY, bytes, NO_STREAM, COPY_PARAMETERS, (to, from, bytes))
#define COPIES_ASYNC(exported, form) \
  WORK(exported, form, COPY, bytes, stream, COPY_PARAMETERS_ASYNC, (to, from, bytes, stream))
COPIES(cuMemcpyDtoD_v2, TF_LEGACY_STREAM)
COPIES(cuMemcpyDtoD_v2_ptds, TF_THREAD_STREAM)
COPIES_ASYNC(cuMemcpyDtoDAsync_v2, TF_LEGACY_STREAM)
COPIES_ASYNC(cuMemcpyDtoDAsync_v2_ptsz, TF_THREAD_STREAM)

/* These copy from anywhere to anywhere. */
#define ANYWHERE(exported, form, at_stream, parameters, arguments)                            \
  static inline CUresult on_device_##exported parameters;                                     \
  TF_LAUNCH_AS(on_device_##exported, exported, COPY, class_of(bytes), at_stream, form,        \
               parameters, arguments)                                                         \
  CUresult tf_hook_##exported parameters {                                                    \
    return is_device_memory(to) && is_device_memory(from) ? on_device_##exported arguments    \
                                                          : tf_real(exported) arguments;      \
  }
ANYWHERE(cuMemcpy, TF_LEGACY_STREAM, NO_STREAM, COPY_PARAMETERS, (to, from, bytes))
ANYWHERE(cuMemcpy_ptds, TF_THREAD_STREAM, NO_STREAM, COPY_PARAMETERS, (to, from, bytes))
ANYWHERE(cuMemcpyAsync, TF_LEGACY_STREAM, stream, COPY_PARAMETERS_ASYNC, (to, from, bytes, stream))
ANYWHERE(cuMemcpyAsync_ptsz, TF_THREAD_STREAM, stream, COPY_PARAMETERS_ASYNC,
         (to, from, bytes, stream))
