package main

import (
	"time"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/record"
)

// requestsNode is the node of the records of requests that others' Envoys asked about: no Envoy can have this name.
const requestsNode = "(ext_authz)"

func (c *control) openRequests() (err error) {
	c.requests, err = access.Open(access.Options{Dir: c.cfg.RequestsDir(), Ingest: c.records, Node: requestsNode, Log: c.log, Now: time.Now})
	if err != nil {
		return err
	}
	c.closes(c.requests, "records of requests")
	return nil
}

// modeOf is how safe a target's records must be.
func (c *control) modeOf(target string) record.Mode {
	for i := range c.cfg.Targets {
		if t := &c.cfg.Targets[i]; t.Name == target {
			if mode, err := record.ParseMode(t.Audit.Durability); err == nil {
				return mode
			}
		}
	}
	return record.ModeFsync
}
