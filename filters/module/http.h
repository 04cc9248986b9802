// The part of Envoy's dynamic modules ABI that is about HTTP filters, as abi.h declares the rest.
#ifndef DRAGOMAN_HTTP_H
#define DRAGOMAN_HTTP_H

#include "abi.h"

// envoy_http_header and module_http_header have the same layout.
typedef struct {
  const char* key;
  size_t key_length;
  const char* value;
  size_t value_length;
} dgm_header;

// envoy_dynamic_module_type_http_header_type
enum { DGM_REQUEST_HEADERS, DGM_REQUEST_TRAILERS, DGM_RESPONSE_HEADERS, DGM_RESPONSE_TRAILERS };

// envoy_dynamic_module_type_http_body_type
enum { DGM_REQUEST_BODY, DGM_REQUEST_BUFFERED, DGM_RESPONSE_BODY, DGM_RESPONSE_BUFFERED };

// envoy_dynamic_module_type_attribute_id, as in abi.h
enum {
  DGM_ATTR_REQUEST_ID = 9,
  DGM_ATTR_REQUEST_PROTOCOL = 10,
  DGM_ATTR_RESPONSE_CODE = 15,
  DGM_ATTR_RESPONSE_CODE_DETAILS = 16,
  DGM_ATTR_SOURCE_ADDRESS = 24,
  DGM_ATTR_DESTINATION_ADDRESS = 26,
  DGM_ATTR_CONNECTION_MTLS = 29,
  DGM_ATTR_SERVER_NAME = 30,
  DGM_ATTR_TLS_VERSION = 31,
  DGM_ATTR_PEER_SUBJECT = 33,
  DGM_ATTR_PEER_DNS_SAN = 35,
  DGM_ATTR_PEER_URI_SAN = 37,
  DGM_ATTR_PEER_SHA256 = 38,
  DGM_ATTR_UPSTREAM_ADDRESS = 41,
};

size_t DGM_CB(http_get_headers_size)(dgm_envoy, int type) DGM_WEAK;
bool DGM_CB(http_get_headers)(dgm_envoy, int type, dgm_header*) DGM_WEAK;
bool DGM_CB(http_add_header)(dgm_envoy, int type, dgm_buffer key, dgm_buffer value) DGM_WEAK;
bool DGM_CB(http_set_header)(dgm_envoy, int type, dgm_buffer key, dgm_buffer value) DGM_WEAK;
void DGM_CB(http_send_response)(dgm_envoy, uint32_t status, dgm_header*, size_t n, dgm_buffer body,
                                dgm_buffer details) DGM_WEAK;
void DGM_CB(http_send_response_headers)(dgm_envoy, dgm_header*, size_t n, bool end) DGM_WEAK;
size_t DGM_CB(http_get_body_chunks_size)(dgm_envoy, int type) DGM_WEAK;
bool DGM_CB(http_get_body_chunks)(dgm_envoy, int type, dgm_buffer*) DGM_WEAK;
bool DGM_CB(http_append_body)(dgm_envoy, int type, dgm_buffer) DGM_WEAK;
bool DGM_CB(http_drain_body)(dgm_envoy, int type, size_t) DGM_WEAK;
dgm_envoy DGM_CB(http_filter_scheduler_new)(dgm_envoy) DGM_WEAK;
void DGM_CB(http_filter_scheduler_commit)(dgm_envoy, uint64_t event) DGM_WEAK;
void DGM_CB(http_filter_scheduler_delete)(dgm_envoy) DGM_WEAK;
void DGM_CB(http_clear_route_cache)(dgm_envoy) DGM_WEAK;
bool DGM_CB(http_filter_get_attribute_string)(dgm_envoy, int id, dgm_buffer*) DGM_WEAK;
bool DGM_CB(http_filter_get_attribute_int)(dgm_envoy, int id, uint64_t*) DGM_WEAK;
bool DGM_CB(http_filter_get_attribute_bool)(dgm_envoy, int id, bool*) DGM_WEAK;
void DGM_CB(http_filter_continue_decoding)(dgm_envoy) DGM_WEAK;
void DGM_CB(http_filter_continue_encoding)(dgm_envoy) DGM_WEAK;
uint32_t DGM_CB(http_filter_get_worker_index)(dgm_envoy) DGM_WEAK;
void DGM_CB(http_set_buffer_limit)(dgm_envoy, uint64_t) DGM_WEAK;
bool DGM_CB(http_get_cluster_name)(dgm_envoy, dgm_buffer*) DGM_WEAK;
bool DGM_CB(http_set_upstream_override_host)(dgm_envoy, dgm_buffer host, bool strict) DGM_WEAK;
void DGM_CB(http_filter_reset_stream)(dgm_envoy, int reason, dgm_buffer details) DGM_WEAK;
int DGM_CB(http_filter_config_define_counter)(dgm_envoy, dgm_buffer name, dgm_buffer* labels, size_t n,
                                              size_t* id) DGM_WEAK;
