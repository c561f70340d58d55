/* alternating: the same launches in blocks, by turns through what is preloaded and past it.
 *
 *   --kernel-ns N (1000)   --seconds S (1)   --block N (1024, launches)   --depth N (256, under way)
 *   --turns-per-us N (measured where it is 0; 1000 on the fake driver)
 *
 * One JSON object is printed: {"block", "blocks": [[1 through or 0 past, ns], ...]}. A host launches
 * faster or slower from one tenth of a second to the next; blocks that follow one another are launched
 * by the same thread some milliseconds apart. They take turns as 1 0 0 1 0 1 1 0, so that what changes
 * steadily cancels out.
 */
#include "driver.h"

#define MOST_BLOCKS 100000
#define ROUND 8

/* How the functions are called that a preloaded library may have taken the place of. */
struct route {
  Result(*launch) LAUNCH_PARAMETERS;
  Result (*wait)(Handle);
};

typedef void *Find(void *, const char *);

/* The dlsym of the C library, whatever was loaded before it. */
static Find *own_dlsym(void) {
  static const char *const LIBRARIES[] = {"libc.so.6", "libdl.so.2"};
  static const char *const VERSIONS[] = {"GLIBC_2.34", "GLIBC_2.17", "GLIBC_2.2.5"};
  for (int library = 0; library < 2; library++) {
    void *handle = dlopen(LIBRARIES[library], RTLD_NOW);
    for (int version = 0; handle != NULL && version < 3; version++) {
      Find *found;
      *(void **)&found = dlvsym(handle, "dlsym", VERSIONS[version]);
      if (found != NULL) return found;
    }
  }
  fail("dlsym", "is not in the C library");
  return NULL;
}

static struct route past(void) {
  struct route route;
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  Find *find = own_dlsym();
  *(void **)&route.launch = find(library, "cuLaunchKernel");
  *(void **)&route.wait = find(library, "cuEventSynchronize");
  if (route.launch == NULL || route.wait == NULL) fail("cuLaunchKernel", "is not in libcuda.so.1");
  return route;
}

/* At most two halves of the launches under way, by two events that take turns. */
struct queue {
  Handle stream, event[2];
  uint64_t launches, half;
  bool is_marked[2];
  int next;
};

static uint64_t block_ns(const struct route *route, const struct place *place, struct queue *queue,
                         uint64_t turns, uint64_t launches) {
  Address out = place->out;
  void *parameters[] = {&out, &turns};
  const uint64_t began_ns = now_ns();
  for (uint64_t i = 0; i < launches; i++) {
    MUST(route->launch(place->spin, 1, 1, 1, 32, 1, 1, 0, queue->stream, parameters, NULL));
    if (++queue->launches % queue->half != 0) continue;
    if (queue->is_marked[queue->next]) MUST(route->wait(queue->event[queue->next]));
    MUST(cuEventRecord(queue->event[queue->next], queue->stream));
    queue->is_marked[queue->next] = true;
    queue->next = 1 - queue->next;
  }
  return now_ns() - began_ns;
}

int main(int count, char **words) {
  static struct {
    int is_through;
    uint64_t ns;
  } block[MOST_BLOCKS];
  start(count, words);
  const uint64_t launches = (uint64_t)number(count, words, "block", 1024);
  struct queue queue = {.half = (uint64_t)number(count, words, "depth", 256) / 2};
  if (queue.half < 1) fail("--depth", "must be 2 or more");
  MUST(cuInit(0));
  struct place place = open_place(0);
  const struct route routes[] = {past(), {cuLaunchKernel, cuEventSynchronize}};
  MUST(cuStreamCreate(&queue.stream, 1));
  for (int i = 0; i < 2; i++) MUST(cuEventCreate(&queue.event[i], 2));
  calibrate(&place, queue.stream);
  const uint64_t turns = turns_of_ns((uint64_t)number(count, words, "kernel-ns", 1000));
  for (int i = 0; i < 2; i++) block_ns(&routes[i], &place, &queue, turns, ROUND * launches);
  const uint64_t until_ns = now_ns() + (uint64_t)(number(count, words, "seconds", 1) * 1e9);
  int blocks = 0;
  while (blocks < MOST_BLOCKS && (now_ns() < until_ns || blocks % ROUND != 0 || blocks == 0)) {
    block[blocks].is_through = 1 - __builtin_parity((unsigned)blocks);
    block[blocks].ns =
        block_ns(&routes[block[blocks].is_through], &place, &queue, turns, launches);
    blocks++;
  }
  printf("{\"block\": %llu, \"blocks\": [", (unsigned long long)launches);
  for (int i = 0; i < blocks; i++)
    printf("%s[%d, %llu]", i > 0 ? ", " : "", block[i].is_through,
           (unsigned long long)block[i].ns);
  printf("]}\n");
  MUST(cuCtxSynchronize());
  return 0;
}
