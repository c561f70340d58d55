// What a CUDA driver really does, measured through its API alone: no toolkit, no headers of CUDA.
//
//   probe costs                  ns per launch, event record, query, elapsed time
//   probe events                 what an event pair reads around work of a known length
//   probe run NS SHARE SECONDS   kernels of NS device time, launched for SHARE of the time
//   probe capture                whether a query breaks another thread's stream capture
//   probe context                bytes of the card that an empty context takes
//
// One JSON object is printed.  Work is a loop of dependent multiplications whose length is
// calibrated while the card is otherwise idle, so its device time is known under contention too.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int Result;
typedef void *Handle;
typedef uint64_t Address;

static const char PTX[] =
    ".version 7.0\n.target sm_70\n.address_size 64\n"
    ".visible .entry nothing() { ret; }\n"
    ".visible .entry work(.param .u64 out, .param .u64 turns) {\n"
    "  .reg .u64 %rd<12>; .reg .u32 %r<4>; .reg .pred %p<4>;\n"
    "  ld.param.u64 %rd1, [out]; ld.param.u64 %rd2, [turns];\n"
    "  cvta.to.global.u64 %rd1, %rd1;\n"
    "  mov.u64 %rd3, %globaltimer; mov.u64 %rd6, 0; mov.u64 %rd7, 88172645463325252;\n"
    "again:\n"
    "  mul.lo.u64 %rd7, %rd7, 6364136223846793005; add.u64 %rd7, %rd7, 1442695040888963407;\n"
    "  add.u64 %rd6, %rd6, 1; setp.lt.u64 %p1, %rd6, %rd2; @%p1 bra again;\n"
    "  mov.u64 %rd4, %globaltimer; mov.u32 %r1, %tid.x; mov.u32 %r2, %ctaid.x;\n"
    "  or.b32 %r1, %r1, %r2; setp.ne.u32 %p2, %r1, 0; @%p2 bra done;\n"
    "  st.global.u64 [%rd1], %rd3; st.global.u64 [%rd1+8], %rd4; st.global.u64 [%rd1+16], %rd7;\n"
    "done:\n  ret;\n}\n";

#define SYMBOLS(X)                                                                              \
    X(cuInit, (unsigned)) X(cuDeviceGet, (int *, int)) X(cuDeviceGetName, (char *, int, int))   \
    X(cuCtxCreate_v2, (Handle *, unsigned, int)) X(cuCtxSynchronize, (void))                    \
    X(cuCtxSetCurrent, (Handle)) X(cuModuleLoadData, (Handle *, const void *))                  \
    X(cuModuleGetFunction, (Handle *, Handle, const char *))                                    \
    X(cuLaunchKernel, (Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,      \
                       unsigned, Handle, void **, void **))                                     \
    X(cuStreamCreate, (Handle *, unsigned)) X(cuStreamSynchronize, (Handle))                    \
    X(cuEventCreate, (Handle *, unsigned)) X(cuEventRecord, (Handle, Handle))                   \
    X(cuEventQuery, (Handle)) X(cuEventSynchronize, (Handle))                                   \
    X(cuEventElapsedTime, (float *, Handle, Handle)) X(cuMemAlloc_v2, (Address *, size_t))      \
    X(cuMemcpyDtoH_v2, (void *, Address, size_t)) X(cuMemGetInfo_v2, (size_t *, size_t *))      \
    X(cuStreamBeginCapture_v2, (Handle, int)) X(cuStreamEndCapture, (Handle, Handle *))         \
    X(cuThreadExchangeStreamCaptureMode, (int *)) X(cuDriverGetVersion, (int *))

#define DECLARE(name, arguments) static Result(*name) arguments;
SYMBOLS(DECLARE)

static Handle context, stream, nothing, work;
static Address out;

static void must(Result result, const char *what) {
    if (result != 0) {
        fprintf(stderr, "probe: %s answered %d\n", what, result);
        exit(1);
    }
}
#define MUST(call) must(call, #call)

