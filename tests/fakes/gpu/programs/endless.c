/* endless: a kernel that runs until it is told to end, and launches beside it.
 *
 *   --beside N (0)   launches into another stream while it runs
 *   --kernel-ns N (100000, of those)   --turns-per-us N
 *
 * Prints {"running": pid} when it is launched, {"beside": N} when those beside it have ended, and
 * at the end of stdin ends the kernel and prints {"ended": true}.
 */
#include "driver.h"

#include <unistd.h>

int main(int count, char **words) {
  Handle stream, other;
  void *memory;
  start(count, words);
  int beside = (int)number(count, words, "beside", 0);
  uint64_t kernel_ns = (uint64_t)number(count, words, "kernel-ns", 100000);
  MUST(cuInit(0));
  struct place place = open_place(0);
  MUST(cuStreamCreate(&stream, 1));
  MUST(cuStreamCreate(&other, 1));
  MUST(cuMemHostAlloc(&memory, 4096, 3));
  memset(memory, 0, 4096);
  calibrate(&place, stream);
  volatile uint32_t *flag = memory;
  Address address = (Address)(uintptr_t)memory;
  void *parameters[] = {&address};
  MUST(cuLaunchKernel(place.wait_flag, 1, 1, 1, 1, 1, 1, 0, stream, parameters, NULL));
  printf("{\"running\": %d}\n", (int)getpid());
  for (int i = 0; i < beside; i++) MUST(launch_ns(&place, kernel_ns, other));
  MUST(cuStreamSynchronize(other));
  printf("{\"beside\": %d}\n", beside);
  while (getchar() != EOF) continue;
  *flag = 1;
  MUST(cuStreamSynchronize(stream));
  printf("{\"ended\": true}\n");
  return 0;
}
