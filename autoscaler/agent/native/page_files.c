/* Opening of the pages.  Both folders may hold anything: `use` belongs to the tenant. */
#define _GNU_SOURCE
#include "page_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONGEST_PATH 1024

/* Every process of the pod, whatever its user, writes the page of use. */
#define EVERYBODY 0666

static bool path_of(char *path, const char *root, const char *name, const char *suffix) {
  int length = snprintf(path, LONGEST_PATH, "%s/%s%s", root, name, suffix);
  return length > 0 && length < LONGEST_PATH;
}

/* Map a regular file of exactly this size; anything else is TF_PAGE_BAD. */
static enum tf_page_state map_file(const char *path, size_t size_bytes, bool is_writable,
                                   void **page) {
  int access = is_writable ? O_RDWR : O_RDONLY;
  struct stat status;
  int file = open(path, access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) {
    return errno == ENOENT || errno == ENOTDIR ? TF_PAGE_ABSENT : TF_PAGE_BAD;
  }
  *page = MAP_FAILED;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
      status.st_size == (off_t)size_bytes) {
    *page = mmap(NULL, size_bytes, PROT_READ | (is_writable ? PROT_WRITE : 0), MAP_SHARED, file, 0);
  }
  close(file);
  return *page == MAP_FAILED ? TF_PAGE_BAD : TF_PAGE_OPEN;
}

static bool write_page(int file, uint64_t now_ns) {
  struct tf_use header;
  const size_t header_bytes = offsetof(struct tf_use, gpu);
  memset(&header, 0, header_bytes);
  header.magic = TF_USE_MAGIC;
  header.abi_version = TF_ABI_VERSION;
  header.size_bytes = TF_USE_BYTES;
  header.created_ns = now_ns;
  return fchmod(file, EVERYBODY) == 0 && ftruncate(file, (off_t)TF_USE_BYTES) == 0 &&
         pwrite(file, &header, header_bytes, 0) == (ssize_t)header_bytes;
}

/* Make the page under another name and link it in, so that no reader ever sees half of it; of racing
 * processes one links, and all open what it linked. */
static void make_use(const char *root, const char *path, uint64_t now_ns) {
  char suffix[64];
  char temporary[LONGEST_PATH];
  int file;
  snprintf(suffix, sizeof suffix, ".new-%ld-%llu", (long)getpid(), (unsigned long long)now_ns);
  if (!path_of(temporary, root, TF_USE_FILE "/" TF_USE_FILE, suffix)) {
    return;
  }
  file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, EVERYBODY);
  if (file < 0) {
    return;
  }
  if (write_page(file, now_ns)) {
    /* A failure is seen when the page is opened: that another one was faster is none. */
    (void)!link(temporary, path);
  }
  unlink(temporary);
  close(file);
}

enum tf_page_state tf_open_use(const char *root, uint64_t now_ns, struct tf_use **use) {
  char path[LONGEST_PATH];
  void *page = NULL;
  enum tf_page_state state;
  struct tf_use *found;
  if (!path_of(path, root, TF_USE_FILE "/" TF_USE_FILE, "")) {
    return TF_PAGE_ABSENT;
  }
  state = map_file(path, TF_USE_BYTES, true, &page);
  if (state == TF_PAGE_ABSENT) {
    make_use(root, path, now_ns);
    state = map_file(path, TF_USE_BYTES, true, &page);
  }
  if (state != TF_PAGE_OPEN) {
    return state;
  }
  found = page;
  if (found->magic != TF_USE_MAGIC || found->abi_version != TF_ABI_VERSION ||
      found->size_bytes != TF_USE_BYTES) {
    munmap(page, TF_USE_BYTES);
    return TF_PAGE_BAD;
  }
  *use = found;
  return TF_PAGE_OPEN;
}

enum tf_page_state tf_open_ctl(const char *root, const struct tf_ctl **ctl) {
  char path[LONGEST_PATH];
  void *page = NULL;
  const struct tf_ctl *found;
  enum tf_page_state state;
  if (!path_of(path, root, TF_CTL_FILE "/" TF_CTL_FILE, "")) {
    return TF_PAGE_ABSENT;
  }
  state = map_file(path, TF_CTL_BYTES, false, &page);
  if (state != TF_PAGE_OPEN) {
    return state;
  }
  found = page;
  if (found->magic != TF_CTL_MAGIC || found->abi_version != TF_ABI_VERSION ||
      found->size_bytes != TF_CTL_BYTES) {
    munmap(page, TF_CTL_BYTES);
    return TF_PAGE_BAD;
  }
  *ctl = found;
  return TF_PAGE_OPEN;
}

bool tf_has_ctl_folder(const char *root) {
  char path[LONGEST_PATH];
  struct stat status;
  return path_of(path, root, TF_CTL_FILE, "") && stat(path, &status) == 0 &&
         S_ISDIR(status.st_mode);
}
