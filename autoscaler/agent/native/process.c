/* Attaching, forking, ending; and which GPU a call is about. */
#define _GNU_SOURCE
#include "process.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "devices.h"
#include "identity.h"
#include "graph_memory.h"
#include "ledger.h"
#include "pages.h"
#include "pools.h"
#include "real.h"
#include "real_driver.h"
#include "slots.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#define MOST_DEVICES 64
#define LINE_BYTES 64u
#define MAP_AGAIN_NS 1000000000ull
#define CUDA_ERROR_NOT_PERMITTED 800

enum {
  STAGE_NONE, /* as after fork */
  STAGE_ATTACHING,
  STAGE_METERING,
  STAGE_PASSING,
  STAGE_REFUSED
};

struct process {
  struct tf_process_head head;
  int stage;
  int pid; /* where the kernel cannot empty the region; else 0 */
  int device_count; /* 0: not asked yet, or the driver is not initialised */
  int gpu_of_device[MOST_DEVICES]; /* -1: not the pod's */
  uint64_t mapped_ns;
  _Alignas(LINE_BYTES) struct tf_costs costs;
  _Alignas(LINE_BYTES) unsigned char meters[];
};

static struct tf_process_head no_head;
struct tf_process_head *tf_process_head = &no_head;
static struct process *process_region;
static bool is_ending;

