/* `dlsym`: the second of the three ways to the driver.
 *
 * What RTLD_NEXT and RTLD_DEFAULT mean depends on who calls, so every question that is not about a
 * hooked name goes on to the next `dlsym` by a jump: there, the caller is still the caller.  A call
 * would break other preloads, and the compiler promises no tail call, so the entry is assembly.
 *
 * The entry is exported under the versions of glibc alone (exports.map), as versions that are not the
 * default: other C libraries do not see it, and keep their own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "real.h"

#define IN_USE __attribute__((used, visibility("hidden"))) TF_EARLY

void tf_dlsym_entry(void) __attribute__((visibility("hidden")));

TF_EARLY static void *none(void *handle, const char *name) {
  (void)handle;
  (void)name;
  return NULL;
}

TF_EARLY static void *address_of(tf_function function) {
  void *address = NULL;
  memcpy(&address, &function, sizeof address);
  return address;
}

extern int dladdr(const void *, Dl_info *) __attribute__((weak));

TF_EARLY static bool is_own_export(const void *address) {
  Dl_info found, own;
  return dladdr != NULL && dladdr(address, &found) != 0 &&
         dladdr((const void *)tf_symbols, &own) != 0 && found.dli_fbase == own.dli_fbase;
}

/* A hooked name: found as ever, and then the hook in its place. */
TF_EARLY static void *hooked(void *handle, const char *name) {
  tf_dlsym *next_dlsym = tf_next_dlsym();
  void *found = next_dlsym(handle == RTLD_DEFAULT ? RTLD_NEXT : handle, name);
  if (found != NULL && is_own_export(found)) {
    found = next_dlsym(RTLD_NEXT, name); /* the handle of all: it holds us too */
  }
  return found != NULL ? address_of(tf_hook_of_export(name)) : NULL;
}

TF_EARLY static void *itself(void *handle, const char *name) {
  return tf_next_dlsym()(handle, name) != NULL ? address_of((tf_function)tf_dlsym_entry) : NULL;
}

/* Where the question goes; called by the entry, which jumps there. */
IN_USE tf_dlsym *tf_dlsym_route(void *handle, const char *name) {
  tf_dlsym *next_dlsym = tf_next_dlsym();
  if (next_dlsym == NULL) {
    return none;
  }
  if (handle == RTLD_NEXT || name == NULL) {
    return next_dlsym;
  }
  if (name[0] == 'd' && strcmp(name, "dlsym") == 0) {
    return itself;
  }
  return tf_hook_of_export(name) != NULL ? hooked : next_dlsym;
}

#if defined(__x86_64__)
__asm__(
    ".text\n"
    ".globl tf_dlsym_entry\n"
    ".hidden tf_dlsym_entry\n"
    ".type tf_dlsym_entry, @function\n"
    "tf_dlsym_entry:\n"
    "  .cfi_startproc\n"
    "  pushq %rdi\n"
    "  .cfi_adjust_cfa_offset 8\n"
    "  pushq %rsi\n"
    "  .cfi_adjust_cfa_offset 8\n"
    "  subq $8, %rsp\n"
    "  .cfi_adjust_cfa_offset 8\n"
    "  call tf_dlsym_route\n"
    "  addq $8, %rsp\n"
    "  .cfi_adjust_cfa_offset -8\n"
    "  popq %rsi\n"
    "  .cfi_adjust_cfa_offset -8\n"
    "  popq %rdi\n"
    "  .cfi_adjust_cfa_offset -8\n"
    "  jmp *%rax\n"
    "  .cfi_endproc\n"
    ".size tf_dlsym_entry, . - tf_dlsym_entry\n"
    ".globl tf_dlsym_first\n"
    ".set tf_dlsym_first, tf_dlsym_entry\n"
    ".globl tf_dlsym_2_34\n"
    ".set tf_dlsym_2_34, tf_dlsym_entry\n"
    ".symver tf_dlsym_first, dlsym@GLIBC_2.2.5, remove\n"
    ".symver tf_dlsym_2_34, dlsym@GLIBC_2.34, remove\n");
#elif defined(__aarch64__)
__asm__(
    ".text\n"
    ".globl tf_dlsym_entry\n"
    ".hidden tf_dlsym_entry\n"
    ".type tf_dlsym_entry, %function\n"
    "tf_dlsym_entry:\n"
    "  .cfi_startproc\n"
    "  stp x29, x30, [sp, #-32]!\n"
    "  .cfi_adjust_cfa_offset 32\n"
    "  stp x0, x1, [sp, #16]\n"
    "  mov x29, sp\n"
    "  bl tf_dlsym_route\n"
    "  mov x16, x0\n"
    "  ldp x0, x1, [sp, #16]\n"
    "  ldp x29, x30, [sp], #32\n"
    "  .cfi_adjust_cfa_offset -32\n"
    "  br x16\n"
    "  .cfi_endproc\n"
    ".size tf_dlsym_entry, . - tf_dlsym_entry\n"
    ".globl tf_dlsym_first\n"
    ".set tf_dlsym_first, tf_dlsym_entry\n"
    ".globl tf_dlsym_2_34\n"
    ".set tf_dlsym_2_34, tf_dlsym_entry\n"
    ".symver tf_dlsym_first, dlsym@GLIBC_2.17, remove\n"
    ".symver tf_dlsym_2_34, dlsym@GLIBC_2.34, remove\n");
#else
#error "the limiter knows x86-64 and arm64"
#endif
