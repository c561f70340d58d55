/* Start, fork and end of the driver in one process. */
#define _GNU_SOURCE
#include "cuda_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SHORTEST_SLEEP_NS 20000u
#define LONGEST_SLEEP_NS 1000000u

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static struct fake_card_view views[FAKE_CARDS];
static int card_count = -1; /* not looked for yet */
static int is_used; /* cuInit has worked in this process or its parent */
static volatile int *works; /* a page that a fork wipes */
static __thread CUcontext current;

struct fake_card_view *cuda_view(int device) { return &views[device]; }
int cuda_card_count(void) { return card_count; }
CUcontext cuda_current(void) { return current; }
void cuda_set_current(CUcontext context) { current = context; }

static void find_cards(void) {
  const char *folder = getenv(FAKE_FOLDER_VARIABLE);
  card_count = 0;
  while (folder != NULL && card_count < FAKE_CARDS) {
    char path[4096];
    snprintf(path, sizeof path, "%s/card%d", folder, card_count);
    if (!fake_card_map(&views[card_count], path)) break;
    card_count++;
  }
}

/* As the real one: the child of a process that used the driver cannot use it, nor begin anew. */
static CUresult init_once(void) {
  if (is_used) return *works ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
  if (card_count < 0) find_cards();
  if (card_count == 0) return CUDA_ERROR_NO_DEVICE;
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
  madvise(page, 4096, MADV_WIPEONFORK);
  works = page;
  *works = 1;
  is_used = 1;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuInit(unsigned flags) {
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  /* A thread of the parent may have held the guard at the fork. */
  if (is_used && !*works) return CUDA_ERROR_NOT_INITIALIZED;
  pthread_mutex_lock(&guard);
  return cuda_end(init_once());
}

CUresult cuda_begin(void) {
  if (!is_used || !*works) return CUDA_ERROR_NOT_INITIALIZED;
  pthread_mutex_lock(&guard);
  return CUDA_SUCCESS;
}

CUresult cuda_begin_in(CUcontext *context) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  *context = current;
  if (current == NULL) return cuda_end(CUDA_ERROR_INVALID_CONTEXT);
  return current->is_alive ? CUDA_SUCCESS : cuda_end(CUDA_ERROR_CONTEXT_IS_DESTROYED);
}

CUresult cuda_end(CUresult result) {
  pthread_mutex_unlock(&guard);
  return result;
}

void cuda_sleep(unsigned *tries, uint64_t now_ns, uint64_t until_ns) {
  uint64_t least_ns = SHORTEST_SLEEP_NS << (*tries < 5 ? *tries : 5);
  uint64_t sleep_ns = until_ns > now_ns ? until_ns - now_ns : 0;
  (*tries)++;
  if (sleep_ns < least_ns) sleep_ns = least_ns;
  if (sleep_ns > LONGEST_SLEEP_NS) sleep_ns = LONGEST_SLEEP_NS;
  const struct timespec time = {.tv_nsec = (long)sleep_ns};
  nanosleep(&time, NULL);
}

__attribute__((destructor)) static void end_process(void) {
  if (!is_used || !*works) return;
  for (int i = 0; i < card_count; i++) {
    fake_card_enter(&views[i]);
    fake_process_leave(&views[i]);
    fake_card_leave(&views[i]);
  }
}
