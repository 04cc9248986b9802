//go:build modtest

package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
)

// httpKinds of the test build: one filter that does as the request says.
func httpKinds() []filters.HTTPKind {
	return []filters.HTTPKind{{Name: "obey", Configure: func(config []byte) (filters.HTTP, error) {
		if string(config) == "reject" {
			return nil, fmt.Errorf("told to reject")
		}
		return obey{string(config)}, nil
	}}}
}

type obey struct{ config string }

func (o obey) NewStream(s filters.HTTPStream) api.StreamFilter {
	return &obedient{s: s, config: o.config}
}

// obedient does what the header x-do says:
//
//	post: continues from a goroutine        panic, panic-post, panic-body, panic-response
//	deny: answers 403                       head: answers with a head only
//	upper: writes the response's body in upper case, and keeps each piece for 20 ms
type obedient struct {
	api.PassThroughStreamFilter
	s      filters.HTTPStream
	config string
	do     string
	wait   int
}

func (o *obedient) DecodeHeaders(h api.RequestHeaderMap, _ bool) api.StatusType {
	o.do, _ = h.Get("x-do")
	h.Del("x-do")
	h.Set("X-Config", o.config)
	h.Add("x-seen", h.Method()+" "+h.Path()+" "+o.s.Protocol())
	switch o.do {
	case "panic":
		panic("told to, in DecodeHeaders")
	case "panic-post":
		o.wait = 1
		go o.s.Post(func() { panic("told to, in Post") })
		return api.HeaderStopIteration
	case "post":
		go func() {
			time.Sleep(20 * time.Millisecond)
			o.s.Post(func() { o.wait = 0; o.s.DecoderFilterCallbacks().Continue(api.Continue) })
		}()
		o.wait = 1
		return api.HeaderStopIteration
	case "deny":
		o.s.DecoderFilterCallbacks().SendLocalReply(http.StatusForbidden, "no\n", map[string][]string{"x-why": {"told", "to"}}, 0, "test")
		return api.LocalReply
	case "head":
		o.s.Headers([][2]string{{":status", "200"}, {"grpc-status", "7"}})
		return api.LocalReply
	}
	return api.Continue
}

func (o *obedient) DecodeData(b api.BufferInstance, _ bool) api.StatusType {
	if o.do == "panic-body" {
		panic("told to, in DecodeData")
	}
	if o.wait > 0 && o.do != "upper" {
		return api.StopAndBufferWatermark
	}
	return api.Continue
}

func (o *obedient) EncodeHeaders(h api.ResponseHeaderMap, _ bool) api.StatusType {
	switch o.do {
	case "panic-response":
		panic("told to, in EncodeHeaders")
	case "upper":
		h.Del("content-length")
	}
	h.Set("x-upstream", o.s.UpstreamAddr())
	return api.Continue
}

func (o *obedient) EncodeData(b api.BufferInstance, _ bool) api.StatusType {
	if o.do != "upper" {
		return api.Continue
	}
	_ = b.SetString(strings.ToUpper(b.String()))
	o.wait++
	time.AfterFunc(20*time.Millisecond, func() {
		o.s.Post(func() {
			if o.wait--; o.wait == 0 {
				o.s.EncoderFilterCallbacks().Continue(api.Continue)
			}
		})
	})
	return api.StopAndBufferWatermark
}
