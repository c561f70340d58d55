/* The state of a simulation; for the files of this folder only. */
#ifndef SIMULATION_STATE_H
#define SIMULATION_STATE_H

#include "device_model.h"
#include "meter.h"
#include "simulation.h"
#include "utilization.h"

#define MOST_STREAMS FAKE_STREAMS

enum stage {
  NEXT,     /* to choose what to launch, and when */
  ROOM,     /* waits for room in the driver's queue */
  ASK,      /* asks its gate for the first time */
  HELD,     /* asks its gate again */
  SYNC,     /* waits for all its work */
  ENDED,
};

struct process {
  struct simulation *simulation;
  int pod;
  int context;
  enum stage stage;
  uint64_t ready_ns; /* when the thread acts next; not in ROOM and SYNC, which wait for the card */
  uint64_t due_ns;   /* when the script wants its next launch */
  uint64_t asked_ns;
  uint64_t spent_ns; /* by calls of the driver in this step */
  uint64_t duty_q32;
  uint32_t next_kernel;
  uint32_t next_stream;
  int stream[MOST_STREAMS];
  struct simulation_script script;
  struct tf_launch launch;
  bool is_passed; /* the launch at hand needs no more of the meter */
  struct tf_driver driver;
  struct tf_costs *costs;
  struct tf_meter *meter;
  uint64_t launches;
  uint64_t records; /* of events */
  uint64_t longest_hold_ns;
};

struct pod {
  enum simulation_gate gate;
  struct tf_terms terms;
  struct tf_use_gpu use;
  double tokens;
};

struct simulation {
  uint64_t now_ns;
  struct fake_device *device;
  struct fake_utilization utilization;
  int pods;
  int processes;
  struct pod pod[SIMULATION_PODS];
  struct process process[SIMULATION_PROCESSES];
};

/* driver.c: what the meter of a process asks of the card. */
struct tf_driver simulation_driver(struct process *process);
/* gates.c: return 0 when the process' launch may go, else when to ask again. */
uint64_t gate_begin(struct process *process, const struct simulation_kernel *kernel);
uint64_t gate_again(struct process *process, const struct simulation_kernel *kernel);
/* step.c: let the thread of a process do its next thing. */
void process_step(struct process *process);
/* Whether what a process waits for on the card, in ROOM or SYNC, has come. */
bool process_is_free(const struct process *process);

#endif
