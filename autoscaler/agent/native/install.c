/* The program of the limiter's image: puts the library into the pod, and waits for its control page.
 *
 *   install --library=FILE --control=FILE --wait=SECONDSs [--source=FILE]
 *
 * The library comes from beside the program, or from --source.  Without a control page the pod starts
 * all the same, on the limits that it was admitted with; without the library it must not start.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LIBRARY_NAME "libtflimit.so"
#define LONGEST_WAIT_S 600
#define LOOK_NS 20000000L
#define CHUNK_BYTES 65536
#define LIBRARY_MODE 0555

struct order {
  const char *library;
  const char *control;
  char source[PATH_MAX];
  long wait_s;
};

static int refuse(const char *what, const char *name, const char *why) {
  fprintf(stderr, "%s %s: %s\n", what, name, why);
  return EXIT_FAILURE;
}

static bool read_wait(const char *text, long *wait_s) {
  char *end = NULL;
  errno = 0;
  *wait_s = strtol(text, &end, 10);
  return errno == 0 && end != text && (*end == '\0' || strcmp(end, "s") == 0) && *wait_s >= 0 &&
         *wait_s <= LONGEST_WAIT_S;
}

static const char *value_of(const char *argument, const char *name) {
  size_t length = strlen(name);
  return strncmp(argument, name, length) == 0 ? argument + length : NULL;
}

/* Where the library is unless it is said: beside this program. */
static void default_source(char source[PATH_MAX]) {
  char program[PATH_MAX - sizeof LIBRARY_NAME];
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  char *slash;
  program[length > 0 ? length : 0] = '\0';
  slash = strrchr(program, '/');
  snprintf(source, PATH_MAX, "%.*s%s", slash != NULL ? (int)(slash - program) + 1 : 0, program,
           LIBRARY_NAME);
}

static int read_order(int count, char **arguments, struct order *order) {
  default_source(order->source);
  for (int i = 1; i < count; i++) {
    const char *library = value_of(arguments[i], "--library=");
    const char *control = value_of(arguments[i], "--control=");
    const char *wait = value_of(arguments[i], "--wait=");
    const char *source = value_of(arguments[i], "--source=");
    if (library != NULL) {
      order->library = library;
    } else if (control != NULL) {
      order->control = control;
    } else if (source != NULL) {
      snprintf(order->source, sizeof order->source, "%s", source);
    } else if (wait == NULL) {
      return refuse("argument", arguments[i], "is none of --library= --control= --wait= --source=");
    } else if (!read_wait(wait, &order->wait_s)) {
      return refuse("--wait", wait, "is no whole number of seconds from 0s to 600s");
    }
  }
  if (order->library == NULL || order->control == NULL) {
    return refuse("argument", order->library == NULL ? "--library=" : "--control=", "is missing");
  }
  return EXIT_SUCCESS;
}

static bool write_all(int file, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(file, bytes, count);
    if (written < 0) {
      return false;
    }
    bytes += written;
    count -= (size_t)written;
  }
  return true;
}

static bool copy_bytes(int from, int to) {
  static char chunk[CHUNK_BYTES];
  ssize_t count;
  while ((count = read(from, chunk, sizeof chunk)) > 0) {
    if (!write_all(to, chunk, (size_t)count)) {
      return false;
    }
  }
  return count == 0 && fchmod(to, LIBRARY_MODE) == 0;
}

/* Complete or not at all: a container that restarts must not load half of it. */
static int copy_library(const struct order *order) {
  char unfinished[PATH_MAX];
  int from = open(order->source, O_RDONLY | O_CLOEXEC);
  int to;
  bool is_copied;
  if (from < 0) {
    return refuse("the limiter's library", order->source, strerror(errno));
  }
  if (snprintf(unfinished, sizeof unfinished, "%s.unfinished", order->library) >= PATH_MAX) {
    return refuse("--library", order->library, strerror(ENAMETOOLONG));
  }
  unlink(unfinished); /* of a container that ended within the copy */
  to = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  is_copied = to >= 0 && copy_bytes(from, to);
  is_copied = (to < 0 || close(to) == 0) && is_copied;
  if (!is_copied || rename(unfinished, order->library) != 0) {
    return refuse("cannot write", order->library, strerror(errno));
  }
  close(from);
  return EXIT_SUCCESS;
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool wait_for(const char *path, long wait_s) {
  uint64_t end_ns = now_ns() + (uint64_t)wait_s * 1000000000u;
  struct timespec look = {.tv_nsec = LOOK_NS};
  while (access(path, F_OK) != 0) {
    if (now_ns() >= end_ns) {
      return false;
    }
    nanosleep(&look, NULL);
  }
  return true;
}

int main(int count, char **arguments) {
  static struct order order;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (read_order(count, arguments, &order) != EXIT_SUCCESS ||
      copy_library(&order) != EXIT_SUCCESS) {
    return EXIT_FAILURE;
  }
  puts("copied");
  puts(wait_for(order.control, order.wait_s) ? "controlled" : "uncontrolled");
  return EXIT_SUCCESS;
}
