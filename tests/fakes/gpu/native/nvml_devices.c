/* NVML of the cards: which there are, and what they are. */
#include "nvml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct nvml_device cards[FAKE_CARDS], instances[FAKE_CARDS];
static unsigned card_count;
static char folder_of_cards[2048];
static bool is_started;

/* Cards stay mapped once they are, because closing the file of one ends the driver's locks on it
 * in this process; only another folder takes their place. */
static void find_cards(const char *folder) {
  if (strcmp(folder, folder_of_cards) != 0) {
    for (unsigned i = 0; i < card_count; i++) fake_card_unmap(&cards[i].view);
    card_count = 0;
    snprintf(folder_of_cards, sizeof folder_of_cards, "%s", folder);
  }
  while (card_count < FAKE_CARDS) {
    char path[4096];
    snprintf(path, sizeof path, "%s/card%u", folder_of_cards, card_count);
    if (!fake_card_map(&cards[card_count].view, path)) break;
    cards[card_count].index = (int)card_count;
    instances[card_count] = cards[card_count];
    instances[card_count].is_instance = true;
    card_count++;
  }
}

EXPORT nvmlReturn_t nvmlInit_v2(void) {
  const char *folder = getenv(FAKE_FOLDER_VARIABLE);
  if (folder == NULL || access(folder, R_OK) != 0) return NVML_ERROR_DRIVER_NOT_LOADED;
  find_cards(folder);
  is_started = true;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  return nvmlInit_v2();
}

EXPORT nvmlReturn_t nvmlInit(void) { return nvmlInit_v2(); }

EXPORT nvmlReturn_t nvmlShutdown(void) {
  if (!is_started) return NVML_ERROR_UNINITIALIZED;
  is_started = false;
  return NVML_SUCCESS;
}

nvmlReturn_t nvml_begin(nvmlDevice_t device) {
  if (!is_started) return NVML_ERROR_UNINITIALIZED;
  if (device == NULL) return NVML_ERROR_INVALID_ARGUMENT;
  fake_card_look(&device->view);
  nvmlReturn_t error = (nvmlReturn_t)device->view.card->traits.nvml_error;
  return error == NVML_SUCCESS ? error : nvml_end(device, error);
}

nvmlReturn_t nvml_end(nvmlDevice_t device, nvmlReturn_t result) {
  fake_card_leave(&device->view);
  return result;
}

EXPORT const char *nvmlErrorString(nvmlReturn_t error) {
  switch (error) {
    case NVML_SUCCESS: return "Success";
    case NVML_ERROR_UNINITIALIZED: return "Uninitialized";
    case NVML_ERROR_INVALID_ARGUMENT: return "Invalid Argument";
    case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
    case NVML_ERROR_NOT_FOUND: return "Not Found";
    case NVML_ERROR_INSUFFICIENT_SIZE: return "Insufficient Size";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case 15: return "GPU is lost";
    default: return "Unknown Error";
  }
}

EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) {
  *count = card_count;
  return is_started ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
  if (!is_started) return NVML_ERROR_UNINITIALIZED;
  if (index >= card_count) return NVML_ERROR_INVALID_ARGUMENT;
  *device = &cards[index];
  nvmlReturn_t result = nvml_begin(*device);
  return result == NVML_SUCCESS ? nvml_end(*device, result) : result;
}

static nvmlReturn_t text(char *to, unsigned bytes, const char *prefix, const char *from) {
  int written = snprintf(to, bytes, "%s%s", prefix, from);
  return (unsigned)written < bytes ? NVML_SUCCESS : NVML_ERROR_INSUFFICIENT_SIZE;
}

EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned bytes) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  const char *own = device->view.card->traits.uuid;
  bool is_changed = device->is_instance && strncmp(own, "GPU-", 4) == 0;
  result = is_changed ? text(uuid, bytes, "MIG-", own + 4) : text(uuid, bytes, "", own);
  return nvml_end(device, result);
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
  if (!is_started) return NVML_ERROR_UNINITIALIZED;
  for (unsigned i = 0; i < card_count; i++) {
    *device = &cards[i];
    if (strcmp(uuid, cards[i].view.card->traits.uuid) == 0) return NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_FOUND;
}

EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned bytes) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  return nvml_end(device, text(name, bytes, "", device->view.card->traits.name));
}

EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned bytes) {
  if (!is_started) return NVML_ERROR_UNINITIALIZED;
  if (card_count == 0) return NVML_ERROR_NOT_FOUND;
  return text(version, bytes, "", cards[0].view.card->traits.driver_version);
}

EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) {
  *version = 13000;
  return NVML_SUCCESS;
}

struct pci_info {
  char bus_id_legacy[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char bus_id[32];
};

EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, struct pci_info *info) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  memset(info, 0, sizeof *info);
  info->bus = (unsigned)device->index + 1;
  result = text(info->bus_id, sizeof info->bus_id, "", device->view.card->traits.pci_bus_id);
  return nvml_end(device, result);
}

EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *now, unsigned *pending) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  *now = *pending = device->view.card->traits.is_mig;
  return nvml_end(device, NVML_SUCCESS);
}

EXPORT nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned *count) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  *count = device->view.card->traits.is_mig ? 7 : 0;
  return nvml_end(device, NVML_SUCCESS);
}

EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index,
                                                        nvmlDevice_t *instance) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  *instance = &instances[device->index];
  bool is_there = device->view.card->traits.is_mig && index == 0;
  return nvml_end(device, is_there ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND);
}

struct attributes {
  unsigned multiprocessors, shared_engines[5], gpu_slices, compute_slices;
  unsigned long long memory_mib;
};

EXPORT nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, struct attributes *told) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  if (!device->is_instance) return nvml_end(device, NVML_ERROR_NOT_SUPPORTED);
  const struct fake_card_traits *traits = &device->view.card->traits;
  *told = (struct attributes){.multiprocessors = traits->multiprocessors,
                              .gpu_slices = 7,
                              .compute_slices = 7,
                              .memory_mib = traits->total_bytes >> 20};
  return nvml_end(device, NVML_SUCCESS);
}

#define FIGURE(name, type, field)                                    \
  EXPORT nvmlReturn_t name(nvmlDevice_t device, type *value) {       \
    nvmlReturn_t result = nvml_begin(device);                        \
    if (result != NVML_SUCCESS) return result;                       \
    *value = (type)(field);                                          \
    return nvml_end(device, NVML_SUCCESS);                           \
  }
#define FIGURE_OF(name, type, field)                                           \
  EXPORT nvmlReturn_t name(nvmlDevice_t device, unsigned which, type *value) { \
    (void)which;                                                               \
    nvmlReturn_t result = nvml_begin(device);                                  \
    if (result != NVML_SUCCESS) return result;                                 \
    *value = (type)(field);                                                    \
    return nvml_end(device, NVML_SUCCESS);                                     \
  }
#define TRAIT(field) device->view.card->traits.field

FIGURE(nvmlDeviceGetMinorNumber, unsigned, device->index)
FIGURE(nvmlDeviceGetNumGpuCores, unsigned, TRAIT(cores))
FIGURE(nvmlDeviceGetPowerUsage, unsigned, TRAIT(power_mw))
FIGURE(nvmlDeviceGetEnforcedPowerLimit, unsigned, TRAIT(power_limit_mw))
FIGURE(nvmlDeviceGetPowerManagementLimit, unsigned, TRAIT(power_limit_mw))
FIGURE_OF(nvmlDeviceGetTemperature, unsigned, TRAIT(temperature_c))
FIGURE_OF(nvmlDeviceGetClockInfo, unsigned, which == 2 ? TRAIT(memory_mhz) : TRAIT(sm_mhz))
FIGURE_OF(nvmlDeviceGetMaxClockInfo, unsigned, which == 2 ? TRAIT(memory_mhz) : TRAIT(sm_mhz))

EXPORT nvmlReturn_t nvmlDeviceGetNumaNodeId(nvmlDevice_t device, unsigned *node) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  if (TRAIT(numa_node) == 0) return nvml_end(device, NVML_ERROR_NOT_SUPPORTED);
  *node = TRAIT(numa_node) - 1;
  return nvml_end(device, NVML_SUCCESS);
}

EXPORT nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major,
                                                       int *minor) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  *major = (int)TRAIT(compute_major);
  *minor = (int)TRAIT(compute_minor);
  return nvml_end(device, NVML_SUCCESS);
}
