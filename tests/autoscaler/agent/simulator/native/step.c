/* The host thread of a simulated process: chooses a kernel, waits for its turn, launches it. */
#include "state.h"

#define LAUNCH_NS 2300u         /* of a call of cuLaunchKernel */
#define WAKE_NS 5000u           /* from the end of all work to the thread that waited for it */
#define ROOM_OPERATIONS 1000u   /* outstanding in a stream, a little less than the driver's queue */
#define LONGEST_LAG_NS 1000000000u /* work that a script at a rate catches up with */

static const struct simulation_kernel *kernel_of(const struct process *process) {
  return &process->script.kernel[process->next_kernel];
}

static int stream_of(const struct process *process) {
  return process->stream[process->next_stream];
}

static bool has_room(const struct process *process) {
  const struct fake_device *device = process->simulation->device;
  int stream = stream_of(process);
  uint64_t last = fake_last_ticket(device, process->context, stream);
  return last < ROOM_OPERATIONS ||
         fake_is_done(device, process->context, stream, last - ROOM_OPERATIONS + 1);
}

static bool has_nothing_left(const struct process *process) {
  const struct fake_device *device = process->simulation->device;
  for (uint32_t i = 0; i < process->script.streams; i++) {
    int stream = process->stream[i];
    uint64_t last = fake_last_ticket(device, process->context, stream);
    if (last != 0 && !fake_is_done(device, process->context, stream, last)) {
      return false;
    }
  }
  return true;
}

bool process_is_free(const struct process *process) {
  return process->stage == SYNC ? has_nothing_left(process) : has_room(process);
}

/* When the launch after this one is wanted. */
static void plan_next(struct process *process, uint64_t length_ns) {
  uint64_t now_ns = process->simulation->now_ns;
  if (process->duty_q32 >= TF_ONE_Q32) {
    process->due_ns = now_ns;
    return;
  }
  if (process->due_ns + LONGEST_LAG_NS < now_ns) {
    process->due_ns = now_ns - LONGEST_LAG_NS;
  }
  double apart_ns = (double)length_ns * (double)TF_ONE_Q32 / (double)process->duty_q32;
  process->due_ns += (uint64_t)apart_ns;
}

static void launch(struct process *process) {
  struct simulation *simulation = process->simulation;
  const struct pod *pod = &simulation->pod[process->pod];
  const struct simulation_kernel *kernel = kernel_of(process);
  uint64_t held_ns = simulation->now_ns - process->asked_ns;
  if (held_ns > process->longest_hold_ns) {
    process->longest_hold_ns = held_ns;
  }
  if (!process->is_passed) {
    tf_meter_before(process->meter, &process->launch, simulation->now_ns);
  }
  uint64_t ticket = fake_launch(simulation->device, process->context, stream_of(process),
                                kernel->length_ns, simulation->now_ns);
  if (!process->is_passed) {
    CUresult result = ticket != 0 ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
    tf_meter_after(process->meter, &process->launch, &pod->terms, result, simulation->now_ns);
  }
  process->launches++;
  plan_next(process, kernel->length_ns);
  process->next_kernel = (process->next_kernel + 1) % process->script.kernels;
  process->next_stream = (process->next_stream + 1) % process->script.streams;
  uint32_t per_sync = process->script.launches_per_sync;
  process->stage = per_sync != 0 && process->launches % per_sync == 0 ? SYNC : NEXT;
  if (process->stage == SYNC && pod->gate == SIMULATION_METER) {
    tf_meter_wait_begins(process->meter, simulation->now_ns);
  }
  process->ready_ns = simulation->now_ns + LAUNCH_NS + process->spent_ns;
  process->spent_ns = 0;
}

static void ask(struct process *process) {
  const struct simulation_kernel *kernel = kernel_of(process);
  bool is_first = process->stage == ASK;
  uint64_t again_ns = is_first ? gate_begin(process, kernel) : gate_again(process, kernel);
  if (again_ns == 0) {
    launch(process);
    return;
  }
  process->stage = HELD;
  process->ready_ns = again_ns;
}

static void end_sync(struct process *process) {
  const struct pod *pod = &process->simulation->pod[process->pod];
  if (pod->gate == SIMULATION_METER) {
    tf_meter_wait_ends(process->meter, &pod->terms, process->simulation->now_ns);
  }
  process->stage = NEXT;
  process->ready_ns = process->simulation->now_ns + WAKE_NS + process->spent_ns;
  process->spent_ns = 0;
}

static void choose(struct process *process) {
  uint64_t now_ns = process->simulation->now_ns;
  if (process->duty_q32 == 0) {
    process->ready_ns = FAKE_NEVER;
  } else if (process->due_ns > now_ns) {
    process->ready_ns = process->due_ns;
  } else {
    process->stage = has_room(process) ? ASK : ROOM;
    process->asked_ns = now_ns;
    process->ready_ns = now_ns;
  }
}

void process_step(struct process *process) {
  if (process->stage == SYNC) {
    end_sync(process);
    return;
  }
  if (process->stage == ROOM) {
    process->stage = ASK;
    process->asked_ns = process->simulation->now_ns;
  }
  if (process->stage == NEXT) {
    choose(process);
  }
  if (process->stage == ASK || process->stage == HELD) {
    ask(process);
  }
}
