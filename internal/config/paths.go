package config

import "path/filepath"

// Where things are under the data folder.

// RunDir holds sockets and what lives as long as the process.
func (c *Config) RunDir() string { return filepath.Join(c.Data, "run") }

// ControlSocket is where the local Envoy reaches the control plane.
func (c *Config) ControlSocket() string { return filepath.Join(c.RunDir(), "control.sock") }

// SpoolDir is where the local Envoy's filters spool their records.
func (c *Config) SpoolDir() string { return filepath.Join(c.Data, "spool") }

// OutboxFile holds events that wait for webhooks and collectors.
func (c *Config) OutboxFile() string { return filepath.Join(c.Data, "outbox.db") }

// AccessDir is where the access log's records wait for the store.
func (c *Config) AccessDir() string { return filepath.Join(c.Data, "access") }

// RequestsDir is where the records of requests that others' Envoys ask about wait for the store.
func (c *Config) RequestsDir() string { return filepath.Join(c.Data, "requests") }

// AuditDir holds sealed records and their index.
func (c *Config) AuditDir() string { return filepath.Join(c.sharedDir(), "audit") }

// KeysDir holds private keys.
func (c *Config) KeysDir() string { return filepath.Join(c.sharedDir(), "keys") }

// RecordPub is the public key that records are verified with.
func (c *Config) RecordPub() string { return filepath.Join(c.KeysDir(), "record.pub") }

// StateFile is the SQLite index of holds, grants and revocations.
func (c *Config) StateFile() string { return filepath.Join(c.Data, "state.db") }
