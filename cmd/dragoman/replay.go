package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/replay"
	"dragoman.dev/dragoman/web/api"
)

// frameSource reads frames from the API's JSON lines.
type frameSource struct{ s *bufio.Scanner }

// Next implements replay.Source.
func (f frameSource) Next() (record.Frame, error) {
	if !f.s.Scan() {
		if err := f.s.Err(); err != nil {
			return record.Frame{}, err
		}
		return record.Frame{}, io.EOF
	}
	var line struct {
		api.Frame
		Error *struct{ Message string } `json:"error"`
	}
	if err := json.Unmarshal(f.s.Bytes(), &line); err != nil {
		return record.Frame{}, err
	}
	if line.Error != nil {
		return record.Frame{}, fail(exitFailure, "the record is damaged: %s", line.Error.Message)
	}
	return line.Record()
}

// frames reads a record; way is what for, as the access log keeps it.
func (c *client) frames(ctx context.Context, id, way string) (frameSource, io.Closer, error) {
	resp, err := c.do(ctx, http.MethodGet, "/v1/sessions/"+url.PathEscape(id)+"/frames", url.Values{"way": {way}}, nil)
	if err != nil {
		return frameSource{}, nil, err
	}
	s := bufio.NewScanner(resp.Body)
	s.Buffer(nil, maxEvent)
	return frameSource{s}, resp.Body, nil
}

func newSessionsReplay(f *flags) *cobra.Command {
	var format, pictures string
	var every time.Duration
	var opt replay.Options
	c := &cobra.Command{Use: "replay SESSION", Short: "Show a session as it happened, statement by statement and row by row",
		Long: "Show a session as it happened. Without --speed at once; --speed 1 in time, --speed 10 ten times as fast.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			render, ok := map[string]func(context.Context, io.Writer, replay.Source, replay.Options) error{"text": replay.Text, "json": replay.JSON, "terminal": replay.Terminal}[format]
			if !ok || opt.Speed < 0 {
				return fail(exitUsage, "--format is text, json or terminal, and --speed is not negative")
			}
			if f.json {
				render = replay.JSON
			}
			cl, err := f.client()
			if err != nil {
				return err
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			src, body, err := cl.frames(ctx, args[0], access.Replay)
			if err != nil {
				return err
			}
			defer body.Close()
			if pictures != "" {
				return replay.Pictures(ctx, pictures, src, every)
			}
			out := bufio.NewWriter(c.OutOrStdout())
			if opt.Speed > 0 {
				return render(ctx, c.OutOrStdout(), src, opt) // unbuffered: it is watched
			}
			return errors.Join(render(ctx, out, src, opt), out.Flush())
		}}
	fl := c.Flags()
	fl.StringVar(&format, "format", "text", "text, json for one object a frame, or terminal to play what a terminal showed")
	fl.StringVar(&pictures, "png", "", "write what the desktop of an RDP session showed into this folder, as PNG files and an index.json")
	fl.DurationVar(&every, "every", time.Second, "how much time is between two pictures at least")
	fl.Float64Var(&opt.Speed, "speed", 0, "how many times faster than it happened; 0 is at once")
	fl.DurationVar(&opt.MaxPause, "max-pause", 0, "no pause is longer than this")
	fl.IntVar(&opt.MaxRows, "max-rows", 0, "rows shown of each result; 0 is all")
	return c
}

// tailSource hands frames of a live session to the replay, as they come.
type tailSource struct {
	frames <-chan record.Frame
	err    <-chan error
}

// Next implements replay.Source.
func (t tailSource) Next() (record.Frame, error) {
	if f, ok := <-t.frames; ok {
		return f, nil
	}
	if err := <-t.err; err != nil {
		return record.Frame{}, err
	}
	return record.Frame{}, io.EOF
}

func newSessionsTail(f *flags) *cobra.Command {
	var history bool
	c := &cobra.Command{Use: "tail SESSION", Short: "Follow a live session until it ends", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			render := replay.Text
			if f.json {
				render = replay.JSON
			}
			err = render(ctx, c.OutOrStdout(), cl.tail(ctx, args[0], history), replay.Options{})
			if ctx.Err() != nil {
				return nil
			}
			return err
		}}
	c.Flags().BoolVar(&history, "history", true, "begin with its first frame")
	return c
}

func (c *client) tail(ctx context.Context, id string, history bool) tailSource {
	frames, errs := make(chan record.Frame), make(chan error, 1)
	go func() {
		defer close(frames)
		q := url.Values{"history": {strconv.FormatBool(history)}}
		errs <- c.events(ctx, "/v1/sessions/"+url.PathEscape(id)+"/tail", q, func(name string, data []byte) error {
			if name == "end" {
				var end struct{ Error string }
				if err := json.Unmarshal(data, &end); err != nil || end.Error != "" {
					return fail(exitFailure, "the record cannot be followed: %s", end.Error)
				}
				return nil
			}
			var f api.Frame
			if err := json.Unmarshal(data, &f); err != nil {
				return err
			}
			one, err := f.Record()
			if err != nil {
				return err
			}
			select {
			case frames <- one:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return tailSource{frames, errs}
}
