/* Reserve, allocate, enter; and back: what all hooks of memory have in common.
 *
 * `gpu` is an index in the pages, or -1: of no GPU of the pod, and nothing is counted.
 */
#ifndef TF_CHARGING_H
#define TF_CHARGING_H

#include <stdbool.h>
#include <stdint.h>

#include "driver.h"
#include "ledger.h"

/* The context of the calling thread, as an owner of holdings; 0: there is none. */
uint64_t tf_current_owner(void);

/* Reserve bytes on a GPU.  Where they do not fit, what pools of the process hold without use is given
 * back first.  false: the limit would be exceeded, and the denial was counted. */
bool tf_grant(int gpu, uint64_t bytes);

/* What is freed by its address, before it has one. */
struct tf_holding tf_pointer(int gpu, uint64_t bytes);

/* After the real allocation of what was reserved: enter it, or give it back where the driver failed.
 * Returns the driver's result. */
CUresult tf_keep(CUresult result, const struct tf_holding *holding);
/* The same for what the driver has put into `address`. */
CUresult tf_keep_pointer(CUresult result, struct tf_holding *holding, const CUdeviceptr *address);

/* Around the real free: strike it out before, because the driver may hand the address to another
 * thread at once; give its bytes back after, or enter it again where the driver failed. */
bool tf_let_go_begin(enum tf_kind kind, uint64_t key, struct tf_holding *holding);
CUresult tf_let_go_end(CUresult result, bool is_held, const struct tf_holding *holding);

#endif
