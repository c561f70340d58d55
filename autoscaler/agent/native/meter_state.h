/* What a meter is made of: lanes, in which launches are counted, and spans, which are measured.
 *
 * A lane is what one thread launches into one stream; its thread alone writes it, so that counting
 * takes no atomic instruction.  A span is one or many launches of a lane between a pair of events:
 * a single one, of which the cost of its key is learned, or a run.  Every launch is in one span,
 * unless there was none to be had; then it is charged its estimate.
 */
#ifndef TF_METER_STATE_H
#define TF_METER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "meter.h"
#include "timeline.h"

#define TF_LANES 128u /* as tf_place_of has it */
#define TF_SPANS 256u /* more than lanes, each of which may have one open for ever */
#define TF_RUN_NS 3000000ull      /* of device time, then a run ends */
#define TF_SINGLE_NS 1500000ull   /* launches from this cost on are measured each by itself */
#define TF_NEIGHBOUR_NS 5000000000ull /* for so long a neighbour's slice is remembered */
#define TF_SIDE_BY_SIDE_NS 1000000000ull /* for so long, that streams had work at once */

/* What a launch counts for in flight that was never measured: after a few, one waits for them. */
#define TF_UNKNOWN_NS 12500000ull

enum tf_span_state { TF_SPAN_FREE, TF_SPAN_OPEN, TF_SPAN_PENDING };
enum tf_span_kind { TF_SPAN_RUN, TF_SPAN_SINGLE, TF_SPAN_EMPTY };

struct tf_span {
  uint32_t state; /* enum tf_span_state: free to claim, its thread's, the settling thread's */
  enum tf_span_kind kind;
  CUevent begin;
  CUevent end;
  struct tf_lane *lane;
  struct tf_cost *entry; /* of a single one */
  uint64_t key;
  uint64_t launches;   /* from its end on; before, what the lane had counted when it began */
  uint64_t charged_ns; /* alike, by estimate */
  uint64_t overhead_ns; /* that was subtracted in its estimates */
  uint64_t held_ns;    /* what it counts for in flight, while it is pending */
  uint64_t late_ns;    /* charged since, because it still runs */
  uint64_t sent_ns;
  uint64_t host_ns;    /* between the calls that recorded its events; of a single one */
  uint64_t lane_ns;    /* charged to its lane up to its end */
  uint32_t epoch;      /* of its events */
  bool is_full;        /* the GPU was behind from its begin to its end: no pauses are in it */
  bool is_guessed;     /* it has launches that were never measured */
  bool is_mixed;       /* its launches are of several lengths, and charged by their mean */
  bool is_repriced;    /* the overhead became another one meanwhile */
};

struct tf_lane {
  _Alignas(64) uint64_t thread; /* 0: free */
  CUstream stream;
  enum tf_stream_form form;
  uint16_t behind; /* of its thread: measured launches that found the GPU behind */
  bool is_taught;  /* of its thread: the run that is open, or the next one, is short, to learn from */
  /* Written by the thread alone, and never less. */
  uint64_t launches;
  uint64_t charged_ns;
  /* Of the thread alone: what a launch is compared with, in the lane's own counts. */
  uint64_t until_launches; /* from here on the long way */
  uint64_t until_ns;       /* beyond here too: where the run ends, or what is paid for */
  uint64_t sampled_ns;     /* of what measuring may cost, spent; see spends_sample */
  uint64_t paid_ns;        /* until here the law has charged, never less than the lane has */
  uint64_t unmeasured;     /* until here no span is tried again, because there was none */
  uint64_t measured_from;  /* a measurement was put off to here; 0: none was */
  struct tf_span *run;     /* open; or NULL */
  /* Of the settling thread. */
  uint64_t published_launches;
  uint64_t published_ns;
  uint64_t done_ns;      /* when a span of the lane was last seen to have ended ... */
  uint64_t done_lane_ns; /* ... and what was charged to the lane up to its end */
};

struct tf_meter {
  struct tf_use_gpu *gpu;
  struct tf_costs *costs;
  const struct tf_driver *driver;
  uint64_t *process_charged_ns; /* or NULL */
  uint32_t is_settling;
  uint32_t next_span;
  uint32_t pending;
  uint32_t waiting; /* threads that wait for work ... */
  uint32_t has_asked_empty;
  uint32_t epoch;          /* goes up when the context of all events is gone */
  uint64_t waiting_since_ns; /* ... and since when one of them does */
  uint64_t look_ns;        /* not to settle again before */
  uint64_t outstanding_ns; /* held_ns of the spans that are pending */
  uint64_t excused_ns;     /* of them: waited for in vain */
  /* Of the settling thread. */
  CUevent frontier;      /* end of the latest span ... */
  uint64_t frontier_ns;  /* ... and when it was, by a clock of its own */
  uint64_t published_at_ns;
  uint64_t unpublished_ns; /* charged, and to be published as its time passes */
  uint64_t refund_ns;      /* to be taken from what is charged next */
  uint64_t neighbour_ns; /* when a pair last showed a neighbour's slice; 0: never */
  uint64_t side_by_side_ns; /* when several streams last had work; 0: never */
  struct tf_timeline timeline;
  struct tf_lane *latest[TF_LANES]; /* by thread: of its last launch that took the long way */
  struct tf_lane overflow; /* of launches that find no lane: counted atomically, never measured */
  struct tf_lane lane[TF_LANES];
  struct tf_span span[TF_SPANS];
};

