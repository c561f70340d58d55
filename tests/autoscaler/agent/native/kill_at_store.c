/* Ends the process right before the n-th store into the page of use, as SIGKILL may at any of them. */
#include <signal.h>
#include <unistd.h>

static long stores_left;

void tf_kill_at_store(long count);
void tf_before_store(void);

void tf_kill_at_store(long count) {
  stores_left = count;
}

void tf_before_store(void) {
  if (stores_left > 0 && --stores_left == 0) {
    kill(getpid(), SIGKILL);
  }
}
