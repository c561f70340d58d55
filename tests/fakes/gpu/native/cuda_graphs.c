/* Graphs: nodes in the order in which they were added, run one after another in the launching
 * stream.
 *
 * Memory of allocation nodes is taken when an executable graph is launched first, and given back
 * when the device's graph memory is trimmed after the end of the executable graph.
 */
#include <stdlib.h>

#include "cuda_process.h"

struct CUgraphNode_st {
  int type;
  struct work work;
  size_t bytes; /* of an allocation node */
  CUdeviceptr address;
  CUgraph child;
  CUgraphNode next;
};

struct CUgraph_st {
  CUgraphNode first, last;
  size_t count;
};

struct CUgraphExec_st {
  CUgraph graph; /* a copy */
  int device;
  size_t held_bytes; /* of the card */
  bool is_alive;
  CUgraphExec next; /* of all that were ever made */
};

static CUgraphExec executables;

CUgraph cuda_graph_make(void) { return calloc(1, sizeof(struct CUgraph_st)); }

CUgraphNode cuda_graph_add(CUgraph graph, int type, const struct work *work) {
  CUgraphNode node = calloc(1, sizeof *node);
  if (node == NULL) return NULL;
  node->type = type;
  if (work != NULL) node->work = *work;
  if (graph->last != NULL) graph->last->next = node;
  else graph->first = node;
  graph->last = node;
  graph->count++;
  return node;
}

