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
typedef unsigned long long CUmemGenericAllocationHandle;
typedef struct CUarray_st *CUarray;
typedef struct CUctx_st *CUcontext;
typedef struct CUevent_st *CUevent;
typedef struct CUfunc_st *CUfunction;
typedef struct CUgraphExec_st *CUgraphExec;
typedef struct CUgraphNode_st *CUgraphNode;
typedef struct CUgraph_st *CUgraph;
typedef struct CUlib_st *CUlibrary;
typedef struct CUmemPoolHandle_st *CUmemoryPool;
typedef struct CUmipmappedArray_st *CUmipmappedArray;
typedef struct CUmod_st *CUmodule;
typedef struct CUstream_st *CUstream;
typedef struct nvmlDevice_st *nvmlDevice_t;

/* Parameters in memory; defined below where the limiter reads them. */
typedef struct CUDA_ARRAY3D_DESCRIPTOR_st CUDA_ARRAY3D_DESCRIPTOR;
typedef struct CUDA_ARRAY_DESCRIPTOR_st CUDA_ARRAY_DESCRIPTOR;
typedef struct CUDA_GRAPH_INSTANTIATE_PARAMS_st CUDA_GRAPH_INSTANTIATE_PARAMS;
typedef struct CUDA_LAUNCH_PARAMS_st CUDA_LAUNCH_PARAMS;
typedef struct CUDA_MEM_ALLOC_NODE_PARAMS_v1_st CUDA_MEM_ALLOC_NODE_PARAMS;
typedef struct CUctxCreateParams_st CUctxCreateParams;
typedef struct CUexecAffinityParam_st CUexecAffinityParam;
typedef struct CUgraphEdgeData_st CUgraphEdgeData;
typedef struct CUgraphExecUpdateResultInfo_st CUgraphExecUpdateResultInfo;
typedef struct CUlaunchConfig_st CUlaunchConfig;
typedef struct CUmemAllocationProp_st CUmemAllocationProp;
typedef struct CUmemPoolProps_st CUmemPoolProps;
typedef struct CUuuid_st CUuuid;
typedef struct nvmlMemory_st nvmlMemory_t;
typedef struct nvmlMemory_v2_st nvmlMemory_v2_t;

struct CUDA_LAUNCH_PARAMS_st {
  CUfunction function;
  unsigned int gridDimX, gridDimY, gridDimZ;
  unsigned int blockDimX, blockDimY, blockDimZ;
  unsigned int sharedMemBytes;
  CUstream hStream;
  void **kernelParams;
};

struct CUDA_ARRAY_DESCRIPTOR_st {
  size_t Width, Height;
  int Format;
  unsigned int NumChannels;
};

struct CUDA_ARRAY3D_DESCRIPTOR_st {
  size_t Width, Height, Depth;
  int Format;
  unsigned int NumChannels, Flags;
};

/* The first members of it: what it is for, and where it lies. */
struct CUmemAllocationProp_st {
  int type, requestedHandleTypes;
  int location_type, location_id;
};

struct CUmemPoolProps_st {
  int allocType, handleTypes;
  int location_type, location_id;
  void *win32SecurityAttributes;
  size_t maxSize;
  unsigned short usage;
  unsigned char reserved[54];
};

struct CUDA_MEM_ALLOC_NODE_PARAMS_v1_st {
  CUmemPoolProps poolProps;
  const void *accessDescs;
  size_t accessDescCount;
  size_t bytesize;
  CUdeviceptr dptr;
};

struct nvmlMemory_st {
  unsigned long long total, free, used; /* bytes */
};

struct nvmlMemory_v2_st {
  unsigned int version;
  unsigned long long total, reserved, free, used; /* bytes */
};

struct CUlaunchConfig_st {
  unsigned int gridDimX, gridDimY, gridDimZ;
  unsigned int blockDimX, blockDimY, blockDimZ;
  unsigned int sharedMemBytes;
  CUstream hStream;
  void *attrs;
  unsigned int numAttrs;
};

struct CUuuid_st {
  char bytes[16];
};

#define CUDA_SUCCESS 0
#define CUDA_ERROR_OUT_OF_MEMORY 2
#define CUDA_ERROR_DEINITIALIZED 4
#define CUDA_ERROR_NOT_FOUND 500
#define CUDA_ERROR_NOT_READY 600
#define CUDA_ERROR_NOT_SUPPORTED 801
#define CUDA_ERROR_STREAM_CAPTURE_INVALIDATED 901
#define CUDA_ARRAY3D_CUBEMAP 0x04u
#define CUDA_ARRAY3D_DEFERRED_MAPPING 0x80u
#define CUDA_ARRAY3D_LAYERED 0x01u
#define CUDA_ARRAY3D_SPARSE 0x40u
#define CU_EVENT_DEFAULT 0u
#define CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM 2u
#define CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT 2
#define CU_GRAPH_NODE_TYPE_GRAPH 4
#define CU_GRAPH_NODE_TYPE_MEM_ALLOC 10
#define CU_MEMORYTYPE_DEVICE 2
#define CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT 5
#define CU_MEMPOOL_ATTR_USED_MEM_CURRENT 7
#define CU_MEM_ALLOCATION_TYPE_PINNED 1
#define CU_MEM_LOCATION_TYPE_DEVICE 1
#define CU_POINTER_ATTRIBUTE_MEMORY_TYPE 2
#define CU_STREAM_CAPTURE_STATUS_NONE 0
#define CU_STREAM_CAPTURE_MODE_RELAXED 2
#define CU_STREAM_PER_THREAD 2u /* handles up to it mean no stream of their own */

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
  /* Both have ended.  0 where `until` was reached first (the real call is negative then). */
  int (*event_elapsed_ns)(void *self, CUevent from, CUevent until, uint64_t *elapsed_ns);
};

#endif
