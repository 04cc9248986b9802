package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/notify"
)

// openNotify begins to tell the sinks of the config; without any it returns nil. What the
// store commits from then on is in the outbox first.
func (c *control) openNotify(ctx context.Context) (audit.Feed, error) {
	sinks, err := c.sinks()
	if err != nil || len(sinks) == 0 {
		return nil, err
	}
	names := make([]string, len(sinks))
	for i, s := range sinks {
		names[i] = s.Name()
	}
	c.notify = &notify.Delivery{Sinks: sinks, Log: c.log.With("from", "notify")}
	if c.notify.Outbox, err = c.openOutbox(ctx, names, c.notify.Wake); err != nil {
		return nil, err
	}
	c.onClose(c.notify.Outbox.Close)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var ended sync.WaitGroup
	ended.Go(func() { c.notify.Run(running) })
	c.onClose(func() error { stop(); ended.Wait(); return nil })
	return notify.NewFeed(c.notify.Outbox, c.notify.Wake), nil
}

// openOutbox opens the one in the database, so that events outlive this machine, or else that in the data folder.
func (c *control) openOutbox(ctx context.Context, sinks []string, wake func()) (notify.Outbox, error) {
	most := int64(c.cfg.Trail.Outbox)
	if c.shared == nil {
		return notify.OpenSQLite(ctx, c.cfg.OutboxFile(), sinks, most, time.Now)
	}
	o, err := notify.NewPostgres(ctx, c.shared, sinks, most, time.Now, wake)
	if err != nil {
		return nil, err
	}
	n, err := notify.Move(ctx, c.cfg.OutboxFile(), sinks, o)
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	if n > 0 {
		c.log.Info("events that waited in the data folder are in the database now", "events", n)
	}
	return o, nil
}

func (c *control) sinks() ([]notify.Sink, error) {
	var all []notify.Sink
	for i, w := range c.cfg.Trail.Webhooks {
		ca, err := optionalFile(w.CA)
		if err != nil {
			return nil, fmt.Errorf("audit.webhooks[%d].ca: %w", i, err)
		}
		client, err := notify.NewHTTPClient(ca)
		if err != nil {
			return nil, fmt.Errorf("audit.webhooks[%d]: %w", i, err)
		}
		all = append(all, &notify.Webhook{Label: w.Name, URL: w.URL, OCSF: w.Format == config.FormatOCSF, Version: version(),
			Secret: c.secret(w.Secret), HTTP: client, Now: time.Now})
	}
	if c.cfg.Trail.OTLP == nil {
		return all, nil
	}
	o, err := c.collector(*c.cfg.Trail.OTLP)
	if err != nil {
		return nil, fmt.Errorf("audit.otlp: %w", err)
	}
	if o.Traces {
		c.relay = notify.NewRelay(o, func(ctx context.Context) (string, error) { return c.xds.Peer(ctx) }, c.log.With("from", "notify"))
	}
	return append(all, o), nil
}

// secret is read anew each time, so that a rotated one is used.
func (c *control) secret(ref config.Ref) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		v, err := c.cfg.Secrets().Resolve(ctx, ref)
		return v.Reveal(), err
	}
}

func (c *control) collector(o config.OTLP) (*notify.OTLP, error) {
	creds := insecure.NewCredentials()
	if !o.Insecure {
		ca, err := optionalFile(o.CA)
		if err != nil {
			return nil, err
		}
		conf := &tls.Config{MinVersion: tls.VersionTLS12}
		if ca != nil {
			conf.RootCAs = x509.NewCertPool()
			if !conf.RootCAs.AppendCertsFromPEM(ca) {
				return nil, fmt.Errorf("%s holds no certificate", o.CA)
			}
		}
		creds = credentials.NewTLS(conf)
	}
	conn, err := grpc.NewClient(o.Endpoint, grpc.WithTransportCredentials(creds))
	if err != nil {
		return nil, err
	}
	c.onClose(conn.Close)
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	return &notify.OTLP{Conn: conn, Logs: *o.Logs, Traces: *o.Traces, Service: o.Service, Version: version(), Instance: host,
		Log: c.log, Now: time.Now, Headers: func(ctx context.Context) (map[string]string, error) {
			h := map[string]string{}
			for name, ref := range o.Headers {
				v, err := c.secret(ref)(ctx)
				if err != nil {
					return nil, err
				}
				h[name] = v
			}
			return h, nil
		}}, nil
}

func optionalFile(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	return os.ReadFile(path)
}
