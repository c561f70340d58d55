/* worker: holds a part of a card's time and an amount of its memory, as a file says at the moment.
 *
 *   worker --orders FILE --kernel-ns N (2000000) --turns-per-us N
 *
 * The file holds "RATIO BYTES": the share of the time that kernels are to run, and the memory that
 * the process is to hold, its context included. It is read again some times a second, and is put in
 * place by a rename; while there is none, nothing is wanted. Memory that is refused is tried again
 * each second. Kernels that come late are not made up for, so that a worker that is held back wants
 * no more afterwards.
 */
#include "driver.h"

#define LOOK_NS 100000000u
#define TRY_NS 1000000000u
#define LONGEST_LAG_NS 100000000u
#define MOST_BLOCKS 64
#define OUT_OF_MEMORY 2

struct orders {
  double duty;
  size_t bytes;
};

static Address blocks[MOST_BLOCKS];
static int block_count;

/* What was wanted before stays where the file cannot be read. */
static void read_orders(const char *path, struct orders *orders) {
  struct orders found;
  FILE *file = fopen(path, "re");
  if (file == NULL) return;
  if (fscanf(file, "%lf %zu", &found.duty, &found.bytes) == 2) *orders = found;
  fclose(file);
}

static size_t held_bytes(void) {
  size_t free_bytes, total_bytes;
  MUST(cuMemGetInfo_v2(&free_bytes, &total_bytes));
  return total_bytes - free_bytes;
}

/* Hold so much; false: it was refused, and what was held before still is. */
static bool hold(size_t bytes) {
  size_t held = held_bytes();
  while (held > bytes && block_count > 0) {
    MUST(cuMemFree_v2(blocks[--block_count]));
    held = held_bytes();
  }
  if (held >= bytes) return true;
  if (block_count == MOST_BLOCKS) fail("memory", "is in too many blocks");
  Result result = cuMemAlloc_v2(&blocks[block_count], bytes - held);
  if (result == OUT_OF_MEMORY) return false;
  must(result, "cuMemAlloc_v2");
  block_count++;
  return true;
}

/* Launch one kernel, with at most two under way, and return when the next one is due. */
static uint64_t run_one(const struct place *place, Handle event[2], uint64_t due_ns, uint64_t ns,
                        double duty) {
  static uint64_t turn;
  uint64_t now = now_ns();
  if (due_ns + LONGEST_LAG_NS < now) due_ns = now;
  if (turn >= 2) MUST(cuEventSynchronize(event[turn % 2]));
  MUST(launch_ns(place, ns, NULL));
  MUST(cuEventRecord(event[turn % 2], NULL));
  turn++;
  return due_ns + (uint64_t)((double)ns / (duty < 1 ? duty : 1));
}

static void run(const struct place *place, const char *path, uint64_t kernel_ns) {
  struct orders orders = {0}, obeyed = {0};
  uint64_t look_ns = 0, try_ns = 0, due_ns = 0;
  Handle event[2];
  MUST(cuEventCreate(&event[0], 2));
  MUST(cuEventCreate(&event[1], 2));
  for (;;) {
    uint64_t now = now_ns();
    if (now >= look_ns) {
      double before = orders.duty;
      read_orders(path, &orders);
      if (orders.duty != before) due_ns = now;
      look_ns = now + LOOK_NS;
    }
    if (orders.bytes != obeyed.bytes && now >= try_ns) {
      if (hold(orders.bytes)) obeyed.bytes = orders.bytes;
      else try_ns = now + TRY_NS;
    }
    if (orders.duty <= 0 || due_ns > look_ns) {
      sleep_until(look_ns);
    } else {
      sleep_until(due_ns);
      due_ns = run_one(place, event, due_ns, kernel_ns, orders.duty);
    }
  }
}

int main(int count, char **words) {
  start(count, words);
  const char *path = option(count, words, "orders", NULL);
  if (path == NULL) fail("--orders", "is missing");
  MUST(cuInit(0));
  struct place place = open_place(0);
  run(&place, path, (uint64_t)number(count, words, "kernel-ns", 2000000));
}
