/* The limits that the pod was admitted with, from its environment.
 *
 * They are in force until the agent has written `ctl`, and for whatever `ctl` does not set.  Nothing
 * here is read after the attach: a program may change its environment.
 */
#ifndef TF_LIMITS_H
#define TF_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

struct tf_limits {
  uint64_t share_q32;    /* 0 = not stated */
  uint64_t memory_bytes; /* 0 = not stated */
  uint64_t ctl_wait_ns;
  bool is_strict;
  uint32_t gpu_count; /* 0: NVIDIA_VISIBLE_DEVICES names no UUIDs */
  char uuid[TF_MOST_GPUS][TF_UUID_BYTES];
};

/* Read the environment.  What cannot be read is said on stderr and counts as not stated. */
void tf_limits_read(struct tf_limits *limits);

#endif
