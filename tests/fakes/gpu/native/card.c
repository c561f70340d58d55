#define _GNU_SOURCE
#include "card.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES 4096ull
#define FIRST_LOCK (1ll << 40) /* beyond the file, so that no lock is one on content */

static uint64_t device_offset(void) {
  return (sizeof(struct fake_card) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

uint64_t fake_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void init_lock(pthread_mutex_t *lock) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(lock, &attributes);
  pthread_mutexattr_destroy(&attributes);
}

static bool map_file(struct fake_card_view *view, int file, uint64_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) return false;
  view->card = memory;
  view->device = (struct fake_device *)(void *)((char *)memory + device_offset());
  view->file = file;
  view->slot = -1;
  return true;
}

bool fake_card_create(const char *path, const struct fake_card_traits *traits) {
  struct fake_card_view view;
  uint64_t bytes = device_offset() + fake_device_bytes();
  int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) return false;
  bool is_made = fchmod(file, 0666) == 0 && ftruncate(file, (off_t)bytes) == 0 &&
                 map_file(&view, file, bytes);
  if (is_made) {
    uint64_t now_ns = fake_now_ns();
    view.card->traits = *traits;
    view.card->bytes = bytes;
    init_lock(&view.card->lock);
    fake_device_init(view.device, &traits->timing, now_ns);
    fake_utilization_init(&view.card->utilization, traits->bias_q16, now_ns);
    view.card->magic = FAKE_CARD_MAGIC;
    munmap(view.card, bytes);
  }
  close(file);
  return is_made;
}

bool fake_card_map(struct fake_card_view *view, const char *path) {
  uint64_t bytes = device_offset() + fake_device_bytes();
  struct stat status;
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return false;
  bool is_whole = fstat(file, &status) == 0 && (uint64_t)status.st_size == bytes;
  if (is_whole && map_file(view, file, bytes) && view->card->magic == FAKE_CARD_MAGIC) return true;
  view->card = NULL;
  return false;
}

void fake_card_unmap(struct fake_card_view *view) {
  munmap(view->card, view->card->bytes);
  close(view->file);
  view->card = NULL;
}

static struct flock lock_of(int slot, short type) {
  return (struct flock){
      .l_type = type, .l_whence = SEEK_SET, .l_start = FIRST_LOCK + slot, .l_len = 1};
}

static uint64_t pid_namespace(void) {
  struct stat status;
  return stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

pid_t fake_process_pid(const struct fake_card_view *view, int slot) {
  const struct fake_process *process = &view->card->process[slot];
  struct flock lock = lock_of(slot, F_WRLCK);
  if (process->owner == 0 || fcntl(view->file, F_GETLK, &lock) != 0) return 0;
  if (lock.l_type != F_UNLCK) return lock.l_pid > 0 ? lock.l_pid : (pid_t)(uint32_t)process->owner;
  /* A process does not see its own lock. */
  bool is_own = (pid_t)(uint32_t)process->owner == getpid() &&
                process->pid_namespace == pid_namespace();
  return is_own ? getpid() : 0;
}

/* End what an owner has: its contexts with their work, and its memory. */
static void end_process(const struct fake_card_view *view, struct fake_process *process) {
  fake_owner_close(view->device, process->owner, fake_device_now_ns(view->device));
  process->owner = 0;
  process->memory_bytes = 0;
}

static void sweep(const struct fake_card_view *view, uint64_t now_ns) {
  view->card->swept_ns = now_ns;
  for (int slot = 0; slot < FAKE_PROCESSES; slot++) {
    struct fake_process *process = &view->card->process[slot];
    if (process->owner != 0 && fake_process_pid(view, slot) == 0) end_process(view, process);
  }
}

static uint64_t enter(const struct fake_card_view *view, uint64_t swept_every_ns) {
  struct fake_card *card = view->card;
  int locked = pthread_mutex_lock(&card->lock);
  if (locked == EOWNERDEAD) pthread_mutex_consistent(&card->lock);
  else if (locked != 0) abort();
  uint64_t now_ns = fake_now_ns();
  /* First the dead: their work does not go on in the time since the last look. */
  if (now_ns >= card->swept_ns + swept_every_ns) sweep(view, now_ns);
  fake_utilization_advance(&card->utilization, view->device, now_ns);
  return now_ns;
}

uint64_t fake_card_enter(const struct fake_card_view *view) { return enter(view, FAKE_SWEEP_NS); }

uint64_t fake_card_look(const struct fake_card_view *view) { return enter(view, 0); }

void fake_card_leave(const struct fake_card_view *view) { pthread_mutex_unlock(&view->card->lock); }

bool fake_process_join(struct fake_card_view *view) {
  for (int slot = 0; view->slot < 0 && slot < FAKE_PROCESSES; slot++) {
    struct fake_process *process = &view->card->process[slot];
    struct flock lock = lock_of(slot, F_WRLCK);
    bool is_free = process->owner == 0 || fake_process_pid(view, slot) == 0;
    if (!is_free || fcntl(view->file, F_SETLK, &lock) != 0) continue;
    if (process->owner != 0) end_process(view, process);
    process->generation++;
    process->pid_namespace = pid_namespace();
    process->owner = (uint64_t)process->generation << 32 | (uint32_t)getpid();
    view->slot = slot;
  }
  return view->slot >= 0;
}

void fake_process_leave(struct fake_card_view *view) {
  if (view->slot < 0) return;
  struct flock lock = lock_of(view->slot, F_UNLCK);
  end_process(view, &view->card->process[view->slot]);
  fcntl(view->file, F_SETLK, &lock);
  view->slot = -1;
}

uint64_t fake_memory_used_bytes(const struct fake_card *card) {
  uint64_t used_bytes = card->traits.nvml_reserved_bytes;
  for (int slot = 0; slot < FAKE_PROCESSES; slot++) {
    if (card->process[slot].owner != 0) used_bytes += card->process[slot].memory_bytes;
  }
  return used_bytes;
}

static bool fits(const struct fake_card *card, uint64_t bytes) {
  uint64_t used_bytes = fake_memory_used_bytes(card);
  return used_bytes <= card->traits.total_bytes && bytes <= card->traits.total_bytes - used_bytes;
}

bool fake_memory_take(const struct fake_card_view *view, uint64_t bytes) {
  if (!fits(view->card, bytes)) sweep(view, fake_device_now_ns(view->device));
  if (!fits(view->card, bytes)) return false;
  view->card->process[view->slot].memory_bytes += bytes;
  return true;
}

void fake_memory_give(const struct fake_card_view *view, uint64_t bytes) {
  view->card->process[view->slot].memory_bytes -= bytes;
}
