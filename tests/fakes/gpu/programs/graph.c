/* graph: captures kernels and replays them, or has its capture disturbed.
 *
 *   --mode global|thread|relaxed (global)
 *   --kernels N (10)   --kernel-ns N (20000)   --replays N (10)
 *   --disturbed no|yes|relaxed (no)   another thread asks for an event meanwhile; "relaxed": in
 *                                     relaxed mode of its own
 *   --turns-per-us N
 *
 * Prints {"end", "query", "launches", "graph_ns"}: what the end of the capture and the query
 * answered, and by events how long a replay took on average.
 */
#include "driver.h"

#include <pthread.h>

#define RELAXED 2

static struct place place;
static Handle event;
static bool is_relaxed;
static Result query_result = -1;

static void *disturb(void *nothing) {
  int mode = RELAXED;
  MUST(cuCtxSetCurrent(place.context));
  if (is_relaxed) MUST(cuThreadExchangeStreamCaptureMode(&mode));
  query_result = cuEventQuery(event);
  if (is_relaxed) MUST(cuThreadExchangeStreamCaptureMode(&mode));
  return nothing;
}

static void disturb_from_a_thread(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, disturb, NULL);
  pthread_join(thread, NULL);
}

static int mode_of(const char *name) {
  if (strcmp(name, "global") == 0) return 0;
  if (strcmp(name, "thread") == 0) return 1;
  if (strcmp(name, "relaxed") == 0) return RELAXED;
  fail(name, "must be global, thread or relaxed");
  return 0;
}

static uint64_t replayed_ns(Handle executable, Handle stream, int replays) {
  Handle from, until;
  float elapsed_ms;
  MUST(cuEventCreate(&from, 0));
  MUST(cuEventCreate(&until, 0));
  MUST(cuEventRecord(from, stream));
  for (int i = 0; i < replays; i++) MUST(cuGraphLaunch(executable, stream));
  MUST(cuEventRecord(until, stream));
  MUST(cuEventSynchronize(until));
  MUST(cuEventElapsedTime(&elapsed_ms, from, until));
  return (uint64_t)((double)elapsed_ms * 1e6 / replays);
}

int main(int count, char **words) {
  Handle stream, graph = NULL, executable;
  start(count, words);
  int mode = mode_of(option(count, words, "mode", "global"));
  int kernels = (int)number(count, words, "kernels", 10);
  int replays = (int)number(count, words, "replays", 10);
  uint64_t kernel_ns = (uint64_t)number(count, words, "kernel-ns", 20000);
  const char *disturbed = option(count, words, "disturbed", "no");
  is_relaxed = strcmp(disturbed, "relaxed") == 0;
  MUST(cuInit(0));
  place = open_place(0);
  MUST(cuStreamCreate(&stream, 1));
  MUST(cuEventCreate(&event, 2));
  calibrate(&place, stream);
  MUST(cuEventRecord(event, stream));
  MUST(cuStreamSynchronize(stream));
  MUST(cuStreamBeginCapture_v2(stream, mode));
  for (int i = 0; i < kernels; i++) {
    if (i == kernels / 2 && strcmp(disturbed, "no") != 0) disturb_from_a_thread();
    if (launch_ns(&place, kernel_ns, stream) != 0) break;
  }
  Result end = cuStreamEndCapture(stream, &graph);
  uint64_t graph_ns = 0;
  if (end == 0) {
    MUST(cuGraphInstantiateWithFlags(&executable, graph, 0));
    graph_ns = replayed_ns(executable, stream, replays);
  }
  printf("{\"end\": %d, \"query\": %d, \"launches\": %d, \"graph_ns\": %llu}\n", end, query_result,
         end == 0 ? replays : 0, (unsigned long long)graph_ns);
  return 0;
}
