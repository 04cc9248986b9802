package holdnotice

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/notify"
)

const secretValue = "123-45-6789"

func held() hold.Hold {
	return hold.Hold{ID: "hld_1", Session: "ses_1", Target: "shop", Identity: identity.New("user:alice@example.com", "agent:<!channel>\r\nBcc: x@y"), Digest: "d1", Rule: "dba-change",
		Reason: secretValue, Purpose: secretValue, Approvers: []string{"dba"}, State: hold.Pending, Deadline: time.Now().Add(time.Hour),
		Action: action.Action{Kind: action.KindSQL, Verbs: []string{"update"}, Text: "UPDATE customers SET ssn = '" + secretValue + "'", Params: []action.Param{{Value: secretValue}},
			Writes: []action.Object{{Schema: "public", Name: "customers", Columns: []string{"ssn"}}}}}
}

func fixed(s string) Secret { return func(context.Context) (string, error) { return s, nil } }

// receiver keeps what it is sent, and fails the first time.
type receiver struct {
	mu     sync.Mutex
	bodies []string
	heads  []http.Header
	calls  int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	b, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls++; r.calls == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.bodies, r.heads = append(r.bodies, string(b)), append(r.heads, req.Header)
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.bodies...)
}

// TestHTTP: each place is told once of each hold, after a failure too, without any value, and the webhook's signature is right.
func TestHTTP(t *testing.T) {
	const secret = "a-secret-of-more-than-twenty"
	places := []*receiver{{}, {}, {}}
	var at []Secret
	for _, p := range places {
		s := httptest.NewServer(p)
		defer s.Close()
		at = append(at, fixed(s.URL))
	}
	source := &holds{here: map[string]bool{"hld_1": true, "hld_2": true, "hld_4": true}, changes: make(chan hold.Hold), again: make(chan struct{})}
	d := Delivery{Page: "https://dragoman.example.com", Log: slog.New(slog.DiscardHandler), Now: time.Now, Wait: time.Millisecond, Holds: source, Senders: []Sender{
		&Webhook{Label: "w", URL: at[0], Secret: fixed(secret), HTTP: http.DefaultClient, Now: time.Now},
		&Teams{Label: "t", URL: at[1], HTTP: http.DefaultClient}, &Slack{Label: "s", URL: at[2], Buttons: true, HTTP: http.DefaultClient}}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	source.changes <- held()
	source.changes <- held() // a change of the same
	over := held()
	over.ID, over.State = "hld_2", hold.Denied
	source.changes <- over
	elsewhere := held()
	elsewhere.ID = "hld_3" // another replica's, which tells of it
	source.changes <- elsewhere
	missed := held()
	missed.ID = "hld_4"
	source.begin(missed, held())
	close(source.changes) // something was missed
	<-source.again
	for end := time.Now().Add(time.Minute); len(places[0].got()) < 2 || len(places[1].got()) < 2 || len(places[2].got()) < 2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not told")
		}
	}
	cancel()
	<-done
	for i, p := range places {
		got := p.got()
		if len(got) != 2 || !strings.Contains(got[1], "approvals/hld_4") || !strings.Contains(got[0], "https://dragoman.example.com/approvals/hld_1") || !strings.Contains(got[0], "public.customers") || strings.Contains(got[0], secretValue) {
			t.Errorf("place %d was told %q", i, got)
		}
	}
	h := places[0].heads[0]
	if want := notify.Sign(secret, h.Get(notify.TimestampHeader), []byte(places[0].got()[0])); h.Get(notify.SignatureHeader) != want {
		t.Errorf("signed %q, want %q", h.Get(notify.SignatureHeader), want)
	}
	if slack := places[2].got()[0]; !strings.Contains(slack, `"value":"hld_1 d1"`) || strings.Contains(slack, "mrkdwn") {
		t.Errorf("Slack was told %s", slack)
	}
}

func TestHTTPRefused(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	err := (&Teams{URL: fixed(s.URL + "/secret-part"), HTTP: http.DefaultClient}).Send(context.Background(), Of(held(), ""))
	if !errors.Is(err, notify.ErrRejected) {
		t.Error(err)
	}
	s.Close()
	if err := (&Teams{URL: fixed(s.URL + "/secret-part"), HTTP: http.DefaultClient}).Send(context.Background(), Of(held(), "")); err == nil || strings.Contains(err.Error(), "secret-part") {
		t.Error(err)
	}
}

// mailbox is a small SMTP server without TLS.
func mailbox(t *testing.T) (addr string, got <-chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	out := make(chan string, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveMail(c, out)
		}
	}()
	return l.Addr().String(), out
}

