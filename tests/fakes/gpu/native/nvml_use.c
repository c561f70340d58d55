/* NVML of who uses the cards: memory, processes, utilisation. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nvml.h"

#define MEMORY_VERSION_2 0x02000028u

struct memory_1 {
  unsigned long long total_bytes, free_bytes, used_bytes;
};

struct memory_2 {
  unsigned version;
  unsigned long long total_bytes, reserved_bytes, free_bytes, used_bytes;
};

struct process_info {
  unsigned pid;
  unsigned long long used_bytes;
  unsigned gpu_instance, compute_instance;
};

struct utilization_sample {
  unsigned pid;
  unsigned long long time_us;
  unsigned sm, memory, encoder, decoder;
};

struct utilization_info {
  unsigned long long time_us;
  unsigned pid, sm, memory, encoder, decoder, jpeg, ofa;
};

struct utilization_infos {
  unsigned version, count;
  unsigned long long since_us;
  struct utilization_info *rows;
};

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, struct memory_1 *memory) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  memory->total_bytes = device->view.card->traits.total_bytes;
  memory->used_bytes = fake_memory_used_bytes(device->view.card);
  memory->free_bytes = memory->total_bytes - memory->used_bytes;
  return nvml_end(device, NVML_SUCCESS);
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, struct memory_2 *memory) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  if (memory->version != MEMORY_VERSION_2) return nvml_end(device, NVML_ERROR_VERSION_MISMATCH);
  memory->total_bytes = device->view.card->traits.total_bytes;
  memory->reserved_bytes = device->view.card->traits.nvml_reserved_bytes;
  memory->used_bytes = fake_memory_used_bytes(device->view.card) - memory->reserved_bytes;
  memory->free_bytes = memory->total_bytes - memory->reserved_bytes - memory->used_bytes;
  return nvml_end(device, NVML_SUCCESS);
}

/* Processes with a context, as the calling process numbers them. */
static unsigned running(nvmlDevice_t device, struct process_info *rows) {
  unsigned count = 0;
  for (int slot = 0; slot < FAKE_PROCESSES; slot++) {
    const struct fake_process *process = &device->view.card->process[slot];
    pid_t pid = process->owner == 0 ? 0 : fake_process_pid(&device->view, slot);
    if (pid == 0 || process->memory_bytes == 0) continue;
    rows[count++] = (struct process_info){.pid = (unsigned)pid,
                                          .used_bytes = process->memory_bytes,
                                          .gpu_instance = 0xffffffffu,
                                          .compute_instance = 0xffffffffu};
  }
  return count;
}

static nvmlReturn_t list(const struct process_info *found, unsigned found_count, unsigned *count,
                         struct process_info *rows) {
  unsigned room = *count;
  *count = found_count;
  if (*count == 0) return NVML_SUCCESS;
  if (*count > room || rows == NULL) return NVML_ERROR_INSUFFICIENT_SIZE;
  memcpy(rows, found, *count * sizeof found[0]);
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                                            struct process_info *rows) {
  struct process_info found[FAKE_PROCESSES];
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  return nvml_end(device, list(found, running(device, found), count, rows));
}

EXPORT nvmlReturn_t nvmlDeviceGetMPSComputeRunningProcesses_v3(nvmlDevice_t device,
                                                               unsigned *count,
                                                               struct process_info *rows) {
  struct process_info found[FAKE_PROCESSES];
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  unsigned clients = device->view.card->traits.is_under_mps ? running(device, found) : 0;
  return nvml_end(device, list(found, clients, count, rows));
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned *count,
                                                            struct process_info *rows) {
  return nvmlDeviceGetComputeRunningProcesses_v3(device, count, rows);
}

/* NVML's times are those of the wall. */
static unsigned long long wall_us(uint64_t monotonic_ns) {
  struct timespec wall;
  clock_gettime(CLOCK_REALTIME, &wall);
  uint64_t wall_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec;
  return (wall_ns - (fake_now_ns() - monotonic_ns)) / 1000;
}

