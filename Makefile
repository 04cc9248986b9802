# Dragoman. `make demo` runs it, `make test` tests it; both install what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

TOOLS  := $(CURDIR)/.tools
GO     := go
export CGO_ENABLED := 1

SOURCES := $(shell find cmd xds filters authz sshbridge envoy web internal examples -name '*.go' -o -name '*.rego' -o -name '*.c' -o -name '*.h' -o -name '*.sql' -o -name '*.yaml' 2>/dev/null) go.mod go.sum

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  \1\t/' | expand -t 22

.PHONY: build
build: bin/dragoman bin/libdragoman.so ## build the binary and Envoy's module

bin/dragoman: $(SOURCES)
	@mkdir -p bin
	$(GO) build -trimpath -o $@ ./cmd/dragoman

bin/libdragoman.so: $(SOURCES)
	@mkdir -p bin
	$(GO) build -trimpath -buildmode=c-shared -o $@ ./filters/module
	@rm -f bin/libdragoman.h

.PHONY: tools
tools: ## fetch what the demo and the tests need (pinned, cached in .tools)
	@$(GO) run ./internal/tools -dir $(TOOLS)

.PHONY: demo
demo: build tools ## the gateway in front of a demo database, in the foreground
	$(GO) run ./examples/demo -tools $(TOOLS)

.PHONY: test
test: build tools ## all tests, with the race detector; real Envoy, real targets
	$(GO) test -race -timeout 30m $$($(GO) list ./... | grep -v /cmd/dragoman)
	DRAGOMAN_BIN=$(CURDIR)/bin $(GO) test -race -p 1 -timeout 60m ./cmd/dragoman/...

.PHONY: test-envoy-matrix
test-envoy-matrix: build ## the tests that run Envoy, on every supported version
	@$(GO) run ./internal/tools -dir $(TOOLS) -matrix
	for v in 1.40.0 1.39.3 1.38.3; do \
	  echo "== Envoy $$v"; \
	  DRAGOMAN_TEST_ENVOY=$$v DRAGOMAN_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 40m ./filters/module ./envoy/... ./cmd/dragoman/e2e; \
	done

.PHONY: test-kill
test-kill: build tools ## kill -9 of Envoy, dragoman and both under load, 200 rounds
	DRAGOMAN_KILL_ROUNDS=200 DRAGOMAN_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 90m -run 'Test(SSH|MySQL)?Kill$$' -v ./cmd/dragoman/e2e

.PHONY: test-ssh-many
test-ssh-many: build tools ## 1,000 SSH sessions at a time on a real sshd: all answer; memory and goroutines of each (2 min)
	DRAGOMAN_SSH_SESSIONS=1000 DRAGOMAN_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 20m -run 'TestSSHManySessions$$' -v ./cmd/dragoman/e2e

.PHONY: test-faults
test-faults: ## full and read-only disks, I/O errors, a full file table, clocks that jump: spool, store, log; as root, 5 times (3 min)
	$(GO) test -race -count=5 -timeout 30m ./internal/faults
	$(GO) test -race -count=5 -timeout 30m -run 'Disk|FileTable|Unrecordable|RefusedBatch' ./internal/record ./internal/audit ./internal/translog ./internal/access ./internal/notify ./web/api

VERSITYGW := v1.8.0

$(TOOLS)/versitygw-$(VERSITYGW):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW)
	cp $(TOOLS)/versitygw $@

.PHONY: test-store
test-store: build tools $(TOOLS)/versitygw-$(VERSITYGW) ## the stores of records on a real S3 server (3 min more the first time)
	$(GO) test -race -count=1 -timeout 10m -tags s3 ./internal/audit/blob/bucket
	$(GO) test -count=1 -timeout 10m -tags s3 -run 'S3$$' ./cmd/dragoman
	$(GO) test -count=1 -timeout 10m -tags s3 -run 'S3$$' -v ./internal/backtest
	DRAGOMAN_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 10m -tags s3 -run 'S3$$' -v ./cmd/dragoman/e2e

.PHONY: test-kube
test-kube: build tools ## Kubernetes targets on a real cluster with real pods; as root (13 min more the first time)
	@$(GO) run ./internal/tools -dir $(TOOLS) -kube
	$(GO) test -count=1 -timeout 10m -tags kube ./internal/kubecluster
	DRAGOMAN_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 20m -tags kube ./cmd/dragoman/kubee2e

.PHONY: test-rdp
test-rdp: build tools ## RDP targets: xfreerdp against xrdp and freerdp-shadow, with X displays; as root
	@$(GO) run ./internal/tools -dir $(TOOLS) -rdp
	DRAGOMAN_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 20m -tags rdp ./cmd/dragoman/rdpe2e

