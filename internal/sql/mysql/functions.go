package mysql

import "strings"

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// total are functions that give neither an error, nor a warning, nor NULL, nor take time, depending on what their
// arguments are (but NULL).
var total = set(`concat concat_ws lower upper lcase ucase ltrim rtrim trim coalesce ifnull length octet_length char_length
character_length left right substr substring mid hex md5 sha sha1 sha2 reverse quote any_value`)

// volatile are functions that do something beside giving a value, or wait.
var volatile = set(`sleep benchmark get_lock release_lock release_all_locks is_free_lock is_used_lock rand uuid uuid_short
last_insert_id nextval setval lastval load_file found_rows row_count random_bytes`)

var adminFunctions = set(`master_pos_wait source_pos_wait wait_for_executed_gtid_set wait_until_sql_thread_after_gtids
master_gtid_wait binlog_gtid_pos asynchronous_connection_failover_add_source asynchronous_connection_failover_delete_source
asynchronous_connection_failover_add_managed asynchronous_connection_failover_reset group_replication_set_as_primary
group_replication_switch_to_single_primary_mode group_replication_switch_to_multi_primary_mode ps_current_thread_id ps_thread_id
keyring_key_fetch keyring_key_store keyring_key_remove keyring_key_generate`)

// builtin are the functions of MySQL and MariaDB themselves. Any other is stored in the server, or loaded into it.
var builtin = func() map[string]bool {
	m := set(builtinNames)
	for _, more := range []map[string]bool{total, volatile, adminFunctions} {
		for name := range more {
			m[name] = true
		}
	}
	return m
}()

const builtinNames = `
abs acos adddate addtime aes_decrypt aes_encrypt ascii asin atan atan2 bin bin_to_uuid bit_count bit_length ceil ceiling char
char_func charset coercibility collation compress connection_id conv convert convert_tz cos cot crc32 crc32c curdate current_date
current_role current_time current_timestamp current_user curtime database date date_add date_format date_sub datediff day dayname
dayofmonth dayofweek dayofyear decode decode_oracle decode_histogram default degrees elt encode exp export_set extract extractvalue
field find_in_set floor format format_bytes format_pico_time from_base64 from_days from_unixtime get_format greatest
grouping hour if inet6_aton inet6_ntoa inet_aton inet_ntoa insert insert_func instr interval is_ipv4 is_ipv4_compat
is_ipv4_mapped is_ipv6 is_uuid isnull json_array json_array_append json_array_insert json_arrayagg json_compact json_contains
json_contains_path json_depth json_detailed json_equals json_exists json_extract json_insert json_keys json_length json_loose
json_merge json_merge_patch json_merge_preserve json_normalize json_object json_objectagg json_overlaps json_pretty json_query
json_quote json_remove json_replace json_schema_valid json_schema_validation_report json_search json_set json_storage_free
json_storage_size json_type json_unquote json_valid json_value json_memberof kdf last_day least ln localtime localtimestamp locate log log10
log2 lpad make_set makedate maketime microsecond minute mod month monthname name_const natural_sort_key now nullif nvl
nvl2 oct old_password ord password period_add period_diff pi position pow power quarter radians regexp_instr regexp_like
regexp_replace regexp_substr repeat replace roles_graphml round row_number rpad schema sec_to_time second session_user sformat sign sin soundex
space sqrt st_area st_asbinary st_asgeojson st_astext st_aswkb st_aswkt st_boundary st_buffer st_centroid st_contains
st_convexhull st_crosses st_difference st_dimension st_disjoint st_distance st_distance_sphere st_endpoint st_envelope
st_equals st_exteriorring st_geohash st_geomcollfromtext st_geometryfromtext st_geometryn st_geometrytype st_geomfromgeojson
st_geomfromtext st_geomfromwkb st_interiorringn st_intersection st_intersects st_isclosed st_isempty st_issimple st_isvalid
st_latfromgeohash st_latitude st_length st_linefromtext st_longfromgeohash st_longitude st_makeenvelope st_numgeometries
st_numinteriorring st_numinteriorrings st_numpoints st_overlaps st_pointfromgeohash st_pointfromtext st_pointn st_polyfromtext
st_simplify st_srid st_startpoint st_swapxy st_symdifference st_touches st_transform st_union st_validate st_within st_x st_y point
linestring polygon multipoint multilinestring multipolygon geometrycollection mbrcontains mbrcoveredby mbrcovers mbrdisjoint
mbrequals mbrintersects mbroverlaps mbrtouches mbrwithin statement_digest statement_digest_text std str_to_date strcmp subdate
substring_index subtime sysdate system_user tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64
to_char to_days to_seconds truncate uncompress uncompressed_length unhex unix_timestamp updatexml user utc_date utc_time
utc_timestamp uuid_to_bin validate_password_strength values vector version week weekday weekofyear weight_string year yearweek
chr contains equals glength grouping_id json_table rtrim_oracle lengthb char_lengthb trim_oracle date_literal time_literal
timestamp_literal gtid_subset gtid_subtract column_get column_create column_add column_delete column_exists column_list column_json
column_check des_encrypt des_decrypt encrypt xml_value utf8 binary`

// dangerousTable is the feature of reading a table of the server's own, "" for none.
func dangerousTable(db, table string) string {
	table = strings.ToLower(table)
	switch strings.ToLower(db) {
	case "performance_schema":
		if !harmlessPerformance[table] {
			return "session_texts"
		}
	case "sys":
		if table != "version" && table != "sys_config" {
			return "session_texts"
		}
	case "information_schema":
		switch {
		case schemaTexts[table] || strings.HasPrefix(table, "innodb_trx") || strings.HasPrefix(table, "innodb_lock"):
			return "session_texts"
		case schemaStatistics[table], strings.HasPrefix(table, "innodb_ft_"), strings.HasPrefix(table, "innodb_buffer_page"),
			strings.HasPrefix(table, "innodb_sys_tablestats"):
			return "statistics"
		case table == "user_attributes":
			return "credentials"
		}
	case "mysql":
		switch {
		case mysqlTexts[table]:
			return "session_texts"
		case mysqlStatistics[table]:
			return "statistics"
		case !harmlessMysql[table]:
			return "credentials"
		}
	}
	return ""
}

var (
	harmlessPerformance = set("global_variables session_variables global_status session_status variables_info session_account_connect_attrs")
	schemaTexts         = set("processlist profiling optimizer_trace query_cache_info query_response_time client_statistics user_statistics")
	schemaStatistics    = set("column_statistics table_statistics index_statistics innodb_tablestats")
	mysqlTexts          = set("general_log slow_log transaction_registry")
	mysqlStatistics     = set("column_stats column_statistics table_stats index_stats innodb_index_stats innodb_table_stats")
	harmlessMysql       = set(`help_category help_keyword help_relation help_topic time_zone time_zone_leap_second time_zone_name
time_zone_transition time_zone_transition_type proc procs_priv tables_priv columns_priv engine_cost server_cost`)
)
