/* Runs the plugin_main of a shared object: plugin_host plain|deep FILE [its words].
 *
 * "deep" loads it with RTLD_DEEPBIND, which looks up its symbols in itself and its own libraries
 * before those that were preloaded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **words) {
  if (count < 3) return 2;
  int deep = strcmp(words[1], "deep") == 0 ? RTLD_DEEPBIND : 0;
  void *plugin = dlopen(words[2], RTLD_NOW | deep);
  int (*run)(int, char **) = NULL;
  if (plugin != NULL) *(void **)&run = dlsym(plugin, "plugin_main");
  if (run == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 3;
  }
  return run(count - 2, words + 2);
}
