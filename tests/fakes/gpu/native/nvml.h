/* The fake NVML: its types, and how a call gets at its card. */
#ifndef FAKE_NVML_H
#define FAKE_NVML_H

#include "card.h"

#define EXPORT __attribute__((visibility("default")))

typedef int nvmlReturn_t;
typedef struct nvml_device *nvmlDevice_t;

enum {
  NVML_SUCCESS = 0,
  NVML_ERROR_UNINITIALIZED = 1,
  NVML_ERROR_INVALID_ARGUMENT = 2,
  NVML_ERROR_NOT_SUPPORTED = 3,
  NVML_ERROR_NOT_FOUND = 6,
  NVML_ERROR_INSUFFICIENT_SIZE = 7,
  NVML_ERROR_DRIVER_NOT_LOADED = 9,
  NVML_ERROR_VERSION_MISMATCH = 25
};

/* A card, or the one MIG instance that it has where MIG is on. */
struct nvml_device {
  struct fake_card_view view;
  int index;
  bool is_instance;
};

/* Start a call on a card: it is taken, as of now; else the error, and it is not taken. */
nvmlReturn_t nvml_begin(nvmlDevice_t device);
nvmlReturn_t nvml_end(nvmlDevice_t device, nvmlReturn_t result);

#endif
