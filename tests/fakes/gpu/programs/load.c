/* load: kernels of known lengths on some streams, at full speed or for a share of the time.
 *
 *   --kernel-ns N[,N...]  lengths, one after another (1000000)
 *   --shapes one|many (many: launches of each length have a shape of their own, as kernels have)
 *   --streams N (1)   --device N (0)   --duty RATIO (1: full speed)
 *   --seconds S (0: until told)   --report-ms N (100)   --depth N (64, launches under way)
 *   --turns-per-us N (measured where it is 0; 1000 on the fake driver)
 *
 * Commands on stdin, one a line: "duty RATIO", "duty RATIO led" (one stream alone: in batches, each
 * behind a kernel that lasts while the batch is launched), "kernel N[,N...]", "pause", "go", "stop";
 * its end is "stop" unless --seconds is given. One JSON object a line is printed: at the start
 * {"ready": pid, "tells_busy": whether there is one stream}, then {"at_ns", "launches", "ended"} so
 * far, and while it is led "busy_ns": how long what has ended had the card, by events around batches.
 */
#include "driver.h"

#include <pthread.h>
#include <unistd.h>

#define MOST_STREAMS 16
#define MOST_KERNELS 16
#define LONGEST_LAG_NS 1000000000u
#define LEAST_LEAD_NS 200000u
#define LEAD_OF_LAUNCHES 2u

static uint64_t kernels_ns[MOST_KERNELS];
static volatile int kernel_count, is_paused, is_stopped, ends_with_input, is_led;
static int has_one_shape;
static volatile double duty;

static void set_kernels(const char *text) {
  int count = 0;
  while (*text != 0 && count < MOST_KERNELS) {
    char *end;
    kernels_ns[count++] = strtoull(text, &end, 10);
    text = *end == ',' ? end + 1 : end + strlen(end);
  }
  kernel_count = count;
}

static void *read_commands(void *nothing) {
  char line[256];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strncmp(line, "duty ", 5) == 0) {
      duty = strtod(line + 5, NULL);
      is_led = strstr(line, " led") != NULL;
    }
    if (strncmp(line, "kernel ", 7) == 0) set_kernels(line + 7);
    else if (strncmp(line, "pause", 5) == 0) is_paused = 1;
    else if (strncmp(line, "go", 2) == 0) is_paused = 0;
    else if (strncmp(line, "stop", 4) == 0) is_stopped = 1;
  }
  if (ends_with_input) is_stopped = 1;
  return nothing;
}

/* Launches of one stream: at most `depth` are under way, by two events that take turns. */
struct lane {
  Handle stream, event[2];
  uint64_t launches, ended;
  uint64_t marked[2]; /* launches before each event; 0: not recorded */
  int next;
  Handle batch[2]; /* around what is led */
  uint64_t lead_ns, busy_ns;
};

static void wait_for_oldest(struct lane *lane) {
  if (lane->marked[lane->next] == 0) return;
  MUST(cuEventSynchronize(lane->event[lane->next]));
  lane->ended = lane->marked[lane->next];
}

static void launch(const struct place *place, struct lane *lane, uint64_t ns, unsigned number,
                   uint64_t half) {
  const unsigned blocks = has_one_shape ? 1 : number + 1;
  MUST(launch_blocks(place, turns_of_ns(ns), blocks, lane->stream));
  lane->launches++;
  if (lane->launches % half != 0) return;
  wait_for_oldest(lane);
  MUST(cuEventRecord(lane->event[lane->next], lane->stream));
  lane->marked[lane->next] = lane->launches;
  lane->next = 1 - lane->next;
}

static void report(const struct lane *lanes, int count) {
  uint64_t launches = 0, ended = 0, busy_ns = 0;
  for (int i = 0; i < count; i++) {
    launches += lanes[i].launches;
    ended += lanes[i].ended;
    busy_ns += lanes[i].busy_ns;
  }
  printf("{\"at_ns\": %llu, \"launches\": %llu, \"ended\": %llu, \"busy_ns\": %llu}\n",
         (unsigned long long)now_ns(), (unsigned long long)launches, (unsigned long long)ended,
         (unsigned long long)busy_ns);
}

/* The time of the next launch for the duty that is wanted; a long lag is not made up for. */
static uint64_t paced(uint64_t due_ns, uint64_t kernel_ns) {
  uint64_t now = now_ns();
  if (duty >= 1 || due_ns + LONGEST_LAG_NS < now) return now;
  sleep_until(due_ns);
  return due_ns + (uint64_t)((double)kernel_ns / duty);
}

