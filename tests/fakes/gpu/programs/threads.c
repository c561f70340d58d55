/* threads: some threads launch at once, each into its own stream 0.
 *
 *   --threads N (8)   --launches N (1000, of each)   --kernel-ns N (5000)   --turns-per-us N
 *
 * Prints {"launches", "wall_ns"}.
 */
#include "driver.h"

#include <pthread.h>

#define MOST_THREADS 16

static struct place place;
static uint64_t launches, kernel_ns;

static void *work(void *nothing) {
  uint64_t turns = (uint64_t)((double)kernel_ns * turns_per_us / 1000.0);
  Address out = place.out;
  void *parameters[] = {&out, &turns};
  MUST(cuCtxSetCurrent(place.context));
  for (uint64_t i = 0; i < launches; i++) {
    MUST(cuLaunchKernel_ptsz(place.spin, 1, 1, 1, 32, 1, 1, 0, NULL, parameters, NULL));
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
  MUST(cuInit(0));
  place = open_place(0);
  calibrate(&place, NULL);
  uint64_t begin_ns = now_ns();
  for (int i = 0; i < thread_count; i++) pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < thread_count; i++) pthread_join(threads[i], NULL);
  printf("{\"launches\": %llu, \"wall_ns\": %llu}\n",
         (unsigned long long)launches * (unsigned long long)thread_count,
         (unsigned long long)(now_ns() - begin_ns));
  return 0;
}