/* A process that is gone keeps the number that it gave itself. */
static pid_t pid_of(const struct fake_card_view *view, uint64_t owner) {
  for (int slot = 0; slot < FAKE_PROCESSES; slot++) {
    if (view->card->process[slot].owner != owner) continue;
    pid_t pid = fake_process_pid(view, slot);
    if (pid != 0) return pid;
  }
  return (pid_t)(uint32_t)owner;
}

static bool is_listed(const struct utilization_info *rows, unsigned count, pid_t pid) {
  for (unsigned i = 0; i < count; i++) {
    if (rows[i].pid == (unsigned)pid) return true;
  }
  return false;
}

/* The newest sample of each process after a time. */
static unsigned samples(nvmlDevice_t device, unsigned long long since_us,
                        struct utilization_info *rows) {
  const struct fake_utilization *use = &device->view.card->utilization;
  uint64_t oldest = use->count > FAKE_WINDOWS ? use->count - FAKE_WINDOWS : 0;
  unsigned count = 0;
  for (uint64_t i = use->count; i > oldest; i--) {
    const struct fake_window *window = &use->window[(i - 1) % FAKE_WINDOWS];
    unsigned long long time_us = wall_us(window->end_ns);
    if (time_us <= since_us) break;
    for (uint32_t row = 0; row < window->rows && count < FAKE_PROCESSES; row++) {
      pid_t pid = pid_of(&device->view, window->row[row].owner);
      if (is_listed(rows, count, pid)) continue;
      rows[count++] = (struct utilization_info){
          .time_us = time_us, .pid = (unsigned)pid, .sm = window->row[row].percent};
    }
  }
  return count;
}

/* What both calls have in common: the card is taken where it works. */
static nvmlReturn_t begin_samples(nvmlDevice_t device, unsigned long long since_us, unsigned room,
                                  unsigned *count, struct utilization_info *rows) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  if (device->view.card->traits.is_mig) return nvml_end(device, NVML_ERROR_NOT_SUPPORTED);
  *count = samples(device, since_us, rows);
  if (*count == 0) result = NVML_ERROR_NOT_FOUND;
  else if (*count > room) result = NVML_ERROR_INSUFFICIENT_SIZE;
  return nvml_end(device, result);
}

EXPORT nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device,
                                                    struct utilization_sample *rows,
                                                    unsigned *count,
                                                    unsigned long long since_us) {
  struct utilization_info found[FAKE_PROCESSES];
  unsigned room = rows != NULL ? *count : 0;
  nvmlReturn_t result = begin_samples(device, since_us, room, count, found);
  if (result != NVML_SUCCESS) return result;
  for (unsigned i = 0; i < *count; i++) {
    rows[i] = (struct utilization_sample){
        .pid = found[i].pid, .time_us = found[i].time_us, .sm = found[i].sm};
  }
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device,
                                                          struct utilization_infos *infos) {
  struct utilization_info found[FAKE_PROCESSES];
  unsigned room = infos->rows != NULL ? infos->count : 0;
  nvmlReturn_t result = begin_samples(device, infos->since_us, room, &infos->count, found);
  if (result != NVML_SUCCESS) return result;
  memcpy(infos->rows, found, infos->count * sizeof found[0]);
  return NVML_SUCCESS;
}

struct utilization_rates {
  unsigned gpu, memory;
};

EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device,
                                                  struct utilization_rates *rates) {
  nvmlReturn_t result = nvml_begin(device);
  if (result != NVML_SUCCESS) return result;
  const struct fake_utilization *use = &device->view.card->utilization;
  *rates = (struct utilization_rates){0};
  if (use->count > 0) rates->gpu = use->window[(use->count - 1) % FAKE_WINDOWS].card_percent;
  return nvml_end(device, NVML_SUCCESS);
}
