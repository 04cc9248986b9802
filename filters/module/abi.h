// Our own declarations of the part of Envoy's dynamic modules ABI (v0.1.0) that
// this module uses: names and signatures as Envoy's abi.h states them. Objects
// of Envoy and of ours are passed as integers, so that the Go side never holds a
// pointer that is not one.
//
// Every callback is weak: one that this Envoy lacks is null instead of failing
// the load. dgm_missing names those without which we cannot work; the others
// are checked where they are used.
#ifndef DRAGOMAN_ABI_H
#define DRAGOMAN_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DGM_ABI_VERSION "v0.1.0"

typedef uintptr_t dgm_envoy;  // an object of Envoy
typedef uintptr_t dgm_handle; // an object of ours (handle.go), 0 is none

// envoy_buffer and module_buffer have the same layout.
typedef struct {
  const char* ptr;
  size_t length;
} dgm_buffer;

// envoy_dynamic_module_type_attribute_id, counted from 0 in abi.h's order.
enum {
  DGM_ATTR_RESPONSE_FLAGS = 17,
  DGM_ATTR_CONNECTION_SHA256_PEER_CERTIFICATE_DIGEST = 38,
  DGM_ATTR_CONNECTION_TERMINATION_DETAILS = 40,
  DGM_ATTR_UPSTREAM_SHA256_PEER_CERTIFICATE_DIGEST = 50,
  DGM_ATTR_UPSTREAM_LOCAL_ADDRESS = 51,
  DGM_ATTR_UPSTREAM_TRANSPORT_FAILURE_REASON = 52,
  DGM_ATTR_UPSTREAM_REQUEST_ATTEMPT_COUNT = 53,
};

#define DGM_WEAK __attribute__((weak))
#define DGM_CB(name) envoy_dynamic_module_callback_##name

void DGM_CB(log)(int level, dgm_buffer message) DGM_WEAK;
bool DGM_CB(log_enabled)(int level) DGM_WEAK;

size_t DGM_CB(network_filter_get_read_buffer_chunks_size)(dgm_envoy) DGM_WEAK;
bool DGM_CB(network_filter_get_read_buffer_chunks)(dgm_envoy, dgm_buffer*) DGM_WEAK;
bool DGM_CB(network_filter_drain_read_buffer)(dgm_envoy, size_t) DGM_WEAK;
size_t DGM_CB(network_filter_get_write_buffer_chunks_size)(dgm_envoy) DGM_WEAK;
bool DGM_CB(network_filter_get_write_buffer_chunks)(dgm_envoy, dgm_buffer*) DGM_WEAK;
bool DGM_CB(network_filter_drain_write_buffer)(dgm_envoy, size_t) DGM_WEAK;
void DGM_CB(network_filter_inject_read_data)(dgm_envoy, dgm_buffer, bool end) DGM_WEAK;
void DGM_CB(network_filter_inject_write_data)(dgm_envoy, dgm_buffer, bool end) DGM_WEAK;
void DGM_CB(network_filter_continue_reading)(dgm_envoy) DGM_WEAK;
void DGM_CB(network_filter_close_with_details)(dgm_envoy, int type, dgm_buffer details) DGM_WEAK;
uint64_t DGM_CB(network_filter_get_connection_id)(dgm_envoy) DGM_WEAK;
int DGM_CB(network_filter_get_connection_state)(dgm_envoy) DGM_WEAK;
int DGM_CB(network_filter_read_disable)(dgm_envoy, bool disable) DGM_WEAK;
bool DGM_CB(network_filter_read_enabled)(dgm_envoy) DGM_WEAK;
void DGM_CB(network_filter_enable_half_close)(dgm_envoy, bool enabled) DGM_WEAK;
bool DGM_CB(network_filter_get_remote_address)(dgm_envoy, dgm_buffer*, uint32_t* port) DGM_WEAK;
bool DGM_CB(network_filter_get_local_address)(dgm_envoy, dgm_buffer*, uint32_t* port) DGM_WEAK;
bool DGM_CB(network_filter_get_upstream_host_address)(dgm_envoy, dgm_buffer*, uint32_t* port) DGM_WEAK;
bool DGM_CB(network_filter_get_upstream_host_cluster)(dgm_envoy, dgm_buffer*) DGM_WEAK;
bool DGM_CB(network_filter_has_upstream_host)(dgm_envoy) DGM_WEAK;
bool DGM_CB(network_filter_get_cluster_host_count)(dgm_envoy, dgm_buffer cluster, uint32_t priority,
                                                   size_t* total, size_t* healthy,
                                                   size_t* degraded) DGM_WEAK;
