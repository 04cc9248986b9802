// The event hooks of HTTP filters that Envoy calls, with what Go needs gathered in one call.
#include "http.h"
#include <stdio.h>
#include <stdlib.h>

// The exported Go functions (http.go).
extern dgm_handle dgmHTTPConfigNew(dgm_envoy, dgm_buffer name, dgm_buffer config);
extern void dgmHTTPConfigDestroy(dgm_handle);
extern int dgmHTTPBegin(dgm_handle config, dgm_envoy, dgm_header*, size_t n, bool end, dgm_handle* made);
extern int dgmHTTPHeaders(dgm_handle, int type, dgm_header*, size_t n, bool end);
extern int dgmHTTPBody(dgm_handle, int type, dgm_buffer* chunks, size_t n, bool end);
extern void dgmHTTPScheduled(dgm_handle);
extern void dgmHTTPDestroy(dgm_handle);

#define STACK_HEADERS 64
#define STACK_CHUNKS 32

// A stream as Envoy has it. Crossing into Go costs more than what is done there for a small request, so the Go
// side of a stream is made with its first head, not before.
typedef struct {
  dgm_handle config;
  dgm_handle stream; // 0 before the head
} lazy;

#define STREAM(h) (((lazy*)(h))->stream)

enum { CONTINUE, STOP };

static int on_headers(dgm_envoy f, dgm_handle h, int type, bool end) {
  // Without a request's head there is nothing of the target: it is an answer of Envoy itself.
  if (STREAM(h) == 0 && type != DGM_REQUEST_HEADERS) return type == DGM_REQUEST_TRAILERS ? STOP : CONTINUE;
  dgm_header local[STACK_HEADERS];
  dgm_header* list = local;
  size_t n = DGM_CB(http_get_headers_size)(f, type);
  if (n > STACK_HEADERS) {
    list = malloc(n * sizeof *list);
    if (list == 0) abort();
  }
  if (n > 0 && !DGM_CB(http_get_headers)(f, type, list)) n = 0;
  int status = STREAM(h) == 0 ? dgmHTTPBegin(((lazy*)h)->config, f, list, n, end, &STREAM(h))
                              : dgmHTTPHeaders(STREAM(h), type, list, n, end);
  if (list != local) free(list);
  return status;
}

static int on_body(dgm_envoy f, dgm_handle h, int type, bool end) {
  if (STREAM(h) == 0) return type == DGM_REQUEST_BODY ? 3 /* stop, keep nothing */ : CONTINUE;
  dgm_buffer local[STACK_CHUNKS];
  dgm_buffer* chunks = local;
  size_t n = DGM_CB(http_get_body_chunks_size)(f, type);
  if (n > STACK_CHUNKS) {
    chunks = malloc(n * sizeof *chunks);
    if (chunks == 0) abort();
  }
  if (n > 0 && !DGM_CB(http_get_body_chunks)(f, type, chunks)) n = 0;
  int status = dgmHTTPBody(STREAM(h), type, chunks, n, end);
  if (chunks != local) free(chunks);
  return status;
}

dgm_handle envoy_dynamic_module_on_http_filter_config_new(dgm_envoy c, dgm_buffer name, dgm_buffer config) {
  const char* missing = dgm_http_missing();
  if (missing != 0) {
    fprintf(stderr, "dragoman: this Envoy lacks envoy_dynamic_module_callback_%s\n", missing);
    return 0;
  }
  return dgmHTTPConfigNew(c, name, config);
}

void envoy_dynamic_module_on_http_filter_config_destroy(dgm_handle h) { dgmHTTPConfigDestroy(h); }

// A route has no config of ours: 0 rejects it.
dgm_handle envoy_dynamic_module_on_http_filter_per_route_config_new(dgm_buffer name, dgm_buffer config) {
  (void)name, (void)config;
  return 0;
}
void envoy_dynamic_module_on_http_filter_per_route_config_destroy(dgm_handle h) { (void)h; }

