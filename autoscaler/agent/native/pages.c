/* Attach, and what is in force.
 *
 * Policy where something is missing: without `ctl` the limits of the environment are in force, at the
 * shared page of use; without a page of use they are in force for each process by itself; without
 * either and without a limit in the environment this is no worker, which is said once where CUDA is
 * used.  TF_STRICT=1 refuses instead.
 */
#define _GNU_SOURCE
#include "pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "limits.h"
#include "page_files.h"

#define LOOK_AGAIN_NS 1000000000ull
#define WAIT_STEP_NS 20000000ull
#define NS_PER_S 1000000000ull
#define LONGEST_ROOT 512
#define NOT_ATTACHED 0
#define IS_ATTACHED (-1)

static struct {
  int state; /* NOT_ATTACHED, IS_ATTACHED, or the pid of the process that is attaching */
  enum tf_attached found;
  char root[LONGEST_ROOT]; /* copied: a program may change its environment */
  struct tf_limits limits;
  struct tf_use *use;
  const struct tf_ctl *ctl; /* set once, by whoever finds it */
  uint64_t next_look_ns;
  uint32_t gpu_count; /* the pod's list of GPUs, and the record of each in ctl; NULL: it has none */
  char uuid[TF_MOST_GPUS][TF_UUID_BYTES];
  const struct tf_ctl_gpu *record[TF_MOST_GPUS];
  bool is_bad_ctl_said;
  bool is_unlimited_said;
} pod;

/* Of a process that has no page of use. */
static struct tf_use own_use;

uint64_t tf_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void rest(uint64_t duration_ns) {
  struct timespec duration = {.tv_sec = (time_t)(duration_ns / NS_PER_S),
                              .tv_nsec = (long)(duration_ns % NS_PER_S)};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, NULL);
}

static const struct tf_ctl_gpu *find_record(const struct tf_ctl *ctl, const char *uuid) {
  for (uint32_t i = 0; i < ctl->gpu_count && i < TF_MOST_GPUS; i++) {
    if (strncmp(ctl->gpu[i].uuid, uuid, TF_UUID_BYTES) == 0) {
      return &ctl->gpu[i];
    }
  }
  return NULL;
}

/* Take the list of GPUs of ctl where there is none yet, find the record of each, then publish. */
static void adopt_ctl(const struct tf_ctl *ctl) {
  uint32_t count = ctl->gpu_count < TF_MOST_GPUS ? ctl->gpu_count : TF_MOST_GPUS;
  if (pod.gpu_count == 0) {
    for (uint32_t i = 0; i < count; i++) {
      memcpy(pod.uuid[i], ctl->gpu[i].uuid, TF_UUID_BYTES - 1);
    }
    __atomic_store_n(&pod.gpu_count, count, __ATOMIC_RELEASE);
  }
  for (uint32_t i = 0; i < pod.gpu_count; i++) {
    pod.record[i] = find_record(ctl, pod.uuid[i]);
  }
  __atomic_store_n(&pod.ctl, ctl, __ATOMIC_RELEASE);
}

/* Look for ctl; returns whether it is there, good or bad. */
static bool look_for_ctl(void) {
  const struct tf_ctl *ctl = NULL;
  enum tf_page_state state = tf_open_ctl(pod.root, &ctl);
  if (state == TF_PAGE_OPEN) {
    adopt_ctl(ctl);
  } else if (state == TF_PAGE_BAD && !pod.is_bad_ctl_said) {
    pod.is_bad_ctl_said = true;
    dprintf(2,
            "tensor-fusion: %s/%s/%s is no control page of version %u; the limits of the "
            "environment are in force\n",
            pod.root, TF_CTL_FILE, TF_CTL_FILE, TF_ABI_VERSION);
  }
  return state != TF_PAGE_ABSENT;
}

/* Wait for ctl until the pod's first process has waited long enough. */
static void wait_for_ctl(void) {
  uint64_t now_ns = tf_now_ns();
  uint64_t since_ns = pod.use->created_ns;
  if (since_ns == 0 || since_ns > now_ns) {
    since_ns = now_ns;
  }
  while (!look_for_ctl() && tf_now_ns() < since_ns + pod.limits.ctl_wait_ns) {
    rest(WAIT_STEP_NS);
  }
}

static enum tf_attached refuse(const char *missing) {
  dprintf(2, "tensor-fusion: %s=1, and %s/%s/%s cannot be used: CUDA is not started\n", TF_ENV_STRICT,
          pod.root, missing, missing);
  return TF_REFUSED;
}

