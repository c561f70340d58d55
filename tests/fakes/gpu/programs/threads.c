/* threads: some threads launch at once, each into its own stream 0.
 *
 *   --threads N (8)   --launches N (1000, of each)   --kernel-ns N (5000)   --turns-per-us N
 *   --take-bytes N (0)   of the device's pool, taken before each launch and given back after it
 *
 * Prints {"launches", "wall_ns", "refused"}: how often there was nothing to be taken.
 */
#include "driver.h"

#include <pthread.h>

#define MOST_THREADS 16
#define OUT_OF_MEMORY 2

static struct place place;
static uint64_t launches, kernel_ns, take_bytes, refused;

static bool take(Address *taken) {
  Result result = take_bytes > 0 ? cuMemAllocAsync_ptsz(taken, take_bytes, NULL) : OUT_OF_MEMORY;
  if (result != 0 && result != OUT_OF_MEMORY) must(result, "cuMemAllocAsync_ptsz");
  if (result != 0 && take_bytes > 0) __atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
  return result == 0;
}

static void *work(void *nothing) {
  uint64_t turns = (uint64_t)((double)kernel_ns * turns_per_us / 1000.0);
  Address out = place.out;
  void *parameters[] = {&out, &turns};
  MUST(cuCtxSetCurrent(place.context));
  for (uint64_t i = 0; i < launches; i++) {
    Address taken;
    bool has_taken = take(&taken);
    MUST(cuLaunchKernel_ptsz(place.spin, 1, 1, 1, 32, 1, 1, 0, NULL, parameters, NULL));
    if (has_taken) MUST(cuMemFreeAsync_ptsz(taken, NULL));
  }
  MUST(cuStreamSynchronize_ptsz(NULL));
  return nothing;
}

int main(int count, char **words) {
  pthread_t threads[MOST_THREADS];
  start(count, words);
  int thread_count = (int)number(count, words, "threads", 8);
  if (thread_count < 1 || thread_count > MOST_THREADS) fail("--threads", "must be 1 to 16");
  launches = (uint64_t)number(count, words, "launches", 1000);
  kernel_ns = (uint64_t)number(count, words, "kernel-ns", 5000);
  take_bytes = (uint64_t)number(count, words, "take-bytes", 0);
  MUST(cuInit(0));
  place = open_place(0);
  calibrate(&place, NULL);
  uint64_t begin_ns = now_ns();
  for (int i = 0; i < thread_count; i++) pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < thread_count; i++) pthread_join(threads[i], NULL);
  printf("{\"launches\": %llu, \"wall_ns\": %llu, \"refused\": %llu}\n",
         (unsigned long long)launches * (unsigned long long)thread_count,
         (unsigned long long)(now_ns() - begin_ns), (unsigned long long)refused);
  return 0;
}
