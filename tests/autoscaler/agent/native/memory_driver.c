/* A driver that knows memory alone: what it has handed out on which device, and nothing of time.
 *
 * It stands behind the limiter's hooks in the place of real.c, process.c and capture.c, so that a test
 * can compare what is charged with what is there.
 */
#include "memory_driver.h"

#define MOST_THINGS 4096
#define ADDRESS_STEP (1ull << 40)
#define ACTUAL_PITCH_BYTES 1024u

static struct thing things[MOST_THINGS];
static uint64_t next_key = ADDRESS_STEP;
int current_device;
uint64_t current_context = 1;
static int fails_next;
uint64_t graph_bytes[DEVICES];

/* For tests. */
void driver_fail_next(int result);
void driver_set_current(int device, uint64_t context);

static bool is_there(const struct thing *thing) {
  return thing->references > 0 || thing->mappings > 0;
}

uint64_t driver_live_bytes(int device) {
  uint64_t bytes = graph_bytes[device] + pooled_bytes(device);
  for (int i = 0; i < MOST_THINGS; i++) {
    bool is_own = is_there(&things[i]) && things[i].device == device && things[i].pool == NULL;
    bytes += is_own ? things[i].bytes : 0;
  }
  return bytes;
}

void driver_fail_next(int result) {
  fails_next = result;
}

void driver_set_current(int device, uint64_t context) {
  current_device = device;
  current_context = context;
}

struct thing *find_thing(uint64_t key) {
  for (int i = 0; i < MOST_THINGS; i++) {
    if (is_there(&things[i]) && things[i].key == key) {
      return &things[i];
    }
  }
  return NULL;
}

CUresult make_thing(uint64_t *key, uint64_t bytes, int device, uint64_t context) {
  int result = fails_next;
  fails_next = 0;
  for (int i = 0; result == CUDA_SUCCESS && i < MOST_THINGS; i++) {
    if (!is_there(&things[i])) {
      uint64_t again = things[i].key;
      if (again == 0) {
        again = next_key;
        next_key += ADDRESS_STEP;
      }
      things[i] = (struct thing){.key = again, .bytes = bytes, .context = context,
                                 .device = device, .references = 1};
      *key = again;
      return CUDA_SUCCESS;
    }
  }
  return result;
}

CUresult drop_thing(uint64_t key) {
  struct thing *thing = find_thing(key);
  int result = fails_next;
  fails_next = 0;
  if (thing == NULL || result != 0) {
    return thing == NULL ? INVALID_VALUE : result;
  }
  thing->references--;
  if (thing->pool != NULL) {
    leave_pool(thing);
  }
  return CUDA_SUCCESS;
}

static CUresult make_pointer(CUdeviceptr *address, uint64_t bytes) {
  uint64_t key = 0;
  CUresult result = make_thing(&key, bytes, current_device, current_context);
  *address = result == CUDA_SUCCESS ? key : *address;
  return result;
}

static CUresult alloc(CUdeviceptr *address, size_t bytes) {
  return make_pointer(address, bytes);
}

static CUresult alloc_managed(CUdeviceptr *address, size_t bytes, unsigned int flags) {
  (void)flags;
  return make_pointer(address, bytes);
}

static CUresult alloc_pitch(CUdeviceptr *address, size_t *pitch, size_t width, size_t height,
                            unsigned int element) {
  (void)element;
  *pitch = (width + ACTUAL_PITCH_BYTES - 1) / ACTUAL_PITCH_BYTES * ACTUAL_PITCH_BYTES;
  return make_pointer(address, *pitch * height);
}

static CUresult create(CUmemGenericAllocationHandle *handle, size_t bytes,
                       const CUmemAllocationProp *properties, unsigned long long flags) {
  uint64_t key = 0;
  bool is_host = properties->location_type != CU_MEM_LOCATION_TYPE_DEVICE;
  CUresult result = make_thing(&key, is_host ? 0 : bytes, properties->location_id, 0);
  (void)flags;
  *handle = key;
  return result;
}

static CUresult release(CUmemGenericAllocationHandle handle) {
  return drop_thing(handle);
}

static CUresult map(CUdeviceptr address, size_t bytes, size_t offset,
                    CUmemGenericAllocationHandle handle, unsigned long long flags) {
  struct thing *thing = find_thing(handle);
  (void)bytes, (void)offset, (void)flags;
  if (thing == NULL || thing->mappings != 0) {
    return INVALID_VALUE;
  }
  thing->mappings++;
  thing->mapped_at = address;
  return CUDA_SUCCESS;
}

static CUresult unmap(CUdeviceptr address, size_t bytes) {
  bool has_unmapped = false;
  for (int i = 0; i < MOST_THINGS; i++) {
    if (things[i].mappings > 0 && things[i].mapped_at >= address &&
        things[i].mapped_at < address + bytes) {
      things[i].mappings--;
      has_unmapped = true;
    }
  }
  return has_unmapped ? CUDA_SUCCESS : INVALID_VALUE;
}

static CUresult retain(CUmemGenericAllocationHandle *handle, void *address) {
  for (int i = 0; i < MOST_THINGS; i++) {
    if (things[i].mappings > 0 && things[i].mapped_at == (uint64_t)(uintptr_t)address) {
      things[i].references++;
      *handle = things[i].key;
      return CUDA_SUCCESS;
    }
  }
  return INVALID_VALUE;
}

static uint64_t array_bytes(const CUDA_ARRAY3D_DESCRIPTOR *shape) {
  uint64_t bytes = shape->Width * shape->NumChannels * 4; /* of 32-bit formats */
  bytes *= shape->Height != 0 ? shape->Height : 1;
  return bytes * (shape->Depth != 0 ? shape->Depth : 1);
}

static CUresult array_create(CUarray *handle, const CUDA_ARRAY3D_DESCRIPTOR *shape) {
  uint64_t key = 0;
  CUresult result = make_thing(&key, array_bytes(shape), current_device, current_context);
  *handle = (CUarray)(uintptr_t)key;
  return result;
}

static CUresult array_destroy(CUarray handle) {
  return drop_thing((uint64_t)(uintptr_t)handle);
}

void drop_context(uint64_t context) {
  for (int i = 0; i < MOST_THINGS; i++) {
    if (things[i].context == context || things[i].key == context) {
      things[i].references = 0;
    }
  }
}

static const tf_function functions[TF_SYMBOLS] = {
    [TF_SYMBOL_cuMemAlloc_v2] = (tf_function)alloc,
    [TF_SYMBOL_cuMemAllocManaged] = (tf_function)alloc_managed,
    [TF_SYMBOL_cuMemAllocPitch_v2] = (tf_function)alloc_pitch,
    [TF_SYMBOL_cuMemFree_v2] = (tf_function)drop_thing,
    [TF_SYMBOL_cuMemCreate] = (tf_function)create,
    [TF_SYMBOL_cuMemRelease] = (tf_function)release,
    [TF_SYMBOL_cuMemMap] = (tf_function)map,
    [TF_SYMBOL_cuMemUnmap] = (tf_function)unmap,
    [TF_SYMBOL_cuMemRetainAllocationHandle] = (tf_function)retain,
    [TF_SYMBOL_cuArray3DCreate_v2] = (tf_function)array_create,
    [TF_SYMBOL_cuArrayDestroy] = (tf_function)array_destroy,
};

tf_function allocation_function(enum tf_symbol symbol) {
  return functions[symbol];
}
