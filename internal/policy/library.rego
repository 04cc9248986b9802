# The built-in library: turns the YAML rules (data.dragoman.rules) and masks
# (data.dragoman.masks) into the same verdict and mask objects that Rego of the
# policy folder may add in `package dragoman.policy`. It only says what matches
# and what it covers; the engine combines (most restrictive wins) and blocks
# what nothing covers. It refers to no volatile part of the input, so that
# verdicts can be kept; what does is in fields.rego.
package dragoman.main

import data.dragoman.fields

result := {
	"verdicts": (rule_verdicts | builtin_verdicts) | data.dragoman.policy.verdicts,
	"masks": rule_masks | data.dragoman.policy.masks,
}

# What the action does: its verbs, and "select" when it reads anything that it does not write.
acts contains verb if some verb in input.action.verbs

acts contains "connect" if input.action.kind == "connect"

acts contains "select" if {
	input.action.kind == "sql"
	some object in input.action.reads
	not written(object)
}

written(object) if {
	some other in input.action.writes
	other.schema == object.schema
	other.name == object.name
}

objects := array.concat(input.action.reads, input.action.writes)

# Rules ------------------------------------------------------------------

# Rules for one of the identity's groups, or for any.
eligible contains order if some order in data.dragoman.anyone

eligible contains order if {
	some group in input.identity.groups
	some order in data.dragoman.by_group[group]
}

rule_verdicts contains verdict if {
	some order in eligible
	rule := data.dragoman.rules[order]
	rule.verdict == "allow"
	applies(rule.when)
	fields.covered(rule.when.fields)
	covers := coverage(rule.when)
	useful(rule.when, covers)
	verdict := object.union(rule.out, {"order": order, "covers": covers})
}

rule_verdicts contains verdict if {
	some order in eligible
	rule := data.dragoman.rules[order]
	rule.verdict != "allow"
	applies(rule.when)
	fields.touched(rule.verdict, rule.when.fields)
	touches(rule.when)
	verdict := object.union(rule.out, {"order": order, "covers": coverage(rule.when)})
}

useful(_, covers) if count(covers.verbs) > 0

useful(when, _) if {
	count(acts) == 0
	count(when.verbs) == 0
}

# applies: everything about who, where and the action as a whole.
applies(when) if {
	about(when)
	listed(when.kinds, [input.action.kind])
	every name, wanted in when.features {
		feature(wanted, object.get(input.action.features, name, false))
	}
}

# about: who and where, the groups apart, which eligible has seen to.
about(when) if {
	listed(when.issuers, [input.identity.issuer])
	globbed(when.targets, [input.target.name])
	globbed(when.subjects, input.identity.actors)
	agents(when.agents_only)
	every name, value in when.labels {
		object.get(input.target.labels, name, null) == value
	}
}

agents(only) if only == false

agents(only) if {
	only == true
	is_agent
}

is_agent if count(input.identity.actors) > 1

is_agent if {
	some actor in input.identity.actors
	startswith(actor, "agent:")
}

feature(wanted, have) if {
	wanted == true
	have != false
}

feature(wanted, have) if {
	wanted == false
	have == false
}

feature(wanted, have) if {
	not is_boolean(wanted)
	wanted == have
}

# coverage: what of the action the rule speaks for.
coverage(when) := {
	"scoped": (((count(when.tables) + count(when.columns)) + count(when.paths)) + kube_terms(when)) > 0,
	"verbs": [verb | some verb in acts; listed(when.verbs, [verb])],
	"reads": [[object.schema, object.name] |
		some object in input.action.reads
		may_read(when, object)
		covers_object(when, object)
	],
	"writes": [[object.schema, object.name] |
		some object in input.action.writes
		may_write(when)
		covers_object(when, object)
	],
	"functions": [[called.schema, called.name] |
		some called in input.action.functions
		covers_function(when, called)
	],
}

# Verbs that read what they name. Those that change rows which are there cover the
# reading of what they write, too; no other verb covers reading.
reading := {"select", "copy", "explain"}

changing := {"update", "delete", "merge"}

may_read(when, _) if count(when.verbs) == 0

may_read(when, _) if "select" in when.verbs

may_read(when, _) if {
	some verb in input.action.verbs
	verb in reading
	verb in when.verbs
}

may_read(when, _) if {
	input.action.kind != "sql"
	some verb in input.action.verbs
	verb in when.verbs
}

may_read(when, object) if {
	written(object)
	some verb in input.action.verbs
	verb in changing
	verb in when.verbs
}

# A rule for verbs that do not write does not cover what is written.
may_write(when) if count(when.verbs) == 0

