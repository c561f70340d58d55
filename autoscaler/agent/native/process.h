/* This process as its pod's GPUs see it: attached at the first hooked call, again in a child after
 * fork, and out of the way when the process ends.
 *
 * Everything that a child must not inherit lies in one region that the kernel empties at fork
 * (MADV_WIPEONFORK), because vfork and clone pass by the handlers of pthread_atfork.  Hooks of memory
 * ask `tf_attached` before they touch what they know of allocations, so that a child begins anew.
 */
#ifndef TF_PROCESS_H
#define TF_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "meter.h"

/* Attach where that was not done.  false: this is no worker, or it is ending; hooks pass. */
bool tf_attached(void);

/* Whether the process is at its end, where the driver is not to be called any more. */
bool tf_is_ending(void);

/* Whether TF_STRICT forbids to start CUDA. */
bool tf_refused(void);

/* Index in the pages of the GPU of the current context, or of a device; -1: it is not the pod's. */
int tf_current_gpu(void);
int tf_gpu_of_device(CUdevice device);

/* Device of a stream; -1: there is none. */
CUdevice tf_device_of_stream(CUstream stream);

/* The head of the region: what a process with one device has to look at for each launch. */
struct tf_process_head {
  struct tf_meter *sole_meter; /* NULL: not attached, several devices, or whatever takes longer */
  int sole_gpu;
};

extern struct tf_process_head *tf_process_head;

struct tf_meter *tf_meter_of(int gpu);

/* The meter of the GPU of the current context.  NULL: there is nothing to be metered. */
static inline struct tf_meter *tf_current_meter(int *gpu) {
  const struct tf_process_head *head = __atomic_load_n(&tf_process_head, __ATOMIC_ACQUIRE);
  struct tf_meter *sole = __atomic_load_n(&head->sole_meter, __ATOMIC_ACQUIRE);
  if (__builtin_expect(sole != NULL, 1)) {
    *gpu = head->sole_gpu;
    return sole;
  }
  *gpu = tf_current_gpu();
  return *gpu >= 0 ? tf_meter_of(*gpu) : NULL;
}

/* Forget what was learned of a function or graph, or of all, because it is gone. */
void tf_forget_cost(uint64_t function, uint64_t shape);
void tf_forget_costs(void);

/* For the hooks that destroy, release or reset a context, before the real call: the events of its GPU
 * end with it. */
void tf_context_ends(CUdevice device);

#endif
