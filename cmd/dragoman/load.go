package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"dragoman.dev/dragoman/internal/config"
)

// load reads the config; a config that is not valid is a usage error.
func (f *flags) load() (*config.Config, error) {
	cfg, err := config.Load(f.config)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fail(exitUsage, "%w; say which one with -c FILE", err)
	case err != nil:
		return nil, &exitError{exitUsage, err}
	}
	return cfg, nil
}

// logger writes structured lines.
func logger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fail(exitUsage, "--log-level %q is not one of debug, info, warn, error", level)
	}
	o := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, fail(exitUsage, "--log-format %q is not one of text, json", format)
}

// exeDir is where the dragoman binary is.
func exeDir() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the dragoman binary: %w", err)
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return "", fmt.Errorf("find the dragoman binary: %w", err)
	}
	return filepath.Dir(exe), nil
}

const moduleFile = "libdragoman.so"

// moduleDir is the folder of libdragoman.so.
func moduleDir(cfg *config.Config) (string, error) {
	dir := cfg.Envoy.Module
	if dir == "" {
		var err error
		if dir, err = exeDir(); err != nil {
			return "", err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, moduleFile)); err != nil {
		return "", fmt.Errorf("the module for Envoy: %w; build it with `make build`, or set envoy.module to its folder", err)
	}
	return dir, nil
}
