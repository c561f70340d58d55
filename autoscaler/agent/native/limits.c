/* Environment to limits: shares of a GPU, bytes, UUIDs. */
#define _GNU_SOURCE
#include "limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"

#define MILLI 1000u
#define DEFAULT_WAIT_MS 10000u
#define LONGEST_WAIT_MS 600000u
#define NS_PER_MS 1000000u

__extension__ typedef unsigned __int128 tf_wide;

/* Return a quantity of the environment in units of 1 / scale; 0: it is not stated. */
static uint64_t stated(const char *name, uint64_t scale) {
  const char *text = getenv(name);
  uint64_t value = 0;
  if (text == NULL || *text == '\0') {
    return 0;
  }
  if (!tf_parse_quantity(text, scale, &value)) {
    dprintf(2,
            "tensor-fusion: %s=\"%.64s\" is no Kubernetes quantity such as 500m, 12 or 16Gi, "
            "and counts as not set\n",
            name, text);
    return 0;
  }
  return value;
}

/* Return part / whole as a share of a GPU: at least the smallest one, at most all of it. */
static uint64_t share_of(uint64_t part, uint64_t whole) {
  tf_wide share = (tf_wide)part * TF_ONE_Q32 / whole;
  if (share == 0) {
    return 1;
  }
  return share > TF_ONE_Q32 ? TF_ONE_Q32 : (uint64_t)share;
}

/* The lower one of the limit in percent and the limit in TFLOPS, as far as they are stated. */
static uint64_t stated_share_q32(void) {
  uint64_t percent_milli = stated(TF_ENV_LIMIT_PERCENT, MILLI);
  uint64_t tflops_milli = stated(TF_ENV_LIMIT_TFLOPS, MILLI);
  uint64_t peak_milli = stated(TF_ENV_PEAK_TFLOPS, MILLI);
  uint64_t share = 0;
  if (percent_milli != 0) {
    share = share_of(percent_milli, 100u * MILLI);
  }
  if (tflops_milli != 0 && peak_milli != 0) {
    uint64_t by_tflops = share_of(tflops_milli, peak_milli);
    share = share == 0 || by_tflops < share ? by_tflops : share;
  } else if (tflops_milli != 0) {
    dprintf(2, "tensor-fusion: %s is set without %s, the peak of the GPU, and is not in force\n",
            TF_ENV_LIMIT_TFLOPS, TF_ENV_PEAK_TFLOPS);
  }
  return share;
}

/* Keep the UUIDs of a list such as "GPU-1...,GPU-2..."; "all" and "0,1" name none. */
static uint32_t read_uuids(const char *list, char uuid[TF_MOST_GPUS][TF_UUID_BYTES]) {
  uint32_t count = 0;
  while (list != NULL && *list != '\0' && count < TF_MOST_GPUS) {
    size_t length = strcspn(list, ",");
    bool is_uuid = strncmp(list, "GPU-", 4) == 0 || strncmp(list, "MIG-", 4) == 0;
    if (is_uuid && length < TF_UUID_BYTES) {
      memcpy(uuid[count], list, length);
      uuid[count][length] = '\0';
      count++;
    }
    list += length + (list[length] == ',');
  }
  return count;
}

void tf_limits_read(struct tf_limits *limits) {
  const char *strict = getenv(TF_ENV_STRICT);
  const char *wait = getenv(TF_ENV_WAIT);
  uint64_t wait_ms = DEFAULT_WAIT_MS;
  memset(limits, 0, sizeof *limits);
  limits->share_q32 = stated_share_q32();
  limits->memory_bytes = stated(TF_ENV_LIMIT_VRAM, 1);
  limits->is_strict = strict != NULL && strcmp(strict, "1") == 0;
  limits->gpu_count = read_uuids(getenv(TF_ENV_DEVICES), limits->uuid);
  if (wait != NULL && *wait != '\0' && !tf_parse_quantity(wait, MILLI, &wait_ms)) {
    dprintf(2, "tensor-fusion: %s=\"%.64s\" is no number of seconds; %u s are waited\n",
            TF_ENV_WAIT, wait, DEFAULT_WAIT_MS / MILLI);
    wait_ms = DEFAULT_WAIT_MS;
  }
  limits->ctl_wait_ns = (wait_ms < LONGEST_WAIT_MS ? wait_ms : LONGEST_WAIT_MS) * NS_PER_MS;
}
