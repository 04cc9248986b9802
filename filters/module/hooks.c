// The event hooks that Envoy calls. They gather what Go needs in one call and
// do the draining afterwards, so that one event costs one crossing into Go.
#include "abi.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

// The exported Go functions (network.go, listener.go).
extern dgm_handle dgmNetworkConfigNew(dgm_envoy, dgm_buffer name, dgm_buffer config);
extern void dgmNetworkConfigDestroy(dgm_handle);
extern dgm_handle dgmNetworkNew(dgm_handle config, dgm_envoy);
extern void dgmNetworkConnection(dgm_handle);
extern int dgmNetworkRead(dgm_handle, dgm_buffer* chunks, size_t n, bool end);
extern void dgmNetworkSettle(dgm_handle);
extern void dgmNetworkWrite(dgm_handle, dgm_buffer* chunks, size_t n, bool end);
extern void dgmNetworkEvent(dgm_handle, int event);
extern void dgmNetworkScheduled(dgm_handle);
extern void dgmNetworkWatermark(dgm_handle, bool high);
extern void dgmNetworkDestroy(dgm_handle);
extern dgm_handle dgmListenerConfigNew(dgm_envoy, dgm_buffer name, dgm_buffer config);
extern void dgmListenerConfigDestroy(dgm_handle);
extern dgm_handle dgmListenerNew(dgm_handle config, dgm_envoy);
extern int dgmListenerAccept(dgm_handle);
extern int dgmListenerData(dgm_handle, dgm_buffer peeked);
extern size_t dgmListenerMaxPeek(dgm_handle);
extern void dgmListenerDestroy(dgm_handle);

enum { CONTINUE, STOP };

// A read of Envoy is at most a few slices of 16 KiB; more are rare.
#define STACK_CHUNKS 32

typedef size_t (*chunk_counter)(dgm_envoy);
typedef bool (*chunk_getter)(dgm_envoy, dgm_buffer*);

// gather fills chunks with the buffer's slices: in local when they fit, else in
// memory to be freed. It returns null when there are none.
static dgm_buffer* gather(dgm_envoy f, dgm_buffer* local, size_t* n, chunk_counter count,
                          chunk_getter get) {
  *n = count(f);
  if (*n == 0) return 0;
  dgm_buffer* chunks = local;
  if (*n > STACK_CHUNKS) {
    chunks = malloc(*n * sizeof *chunks);
    if (chunks == 0) abort(); // as Envoy does when memory is out
  }
  if (!get(f, chunks)) *n = 0;
  return chunks;
}

// Go's sysmon thread sleeps 20 µs at a time, 50 times in a row, whenever it has taken a P back from a
// thread that is in C: here it does so every 10 ms or so, because Envoy's workers come back to their Ps without
// passing the scheduler. That was a tenth of Envoy's CPU. With some timer slack the kernel
// lets these sleeps end together with other timers. Threads inherit the slack of the one that makes them, so it is set
// before Go's own constructor starts the runtime, and taken back for Envoy's threads when
// the module has been loaded. All that it costs is that Go's timers may be late by as much.
enum { SLACK_NS = 2 * 1000 * 1000 };
static int usual_slack = -1;

__attribute__((constructor(101))) static void slacken(void) {
  usual_slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
  if (usual_slack > 0) prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0);
}

static void tauten(void) {
  if (usual_slack > 0) prctl(PR_SET_TIMERSLACK, usual_slack, 0, 0, 0);
}

const char* envoy_dynamic_module_on_program_init(void) {
  tauten();
  const char* missing = dgm_missing();
  if (missing != 0) {
    fprintf(stderr, "dragoman: this Envoy lacks envoy_dynamic_module_callback_%s\n", missing);
    return 0;
  }
  return DGM_ABI_VERSION;
}

dgm_handle envoy_dynamic_module_on_network_filter_config_new(dgm_envoy c, dgm_buffer name,
                                                             dgm_buffer config) {
  return dgmNetworkConfigNew(c, name, config);
}

void envoy_dynamic_module_on_network_filter_config_destroy(dgm_handle h) {
  dgmNetworkConfigDestroy(h);
}

dgm_handle envoy_dynamic_module_on_network_filter_new(dgm_handle config, dgm_envoy f) {
  return dgmNetworkNew(config, f);
}

// The filters behind run only when the filter says so (continue_reading).
int envoy_dynamic_module_on_network_filter_new_connection(dgm_envoy f, dgm_handle h) {
  (void)f;
  dgmNetworkConnection(h);
  return STOP;
}

