package rdp

import (
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// Schemas of what an action is about: a channel that is opened, what the clipboard carries, a file on it.
const (
	ofChannel   = "channel"
	ofClipboard = "clipboard"
	ofFile      = "file"
)

// channelAction is an action without objects but one.
func channelAction(verb, schema, name, text string, write bool) action.Action {
	name = gate.Printable(name, 1024)
	act := gate.Plain(action.KindChannel, verb, text)
	act.Fingerprint += " " + schema
	o := []action.Object{{Schema: schema, Name: name, Columns: []string{}}}
	if write {
		act.Writes = o
	} else {
		act.Reads = o
	}
	return act
}