dgm_handle envoy_dynamic_module_on_http_filter_new(dgm_handle config, dgm_envoy f) {
  (void)f;
  lazy* l = calloc(1, sizeof *l);
  if (l == 0) abort();
  l->config = config;
  return (dgm_handle)l;
}

int envoy_dynamic_module_on_http_filter_request_headers(dgm_envoy f, dgm_handle h, bool end) {
  return on_headers(f, h, DGM_REQUEST_HEADERS, end);
}
int envoy_dynamic_module_on_http_filter_request_body(dgm_envoy f, dgm_handle h, bool end) {
  return on_body(f, h, DGM_REQUEST_BODY, end);
}
int envoy_dynamic_module_on_http_filter_request_trailers(dgm_envoy f, dgm_handle h) {
  return on_headers(f, h, DGM_REQUEST_TRAILERS, true);
}
int envoy_dynamic_module_on_http_filter_response_headers(dgm_envoy f, dgm_handle h, bool end) {
  return on_headers(f, h, DGM_RESPONSE_HEADERS, end);
}
int envoy_dynamic_module_on_http_filter_response_body(dgm_envoy f, dgm_handle h, bool end) {
  return on_body(f, h, DGM_RESPONSE_BODY, end);
}
int envoy_dynamic_module_on_http_filter_response_trailers(dgm_envoy f, dgm_handle h) {
  return on_headers(f, h, DGM_RESPONSE_TRAILERS, true);
}

void envoy_dynamic_module_on_http_filter_stream_complete(dgm_envoy f, dgm_handle h) {
  (void)f, (void)h; // destroy follows, and tells the filter both
}
void envoy_dynamic_module_on_http_filter_destroy(dgm_handle h) {
  if (STREAM(h) != 0) dgmHTTPDestroy(STREAM(h));
  free((lazy*)h);
}
void envoy_dynamic_module_on_http_filter_scheduled(dgm_envoy f, dgm_handle h, uint64_t event) {
  (void)f, (void)event;
  if (STREAM(h) != 0) dgmHTTPScheduled(STREAM(h));
}

// Envoy paces the two sides itself.
void envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(dgm_envoy f, dgm_handle h) {
  (void)f, (void)h;
}
void envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(dgm_envoy f, dgm_handle h) {
  (void)f, (void)h;
}

int envoy_dynamic_module_on_http_filter_local_reply(dgm_envoy f, dgm_handle h, uint32_t code, dgm_buffer details,
                                                    bool reset) {
  (void)f, (void)h, (void)code, (void)details, (void)reset;
  return 0; // send it
}

// We make no callouts; Envoy refuses a module without these.
void envoy_dynamic_module_on_http_filter_http_callout_done(dgm_envoy f, dgm_handle h, uint64_t id, int result,
                                                           dgm_header* l, size_t n, dgm_buffer* b, size_t bn) {
  (void)f, (void)h, (void)id, (void)result, (void)l, (void)n, (void)b, (void)bn;
}
void envoy_dynamic_module_on_http_filter_http_stream_headers(dgm_envoy f, dgm_handle h, uint64_t id, dgm_header* l,
                                                             size_t n, bool end) {
  (void)f, (void)h, (void)id, (void)l, (void)n, (void)end;
}
void envoy_dynamic_module_on_http_filter_http_stream_data(dgm_envoy f, dgm_handle h, uint64_t id,
                                                          const dgm_buffer* b, size_t n, bool end) {
  (void)f, (void)h, (void)id, (void)b, (void)n, (void)end;
}
void envoy_dynamic_module_on_http_filter_http_stream_trailers(dgm_envoy f, dgm_handle h, uint64_t id, dgm_header* l,
                                                              size_t n) {
  (void)f, (void)h, (void)id, (void)l, (void)n;
}
void envoy_dynamic_module_on_http_filter_http_stream_complete(dgm_envoy f, dgm_handle h, uint64_t id) {
  (void)f, (void)h, (void)id;
}
void envoy_dynamic_module_on_http_filter_http_stream_reset(dgm_envoy f, dgm_handle h, uint64_t id, int reason) {
  (void)f, (void)h, (void)id, (void)reason;
}
