/* memory: takes and gives back memory by every path.
 *
 *   --device N (0)   --launch yes|no (no: an empty kernel at the start, so that its code is loaded)
 *
 * Commands on stdin, one a line: "take PATH BYTES" with PATH one of plain, pitch, managed, async,
 * stream (of its own), pool (the same), create, array, graph; "give" (what was taken last); "wait"
 * (for the card); "threshold BYTES" (that both pools may keep); "trim" (them); "stand DEVICE" (make
 * another device the current one); "info"; the end of stdin ends it. Each is answered by one JSON object: {"result", "pid", "free_bytes", "total_bytes"}.
 */
#include "driver.h"

#include <unistd.h>

#define MOST_BLOCKS 4096
#define POOLS 2
#define POOL_RELEASE_THRESHOLD 4

enum path { PLAIN, PITCH, MANAGED, ASYNC, STREAM, POOL, CREATE, ARRAY, GRAPH, PATHS };

static const char *const names[PATHS] = {"plain", "pitch",  "managed", "async", "stream",
                                         "pool",  "create", "array",   "graph"};

struct block {
  enum path path;
  Address address;
  Handle handle;
};

struct allocation_props {
  int type, handle_types, location_type, location_id;
  void *security;
  unsigned char flags[8];
};

struct pool_props {
  int type, handle_types, location_type, location_id;
  void *security;
  size_t most_bytes;
  unsigned char usage[56];
};

struct array_3d {
  size_t width, height, depth;
  int format;
  unsigned channels, flags;
};

static struct block blocks[MOST_BLOCKS];
static int block_count, device;
static Handle pools[POOLS]; /* the device's, and one of its own */
static Handle stream;

/* Memory of an executable graph: taken at its first launch. */
static Result take_graph(struct block *block, size_t bytes) {
  Handle graph;
  int relaxed = 2;
  MUST(cuThreadExchangeStreamCaptureMode(&relaxed));
  MUST(cuStreamBeginCapture_v2(stream, 2));
  Result taken = cuMemAllocAsync(&block->address, bytes, stream);
  if (taken == 0) taken = cuMemFreeAsync(block->address, stream);
  MUST(cuStreamEndCapture(stream, &graph));
  MUST(cuThreadExchangeStreamCaptureMode(&relaxed));
  if (taken != 0) return taken;
  taken = cuGraphInstantiateWithFlags(&block->handle, graph, 0);
  if (taken != 0) return taken;
  taken = cuGraphLaunch(block->handle, stream);
  if (taken != 0) MUST(cuGraphExecDestroy(block->handle));
  return taken;
}

static Result take_created(struct block *block, size_t bytes) {
  const struct allocation_props props = {.type = 1, .location_type = 1, .location_id = device};
  return cuMemCreate(&block->address, bytes, &props, 0);
}

static void make_pools(void) {
  const struct pool_props props = {.type = 1, .location_type = 1, .location_id = device};
  MUST(cuDeviceGetDefaultMemPool(&pools[0], device));
  MUST(cuMemPoolCreate(&pools[1], &props));
}

static Result keep_in_pools(unsigned long long bytes) {
  for (int i = 0; i < POOLS; i++) {
    MUST(cuMemPoolSetAttribute(pools[i], POOL_RELEASE_THRESHOLD, &bytes));
  }
  return 0;
}

static Result trim_pools(void) {
  for (int i = 0; i < POOLS; i++) MUST(cuMemPoolTrimTo(pools[i], 0));
  return 0;
}

static Result take(struct block *block, size_t bytes) {
  size_t pitch;
  const struct array_3d array = {.width = bytes / 4, .format = 0x20, .channels = 1};
  switch (block->path) {
    case PLAIN: return cuMemAlloc_v2(&block->address, bytes);
    case PITCH: return cuMemAllocPitch_v2(&block->address, &pitch, 512, bytes / 512, 4);
    case MANAGED: return cuMemAllocManaged(&block->address, bytes, 1);
    case ASYNC: return cuMemAllocAsync(&block->address, bytes, NULL);
    case STREAM: return cuMemAllocAsync(&block->address, bytes, stream);
    case POOL: return cuMemAllocFromPoolAsync(&block->address, bytes, pools[1], NULL);
    case CREATE: return take_created(block, bytes);
    case ARRAY: return cuArray3DCreate_v2(&block->handle, &array);
    case GRAPH: return take_graph(block, bytes);
    default: return 1;
  }
}

static Result give(const struct block *block) {
  switch (block->path) {
    case STREAM: return cuMemFreeAsync(block->address, stream);
    case ASYNC:
    case POOL: return cuMemFreeAsync(block->address, NULL);
    case CREATE: return cuMemRelease(block->address);
    case ARRAY: return cuArrayDestroy(block->handle);
    case GRAPH:
      MUST(cuCtxSynchronize());
      MUST(cuGraphExecDestroy(block->handle));
      return cuDeviceGraphMemTrim(device);
    default: return cuMemFree_v2(block->address);
  }
}

static Result take_named(const char *name, size_t bytes) {
  struct block block = {.path = PLAIN};
  while (block.path < PATHS && strcmp(names[block.path], name) != 0) block.path++;
  if (block.path == PATHS) fail(name, "is no path");
  if (block_count == MOST_BLOCKS) fail("take", "there are 4096 blocks");
  Result result = take(&block, bytes);
  if (result == 0) blocks[block_count++] = block;
  return result;
}

static Result stand_on(int other) {
  Handle context;
  MUST(cuDevicePrimaryCtxRetain(&context, other));
  return cuCtxSetCurrent(context);
}

static Result obey(const char *line) {
  char name[32];
  unsigned long long bytes;
  if (sscanf(line, "take %31s %llu", name, &bytes) == 2) return take_named(name, bytes);
  if (sscanf(line, "threshold %llu", &bytes) == 1) return keep_in_pools(bytes);
  if (sscanf(line, "stand %llu", &bytes) == 1) return stand_on((int)bytes);
  if (strncmp(line, "trim", 4) == 0) return trim_pools();
  if (strncmp(line, "wait", 4) == 0) return cuCtxSynchronize();
  if (strncmp(line, "give", 4) == 0 && block_count > 0) return give(&blocks[--block_count]);
  if (strncmp(line, "info", 4) == 0) return 0;
  fail(line, "is no command");
  return 1;
}

static void answer(Result result) {
  size_t free_bytes, total_bytes;
  MUST(cuMemGetInfo_v2(&free_bytes, &total_bytes));
  printf("{\"result\": %d, \"pid\": %d, \"free_bytes\": %zu, \"total_bytes\": %zu}\n", result,
         (int)getpid(), free_bytes, total_bytes);
}

static void launch_once(void) {
  const struct place place = open_place(device);
  MUST(launch_turns(&place, 1, stream));
  MUST(cuCtxSynchronize());
}

int main(int count, char **words) {
  char line[256];
  Handle context;
  start(count, words);
  device = (int)number(count, words, "device", 0);
  MUST(cuInit(0));
  Result result = cuDevicePrimaryCtxRetain(&context, device);
  if (result != 0) {
    printf("{\"result\": %d, \"pid\": %d}\n", result, (int)getpid());
    return 0;
  }
  MUST(cuCtxSetCurrent(context));
  MUST(cuStreamCreate(&stream, 1));
  if (strcmp(option(count, words, "launch", "no"), "yes") == 0) launch_once();
  make_pools();
  answer(0);
  while (fgets(line, sizeof line, stdin) != NULL) answer(obey(line));
  return 0;
}
