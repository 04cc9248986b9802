package holdnotice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/notify"
)

// Secret is read anew each time, so that a rotated one is used.
type Secret func(context.Context) (string, error)

// Webhook posts the notice as JSON, signed as the audit feed's webhooks are.
type Webhook struct {
	Label  string
	URL    Secret
	Secret Secret
	HTTP   *http.Client
	Now    func() time.Time
}

// Name implements Sender.
func (w *Webhook) Name() string { return "webhook:" + w.Label }

// minSecret is the shortest secret of a webhook, in bytes.
const minSecret = 20

// Send implements Sender.
func (w *Webhook) Send(ctx context.Context, n Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	secret, err := w.Secret(ctx)
	if err != nil {
		return err
	}
	if len(secret) < minSecret {
		return fmt.Errorf("the secret is shorter than %d characters", minSecret)
	}
	at := strconv.FormatInt(w.Now().Unix(), 10)
	return post(ctx, w.HTTP, w.URL, body, map[string]string{notify.TimestampHeader: at, notify.SignatureHeader: notify.Sign(secret, at, body)})
}

// post posts JSON. Errors do not have the URL, which is a secret of Slack's and Teams' webhooks.
func post(ctx context.Context, client *http.Client, to Secret, body []byte, headers map[string]string) error {
	address, err := to(ctx)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL is not one")
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err
		}
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusGone, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: it answered %s", notify.ErrRejected, resp.Status)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}

// Teams posts an Adaptive Card to a Microsoft Teams webhook (a workflow's "post to a channel when a webhook request is received").
type Teams struct {
	Label string
	URL   Secret
	HTTP  *http.Client
}

// Name implements Sender.
func (t *Teams) Name() string { return "teams:" + t.Label }

// Send implements Sender. Plain text runs are used: a TextBlock would read Markdown in what an agent is called.
func (t *Teams) Send(ctx context.Context, n Notice) error {
	run := func(text string, bold bool) map[string]any {
		one := map[string]any{"type": "TextRun", "text": text}
		if bold {
			one["weight"] = "Bolder"
		}
		return map[string]any{"type": "RichTextBlock", "inlines": []any{one}}
	}
	content := []any{run(n.Title(), true)}
	for _, l := range n.Lines() {
		content = append(content, run(l, false))
	}
	card := map[string]any{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": content}
	if n.URL != "" {
		card["actions"] = []any{map[string]any{"type": "Action.OpenUrl", "title": n.link(), "url": n.URL}}
	}
	body, err := json.Marshal(map[string]any{"type": "message", "attachments": []any{
		map[string]any{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card}}})
	if err != nil {
		return err
	}
	return post(ctx, t.HTTP, t.URL, body, nil)
}

// Slack posts a message with buttons to an incoming webhook of a Slack app. What the buttons send is read by Decision.
type Slack struct {
	Label string
	URL   Secret
	// Buttons says that the app's interactivity is set up, so that people may decide there.
	Buttons bool
	HTTP    *http.Client
}

// Name implements Sender.
func (s *Slack) Name() string { return "slack:" + s.Label }

// Ids of the buttons.
const (
	approveID = "dragoman_approve"
	denyID    = "dragoman_deny"
	lookID    = "dragoman_look"
)

// Send implements Sender. Texts are plain_text: nothing in them is a link, a mention or markup.
func (s *Slack) Send(ctx context.Context, n Notice) error {
	plain := func(text string) map[string]any {
		return map[string]any{"type": "plain_text", "text": text, "emoji": false}
	}
	title := []rune(n.Title())
	blocks := []any{map[string]any{"type": "header", "text": plain(string(title[:min(len(title), 150)]))},
		map[string]any{"type": "section", "text": plain(strings.Join(n.Lines(), "\n"))}}
	var buttons []any
	if n.URL != "" {
		buttons = append(buttons, map[string]any{"type": "button", "text": plain("Look"), "url": n.URL, "action_id": lookID})
	}
	if s.Buttons && n.Event == Pending {
		value := n.Hold + " " + n.Digest
		buttons = append(buttons, map[string]any{"type": "button", "style": "primary", "text": plain("Approve, once"), "action_id": approveID, "value": value},
			map[string]any{"type": "button", "style": "danger", "text": plain("Deny"), "action_id": denyID, "value": value})
	}
	if buttons != nil {
		blocks = append(blocks, map[string]any{"type": "actions", "elements": buttons})
	}
	short := "An action waits for a decision"
	if n.Event == Withdrawn {
		short = "An action waits no more"
	}
	body, err := json.Marshal(map[string]any{"text": short, "blocks": blocks})
	if err != nil {
		return err
	}
	return post(ctx, s.HTTP, s.URL, body, nil)
}
