# `make help` lists the targets. Building and testing need only Go and make; other
# tools, for lint and e2e, are built or installed into .tools/ when missing.

SHELL       := /bin/bash -o pipefail
export GOTOOLCHAIN := local
export GOFLAGS     := -buildvcs=false

FUZZTIME ?= 10s
BIN      := .tools/bin
VENV     := .tools/venv
DEBIANS  := $(if $(shell command -v apt-get),$(BIN)/prometheus-debian)

VERSION    := $(or $(shell cat VERSION 2>/dev/null),$(shell git describe --tags 2>/dev/null),unknown)
REVISION   := $(or $(shell git rev-parse --short HEAD 2>/dev/null),unknown)
BRANCH     := $(or $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null),unknown)
BUILD_DATE := $(or $(shell git log -1 --format=%cI 2>/dev/null),unknown)
version    := github.com/prometheus/common/version
LDFLAGS    := -s -w \
	-X $(version).Version=$(VERSION) \
	-X $(version).Revision=$(REVISION) \
	-X $(version).Branch=$(BRANCH) \
	-X $(version).BuildDate=$(BUILD_DATE)

# Go's own words for a toolchain that is too old are a riddle.
GO_WANTED := $(shell awk '/^go / { print $$2 }' go.mod)
check_go  := have=$$(cd / && go version 2>/dev/null | awk '{ print substr($$3, 3) }'); \
	test -n "$$have" || { echo 'Go is needed, version $(GO_WANTED) or newer: install it and put it into PATH.'; exit 1; }; \
	printf '%s\n' $(GO_WANTED) "$$have" | sort -V -C || { echo "Go $(GO_WANTED) or newer is needed; this is Go $$have."; exit 1; }

.PHONY: help build test test-long test-dashboards test-packaging fuzz vulncheck bench bench-calls bench-fleet bench-scrape lint check-alerts mutate-alerts fmt e2e demo image demo-stack render preview check-preview docs clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the static binary ./aws_iam_exporter
	@$(check_go)
	@test -e aws_iam_exporter || echo 'Building; the first time this takes about a minute.'
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o aws_iam_exporter .

# Only the race detector needs a C compiler.
RACE := $(if $(shell command -v $$(go env CC)),-race)

# Simulated days make little garbage that lives, but much of it: to collect it
# less often saves a tenth of the processor's time for some 100 MB.
test: export GOGC ?= 400

# Results come in this order, each as soon as those before it are there, so the
# packages that take longest come last. The time-out is for one package, on the
# slowest of machines.
SLOW     := internal/account internal/fleet internal/app
PACKAGES  = $$(go list ./... | grep -vE '/($(subst $(eval) ,|,$(SLOW)))$$') $(addprefix ./,$(SLOW))

test: ## Run the tests with the race detector
	@$(check_go)
	@$(if $(RACE),:,echo 'no C compiler: testing without the race detector')
	@echo 'Testing; the packages that take longest come last, and the first time everything is compiled before.'
	go test $(RACE) -timeout 60m $(PACKAGES)

test-long: ## Run the tests that kill processes hundreds of times, count calls, and watch a thousand accounts
	go test -tags long -count 1 -timeout 60m ./internal/state
	go test -tags long -count 1 -timeout 60m -run 'TestCallsOfEachSource|TestBadAccounts|TestRestartOfMany|TestManyAccounts|TestRenewal' ./internal/fleet
	go test -tags long -count 1 -timeout 60m -run TestFewAccounts ./internal/app

# A module of its own, so that `make test` needs no Prometheus. Go's test cache
# does not see changes outside the module, where the dashboards are: hence -count=1.
test-dashboards: ## Test the dashboards and the code that writes them
	go -C tools/dashboards test $(RACE) -count=1 ./...

# Modules of their own, for the same reason and with the same -count=1.
test-packaging: ## Test the mixin and the manifests against the operator's types, and the rules against the oldest Prometheus
	go -C tools/packaging test -count=1 ./...
	go -C tools/packaging/oldest test -count=1 ./...

fuzz: ## Run each fuzz target for FUZZTIME (10s)
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func / /' | sort | \
	while read -r file name; do \
		echo "# $$name in $$(dirname $$file)"; \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$(dirname $$file)" || exit 1; \
	done

