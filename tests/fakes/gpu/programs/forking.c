/* forking: what a child of fork can do with the driver.
 *
 *   --before yes|no (yes)   whether the parent uses the driver before it forks
 *   --exec yes|no (no)      whether the child begins anew as another program
 *
 * The child launches a kernel. Prints one JSON object of the child, {"child_init", "child_launch"}
 * with what the driver answered (-1: not asked), and one of the parent, {"parent_launch",
 * "child_exit"}.
 */
#include "driver.h"

#include <sys/wait.h>
#include <unistd.h>

static bool is_yes(int count, char **words, const char *name, const char *otherwise) {
  return strcmp(option(count, words, name, otherwise), "yes") == 0;
}

static Result launch_one(void) {
  turns_per_us = 1000;
  struct place place = open_place(0);
  Result result = launch_ns(&place, 1000, NULL);
  return result == 0 ? cuCtxSynchronize() : result;
}

static int child(void) {
  int launched = -1;
  Result init = cuInit(0);
  if (init == 0) launched = launch_one();
  printf("{\"child_init\": %d, \"child_launch\": %d}\n", init, launched);
  return 0;
}

int main(int count, char **words) {
  int status = -1;
  start(count, words);
  bool is_used = is_yes(count, words, "before", "yes");
  bool is_execed = is_yes(count, words, "exec", "no");
  if (strcmp(option(count, words, "child", "no"), "yes") == 0) return child();
  if (is_used) {
    MUST(cuInit(0));
    MUST(launch_one());
  }
  pid_t pid = fork();
  if (pid == 0 && is_execed) {
    char *anew[] = {words[0], "--child", "yes", NULL};
    execv("/proc/self/exe", anew);
  }
  if (pid == 0) _exit(child());
  waitpid(pid, &status, 0);
  if (!is_used) MUST(cuInit(0));
  printf("{\"parent_launch\": %d, \"child_exit\": %d}\n", launch_one(), WEXITSTATUS(status));
  return 0;
}
