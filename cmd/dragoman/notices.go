package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/holdnotice"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/notify"
)

// openNotices begins to tell the places of the config of holds.
func (c *control) openNotices() error {
	d := &holdnotice.Delivery{Holds: noticeHolds{c.approvals}, Left: c.left, Page: c.pageURL(), Log: c.log.With("from", "holdnotice"), Now: time.Now}
	for i := range c.cfg.Approvals.Notify {
		s, err := c.noticeTo(&c.cfg.Approvals.Notify[i])
		if err != nil {
			return fmt.Errorf("approvals.notify[%d]: %w", i, err)
		}
		d.Senders = append(d.Senders, s)
	}
	if len(d.Senders) == 0 {
		return nil
	}
	c.background(d.Run)
	return nil
}

// maxLeft bounds the holds of processes that are gone which wait to be told of: as many as may wait in one.
const maxLeft = 10_000

// leaves takes holds whose process is gone, when anybody is told of holds.
func (c *control) leaves() func(hold.Hold) {
	if len(c.cfg.Approvals.Notify) == 0 {
		return nil
	}
	c.left = make(chan hold.Hold, maxLeft)
	return func(h hold.Hold) {
		select {
		case c.left <- h:
		default:
			c.log.Error("too many notices wait; one is left out", "hold", h.ID)
		}
	}
}

// noticeHolds are the holds that notices are told of.
type noticeHolds struct{ *approval.Service }

// Pending implements holdnotice.Source.
func (n noticeHolds) Pending(ctx context.Context) ([]hold.Hold, error) {
	return n.List(ctx, approval.Filter{States: []hold.State{hold.Pending}, Limit: approval.MaxLimit})
}

func (c *control) noticeTo(n *config.HoldNotice) (holdnotice.Sender, error) {
	ca, err := optionalFile(n.CA)
	if err != nil {
		return nil, err
	}
	if n.Kind == config.NoticeEmail {
		return c.noticeByMail(n, ca)
	}
	client, err := notify.NewHTTPClient(ca)
	if err != nil {
		return nil, err
	}
	switch n.Kind {
	case config.NoticeSlack:
		return &holdnotice.Slack{Label: n.Name, URL: c.secret(n.URL), Buttons: n.Secret != "", HTTP: client}, nil
	case config.NoticeTeams:
		return &holdnotice.Teams{Label: n.Name, URL: c.secret(n.URL), HTTP: client}, nil
	}
	return &holdnotice.Webhook{Label: n.Name, URL: c.secret(n.URL), Secret: c.secret(n.Secret), HTTP: client, Now: time.Now}, nil
}

func (c *control) noticeByMail(n *config.HoldNotice, ca []byte) (holdnotice.Sender, error) {
	e := &holdnotice.Email{Label: n.Name, Server: n.Server, From: n.From, To: n.To, User: n.User, Insecure: n.Insecure, Now: time.Now}
	if n.Password != "" {
		e.Password = c.secret(n.Password)
	}
	if ca != nil {
		if e.Roots = x509.NewCertPool(); !e.Roots.AppendCertsFromPEM(ca) {
			return nil, errors.New("ca holds no certificate")
		}
	}
	return e, nil
}

// slackPath is where Slack tells what was pressed.
const slackPath = "/slack/actions"

// maxClick bounds what Slack tells, in bytes.
const maxClick = 256 << 10

// withClicks takes decisions from Slack beside the other handlers, if the config has an app.
func (c *control) withClicks(next http.Handler) http.Handler {
	i := slices.IndexFunc(c.cfg.Approvals.Notify, func(n config.HoldNotice) bool { return n.Kind == config.NoticeSlack && n.Secret != "" })
	if i < 0 {
		return next
	}
	app := &c.cfg.Approvals.Notify[i]
	clicks := &holdnotice.Clicks{Now: time.Now}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != slackPath {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != http.MethodPost {
			http.Error(w, "only Slack posts here", http.StatusMethodNotAllowed)
			return
		}
		http.Error(w, "", c.click(r, app, clicks))
	})
}

// click decides as the member who pressed stands for. The answer is a status alone; Slack shows that something went wrong.
func (c *control) click(r *http.Request, app *config.HoldNotice, clicks *holdnotice.Clicks) (status int) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxClick+1))
	if err != nil || len(body) > maxClick {
		return http.StatusBadRequest
	}
	secret, err := c.secret(app.Secret)(r.Context())
	if err != nil {
		c.log.Error("Slack's signing secret cannot be read", "err", err)
		return http.StatusServiceUnavailable
	}
	click, err := clicks.Read(secret, r.Header, body)
	if err != nil {
		c.log.Warn("a request to Slack's address is refused", "client", r.RemoteAddr, "err", err)
		return http.StatusUnauthorized
	}
	if click.Hold == "" {
		return http.StatusOK
	}
	i := slices.IndexFunc(app.People, func(p config.SlackPerson) bool { return p.Slack == click.User })
	if click.Team != app.Team || i < 0 {
		c.log.Warn("somebody whom approvals.notify does not name pressed a button in Slack", "team", click.Team, "user", click.User, "hold", click.Hold)
		return http.StatusForbidden
	}
	who := app.People[i]
	id := identity.New(who.Subject)
	id.Groups, id.Method, id.Issuer = slices.Clone(who.Groups), identity.MethodLocal, "slack:"+click.Team+"/"+click.User
	v := approval.Vote{ID: click.Hold, Digest: click.Digest, By: id, Via: "slack"}
	if click.Approve {
		_, err = c.approvals.Approve(r.Context(), v)
	} else {
		v.Reason = "denied in Slack"
		_, err = c.approvals.Deny(r.Context(), v)
	}
	if err != nil {
		c.log.Warn("a decision from Slack is refused", "hold", click.Hold, "by", who.Subject, "err", err)
		return http.StatusConflict
	}
	return http.StatusOK
}
