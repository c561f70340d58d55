/* What holds a launch: the limiter's meter, or a bucket of tokens as other laws have it. */
#include "state.h"

#define POLL_NS 10000000u    /* of processes that wait for tokens */
#define OVERSLEEP_NS 50000u  /* by which a sleeping thread comes late */

static uint64_t token_wait(struct pod *pod, double price, uint64_t now_ns) {
  double least = pod->gate == SIMULATION_COVERED ? price : 0.0;
  if (pod->tokens < least) {
    return now_ns + POLL_NS;
  }
  pod->tokens -= price;
  return 0;
}

uint64_t gate_again(struct process *process, const struct simulation_kernel *kernel) {
  struct simulation *simulation = process->simulation;
  struct pod *pod = &simulation->pod[process->pod];
  uint64_t again_ns = 0;
  if (pod->gate == SIMULATION_METER) {
    again_ns =
        tf_meter_wait(process->meter, &process->launch, &pod->terms, simulation->now_ns);
  } else if (pod->gate != SIMULATION_OPEN) {
    again_ns = token_wait(pod, kernel->price, simulation->now_ns);
  }
  return again_ns == 0 ? 0 : again_ns + OVERSLEEP_NS;
}

uint64_t gate_begin(struct process *process, const struct simulation_kernel *kernel) {
  struct simulation *simulation = process->simulation;
  struct pod *pod = &simulation->pod[process->pod];
  process->is_passed = pod->gate != SIMULATION_METER;
  if (pod->gate == SIMULATION_METER) {
    bool has_one_shape = process->script.has_one_shape != 0;
    uint64_t key = has_one_shape ? tf_cost_key(0, 1, 1)
                                 : tf_cost_key(0, process->next_kernel + 1, kernel->length_ns);
    CUstream stream = (CUstream)(uintptr_t)process->stream[process->next_stream];
    process->is_passed = tf_meter_pass(process->meter, key, stream, TF_LEGACY_STREAM);
    if (process->is_passed) {
      return 0;
    }
    tf_meter_begin(process->meter, &process->launch, key, stream, TF_LEGACY_STREAM, &pod->terms,
                   simulation->now_ns);
  }
  return gate_again(process, kernel);
}
