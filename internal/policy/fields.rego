# What rules say of named parameters: an MCP tool's arguments, a query, a body. A
# module of its own, so that a policy without such rules is seen not to read parameters.
package dragoman.fields

# Whether a tool is shown in a list is asked before there are arguments: then a rule
# that may allow or hold some call of it does, and one that blocks some does not.
listing if input.action.features.listing == true

# touched: each name that the rule gives has a parameter with one of its values.
touched(_, wanted) if count(wanted) == 0

touched("hold", _) if listing

touched(_, wanted) if {
	count(wanted) > 0
	every field in wanted {
		some param in input.action.params
		named(field, param)
		valued(field, param)
	}
}

# covered: beside that, no parameter of such a name has another value.
covered(wanted) if count(wanted) == 0

covered(_) if listing

covered(wanted) if {
	count(wanted) > 0
	touched("allow", wanted)
	every field in wanted {
		every param in input.action.params {
			harmless(field, param)
		}
	}
}

harmless(field, param) if not named(field, param)

harmless(field, param) if valued(field, param)

# Names are compared without regard to case: some targets read them so.
named(field, param) if glob.match(field.name, ["/"], lower(object.get(param, "name", "")))

valued(field, param) if {
	some pattern in field.values
	glob.match(pattern, null, param.value)
}
