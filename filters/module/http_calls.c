// Calls from Go into Envoy for HTTP filters.
#include "http.h"
#include <stdlib.h>

#define BUF(p, n) ((dgm_buffer){(const char*)(p), (n)})

#define REQUIRE(name) \
  if (DGM_CB(name) == 0) return #name

const char* dgm_http_missing(void) {
  REQUIRE(http_get_headers_size);
  REQUIRE(http_get_headers);
  REQUIRE(http_add_header);
  REQUIRE(http_set_header);
  REQUIRE(http_send_response);
  REQUIRE(http_send_response_headers);
  REQUIRE(http_get_body_chunks_size);
  REQUIRE(http_get_body_chunks);
  REQUIRE(http_append_body);
  REQUIRE(http_drain_body);
  REQUIRE(http_filter_scheduler_new);
  REQUIRE(http_filter_scheduler_commit);
  REQUIRE(http_filter_scheduler_delete);
  REQUIRE(http_filter_get_attribute_string);
  REQUIRE(http_filter_get_attribute_int);
  REQUIRE(http_filter_get_attribute_bool);
  REQUIRE(http_filter_continue_decoding);
  REQUIRE(http_filter_continue_encoding);
  REQUIRE(http_set_buffer_limit);
  REQUIRE(http_filter_reset_stream);
  return 0;
}

bool dgm_http_set(dgm_envoy f, int type, const void* k, size_t kn, const void* v, size_t vn) {
  return DGM_CB(http_set_header)(f, type, BUF(k, kn), BUF(v, vn));
}

bool dgm_http_add(dgm_envoy f, int type, const void* k, size_t kn, const void* v, size_t vn) {
  return DGM_CB(http_add_header)(f, type, BUF(k, kn), BUF(v, vn));
}

static dgm_header* headers(const char* text, const size_t* lengths, size_t n) {
  dgm_header* list = malloc((n + 1) * sizeof *list);
  if (list == 0) abort(); // as Envoy does when memory is out
  for (size_t i = 0; i < n; i++) {
    list[i].key = text, list[i].key_length = lengths[2 * i];
    text += lengths[2 * i];
    list[i].value = text, list[i].value_length = lengths[2 * i + 1];
    text += lengths[2 * i + 1];
  }
  return list;
}

void dgm_http_reply(dgm_envoy f, uint32_t status, const char* text, const size_t* lengths, size_t n,
                    const void* body, size_t bn, const void* details, size_t dn) {
  dgm_header* list = headers(text, lengths, n);
  DGM_CB(http_send_response)(f, status, list, n, BUF(body, bn), BUF(details, dn));
  free(list);
}

void dgm_http_head(dgm_envoy f, const char* text, const size_t* lengths, size_t n, bool end) {
  dgm_header* list = headers(text, lengths, n);
  DGM_CB(http_send_response_headers)(f, list, n, end);
  free(list);
}

// The new bytes may be part of the old ones, so these go last.
bool dgm_http_replace(dgm_envoy f, int type, size_t old, const void* p, size_t n) {
  if (n > 0 && !DGM_CB(http_append_body)(f, type, BUF(p, n))) return false;
  return old == 0 || DGM_CB(http_drain_body)(f, type, old);
}

dgm_envoy dgm_http_scheduler_new(dgm_envoy f) { return DGM_CB(http_filter_scheduler_new)(f); }
void dgm_http_scheduler_commit(dgm_envoy s) { DGM_CB(http_filter_scheduler_commit)(s, 0); }
void dgm_http_scheduler_delete(dgm_envoy s) { DGM_CB(http_filter_scheduler_delete)(s); }

void dgm_http_clear_route(dgm_envoy f) {
  if (DGM_CB(http_clear_route_cache)) DGM_CB(http_clear_route_cache)(f);
}

bool dgm_http_attribute(dgm_envoy f, int id, dgm_buffer* out) {
  return DGM_CB(http_filter_get_attribute_string)(f, id, out);
}

bool dgm_http_attribute_int(dgm_envoy f, int id, uint64_t* out) {
  return DGM_CB(http_filter_get_attribute_int)(f, id, out);
}

bool dgm_http_attribute_bool(dgm_envoy f, int id) {
  bool out = false;
  return DGM_CB(http_filter_get_attribute_bool)(f, id, &out) && out;
}

void dgm_http_continue(dgm_envoy f, bool response) {
  if (response)
    DGM_CB(http_filter_continue_encoding)(f);
  else
    DGM_CB(http_filter_continue_decoding)(f);
}

uint32_t dgm_http_worker(dgm_envoy f) {
  return DGM_CB(http_filter_get_worker_index) ? DGM_CB(http_filter_get_worker_index)(f) : 0;
}

void dgm_http_buffer_limit(dgm_envoy f, uint64_t n) { DGM_CB(http_set_buffer_limit)(f, n); }

bool dgm_http_cluster(dgm_envoy f, dgm_buffer* out) {
  return DGM_CB(http_get_cluster_name) && DGM_CB(http_get_cluster_name)(f, out);
}

bool dgm_http_override_host(dgm_envoy f, const void* p, size_t n, bool strict) {
  return DGM_CB(http_set_upstream_override_host) &&
         DGM_CB(http_set_upstream_override_host)(f, BUF(p, n), strict);
}

void dgm_http_reset(dgm_envoy f, const void* p, size_t n) {
  DGM_CB(http_filter_reset_stream)(f, 0, BUF(p, n));
}

bool dgm_http_counter(dgm_envoy config, const void* p, size_t n, size_t* id) {
  return DGM_CB(http_filter_config_define_counter) &&
         DGM_CB(http_filter_config_define_counter)(config, BUF(p, n), 0, 0, id) == 0;
}

void dgm_http_count(dgm_envoy f, size_t id) {
  if (DGM_CB(http_filter_increment_counter)) DGM_CB(http_filter_increment_counter)(f, id, 0, 0, 1);
}

dgm_envoy dgm_http_span(dgm_envoy f) {
  if (!DGM_CB(http_get_active_span) || !DGM_CB(http_span_get_trace_id) || !DGM_CB(http_span_get_span_id) ||
      !DGM_CB(http_span_set_tag) || !DGM_CB(http_span_set_operation))
    return 0;
  return DGM_CB(http_get_active_span)(f);
}

bool dgm_http_span_id(dgm_envoy span, bool trace, dgm_buffer* out) {
  return trace ? DGM_CB(http_span_get_trace_id)(span, out) : DGM_CB(http_span_get_span_id)(span, out);
}

void dgm_http_span_tag(dgm_envoy span, const void* k, size_t kn, const void* v, size_t vn) {
  if (kn == 0)
    DGM_CB(http_span_set_operation)(span, BUF(v, vn));
  else
    DGM_CB(http_span_set_tag)(span, BUF(k, kn), BUF(v, vn));
}
