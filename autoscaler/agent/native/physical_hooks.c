/* Physical memory (cuMemCreate): it lives until its handle is released and its mappings are undone,
 * each as often as it was taken.  An imported handle is in nobody's ledger but its exporter's. */
#include "charging.h"
#include "process.h"
#include "real.h"

CUresult tf_hook_cuMemCreate(CUmemGenericAllocationHandle *handle, size_t bytes,
                             const CUmemAllocationProp *properties, unsigned long long flags) {
  struct tf_holding holding = {.kind = TF_PHYSICAL, .gpu = -1, .bytes = bytes, .references = 1};
  CUresult result;
  if (properties != NULL && properties->location_type == CU_MEM_LOCATION_TYPE_DEVICE) {
    holding.gpu = tf_gpu_of_device(properties->location_id);
  }
  if (!tf_grant(holding.gpu, bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  result = tf_real(cuMemCreate)(handle, bytes, properties, flags);
  holding.key = result == CUDA_SUCCESS ? *handle : 0;
  return tf_keep(result, &holding);
}

/* Another reference to a handle, which is ours or not. */
static CUresult count_one_more(CUresult result, const CUmemGenericAllocationHandle *handle) {
  struct tf_holding none;
  if (result == CUDA_SUCCESS) {
    tf_ledger_count(TF_PHYSICAL, *handle, 1, 0, &none);
  }
  return result;
}

CUresult tf_hook_cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *handle, void *address) {
  return count_one_more(tf_real(cuMemRetainAllocationHandle)(handle, address), handle);
}

CUresult tf_hook_cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *handle, void *os_handle,
                                                int type) {
  return count_one_more(tf_real(cuMemImportFromShareableHandle)(handle, os_handle, type), handle);
}

CUresult tf_hook_cuMemRelease(CUmemGenericAllocationHandle handle) {
  struct tf_holding holding;
  struct tf_holding none;
  bool is_last = tf_ledger_count(TF_PHYSICAL, handle, -1, 0, &holding);
  CUresult result = tf_real(cuMemRelease)(handle);
  if (is_last) {
    holding.references = 1;
    return tf_let_go_end(result, true, &holding);
  }
  if (result != CUDA_SUCCESS) {
    tf_ledger_count(TF_PHYSICAL, handle, 1, 0, &none);
  }
  return result;
}

CUresult tf_hook_cuMemMap(CUdeviceptr address, size_t bytes, size_t offset_bytes,
                          CUmemGenericAllocationHandle handle, unsigned long long flags) {
  CUresult result = tf_real(cuMemMap)(address, bytes, offset_bytes, handle, flags);
  if (result == CUDA_SUCCESS && tf_attached()) {
    struct tf_holding none;
    /* Entered for imported handles too: an unmapping may span several mappings. */
    struct tf_holding mapping = {
        .kind = TF_MAPPING, .gpu = -1, .key = address, .bytes = bytes, .owner = handle};
    tf_ledger_count(TF_PHYSICAL, handle, 0, 1, &none);
    tf_ledger_put(&mapping, &none);
  }
  return result;
}

CUresult tf_hook_cuMemUnmap(CUdeviceptr address, size_t bytes) {
  CUresult result = tf_real(cuMemUnmap)(address, bytes);
  CUdeviceptr at = address;
  struct tf_holding mapping;
  if (result != CUDA_SUCCESS) {
    return result;
  }
  while (at - address < bytes && tf_ledger_take(TF_MAPPING, at, &mapping)) {
    struct tf_holding holding;
    if (tf_ledger_count(TF_PHYSICAL, mapping.owner, 0, -1, &holding)) {
      tf_let_go_end(CUDA_SUCCESS, true, &holding);
    }
    at += mapping.bytes;
  }
  return result;
}
