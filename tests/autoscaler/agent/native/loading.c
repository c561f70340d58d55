/* A program that looks its functions up as programs do; prints what it found, ends with 7. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  void *(*own)(void *, const char *) = dlsym;
  void *again = dlsym(RTLD_DEFAULT, "dlsym");
  void *expected = NULL;
  memcpy(&expected, &own, sizeof expected);
  printf("puts %s\n", dlsym(RTLD_DEFAULT, "puts") != NULL ? "found" : "lost");
  printf("dlsym %s\n", again == expected ? "itself" : "another");
  printf("nothing %s\n", dlsym(RTLD_DEFAULT, "tf_no_such_name") == NULL ? "absent" : "found");
  printf("error %s\n", dlerror() != NULL ? "said" : "lost");
  return 7;
}
