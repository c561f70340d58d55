/* Memory that a graph's own allocation nodes take: reserved before its first launch, then as much as
 * the driver says that its graphs hold.
 *
 * Graphs that do not run at once share memory, and keep it until it is trimmed: only the driver knows
 * how much that is.  Owner: the hooks of memory; callers: the hooks of graphs.  A graph without such
 * nodes costs a few look-ups, a process without such graphs one load.
 */
#ifndef TF_GRAPH_MEMORY_H
#define TF_GRAPH_MEMORY_H

#include <stdbool.h>

#include "driver.h"

/* A graph was instantiated, or an instance was updated from it: note what its nodes allocate. */
void tf_graph_memory_note(CUgraphExec exec, CUgraph graph);

/* Before each launch or upload: reserve what is not held yet.  false: the limit would be exceeded, and
 * the caller returns CUDA_ERROR_OUT_OF_MEMORY. */
bool tf_graph_memory_hold(CUgraphExec exec);

/* After each launch or upload that was held, with its result: count what the driver now holds in the
 * place of what was reserved. */
void tf_graph_memory_settle(CUgraphExec exec, CUresult result);

/* The instance is gone; what the driver keeps of it still counts. */
void tf_graph_memory_forget(CUgraphExec exec);

/* The primary context of a device is gone, and the memory of its graphs with it. */
void tf_graph_memory_end(CUdevice device);

/* In a child after fork. */
void tf_graph_memory_clear(void);

#endif
