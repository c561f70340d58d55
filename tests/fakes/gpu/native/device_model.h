/* A card in the place of a real one: contexts in time slices, streams, kernels of known length.
 *
 * Pure: time is a parameter, and all state is in one piece of zeroed memory without pointers, so
 * that it lies in a mapping that many processes share, or in the memory of a simulation in virtual
 * time. The caller keeps callers apart (one lock per card). It knows nothing of the driver API, of
 * memory and of NVML, and nothing of the limiter.
 *
 * One context has the card at a time. It keeps it for a slice while others have work too, and
 * gives it up at once when it has none; each change of context costs time in which nothing runs.
 * Streams of the context that has the card run side by side; operations of a stream run one after
 * another, and those of other contexts stand still: so event pairs read whole slices of
 * neighbours. Numbers are fitted to docs/gpu-facts.md.
 *
 * Time of every call is that of one clock; a call with an older time than the last one is one at
 * the last time.
 */
#ifndef FAKE_DEVICE_MODEL_H
#define FAKE_DEVICE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define FAKE_CONTEXTS 80
#define FAKE_STREAMS 32      /* per context */
#define FAKE_EVENTS 2048     /* per context */
#define FAKE_QUEUE 1024      /* operations outstanding per stream: the driver blocks at more */
#define FAKE_OWNERS 256      /* processes whose device time is remembered, ended ones included */
#define FAKE_NEVER UINT64_MAX
#define FAKE_ENDLESS UINT64_MAX /* length of a kernel that runs until it is released */

/* What the card's own work costs; all zero: the defaults. */
struct fake_timing {
  uint64_t slice_ns;  /* of a context while others wait: 2.1 ms; its neighbour reads 2.43 ms */
  uint64_t switch_ns; /* of a change of context: 165 us, for 46 + 46 % of two full ones */
  uint64_t gap_ns;    /* before each kernel: 1.73 us */
  uint64_t drain_ns;  /* of an event behind a kernel: 2 us */
  uint64_t record_ns; /* of an event: 1.27 us, what an empty pair reads */
};

/* What one context, one process or the card has done, exact to the nanosecond. */
struct fake_ledger {
  uint64_t busy_ns;   /* of the card's time: while it had the card and something of it ran, gaps
                         and events between kernels included, streams side by side counted once */
  uint64_t kernel_ns; /* of busy_ns: while at least one kernel itself ran */
  uint64_t kernels;   /* that have ended */
};

/* Of the whole card: busy_ns of all contexts + switch_ns + idle_ns is the time that has passed. */
struct fake_card_ledger {
  struct fake_ledger all;
  uint64_t switch_ns;
  uint64_t idle_ns;
  uint64_t switches;
};

struct fake_device; /* in device_model.c */

/* Make a card over zeroed memory of fake_device_bytes() (large and mostly never touched: to be
 * mapped anonymously or as a sparse file). */
uint64_t fake_device_bytes(void);
void fake_device_init(struct fake_device *device, const struct fake_timing *timing,
                      uint64_t now_ns);

/* Let time pass.  All calls below do so first where they have a time. */
void fake_device_advance(struct fake_device *device, uint64_t now_ns);
/* When something will change next if nobody calls meanwhile (an operation ends, a slice ends,
 * another context begins); FAKE_NEVER: nothing will. */
uint64_t fake_device_next_ns(struct fake_device *device);

/* A context of an owner (any number but 0, such as a process id); -1: there are FAKE_CONTEXTS. */
int fake_context_open(struct fake_device *device, uint64_t owner, uint64_t now_ns);
/* End a context and all its work, as the end of its process does. */
void fake_context_close(struct fake_device *device, int context, uint64_t now_ns);

/* All contexts of an owner. */
void fake_owner_close(struct fake_device *device, uint64_t owner, uint64_t now_ns);

/* A stream of a context; -1: there are FAKE_STREAMS.  Stream 0 exists from the start. */
int fake_stream_open(struct fake_device *device, int context, uint64_t now_ns);
/* The slot is used again when its work has ended. */
void fake_stream_close(struct fake_device *device, int context, int stream, uint64_t now_ns);

/* Put an operation into a stream. Return its ticket (1, 2, ... in each stream); 0: the queue is
 * full, to be tried again at fake_device_next_ns. */
uint64_t fake_launch(struct fake_device *device, int context, int stream, uint64_t length_ns,
                     uint64_t now_ns);
uint64_t fake_record(struct fake_device *device, int context, int stream, int event,
                     uint64_t now_ns);
/* The stream waits for an operation of any context of this card. */
uint64_t fake_wait(struct fake_device *device, int context, int stream, int other_context,
                   int other_stream, uint64_t ticket, uint64_t now_ns);
/* The stream waits, without using the card, until fake_release: for what is not of this card. */
uint64_t fake_gate(struct fake_device *device, int context, int stream, uint64_t now_ns);
/* End a kernel of FAKE_ENDLESS or open a gate, whether it has begun or not. */
void fake_release(struct fake_device *device, int context, int stream, uint64_t ticket,
                  uint64_t now_ns);

/* As of the last advance. */
bool fake_is_done(const struct fake_device *device, int context, int stream, uint64_t ticket);
bool fake_has_begun(const struct fake_device *device, int context, int stream, uint64_t ticket);
uint64_t fake_last_ticket(const struct fake_device *device, int context, int stream);

/* Events of a context.  -1: there are FAKE_EVENTS. */
int fake_event_open(struct fake_device *device, int context);
void fake_event_close(struct fake_device *device, int context, int event);
/* Whether the last record of an event has happened; also true where it was never recorded. */
bool fake_event_is_done(const struct fake_device *device, int context, int event);
/* Stream and ticket of its last record; false: never recorded. */
bool fake_event_where(const struct fake_device *device, int context, int event, int *stream,
                      uint64_t *ticket);
/* When it happened last, in the caller's clock. */
uint64_t fake_event_time_ns(const struct fake_device *device, int context, int event);

struct fake_ledger fake_context_ledger(const struct fake_device *device, int context);
struct fake_ledger fake_owner_ledger(const struct fake_device *device, uint64_t owner);
struct fake_card_ledger fake_card_ledger(const struct fake_device *device);
uint64_t fake_device_now_ns(const struct fake_device *device);
/* Owners that are remembered, by index below FAKE_OWNERS; 0: none at this index. */
uint64_t fake_owner_at(const struct fake_device *device, int index);

#endif