/* One batch, waited for: how long the card took for it, without what its launches took. */
static void lead(const struct place *place, struct lane *lane, uint64_t count) {
  float elapsed_ms = 0;
  MUST(launch_ns(place, lane->lead_ns, lane->stream));
  const uint64_t began_ns = now_ns();
  MUST(cuEventRecord(lane->batch[0], lane->stream));
  for (uint64_t i = 0; i < count; i++) {
    const unsigned number = (unsigned)(i % (uint64_t)kernel_count);
    MUST(launch_blocks(place, turns_of_ns(kernels_ns[number]), has_one_shape ? 1 : number + 1,
                       lane->stream));
  }
  MUST(cuEventRecord(lane->batch[1], lane->stream));
  const uint64_t launched_ns = now_ns() - began_ns;
  MUST(cuEventSynchronize(lane->batch[1]));
  MUST(cuEventElapsedTime(&elapsed_ms, lane->batch[0], lane->batch[1]));
  /* Where the lead ended before the last launch, the card may have waited: nothing is told of that. */
  if (launched_ns <= lane->lead_ns) {
    lane->busy_ns += (uint64_t)((double)elapsed_ms * 1e6);
    lane->launches += count;
    lane->ended = lane->launches;
  }
  lane->lead_ns = LEAD_OF_LAUNCHES * launched_ns > LEAST_LEAD_NS ? LEAD_OF_LAUNCHES * launched_ns
                                                                 : LEAST_LEAD_NS;
}

static uint64_t batch_ns(uint64_t count) {
  uint64_t all_ns = 0;
  for (uint64_t i = 0; i < count; i++) all_ns += kernels_ns[i % (uint64_t)kernel_count];
  return all_ns;
}

static void run(const struct place *place, struct lane *lanes, int count, uint64_t until_ns,
                uint64_t report_ns, uint64_t half) {
  uint64_t due_ns = now_ns(), report_at_ns = due_ns + report_ns, turn = 0;
  while (!is_stopped && now_ns() < until_ns) {
    if (now_ns() >= report_at_ns) {
      report(lanes, count);
      report_at_ns += report_ns;
    }
    if (is_paused) {
      sleep_until(now_ns() + 1000000);
      continue;
    }
    if (is_led && count == 1) {
      const uint64_t kinds = (uint64_t)kernel_count, batch = (half + kinds - 1) / kinds * kinds;
      due_ns = paced(due_ns, batch_ns(batch));
      lead(place, &lanes[0], batch);
      continue;
    }
    const unsigned number = (unsigned)(turn % (uint64_t)kernel_count);
    uint64_t kernel_ns = kernels_ns[number];
    due_ns = paced(due_ns, kernel_ns);
    launch(place, &lanes[turn % (uint64_t)count], kernel_ns, number, half);
    turn++;
  }
}

int main(int count, char **words) {
  struct lane lanes[MOST_STREAMS] = {0};
  start(count, words);
  int streams = (int)number(count, words, "streams", 1);
  double seconds = number(count, words, "seconds", 0);
  uint64_t half = (uint64_t)number(count, words, "depth", 64) / 2;
  if (streams < 1 || streams > MOST_STREAMS) fail("--streams", "must be 1 to 16");
  if (half < 1) fail("--depth", "must be 2 or more");
  ends_with_input = seconds == 0;
  has_one_shape = strcmp(option(count, words, "shapes", "many"), "one") == 0;
  duty = number(count, words, "duty", 1);
  set_kernels(option(count, words, "kernel-ns", "1000000"));
  MUST(cuInit(0));
  struct place place = open_place((int)number(count, words, "device", 0));
  for (int i = 0; i < streams; i++) {
    MUST(cuStreamCreate(&lanes[i].stream, 1));
    MUST(cuEventCreate(&lanes[i].event[0], 2));
    MUST(cuEventCreate(&lanes[i].event[1], 2));
    MUST(cuEventCreate(&lanes[i].batch[0], 0));
    MUST(cuEventCreate(&lanes[i].batch[1], 0));
    lanes[i].lead_ns = LEAST_LEAD_NS;
  }
  calibrate(&place, lanes[0].stream);
  pthread_t reader;
  pthread_create(&reader, NULL, read_commands, NULL);
  printf("{\"ready\": %d, \"turns_per_us\": %.3f, \"tells_busy\": %s}\n", (int)getpid(),
         turns_per_us, streams == 1 ? "true" : "false");
  uint64_t until_ns = seconds > 0 ? now_ns() + (uint64_t)(seconds * 1e9) : UINT64_MAX;
  run(&place, lanes, streams, until_ns,
      (uint64_t)(number(count, words, "report-ms", 100) * 1e6), half);
  MUST(cuCtxSynchronize());
  for (int i = 0; i < streams; i++) lanes[i].ended = lanes[i].launches;
  report(lanes, streams);
  return 0;
}
