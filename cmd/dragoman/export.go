package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/export/har"
	"dragoman.dev/dragoman/internal/export/ocsf"
	"dragoman.dev/dragoman/internal/replay"
	"dragoman.dev/dragoman/web/api"
)

func newSessionsExport(f *flags) *cobra.Command {
	var path, format string
	c := &cobra.Command{Use: "export SESSION", Short: "Write a session in a standard form",
		Long: "Write a session: jsonl is its record, one frame a line; ocsf is its events (opened, each action, closed), one a line,\n" +
			"by version " + ocsf.Version + " of the Open Cybersecurity Schema Framework; asciicast and har are for sessions that have\n" +
			"a terminal or HTTP exchanges.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			if err := cl.exportable(c.Context(), args[0], format); err != nil {
				return err
			}
			write := exporter(format)
			src, body, err := cl.frames(c.Context(), args[0], access.Export)
			if err != nil {
				return err
			}
			defer body.Close()
			if path == "" {
				return write(c.OutOrStdout(), args[0], src)
			}
			out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return fmt.Errorf("write the export: %w", err)
			}
			return errors.Join(write(out, args[0], src), out.Close())
		}}
	c.Flags().StringVar(&format, "format", export.JSONLines, strings.Join(export.Formats, ", "))
	c.Flags().StringVarP(&path, "output", "o", "", "a new file; default is standard output")
	return c
}

// exportable checks the format before anything is read. Of a session that does not exist it is the
// reading that says so.
func (c *client) exportable(ctx context.Context, id, format string) error {
	protocol := "unknown"
	if format != export.JSONLines && format != export.OCSF && slices.Contains(export.Formats, format) {
		var s audit.Session
		if err := c.get(ctx, "/v1/sessions/"+url.PathEscape(id), nil, &s); err != nil {
			return err
		}
		protocol = s.Protocol
	}
	if err := export.For(format, protocol); err != nil {
		return &exitError{exitUsage, err}
	}
	return nil
}

var exporters = map[string]func(io.Writer, string, replay.Source) error{export.JSONLines: exportFrames, export.OCSF: exportOCSF, export.HAR: exportHAR}

func exportHAR(w io.Writer, id string, src replay.Source) error {
	out := bufio.NewWriter(w)
	return errors.Join(har.Write(out, id, version(), src), out.Flush())
}

func exportOCSF(w io.Writer, id string, src replay.Source) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	err := export.Events(id, src, func(e export.Event) error { return enc.Encode(ocsf.Event(e, version())) })
	return errors.Join(err, out.Flush())
}

func exportFrames(w io.Writer, _ string, src replay.Source) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for {
		f, err := src.Next()
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		if err := enc.Encode(api.FrameOf(f)); err != nil {
			return err
		}
	}
}
