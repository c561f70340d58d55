/* dependent: two kernels that run until they have met, launched one after the other by one thread.
 *
 * Whoever holds the second launch until the first has ended waits for ever. With two devices it is
 * what collectives do; with one, two streams.
 *
 *   --devices 1|2 (1)   --rounds N (20)   --kernel-ns N (1000000, of work between the meetings)
 *   --turns-per-us N
 *
 * Prints {"rounds", "wall_ns", "longest_round_ns"}.
 */
#include "driver.h"

#include <string.h>

struct party {
  struct place place;
  Handle stream;
  volatile uint32_t *flag;
  Address flag_address;
};

static void open_party(struct party *party, int device) {
  void *memory;
  party->place = open_place(device);
  MUST(cuStreamCreate(&party->stream, 1));
  /* Of the host, so that both devices see it. */
  MUST(cuMemHostAlloc(&memory, 4096, 3));
  memset(memory, 0, 4096);
  party->flag = memory;
  party->flag_address = (Address)(uintptr_t)memory;
}

static void launch_meeting(const struct party *party, const struct party *other) {
  Address own = party->flag_address, theirs = other->flag_address;
  void *parameters[] = {&own, &theirs};
  MUST(cuCtxSetCurrent(party->place.context));
  MUST(cuLaunchKernel(party->place.meet, 1, 1, 1, 1, 1, 1, 0, party->stream, parameters, NULL));
}

static void launch_work(const struct party *party, uint64_t ns) {
  MUST(cuCtxSetCurrent(party->place.context));
  MUST(launch_ns(&party->place, ns, party->stream));
}

static void play_round(struct party parties[2], uint64_t work_ns) {
  *parties[0].flag = *parties[1].flag = 0;
  launch_work(&parties[0], work_ns);
  launch_meeting(&parties[0], &parties[1]);
  launch_work(&parties[1], work_ns);
  launch_meeting(&parties[1], &parties[0]);
  for (int i = 0; i < 2; i++) {
    MUST(cuCtxSetCurrent(parties[i].place.context));
    MUST(cuStreamSynchronize(parties[i].stream));
  }
}

int main(int count, char **words) {
  struct party parties[2];
  uint64_t longest_ns = 0;
  start(count, words);
  int devices = (int)number(count, words, "devices", 1);
  int rounds = (int)number(count, words, "rounds", 20);
  uint64_t work_ns = (uint64_t)number(count, words, "kernel-ns", 1000000);
  if (devices != 1 && devices != 2) fail("--devices", "must be 1 or 2");
  MUST(cuInit(0));
  open_party(&parties[0], 0);
  open_party(&parties[1], devices - 1);
  calibrate(&parties[1].place, parties[1].stream);
  uint64_t begin_ns = now_ns();
  for (int i = 0; i < rounds; i++) {
    uint64_t round_ns = now_ns();
    play_round(parties, work_ns);
    round_ns = now_ns() - round_ns;
    if (round_ns > longest_ns) longest_ns = round_ns;
  }
  printf("{\"rounds\": %d, \"wall_ns\": %llu, \"longest_round_ns\": %llu}\n", rounds,
         (unsigned long long)(now_ns() - begin_ns), (unsigned long long)longest_ns);
  return 0;
}
