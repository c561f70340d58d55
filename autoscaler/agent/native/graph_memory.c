/* Allocation nodes of graphs.  What the driver holds for graphs is known for each device, not for each
 * graph, so one charge for each GPU follows the driver's own figure; what was reserved for a launch
 * that is not settled yet stands beside it. */
#define _GNU_SOURCE
#include "graph_memory.h"

#include <string.h>
#include <sys/mman.h>

#include "abi.h"
#include "capture.h"
#include "charging.h"
#include "process.h"
#include "real.h"
#include "slots.h"

#define DEEPEST_CHILD 8

/* By GPU of the pod: what is charged for what the driver holds, and how often it was trimmed. */
static struct {
  uint64_t charged_bytes;
  uint32_t trims;
} graphs[TF_MOST_GPUS];
static int graph_count; /* instances with allocation nodes, ever */

struct need {
  uint64_t bytes;
  CUdevice device;
};

static void add_nodes(CUgraph graph, struct need need[TF_MOST_GPUS], int depth);

static void add_node(CUgraphNode node, struct need need[TF_MOST_GPUS], int depth) {
  CUDA_MEM_ALLOC_NODE_PARAMS allocation;
  CUgraph child = NULL;
  int type = 0;
  if (tf_real(cuGraphNodeGetType)(node, &type) != CUDA_SUCCESS) {
    return;
  }
  if (type == CU_GRAPH_NODE_TYPE_GRAPH &&
      tf_real(cuGraphChildGraphNodeGetGraph)(node, &child) == CUDA_SUCCESS) {
    add_nodes(child, need, depth + 1);
  }
  memset(&allocation, 0, sizeof allocation);
  if (type == CU_GRAPH_NODE_TYPE_MEM_ALLOC &&
      tf_real(cuGraphMemAllocNodeGetParams)(node, &allocation) == CUDA_SUCCESS) {
    int gpu = tf_gpu_of_device(allocation.poolProps.location_id);
    if (gpu >= 0) {
      need[gpu].bytes += allocation.bytesize;
      need[gpu].device = allocation.poolProps.location_id;
    }
  }
}

/* Add up what the allocation nodes of a graph ask for, by GPU of the pod. */
static void add_nodes(CUgraph graph, struct need need[TF_MOST_GPUS], int depth) {
  size_t count = 0;
  size_t bytes;
  CUgraphNode *nodes;
  if (depth > DEEPEST_CHILD || tf_real(cuGraphGetNodes)(graph, NULL, &count) != CUDA_SUCCESS ||
      count == 0) {
    return;
  }
  bytes = count * sizeof *nodes;
  nodes = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (nodes == MAP_FAILED) {
    return;
  }
  if (tf_real(cuGraphGetNodes)(graph, nodes, &count) == CUDA_SUCCESS) {
    for (size_t i = 0; i < count; i++) {
      add_node(nodes[i], need, depth);
    }
  }
  munmap(nodes, bytes);
}

/* Entries of an instance, one for each GPU:
 *   references  its device, plus one
 *   mappings    trims of the GPU when it was held, plus one; 0: its memory is to be reserved
 *   owner       1: the reservation is not settled yet */
static uint64_t key_of(CUgraphExec exec, int gpu) {
  return (uint64_t)(uintptr_t)exec << 4 | (uint64_t)gpu;
}

static bool has_graphs(void) {
  return __atomic_load_n(&graph_count, __ATOMIC_RELAXED) != 0;
}

static bool find(CUgraphExec exec, int gpu, struct tf_holding *found) {
  return tf_ledger_find(TF_GRAPH, key_of(exec, gpu), found);
}

static CUdevice device_in(const struct tf_holding *entry) {
  return (CUdevice)entry->references - 1;
}

static uint32_t held_mark(int gpu) {
  return __atomic_load_n(&graphs[gpu].trims, __ATOMIC_RELAXED) + 1;
}

/* Write the entry of an instance; true: there was none. */
static bool write(const struct tf_holding *entry) {
  struct tf_holding replaced;
  return !tf_ledger_put(entry, &replaced);
}

void tf_graph_memory_note(CUgraphExec exec, CUgraph graph) {
  struct need need[TF_MOST_GPUS] = {{0, 0}};
  int mode;
  if (!tf_attached()) {
    return;
  }
  tf_relaxed_begin(&mode);
  add_nodes(graph, need, 0);
  tf_relaxed_end(mode);
  for (int gpu = 0; gpu < (int)TF_MOST_GPUS; gpu++) {
    struct tf_holding entry;
    if (need[gpu].bytes == 0 || find(exec, gpu, &entry)) {
      continue; /* an update changes no allocation node */
    }
    entry = (struct tf_holding){.kind = TF_GRAPH,
                                .gpu = gpu,
                                .key = key_of(exec, gpu),
                                .bytes = need[gpu].bytes,
                                .references = (uint32_t)need[gpu].device + 1};
    write(&entry);
    __atomic_fetch_add(&graph_count, 1, __ATOMIC_RELAXED);
  }
}