bool DGM_CB(network_filter_start_upstream_secure_transport)(dgm_envoy) DGM_WEAK;
bool DGM_CB(network_set_filter_state_typed)(dgm_envoy, dgm_buffer key, dgm_buffer value) DGM_WEAK;
bool DGM_CB(network_get_filter_state_typed)(dgm_envoy, dgm_buffer key, dgm_buffer* value) DGM_WEAK;
bool DGM_CB(network_filter_is_ssl)(dgm_envoy) DGM_WEAK;
bool DGM_CB(network_filter_get_requested_server_name)(dgm_envoy, dgm_buffer*) DGM_WEAK;
size_t DGM_CB(network_filter_get_ssl_uri_sans_size)(dgm_envoy) DGM_WEAK;
bool DGM_CB(network_filter_get_ssl_uri_sans)(dgm_envoy, dgm_buffer*) DGM_WEAK;
size_t DGM_CB(network_filter_get_ssl_dns_sans_size)(dgm_envoy) DGM_WEAK;
bool DGM_CB(network_filter_get_ssl_dns_sans)(dgm_envoy, dgm_buffer*) DGM_WEAK;
bool DGM_CB(network_filter_get_ssl_subject)(dgm_envoy, dgm_buffer*) DGM_WEAK;
uint32_t DGM_CB(network_filter_get_worker_index)(dgm_envoy) DGM_WEAK;
dgm_envoy DGM_CB(network_filter_scheduler_new)(dgm_envoy) DGM_WEAK;
void DGM_CB(network_filter_scheduler_commit)(dgm_envoy, uint64_t event) DGM_WEAK;
void DGM_CB(network_filter_scheduler_delete)(dgm_envoy) DGM_WEAK;
int DGM_CB(network_filter_config_define_counter)(dgm_envoy, dgm_buffer name, size_t* id) DGM_WEAK;
int DGM_CB(network_filter_increment_counter)(dgm_envoy, size_t id, uint64_t by) DGM_WEAK;
// Since 1.39.
bool DGM_CB(network_filter_get_attribute_string)(dgm_envoy, int id, dgm_buffer*) DGM_WEAK;
bool DGM_CB(network_filter_get_attribute_int)(dgm_envoy, int id, uint64_t*) DGM_WEAK;

bool DGM_CB(listener_filter_get_buffer_chunk)(dgm_envoy, dgm_buffer*) DGM_WEAK;
bool DGM_CB(listener_filter_drain_buffer)(dgm_envoy, size_t) DGM_WEAK;
int64_t DGM_CB(listener_filter_write_to_socket)(dgm_envoy, dgm_buffer) DGM_WEAK;
void DGM_CB(listener_filter_close_socket)(dgm_envoy, dgm_buffer details) DGM_WEAK;
bool DGM_CB(listener_filter_get_remote_address)(dgm_envoy, dgm_buffer*, uint32_t* port) DGM_WEAK;
int DGM_CB(listener_filter_config_define_counter)(dgm_envoy, dgm_buffer name, size_t* id) DGM_WEAK;
int DGM_CB(listener_filter_increment_counter)(dgm_envoy, size_t id, uint64_t by) DGM_WEAK;

// The wrappers below (calls.c) take a pointer and a length, so that a Go byte
// slice is passed by cgo's ordinary rules.
const char* dgm_missing(void);
void dgm_log(int level, const void* p, size_t n);
bool dgm_log_enabled(int level);
void dgm_inject_read(dgm_envoy f, const void* p, size_t n, bool end);
void dgm_inject_write(dgm_envoy f, const void* p, size_t n, bool end);
void dgm_continue_reading(dgm_envoy f);
void dgm_close(dgm_envoy f, int type, const void* p, size_t n);
bool dgm_is_open(dgm_envoy f);
void dgm_read_disable(dgm_envoy f, bool disable);
bool dgm_read_enabled(dgm_envoy f);
void dgm_enable_half_close(dgm_envoy f, bool enabled);
uint64_t dgm_connection_id(dgm_envoy f);
uint32_t dgm_worker_index(dgm_envoy f);
enum { DGM_ADDR_REMOTE, DGM_ADDR_LOCAL, DGM_ADDR_UPSTREAM };
bool dgm_address(dgm_envoy f, int which, dgm_buffer* out, uint32_t* port);
bool dgm_has_upstream_host(dgm_envoy f);
bool dgm_upstream_cluster(dgm_envoy f, dgm_buffer* out);
// Healthy or degraded hosts of all priorities, -1 when the cluster is unknown.
int64_t dgm_usable_hosts(dgm_envoy f, const void* p, size_t n);
bool dgm_start_upstream_tls(dgm_envoy f);
bool dgm_set_state(dgm_envoy f, const void* k, size_t kn, const void* v, size_t vn);
bool dgm_get_state(dgm_envoy f, const void* k, size_t kn, dgm_buffer* out);
bool dgm_is_ssl(dgm_envoy f);
bool dgm_sni(dgm_envoy f, dgm_buffer* out);
bool dgm_ssl_subject(dgm_envoy f, dgm_buffer* out);
size_t dgm_sans_size(dgm_envoy f, bool uri);
bool dgm_sans(dgm_envoy f, bool uri, dgm_buffer* out);
bool dgm_has_attributes(void);
bool dgm_attribute(dgm_envoy f, int id, dgm_buffer* out);
bool dgm_attribute_int(dgm_envoy f, int id, uint64_t* out);
dgm_envoy dgm_scheduler_new(dgm_envoy f);
void dgm_scheduler_commit(dgm_envoy s);
void dgm_scheduler_delete(dgm_envoy s);
bool dgm_network_counter(dgm_envoy config, const void* p, size_t n, size_t* id);
void dgm_network_count(dgm_envoy f, size_t id);
bool dgm_listener_counter(dgm_envoy config, const void* p, size_t n, size_t* id);
void dgm_listener_count(dgm_envoy f, size_t id);
bool dgm_socket_drain(dgm_envoy f, size_t n);
int64_t dgm_socket_write(dgm_envoy f, const void* p, size_t n);
void dgm_socket_close(dgm_envoy f);
bool dgm_socket_remote(dgm_envoy f, dgm_buffer* out, uint32_t* port);

#endif
