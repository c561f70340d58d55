/* The rest of the driver of memory: contexts, graphs, views, and the limiter's own surroundings.
 */
#include <string.h>

#include "capture.h"
#include "memory_driver.h"
#include "pages.h"
#include "process.h"
#include "slots.h"

#define CARD_BYTES (1ull << 36)

unsigned int tf_open_captures;

static bool captures;
static uint64_t primary_of[DEVICES];
static int retains[DEVICES];
static uint64_t context_bytes;
static uint64_t others_bytes;
static size_t graph_nodes;
static uint64_t node_bytes;
static bool has_graph_attribute;

/* For tests. */
void driver_set_captures(int is_capturing);
void driver_set_context(uint64_t bytes, uint64_t of_others);
void driver_set_graph(int nodes, uint64_t bytes_each, int has_attribute);
void driver_set_graph_bytes(int device, uint64_t bytes);

void driver_set_captures(int is_capturing) {
  captures = is_capturing != 0;
}

void driver_set_context(uint64_t bytes, uint64_t of_others) {
  context_bytes = bytes;
  others_bytes = of_others;
}

void driver_set_graph(int nodes, uint64_t bytes_each, int has_attribute) {
  graph_nodes = (size_t)nodes;
  node_bytes = bytes_each;
  has_graph_attribute = has_attribute != 0;
}

void driver_set_graph_bytes(int device, uint64_t bytes) {
  graph_bytes[device] = bytes;
}

static CUresult context_create(CUcontext *context, unsigned int flags, CUdevice device) {
  uint64_t key = 0;
  CUresult result = make_thing(&key, context_bytes, device, 0);
  (void)flags;
  *context = (CUcontext)(uintptr_t)key;
  return result;
}

static CUresult context_destroy(CUcontext context) {
  if (find_thing((uint64_t)(uintptr_t)context) == NULL) {
    return INVALID_VALUE;
  }
  drop_context((uint64_t)(uintptr_t)context);
  return CUDA_SUCCESS;
}

static CUresult context_current(CUcontext *context) {
  *context = (CUcontext)(uintptr_t)current_context;
  return CUDA_SUCCESS;
}

static CUresult primary_retain(CUcontext *context, CUdevice device) {
  if (retains[device] == 0) {
    CUcontext made = NULL;
    CUresult result = context_create(&made, 0, device);
    if (result != CUDA_SUCCESS) {
      return result;
    }
    primary_of[device] = (uint64_t)(uintptr_t)made;
  }
  retains[device]++;
  *context = (CUcontext)(uintptr_t)primary_of[device];
  return CUDA_SUCCESS;
}

static CUresult primary_reset(CUdevice device) {
  retains[device] = 0;
  graph_bytes[device] = 0;
  drop_pools(device);
  drop_context(primary_of[device]);
  return CUDA_SUCCESS;
}

static CUresult primary_release(CUdevice device) {
  if (retains[device] == 0) {
    return INVALID_VALUE;
  }
  return --retains[device] == 0 ? primary_reset(device) : CUDA_SUCCESS;
}

static CUresult primary_state(CUdevice device, unsigned int *flags, int *is_active) {
  *flags = 0;
  *is_active = retains[device] > 0;
  return CUDA_SUCCESS;
}

static CUresult graph_get_nodes(CUgraph graph, CUgraphNode *nodes, size_t *count) {
  (void)graph;
  *count = graph_nodes;
  for (size_t i = 0; nodes != NULL && i < graph_nodes; i++) {
    nodes[i] = (CUgraphNode)(uintptr_t)(i + 1);
  }
  return CUDA_SUCCESS;
}

static CUresult node_type(CUgraphNode node, int *type) {
  (void)node;
  *type = CU_GRAPH_NODE_TYPE_MEM_ALLOC;
  return CUDA_SUCCESS;
}

static CUresult node_parameters(CUgraphNode node, CUDA_MEM_ALLOC_NODE_PARAMS *parameters) {
  (void)node;
  parameters->poolProps.location_type = CU_MEM_LOCATION_TYPE_DEVICE;
  parameters->poolProps.location_id = current_device;
  parameters->bytesize = node_bytes;
  return CUDA_SUCCESS;
}

static CUresult graph_attribute(CUdevice device, int attribute, void *value) {
  if (!has_graph_attribute || attribute != CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT) {
    return INVALID_VALUE;
  }
  memcpy(value, &graph_bytes[device], sizeof graph_bytes[device]);
  return CUDA_SUCCESS;
}

static CUresult graph_trim(CUdevice device) {
  graph_bytes[device] = 0;
  return CUDA_SUCCESS;
}