# Without the database nothing can be said, which is no fault of the code.
vulncheck: $(BIN)/govulncheck ## Look for known vulnerabilities (needs vuln.go.dev)
	@out=$$($(BIN)/govulncheck ./... 2>&1); code=$$?; echo "$$out"; \
	case "$$code $$out" in \
	0\ *) ;; \
	1\ *'fetching vulnerabilities'*) echo 'NOT CHECKED for known vulnerabilities: their database cannot be reached from here' ;; \
	*) exit $$code ;; \
	esac

bench: ## Run the benchmarks
	go test -run '^$$' -bench . -benchmem -p 1 ./...

# In simulated time, but for the memory, which is that of the binary in a process
# of its own. Garbage is collected as often as by the binary. ARGS=-update rewrites
# the table of calls.
bench-fleet: build ## Measure 1,000 accounts of 100 users (takes a quarter of an hour)
	GOGC=50 go test -tags long ./internal/app -run TestBenchFleet -count 1 -timeout 60m -v $(ARGS)

# Ten clients of promhttp at once take some ten gigabytes.
bench-scrape: $(BIN)/prometheus ## Measure scrapes of 1.5 million series, beside promhttp (takes ten minutes)
	go test -tags long ./internal/web -run 'TestBenchScrape|TestBenchPrometheus' -count 1 -timeout 30m -v
	go test ./collector -run '^$$' -bench 'OneOfMany|Minute' -count 5
	go test ./internal/account -run '^$$' -bench Rendered -count 5

bench-calls: ## Count the calls to AWS of each source
	go test -tags long ./internal/fleet -run TestCallsOfEachSource -count 1 -v

lint: $(BIN)/golangci-lint check-alerts test-packaging ## Check format, vet, module files, linters and alerts
	@files=$$(gofmt -l .); test -z "$$files" || { echo "run gofmt -w on: $$files"; exit 1; }
	go vet ./...
	go vet -tags e2e ./alerts ./test/...
	go vet -tags "e2e preview" ./test/...
	go vet -tags mutate ./alerts
	go vet -tags long ./internal/state ./internal/fleet ./internal/app ./internal/web
	go -C tools/dashboards vet ./...
	go -C tools/packaging vet ./...
	@for mod in $$(git ls-files '*go.mod'); do \
		echo "go -C $$(dirname $$mod) mod tidy -diff"; \
		go -C "$$(dirname $$mod)" mod tidy -diff || exit 1; \
	done
	$(BIN)/golangci-lint run
	cd tools/dashboards && ../../$(BIN)/golangci-lint run
	cd tools/packaging && ../../$(BIN)/golangci-lint run

