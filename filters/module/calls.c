// Calls from Go into Envoy.
#include "abi.h"

#define BUF(p, n) ((dgm_buffer){(const char*)(p), (n)})

#define REQUIRE(name) \
  if (DGM_CB(name) == 0) return #name

// dgm_missing returns the name of a callback that this Envoy lacks and without
// which the module cannot work, or null.
const char* dgm_missing(void) {
  REQUIRE(log);
  REQUIRE(network_filter_get_read_buffer_chunks_size);
  REQUIRE(network_filter_get_read_buffer_chunks);
  REQUIRE(network_filter_drain_read_buffer);
  REQUIRE(network_filter_get_write_buffer_chunks_size);
  REQUIRE(network_filter_get_write_buffer_chunks);
  REQUIRE(network_filter_drain_write_buffer);
  REQUIRE(network_filter_inject_read_data);
  REQUIRE(network_filter_inject_write_data);
  REQUIRE(network_filter_continue_reading);
  REQUIRE(network_filter_close_with_details);
  REQUIRE(network_filter_get_connection_id);
  REQUIRE(network_filter_get_connection_state);
  REQUIRE(network_filter_read_disable);
  REQUIRE(network_filter_read_enabled);
  REQUIRE(network_filter_enable_half_close);
  REQUIRE(network_filter_get_remote_address);
  REQUIRE(network_filter_get_local_address);
  REQUIRE(network_filter_get_upstream_host_address);
  REQUIRE(network_filter_has_upstream_host);
  REQUIRE(network_filter_start_upstream_secure_transport);
  REQUIRE(network_set_filter_state_typed);
  REQUIRE(network_filter_is_ssl);
  REQUIRE(network_filter_get_requested_server_name);
  REQUIRE(network_filter_get_ssl_uri_sans_size);
  REQUIRE(network_filter_get_ssl_uri_sans);
  REQUIRE(network_filter_get_ssl_dns_sans_size);
  REQUIRE(network_filter_get_ssl_dns_sans);
  REQUIRE(network_filter_get_ssl_subject);
  REQUIRE(network_filter_scheduler_new);
  REQUIRE(network_filter_scheduler_commit);
  REQUIRE(network_filter_scheduler_delete);
  REQUIRE(listener_filter_get_buffer_chunk);
  REQUIRE(listener_filter_drain_buffer);
  REQUIRE(listener_filter_write_to_socket);
  REQUIRE(listener_filter_close_socket);
  return 0;
}

void dgm_log(int level, const void* p, size_t n) {
  if (DGM_CB(log)) DGM_CB(log)(level, BUF(p, n));
}

bool dgm_log_enabled(int level) {
  return DGM_CB(log_enabled) && DGM_CB(log_enabled)(level);
}

void dgm_inject_read(dgm_envoy f, const void* p, size_t n, bool end) {
  DGM_CB(network_filter_inject_read_data)(f, BUF(p, n), end);
}

void dgm_inject_write(dgm_envoy f, const void* p, size_t n, bool end) {
  DGM_CB(network_filter_inject_write_data)(f, BUF(p, n), end);
}

void dgm_continue_reading(dgm_envoy f) { DGM_CB(network_filter_continue_reading)(f); }

void dgm_close(dgm_envoy f, int type, const void* p, size_t n) {
  DGM_CB(network_filter_close_with_details)(f, type, BUF(p, n));
}

bool dgm_is_open(dgm_envoy f) { return DGM_CB(network_filter_get_connection_state)(f) == 0; }

void dgm_read_disable(dgm_envoy f, bool disable) { DGM_CB(network_filter_read_disable)(f, disable); }

bool dgm_read_enabled(dgm_envoy f) { return DGM_CB(network_filter_read_enabled)(f); }

void dgm_enable_half_close(dgm_envoy f, bool enabled) {
  DGM_CB(network_filter_enable_half_close)(f, enabled);
}

uint64_t dgm_connection_id(dgm_envoy f) { return DGM_CB(network_filter_get_connection_id)(f); }

uint32_t dgm_worker_index(dgm_envoy f) {
  return DGM_CB(network_filter_get_worker_index) ? DGM_CB(network_filter_get_worker_index)(f) : 0;
}

bool dgm_address(dgm_envoy f, int which, dgm_buffer* out, uint32_t* port) {
  switch (which) {
  case DGM_ADDR_REMOTE:
    return DGM_CB(network_filter_get_remote_address)(f, out, port);
  case DGM_ADDR_LOCAL:
    return DGM_CB(network_filter_get_local_address)(f, out, port);
  default:
    return DGM_CB(network_filter_get_upstream_host_address)(f, out, port);
  }
}

bool dgm_has_upstream_host(dgm_envoy f) { return DGM_CB(network_filter_has_upstream_host)(f); }

