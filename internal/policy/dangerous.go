package policy

import (
	"slices"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/kube"
)

// Features that only parsers and this package speak of so far.
const (
	featureUnknownStatement = "unknown_statement"
	featureStatistics       = "statistics"    // reads planner statistics, which hold values
	featureSessionTexts     = "session_texts" // reads what other sessions run
	featureLargeObject      = "large_object"  // touches large objects
	featureCredentials      = "credentials"   // reads password hashes or connection strings
	featureClientFile       = "client_file"   // has the client send a file (LOCAL INFILE)
	featureAdmin            = "admin"         // acts on the server or on other sessions
)

// danger is a feature that blocks unless a rule names it in features_allowed.
type danger struct {
	feature, reason, hint string
	// masks: it is dangerous only while column masks are in force.
	masks bool
	// body: it is dangerous only while the policy looks at bodies.
	body bool
}

var dangers = []danger{
	{action.FeatureUnparsed, "the statement cannot be parsed, so nothing is known about it", "check its syntax", false, false},
	{featureUnknownStatement, "this kind of statement is not known", "use an ordinary SELECT, INSERT, UPDATE or DELETE", false, false},
	{action.FeatureReplication, "replication commands are not allowed", "", false, false},
	{action.FeatureFunctionCall, "the FunctionCall message is not allowed", "use SELECT function(…)", false, false},
	{action.FeatureProgram, "running programs on the server is not allowed", "use COPY … TO STDOUT or COPY … FROM STDIN", false, false},
	{action.FeatureServerFile, "the server's files may not be touched", "use COPY … TO STDOUT or COPY … FROM STDIN", false, false},
	{featureClientFile, "the client's files may not be read", "send the rows with INSERT", false, false},
	{action.FeatureDynamic, "it runs code that cannot be seen", "send the statements themselves instead", false, false},
	{action.FeatureOpaque, "it calls a function whose effects cannot be seen", "use built-in functions and plain SQL", false, false},
	{action.FeatureRole, "changing the role is not allowed", "open a session as somebody who may do this", false, false},
	{featureCredentials, "the target's credentials may not be read", "", false, false},
	{featureAdmin, "it acts on the server or on other sessions", "", false, false},
	{action.FeatureUnresolved, "it names something that is not in the catalog", "check the names, and write them with their schema", false, false},
	{action.FeatureMethodOverride, "it asks the target to take it for another method", "send that method itself", false, false},
	{action.FeatureEncodedSlash, "the path has an encoded slash, which some targets take for a slash", "", false, false},
	{action.FeatureAmbiguous, "it can be read in two ways", "send it in plain form: no double encoding, nothing twice", false, false},
	{action.FeatureBodyTooLarge, "its body is too large to be judged", "send less at once", false, true},
	{action.FeatureOpaqueBody, "its body cannot be judged", "send JSON or a form", false, true},
	{kube.FeaturePrivileged, "its containers would have more than ordinary rights on the node", "leave privileged, allowPrivilegeEscalation and added capabilities out", false, false},
	{kube.FeatureHostPath, "its containers would have files of the node", "use a volume of another kind than hostPath", false, false},
	{kube.FeatureHostSpace, "its containers would share the node's network, processes or IPC", "leave hostNetwork, hostPID and hostIPC out", false, false},
	{kube.FeatureSecretUse, "its containers would get secrets", "", false, false},
	{kube.FeatureRBAC, "it changes who may do what in the cluster", "", false, false},
	{kube.FeatureExtends, "it changes what the API server does", "", false, false},
	{kube.FeatureProxy, "it speaks to a node, pod or service through the API server, which cannot be judged", "", false, false},
	{kube.FeatureMaskedValue, "it would overwrite a value with what its mask leaves of it", "send a patch with what shall change only", false, false},
	{kube.FeatureOpaquePatch, "the patch copies, moves or tests what is there", "send a merge patch with the values", false, false},
	{featureStatistics, "", "", true, false},
	{featureSessionTexts, "", "", true, false},
	{featureLargeObject, "", "", true, false},
	{action.FeatureRename, "", "", true, false},
}

// DangerousFeatures are the features that block unless an allow or hold rule names
// them in features_allowed; those for which masks is true do so only while
// column masks are in force, those for which body is true only while the policy looks at bodies.
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
func uncoveredFeature(a *action.Action, all []candidate, body bool) *Decision {
	for _, d := range dangers {
		if d.masks || d.body && !body || !a.Has(d.feature) && !(d.feature == action.FeatureOpaque && hasOpaque(a)) {
			continue
		}
		ok := slices.ContainsFunc(all, func(c candidate) bool { return c.allows(d.feature, a) })
		if d.feature == action.FeatureOpaque && ok {
			for _, f := range a.Functions {
				if f.Opaque && !slices.ContainsFunc(all, func(c candidate) bool {
					return c.allows(d.feature, a) && c.coversFunction(f)
				}) {
					_, hint := d.words(a)
					return refuse("no rule allows the opaque "+calledName(a, f), hint)
				}
			}
		}
		if !ok {
			if what, text := a.Features[d.feature].(string); text && d.feature == action.FeatureAmbiguous {
				return refuse(d.reason+" ("+what+")", d.hint)
			}
			return refuse(d.words(a))
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
