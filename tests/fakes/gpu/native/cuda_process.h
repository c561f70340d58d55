/* The fake driver inside one process: its contexts, streams and what is under way.
 *
 * One guard keeps the process's threads apart; it is held while objects and cards are touched and
 * never while anybody waits. Objects are not freed before the process ends, so that a stale handle
 * is an error and no crash.
 */
#ifndef FAKE_CUDA_PROCESS_H
#define FAKE_CUDA_PROCESS_H

#include <stdbool.h>

#include "card.h"
#include "cuda_types.h"

#define EXPORT __attribute__((visibility("default")))
#define THREAD_STREAMS 24
#define DRIVER_VERSION 13000

/* What stream 0 means: the one of the context, or the calling thread's own. */
enum stream_form { LEGACY, PER_THREAD };

struct capture {
  CUgraph graph;
  CUstream origin;
  pid_t thread;
  int mode;
  int status; /* CAPTURE_ACTIVE, CAPTURE_INVALIDATED */
  unsigned long long id;
  struct capture *next; /* of all that are open */
};

struct CUstream_st {
  CUcontext context;
  int index; /* in the device model; -1: not opened yet */
  unsigned flags;
  pid_t thread; /* of a thread's own stream 0 */
  bool is_alive;
  struct capture *capture;
  CUstream next;
};

struct CUctx_st {
  int device;
  int index; /* in the device model */
  unsigned references; /* of a primary one */
  bool is_alive;
  bool has_code;
  struct CUstream_st zero;
  CUstream streams; /* zero first */
};

struct CUevent_st {
  CUcontext context;
  int index;
  unsigned flags;
  bool is_alive;
  CUgraph captured_in; /* recorded last inside a capture */
};

/* What a kernel, a copy or a memset does to the card. */
struct work {
  uint64_t length_ns; /* FAKE_ENDLESS: until `until` is not zero */
  volatile uint32_t *until;
  volatile uint32_t *mark; /* set to one when it begins */
};

/* The cards; views[i].card of i below cuda_card_count(). */
struct fake_card_view *cuda_view(int device);
int cuda_card_count(void);

/* Take the guard in a process whose driver works; else the error, and no guard. */
CUresult cuda_begin(void);
/* The same with the current context, which is there and alive. */
CUresult cuda_begin_in(CUcontext *context);
CUresult cuda_end(CUresult result);
void cuda_sleep(unsigned *tries, uint64_t now_ns, uint64_t until_ns);

CUcontext cuda_current(void);
void cuda_set_current(CUcontext context);

/* Contexts; inside the guard. */
CUresult cuda_context_open(int device, CUcontext *context);
void cuda_context_close(CUcontext context);

/* Streams; inside the guard. */
CUresult cuda_stream_of(CUstream handle, enum stream_form form, CUstream *stream);
/* Put work into a stream that does not capture; CUDA_ERROR_NOT_READY: its queue is full. */
CUresult cuda_put(CUstream stream, const struct work *work, uint64_t *ticket);
CUresult cuda_order_streams(CUstream stream, uint64_t now_ns);
/* Kernels that wait for a word of memory, and streams that wait for another card. */
void cuda_hold(CUstream stream, uint64_t ticket, const struct work *work, CUevent event);
void cuda_look_at_held(void);
/* Outside the guard: put work, into the capture where there is one; or wait for a ticket. */
CUresult cuda_run(CUstream handle, enum stream_form form, const struct work *work,
                  bool is_waited_for);
CUresult cuda_wait_for(CUcontext context, int stream, uint64_t ticket);

/* Captures; inside the guard. */
/* What a call that could disturb a capture answers; breaks the captures that it disturbs. */
CUresult cuda_unsafe_call(void);
void cuda_capture_break(struct capture *capture);
CUresult cuda_capture_add(CUstream stream, const struct work *work);
/* A use of the legacy stream 0 beside a blocking stream that captures. */
CUresult cuda_legacy_call(CUstream stream, bool breaks);

/* Graphs; inside the guard. */
CUgraph cuda_graph_make(void);
CUgraphNode cuda_graph_add(CUgraph graph, int type, const struct work *work);
CUresult cuda_graph_add_alloc(CUgraph graph, size_t bytes, CUdeviceptr *address, CUgraphNode *node);

/* Memory; inside the guard. */
CUresult cuda_memory_make(CUcontext context, int device, size_t bytes, CUmemoryPool pool,
                          CUdeviceptr *address);
CUresult cuda_memory_end(CUdeviceptr address);
void cuda_memory_forget(CUcontext context); /* that ends */
CUresult cuda_card_take(int device, size_t bytes);
void cuda_card_give(int device, size_t bytes);
CUdeviceptr cuda_address_make(size_t bytes);
void cuda_address_end(CUdeviceptr address, size_t bytes);
bool cuda_pool_take(CUmemoryPool pool, size_t bytes);
void cuda_pool_give(CUmemoryPool pool, size_t bytes);
void cuda_pools_see(void);  /* what is free by now */
void cuda_pools_trim(void); /* to their thresholds, at synchronisation */
CUmemoryPool cuda_pool_of(int device);

/* What a function does when it is launched. */
CUresult cuda_function_work(CUfunction function, void **parameters, struct work *work);

#endif
