package pgsql

import (
	"strings"

	"dragoman.dev/dragoman/internal/action"
)

// class is a kind of function that deserves attention, and why.
type class struct {
	why      string
	opaque   bool
	features []string
	names    string // separated by spaces; a name that ends in * is a prefix
}

var userDefined = class{why: "a body that is not seen: it may read and write anything", opaque: true}

// classes are looked through in order, by name alone: the functions that the
// core and its extensions have, wherever they were installed.
var classes = []class{
	{"runs SQL that is given as text, or reads a table that is given by name", true, []string{action.FeatureDynamic},
		"query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema " +
			"table_to_xml table_to_xmlschema table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema " +
			"database_to_xml database_to_xmlschema database_to_xml_and_xmlschema ts_stat ts_rewrite " +
			"crosstab crosstab2 crosstab3 crosstab4 crosstab_hash connectby xpath_table xpath_nodeset_table"},
	{"talks to another server", true, []string{action.FeatureDynamic}, "dblink* postgres_fdw_*"},
	{"reads or writes the server's files", true, []string{action.FeatureServerFile},
		"pg_read_file pg_read_file_* pg_read_binary_file pg_read_binary_file_* pg_ls_* pg_stat_file pg_file_* pg_logdir_ls " +
			"pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings pg_current_logfile"},
	{"moves a large object from or to a file of the server", true, []string{action.FeatureServerFile, FeatureLargeObject}, "lo_import lo_export be_lo_import be_lo_export"},
	{"reads or writes large objects, whose contents belong to no column", true, []string{FeatureLargeObject},
		"lo_* loread lowrite be_lo_* lowrite lomanage"},
	{"reads pages, tuples or samples past the columns", true, []string{FeatureStatistics},
		"get_raw_page heap_page_items heap_page_item_attrs tuple_data_split bt_page_items bt_page_stats bt_multi_page_stats brin_page_items gin_leafpage_items " +
			"gist_page_items gist_page_items_bytea hash_page_items fsm_page_contents page_header pg_mcv_list_items pg_stats_ext_mcvlist_items " +
			"pg_get_wal_* pg_walinspect* ts_debug_* pg_restore_relation_stats pg_restore_attribute_stats pg_clear_relation_stats pg_clear_attribute_stats " +
			"pg_dirtyread brin_metapage_info bt_metap verify_heapam"},
	{"shows other sessions' statements", false, []string{FeatureSessionTexts},
		"pg_stat_get_activity pg_stat_get_backend_activity pg_stat_statements pg_stat_statements_* pg_prepared_statement pg_cursor pg_show_all_settings_log"},
	{"takes changes out of the write-ahead log, or moves replication", true, []string{FeatureAdmin},
		"pg_logical_* pg_create_*_replication_slot pg_create_logical_replication_slot pg_create_physical_replication_slot pg_copy_logical_replication_slot " +
			"pg_copy_physical_replication_slot pg_drop_replication_slot pg_replication_* pg_sync_replication_slots"},
	{"acts on the server or on other sessions", true, []string{FeatureAdmin},
		"pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile pg_rotate_logfile_* pg_promote pg_switch_wal pg_create_restore_point " +
			"pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup pg_wal_replay_pause pg_wal_replay_resume pg_log_backend_memory_contexts " +
			"pg_log_standby_snapshot pg_stat_reset* pg_stat_statements_reset pg_import_system_collations pg_extension_config_dump binary_upgrade_* pg_nextoid " +
			"pg_stop_making_pinned_objects brin_summarize_new_values brin_summarize_range brin_desummarize_range gin_clean_pending_list " +
			"pg_prewarm autoprewarm_* pg_truncate_visibility_map heap_force_* pg_surgery* pg_export_snapshot pg_set_* pg_buffercache_evict* injection_points_*"},
}

// harmlessExtensions have C functions that compute from their arguments only.
// A function of theirs in another language runs SQL, so it is opaque.
var harmlessExtensions = map[string]bool{
	"citext": true, "hstore": true, "ltree": true, "intarray": true, "cube": true, "seg": true, "isn": true, "lo": false,
	"pgcrypto": true, "uuid-ossp": true, "pg_trgm": true, "unaccent": true, "fuzzystrmatch": true, "btree_gin": true,
	"btree_gist": true, "earthdistance": true, "tablefunc": true, "tsm_system_rows": true, "tsm_system_time": true,
	"dict_int": true, "dict_xsyn": true, "intagg": true, "bool_plperl": false, "vector": true, "postgis": true, "sslinfo": true,
}

// classOf is the class of a function, or nil.
func classOf(f *Function) *class {
	for i := range classes {
		for names := classes[i].names; names != ""; {
			var name string
			name, names, _ = strings.Cut(names, " ")
			if name == f.Name || strings.HasSuffix(name, "*") && strings.HasPrefix(f.Name, name[:len(name)-1]) {
				return &classes[i]
			}
		}
	}
	return nil
}

// harmless reports whether a function that is not of the core computes from its arguments only.
func harmless(f *Function) bool {
	if f.Core || !harmlessExtensions[f.Extension] {
		return f.Core
	}
	switch f.Extension {
	case "citext", "earthdistance", "uuid-ossp", "intagg":
		return f.Language == "c" || f.Language == "internal" || f.Language == "sql"
	}
	return f.Language == "c" || f.Language == "internal"
}

// sensitiveRelation marks relations that hold what belongs to other columns or sessions.
func (a *analysis) sensitiveRelation(schema, name string) {
	switch name {
	case "pg_stat_statements", "pg_stat_statements_info", "pg_store_plans":
		a.feature(FeatureSessionTexts)
		return
	}
	if schema != "" && schema != "pg_catalog" && schema != "information_schema" {
		return
	}
	switch name {
	case "pg_statistic", "pg_stats", "pg_statistic_ext_data", "pg_stats_ext", "pg_stats_ext_exprs":
		a.feature(FeatureStatistics)
	case "pg_stat_activity", "pg_prepared_statements", "pg_cursors", "pg_prepared_xacts":
		a.feature(FeatureSessionTexts)
	case "pg_largeobject": // pg_largeobject_metadata has owners and rights, no contents
		a.feature(FeatureLargeObject)
	case "pg_file_settings", "pg_hba_file_rules", "pg_ident_file_mappings":
		a.feature(action.FeatureServerFile)
	}
}

// secretColumns of the core's own relations hold passwords or connection strings.
var secretColumns = map[string]bool{
	"pg_authid.rolpassword": true, "pg_shadow.passwd": true, "pg_user_mapping.umoptions": true, "pg_user_mappings.umoptions": true,
	"pg_subscription.subconninfo": true, "pg_foreign_server.srvoptions": true, "pg_foreign_data_wrapper.fdwoptions": true,
	"pg_stat_wal_receiver.conninfo": true, "_pg_user_mappings.umoptions": true, "_pg_foreign_servers.srvoptions": true,
	"user_mapping_options.option_value": true, "foreign_server_options.option_value": true,
	"foreign_data_wrapper_options.option_value": true, "_pg_foreign_data_wrappers.fdwoptions": true,
}

func (a *analysis) sensitiveColumn(schema, table, name string) {
	if (schema == "pg_catalog" || schema == "information_schema") && secretColumns[table+"."+name] {
		a.feature(FeatureCredentials)
	}
}
