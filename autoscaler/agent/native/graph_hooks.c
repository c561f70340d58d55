/* Graphs: an instance is launched as one piece, and its allocations count from then on. */
#include "graph_memory.h"
#include "passage.h"
#include "real.h"

enum { SHAPE_GRAPH = 4 };

static inline uint64_t of_graph(CUgraphExec exec) {
  return (uint64_t)(uintptr_t)exec;
}

static CUresult instantiated(CUresult result, const CUgraphExec *exec, CUgraph graph) {
  if (result == CUDA_SUCCESS && exec != NULL && tf_attached()) {
    tf_graph_memory_note(*exec, graph);
  }
  return result;
}

static CUresult updated(CUresult result, CUgraphExec exec, CUgraph graph) {
  if (result == CUDA_SUCCESS && tf_attached()) {
    tf_forget_cost(of_graph(exec), SHAPE_GRAPH);
    tf_graph_memory_note(exec, graph);
  }
  return result;
}

#define INSTANTIATE(exported, parameters, arguments)                    \
  CUresult tf_hook_##exported parameters {                              \
    return instantiated(tf_real(exported) arguments, exec, graph);      \
  }
INSTANTIATE(cuGraphInstantiate,
            (CUgraphExec * exec, CUgraph graph, CUgraphNode *failed, char *log, size_t log_bytes),
            (exec, graph, failed, log, log_bytes))
INSTANTIATE(cuGraphInstantiate_v2,
            (CUgraphExec * exec, CUgraph graph, CUgraphNode *failed, char *log, size_t log_bytes),
            (exec, graph, failed, log, log_bytes))
INSTANTIATE(cuGraphInstantiateWithFlags,
            (CUgraphExec * exec, CUgraph graph, unsigned long long flags), (exec, graph, flags))
INSTANTIATE(cuGraphInstantiateWithParams,
            (CUgraphExec * exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS *parameters),
            (exec, graph, parameters))
INSTANTIATE(cuGraphInstantiateWithParams_ptsz,
            (CUgraphExec * exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS *parameters),
            (exec, graph, parameters))

CUresult tf_hook_cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphNode *failed,
                                   int *outcome) {
  return updated(tf_real(cuGraphExecUpdate)(exec, graph, failed, outcome), exec, graph);
}

CUresult tf_hook_cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph,
                                      CUgraphExecUpdateResultInfo *outcome) {
  return updated(tf_real(cuGraphExecUpdate_v2)(exec, graph, outcome), exec, graph);
}

CUresult tf_hook_cuGraphExecDestroy(CUgraphExec exec) {
  CUresult result = tf_real(cuGraphExecDestroy)(exec);
  if (result == CUDA_SUCCESS && tf_attached()) {
    tf_forget_cost(of_graph(exec), SHAPE_GRAPH);
    tf_graph_memory_forget(exec);
  }
  return result;
}

/* Whether its memory is within the limit; a captured launch allocates nothing yet. */
static bool has_memory(CUgraphExec exec, CUstream stream, enum tf_stream_form form) {
  return !tf_attached() || tf_is_captured(stream, form) || tf_graph_memory_hold(exec);
}

static CUresult settled(CUresult result, CUgraphExec exec) {
  tf_graph_memory_settle(exec, result);
  return result;
}

#define LAUNCH(exported, form)                                                               \
  static inline CUresult with_memory_##exported(CUgraphExec exec, CUstream stream);          \
  TF_LAUNCH_AS(with_memory_##exported, exported, of_graph(exec), SHAPE_GRAPH, stream, form,  \
               (CUgraphExec exec, CUstream stream), (exec, stream))                          \
  CUresult tf_hook_##exported(CUgraphExec exec, CUstream stream) {                           \
    return has_memory(exec, stream, form)                                                    \
               ? settled(with_memory_##exported(exec, stream), exec)                         \
               : CUDA_ERROR_OUT_OF_MEMORY;                                                   \
  }
LAUNCH(cuGraphLaunch, TF_LEGACY_STREAM)
LAUNCH(cuGraphLaunch_ptsz, TF_THREAD_STREAM)

#define UPLOAD(exported, form)                                            \
  CUresult tf_hook_##exported(CUgraphExec exec, CUstream stream) {        \
    return has_memory(exec, stream, form)                                 \
               ? settled(tf_real(exported)(exec, stream), exec)           \
               : CUDA_ERROR_OUT_OF_MEMORY;                                \
  }
UPLOAD(cuGraphUpload, TF_LEGACY_STREAM)
UPLOAD(cuGraphUpload_ptsz, TF_THREAD_STREAM)