static enum tf_attached attach(void) {
  const char *root = getenv(TF_ENV_ROOT);
  enum tf_page_state use_state;
  bool has_ctl_folder;
  snprintf(pod.root, sizeof pod.root, "%s", root != NULL && *root != '\0' ? root : TF_ROOT);
  pod.use = &own_use;
  tf_limits_read(&pod.limits);
  use_state = tf_open_use(pod.root, tf_now_ns(), &pod.use);
  has_ctl_folder = tf_has_ctl_folder(pod.root);
  if (use_state == TF_PAGE_BAD) {
    dprintf(2,
            "tensor-fusion: %s/%s/%s is no page of use of version %u; each process is limited by "
            "itself\n",
            pod.root, TF_USE_FILE, TF_USE_FILE, TF_ABI_VERSION);
  }
  if (has_ctl_folder) {
    wait_for_ctl();
  }
  if (pod.ctl == NULL) {
    memcpy(pod.uuid, pod.limits.uuid, sizeof pod.uuid);
    pod.gpu_count = pod.limits.gpu_count;
  }
  if (pod.limits.is_strict && (pod.ctl == NULL || use_state != TF_PAGE_OPEN)) {
    return refuse(pod.ctl == NULL ? TF_CTL_FILE : TF_USE_FILE);
  }
  if (pod.ctl != NULL) {
    return TF_ATTACHED;
  }
  if (use_state == TF_PAGE_ABSENT && !has_ctl_folder && pod.limits.share_q32 == 0 &&
      pod.limits.memory_bytes == 0) {
    pod.next_look_ns = UINT64_MAX;
    return TF_UNLIMITED;
  }
  pod.next_look_ns = tf_now_ns() + LOOK_AGAIN_NS;
  return TF_WITHOUT_CTL;
}

enum tf_attached tf_attach(void) {
  int state = __atomic_load_n(&pod.state, __ATOMIC_ACQUIRE);
  while (state != IS_ATTACHED) {
    int self = (int)getpid();
    /* Whoever forked while another thread attached has that thread's pid here, and begins anew. */
    if (state == self) {
      rest(WAIT_STEP_NS);
      state = __atomic_load_n(&pod.state, __ATOMIC_ACQUIRE);
    } else if (__atomic_compare_exchange_n(&pod.state, &state, self, false, __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE)) {
      pod.found = attach();
      __atomic_store_n(&pod.state, IS_ATTACHED, __ATOMIC_RELEASE);
      state = IS_ATTACHED;
    }
  }
  return pod.found;
}

void tf_say_unlimited(void) {
  if (tf_attach() != TF_UNLIMITED ||
      __atomic_exchange_n(&pod.is_unlimited_said, true, __ATOMIC_RELAXED)) {
    return;
  }
  dprintf(2,
          "tensor-fusion: %s has no pages of a worker (%s names another folder), and no limit is in "
          "the environment: process %d uses CUDA without limits; %s=1 refuses that\n",
          pod.root, TF_ENV_ROOT, (int)getpid(), TF_ENV_STRICT);
}

struct tf_use *tf_use(void) {
  return pod.use != NULL ? pod.use : &own_use;
}

int tf_gpu_index(const char *uuid) {
  uint32_t count = __atomic_load_n(&pod.gpu_count, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; i < count; i++) {
    if (strncmp(pod.uuid[i], uuid, TF_UUID_BYTES) == 0) {
      return (int)i;
    }
  }
  return -1;
}

const char *tf_gpu_uuid(int gpu) {
  return gpu >= 0 && gpu < (int)TF_MOST_GPUS ? pod.uuid[gpu] : "";
}

static __attribute__((noinline)) void look_again(uint64_t now_ns) {
  uint64_t next_ns = __atomic_load_n(&pod.next_look_ns, __ATOMIC_RELAXED);
  if (next_ns == 0 || now_ns < next_ns ||
      !__atomic_compare_exchange_n(&pod.next_look_ns, &next_ns, UINT64_MAX, false, __ATOMIC_ACQUIRE,
                                   __ATOMIC_RELAXED)) {
    return; /* not yet, or another thread is looking */
  }
  look_for_ctl();
  __atomic_store_n(&pod.next_look_ns, now_ns + LOOK_AGAIN_NS, __ATOMIC_RELEASE);
}

