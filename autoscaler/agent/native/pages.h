/* The pages of this pod: attached at the first hooked call, never before.
 *
 * `ctl` may come late (the agent writes it) and is looked for again; meanwhile the limits of the
 * environment are in force, against the same `use` page.  Pages are checked before each use of a
 * length or number that is in them: the tenant can write `use`, and `ctl` may be of another version.
 */
#ifndef TF_PAGES_H
#define TF_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "law.h"

/* Names of the injection contract (autoscaler/api/injection.py). */
#define TF_ENV_ROOT "TF_ROOT" /* tests and stand-alone: in the place of /tensor-fusion */
#define TF_ROOT "/tensor-fusion"
#define TF_ENV_DEVICES "NVIDIA_VISIBLE_DEVICES"
#define TF_ENV_LIMIT_TFLOPS "TF_LIMIT_TFLOPS"
#define TF_ENV_LIMIT_PERCENT "TF_LIMIT_COMPUTE_PERCENT"
#define TF_ENV_LIMIT_VRAM "TF_LIMIT_VRAM"
#define TF_ENV_PEAK_TFLOPS "TF_GPU_PEAK_TFLOPS"
#define TF_ENV_PEAK_VRAM "TF_GPU_PEAK_VRAM"
#define TF_ENV_STRICT "TF_STRICT" /* "1": without pages cuInit fails */
#define TF_ENV_WAIT "TF_CTL_WAIT" /* seconds that the first call waits for `ctl`; default 10 */

enum tf_attached { TF_ATTACHED, TF_WITHOUT_CTL, TF_UNLIMITED, TF_REFUSED };

/* Attach this process once; later calls return what the first one found.  TF_UNLIMITED: this is no
 * worker (no page of use and no limit in the environment); TF_REFUSED: TF_STRICT, and no `ctl`. */
enum tf_attached tf_attach(void);

/* Say once on stderr that this process, which uses CUDA now, is no worker and has no limits; nothing
 * where it is one. */
void tf_say_unlimited(void);

/* The page of use, where attached; else memory of this process alone, so that callers need no case. */
struct tf_use *tf_use(void);

/* Index in the pages of the GPU with this UUID ("GPU-..."); -1: it is not the pod's. */
int tf_gpu_index(const char *uuid);

/* The UUID of a GPU of the pod; empty where there is none of this index. */
const char *tf_gpu_uuid(int gpu);

/* What is in force on a GPU of the pod now.  Wait-free, a few loads; looks for a late `ctl` at most
 * once a second. */
void tf_terms_of(int gpu, struct tf_terms *terms, uint64_t now_ns);

/* Bytes that the pod may hold on a GPU; UINT64_MAX: no limit. */
uint64_t tf_memory_limit_bytes(int gpu);
/* Bytes that the pod holds on a GPU beyond what its processes account for, by the agent's word. */
uint64_t tf_hidden_bytes(int gpu);
bool tf_counts_contexts(void);

/* Generation of a slot whose process is gone, by the agent's word; 0: it says nothing. */
uint32_t tf_dead_generation(uint32_t slot);

/* A Kubernetes quantity ("1500m", "16Gi", "1e3") in units of 1 / scale, rounded
 * up and at most UINT64_MAX; false: it is none, or has more than 19 significant digits. */
bool tf_parse_quantity(const char *text, uint64_t scale, uint64_t *value);

/* CLOCK_MONOTONIC. */
uint64_t tf_now_ns(void);

#endif