int DGM_CB(http_filter_increment_counter)(dgm_envoy, size_t id, dgm_buffer* labels, size_t n,
                                          uint64_t by) DGM_WEAK;
dgm_envoy DGM_CB(http_get_active_span)(dgm_envoy) DGM_WEAK;
bool DGM_CB(http_span_get_trace_id)(dgm_envoy span, dgm_buffer*) DGM_WEAK;
bool DGM_CB(http_span_get_span_id)(dgm_envoy span, dgm_buffer*) DGM_WEAK;
void DGM_CB(http_span_set_tag)(dgm_envoy span, dgm_buffer key, dgm_buffer value) DGM_WEAK;
void DGM_CB(http_span_set_operation)(dgm_envoy span, dgm_buffer) DGM_WEAK;

// What Go calls (http_calls.c).

// The name of a callback without which HTTP filters cannot work, or null.
const char* dgm_http_missing(void);
// A null value removes.
bool dgm_http_set(dgm_envoy, int type, const void* k, size_t kn, const void* v, size_t vn);
bool dgm_http_add(dgm_envoy, int type, const void* k, size_t kn, const void* v, size_t vn);
// Headers lie one after the other in text, as key, value, key …; lengths has their lengths.
void dgm_http_reply(dgm_envoy, uint32_t status, const char* text, const size_t* lengths, size_t n,
                    const void* body, size_t bn, const void* details, size_t dn);
void dgm_http_head(dgm_envoy, const char* text, const size_t* lengths, size_t n, bool end);
// Puts p in the place of the first old bytes.
bool dgm_http_replace(dgm_envoy, int type, size_t old, const void* p, size_t n);
dgm_envoy dgm_http_scheduler_new(dgm_envoy);
void dgm_http_scheduler_commit(dgm_envoy);
void dgm_http_scheduler_delete(dgm_envoy);
void dgm_http_clear_route(dgm_envoy);
bool dgm_http_attribute(dgm_envoy, int id, dgm_buffer* out);
bool dgm_http_attribute_int(dgm_envoy, int id, uint64_t* out);
bool dgm_http_attribute_bool(dgm_envoy, int id);
void dgm_http_continue(dgm_envoy, bool response);
uint32_t dgm_http_worker(dgm_envoy);
void dgm_http_buffer_limit(dgm_envoy, uint64_t);
bool dgm_http_cluster(dgm_envoy, dgm_buffer* out);
bool dgm_http_override_host(dgm_envoy, const void* p, size_t n, bool strict);
void dgm_http_reset(dgm_envoy, const void* p, size_t n);
bool dgm_http_counter(dgm_envoy config, const void* p, size_t n, size_t* id);
void dgm_http_count(dgm_envoy, size_t id);
// The span of the request, or 0: it is not traced, or this Envoy cannot tell.
dgm_envoy dgm_http_span(dgm_envoy);
// What they point to is valid until the next of these calls on this thread.
bool dgm_http_span_id(dgm_envoy span, bool trace, dgm_buffer* out);
// Sets an attribute, or the span's name when there is no key.
void dgm_http_span_tag(dgm_envoy span, const void* k, size_t kn, const void* v, size_t vn);

#endif
