/* Devices of the driver by their UUIDs; that of a MIG instance has another beginning. */
#include "devices.h"

#include <string.h>

#include "pages.h"
#include "real.h"

static void write_hex(char *text, const char *bytes) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      *text++ = '-';
    }
    *text++ = digits[(unsigned char)bytes[i] >> 4];
    *text++ = digits[(unsigned char)bytes[i] & 15];
  }
  *text = '\0';
}

int tf_device_index(CUdevice device) {
  CUuuid uuid;
  char text[TF_UUID_BYTES] = "GPU-";
  int index;
  CUresult result = tf_has_real(cuDeviceGetUuid_v2) ? tf_real(cuDeviceGetUuid_v2)(&uuid, device)
                                                    : tf_real(cuDeviceGetUuid)(&uuid, device);
  if (result != CUDA_SUCCESS) {
    return -1;
  }
  write_hex(text + 4, uuid.bytes);
  index = tf_gpu_index(text);
  if (index < 0) {
    memcpy(text, "MIG-", 4);
    index = tf_gpu_index(text);
  }
  return index;
}