static const struct tf_ctl *ctl_at(uint64_t now_ns) {
  if (__builtin_expect(__atomic_load_n(&pod.ctl, __ATOMIC_ACQUIRE) == NULL, 0)) {
    look_again(now_ns);
  }
  return __atomic_load_n(&pod.ctl, __ATOMIC_ACQUIRE);
}

static inline uint64_t word(const uint64_t *place) {
  return __atomic_load_n(place, __ATOMIC_RELAXED);
}

static inline uint64_t set_or(uint64_t value, uint64_t otherwise) {
  return value != 0 ? value : otherwise;
}

/* The record of a GPU in ctl; where it has none, one that sets nothing: the limits of the environment
 * are in force for it. */
static inline const struct tf_ctl_gpu *record_of(const struct tf_ctl *ctl, int gpu) {
  static const struct tf_ctl_gpu unset;
  const struct tf_ctl_gpu *record = ctl == NULL ? NULL : pod.record[gpu];
  return record != NULL ? record : &unset;
}

/* Whether limits are in force, on a GPU of the pod. */
static inline bool is_limited(const struct tf_ctl *ctl, int gpu) {
  return (uint32_t)gpu < __atomic_load_n(&pod.gpu_count, __ATOMIC_RELAXED) &&
         (ctl == NULL || (word(&ctl->flags) & TF_CTL_ENABLED) != 0);
}

static inline uint64_t share_in(const struct tf_ctl_gpu *record) {
  uint64_t share = set_or(word(&record->share_q32), pod.limits.share_q32);
  return share - 1 < TF_ONE_Q32 ? share : TF_ONE_Q32; /* 0: not set anywhere */
}

/* What others leave is told of now.  An agent that is gone tells nothing. */
static inline uint64_t left_in(const struct tf_ctl *ctl, const struct tf_ctl_gpu *record,
                               uint64_t now_ns) {
  const uint64_t left_q32 = word(&record->left_q32);
  return left_q32 != 0 && now_ns < word(&ctl->heartbeat_ns) + TF_TOLD_NS ? left_q32 : 0;
}

void tf_terms_of(int gpu, struct tf_terms *terms, uint64_t now_ns) {
  const struct tf_ctl *ctl = ctl_at(now_ns);
  const struct tf_ctl_gpu *record;
  bool is_trimmed;
  if (!is_limited(ctl, gpu)) {
    *terms = (struct tf_terms){TF_ONE_Q32, TF_ONE_Q16, TF_DEFAULT_BURST_NS, TF_DEFAULT_INFLIGHT_NS,
                               0};
    return;
  }
  record = record_of(ctl, gpu);
  is_trimmed = (__atomic_load_n(&record->flags, __ATOMIC_RELAXED) & TF_GPU_NO_TRIM) == 0;
  terms->share_q32 = share_in(record);
  terms->trim_k_q16 = is_trimmed ? set_or(word(&record->trim_k_q16), TF_ONE_Q16) : TF_ONE_Q16;
  terms->burst_ns = set_or(word(&record->burst_ns), TF_DEFAULT_BURST_NS);
  terms->inflight_ns = set_or(word(&record->inflight_ns), TF_DEFAULT_INFLIGHT_NS);
  terms->left_q32 = is_trimmed ? left_in(ctl, record, now_ns) : 0;
}

uint64_t tf_memory_limit_bytes(int gpu) {
  const struct tf_ctl *ctl = ctl_at(tf_now_ns());
  uint64_t limit_bytes;
  if (!is_limited(ctl, gpu)) {
    return UINT64_MAX;
  }
  limit_bytes = set_or(word(&record_of(ctl, gpu)->memory_limit_bytes), pod.limits.memory_bytes);
  return set_or(limit_bytes, UINT64_MAX);
}

uint64_t tf_hidden_bytes(int gpu) {
  const struct tf_ctl *ctl = ctl_at(tf_now_ns());
  return is_limited(ctl, gpu) ? word(&record_of(ctl, gpu)->hidden_bytes) : 0;
}

bool tf_counts_contexts(void) {
  const struct tf_ctl *ctl = ctl_at(tf_now_ns());
  return ctl == NULL || (word(&ctl->flags) & TF_CTL_NO_CONTEXT) == 0;
}

uint32_t tf_dead_generation(uint32_t slot) {
  const struct tf_ctl *ctl = __atomic_load_n(&pod.ctl, __ATOMIC_ACQUIRE);
  return ctl == NULL || slot >= TF_MOST_PROCESSES
             ? 0
             : __atomic_load_n(&ctl->dead_slot[slot], __ATOMIC_RELAXED);
}