may_write(when) if {
	some verb in input.action.verbs
	not harmless(verb)
	verb in when.verbs
}

harmless(verb) if {
	input.action.kind == "sql"
	verb in {"select", "explain"} | session_verbs
}

covers_object(when, object) if {
	in_tables(when, object)
	in_columns(when, object)
	in_paths(when, object)
	in_kube(when, object)
}

in_paths(when, _) if count(when.paths) == 0

in_paths(when, object) if path_matches(when.paths, object)

# In paths, * stays within a segment, and ** does not.
path_matches(patterns, object) if {
	some pattern in patterns
	glob.match(pattern, ["/"], object.name)
}

in_tables(when, _) if count(when.tables) == 0

in_tables(when, object) if {
	some pattern in when.tables
	match(pattern[0], object.schema)
	match(pattern[1], object.name)
}

in_columns(when, _) if count(when.columns) == 0

in_columns(when, object) if {
	count(when.columns) > 0
	count(object.columns) > 0
	every column in object.columns {
		in_column(when, object, column)
	}
}

# An object without columns is the whole object: only "schema.table.*" covers it.
in_columns(when, object) if {
	count(object.columns) == 0
	some pattern in when.columns
	pattern[2] == "*"
	match(pattern[0], object.schema)
	match(pattern[1], object.name)
}

in_column(when, object, column) if {
	some pattern in when.columns
	match(pattern[0], object.schema)
	match(pattern[1], object.name)
	match(pattern[2], column)
}

covers_function(when, called) if {
	in_tools(when, called)
	in_functions(when, called)
}

in_tools(when, called) if globbed(when.tools, [called.name])

in_functions(when, _) if count(when.functions) == 0

in_functions(when, called) if {
	some pattern in when.functions
	match(pattern[0], called.schema)
	match(pattern[1], called.name)
}

# touches: the rule is about any part of the action.
touches(when) if {
	listed(when.verbs, acts)
	touches_tables(when)
	touches_columns(when)
	touches_functions(when)
	touches_paths(when)
	touches_tools(when)
	touches_kube(when)
}

touches_paths(when) if count(when.paths) == 0

touches_paths(when) if {
	some object in objects
	path_matches(when.paths, object)
}

touches_tools(when) if count(when.tools) == 0

touches_tools(when) if globbed(when.tools, [called.name | some called in input.action.functions])

touches_tables(when) if count(when.tables) == 0

touches_tables(when) if {
	some object in objects
	some pattern in when.tables
	may_be(pattern, object)
}

touches_columns(when) if count(when.columns) == 0

touches_columns(when) if {
	some object in objects
	some pattern in when.columns
	may_be(pattern, object)
	may_have(object, pattern[2])
}

touches_functions(when) if count(when.functions) == 0

touches_functions(when) if {
	some called in input.action.functions
	some pattern in when.functions
	may_be(pattern, called)
}

# A name without a schema may be in any.
may_be(pattern, named) if {
	match(pattern[1], named.name)
	in_schema(pattern[0], named.schema)
}

in_schema(_, schema) if schema == ""

in_schema(pattern, schema) if match(pattern, schema)

# An object without columns is the whole object.
may_have(object, _) if count(object.columns) == 0

may_have(object, pattern) if {
	some column in object.columns
	match(pattern, column)
}

# Kubernetes: an object's schema is resource.group/subresource ("" for a path that is not of a resource), its name
# namespace/name. Without a namespace it is in none, or a collection in all; without a name, a collection.

kube_terms(when) := ((count(when.resources) + count(when.namespaces)) + count(when.names)) + count(when.urls)

in_kube(when, _) if kube_terms(when) == 0

in_kube(when, object) if {
	object.schema != ""
	count(when.urls) == 0
	[namespace, name] := split(object.name, "/")
	globbed(when.resources, [object.schema])
	globbed(when.namespaces, [namespace])
	globbed(when.names, [name])
}

in_kube(when, object) if {
	object.schema == ""
	some pattern in when.urls
	glob.match(pattern, ["/"], object.name)
}

touches_kube(when) if kube_terms(when) == 0

touches_kube(when) if {
	some object in objects
	in_kube(when, object)
}

# A collection may have any name in it, one in all namespaces any namespace.
touches_kube(when) if {
	some object in objects
	object.schema != ""
	count(when.urls) == 0
	[namespace, name] := split(object.name, "/")
	globbed(when.resources, [object.schema])
	may_be_in(when.namespaces, namespace)
	may_be_in(when.names, name)
}

may_be_in(_, value) if value == ""

may_be_in(patterns, value) if globbed(patterns, [value])

