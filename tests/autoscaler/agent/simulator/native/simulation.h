/* Programs on one card in virtual time, each behind a law: what the limiter's own code, or another
 * law's, lets through.
 *
 * The card is the device model of the test doubles, and the limiter's law, costs and meter are
 * compiled in as they are.  A process is one host thread that launches kernels; time passes only
 * between calls.  Agents are not here: they are called between two simulation_run.  One caller at a
 * time.
 */
#ifndef SIMULATION_H
#define SIMULATION_H

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "law.h"

#define SIMULATION_PODS 16
#define SIMULATION_PROCESSES 32
#define SIMULATION_KERNELS 16

enum simulation_gate {
  SIMULATION_OPEN,        /* nothing is held */
  SIMULATION_METER,       /* the limiter */
  SIMULATION_COVERED,     /* tokens: a launch waits until there are as many as its price */
  SIMULATION_NOT_IN_DEBT, /* tokens: a launch waits while they are negative */
};

struct simulation_card {
  uint64_t slice_ns;
  uint64_t switch_ns;
  uint64_t gap_ns;
  uint64_t drain_ns;
  uint64_t record_ns;
  uint64_t bias_q16; /* of NVML; TF_ONE_Q16: none */
};

struct simulation_kernel {
  uint64_t length_ns;
  double price; /* in tokens */
};

struct simulation_script {
  struct simulation_kernel kernel[SIMULATION_KERNELS]; /* in turn */
  uint32_t kernels;
  uint32_t streams; /* in turn */
  uint32_t launches_per_sync; /* 0: never waits for its work, but for room in the driver's queue */
  uint32_t has_one_shape; /* 1: the limiter cannot tell its kernels apart */
};

/* What one process has done. */
struct simulation_counts {
  uint64_t busy_ns;   /* of the card, by the card's own ledger */
  uint64_t kernel_ns; /* of busy_ns: without gaps between kernels */
  uint64_t launches;
  uint64_t longest_hold_ns; /* of one launch, since simulation_forget_holds */
  uint64_t records;         /* of events */
  uint32_t percent;         /* NVML's last window of this process; 0: it is not listed */
  uint32_t card_percent;    /* NVML's last window of the card */
};

struct simulation;

struct simulation *simulation_new(const struct simulation_card *card);
void simulation_free(struct simulation *simulation);

/* Return a number of the pod or process; -1: there are too many. */
int simulation_add_pod(struct simulation *simulation, enum simulation_gate gate);
int simulation_add_process(struct simulation *simulation, int pod,
                           const struct simulation_script *script);
void simulation_end_process(struct simulation *simulation, int process);

/* duty_q32: device time that is asked for; TF_ONE_Q32 without end, 0 nothing. */
void simulation_set_duty(struct simulation *simulation, int process, uint64_t duty_q32);
void simulation_set_gate(struct simulation *simulation, int pod, enum simulation_gate gate);
void simulation_set_terms(struct simulation *simulation, int pod, const struct tf_terms *terms);
void simulation_set_tokens(struct simulation *simulation, int pod, double tokens);
double simulation_tokens(const struct simulation *simulation, int pod);

/* Let programs run until a time. */
void simulation_run(struct simulation *simulation, uint64_t until_ns);

/* The pod's record of the page `use`; to be written by tests of forged pages as well. */
struct tf_use_gpu *simulation_use(struct simulation *simulation, int pod);
struct simulation_counts simulation_counts(const struct simulation *simulation, int process);
void simulation_forget_holds(struct simulation *simulation);
uint64_t simulation_idle_ns(const struct simulation *simulation);

#endif
