package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/record"
)

// maxReadText bounds what the access log keeps of a question, in bytes.
const maxReadText = 1024

// record writes a read into the access log. When that fails, nothing is served.
func (h *Guard) record(r *http.Request, c Caller, way, text string, refused error, sessions ...string) error {
	for len(sessions) > access.MaxSessions {
		if err := h.record(r, c, way, text, refused, sessions[:access.MaxSessions]...); err != nil {
			return err
		}
		sessions = sessions[access.MaxSessions:]
	}
	sessions = slices.DeleteFunc(slices.Clone(sessions), func(id string) bool { return !record.ValidSession(id) })
	one := access.Read{By: c.Identity, Via: c.Via, Client: r.RemoteAddr, Way: way, Sessions: sessions,
		Text: strings.ToValidUTF8(text[:min(len(text), maxReadText)], "?")}
	if c.Via == ViaSocket {
		one.Client = ""
	}
	if refused != nil {
		one.Refused = refused.Error()
	}
	if err := h.Reads.Record(one); err != nil {
		h.Log.Error("api: a read cannot be recorded, and is refused", "way", way, "by", c.Identity.Chain(), "err", err)
		return fmt.Errorf("%w: this read cannot be recorded, so it is refused; the control plane's log has the cause", ErrUnavailable)
	}
	return nil
}

// wayOf is how a session is read: what the caller says that it reads the frames for, or what the route is.
func wayOf(r *http.Request, to Route) string {
	if w := r.URL.Query().Get("way"); to.Way == access.Frames && slices.Contains([]string{access.Replay, access.Export}, w) {
		return w
	}
	return to.Way
}

// listReads shows the access log; that is a read, too.
func (h *handler) listReads(w http.ResponseWriter, r *http.Request, c Caller) error {
	q := query{r: r}
	f := access.Filter{Session: q.text("session"), Identity: q.text("identity"), Since: q.moment("since"), Until: q.moment("until"), Limit: int(q.number("limit"))}
	if q.err != nil {
		return q.err
	}
	if err := h.record(r, c, access.Reads, r.URL.RawQuery, nil); err != nil {
		return err
	}
	list, err := h.Reads.List(r.Context(), f)
	if err != nil {
		return err
	}
	return reply(w, map[string]any{"reads": list})
}
