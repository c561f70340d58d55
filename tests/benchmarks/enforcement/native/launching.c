/* launching THREADS ROUNDS LAUNCHES: what a launch costs its thread, in ns of CPU time.
 *
 * Prints "ready" when it has launched enough to be at full speed, waits for a line on stdin, and then
 * prints for each round the mean over its threads and launches, a number a line.  The threads begin
 * each round together, each with a stream of its own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_THREADS 64
#define MOST_ROUNDS 1000
#define WARM_UP 20000

typedef uint64_t word;

static int (*stream_create)(word *, unsigned);
static int (*launch)(word, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                     word, void **, void **);
static int threads, rounds, launches;
static pthread_barrier_t together;
static double spent_ns[MOST_THREADS][MOST_ROUNDS];

static void *found(void *library, const char *name) {
  void *function = dlsym(library, name);
  if (function == NULL) {
    fprintf(stderr, "%s: %s\n", name, dlerror());
    exit(3);
  }
  return function;
}

static double cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void launch_some(word stream, int count) {
  for (int i = 0; i < count; i++) {
    if (launch(0x1000, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL) != 0) {
      fprintf(stderr, "a launch was refused\n");
      exit(1);
    }
  }
}

static void *work(void *of_thread) {
  double *own_ns = of_thread;
  word stream;
  if (stream_create(&stream, 1) != 0) exit(1);
  launch_some(stream, WARM_UP);
  pthread_barrier_wait(&together); /* all are at full speed */
  pthread_barrier_wait(&together); /* it is time to begin */
  for (int round = 0; round < rounds; round++) {
    pthread_barrier_wait(&together);
    const double begin_ns = cpu_ns();
    launch_some(stream, launches);
    own_ns[round] = cpu_ns() - begin_ns;
  }
  return NULL;
}

static void wait_for_a_line(void) {
  char line[16];
  printf("ready\n");
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) exit(1);
}

static void print_means(void) {
  for (int round = 0; round < rounds; round++) {
    double all_ns = 0;
    for (int thread = 0; thread < threads; thread++) all_ns += spent_ns[thread][round];
    printf("%.3f\n", all_ns / threads / launches);
  }
}

int main(int count, char **words) {
  pthread_t running[MOST_THREADS];
  threads = count == 4 ? atoi(words[1]) : 0;
  rounds = count == 4 ? atoi(words[2]) : 0;
  launches = count == 4 ? atoi(words[3]) : 0;
  if (threads < 1 || threads > MOST_THREADS || rounds < 1 || rounds > MOST_ROUNDS || launches < 1) {
    fprintf(stderr, "usage: launching THREADS (1 to 64) ROUNDS (1 to 1000) LAUNCHES\n");
    return 2;
  }
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == NULL) {
    fprintf(stderr, "no driver: %s\n", dlerror());
    return 3;
  }
  int (*init)(unsigned);
  *(void **)&init = found(library, "cuInit");
  *(void **)&stream_create = found(library, "cuStreamCreate");
  *(void **)&launch = found(library, "cuLaunchKernel");
  if (init(0) != 0) return 1;
  pthread_barrier_init(&together, NULL, (unsigned)threads + 1);
  for (int i = 0; i < threads; i++) pthread_create(&running[i], NULL, work, spent_ns[i]);
  pthread_barrier_wait(&together);
  wait_for_a_line();
  pthread_barrier_wait(&together);
  for (int round = 0; round < rounds; round++) pthread_barrier_wait(&together);
  for (int i = 0; i < threads; i++) pthread_join(running[i], NULL);
  print_means();
  return 0;
}
