/* Numbers of one process that its threads read and write at once: each is whole, and nothing is
 * said of the order of two. */
#ifndef TF_FIELDS_H
#define TF_FIELDS_H

#include <stdint.h>

static inline uint64_t tf_get(const uint64_t *field) {
  return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static inline void tf_put(uint64_t *field, uint64_t value) {
  __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

static inline uint32_t tf_get_count(const uint32_t *field) {
  return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static inline void tf_put_count(uint32_t *field, uint32_t count) {
  __atomic_store_n(field, count, __ATOMIC_RELAXED);
}

static inline uint8_t tf_get_byte(const uint8_t *field) {
  return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static inline void tf_put_byte(uint8_t *field, uint32_t count) {
  __atomic_store_n(field, (uint8_t)count, __ATOMIC_RELAXED);
}

static inline uint16_t tf_get_short(const uint16_t *field) {
  return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static inline void tf_put_short(uint16_t *field, uint32_t count) {
  __atomic_store_n(field, (uint16_t)count, __ATOMIC_RELAXED);
}

#endif