static inline uint64_t tf_least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t tf_most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Fields that another thread reads; plain where the compiler alone is to be kept from tearing. */
static inline uint64_t tf_peek(const uint64_t *field) {
  return __atomic_load_n(field, __ATOMIC_RELAXED);
}
static inline void tf_poke(uint64_t *field, uint64_t value) {
  __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

/* Any number that no two living threads share.  The thread pointer is one in every C library, and
 * takes neither a call nor storage of the thread. */
static inline uint64_t tf_this_thread(void) {
  uint64_t pointer;
#if defined(__x86_64__)
  __asm__("mov %%fs:0, %0" : "=r"(pointer));
#elif defined(__aarch64__)
  __asm__("mrs %0, tpidr_el0" : "=r"(pointer));
#else
#error "the thread pointer of this architecture is not known"
#endif
  return pointer;
}

/* One of TF_LANES places for a number, evenly spread. */
static inline uint64_t tf_place_of(uint64_t number) { return number * 0x9e3779b97f4a7c15ull >> 57; }

/* The first of the places that the lane of a thread for a stream may take. */
static inline struct tf_lane *tf_lane_first(struct tf_meter *meter, uint64_t thread,
                                            CUstream stream) {
  return &meter->lane[tf_place_of(thread ^ (uintptr_t)stream)];
}

static inline bool tf_lane_is(const struct tf_lane *lane, uint64_t thread, CUstream stream,
                              enum tf_stream_form form) {
  return tf_peek(&lane->thread) == thread && lane->stream == stream && lane->form == form;
}

/* lanes.c: the calling thread's lane for a stream; meter->overflow where there is no room. */
struct tf_lane *tf_lane_of(struct tf_meter *meter, CUstream stream, enum tf_stream_form form);
/* Pay for a launch where its lane has not paid ahead, and for some that may follow, so that these
 * need no look at the clock and the terms, and a share is given in pieces that the GPU can change
 * contexts for.  Returns the device time that is to be charged. */
uint64_t tf_lane_pay(struct tf_meter *meter, struct tf_lane *lane, const struct tf_terms *terms,
                     uint64_t cost_ns);

#define TF_SAMPLE_NS 10000ull /* what measuring one launch costs GPU and caller, at most */
#define TF_SAMPLE_EVERY_NS (64 * TF_SAMPLE_NS) /* of charged time, so that it is 1 / 64 of it */
#define TF_SAMPLES_NS (64 * TF_SAMPLE_EVERY_NS) /* the most that is saved for later */

/* Whether measuring once more is within what measuring may cost. */
static inline bool tf_affords_sample(const struct tf_lane *lane) {
  return lane->sampled_ns + TF_SAMPLE_EVERY_NS <= lane->charged_ns + TF_SAMPLES_NS;
}

/* Add a launch to the counters of the calling thread's lane. */
static inline void tf_lane_count(struct tf_lane *lane, uint64_t cost_ns) {
  tf_poke(&lane->launches, lane->launches + 1);
  tf_poke(&lane->charged_ns, lane->charged_ns + cost_ns);
}

/* spans.c: all by the lane's thread, right around its launch. */
struct tf_span *tf_span_open(struct tf_meter *meter, struct tf_lane *lane, enum tf_span_kind kind);
/* Returns whether the GPU was behind. */
bool tf_span_close(struct tf_meter *meter, struct tf_span *span, uint64_t now_ns);
void tf_span_free(struct tf_span *span);
/* Measure once what a pair around nothing reads. */
void tf_span_measure_empty(struct tf_meter *meter, struct tf_lane *lane, uint64_t now_ns);
/* Free a span whose events are in doubt, without them. */
void tf_span_drop_events(struct tf_meter *meter, struct tf_span *span);

/* settling.c: by the thread that holds is_settling. */
void tf_settle_spans(struct tf_meter *meter, const struct tf_terms *terms, uint64_t now_ns);
void tf_publish(struct tf_meter *meter, uint64_t now_ns);

#endif
