/* /proc/PID/stat, read without allocation. */
#define _GNU_SOURCE
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_FIELD 3
#define THREADS_FIELD 20
#define START_TIME_FIELD 22

struct process_stat {
  char state;
  uint64_t thread_count;
  uint64_t start_time;
};

static bool read_stat(uint32_t pid, struct process_stat *found) {
  char path[32];
  char text[1024];
  ssize_t length;
  char *field;
  int file;
  snprintf(path, sizeof path, "/proc/%u/stat", pid);
  file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return false;
  }
  length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) {
    return false;
  }
  text[length] = '\0';
  field = strrchr(text, ')'); /* the name before it may hold anything */
  for (int number = STATE_FIELD; number <= START_TIME_FIELD; number++) {
    field = field == NULL ? NULL : strchr(field + 1, ' ');
    if (field == NULL) {
      return false;
    }
    if (number == STATE_FIELD) {
      found->state = field[1];
    } else if (number == THREADS_FIELD) {
      found->thread_count = strtoull(field, NULL, 10);
    } else if (number == START_TIME_FIELD) {
      found->start_time = strtoull(field, NULL, 10);
    }
  }
  return true;
}

struct tf_identity tf_identity_of_self(void) {
  struct tf_identity self = {.pid = (uint32_t)getpid()};
  struct process_stat found;
  struct stat name_space;
  if (read_stat(self.pid, &found)) {
    self.start_time = found.start_time;
  }
  if (stat("/proc/self/ns/pid", &name_space) == 0) {
    self.pid_namespace = name_space.st_ino;
  }
  return self;
}

bool tf_has_ended(uint32_t pid, uint64_t start_time) {
  struct process_stat found;
  if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
    return true;
  }
  if (start_time == 0 || !read_stat(pid, &found)) {
    return false;
  }
  /* A main thread that has ended before the others is shown as a zombie too. */
  return found.start_time != start_time ||
         ((found.state == 'Z' || found.state == 'X') && found.thread_count <= 1);
}
