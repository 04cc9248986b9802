package kube

import (
	"strconv"
	"strings"

	"dragoman.dev/dragoman/internal/action"
)

// walker finds what matters wherever it stands, since pods are within templates of resources that nobody here knows.
type walker struct {
	features map[string]any
	sets     map[string]map[string]bool
	ingress  bool // names the secrets of its certificates, which it does not show
}

func (w *walker) add(feature, value string) {
	if w.sets[feature] == nil {
		w.sets[feature] = map[string]bool{}
	}
	w.sets[feature][value] = true
}

func (w *walker) value(name string, v any, depth int) {
	if v == nil || depth > maxDepth*2 {
		return
	}
	switch x := v.(type) {
	case map[string]any:
		for k, inner := range x {
			w.value(k, inner, depth+1)
		}
	case []any:
		for _, inner := range x {
			w.value(name, inner, depth+1)
		}
	}
	w.member(name, v)
}

// member is one member that says something.
func (w *walker) member(name string, v any) {
	text, _ := v.(string)
	if text == masked || text == masked64 {
		w.features[FeatureMaskedValue] = true
	}
	switch name {
	case "hostPath":
		w.features[FeatureHostPath] = true
	case "privileged", "allowPrivilegeEscalation":
		if v == true {
			w.features[FeaturePrivileged] = true
		}
	case "capabilities":
		if m, ok := v.(map[string]any); ok && m["add"] != nil {
			w.features[FeaturePrivileged] = true
		}
	case "hostNetwork", "hostPID", "hostIPC", "hostUsers":
		if (v == true) != (name == "hostUsers") {
			w.features[FeatureHostSpace] = true
		}
	case "image":
		if text != "" {
			w.add(FeatureImage, text)
		}
	case "serviceAccountName", "serviceAccount":
		if text != "" {
			w.add(FeatureService, text)
		}
	case "secret", "secrets", "imagePullSecrets":
		if m, ok := v.(map[string]any); ok {
			w.secret(m)
		}
	case "ephemeralContainers":
		w.features[FeatureEphemeral] = true
	case "type":
		if text == "kubernetes.io/service-account-token" {
			w.features[FeatureCredentials] = true
		}
	default:
		w.reference(name, v)
	}
}

// reference is a member that names a secret: secretKeyRef, envFrom's secretRef, CSI's nodePublishSecretRef, azureFile's
// secretName, and those of custom resources, whose controllers would read it.
func (w *walker) reference(name string, v any) {
	low := strings.ToLower(name)
	switch x := v.(type) {
	case map[string]any:
		if strings.HasSuffix(low, "secretref") || strings.HasSuffix(low, "secretkeyref") || strings.HasSuffix(low, "secretkeyselector") {
			w.secret(x)
		}
	case string:
		if x != "" && !w.ingress && (strings.HasSuffix(low, "secretname") || strings.HasSuffix(low, "-secret-name")) {
			w.add(FeatureSecretUse, x)
		}
	}
}

// What a mask leaves of a text (mask.Hidden), also in base64.
const (
	masked   = "[redacted]"
	masked64 = "W3JlZGFjdGVkXQ=="
)

func (w *walker) secret(m map[string]any) {
	for _, k := range []string{"name", "secretName"} {
		if s, ok := m[k].(string); ok && s != "" {
			w.add(FeatureSecretUse, s)
		}
	}
}

// operations are those of a JSON patch as a document of what they set.
func (w *walker) operations(doc any) any {
	list, ok := doc.([]any)
	if !ok {
		w.features[action.FeatureUnparsed] = true
		return nil
	}
	var out []any
	for _, one := range list {
		m, _ := one.(map[string]any)
		op, _ := m["op"].(string)
		path, isPath := m["path"].(string)
		switch {
		case !isPath || len(path) > maxPath || strings.Count(path, "/") > maxDepth:
			w.features[action.FeatureUnparsed] = true
		case op == "add" || op == "replace":
			out = append(out, nest(path, m["value"]))
		case op == "remove":
		default: // copy, move, test
			w.features[FeatureOpaquePatch] = true
		}
	}
	return out
}

// nest puts a value under the members of a JSON pointer; an index stands for an element of the list above it.
func nest(path string, v any) any {
	parts := strings.Split(path, "/")
	for i := len(parts) - 1; i > 0; i-- {
		name := strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[i])
		if _, err := strconv.Atoi(name); err == nil || name == "-" {
			v = []any{v}
			continue
		}
		v = map[string]any{name: v}
	}
	return v
}