static double now_s(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void load(void) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (library == NULL) {
        fprintf(stderr, "probe: no CUDA driver here: %s\n", dlerror());
        exit(3);
    }
#define FIND(name, arguments)                                                   \
    *(void **)&name = dlsym(library, #name);                                    \
    if (name == NULL) { fprintf(stderr, "probe: no %s\n", #name); exit(3); }
    SYMBOLS(FIND)
}

static void begin(void) {
    int device;
    Handle module;
    load();
    MUST(cuInit(0));
    MUST(cuDeviceGet(&device, 0));
    MUST(cuCtxCreate_v2(&context, 0, device));
    MUST(cuModuleLoadData(&module, PTX));
    MUST(cuModuleGetFunction(&nothing, module, "nothing"));
    MUST(cuModuleGetFunction(&work, module, "work"));
    MUST(cuStreamCreate(&stream, 1));
    MUST(cuMemAlloc_v2(&out, 4096));
}

static void launch_work(uint64_t turns, unsigned blocks) {
    void *arguments[] = {&out, &turns};
    MUST(cuLaunchKernel(work, blocks, 1, 1, 128, 1, 1, 0, stream, arguments, NULL));
}

static uint64_t last_work_ns(void) {
    uint64_t stamps[2];
    MUST(cuStreamSynchronize(stream));
    MUST(cuMemcpyDtoH_v2(stamps, out, sizeof stamps));
    return stamps[1] - stamps[0];
}

// ns of device time per turn of the loop, from one long kernel after a warm-up of the clocks.
static double turn_ns(void) {
    const uint64_t turns = 20000000;
    for (int i = 0; i < 5; i++) launch_work(turns, 132);
    last_work_ns();
    launch_work(turns, 132);
    return (double)last_work_ns() / (double)turns;
}

static void costs(void) {
    enum { LAUNCHES = 200000, EVENTS = 20000 };
    Handle events[2];
    float ms;
    double start;
    begin();
    for (int i = 0; i < 2; i++) MUST(cuEventCreate(&events[i], 0));
    for (int warm = 0; warm < 2; warm++) {
        start = now_s();
        for (int i = 0; i < LAUNCHES; i++)
            MUST(cuLaunchKernel(nothing, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL));
        MUST(cuStreamSynchronize(stream));
    }
    const double launch_ns = 1e9 * (now_s() - start) / LAUNCHES;
    start = now_s();
    for (int i = 0; i < EVENTS; i++) MUST(cuEventRecord(events[i & 1], stream));
    MUST(cuStreamSynchronize(stream));
    const double record_ns = 1e9 * (now_s() - start) / EVENTS;
    MUST(cuEventRecord(events[0], stream));
    MUST(cuEventRecord(events[1], stream));
    MUST(cuEventSynchronize(events[1]));
    start = now_s();
    for (int i = 0; i < EVENTS; i++) MUST(cuEventQuery(events[0]));
    const double query_done_ns = 1e9 * (now_s() - start) / EVENTS;
    start = now_s();
    for (int i = 0; i < EVENTS; i++) MUST(cuEventElapsedTime(&ms, events[0], events[1]));
    const double elapsed_ns = 1e9 * (now_s() - start) / EVENTS;
    launch_work(200000000, 132);
    MUST(cuEventRecord(events[0], stream));
    start = now_s();
    int pending = 0;
    for (int i = 0; i < 2000; i++) pending += cuEventQuery(events[0]) != 0;
    const double query_pending_ns = 1e9 * (now_s() - start) / 2000;
    int mode = 2;
    start = now_s();
    for (int i = 0; i < EVENTS; i++) MUST(cuThreadExchangeStreamCaptureMode(&mode));
    const double exchange_ns = 1e9 * (now_s() - start) / EVENTS;
    MUST(cuStreamSynchronize(stream));
    printf("{\"launch_ns\": %.0f, \"event_record_ns\": %.0f, \"query_done_ns\": %.0f, "
           "\"query_pending_ns\": %.0f, \"pending\": %d, \"elapsed_time_ns\": %.0f, "
           "\"exchange_capture_mode_ns\": %.0f}\n",
           launch_ns, record_ns, query_done_ns, query_pending_ns, pending, elapsed_ns, exchange_ns);
}

// Mean of event pairs around `kernels` kernels each; 0 kernels: an empty pair.
static double pair_ns(uint64_t turns, int kernels, int pairs) {
    Handle first, second;
    double total_ms = 0;
    MUST(cuEventCreate(&first, 0));
    MUST(cuEventCreate(&second, 0));
    for (int i = 0; i < pairs; i++) {
        float ms;
        MUST(cuEventRecord(first, stream));
        for (int k = 0; k < kernels; k++) launch_work(turns, 132);
        MUST(cuEventRecord(second, stream));
        MUST(cuEventSynchronize(second));
        MUST(cuEventElapsedTime(&ms, first, second));
        total_ms += ms;
    }
    return 1e6 * total_ms / pairs;
}

static void events(void) {
    static const double LENGTHS_NS[] = {2e3, 5e3, 10e3, 20e3, 100e3, 1.4e6, 11e6};
    begin();
    const double turn = turn_ns();
    printf("{\"turn_ns\": %.4f, \"empty_pair_ns\": %.0f, \"pairs\": [", turn, pair_ns(0, 0, 2000));
    for (size_t i = 0; i < sizeof LENGTHS_NS / sizeof *LENGTHS_NS; i++) {
        const uint64_t turns = (uint64_t)(LENGTHS_NS[i] / turn);
        const int pairs = LENGTHS_NS[i] > 1e6 ? 50 : 1000;
        double inside = 0;
        for (int k = 0; k < 50; k++) {
            launch_work(turns, 132);
            inside += (double)last_work_ns() / 50;
        }
        printf("%s{\"wanted_ns\": %.0f, \"inside_ns\": %.0f, \"one_ns\": %.0f, \"of_16_ns\": %.0f}",
               i ? ", " : "", LENGTHS_NS[i], inside, pair_ns(turns, 1, pairs),
               pair_ns(turns, 16, pairs / 10) / 16);
    }
    printf("]}\n");
}

static int compare(const void *left, const void *right) {
    const float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

// At most four kernels are outstanding, so that the share is kept however long a kernel is.
static void run(double kernel_ns, double share, double seconds) {
    enum { RING = 4, KEPT = 1 << 20 };
    static float kept_ms[KEPT];
    int kept = 0;
    Handle ring[RING], first[RING];
    begin();
    const char *known = getenv("PROBE_TURN_NS");
    const double turn = known ? atof(known) : turn_ns();
    const uint64_t turns = (uint64_t)(kernel_ns / turn);
    for (int i = 0; i < RING; i++) {
        MUST(cuEventCreate(&ring[i], 0));
        MUST(cuEventCreate(&first[i], 0));
    }
    const double start = now_s();
    double event_ms = 0;
    long launched = 0;
    while (now_s() - start < seconds) {
        const int slot = (int)(launched % RING);
        float ms;
        if (launched >= RING) {
            MUST(cuEventSynchronize(ring[slot]));
            MUST(cuEventElapsedTime(&ms, first[slot], ring[slot]));
            event_ms += ms;
            if (kept < KEPT) kept_ms[kept++] = ms;
        }
        while (share < 1 && launched * kernel_ns * 1e-9 > share * (now_s() - start)) {
        }
        MUST(cuEventRecord(first[slot], stream));
        launch_work(turns, 132);
        MUST(cuEventRecord(ring[slot], stream));
        launched++;
    }
    MUST(cuStreamSynchronize(stream));
    const double wall = now_s() - start;
    printf("{\"turn_ns\": %.4f, \"kernels\": %ld, \"wall_s\": %.4f, \"device_share\": %.4f, "
           "\"event_share\": %.4f, \"event_us\": {",
           turn, launched, wall, launched * kernel_ns * 1e-9 / wall, event_ms * 1e-3 / wall);
    static const int PERCENTS[] = {0, 1, 5, 10, 25, 50, 75, 90, 99};
    qsort(kept_ms, (size_t)kept, sizeof *kept_ms, compare);
    for (size_t i = 0; kept > 0 && i < sizeof PERCENTS / sizeof *PERCENTS; i++)
        printf("%s\"p%d\": %.1f", i ? ", " : "", PERCENTS[i],
               1e3 * kept_ms[(size_t)(kept - 1) * (size_t)PERCENTS[i] / 100]);
    printf("}}\n");
}

static Handle queried;
static int is_relaxed;
static Result query_result;

static void *query(void *unused) {
    int mode = 2;
    MUST(cuCtxSetCurrent(context));
    if (is_relaxed) MUST(cuThreadExchangeStreamCaptureMode(&mode));
    query_result = cuEventQuery(queried);
    if (is_relaxed) MUST(cuThreadExchangeStreamCaptureMode(&mode));
    return unused;
}

static void capture(void) {
    Handle other;
    begin();
    MUST(cuStreamCreate(&other, 1));
    MUST(cuEventCreate(&queried, 0));
    printf("{");
    for (is_relaxed = 0; is_relaxed < 2; is_relaxed++) {
        pthread_t thread;
        Handle graph = NULL;
        MUST(cuEventRecord(queried, other));
        MUST(cuStreamSynchronize(other));
        MUST(cuStreamBeginCapture_v2(stream, 0));
        pthread_create(&thread, NULL, query, NULL);
        pthread_join(thread, NULL);
        const Result launched =
            cuLaunchKernel(nothing, 1, 1, 1, 32, 1, 1, 0, stream, NULL, NULL);
        const Result ended = cuStreamEndCapture(stream, &graph);
        printf("%s\"%s\": {\"query\": %d, \"launch\": %d, \"end_capture\": %d}",
               is_relaxed ? ", " : "", is_relaxed ? "relaxed" : "plain", query_result, launched,
               ended);
    }
    printf("}\n");
}

static void context_bytes(void) {
    int device, version;
    char name[128];
    size_t free_bytes, total_bytes;
    begin();
    MUST(cuDeviceGet(&device, 0));
    MUST(cuDeviceGetName(name, sizeof name, device));
    MUST(cuDriverGetVersion(&version));
    MUST(cuMemGetInfo_v2(&free_bytes, &total_bytes));
    printf("{\"name\": \"%s\", \"cuda\": %d, \"total_bytes\": %zu, \"free_bytes\": %zu}\n", name,
           version, total_bytes, free_bytes);
    fflush(stdout);
    getchar();  // the reader looks at NVML meanwhile
}

int main(int count, char **words) {
    const char *mode = count > 1 ? words[1] : "";
    if (!strcmp(mode, "costs")) costs();
    else if (!strcmp(mode, "events")) events();
    else if (!strcmp(mode, "run") && count == 5) run(atof(words[2]), atof(words[3]), atof(words[4]));
    else if (!strcmp(mode, "capture")) capture();
    else if (!strcmp(mode, "context")) context_bytes();
    else {
        fprintf(stderr, "usage: probe costs|events|capture|context | run NS SHARE SECONDS\n");
        return 2;
    }
    return 0;
}
