/* Words of the page of use, which other processes read and write at the same time.
 *
 * Sequentially consistent, because reserving rests on it: of two processes that each write a word
 * and then read the other's, at least one sees the other's.  TF_BEFORE_STORE names a function that
 * tests have called before each store, so that they can end a process at any of them.
 */
#ifndef TF_WORDS_H
#define TF_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef TF_BEFORE_STORE
void TF_BEFORE_STORE(void);
#else
#define TF_BEFORE_STORE() ((void)0)
#endif

static inline uint64_t tf_load(const uint64_t *word) {
  return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void tf_store(uint64_t *word, uint64_t value) {
  TF_BEFORE_STORE();
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static inline void tf_add(uint64_t *word, uint64_t value) {
  TF_BEFORE_STORE();
  __atomic_fetch_add(word, value, __ATOMIC_SEQ_CST);
}

static inline void tf_subtract(uint64_t *word, uint64_t value) {
  TF_BEFORE_STORE();
  __atomic_fetch_sub(word, value, __ATOMIC_SEQ_CST);
}

static inline bool tf_exchange(uint64_t *word, uint64_t expected, uint64_t value) {
  TF_BEFORE_STORE();
  return __atomic_compare_exchange_n(word, &expected, value, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST);
}

#endif
