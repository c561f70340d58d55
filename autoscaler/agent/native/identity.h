/* Who a process is, so that a slot of a process that is gone can be told from one of a living. */
#ifndef TF_IDENTITY_H
#define TF_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

struct tf_identity {
  uint32_t pid;
  uint64_t start_time;    /* field 22 of /proc/PID/stat; 0: /proc cannot be read */
  uint64_t pid_namespace; /* inode of /proc/self/ns/pid; 0: /proc cannot be read */
};

struct tf_identity tf_identity_of_self(void);

/* Whether the process with this pid and start time, of our own PID namespace, has ended.  Unknown
 * is false: nothing is ever taken from a process that may live. */
bool tf_has_ended(uint32_t pid, uint64_t start_time);

#endif
