/* Sizes of the records that metering.py repeats. */
#include "meter.h"

uint64_t size_of_terms(void);
uint64_t size_of_turn(void);
uint64_t size_of_cost(void);
uint64_t size_of_costs(void);
uint64_t size_of_launch(void);
uint64_t size_of_driver(void);

uint64_t size_of_terms(void) { return sizeof(struct tf_terms); }
uint64_t size_of_turn(void) { return sizeof(struct tf_turn); }
uint64_t size_of_cost(void) { return sizeof(struct tf_cost); }
uint64_t size_of_costs(void) { return sizeof(struct tf_costs); }
uint64_t size_of_launch(void) { return sizeof(struct tf_launch); }
uint64_t size_of_driver(void) { return sizeof(struct tf_driver); }
