/* Types and numbers of the CUDA driver API, as far as the fake driver needs them. */
#ifndef FAKE_CUDA_TYPES_H
#define FAKE_CUDA_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphNode_st *CUgraphNode;
typedef struct CUgraphExec_st *CUgraphExec;
typedef struct CUmemPool_st *CUmemoryPool;
typedef struct CUblock_st *CUblock; /* arrays and external memory */
typedef unsigned long long CUmemGenericAllocationHandle;

enum {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_NOT_INITIALIZED = 3,
  CUDA_ERROR_NO_DEVICE = 100,
  CUDA_ERROR_INVALID_DEVICE = 101,
  CUDA_ERROR_INVALID_IMAGE = 200,
  CUDA_ERROR_INVALID_CONTEXT = 201,
  CUDA_ERROR_INVALID_HANDLE = 400,
  CUDA_ERROR_ILLEGAL_STATE = 401,
  CUDA_ERROR_NOT_FOUND = 500,
  CUDA_ERROR_NOT_READY = 600,
  CUDA_ERROR_CONTEXT_IS_DESTROYED = 709,
  CUDA_ERROR_NOT_SUPPORTED = 801,
  CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
  CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
  CUDA_ERROR_STREAM_CAPTURE_MERGE = 902,
  CUDA_ERROR_STREAM_CAPTURE_UNMATCHED = 903,
  CUDA_ERROR_STREAM_CAPTURE_UNJOINED = 904,
  CUDA_ERROR_STREAM_CAPTURE_IMPLICIT = 906,
  CUDA_ERROR_CAPTURED_EVENT = 907,
  CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD = 908,
  CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE = 910
};

enum { CAPTURE_GLOBAL, CAPTURE_THREAD_LOCAL, CAPTURE_RELAXED };
enum { CAPTURE_NONE, CAPTURE_ACTIVE, CAPTURE_INVALIDATED };
enum { STREAM_NON_BLOCKING = 1, EVENT_DISABLE_TIMING = 2 };
enum { NODE_KERNEL = 0, NODE_CHILD = 4, NODE_EMPTY = 5, NODE_ALLOC = 10, NODE_FREE = 11 };

struct cuda_uuid {
  unsigned char bytes[16];
};

struct cuda_launch_config {
  unsigned grid[3], block[3], shared_bytes;
  CUstream stream;
  void *attributes;
  unsigned attribute_count;
};

struct cuda_launch_params {
  CUfunction function;
  unsigned grid[3], block[3], shared_bytes;
  CUstream stream;
  void **parameters;
};

struct cuda_kernel_node {
  CUfunction function;
  unsigned grid[3], block[3], shared_bytes;
  void **parameters;
  void **extra;
};

struct cuda_location {
  int type, id;
};

struct cuda_pool_props {
  int allocation_type, handle_types;
  struct cuda_location location;
  void *security;
  size_t max_bytes;
  unsigned short usage;
  unsigned char reserved[54];
};

struct cuda_alloc_node {
  struct cuda_pool_props pool;
  const void *access;
  size_t access_count;
  size_t bytes;
  CUdeviceptr address;
};

struct cuda_node_params {
  int type;
  int reserved[3];
  union {
    struct cuda_kernel_node kernel;
    struct cuda_alloc_node alloc;
    CUdeviceptr free_address;
    unsigned char bytes[232];
  } of;
  uint64_t reserved_end;
};

struct cuda_instantiate_params {
  uint64_t flags;
  CUstream upload;
  CUgraphNode error_node;
  int result;
};

struct cuda_allocation_props {
  int type, handle_types;
  struct cuda_location location;
  void *security;
  unsigned char flags[8];
};

struct cuda_array {
  size_t width, height;
  int format;
  unsigned channels;
};

struct cuda_array_3d {
  size_t width, height, depth;
  int format;
  unsigned channels, flags;
};

struct cuda_external_memory {
  int type;
  union {
    int file;
    void *words[2];
  } handle;
  unsigned long long bytes;
  unsigned flags, reserved[16];
};

struct cuda_external_buffer {
  unsigned long long offset, bytes;
  unsigned flags, reserved[16];
};

struct cuda_ipc {
  char reserved[64];
};

_Static_assert(sizeof(struct cuda_pool_props) == 88, "CUmemPoolProps");
_Static_assert(offsetof(struct cuda_alloc_node, address) == 112, "CUDA_MEM_ALLOC_NODE_PARAMS");
_Static_assert(sizeof(struct cuda_node_params) == 256, "CUgraphNodeParams");
_Static_assert(offsetof(struct cuda_launch_config, stream) == 32, "CUlaunchConfig");
_Static_assert(offsetof(struct cuda_kernel_node, parameters) == 40, "CUDA_KERNEL_NODE_PARAMS");

#endif
