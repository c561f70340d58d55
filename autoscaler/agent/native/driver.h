/* The driver API as far as the limiter needs it: its types, its numbers, and the real functions.
 *
 * No CUDA header is needed to build.  Names and values are those of the public API.
 */
#ifndef TF_DRIVER_H
#define TF_DRIVER_H

#include <stddef.h>
#include <stdint.h>

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;

#define CUDA_SUCCESS 0
#define CUDA_ERROR_OUT_OF_MEMORY 2
#define CUDA_ERROR_NOT_READY 600
#define CU_EVENT_DEFAULT 0u
#define CU_STREAM_CAPTURE_MODE_RELAXED 2

/* Which form of the API a call came by: stream 0 means another stream in each. */
enum tf_stream_form { TF_LEGACY_STREAM, TF_THREAD_STREAM };

/* What the meter asks of a driver; the real one, or a simulated one in virtual time.  Each call is
 * made in relaxed capture mode.  Functions return a CUresult. */
struct tf_driver {
  void *self;
  int (*event_create)(void *self, CUevent *event);
  int (*event_destroy)(void *self, CUevent event);
  int (*event_record)(void *self, CUevent event, CUstream stream, enum tf_stream_form form);
  int (*event_query)(void *self, CUevent event); /* CUDA_ERROR_NOT_READY: it is still to come */
  int (*event_elapsed_ns)(void *self, CUevent from, CUevent until, uint64_t *elapsed_ns);
};

#endif