func serveMail(c net.Conn, out chan<- string) {
	defer c.Close()
	fmt.Fprint(c, "220 mail.test ESMTP\r\n")
	in, envelope := bufio.NewReader(c), ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch word := strings.ToUpper(strings.Fields(line + " .")[0]); word {
		case "EHLO":
			fmt.Fprint(c, "250 mail.test\r\n")
		case "MAIL", "RCPT":
			if strings.Contains(line, "nobody@") {
				fmt.Fprint(c, "550 no such mailbox\r\n")
				continue
			}
			envelope += strings.TrimSpace(line) + "\n"
			fmt.Fprint(c, "250 ok\r\n")
		case "DATA":
			fmt.Fprint(c, "354 go on\r\n")
			body := ""
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				body += line
			}
			out <- envelope + "\n" + body
			fmt.Fprint(c, "250 taken\r\n")
		case "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "502 no\r\n")
		}
	}
}

func TestEmail(t *testing.T) {
	addr, got := mailbox(t)
	e := &Email{Server: addr, From: "dragoman@example.com", To: []string{"dba@example.com", "ops@example.com"}, Insecure: true, Now: time.Now}
	if err := e.Send(context.Background(), Of(held(), "https://dragoman.example.com")); err != nil {
		t.Fatal(err)
	}
	all := <-got
	_, raw, _ := strings.Cut(all, "\n\n")
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil || !strings.Contains(string(body), "https://dragoman.example.com/approvals/hld_1") || strings.Contains(all, secretValue) {
		t.Errorf("%v: %s", err, body)
	}
	if m.Header.Get("Bcc") != "" || m.Header.Get("Auto-Submitted") != "auto-generated" || strings.Count(all, "RCPT TO") != 2 {
		t.Errorf("%s", all)
	}
	e.To = []string{"nobody@example.com"}
	if err := e.Send(context.Background(), Of(held(), "")); !errors.Is(err, notify.ErrRejected) {
		t.Errorf("a mailbox that is not there: %v", err)
	}
	e.Insecure = false
	if err := e.Send(context.Background(), Of(held(), "")); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("without TLS: %v", err)
	}
}

func TestClicks(t *testing.T) {
	const secret = "the-signing-secret"
	now := time.Now()
	sign := func(secret, at, body string) http.Header {
		m := hmac.New(sha256.New, []byte(secret))
		m.Write([]byte("v0:" + at + ":" + body))
		h := http.Header{}
		h.Set("X-Slack-Request-Timestamp", at)
		h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(m.Sum(nil)))
		return h
	}
	body := func(id, value string) string {
		return url.Values{"payload": {fmt.Sprintf(`{"type":"block_actions","user":{"id":"U1"},"team":{"id":"T1"},"actions":[{"action_id":%q,"value":%q}]}`, id, value)}}.Encode()
	}
	c := &Clicks{Now: func() time.Time { return now }}
	at := fmt.Sprint(now.Unix())
	good := body(approveID, "hld_1 d1")
	click, err := c.Read(secret, sign(secret, at, good), []byte(good))
	if err != nil || click != (Click{Team: "T1", User: "U1", Hold: "hld_1", Digest: "d1", Approve: true}) {
		t.Errorf("%+v %v", click, err)
	}
	old, late := fmt.Sprint(now.Add(-6*time.Minute).Unix()), fmt.Sprint(now.Add(6*time.Minute).Unix())
	deny := body(denyID, "hld_1 d1")
	for name, x := range map[string]struct {
		head http.Header
		body string
	}{
		"a second time":  {sign(secret, at, good), good},
		"another secret": {sign("another", at, deny), deny},
		"another body":   {sign(secret, at, deny), good},
		"old":            {sign(secret, old, deny), deny},
		"of the future":  {sign(secret, late, deny), deny},
		"no headers":     {http.Header{}, deny},
		"another button": {sign(secret, at, body("x", "hld_1 d1")), body("x", "hld_1 d1")},
		"no hold":        {sign(secret, at, body(denyID, "hld_1")), body(denyID, "hld_1")},
		"not JSON":       {sign(secret, at, "payload=x"), "payload=x"},
	} {
		if click, err := c.Read(secret, x.head, []byte(x.body)); !errors.Is(err, ErrSlack) || click != (Click{}) {
			t.Errorf("%s: %+v %v", name, click, err)
		}
	}
	if _, err := c.Read("", sign("", at, deny), []byte(deny)); !errors.Is(err, ErrSlack) {
		t.Errorf("without a secret: %v", err)
	}
	if click, err := c.Read(secret, sign(secret, at, deny), []byte(deny)); err != nil || click.Approve {
		t.Errorf("a denial: %+v %v", click, err)
	}
}
