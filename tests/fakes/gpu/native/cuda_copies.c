/* Copies and memsets: they take time and move nothing.
 *
 * What stays on the card takes its time by bytes; copies from and to the host use no
 * multiprocessors and take none.
 */
#include "cuda_process.h"

#define LEAST_NS 500
#define MEMSET_BYTES_PER_NS 2500
#define COPY_BYTES_PER_NS 1250

static CUresult on_card(uint64_t bytes, uint64_t bytes_per_ns, CUstream stream,
                        enum stream_form form, bool is_waited_for) {
  const struct work work = {.length_ns = LEAST_NS + bytes / bytes_per_ns};
  return cuda_run(stream, form, &work, is_waited_for);
}

/* Waits for what is before it in the stream where it is one that waits. */
static CUresult with_host(CUstream handle, enum stream_form form, bool is_waited_for) {
  CUstream stream;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  result = cuda_stream_of(handle, form, &stream);
  if (result == CUDA_SUCCESS) result = cuda_legacy_call(stream, true);
  if (result == CUDA_SUCCESS && is_waited_for) result = cuda_unsafe_call();
  if (result != CUDA_SUCCESS || !is_waited_for) return cuda_end(result);
  uint64_t last = fake_last_ticket(cuda_view(stream->context->device)->device,
                                   stream->context->index, stream->index);
  cuda_end(CUDA_SUCCESS);
  return cuda_wait_for(stream->context, stream->index, last);
}

#define COPY(name, from_type, to_type, call)                              \
  EXPORT CUresult name(to_type to, from_type from, size_t bytes) {        \
    (void)to, (void)from, (void)bytes;                                    \
    return call;                                                          \
  }
#define COPY_ASYNC(name, from_type, to_type, call)                                 \
  EXPORT CUresult name(to_type to, from_type from, size_t bytes, CUstream stream) { \
    (void)to, (void)from, (void)bytes;                                             \
    return call;                                                                   \
  }

COPY(cuMemcpy, CUdeviceptr, CUdeviceptr, on_card(bytes, COPY_BYTES_PER_NS, NULL, LEGACY, true))
COPY(cuMemcpy_ptds, CUdeviceptr, CUdeviceptr,
     on_card(bytes, COPY_BYTES_PER_NS, NULL, PER_THREAD, true))
COPY_ASYNC(cuMemcpyAsync, CUdeviceptr, CUdeviceptr,
           on_card(bytes, COPY_BYTES_PER_NS, stream, LEGACY, false))
COPY_ASYNC(cuMemcpyAsync_ptsz, CUdeviceptr, CUdeviceptr,
           on_card(bytes, COPY_BYTES_PER_NS, stream, PER_THREAD, false))
/* One between places on the card does not make the host wait. */
COPY(cuMemcpyDtoD_v2, CUdeviceptr, CUdeviceptr,
     on_card(bytes, COPY_BYTES_PER_NS, NULL, LEGACY, false))
COPY(cuMemcpyDtoD_v2_ptds, CUdeviceptr, CUdeviceptr,
     on_card(bytes, COPY_BYTES_PER_NS, NULL, PER_THREAD, false))
COPY_ASYNC(cuMemcpyDtoDAsync_v2, CUdeviceptr, CUdeviceptr,
           on_card(bytes, COPY_BYTES_PER_NS, stream, LEGACY, false))
COPY_ASYNC(cuMemcpyDtoDAsync_v2_ptsz, CUdeviceptr, CUdeviceptr,
           on_card(bytes, COPY_BYTES_PER_NS, stream, PER_THREAD, false))
COPY(cuMemcpyHtoD_v2, const void *, CUdeviceptr, with_host(NULL, LEGACY, true))
COPY(cuMemcpyHtoD_v2_ptds, const void *, CUdeviceptr, with_host(NULL, PER_THREAD, true))
COPY_ASYNC(cuMemcpyHtoDAsync_v2, const void *, CUdeviceptr, with_host(stream, LEGACY, false))
COPY_ASYNC(cuMemcpyHtoDAsync_v2_ptsz, const void *, CUdeviceptr,
           with_host(stream, PER_THREAD, false))
COPY(cuMemcpyDtoH_v2, CUdeviceptr, void *, with_host(NULL, LEGACY, true))
COPY(cuMemcpyDtoH_v2_ptds, CUdeviceptr, void *, with_host(NULL, PER_THREAD, true))
COPY_ASYNC(cuMemcpyDtoHAsync_v2, CUdeviceptr, void *, with_host(stream, LEGACY, false))
COPY_ASYNC(cuMemcpyDtoHAsync_v2_ptsz, CUdeviceptr, void *, with_host(stream, PER_THREAD, false))

