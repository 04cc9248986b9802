package policy

import (
	"slices"

	"dragoman.dev/dragoman/internal/action"
)

// Features that only parsers and this package speak of so far.
const (
	featureUnknownStatement = "unknown_statement"
	featureStatistics       = "statistics"    // reads planner statistics, which hold values
	featureSessionTexts     = "session_texts" // reads what other sessions run
	featureLargeObject      = "large_object"  // touches large objects
	featureCredentials      = "credentials"   // reads password hashes or connection strings
	featureAdmin            = "admin"         // acts on the server or on other sessions
)

// danger is a feature that blocks unless a rule names it in features_allowed.
type danger struct {
	feature, reason, hint string
	// masks: it is dangerous only while column masks are in force.
	masks bool
}

var dangers = []danger{
	{action.FeatureUnparsed, "the statement cannot be parsed, so nothing is known about it", "check its syntax", false},
	{featureUnknownStatement, "this kind of statement is not known", "use an ordinary SELECT, INSERT, UPDATE or DELETE", false},
	{action.FeatureReplication, "replication commands are not allowed", "", false},
	{action.FeatureFunctionCall, "the FunctionCall message is not allowed", "use SELECT function(…)", false},
	{action.FeatureProgram, "running programs on the server is not allowed", "use COPY … TO STDOUT or COPY … FROM STDIN", false},
	{action.FeatureServerFile, "the server's files may not be touched", "use COPY … TO STDOUT or COPY … FROM STDIN", false},
	{action.FeatureDynamic, "it runs code that cannot be seen", "send the statements themselves instead", false},
	{action.FeatureOpaque, "it calls a function whose effects cannot be seen", "use built-in functions and plain SQL", false},
	{action.FeatureRole, "changing the role is not allowed", "open a session as somebody who may do this", false},
	{featureCredentials, "the target's credentials may not be read", "", false},
	{featureAdmin, "it acts on the server or on other sessions", "", false},
	{action.FeatureUnresolved, "it names something that is not in the catalog", "check the names, and write them with their schema", false},
	{featureStatistics, "", "", true},
	{featureSessionTexts, "", "", true},
	{featureLargeObject, "", "", true},
	{action.FeatureRename, "", "", true},
}

// DangerousFeatures are the features that block unless an allow or hold rule names
// them in features_allowed; those for which masks is true do so only while
// column masks are in force.
func DangerousFeatures() []string {
	out := make([]string, 0, len(dangers))
	for _, d := range dangers {
		out = append(out, d.feature)
	}
	return out
}

func isDangerous(feature string) bool {
	return slices.ContainsFunc(dangers, func(d danger) bool { return d.feature == feature })
}

// uncoveredFeature names the first dangerous feature that no rule allows. A rule
// allows a feature only for actions whose tables it covers alone, and an opaque
// function only if it covers the function.
func uncoveredFeature(a *action.Action, all []candidate) *Decision {
	for _, d := range dangers {
		if d.masks || !a.Has(d.feature) && !(d.feature == action.FeatureOpaque && hasOpaque(a)) {
			continue
		}
		ok := slices.ContainsFunc(all, func(c candidate) bool { return c.allows(d.feature, a) })
		if d.feature == action.FeatureOpaque && ok {
			for _, f := range a.Functions {
				if f.Opaque && !slices.ContainsFunc(all, func(c candidate) bool {
					return c.allows(d.feature, a) && c.coversFunction(f)
				}) {
					return refuse("no rule allows the opaque function "+f.Schema+"."+f.Name, d.hint)
				}
			}
		}
		if !ok {
			return refuse(d.reason, d.hint)
		}
	}
	return nil
}

func hasOpaque(a *action.Action) bool {
	return slices.ContainsFunc(a.Functions, func(f action.Function) bool { return f.Opaque })
}

func (c *candidate) allows(feature string, a *action.Action) bool {
	return slices.Contains(c.features, feature) && c.coversObjects(a)
}
