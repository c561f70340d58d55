/* CUDA arrays: their size follows from their shape; the driver's padding is not known beforehand. */
#include "charging.h"
#include "process.h"
#include "real.h"

/* Bits of one texel, by CUarray_format; block-compressed and planar formats state their channels, but
 * share the bits among them. */
static uint64_t texel_bits(int format, unsigned int channels) {
  switch (format) {
    case 0x91: /* BC1, BC1 sRGB, BC4 unsigned, BC4 signed */
    case 0x92:
    case 0x97:
    case 0x98:
      return 4;
    case 0x93: /* BC2, BC3, BC5, BC6H, BC7 */
    case 0x94:
    case 0x95:
    case 0x96:
    case 0x99:
    case 0x9a:
    case 0x9b:
    case 0x9c:
    case 0x9d:
    case 0x9e:
      return 8;
    case 0xb0: /* NV12 */
      return 12;
    case 0x01: /* 8 bits: unsigned, signed, normalised */
    case 0x08:
    case 0xc0:
    case 0xc1:
    case 0xc2:
    case 0xc6:
    case 0xc7:
    case 0xc8:
      return 8ull * channels;
    case 0x02: /* 16 bits: unsigned, signed, half, normalised */
    case 0x09:
    case 0x10:
    case 0xc3:
    case 0xc4:
    case 0xc5:
    case 0xc9:
    case 0xca:
    case 0xcb:
      return 16ull * channels;
    default: /* 32 bits, and formats to come */
      return 32ull * channels;
  }
}

static uint64_t at_least_one(uint64_t length) {
  return length != 0 ? length : 1;
}

/* Bytes of an array with `levels` of halved sizes; 0: more than any card has. */
static uint64_t array_bytes(const CUDA_ARRAY3D_DESCRIPTOR *shape, unsigned int levels) {
  const bool has_layers = (shape->Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)) != 0;
  uint64_t total_bits = 0;
  for (unsigned int level = 0; level < levels && level < 64; level++) {
    uint64_t bits = texel_bits(shape->Format, shape->NumChannels);
    if (__builtin_mul_overflow(bits, at_least_one(shape->Width >> level), &bits) ||
        __builtin_mul_overflow(bits, at_least_one(shape->Height >> level), &bits) ||
        __builtin_mul_overflow(bits, at_least_one(shape->Depth >> (has_layers ? 0 : level)), &bits) ||
        __builtin_add_overflow(total_bits, bits, &total_bits)) {
      return 0;
    }
  }
  return (total_bits + 7) / 8;
}

static struct tf_holding array(enum tf_kind kind, const CUDA_ARRAY3D_DESCRIPTOR *shape,
                               unsigned int levels) {
  struct tf_holding holding = {.kind = kind, .gpu = -1};
  /* Sparse arrays and those that are mapped later have no memory of their own. */
  if (shape != NULL &&
      (shape->Flags & (CUDA_ARRAY3D_SPARSE | CUDA_ARRAY3D_DEFERRED_MAPPING)) == 0) {
    holding.gpu = tf_current_gpu();
    holding.bytes = array_bytes(shape, levels);
  }
  return holding;
}

static CUresult keep(CUresult result, struct tf_holding *holding, const void *handle) {
  if (result == CUDA_SUCCESS && holding->gpu >= 0) {
    holding->key = (uint64_t)(uintptr_t)handle;
    holding->owner = tf_current_owner();
  }
  return tf_keep(result, holding);
}

CUresult tf_hook_cuArrayCreate_v2(CUarray *handle, const CUDA_ARRAY_DESCRIPTOR *shape) {
  CUDA_ARRAY3D_DESCRIPTOR solid = {0};
  struct tf_holding holding;
  CUresult result;
  if (shape != NULL) {
    solid.Width = shape->Width;
    solid.Height = shape->Height;
    solid.Format = shape->Format;
    solid.NumChannels = shape->NumChannels;
  }
  holding = array(TF_ARRAY, shape == NULL ? NULL : &solid, 1);
  if (!tf_grant(holding.gpu, holding.bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  result = tf_real(cuArrayCreate_v2)(handle, shape);
  return keep(result, &holding, result == CUDA_SUCCESS ? *handle : NULL);
}

CUresult tf_hook_cuArray3DCreate_v2(CUarray *handle, const CUDA_ARRAY3D_DESCRIPTOR *shape) {
  struct tf_holding holding = array(TF_ARRAY, shape, 1);
  CUresult result;
  if (!tf_grant(holding.gpu, holding.bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  result = tf_real(cuArray3DCreate_v2)(handle, shape);
  return keep(result, &holding, result == CUDA_SUCCESS ? *handle : NULL);
}

CUresult tf_hook_cuMipmappedArrayCreate(CUmipmappedArray *handle,
                                        const CUDA_ARRAY3D_DESCRIPTOR *shape, unsigned int levels) {
  struct tf_holding holding = array(TF_MIPMAPPED_ARRAY, shape, levels);
  CUresult result;
  if (!tf_grant(holding.gpu, holding.bytes)) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  result = tf_real(cuMipmappedArrayCreate)(handle, shape, levels);
  return keep(result, &holding, result == CUDA_SUCCESS ? *handle : NULL);
}

CUresult tf_hook_cuArrayDestroy(CUarray handle) {
  struct tf_holding holding;
  bool is_held = tf_let_go_begin(TF_ARRAY, (uint64_t)(uintptr_t)handle, &holding);
  return tf_let_go_end(tf_real(cuArrayDestroy)(handle), is_held, &holding);
}

CUresult tf_hook_cuMipmappedArrayDestroy(CUmipmappedArray handle) {
  struct tf_holding holding;
  bool is_held = tf_let_go_begin(TF_MIPMAPPED_ARRAY, (uint64_t)(uintptr_t)handle, &holding);
  return tf_let_go_end(tf_real(cuMipmappedArrayDestroy)(handle), is_held, &holding);
}