check-alerts: $(BIN)/promtool $(BIN)/alertmanager $(BIN)/amtool ## Check and unit-test the rules and the Alertmanager example
	$(BIN)/promtool check rules --lint=all --lint-fatal alerts/*.rules.yaml
	$(BIN)/promtool test rules alerts/tests/*.yaml
	$(BIN)/promtool check config deploy/prometheus/*.yml deploy/compose/prometheus/*.yml
	$(BIN)/amtool check-config alerts/alertmanager.example.yaml
	go test -tags e2e -count=1 -run 'TestAlertmanager|TestAlertsOfAThousandAccounts' ./alerts

mutate-alerts: $(BIN)/promtool ## Make mistakes in the rules, one at a time, and check that a test tells (takes minutes)
	go test -tags mutate -count=1 -timeout 1h -v -run TestMutations ./alerts

fmt: $(BIN)/golangci-lint ## Format the Go code
	$(BIN)/golangci-lint fmt

e2e: build $(BIN)/prometheus $(DEBIANS) $(BIN)/alertmanager $(VENV)/.installed ## Run the binary against simulated AWS, a real Prometheus and Alertmanager
	go test -tags e2e -count=1 -timeout 20m -v ./test/e2e/

# Where the demo serves: what ARGS says, or the default. Which port 0 became, only
# the program's log tells.
LISTEN := $(or $(lastword $(patsubst --web.listen-address=%,%,$(filter --web.listen-address=%,$(ARGS)))),:10190)
URL    := $(if $(filter %:0,$(LISTEN)),,http://$(if $(filter :%,$(LISTEN)),localhost)$(LISTEN))

demo: build ## Serve a made-up account (ARGS=--demo.accounts=3 for three, ARGS=--web.listen-address=:PORT for another port)
ifneq ($(URL),)
	@echo 'Open $(URL)/ or, in another terminal, run:'
	@echo '  curl -s $(URL)/metrics | grep ^aws_iam_finding'
endif
	./aws_iam_exporter --demo $(ARGS)

# What the image is built with, for the program's --version.
BUILD_ARGS   := VERSION='$(VERSION)' REVISION='$(REVISION)' BRANCH='$(BRANCH)' BUILD_DATE='$(BUILD_DATE)'
need_docker  := command -v docker >/dev/null || { \
	echo 'Docker is needed, and is not in PATH: see https://docs.docker.com/get-started/get-docker/. `make demo` needs only Go.'; exit 1; }
need_compose := docker compose version >/dev/null 2>&1 || { \
	echo 'Docker Compose 2 is needed, the plugin that makes `docker compose` work: see https://docs.docker.com/compose/install/. `make demo` needs only Go.'; exit 1; }
need_daemon  := docker info >/dev/null 2>&1 || { \
	echo 'Docker is installed, but does not answer: start it, and see with `docker info` whether you may use it. `make demo` needs only Go.'; exit 1; }

image: ## Build the container image aws_iam_exporter (needs Docker)
	@$(need_docker); $(need_daemon)
	docker build -t aws_iam_exporter $(addprefix --build-arg ,$(BUILD_ARGS)) .

demo-stack: ## Run the demo with Prometheus, Alertmanager and Grafana (needs Docker with Compose)
	@$(need_docker); $(need_compose); $(need_daemon)
	@echo 'Once it runs: Grafana at http://localhost:3000/, Prometheus at http://localhost:9090/'
	$(BUILD_ARGS) docker compose -f deploy/compose/compose.yaml up --build

render: ## Write rules, dashboards and manifests with your links and labels (CONFIG=my.jsonnet OUT=directory)
	go -C tools/packaging run . $(if $(CONFIG),-config '$(abspath $(CONFIG))') -out '$(abspath $(or $(OUT),$(error say where to write: OUT=directory)))'

# Draws with Grafana's published components, from a Prometheus with history.
preview: build $(BIN)/prometheus $(BIN)/promtool tools/dashboards/preview/node_modules ## Draw dashboards and pages into docs/images, and check the pages (needs Node and Chromium)
	go test -tags 'e2e preview' -count=1 -timeout 0 -v -run TestPreview ./test/e2e

check-preview: tools/dashboards/preview/node_modules ## Check and test the code that draws the dashboards
	npm --prefix tools/dashboards/preview run check
	npm --prefix tools/dashboards/preview test

tools/dashboards/preview/node_modules: tools/dashboards/preview/package-lock.json
	npm --prefix tools/dashboards/preview ci
	touch $@

docs: ## Rewrite generated documentation and golden files
	go test ./collector -update
	go test ./internal/config -update
	go test -tags long ./internal/fleet -run TestCallsOfEachSource -update
	go test ./alerts -update
	go -C tools/dashboards test . -update
	go test ./internal/report -update
	go test ./internal/app -update
	go test ./docs -update

clean: ## Remove what was built
	rm -rf aws_iam_exporter .tools

# Tools are built from modules of their own, and built again when their version changes.
$(BIN)/golangci-lint: tools/lint/go.mod
	go -C tools/lint build -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(BIN)/govulncheck: tools/govulncheck/go.mod
	go -C tools/govulncheck build -o ../../$@ golang.org/x/vuln/cmd/govulncheck

# Without service discovery Prometheus builds in two minutes instead of nine.
$(BIN)/prometheus $(BIN)/promtool &: tools/prometheus/go.mod
	go -C tools/prometheus build -tags remove_all_sd -o ../../$(BIN)/ \
		github.com/prometheus/prometheus/cmd/prometheus github.com/prometheus/prometheus/cmd/promtool

# Debian's Prometheus is years old, like many that scrape. It is unpacked, not installed.
$(BIN)/prometheus-debian:
	dir=$$(mktemp -d) && cd $$dir && (apt-get download prometheus || { apt-get update && apt-get download prometheus; }) && \
		dpkg -x prometheus_*.deb . && install -D usr/bin/prometheus $(CURDIR)/$@ && rm -rf $$dir

$(BIN)/alertmanager $(BIN)/amtool &: tools/alertmanager/go.mod
	go -C tools/alertmanager build -o ../../$(BIN)/ \
		github.com/prometheus/alertmanager/cmd/alertmanager github.com/prometheus/alertmanager/cmd/amtool

$(VENV)/.installed: test/e2e/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	touch $@
