package mask

// conditionName gives the name of an SQLSTATE (PostgreSQL's appendix A), or of its class.
func conditionName(code, what string) string {
	if s, ok := conditions[code]; ok {
		return s
	}
	if len(code) == 5 {
		if s, ok := conditionClasses[code[:2]]; ok {
			return s
		}
	}
	return "the server sent an " + article(what)
}

func article(what string) string {
	if what == "notice" {
		return "informative notice"
	}
	return what
}

var conditionClasses = map[string]string{
	"00": "the server sent a notice", "01": "warning", "02": "no data", "08": "connection exception", "09": "triggered action exception",
	"0A": "feature not supported", "0F": "locator exception", "0Z": "diagnostics exception", "20": "case not found",
	"21": "cardinality violation", "22": "data exception", "23": "integrity constraint violation", "25": "invalid transaction state",
	"27": "triggered data change violation", "2F": "SQL routine exception", "38": "external routine exception",
	"39": "external routine invocation exception", "40": "transaction rollback", "42": "syntax error or access rule violation",
	"44": "WITH CHECK OPTION violation", "53": "insufficient resources", "54": "program limit exceeded",
	"55": "object not in prerequisite state", "57": "operator intervention", "58": "system error", "72": "snapshot failure",
	"F0": "configuration file error", "HV": "foreign data wrapper error", "P0": "error raised by a function", "XX": "internal error",
}

var conditions = map[string]string{
	"22000": "data exception", "22001": "value too long for its type", "22002": "null value without indicator", "22003": "numeric value out of range",
	"22004": "null value not allowed", "22007": "invalid datetime format", "22008": "datetime field overflow", "22009": "invalid time zone displacement value",
	"2200B": "escape character conflict", "2200C": "invalid use of escape character", "2200D": "invalid escape octet", "2200F": "zero-length character string",
	"2200L": "not an XML document", "2200M": "invalid XML document", "2200N": "invalid XML content", "2200S": "invalid XML comment", "2200T": "invalid XML processing instruction",
	"22010": "invalid indicator parameter value", "22011": "substring error", "22012": "division by zero", "22013": "invalid preceding or following size in window function",
	"22014": "invalid argument for ntile function", "22016": "invalid argument for nth_value function", "22018": "invalid character value for cast", "22019": "invalid escape character",
	"2201B": "invalid regular expression", "2201E": "invalid argument for logarithm", "2201F": "invalid argument for power function", "2201G": "invalid argument for width bucket function",
	"2201W": "invalid row count in limit clause", "2201X": "invalid row count in result offset clause", "22021": "character not in repertoire", "22023": "invalid parameter value",
	"22024": "unterminated C string", "22025": "invalid escape sequence", "22026": "string data length mismatch", "22027": "trim error", "2202E": "array subscript error",
	"2202G": "invalid TABLESAMPLE repeat", "2202H": "invalid TABLESAMPLE argument", "22030": "duplicate JSON object key value", "22031": "invalid argument for SQL/JSON datetime function",
	"22032": "invalid JSON text", "22033": "invalid SQL/JSON subscript", "22034": "more than one SQL/JSON item", "22035": "no SQL/JSON item", "22036": "non-numeric SQL/JSON item",
	"22037": "non-unique keys in a JSON object", "22038": "singleton SQL/JSON item required", "22039": "SQL/JSON array not found", "2203A": "SQL/JSON member not found",
	"2203B": "SQL/JSON number not found", "2203C": "SQL/JSON object not found", "2203D": "too many JSON array elements", "2203E": "too many JSON object members",
	"2203F": "SQL/JSON scalar required", "2203G": "SQL/JSON item cannot be cast to target type", "22P01": "floating point exception", "22P02": "invalid text representation",
	"22P03": "invalid binary representation", "22P04": "bad COPY file format", "22P05": "untranslatable character", "22P06": "nonstandard use of escape character",
	"23001": "restrict violation", "23502": "not-null violation", "23503": "foreign key violation", "23505": "unique violation",
	"23514": "check violation", "23P01": "exclusion violation", "40P01": "deadlock detected", "40001": "serialization failure",
	"P0001": "error raised by a function", "P0002": "no data found", "P0003": "too many rows", "P0004": "assertion failure",
	"XX001": "data corrupted", "XX002": "index corrupted",
}