static uint64_t meter_stride(void) {
  return (tf_meter_bytes() + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

struct tf_meter *tf_meter_of(int gpu) {
  return (struct tf_meter *)(void *)(process_region->meters + (uint64_t)gpu * meter_stride());
}

/* Make the region; NULL where the host has no memory: hooks pass then. */
static struct process *region(void) {
  struct process *made = __atomic_load_n(&process_region, __ATOMIC_ACQUIRE);
  size_t bytes = sizeof *made + TF_MOST_GPUS * meter_stride();
  struct process *expected = NULL;
  if (made != NULL) {
    return made;
  }
  made = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (made == MAP_FAILED) {
    return NULL;
  }
  if (madvise(made, bytes, MADV_WIPEONFORK) != 0) {
    made->pid = (int)getpid();
  }
  if (!__atomic_compare_exchange_n(&process_region, &expected, made, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE)) {
    munmap(made, bytes); /* another thread was first */
    made = expected;
  }
  __atomic_store_n(&tf_process_head, &made->head, __ATOMIC_RELEASE);
  return made;
}

/* The word for this process's device time in its slot; NULL where it has none. */
static uint64_t *charged_in_slot(void) {
  struct tf_identity self = tf_identity_of_self();
  for (unsigned int i = 0; i < TF_MOST_PROCESSES; i++) {
    struct tf_use_process *slot = &tf_use()->process[i];
    if (slot->pid == self.pid && slot->start_time == self.start_time &&
        slot->pid_namespace == self.pid_namespace && slot->ready_generation == slot->generation) {
      return &slot->charged_ns;
    }
  }
  return NULL;
}

static int attach(struct process *process) {
  enum tf_attached attached = tf_attach();
  uint64_t *charged_ns = NULL;
  tf_ledger_clear();
  tf_graph_memory_clear();
  tf_pools_clear();
  if (attached == TF_REFUSED) {
    return STAGE_REFUSED;
  }
  if (attached == TF_UNLIMITED) {
    return STAGE_PASSING;
  }
  if (tf_slot_claim()) {
    charged_ns = charged_in_slot();
  } else {
    dprintf(2, "tensor-fusion: all %u places for processes of this pod are taken; the memory of "
               "process %d is not counted\n", TF_MOST_PROCESSES, (int)getpid());
  }
  for (int gpu = 0; gpu < (int)TF_MOST_GPUS; gpu++) {
    tf_meter_init(tf_meter_of(gpu), &tf_use()->gpu[gpu], &process->costs, &tf_real_driver);
    tf_meter_publish_to(tf_meter_of(gpu), charged_ns);
  }
  return STAGE_METERING;
}

/* Attach, or wait until another thread has. */
static int attach_once(struct process *process) {
  int stage = STAGE_NONE;
  if (__atomic_compare_exchange_n(&process->stage, &stage, STAGE_ATTACHING, false,
                                  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    stage = attach(process);
    __atomic_store_n(&process->stage, stage, __ATOMIC_RELEASE);
  }
  while (stage == STAGE_ATTACHING) {
    struct timespec step = {.tv_nsec = 1000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL);
    stage = __atomic_load_n(&process->stage, __ATOMIC_ACQUIRE);
  }
  return stage;
}

/* A kernel before 4.14 empties nothing: a child is told by its pid, and empties the region itself. */
static void empty_after_fork(struct process *process) {
  int pid = (int)getpid();
  if (process->pid != pid) {
    memset(process, 0, sizeof *process);
    memset(process->meters, 0, TF_MOST_GPUS * meter_stride());
    process->pid = pid;
  }
}

static int stage_now(void) {
  struct process *process = __atomic_load_n(&process_region, __ATOMIC_ACQUIRE);
  int stage;
  if (__builtin_expect(process == NULL, 0)) {
    process = region();
    if (process == NULL) {
      return STAGE_PASSING;
    }
  }
  if (__builtin_expect(process->pid != 0, 0)) {
    empty_after_fork(process);
  }
  stage = __atomic_load_n(&process->stage, __ATOMIC_ACQUIRE);
  return __builtin_expect(stage > STAGE_ATTACHING, 1) ? stage : attach_once(process);
}

bool tf_attached(void) {
  return stage_now() == STAGE_METERING;
}

bool tf_refused(void) {
  return stage_now() == STAGE_REFUSED;
}

/* With one device, and where the kernel empties the region at fork, launches need not ask further. */
static void publish_sole(struct process *process, int count) {
  int gpu = process->gpu_of_device[0];
  if (count == 1 && gpu >= 0 && process->pid == 0) {
    process->head.sole_gpu = gpu;
    __atomic_store_n(&process->head.sole_meter, tf_meter_of(gpu), __ATOMIC_RELEASE);
  }
}

/* Find out which device is which GPU of the pod; again each second while one is unknown, because the
 * pod's list may come with a late `ctl`.  Threads may race: all write the same. */
static void map_devices(struct process *process) {
  uint64_t now_ns = tf_now_ns();
  int count = 0;
  int mode;
  if (now_ns < process->mapped_ns + MAP_AGAIN_NS && process->mapped_ns != 0) {
    return;
  }
  tf_relaxed_begin(&mode);
  if (tf_real(cuDeviceGetCount)(&count) == CUDA_SUCCESS) {
    count = count < MOST_DEVICES ? count : MOST_DEVICES;
    for (int device = 0; device < count; device++) {
      __atomic_store_n(&process->gpu_of_device[device], tf_device_index(device), __ATOMIC_RELAXED);
    }
    process->mapped_ns = now_ns;
    __atomic_store_n(&process->device_count, count, __ATOMIC_RELEASE);
    publish_sole(process, count);
  }
  tf_relaxed_end(mode);
}

static int gpu_of(struct process *process, CUdevice device) {
  int gpu = -1;
  for (int tries = 0; tries < 2 && gpu < 0; tries++) {
    if (device >= 0 && device < __atomic_load_n(&process->device_count, __ATOMIC_ACQUIRE)) {
      gpu = __atomic_load_n(&process->gpu_of_device[device], __ATOMIC_RELAXED);
    }
    if (__builtin_expect(gpu < 0, 0)) {
      map_devices(process);
    }
  }
  return gpu;
}

int tf_gpu_of_device(CUdevice device) {
  return tf_attached() ? gpu_of(process_region, device) : -1;
}

/* Of one device there is nothing to ask. */
static bool has_one_device(void) {
  return __atomic_load_n(&process_region->device_count, __ATOMIC_ACQUIRE) == 1;
}

/* Device of the current context; -1: there is none. */
static CUdevice current_device(void) {
  CUdevice device = 0;
  return has_one_device() || tf_real(cuCtxGetDevice)(&device) == CUDA_SUCCESS ? device : -1;
}

CUdevice tf_device_of_stream(CUstream stream) {
  CUcontext context = NULL;
  CUdevice device;
  if (!tf_attached()) {
    return -1;
  }
  if ((uintptr_t)stream <= CU_STREAM_PER_THREAD || has_one_device() ||
      tf_real(cuStreamGetCtx)(stream, &context) != CUDA_SUCCESS ||
      tf_real(cuCtxPushCurrent_v2)(context) != CUDA_SUCCESS) {
    return current_device();
  }
  device = current_device();
  tf_real(cuCtxPopCurrent_v2)(&context);
  return device;
}

int tf_current_gpu(void) {
  CUdevice device = tf_attached() ? current_device() : -1;
  return device >= 0 ? gpu_of(process_region, device) : -1;
}

void tf_forget_cost(uint64_t function, uint64_t shape) {
  if (tf_attached()) {
    for (int gpu = 0; gpu < (int)TF_MOST_GPUS; gpu++) {
      tf_cost_forget(&process_region->costs, tf_cost_key((uint64_t)gpu, function, shape));
    }
  }
}

void tf_forget_costs(void) {
  for (unsigned int i = 0; tf_attached() && i < TF_COST_ENTRIES; i++) {
    uint64_t key = __atomic_load_n(&process_region->costs.entry[i].key, __ATOMIC_RELAXED);
    if (key != 0) {
      tf_cost_forget(&process_region->costs, key);
    }
  }
}

void tf_context_ends(CUdevice device) {
  int gpu = tf_gpu_of_device(device);
  if (gpu >= 0) {
    tf_meter_drop_events(tf_meter_of(gpu));
  }
}

CUresult tf_hook_cuInit(unsigned int flags) {
  if (tf_refused()) {
    return CUDA_ERROR_NOT_PERMITTED;
  }
  CUresult result = tf_real(cuInit)(flags);
  if (result == CUDA_SUCCESS) {
    tf_say_unlimited();
  }
  return result;
}

bool tf_is_ending(void) {
  return __atomic_load_n(&is_ending, __ATOMIC_ACQUIRE);
}

/* At the end of the process: what was counted is published, and hooks pass from now on. */
__attribute__((destructor)) static void end(void) {
  struct process *process = process_region;
  uint64_t now_ns = process != NULL ? tf_now_ns() : 0;
  __atomic_store_n(&is_ending, true, __ATOMIC_RELEASE);
  if (process == NULL || (process->pid != 0 && process->pid != (int)getpid()) ||
      __atomic_exchange_n(&process->stage, STAGE_PASSING, __ATOMIC_ACQ_REL) != STAGE_METERING) {
    return;
  }
  __atomic_store_n(&process->head.sole_meter, NULL, __ATOMIC_RELEASE);
  for (int gpu = 0; gpu < (int)TF_MOST_GPUS; gpu++) {
    struct tf_terms terms;
    tf_terms_of(gpu, &terms, now_ns);
    tf_meter_settle(tf_meter_of(gpu), &terms, now_ns);
    tf_meter_publish_to(tf_meter_of(gpu), NULL);
  }
  tf_slot_release();
}