EXPORT CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                                  CUcontext from_context, size_t bytes, CUstream stream) {
  (void)to, (void)to_context, (void)from, (void)from_context;
  return on_card(bytes, COPY_BYTES_PER_NS, stream, LEGACY, false);
}

EXPORT CUresult cuMemcpyPeerAsync_ptsz(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                                       CUcontext from_context, size_t bytes, CUstream stream) {
  (void)to, (void)to_context, (void)from, (void)from_context;
  return on_card(bytes, COPY_BYTES_PER_NS, stream, PER_THREAD, false);
}

#define MEMSET(name, type, form)                                                       \
  EXPORT CUresult name(CUdeviceptr to, type value, size_t count) {                     \
    (void)to, (void)value;                                                             \
    return on_card(count * sizeof(type), MEMSET_BYTES_PER_NS, NULL, form, false);      \
  }
#define MEMSET_ASYNC(name, type, form)                                                 \
  EXPORT CUresult name(CUdeviceptr to, type value, size_t count, CUstream stream) {    \
    (void)to, (void)value;                                                             \
    return on_card(count * sizeof(type), MEMSET_BYTES_PER_NS, stream, form, false);    \
  }

MEMSET(cuMemsetD8_v2, unsigned char, LEGACY)
MEMSET(cuMemsetD8_v2_ptds, unsigned char, PER_THREAD)
MEMSET(cuMemsetD16_v2, unsigned short, LEGACY)
MEMSET(cuMemsetD16_v2_ptds, unsigned short, PER_THREAD)
MEMSET(cuMemsetD32_v2, unsigned, LEGACY)
MEMSET(cuMemsetD32_v2_ptds, unsigned, PER_THREAD)
MEMSET_ASYNC(cuMemsetD8Async, unsigned char, LEGACY)
MEMSET_ASYNC(cuMemsetD8Async_ptsz, unsigned char, PER_THREAD)
MEMSET_ASYNC(cuMemsetD16Async, unsigned short, LEGACY)
MEMSET_ASYNC(cuMemsetD16Async_ptsz, unsigned short, PER_THREAD)
MEMSET_ASYNC(cuMemsetD32Async, unsigned, LEGACY)
MEMSET_ASYNC(cuMemsetD32Async_ptsz, unsigned, PER_THREAD)

#define MEMSET_2D(name, type, form)                                                             \
  EXPORT CUresult name(CUdeviceptr to, size_t pitch, type value, size_t width, size_t height) { \
    (void)to, (void)pitch, (void)value;                                                         \
    return on_card(width * height * sizeof(type), MEMSET_BYTES_PER_NS, NULL, form, false);      \
  }
#define MEMSET_2D_ASYNC(name, type, form)                                                       \
  EXPORT CUresult name(CUdeviceptr to, size_t pitch, type value, size_t width, size_t height,   \
                       CUstream stream) {                                                       \
    (void)to, (void)pitch, (void)value;                                                         \
    return on_card(width * height * sizeof(type), MEMSET_BYTES_PER_NS, stream, form, false);    \
  }

MEMSET_2D(cuMemsetD2D8_v2, unsigned char, LEGACY)
MEMSET_2D(cuMemsetD2D8_v2_ptds, unsigned char, PER_THREAD)
MEMSET_2D_ASYNC(cuMemsetD2D8Async, unsigned char, LEGACY)
MEMSET_2D_ASYNC(cuMemsetD2D8Async_ptsz, unsigned char, PER_THREAD)
MEMSET_2D(cuMemsetD2D16_v2, unsigned short, LEGACY)
MEMSET_2D(cuMemsetD2D16_v2_ptds, unsigned short, PER_THREAD)
MEMSET_2D_ASYNC(cuMemsetD2D16Async, unsigned short, LEGACY)
MEMSET_2D_ASYNC(cuMemsetD2D16Async_ptsz, unsigned short, PER_THREAD)
MEMSET_2D(cuMemsetD2D32_v2, unsigned, LEGACY)
MEMSET_2D(cuMemsetD2D32_v2_ptds, unsigned, PER_THREAD)
MEMSET_2D_ASYNC(cuMemsetD2D32Async, unsigned, LEGACY)
MEMSET_2D_ASYNC(cuMemsetD2D32Async_ptsz, unsigned, PER_THREAD)
