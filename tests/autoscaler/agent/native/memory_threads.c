/* Many threads of one process reserve, enter, take and give back at once; run under sanitizers too.
 *
 * Prints the bytes that are held at the end. */
#include <pthread.h>
#include <stdio.h>

#include "ledger.h"
#include "pages.h"
#include "slots.h"

#define THREADS 8
#define ROUNDS 400
#define OPEN 16

static void give_back(uint64_t key) {
  struct tf_holding holding;
  if (tf_ledger_take(TF_POINTER, key, &holding)) {
    tf_unreserve(holding.gpu, holding.bytes, false);
  }
}

static void *work(void *place) {
  const uint64_t first = (uint64_t)(uintptr_t)place << 32;
  for (uint64_t round = 0; round < ROUNDS; round++) {
    struct tf_holding replaced;
    struct tf_holding holding = {.kind = TF_POINTER, .key = first + round + 1, .bytes = round % 7};
    struct tf_terms terms;
    tf_terms_of(0, &terms, tf_now_ns());
    if (tf_reserve(0, holding.bytes)) {
      tf_ledger_put(&holding, &replaced);
    }
    if (round >= OPEN) {
      give_back(first + round + 1 - OPEN);
    }
  }
  for (uint64_t round = ROUNDS - OPEN; round < ROUNDS; round++) {
    give_back(first + round + 1);
  }
  return NULL;
}

int main(void) {
  pthread_t thread[THREADS];
  tf_attach();
  tf_slot_claim();
  for (uintptr_t i = 0; i < THREADS; i++) {
    if (pthread_create(&thread[i], NULL, work, (void *)(i + 1)) != 0) {
      return 1;
    }
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(thread[i], NULL);
  }
  printf("%llu\n", (unsigned long long)tf_held_bytes(0));
  return 0;
}