CUresult cuda_graph_add_alloc(CUgraph graph, size_t bytes, CUdeviceptr *address,
                              CUgraphNode *made) {
  CUgraphNode node = cuda_graph_add(graph, NODE_ALLOC, NULL);
  *address = cuda_address_make(bytes);
  if (node == NULL || *address == 0) return CUDA_ERROR_OUT_OF_MEMORY;
  node->bytes = bytes;
  node->address = *address;
  if (made != NULL) *made = node;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphCreate(CUgraph *graph, unsigned flags) {
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  *graph = cuda_graph_make();
  return cuda_end(*graph != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
}

EXPORT CUresult cuGraphDestroy(CUgraph graph) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  return cuda_end(graph != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

static CUresult add_kernel(CUgraphNode *node, CUgraph graph,
                           const struct cuda_kernel_node *kernel) {
  struct work work;
  CUresult result = cuda_function_work(kernel->function, kernel->parameters, &work);
  if (result != CUDA_SUCCESS) return result;
  *node = cuda_graph_add(graph, NODE_KERNEL, &work);
  return *node != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult add_other(CUgraphNode *node, CUgraph graph, int type) {
  *node = cuda_graph_add(graph, type, NULL);
  return *node != NULL ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EXPORT CUresult cuGraphAddKernelNode_v2(CUgraphNode *node, CUgraph graph,
                                        const CUgraphNode *behind, size_t count,
                                        const struct cuda_kernel_node *kernel) {
  (void)behind, (void)count;
  CUresult result = cuda_begin();
  return result == CUDA_SUCCESS ? cuda_end(add_kernel(node, graph, kernel)) : result;
}

EXPORT CUresult cuGraphAddKernelNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *behind,
                                     size_t count, const struct cuda_kernel_node *kernel) {
  return cuGraphAddKernelNode_v2(node, graph, behind, count, kernel);
}

EXPORT CUresult cuGraphAddMemAllocNode(CUgraphNode *node, CUgraph graph,
                                       const CUgraphNode *behind, size_t count,
                                       struct cuda_alloc_node *alloc) {
  (void)behind, (void)count;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  return cuda_end(cuda_graph_add_alloc(graph, alloc->bytes, &alloc->address, node));
}

EXPORT CUresult cuGraphAddMemFreeNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *behind,
                                      size_t count, CUdeviceptr address) {
  (void)behind, (void)count, (void)address;
  CUresult result = cuda_begin();
  return result == CUDA_SUCCESS ? cuda_end(add_other(node, graph, NODE_FREE)) : result;
}

static CUresult add_node(CUgraphNode *node, CUgraph graph, struct cuda_node_params *params) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  switch (params->type) {
    case NODE_KERNEL: return cuda_end(add_kernel(node, graph, &params->of.kernel));
    case NODE_ALLOC:
      return cuda_end(cuda_graph_add_alloc(graph, params->of.alloc.bytes,
                                           &params->of.alloc.address, node));
    case NODE_EMPTY:
    case NODE_FREE: return cuda_end(add_other(node, graph, params->type));
    default: return cuda_end(CUDA_ERROR_NOT_SUPPORTED);
  }
}

EXPORT CUresult cuGraphAddNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *behind,
                               size_t count, struct cuda_node_params *params) {
  (void)behind, (void)count;
  return add_node(node, graph, params);
}

EXPORT CUresult cuGraphAddNode_v2(CUgraphNode *node, CUgraph graph, const CUgraphNode *behind,
                                  const void *edges, size_t count,
                                  struct cuda_node_params *params) {
  (void)behind, (void)count, (void)edges;
  return add_node(node, graph, params);
}

static CUresult copy_graph(CUgraph from, CUgraph *made) {
  CUgraph graph = cuda_graph_make();
  if (graph == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
  for (CUgraphNode node = from->first; node != NULL; node = node->next) {
    CUgraphNode copy = cuda_graph_add(graph, node->type, &node->work);
    if (copy == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
    copy->bytes = node->bytes;
    copy->address = node->address;
    if (node->child != NULL && copy_graph(node->child, &copy->child) != CUDA_SUCCESS) {
      return CUDA_ERROR_OUT_OF_MEMORY;
    }
  }
  *made = graph;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphAddChildGraphNode(CUgraphNode *node, CUgraph graph,
                                         const CUgraphNode *behind, size_t count, CUgraph child) {
  (void)behind, (void)count;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  result = add_other(node, graph, NODE_CHILD);
  return cuda_end(result == CUDA_SUCCESS ? copy_graph(child, &(*node)->child) : result);
}

EXPORT CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph *child) {
  *child = node->child;
  return node->type == NODE_CHILD ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORT CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  size_t i = 0;
  for (CUgraphNode node = graph->first; nodes != NULL && node != NULL && i < *count; i++) {
    nodes[i] = node;
    node = node->next;
  }
  *count = nodes != NULL ? i : graph->count;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuGraphNodeGetType(CUgraphNode node, int *type) {
  *type = node->type;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuGraphMemAllocNodeGetParams(CUgraphNode node, struct cuda_alloc_node *alloc) {
  if (node->type != NODE_ALLOC) return CUDA_ERROR_INVALID_VALUE;
  *alloc = (struct cuda_alloc_node){.bytes = node->bytes, .address = node->address};
  return CUDA_SUCCESS;
}

static CUresult instantiate(CUgraphExec *made, CUgraph graph) {
  CUcontext context;
  CUresult result = cuda_begin_in(&context);
  if (result != CUDA_SUCCESS) return result;
  CUgraphExec executable = calloc(1, sizeof *executable);
  if (graph == NULL || executable == NULL) return cuda_end(CUDA_ERROR_INVALID_VALUE);
  executable->device = context->device;
  executable->is_alive = true;
  executable->next = executables;
  executables = executable;
  *made = executable;
  return cuda_end(copy_graph(graph, &executable->graph));
}

EXPORT CUresult cuGraphInstantiate_v2(CUgraphExec *executable, CUgraph graph,
                                      CUgraphNode *error_node, char *log, size_t log_bytes) {
  if (error_node != NULL) *error_node = NULL;
  if (log != NULL && log_bytes > 0) *log = 0;
  return instantiate(executable, graph);
}

EXPORT CUresult cuGraphInstantiate(CUgraphExec *executable, CUgraph graph,
                                   CUgraphNode *error_node, char *log, size_t log_bytes) {
  return cuGraphInstantiate_v2(executable, graph, error_node, log, log_bytes);
}

EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph,
                                            unsigned long long flags) {
  (void)flags;
  return instantiate(executable, graph);
}

EXPORT CUresult cuGraphInstantiateWithParams(CUgraphExec *executable, CUgraph graph,
                                             struct cuda_instantiate_params *params) {
  params->error_node = NULL;
  CUresult result = instantiate(executable, graph);
  params->result = result == CUDA_SUCCESS ? 0 : 1;
  return result;
}

EXPORT CUresult cuGraphInstantiateWithParams_ptsz(CUgraphExec *executable, CUgraph graph,
                                                  struct cuda_instantiate_params *params) {
  return cuGraphInstantiateWithParams(executable, graph, params);
}

EXPORT CUresult cuGraphExecDestroy(CUgraphExec executable) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (executable == NULL || !executable->is_alive) return cuda_end(CUDA_ERROR_INVALID_VALUE);
  executable->is_alive = false;
  return cuda_end(CUDA_SUCCESS);
}

EXPORT CUresult cuDeviceGraphMemTrim(CUdevice device) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  for (CUgraphExec executable = executables; executable != NULL; executable = executable->next) {
    if (executable->is_alive || executable->device != device) continue;
    cuda_card_give(device, executable->held_bytes);
    executable->held_bytes = 0;
  }
  return cuda_end(CUDA_SUCCESS);
}

static size_t bytes_of(CUgraph graph) {
  size_t bytes = 0;
  for (CUgraphNode node = graph->first; node != NULL; node = node->next) {
    bytes += node->bytes + (node->child != NULL ? bytes_of(node->child) : 0);
  }
  return bytes;
}

/* Take the memory of allocation nodes, once. */
static CUresult take_memory(CUgraphExec executable) {
  size_t bytes = bytes_of(executable->graph);
  if (executable->held_bytes == bytes) return CUDA_SUCCESS;
  CUresult result = cuda_card_take(executable->device, bytes);
  if (result == CUDA_SUCCESS) executable->held_bytes = bytes;
  return result;
}

static CUresult run_nodes(CUgraph graph, CUstream stream, enum stream_form form) {
  CUresult result = CUDA_SUCCESS;
  for (CUgraphNode node = graph->first; node != NULL && result == CUDA_SUCCESS; node = node->next) {
    if (node->type == NODE_KERNEL) result = cuda_run(stream, form, &node->work, false);
    if (node->type == NODE_CHILD) result = run_nodes(node->child, stream, form);
  }
  return result;
}

static CUresult launch(CUgraphExec executable, CUstream stream, enum stream_form form) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  if (executable == NULL || !executable->is_alive) return cuda_end(CUDA_ERROR_INVALID_VALUE);
  result = cuda_end(take_memory(executable));
  return result == CUDA_SUCCESS ? run_nodes(executable->graph, stream, form) : result;
}

EXPORT CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  return launch(executable, stream, LEGACY);
}
EXPORT CUresult cuGraphLaunch_ptsz(CUgraphExec executable, CUstream stream) {
  return launch(executable, stream, PER_THREAD);
}
EXPORT CUresult cuGraphUpload(CUgraphExec executable, CUstream stream) {
  (void)stream;
  return executable != NULL ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
EXPORT CUresult cuGraphUpload_ptsz(CUgraphExec executable, CUstream stream) {
  return cuGraphUpload(executable, stream);
}

/* Of what executable graphs hold: used and reserved are one, and the highest is not kept. */
EXPORT CUresult cuDeviceGetGraphMemAttribute(CUdevice device, int attribute, void *value) {
  (void)attribute;
  uint64_t held_bytes = 0;
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  for (CUgraphExec executable = executables; executable != NULL; executable = executable->next) {
    if (executable->device == device) held_bytes += executable->held_bytes;
  }
  *(uint64_t *)value = held_bytes;
  return cuda_end(CUDA_SUCCESS);
}

/* Only graphs of the same shape can take each other's place. */
static CUresult update(CUgraphExec executable, CUgraph graph) {
  CUresult result = cuda_begin();
  if (result != CUDA_SUCCESS) return result;
  CUgraphNode to = executable->graph->first;
  CUgraphNode from = graph->first;
  while (to != NULL && from != NULL && to->type == from->type) {
    to = to->next;
    from = from->next;
  }
  if (to != NULL || from != NULL) return cuda_end(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  return cuda_end(copy_graph(graph, &executable->graph));
}

EXPORT CUresult cuGraphExecUpdate(CUgraphExec executable, CUgraph graph, CUgraphNode *error_node,
                                  int *outcome) {
  CUresult result = update(executable, graph);
  if (error_node != NULL) *error_node = NULL;
  if (outcome != NULL) *outcome = result == CUDA_SUCCESS ? 0 : 1;
  return result;
}

struct update_outcome {
  int result;
  CUgraphNode error_node, error_from;
};

EXPORT CUresult cuGraphExecUpdate_v2(CUgraphExec executable, CUgraph graph,
                                     struct update_outcome *outcome) {
  CUresult result = update(executable, graph);
  *outcome = (struct update_outcome){.result = result == CUDA_SUCCESS ? 0 : 1};
  return result;
}
