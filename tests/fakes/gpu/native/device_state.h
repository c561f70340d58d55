/* The memory of a modelled card; shared by device_model.c (what is asked) and device_time.c (what
 * time does), by nobody else.
 */
#ifndef FAKE_DEVICE_STATE_H
#define FAKE_DEVICE_STATE_H

#include "device_model.h"

enum operation_kind { KERNEL, RECORD, WAIT, GATE };

struct operation {
  uint64_t amount; /* KERNEL: its length; WAIT: the ticket waited for */
  uint32_t event;  /* RECORD */
  uint16_t other_context;
  uint16_t other_stream;
  uint8_t kind;
  uint8_t is_released;
  uint8_t reserved[6];
};

/* A ring of operations; tickets count them from 1, so the operation of ticket t is at (t - 1) %
 * FAKE_QUEUE. */
struct stream {
  uint64_t issued;
  uint64_t done;
  uint64_t before_left_ns; /* of the first operation: gap of a kernel, all of a record */
  uint64_t body_left_ns;   /* of the first operation: the kernel itself */
  uint8_t is_open;
  uint8_t is_begun;        /* the first operation: the two above are set */
  uint8_t is_behind_kernel; /* the last operation that ended was a kernel */
  uint8_t reserved[5];
  struct operation queue[FAKE_QUEUE];
};

struct event {
  uint64_t ticket; /* of the last record; 0: none */
  uint64_t time_ns;
  uint32_t stream;
  uint32_t is_open;
};

struct context {
  uint64_t owner; /* 0: free */
  uint32_t owner_index;
  uint32_t streams; /* slots that were ever open */
  uint32_t events;
  uint32_t is_open;
  struct fake_ledger ledger;
  struct stream stream[FAKE_STREAMS];
  struct event event[FAKE_EVENTS];
};

struct owner {
  uint64_t owner;
  uint64_t last_ns; /* when it last opened or closed a context */
  uint32_t contexts; /* that are open */
  uint32_t reserved;
  struct fake_ledger ledger;
};

struct fake_device {
  struct fake_timing timing;
  uint64_t now_ns;
  uint64_t slice_left_ns;
  uint64_t switch_left_ns;
  int32_t current; /* context that has the card, or had it last; -1: none */
  uint32_t contexts; /* slots that were ever open */
  struct fake_card_ledger ledger;
  struct owner owner[FAKE_OWNERS];
  struct context context[FAKE_CONTEXTS];
};

static inline struct operation *first_operation(struct stream *stream) {
  return &stream->queue[stream->done % FAKE_QUEUE];
}

/* Whether a stream's first operation can use the card now; operations that only wait and are over
 * are taken out on the way. */
bool device_stream_is_ready(struct fake_device *device, struct stream *stream);

#endif