# Built-in groups ----------------------------------------------------------

session_verbs := {
	"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release",
	"show", "deallocate", "close", "fetch", "move", "execute", "prepare", "declare", "discard",
	"use", "unlock", "kill", # MySQL; who kills another's session acts on the server (feature admin)
}

harmless_settings := {
	"application_name", "client_encoding", "datestyle", "intervalstyle", "timezone", "time zone",
	"extra_float_digits", "bytea_output", "statement_timeout", "lock_timeout",
	"idle_in_transaction_session_timeout", "idle_session_timeout", "transaction_timeout",
	"client_min_messages", "default_transaction_read_only",
	"default_transaction_isolation", "default_transaction_deferrable", "transaction_read_only",
	"transaction_isolation", "transaction_deferrable", "transaction", "session characteristics",
	"search_path",
	# MySQL. What changes how texts are read is followed.
	"names", "user variables", "autocommit", "sql_mode", "time_zone", "character_set_client", "character_set_connection",
	"character_set_results", "collation_connection", "tx_isolation", "tx_read_only", "wait_timeout", "interactive_timeout",
	"net_write_timeout", "net_read_timeout", "lock_wait_timeout", "innodb_lock_wait_timeout", "max_statement_time",
	"max_execution_time", "sql_safe_updates", "sql_select_limit", "sql_quote_show_create", "sql_auto_is_null", "sql_notes",
	"sql_warnings", "group_concat_max_len", "session_track_schema", "session_track_system_variables",
	"session_track_state_change", "session_track_transaction_info", "session_track_gtids",
	"jit", "plan_cache_mode", # how a plan is made; asyncpg turns jit off for its own queries
	# pg_dump: the order of rows; names in quotes; no views and foreign tables of others.
	"synchronize_seqscans", "quote_all_identifiers", "restrict_nonsystem_relation_kind",
}

builtin_verdicts contains {
	"verdict": "allow", "rule": "session", "reason": "", "builtin": true,
	"covers": {"scoped": false, "verbs": session_acts, "reads": [], "writes": [], "functions": []},
} if {
	input.action.kind == "sql"
	not "session" in data.dragoman.off
	count(session_acts) > 0
}

session_acts := [verb | some verb in acts; session_act(verb)]

session_act(verb) if verb in session_verbs

session_act(verb) if {
	verb in {"set", "reset"}
	every setting in split(lower(object.get(input.action.features, "setting", "")), ",") {
		setting in harmless_settings
	}
}

# RESET ALL gives back what the session began with (never the role), as DISCARD ALL does; pools send it.
session_act("reset") if input.action.features.setting == "all"

builtin_verdicts contains {
	"verdict": "allow", "rule": "connect", "reason": "", "builtin": true,
	"covers": {"scoped": false, "verbs": ["connect"], "reads": [], "writes": [], "functions": []},
} if {
	input.action.kind == "connect"
	not "connect" in data.dragoman.off
	some order in eligible
	rule := data.dragoman.rules[order]
	rule.verdict != "block"
	about(rule.when)
}

# What an MCP client sends before and beside what it wants done, for whom any rule of the target is about.
builtin_verdicts contains {
	"verdict": "allow", "rule": "mcp", "reason": "", "builtin": true,
	"covers": {"scoped": false, "verbs": mcp_acts, "reads": [], "writes": [], "functions": []},
} if {
	input.action.kind == "mcp"
	not "mcp" in data.dragoman.off
	count(mcp_acts) > 0
	some order in eligible
	rule := data.dragoman.rules[order]
	rule.verdict != "block"
	about(rule.when)
}

mcp_acts := [verb | some verb in acts; mcp_act(verb)]

mcp_act(verb) if verb in {
	"initialize", "ping", "tools/list", "resources/list", "resources/templates/list", "prompts/list", "logging/setLevel",
	"session/listen", "session/end",
}

mcp_act(verb) if startswith(verb, "notifications/")

# What clients of Kubernetes ask before they do anything, for whom any rule of the target is about.
builtin_verdicts contains {
	"verdict": "allow", "rule": "kube", "reason": "", "builtin": true,
	"covers": {
		"scoped": false, "verbs": input.action.verbs, "functions": [],
		"reads": [[object.schema, object.name] | some object in input.action.reads],
		"writes": [[object.schema, object.name] | some object in input.action.writes],
	},
} if {
	input.action.kind == "kube"
	not "kube" in data.dragoman.off
	kube_discovery
	some order in eligible
	rule := data.dragoman.rules[order]
	rule.verdict != "block"
	about(rule.when)
}

