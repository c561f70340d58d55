/* Time, pods and processes of a simulation. */
#include "simulation.h"

#include <stdlib.h>
#include <string.h>

#include "state.h"

#define METER_ALIGNMENT 64u

static bool waits_for_card(const struct process *process) {
  return process->stage == ROOM || process->stage == SYNC;
}

struct simulation *simulation_new(const struct simulation_card *card) {
  struct simulation *simulation = calloc(1, sizeof *simulation);
  if (simulation == NULL) {
    return NULL;
  }
  simulation->device = calloc(1, fake_device_bytes());
  if (simulation->device == NULL) {
    free(simulation);
    return NULL;
  }
  /* A clock that has run for a while, as CLOCK_MONOTONIC has. */
  simulation->now_ns = 1000000000u;
  struct fake_timing timing = {.slice_ns = card->slice_ns,
                               .switch_ns = card->switch_ns,
                               .gap_ns = card->gap_ns,
                               .drain_ns = card->drain_ns,
                               .record_ns = card->record_ns};
  fake_device_init(simulation->device, &timing, simulation->now_ns);
  fake_utilization_init(&simulation->utilization, card->bias_q16, simulation->now_ns);
  return simulation;
}

void simulation_free(struct simulation *simulation) {
  for (int i = 0; i < simulation->processes; i++) {
    free(simulation->process[i].costs);
    free(simulation->process[i].meter);
  }
  free(simulation->device);
  free(simulation);
}

int simulation_add_pod(struct simulation *simulation, enum simulation_gate gate) {
  if (simulation->pods == SIMULATION_PODS) {
    return -1;
  }
  struct pod *pod = &simulation->pod[simulation->pods];
  pod->gate = gate;
  pod->terms = (struct tf_terms){.share_q32 = TF_ONE_Q32,
                                 .trim_k_q16 = TF_ONE_Q16,
                                 .burst_ns = TF_DEFAULT_BURST_NS,
                                 .inflight_ns = TF_DEFAULT_INFLIGHT_NS};
  return simulation->pods++;
}

static bool open_streams(struct process *process) {
  struct simulation *simulation = process->simulation;
  for (uint32_t i = 1; i < process->script.streams; i++) {
    int stream = fake_stream_open(simulation->device, process->context, simulation->now_ns);
    if (stream < 0) {
      return false;
    }
    process->stream[i] = stream;
  }
  return true;
}

static bool make_meter(struct process *process) {
  struct simulation *simulation = process->simulation;
  process->costs = calloc(1, sizeof *process->costs);
  size_t meter_bytes = (tf_meter_bytes() + METER_ALIGNMENT - 1) / METER_ALIGNMENT * METER_ALIGNMENT;
  process->meter = aligned_alloc(METER_ALIGNMENT, meter_bytes);
  if (process->costs == NULL || process->meter == NULL) {
    return false;
  }
  memset(process->meter, 0, meter_bytes);
  process->driver = simulation_driver(process);
  tf_meter_init(process->meter, &simulation->pod[process->pod].use, process->costs,
                &process->driver);
  return true;
}

int simulation_add_process(struct simulation *simulation, int pod,
                           const struct simulation_script *script) {
  if (simulation->processes == SIMULATION_PROCESSES || script->kernels == 0 ||
      script->kernels > SIMULATION_KERNELS || script->streams == 0 ||
      script->streams > MOST_STREAMS) {
    return -1;
  }
  struct process *process = &simulation->process[simulation->processes];
  *process = (struct process){.simulation = simulation,
                              .pod = pod,
                              .script = *script,
                              .duty_q32 = TF_ONE_Q32,
                              .ready_ns = simulation->now_ns,
                              .due_ns = simulation->now_ns};
  uint64_t owner = (uint64_t)simulation->processes + 1;
  process->context = fake_context_open(simulation->device, owner, simulation->now_ns);
  if (process->context < 0) {
    return -1;
  }
  int number = simulation->processes++;
  return open_streams(process) && make_meter(process) ? number : -1;
}