bool dgm_upstream_cluster(dgm_envoy f, dgm_buffer* out) {
  return DGM_CB(network_filter_get_upstream_host_cluster) &&
         DGM_CB(network_filter_get_upstream_host_cluster)(f, out);
}

int64_t dgm_usable_hosts(dgm_envoy f, const void* p, size_t n) {
  if (!DGM_CB(network_filter_get_cluster_host_count)) return 1;
  int64_t usable = -1;
  for (uint32_t priority = 0; priority < 8; priority++) {
    size_t total = 0, healthy = 0, degraded = 0;
    if (!DGM_CB(network_filter_get_cluster_host_count)(f, BUF(p, n), priority, &total, &healthy,
                                                       &degraded))
      break;
    if (usable < 0) usable = 0;
    usable += (int64_t)(healthy + degraded);
  }
  return usable;
}

bool dgm_start_upstream_tls(dgm_envoy f) {
  return DGM_CB(network_filter_start_upstream_secure_transport)(f);
}

bool dgm_set_state(dgm_envoy f, const void* k, size_t kn, const void* v, size_t vn) {
  return DGM_CB(network_set_filter_state_typed)(f, BUF(k, kn), BUF(v, vn));
}

bool dgm_get_state(dgm_envoy f, const void* k, size_t kn, dgm_buffer* out) {
  return DGM_CB(network_get_filter_state_typed) &&
         DGM_CB(network_get_filter_state_typed)(f, BUF(k, kn), out);
}

bool dgm_is_ssl(dgm_envoy f) { return DGM_CB(network_filter_is_ssl)(f); }

bool dgm_sni(dgm_envoy f, dgm_buffer* out) {
  return DGM_CB(network_filter_get_requested_server_name)(f, out);
}

bool dgm_ssl_subject(dgm_envoy f, dgm_buffer* out) {
  return DGM_CB(network_filter_get_ssl_subject)(f, out);
}

size_t dgm_sans_size(dgm_envoy f, bool uri) {
  return uri ? DGM_CB(network_filter_get_ssl_uri_sans_size)(f)
             : DGM_CB(network_filter_get_ssl_dns_sans_size)(f);
}

bool dgm_sans(dgm_envoy f, bool uri, dgm_buffer* out) {
  return uri ? DGM_CB(network_filter_get_ssl_uri_sans)(f, out)
             : DGM_CB(network_filter_get_ssl_dns_sans)(f, out);
}

bool dgm_has_attributes(void) { return DGM_CB(network_filter_get_attribute_string) != 0; }

bool dgm_attribute(dgm_envoy f, int id, dgm_buffer* out) {
  return DGM_CB(network_filter_get_attribute_string) &&
         DGM_CB(network_filter_get_attribute_string)(f, id, out);
}

bool dgm_attribute_int(dgm_envoy f, int id, uint64_t* out) {
  return DGM_CB(network_filter_get_attribute_int) &&
         DGM_CB(network_filter_get_attribute_int)(f, id, out);
}

dgm_envoy dgm_scheduler_new(dgm_envoy f) { return DGM_CB(network_filter_scheduler_new)(f); }
void dgm_scheduler_commit(dgm_envoy s) { DGM_CB(network_filter_scheduler_commit)(s, 0); }
void dgm_scheduler_delete(dgm_envoy s) { DGM_CB(network_filter_scheduler_delete)(s); }

bool dgm_network_counter(dgm_envoy config, const void* p, size_t n, size_t* id) {
  return DGM_CB(network_filter_config_define_counter) &&
         DGM_CB(network_filter_config_define_counter)(config, BUF(p, n), id) == 0;
}

void dgm_network_count(dgm_envoy f, size_t id) {
  if (DGM_CB(network_filter_increment_counter)) DGM_CB(network_filter_increment_counter)(f, id, 1);
}

bool dgm_listener_counter(dgm_envoy config, const void* p, size_t n, size_t* id) {
  return DGM_CB(listener_filter_config_define_counter) &&
         DGM_CB(listener_filter_config_define_counter)(config, BUF(p, n), id) == 0;
}

void dgm_listener_count(dgm_envoy f, size_t id) {
  if (DGM_CB(listener_filter_increment_counter)) DGM_CB(listener_filter_increment_counter)(f, id, 1);
}

bool dgm_socket_drain(dgm_envoy f, size_t n) { return DGM_CB(listener_filter_drain_buffer)(f, n); }

int64_t dgm_socket_write(dgm_envoy f, const void* p, size_t n) {
  return DGM_CB(listener_filter_write_to_socket)(f, BUF(p, n));
}

void dgm_socket_close(dgm_envoy f) { DGM_CB(listener_filter_close_socket)(f, BUF(0, 0)); }

bool dgm_socket_remote(dgm_envoy f, dgm_buffer* out, uint32_t* port) {
  return DGM_CB(listener_filter_get_remote_address) &&
         DGM_CB(listener_filter_get_remote_address)(f, out, port);
}
