package page

import (
	"context"
	"net/http"
	"slices"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/web/api"
)

// Beside a hold stands what is known of who asks: what else of them was held and how that was decided, which everybody sees who
// sees holds; and what they did and what was blocked, which is in records. That is loaded when it is asked for, by those who may
// read records, and is recorded like any other read.

// Bounds of what is looked at.
const (
	holdsLooked    = 500 // newest, of the target or of the identity's other ones
	holdsShown     = 20
	sessionsLooked = 5
	actionsLooked  = 1000 // of a session with something blocked
	actionsLast    = 15
	blocksShown    = 10
)

// heldBefore are other holds of the same chain of actors, newest first.
func (s *server) heldBefore(ctx context.Context, h *hold.Hold) (out []hold.Hold, err error) {
	list, err := s.Approvals.List(ctx, api.HoldFilter{Limit: holdsLooked})
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		if o.ID != h.ID && sameActors(o.Identity.Actors, h.Identity) && len(out) < holdsShown {
			out = append(out, o)
		}
	}
	return out, nil
}

func sameActors(actors []string, id identity.Identity) bool { return slices.Equal(actors, id.Actors) }

type historyData struct {
	Hold     hold.Hold
	Sessions []audit.Session
	Last     []audit.Action // newest first
	Blocked  []audit.Action // newest first
}

// history is what who asks did lately.
func (s *server) history(w http.ResponseWriter, r *http.Request, c api.Caller) error {
	h, err := s.Approvals.Show(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	d := historyData{Hold: h}
	if err := d.load(r.Context(), s, h.Identity); err != nil {
		return err
	}
	ids := make([]string, len(d.Sessions))
	for i, one := range d.Sessions {
		ids[i] = one.ID
	}
	if err := s.RecordReadOf(r, c, access.Actions, "beside the hold "+h.ID, ids...); err != nil {
		return err
	}
	if r.URL.Query().Get("part") != "" {
		return s.part(w, r, "history", d)
	}
	s.show(w, r, http.StatusOK, "history", d)
	return nil
}

// load reads the newest sessions, and the newest with something blocked.
func (d *historyData) load(ctx context.Context, s *server, id identity.Identity) error {
	for _, f := range []audit.Filter{{Identity: id.Subject, Limit: sessionsLooked}, {Identity: id.Subject, Verdict: "block", Limit: sessionsLooked}} {
		page, err := s.Sessions.List(ctx, f)
		if err != nil {
			return err
		}
		for _, one := range page.Sessions {
			known := slices.ContainsFunc(d.Sessions, func(o audit.Session) bool { return o.ID == one.ID })
			if known || access.Is(one.ID) || !sameActors(one.Actors, id) {
				continue
			}
			d.Sessions = append(d.Sessions, one)
			if err := d.actions(ctx, s, one); err != nil {
				return err
			}
		}
	}
	newest := func(a, b audit.Action) int { return b.Time.Compare(a.Time) }
	slices.SortStableFunc(d.Last, newest)
	slices.SortStableFunc(d.Blocked, newest)
	d.Last, d.Blocked = d.Last[:min(len(d.Last), actionsLast)], d.Blocked[:min(len(d.Blocked), blocksShown)]
	return nil
}

// actions takes the last of a session, and those that were blocked among its last actionsLooked.
func (d *historyData) actions(ctx context.Context, s *server, one audit.Session) error {
	look := int64(actionsLast)
	if one.Blocked > 0 {
		look = actionsLooked
	}
	list, err := s.Sessions.Actions(ctx, one.ID, uint64(max(0, int64(one.Actions)-look)), int(look))
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.Verdict == "block" {
			d.Blocked = append(d.Blocked, a)
		}
	}
	slices.Reverse(list)
	d.Last = append(d.Last, list[:min(len(list), actionsLast)]...)
	return nil
}
