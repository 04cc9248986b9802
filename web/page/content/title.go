package content

import (
	"encoding/json"
	"fmt"
	"strings"
)

// titleOf names one of several documents: an event of a Kubernetes watch by its type and object, a message of JSON-RPC by
// its method.
func titleOf(i int, doc []byte) string {
	var w struct {
		Type   string
		Object struct {
			Kind     string
			Metadata struct{ Namespace, Name string }
		}
		Method string
	}
	n := fmt.Sprintf("%d", i+1)
	if json.Unmarshal(doc, &w) != nil {
		return n
	}
	switch {
	case w.Type != "" && w.Object.Kind != "":
		where := strings.TrimPrefix(w.Object.Metadata.Namespace+"/"+w.Object.Metadata.Name, "/")
		return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", n, w.Type, w.Object.Kind, where))
	case w.Method != "":
		return n + " " + w.Method
	}
	return n
}
