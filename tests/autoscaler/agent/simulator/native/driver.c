/* The driver of a simulated process: events of the device model, and what calls cost the host.
 *
 * A stream's handle is its number in the device model, an event's is its number plus one.
 */
#include "state.h"

#define RECORD_NS 1300u
#define QUERY_NS 120u
#define ELAPSED_NS 260u

static struct fake_device *device_of(const struct process *process) {
  return process->simulation->device;
}

static int number_of(CUevent event) { return (int)(uintptr_t)event - 1; }

static int create(void *self, CUevent *event) {
  struct process *process = self;
  int number = fake_event_open(device_of(process), process->context);
  if (number < 0) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *event = (CUevent)(uintptr_t)(number + 1);
  return CUDA_SUCCESS;
}

static int destroy(void *self, CUevent event) {
  struct process *process = self;
  fake_event_close(device_of(process), process->context, number_of(event));
  return CUDA_SUCCESS;
}

static int record(void *self, CUevent event, CUstream stream, enum tf_stream_form form) {
  struct process *process = self;
  (void)form;
  process->spent_ns += RECORD_NS;
  process->records++;
  uint64_t ticket = fake_record(device_of(process), process->context, (int)(uintptr_t)stream,
                                number_of(event), process->simulation->now_ns);
  return ticket != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static int query(void *self, CUevent event) {
  struct process *process = self;
  process->spent_ns += QUERY_NS;
  bool is_done = fake_event_is_done(device_of(process), process->context, number_of(event));
  return is_done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

static int elapsed(void *self, CUevent from, CUevent until, uint64_t *elapsed_ns) {
  struct process *process = self;
  const struct fake_device *device = device_of(process);
  process->spent_ns += ELAPSED_NS;
  uint64_t begin_ns = fake_event_time_ns(device, process->context, number_of(from));
  uint64_t end_ns = fake_event_time_ns(device, process->context, number_of(until));
  *elapsed_ns = end_ns > begin_ns ? end_ns - begin_ns : 0;
  return CUDA_SUCCESS;
}

struct tf_driver simulation_driver(struct process *process) {
  return (struct tf_driver){
      .self = process,
      .event_create = create,
      .event_destroy = destroy,
      .event_record = record,
      .event_query = query,
      .event_elapsed_ns = elapsed,
  };
}
