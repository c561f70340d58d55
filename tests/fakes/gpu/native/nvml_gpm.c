/* GPM: offered or not; the kernels of the fake driver use no tensor cores. */
#include <stdlib.h>

#include "nvml.h"

struct gpm_support {
  unsigned version, is_supported;
};

struct gpm_sample {
  uint64_t time_ns;
};

struct gpm_metric {
  unsigned id;
  nvmlReturn_t result;
  double value;
  const char *texts[3];
};

struct gpm_metrics {
  unsigned version, count;
  struct gpm_sample *from, *until;
  struct gpm_metric metric[];
};

EXPORT nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, struct gpm_support *support) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  support->is_supported = device->view.card->traits.has_gpm;
  return nvml_end(device, NVML_SUCCESS);
}

EXPORT nvmlReturn_t nvmlGpmSampleAlloc(struct gpm_sample **sample) {
  *sample = calloc(1, sizeof **sample);
  return *sample != NULL ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

EXPORT nvmlReturn_t nvmlGpmSampleFree(struct gpm_sample *sample) {
  free(sample);
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, struct gpm_sample *sample) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  if (!device->view.card->traits.has_gpm) return nvml_end(device, NVML_ERROR_NOT_SUPPORTED);
  sample->time_ns = fake_device_now_ns(device->view.device);
  return nvml_end(device, NVML_SUCCESS);
}

EXPORT nvmlReturn_t nvmlGpmMetricsGet(struct gpm_metrics *metrics) {
  if (metrics->from->time_ns >= metrics->until->time_ns) return NVML_ERROR_INVALID_ARGUMENT;
  for (unsigned i = 0; i < metrics->count; i++) {
    metrics->metric[i].result = NVML_SUCCESS;
    metrics->metric[i].value = 0;
  }
  return NVML_SUCCESS;
}