static CUresult memory_info(size_t *free_bytes, size_t *total_bytes) {
  *total_bytes = CARD_BYTES;
  *free_bytes = *total_bytes - driver_live_bytes(current_device) - others_bytes;
  return CUDA_SUCCESS;
}

static CUresult total_memory(size_t *total_bytes, CUdevice device) {
  (void)device;
  *total_bytes = CARD_BYTES;
  return CUDA_SUCCESS;
}

static int nvml_init(void) {
  return 0;
}

static int nvml_handle(const char *uuid, nvmlDevice_t *device) {
  *device = (nvmlDevice_t)(uintptr_t)(tf_gpu_index(uuid) + 1);
  return 0;
}

static int nvml_uuid(nvmlDevice_t device, char *uuid, unsigned int length) {
  strncpy(uuid, tf_gpu_uuid((int)(uintptr_t)device - 1), length - 1);
  return 0;
}

static int nvml_memory(nvmlDevice_t device, nvmlMemory_t *memory) {
  memory->total = CARD_BYTES;
  memory->used = driver_live_bytes((int)(uintptr_t)device - 1) + others_bytes;
  memory->free = memory->total - memory->used;
  return 0;
}

static int nvml_memory_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) {
  nvmlMemory_t first;
  nvml_memory(device, &first);
  memory->total = first.total;
  memory->reserved = 1ull << 29;
  memory->used = first.used;
  memory->free = first.free - memory->reserved;
  return 0;
}

static const tf_function functions[TF_SYMBOLS] = {
    [TF_SYMBOL_cuCtxCreate_v2] = (tf_function)context_create,
    [TF_SYMBOL_cuCtxDestroy_v2] = (tf_function)context_destroy,
    [TF_SYMBOL_cuCtxGetCurrent] = (tf_function)context_current,
    [TF_SYMBOL_cuDevicePrimaryCtxRetain] = (tf_function)primary_retain,
    [TF_SYMBOL_cuDevicePrimaryCtxRelease_v2] = (tf_function)primary_release,
    [TF_SYMBOL_cuDevicePrimaryCtxReset_v2] = (tf_function)primary_reset,
    [TF_SYMBOL_cuDevicePrimaryCtxGetState] = (tf_function)primary_state,
    [TF_SYMBOL_cuGraphGetNodes] = (tf_function)graph_get_nodes,
    [TF_SYMBOL_cuGraphNodeGetType] = (tf_function)node_type,
    [TF_SYMBOL_cuGraphMemAllocNodeGetParams] = (tf_function)node_parameters,
    [TF_SYMBOL_cuDeviceGetGraphMemAttribute] = (tf_function)graph_attribute,
    [TF_SYMBOL_cuDeviceGraphMemTrim] = (tf_function)graph_trim,
    [TF_SYMBOL_cuMemGetInfo_v2] = (tf_function)memory_info,
    [TF_SYMBOL_cuDeviceTotalMem_v2] = (tf_function)total_memory,
    [TF_SYMBOL_nvmlInit_v2] = (tf_function)nvml_init,
    [TF_SYMBOL_nvmlDeviceGetHandleByUUID] = (tf_function)nvml_handle,
    [TF_SYMBOL_nvmlDeviceGetUUID] = (tf_function)nvml_uuid,
    [TF_SYMBOL_nvmlDeviceGetMemoryInfo] = (tf_function)nvml_memory,
    [TF_SYMBOL_nvmlDeviceGetMemoryInfo_v2] = (tf_function)nvml_memory_v2,
};

tf_function context_function(enum tf_symbol symbol) {
  return functions[symbol];
}

tf_function tf_reals[TF_SYMBOLS];

static int absent(void) {
  return CUDA_ERROR_NOT_FOUND;
}

tf_function tf_real_absent(void) {
  return (tf_function)absent;
}

tf_function tf_real_find(enum tf_symbol symbol) {
  tf_function found = allocation_function(symbol);
  found = found != NULL ? found : pool_function(symbol);
  found = found != NULL ? found : context_function(symbol);
  return found != NULL ? found : tf_real_absent();
}

bool tf_attached(void) {
  tf_attach();
  return tf_slot_claim();
}

int tf_gpu_of_device(CUdevice device) {
  return device >= 0 && device < DEVICES ? device : -1;
}

CUdevice tf_device_of_stream(CUstream stream) {
  (void)stream;
  return current_device;
}

int tf_current_gpu(void) {
  return tf_gpu_of_device(current_device);
}

void tf_context_ends(CUdevice device) {
  (void)device;
}

void tf_relaxed_begin(int *mode) {
  *mode = 0;
}

void tf_relaxed_end(int mode) {
  (void)mode;
}

bool tf_is_captured(CUstream stream, enum tf_stream_form form) {
  (void)stream, (void)form;
  return captures;
}
