package page

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/web/api"
)

type approvalsData struct {
	Pending []hold.Hold
	Ended   []hold.Hold
}

// endedShown is how many holds that were decided the inbox shows.
const endedShown = 50

func (s *server) approvals(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	var d approvalsData
	var err error
	if d.Pending, err = s.Approvals.List(r.Context(), api.HoldFilter{States: []hold.State{hold.Pending}}); err != nil {
		return err
	}
	if d.Ended, err = s.Approvals.List(r.Context(), api.HoldFilter{States: []hold.State{hold.Approved, hold.Used, hold.Denied, hold.Expired, hold.Withdrawn}, Limit: endedShown}); err != nil {
		return err
	}
	if r.URL.Query().Get("part") != "" {
		return s.part(w, r, "approvals", d)
	}
	s.show(w, r, http.StatusOK, "approvals", d)
	return nil
}

type approvalData struct {
	Hold    hold.Hold
	Yes     int         // people who have approved
	History []hold.Hold // others of the same actors
	Shapes  []shapeTime // for how long its shape may be approved; none: once only
}

func (s *server) approval(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	h, err := s.Approvals.Show(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	d := approvalData{Hold: h, Shapes: shapeTimes(h.ShapeFor), Yes: yes(h.Decisions)}
	if d.History, err = s.heldBefore(r.Context(), &h); err != nil {
		return err
	}
	s.show(w, r, http.StatusOK, "approval", d)
	return nil
}

// yes is how many have approved.
func yes(list []hold.Decision) (n int) {
	for _, one := range list {
		if one.Approve {
			n++
		}
	}
	return n
}

// shapeTime is a choice of the form.
type shapeTime struct{ Value, Text string }

// shapeTimes are those within what policy permits.
func shapeTimes(most time.Duration) (list []shapeTime) {
	for _, d := range []time.Duration{time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 4 * time.Hour, 8 * time.Hour} {
		if d < most {
			list = append(list, shapeTime{d.String(), spoken(d)})
		}
	}
	if most > 0 {
		list = append(list, shapeTime{most.String(), spoken(most)})
	}
	return list
}

// spoken is a duration without its zeros: 10m, 1h30m.
func spoken(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// decide takes a decision: on what the page showed, which the digest says.
func (s *server) decide(w http.ResponseWriter, r *http.Request, c api.Caller) error {
	id, digest := r.PathValue("id"), r.PostFormValue("digest")
	v := api.Vote{ID: id, Digest: digest, By: c.Identity, Reason: r.PostFormValue("reason"), Via: c.Via}
	var err error
	if v.ShapeFor, err = api.ShapeTime(r.PostFormValue("shape_for")); err != nil {
		return err
	}
	v.ShapePool = v.ShapeFor > 0 && r.PostFormValue("shape_pool") != ""
	switch verdict := r.PostFormValue("decision"); {
	case digest == "":
		return fmt.Errorf("%w: the form does not say what it decides about", api.ErrInvalid)
	case verdict == "approve":
		v.Approve = true
	case verdict == "deny": // for good, whatever else the form says
		v.ShapeFor, v.ShapePool = 0, false
	default:
		return fmt.Errorf("%w: decision %q is neither approve nor deny", api.ErrInvalid, verdict)
	}
	if _, err := s.Approvals.Decide(r.Context(), v); err != nil {
		return err
	}
	http.Redirect(w, r, "/approvals/"+url.PathEscape(id), http.StatusSeeOther)
	return nil
}

const heartbeat = 15 * time.Second

// watch tells a page by events that a hold has changed; the page then loads what it shows.
func (s *server) watch(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	changes := s.Approvals.Watch(r.Context())
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	text := ": hello\n\n"
	for {
		_ = out.SetWriteDeadline(time.Now().Add(2 * heartbeat))
		if _, err := w.Write([]byte(text)); err != nil || out.Flush() != nil {
			return nil
		}
		select {
		case h, ok := <-changes:
			if !ok {
				return nil // the browser connects again
			}
			text = "event: hold\ndata: " + url.PathEscape(h.ID) + "\n\n"
		case <-beat.C:
			if _, err := s.logins.Caller(r); err != nil {
				return nil // signed out, or its token was revoked
			}
			text = ": \n\n"
		case <-r.Context().Done():
			return nil
		}
	}
}