kube_discovery if {
	every verb in input.action.verbs {
		verb in {"get", "head"}
	}
	every object in objects {
		object.schema == ""
		kube_discovers(object.name)
	}
}

kube_discovery if {
	input.action.verbs == ["create"]
	every object in objects {
		object.schema in {
			"selfsubjectaccessreviews.authorization.k8s.io", "selfsubjectrulesreviews.authorization.k8s.io",
			"selfsubjectreviews.authentication.k8s.io",
		}
	}
}

kube_discovers(path) if path in {"/api", "/apis", "/version", "/healthz", "/livez", "/readyz", "/openapi/v2", "/openapi/v3"}

kube_discovers(path) if startswith(path, "/api/")

kube_discovers(path) if startswith(path, "/apis/")

kube_discovers(path) if startswith(path, "/openapi/v3/")

# Masks ----------------------------------------------------------------------

rule_masks contains spec if some spec in configured_masks

configured_masks contains spec if {
	some order, rule in data.dragoman.masks
	listed(rule.groups, input.identity.groups)
	not excepted(rule)
	globbed(rule.targets, [input.target.name])
	globbed(rule.subjects, input.identity.actors)
	mask_paths(rule)
	globbed(rule.tools, [called.name | some called in input.action.functions])
	globbed(rule.resources, resources)
	spec := object.union(rule.out, {"order": order})
}

# What a call is about, and of a subresource also what that is of: the status of an object is the whole object.
resources contains name if {
	input.action.kind == "kube"
	some object in objects
	some name in {object.schema, split(object.schema, "/")[0]}
}

# Secrets and the values of environment variables, wherever they stand: in objects, lists, tables, events of a watch and
# (in the record) JSON patches. The data of secrets is base64, which clients decode.
rule_masks contains {"name": "kube-secrets", "way": spec.way, "order": spec.order, "opaque": "block", "json": spec.json} if {
	some spec in [
		{"way": "base64", "order": 1000001, "json": ["$..data.*"]},
		{"way": "redact", "order": 1000002, "json": ["$..stringData.*", "$..managedFields", "$[*].value"]},
	]
	input.action.kind == "kube"
	not "kube-secrets" in data.dragoman.off
	some object in objects
	startswith(concat("", [object.schema, "/"]), "secrets/")
}

# Tokens that the cluster makes, and those that it is asked about.
rule_masks contains {"name": "kube-tokens", "way": "redact", "order": 1000005, "opaque": "block", "json": ["$..token"]} if {
	input.action.kind == "kube"
	not "kube-tokens" in data.dragoman.off
	some object in objects
	object.schema in {"serviceaccounts/token", "tokenreviews.authentication.k8s.io"}
}

rule_masks contains {
	"name": "kube-env", "way": "redact", "order": 1000003, "opaque": "allow",
	"json": ["$..env[*].value", "$[*].value"],
} if {
	not "kube-env" in data.dragoman.off
	kube_object
}

# What was last applied is the object as a text: where it is empty, kubectl does without it, and typed clients read it.
rule_masks contains {
	"name": "kube-last-applied", "way": "empty", "order": 1000000, "opaque": "allow",
	"json": [`$..annotations["kubectl.kubernetes.io/last-applied-configuration"]`],
} if {
	kube_hides
	kube_object
}

kube_hides if not {"kube-env", "kube-secrets"} & {off | some off in data.dragoman.off} == {"kube-env", "kube-secrets"}

kube_hides if masked_paths

# Who manages a field is told by its path, and of lists that are sets by the value.
rule_masks contains {"name": "kube-managed-fields", "way": "null", "order": 1000004, "opaque": "allow", "json": ["$..managedFields"]} if {
	masked_paths
	kube_object
}

masked_paths if {
	some spec in configured_masks
	count(spec.json) > 0
}

kube_object if {
	input.action.kind == "kube"
	some object in objects
	object.schema != ""
}

mask_paths(rule) if count(rule.paths) == 0

mask_paths(rule) if {
	some object in objects
	path_matches(rule.paths, object)
}

excepted(rule) if {
	some group in rule.except_groups
	group in input.identity.groups
}

# Lists ----------------------------------------------------------------------

# listed: no list, or one of have is in it.
listed(wanted, _) if count(wanted) == 0

listed(wanted, have) if {
	some item in have
	item in wanted
}

# globbed: no globs, or one of have matches one of them.
globbed(patterns, _) if count(patterns) == 0

globbed(patterns, have) if {
	some item in have
	some pattern in patterns
	match(pattern, item)
}

match(pattern, _) if pattern == "*"

match(pattern, value) if pattern == value

match(pattern, value) if glob.match(pattern, null, value)