/* Charge `held_bytes` for all graphs on a GPU in the place of what was charged. */
static void charge(int gpu, uint64_t held_bytes) {
  uint64_t before_bytes =
      __atomic_exchange_n(&graphs[gpu].charged_bytes, held_bytes, __ATOMIC_ACQ_REL);
  if (held_bytes > before_bytes) {
    tf_reserve_always(gpu, held_bytes - before_bytes, false);
  } else {
    tf_unreserve(gpu, before_bytes - held_bytes, false);
  }
}

/* Charge what the driver says that graphs hold; where it does not say, `change_bytes` more. */
static void follow(int gpu, CUdevice device, int64_t change_bytes) {
  uint64_t held_bytes = 0;
  CUresult result;
  int mode;
  tf_relaxed_begin(&mode);
  result = tf_real(cuDeviceGetGraphMemAttribute)(device, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT,
                                                 &held_bytes);
  tf_relaxed_end(mode);
  if (result != CUDA_SUCCESS) {
    held_bytes = __atomic_load_n(&graphs[gpu].charged_bytes, __ATOMIC_RELAXED);
    held_bytes += (uint64_t)change_bytes;
  }
  charge(gpu, held_bytes);
}

static void settle_one(CUgraphExec exec, int gpu, CUresult result) {
  struct tf_holding entry;
  bool is_pending;
  if (!find(exec, gpu, &entry)) {
    return;
  }
  is_pending = entry.owner != 0;
  entry.owner = 0;
  if (is_pending && result != CUDA_SUCCESS) {
    entry.mappings = 0;
  }
  write(&entry);
  follow(gpu, device_in(&entry),
         is_pending && result == CUDA_SUCCESS ? (int64_t)entry.bytes : 0);
  if (is_pending) {
    tf_unreserve(gpu, entry.bytes, false);
  }
}

bool tf_graph_memory_hold(CUgraphExec exec) {
  for (int gpu = 0; has_graphs() && gpu < (int)TF_MOST_GPUS; gpu++) {
    struct tf_holding entry;
    if (!find(exec, gpu, &entry) || entry.mappings == held_mark(gpu)) {
      continue;
    }
    if (!tf_grant(gpu, entry.bytes)) {
      tf_graph_memory_settle(exec, CUDA_ERROR_OUT_OF_MEMORY);
      return false;
    }
    entry.owner = 1;
    entry.mappings = held_mark(gpu);
    write(&entry);
  }
  return true;
}

void tf_graph_memory_settle(CUgraphExec exec, CUresult result) {
  for (int gpu = 0; has_graphs() && gpu < (int)TF_MOST_GPUS; gpu++) {
    settle_one(exec, gpu, result);
  }
}

void tf_graph_memory_forget(CUgraphExec exec) {
  struct tf_holding entry;
  for (int gpu = 0; has_graphs() && gpu < (int)TF_MOST_GPUS; gpu++) {
    if (find(exec, gpu, &entry) && tf_ledger_take(TF_GRAPH, entry.key, &entry)) {
      follow(gpu, device_in(&entry), entry.mappings == held_mark(gpu) ? -(int64_t)entry.bytes : 0);
    }
  }
}

void tf_graph_memory_end(CUdevice device) {
  int gpu = tf_gpu_of_device(device);
  if (gpu >= 0) {
    __atomic_fetch_add(&graphs[gpu].trims, 1, __ATOMIC_RELAXED);
    charge(gpu, 0);
  }
}

CUresult tf_hook_cuDeviceGraphMemTrim(CUdevice device) {
  CUresult result = tf_real(cuDeviceGraphMemTrim)(device);
  int gpu = has_graphs() ? tf_gpu_of_device(device) : -1;
  if (result == CUDA_SUCCESS && gpu >= 0) {
    __atomic_fetch_add(&graphs[gpu].trims, 1, __ATOMIC_RELAXED);
    follow(gpu, device, -(int64_t)graphs[gpu].charged_bytes);
  }
  return result;
}

void tf_graph_memory_clear(void) {
  memset(graphs, 0, sizeof graphs);
  graph_count = 0;
}
