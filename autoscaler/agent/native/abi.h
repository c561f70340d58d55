/* The two pages of a worker pod: what the limiter and the agent agree on, byte for byte.
 *
 * `ctl` is written by the agent and mounted read-only in every container; `use` is written by the
 * limiter of every process of the pod, and the agent only reads it, with pread.  All numbers are
 * little endian; every field is one naturally aligned word that is read and written at once, so that
 * no lock and no sequence number is needed.  Zero never means "unlimited": it means "not set".
 *
 * A change of any offset or meaning is a new TF_ABI_VERSION and a new file name; a page in use is
 * never truncated, replaced or rewritten in place.  autoscaler/agent/pages/abi.py repeats the
 * offsets, and a test compares both.
 */
#ifndef TF_ABI_H
#define TF_ABI_H

#include <stddef.h>
#include <stdint.h>

#define TF_ABI_VERSION 1u
#define TF_CTL_MAGIC 0x31304c5443465400ull /* "\0TFCTL01" */
#define TF_USE_MAGIC 0x3130455355465400ull /* "\0TFUSE01" */
#define TF_MOST_GPUS 16u
#define TF_MOST_PROCESSES 256u
#define TF_UUID_BYTES 64u /* "GPU-..." with a terminating zero */
#define TF_ONE_Q32 (1ull << 32) /* a whole GPU, as a share */
#define TF_ONE_Q16 (1ull << 16) /* a factor of one */
#define TF_TOLD_NS 1000000000ull /* after the heartbeat, left_q32 is not known any more */

#define TF_CTL_FILE "ctl"
#define TF_USE_FILE "use"
#define TF_CTL_BYTES 4096u
#define TF_USE_BYTES 53248u

/* tf_ctl.flags */
#define TF_CTL_ENABLED 1ull      /* limits are in force; without it launches pass and are counted */
#define TF_CTL_NO_CONTEXT 2ull   /* memory of contexts themselves is not charged */

/* tf_ctl_gpu.flags */
#define TF_GPU_NO_TRIM 1u /* MIG or MPS: trim_k is one, and shares are no shares of time */

/* One GPU of the pod, as the agent wants it to be used. */
struct tf_ctl_gpu {
  char uuid[TF_UUID_BYTES];
  uint64_t share_q32;     /* effective share of the GPU's time, TF_ONE_Q32 = all; 0 = not set */
  uint64_t trim_k_q16;    /* factor on learned costs; 0 = one */
  uint64_t burst_ns;      /* wall time that may be caught up at once; 0 = the built-in default */
  uint64_t inflight_ns;   /* most device time outstanding per process; 0 = the built-in default */
  uint64_t memory_limit_bytes; /* 0 = not set */
  uint32_t qos;           /* 0 low, 1 medium, 2 high, 3 critical: to be shown only */
  uint32_t flags;
  uint64_t left_q32;      /* what other pods leave of its time; TF_ONE_Q32 = all, 0 = not known */
  uint64_t hidden_bytes;  /* of memory, that the driver says the pod holds and no slot accounts for */
};

/* `ctl`. */
struct tf_ctl {
  uint64_t magic;
  uint32_t abi_version;
  uint32_t size_bytes;
  uint64_t generation;   /* goes up by one after each change */
  uint64_t heartbeat_ns; /* CLOCK_MONOTONIC of the agent's last look */
  uint64_t flags;
  uint32_t gpu_count;
  uint32_t reserved0;
  char pod_uid[64];
  uint64_t reserved1[2];
  struct tf_ctl_gpu gpu[TF_MOST_GPUS];
  uint32_t dead_slot[TF_MOST_PROCESSES]; /* generation of a slot whose process is gone; 0 = none */
};

/* One GPU of the pod, as all its processes use it.  Records follow the order of TF's own list of the
 * pod's GPUs: the one of `ctl`, or of NVIDIA_VISIBLE_DEVICES before there is one. */
struct tf_use_gpu {
  uint64_t tat_ns;        /* theoretical arrival time, CLOCK_MONOTONIC: the law's only state */
  uint64_t tat_share_q32; /* share under which the debt in tat_ns was made */
  uint64_t charged_ns;    /* device time charged, before trim; never goes down */
  uint64_t launches;
  uint64_t blocked_ns;    /* wall time that launches were held by the share */
  uint64_t denied_allocations;
  uint64_t denied_bytes;
  uint64_t waited_ns;     /* wall time that processes waited for their work on the GPU to end */
};

/* One process.  It reserves memory in its own slot alone; what the pod holds is the sum over live
 * slots, so that a SIGKILL at any store leaves nothing wrong once the slot is swept. */
struct tf_use_process {
  uint32_t pid;        /* in its own PID namespace; 0 = free */
  uint32_t generation; /* of the slot; goes up at each claim */
  uint64_t start_time; /* field 22 of /proc/self/stat */
  uint64_t pid_namespace; /* inode of /proc/self/ns/pid: only the same namespace sweeps the slot */
  uint64_t memory_bytes[TF_MOST_GPUS]; /* all that is charged, contexts included */
  uint64_t charged_ns; /* over all GPUs */
  uint64_t context_bytes; /* over all GPUs: of memory_bytes, what contexts themselves take */
  uint64_t ready_generation; /* other than `generation`: claimed just now, not to be counted yet */
  uint64_t reserved[2];
};

/* `use`. */
struct tf_use {
  uint64_t magic;
  uint32_t abi_version;
  uint32_t size_bytes;
  uint64_t created_ns; /* CLOCK_MONOTONIC: the pod's processes wait for `ctl` once, not each */
  uint64_t slots_used; /* every slot from this index on has never been claimed */
  uint64_t reserved[3];
  uint64_t unknown_symbols; /* driver functions that were asked for in a version nobody knows */
  struct tf_use_gpu gpu[TF_MOST_GPUS];
  struct tf_use_process process[TF_MOST_PROCESSES];
};

_Static_assert(sizeof(struct tf_ctl_gpu) == 128, "a GPU of ctl");
_Static_assert(offsetof(struct tf_ctl, gpu) == 128, "the header of ctl");
_Static_assert(sizeof(struct tf_ctl) <= TF_CTL_BYTES, "ctl");
_Static_assert(sizeof(struct tf_use_gpu) == 64, "a GPU of use");
_Static_assert(sizeof(struct tf_use_process) == 192, "a process of use");
_Static_assert(offsetof(struct tf_use, gpu) == 64, "the header of use");
_Static_assert(sizeof(struct tf_use) <= TF_USE_BYTES, "use");

#endif
