/* The exported names: the first of the three ways, by the loader.  Each is a jump to its hook. */
#if defined(__x86_64__)
#define JUMP "jmp"
#define KIND "@function"
#else
#define JUMP "b"
#define KIND "%function"
#endif

#define EXPORT(name)                                                             \
  __asm__(".text\n.p2align 4\n.globl " #name "\n.type " #name ", " KIND "\n" #name \
          ":\n  " JUMP " tf_hook_" #name "\n.size " #name ", . - " #name "\n");

#define TF_HOOK(exported, base, first_version, form, parameters) EXPORT(exported)
#define TF_NVML_HOOK(exported, parameters) EXPORT(exported)
#include "symbols.def"