int envoy_dynamic_module_on_network_filter_read(dgm_envoy f, dgm_handle h, size_t length,
                                                bool end) {
  dgm_buffer local[STACK_CHUNKS];
  size_t n;
  dgm_buffer* chunks = gather(f, local, &n, DGM_CB(network_filter_get_read_buffer_chunks_size),
                              DGM_CB(network_filter_get_read_buffer_chunks));
  int settle = dgmNetworkRead(h, chunks, n, end);
  if (chunks != local) free(chunks);
  // Drained before anything else may run: no filter behind ever sees these bytes.
  if (length > 0) DGM_CB(network_filter_drain_read_buffer)(f, length);
  if (settle) dgmNetworkSettle(h);
  return STOP;
}

int envoy_dynamic_module_on_network_filter_write(dgm_envoy f, dgm_handle h, size_t length,
                                                 bool end) {
  dgm_buffer local[STACK_CHUNKS];
  size_t n;
  dgm_buffer* chunks = gather(f, local, &n, DGM_CB(network_filter_get_write_buffer_chunks_size),
                              DGM_CB(network_filter_get_write_buffer_chunks));
  dgmNetworkWrite(h, chunks, n, end);
  if (chunks != local) free(chunks);
  if (length > 0) DGM_CB(network_filter_drain_write_buffer)(f, length);
  return STOP;
}

void envoy_dynamic_module_on_network_filter_event(dgm_envoy f, dgm_handle h, int event) {
  (void)f;
  dgmNetworkEvent(h, event);
}

void envoy_dynamic_module_on_network_filter_scheduled(dgm_envoy f, dgm_handle h, uint64_t event) {
  (void)f, (void)event;
  dgmNetworkScheduled(h);
}

void envoy_dynamic_module_on_network_filter_above_write_buffer_high_watermark(dgm_envoy f,
                                                                              dgm_handle h) {
  (void)f;
  dgmNetworkWatermark(h, true);
}

void envoy_dynamic_module_on_network_filter_below_write_buffer_low_watermark(dgm_envoy f,
                                                                             dgm_handle h) {
  (void)f;
  dgmNetworkWatermark(h, false);
}

void envoy_dynamic_module_on_network_filter_destroy(dgm_handle h) { dgmNetworkDestroy(h); }

dgm_handle envoy_dynamic_module_on_listener_filter_config_new(dgm_envoy c, dgm_buffer name,
                                                              dgm_buffer config) {
  return dgmListenerConfigNew(c, name, config);
}

void envoy_dynamic_module_on_listener_filter_config_destroy(dgm_handle h) {
  dgmListenerConfigDestroy(h);
}

dgm_handle envoy_dynamic_module_on_listener_filter_new(dgm_handle config, dgm_envoy f) {
  return dgmListenerNew(config, f);
}

int envoy_dynamic_module_on_listener_filter_on_accept(dgm_envoy f, dgm_handle h) {
  (void)f;
  return dgmListenerAccept(h);
}

int envoy_dynamic_module_on_listener_filter_on_data(dgm_envoy f, dgm_handle h, size_t length) {
  (void)length;
  dgm_buffer peeked = {0, 0};
  DGM_CB(listener_filter_get_buffer_chunk)(f, &peeked);
  return dgmListenerData(h, peeked);
}

void envoy_dynamic_module_on_listener_filter_on_close(dgm_envoy f, dgm_handle h) {
  (void)f, (void)h; // on_destroy follows
}

// Never scheduled, nor is there a callout; Envoy refuses a module without some of these.
void envoy_dynamic_module_on_listener_filter_scheduled(dgm_envoy f, dgm_handle h, uint64_t event) {
  (void)f, (void)h, (void)event;
}

void envoy_dynamic_module_on_listener_filter_config_scheduled(dgm_envoy f, dgm_handle h,
                                                              uint64_t event) {
  (void)f, (void)h, (void)event;
}

void envoy_dynamic_module_on_listener_filter_http_callout_done(dgm_envoy f, dgm_handle h,
                                                               uint64_t callout, int result,
                                                               void* headers, size_t headers_size,
                                                               dgm_buffer* chunks,
                                                               size_t chunks_size) {
  (void)f, (void)h, (void)callout, (void)result, (void)headers, (void)headers_size, (void)chunks,
      (void)chunks_size;
}

size_t envoy_dynamic_module_on_listener_filter_get_max_read_bytes(dgm_envoy f, dgm_handle h) {
  (void)f;
  return dgmListenerMaxPeek(h);
}

void envoy_dynamic_module_on_listener_filter_destroy(dgm_handle h) { dgmListenerDestroy(h); }