.PHONY: test-mutations
test-mutations: ## 10,000 random changes of an audit store and 50 and more crafted ones, all found (3 min)
	AUDIT_MUTATIONS=10000 $(GO) test -count=1 -timeout 60m -run 'Test(Random|Crafted)Mutations$$' -v ./internal/audit

.PHONY: test-pg-regress
test-pg-regress: build tools ## PostgreSQL's own regression suite, direct and through the gateway
	$(GO) run ./internal/peers -tools $(TOOLS) -bin bin $(PEERSFLAGS)

.PHONY: test-http-suites
test-http-suites: build tools ## h2spec and Autobahn's WebSocket cases, all of them, through plain Envoy and the gateway (1 min)
	DRAGOMAN_HTTP_SUITES=all DRAGOMAN_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 30m -run 'TestHTTPSuites$$' -v ./cmd/dragoman/e2e

FUZZTIME ?= 5m
.PHONY: fuzz
fuzz: ## every fuzz target, FUZZTIME each (5m)
	@for p in $$(git grep -lE '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
	  for f in $$(git grep -hoE '^func Fuzz[A-Za-z0-9_]+' -- "$$p/*_test.go" | awk '{print $$2}' | sort -u); do \
	    echo "== $$p $$f"; \
	    $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$p; \
	  done; \
	done

.PHONY: bench bench-quick
bench: build tools ## compare direct, plain Envoy, pgbouncer and ours; writes docs/performance.md (20 min)
	$(GO) run ./internal/bench -tools $(TOOLS) -bin bin -doc docs/performance.md $(BENCHFLAGS)
	$(MAKE) bench-ssh
	$(MAKE) bench-http
	$(MAKE) bench-mysql
	$(MAKE) bench-kube
	$(MAKE) bench-rdp

.PHONY: bench-mysql
bench-mysql: build tools ## compare MariaDB reached directly, through plain Envoy and through ours; writes docs/performance.md (2 min)
	$(GO) run ./internal/bench/mysqlbench -tools $(TOOLS) -bin bin -doc docs/performance.md $(MYSQLBENCHFLAGS)

.PHONY: bench-http
bench-http: build tools ## compare HTTP through plain Envoy, with ext_authz, and through ours; writes docs/performance.md (4 min)
	$(GO) run ./internal/bench/httpbench -tools $(TOOLS) -bin bin -doc docs/performance.md $(HTTPBENCHFLAGS)

.PHONY: bench-kube
bench-kube: build tools ## compare a real API server reached directly and through ours; writes docs/performance-kubernetes.md; as root (2 min)
	@$(GO) run ./internal/tools -dir $(TOOLS) -kube
	DRAGOMAN_BENCH_DOC=$(CURDIR)/docs/performance-kubernetes.md DRAGOMAN_BIN=$(CURDIR)/bin $(GO) test -tags kube -run '^$$' -bench . -benchtime 40x ./cmd/dragoman/kubee2e

.PHONY: bench-ssh
bench-ssh: build tools ## compare OpenSSH reached directly and through ours; writes docs/performance.md (3 min)
	$(GO) run ./internal/bench/sshbench -tools $(TOOLS) -bin bin -doc docs/performance.md $(SSHBENCHFLAGS)

.PHONY: bench-rdp
bench-rdp: build tools ## compare xrdp and FreeRDP's shadow server reached directly and through ours; writes docs/performance.md; as root (3 min)
	@$(GO) run ./internal/tools -dir $(TOOLS) -rdp
	$(GO) run ./internal/bench/rdpbench -tools $(TOOLS) -bin bin -doc docs/performance.md $(RDPBENCHFLAGS)

bench-quick: build tools ## the same in short rounds, printed only (3 min)
	$(GO) run ./internal/bench -tools $(TOOLS) -bin bin -rounds 2 -time 2s -fresh-rounds 1 -opens 30 $(BENCHFLAGS)

.PHONY: bench-audit
BENCHSTORES ?= /var/tmp/dragoman-bench
bench-audit: tools ## find sessions among 1,000,000, in SQLite and PostgreSQL; writes docs/performance.md (40 min; 5 min when the stores of the last time are there)
	$(GO) run ./internal/audit/bench -tools $(TOOLS) -keep $(BENCHSTORES) -doc docs/performance.md $(BENCHFLAGS)

.PHONY: bench-page
bench-page: ## the page with 100,000 sessions, and a session of 100,000 actions, in Chromium; writes docs/performance.md (4 min)
	DRAGOMAN_PAGE_SESSIONS=100000 DRAGOMAN_PAGE_DOC=$(CURDIR)/docs/performance.md $(GO) test -count=1 -timeout 20m -run 'TestManySessions$$' -v ./web/page

.PHONY: lint
lint: ## formatting, vet, staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not gofmt'ed:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

.PHONY: clean
clean: ## remove what was built (not .tools)
	rm -rf bin examples/demo/data