void simulation_end_process(struct simulation *simulation, int process) {
  struct process *ended = &simulation->process[process];
  fake_context_close(simulation->device, ended->context, simulation->now_ns);
  ended->stage = ENDED;
  ended->ready_ns = FAKE_NEVER;
}

void simulation_set_duty(struct simulation *simulation, int process, uint64_t duty_q32) {
  struct process *changed = &simulation->process[process];
  changed->duty_q32 = duty_q32;
  if (changed->stage == NEXT) {
    changed->due_ns = simulation->now_ns;
    changed->ready_ns = simulation->now_ns;
  }
}

void simulation_set_gate(struct simulation *simulation, int pod, enum simulation_gate gate) {
  simulation->pod[pod].gate = gate;
}

void simulation_set_terms(struct simulation *simulation, int pod, const struct tf_terms *terms) {
  simulation->pod[pod].terms = *terms;
}

void simulation_set_tokens(struct simulation *simulation, int pod, double tokens) {
  simulation->pod[pod].tokens = tokens;
}

double simulation_tokens(const struct simulation *simulation, int pod) {
  return simulation->pod[pod].tokens;
}

static void advance(struct simulation *simulation, uint64_t now_ns) {
  fake_utilization_advance(&simulation->utilization, simulation->device, now_ns);
  simulation->now_ns = now_ns;
}

/* When something happens next: a thread acts, or the card does what a thread waits for. */
static uint64_t next_ns(const struct simulation *simulation) {
  uint64_t next_ns = FAKE_NEVER;
  bool is_card_waited_for = false;
  for (int i = 0; i < simulation->processes; i++) {
    const struct process *process = &simulation->process[i];
    if (waits_for_card(process)) {
      is_card_waited_for = true;
    } else if (process->ready_ns < next_ns) {
      next_ns = process->ready_ns;
    }
  }
  if (is_card_waited_for) {
    uint64_t change_ns = fake_device_next_ns(simulation->device);
    return change_ns < next_ns ? change_ns : next_ns;
  }
  return next_ns;
}

void simulation_run(struct simulation *simulation, uint64_t until_ns) {
  for (;;) {
    uint64_t at_ns = next_ns(simulation);
    if (at_ns > until_ns) {
      break;
    }
    advance(simulation, at_ns > simulation->now_ns ? at_ns : simulation->now_ns);
    for (int i = 0; i < simulation->processes; i++) {
      struct process *process = &simulation->process[i];
      bool is_on = waits_for_card(process) ? process_is_free(process)
                                           : process->ready_ns <= simulation->now_ns;
      if (is_on) {
        process_step(process);
      }
    }
  }
  advance(simulation, until_ns);
}

struct tf_use_gpu *simulation_use(struct simulation *simulation, int pod) {
  return &simulation->pod[pod].use;
}

struct simulation_counts simulation_counts(const struct simulation *simulation, int process) {
  const struct process *counted = &simulation->process[process];
  const struct fake_utilization *use = &simulation->utilization;
  uint64_t owner = (uint64_t)process + 1;
  struct fake_ledger ledger = fake_owner_ledger(simulation->device, owner);
  struct simulation_counts counts = {.busy_ns = ledger.busy_ns,
                                     .kernel_ns = ledger.kernel_ns,
                                     .launches = counted->launches,
                                     .longest_hold_ns = counted->longest_hold_ns,
                                     .records = counted->records};
  if (use->count > 0) {
    const struct fake_window *window = &use->window[(use->count - 1) % FAKE_WINDOWS];
    counts.card_percent = window->card_percent;
    for (uint32_t row = 0; row < window->rows; row++) {
      if (window->row[row].owner == owner) {
        counts.percent = window->row[row].percent;
      }
    }
  }
  return counts;
}

void simulation_forget_holds(struct simulation *simulation) {
  for (int i = 0; i < simulation->processes; i++) {
    simulation->process[i].longest_hold_ns = 0;
  }
}

uint64_t simulation_idle_ns(const struct simulation *simulation) {
  return fake_card_ledger(simulation->device).idle_ns;
}
