package kube

import "strings"

// SelectedLabels are the labels that a label selector asks about: "a=b, c in (d,e), !f". What cannot be read is given as it is.
func SelectedLabels(selector string) []string {
	var out []string
	depth := 0
	for term := range strings.FieldsFuncSeq(selector, func(r rune) bool {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		return r == ',' && depth <= 0
	}) {
		term = strings.TrimLeft(strings.TrimSpace(term), "! ")
		if i := strings.IndexAny(term, "=!<> \t("); i >= 0 {
			term = term[:i]
		}
		if term != "" {
			out = append(out, term)
		}
	}
	return out
}

// SelectedFields are the fields that a field selector asks about: "a.b=c,d!=e".
func SelectedFields(selector string) []string {
	var out []string
	for term := range strings.SplitSeq(selector, ",") {
		if i := strings.IndexAny(term, "=!"); i >= 0 {
			term = term[:i]
		}
		if term = strings.TrimSpace(term); term != "" {
			out = append(out, term)
		}
	}
	return out
}
