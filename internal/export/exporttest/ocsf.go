// Package exporttest checks what leaves in standard forms, by those forms' own words. Tests use it only.
package exporttest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

//go:embed ocsf-1.8.0.json
var published []byte

// The classes and objects of the Open Cybersecurity Schema Framework that we use, and its version.
var ocsf = sync.OnceValues(func() (s schema, err error) { return s, json.Unmarshal(published, &s) })

// OCSFVersion is that of the schema.
func OCSFVersion() string { s, _ := ocsf(); return s.Version }

// OCSF lists what is wrong with an event by the published schema, nothing if it is valid. The event is anything that is an object in JSON.
func OCSF(event any) []string {
	s, err := ocsf()
	if err != nil {
		return []string{err.Error()}
	}
	return s.check(event)
}

// schema is the part of the published schema that we use, in a compact form.
type schema struct {
	Version          string
	Classes, Objects map[string]shape
}

type shape struct {
	UID         int                 `json:"uid"`
	Caption     string              `json:"caption"`
	CategoryUID int                 `json:"category_uid"`
	Category    string              `json:"category"`
	Constraints map[string][]string `json:"constraints"`
	Attributes  map[string]attribute
}

type attribute struct {
	Type     string
	Array    bool
	Required bool
	Enum     map[string]string
}

// check lists what is wrong with an event, as it is after JSON.
func (s schema) check(event any) []string {
	b, err := json.Marshal(event)
	var o map[string]any
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	if err != nil {
		return []string{err.Error()}
	}
	for _, c := range s.Classes {
		if num(o["class_uid"]) == c.UID {
			v := validator{s: s}
			v.object("", o, c)
			v.class(o, c)
			return v.found
		}
	}
	return []string{fmt.Sprintf("class_uid %v is not one of ours", o["class_uid"])}
}

func num(v any) int { f, _ := v.(float64); return int(f) }

type validator struct {
	s     schema
	found []string
}

func (v *validator) addf(format string, args ...any) {
	v.found = append(v.found, fmt.Sprintf(format, args...))
}

// class checks what hangs together: uids, and the captions beside them.
func (v *validator) class(o map[string]any, c shape) {
	if num(o["category_uid"]) != c.CategoryUID || o["category_name"] != c.Category || o["class_name"] != c.Caption {
		v.addf("category %v %v, class %v", o["category_uid"], o["category_name"], o["class_name"])
	}
	if num(o["type_uid"]) != c.UID*100+num(o["activity_id"]) {
		v.addf("type_uid %v", o["type_uid"])
	}
	if caption := c.Attributes["activity_id"].Enum[strconv.Itoa(num(o["activity_id"]))]; caption != "Other" && o["activity_name"] != caption {
		v.addf("activity_name %v, want %s", o["activity_name"], caption)
	}
}

func (v *validator) object(path string, o map[string]any, c shape) {
	for name, a := range c.Attributes {
		if _, ok := o[name]; a.Required && !ok {
			v.addf("%s%s is required", path, name)
		}
	}
	if list := c.Constraints["at_least_one"]; list != nil {
		any := false
		for _, name := range list {
			_, ok := o[name]
			any = any || ok
		}
		if !any {
			v.addf("%s: at least one of %v is required", path, list)
		}
	}
	for name, value := range o {
		a, ok := c.Attributes[name]
		if !ok {
			v.addf("%s%s is not in the schema", path, name)
			continue
		}
		v.value(path+name, value, a)
		// The caption beside a normalized id.
		if id, ok := c.Attributes[name+"_id"]; ok && id.Enum != nil {
			if want := id.Enum[strconv.Itoa(num(o[name+"_id"]))]; want != "Other" && want != value {
				v.addf("%s%s is %v, its id says %s", path, name, value, want)
			}
		}
	}
}

func (v *validator) value(path string, value any, a attribute) {
	if a.Array {
		list, ok := value.([]any)
		if !ok {
			v.addf("%s is no array", path)
		}
		for i, one := range list {
			v.value(fmt.Sprintf("%s[%d]", path, i), one, attribute{Type: a.Type, Enum: a.Enum})
		}
		return
	}
	good := false
	switch a.Type {
	case "integer_t", "long_t", "timestamp_t", "port_t":
		f, ok := value.(float64)
		good = ok && f == float64(int64(f)) && (a.Type != "port_t" || f <= 65535)
		if _, known := a.Enum[strconv.Itoa(int(f))]; a.Enum != nil && !known {
			v.addf("%s: %v is not one of %v", path, f, a.Enum)
		}
	case "boolean_t":
		_, good = value.(bool)
	case "ip_t":
		text, _ := value.(string)
		_, err := netip.ParseAddr(text)
		good = err == nil
	case "object", "json_t":
		good = true
	default:
		if strings.HasSuffix(a.Type, "_t") {
			text, ok := value.(string)
			good = ok && (text != "" || strings.HasSuffix(path, "query_string")) // an empty text says nothing; an empty query is one
			break
		}
		o, ok := value.(map[string]any)
		shape, known := v.s.Objects[a.Type]
		if good = ok; ok && !known {
			v.addf("%s: the compact schema has no object %s", path, a.Type)
		} else if ok {
			v.object(path+".", o, shape)
		}
	}
	if !good {
		v.addf("%s: %v is no %s", path, value, a.Type)
	}
}
