# CloudVLAN. `make help` lists the targets.
GO       ?= go
BIN      ?= bin
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT   ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
BUILT    ?= $(shell git log -1 --format=%cI 2>/dev/null)
PKG      := github.com/cvlan/cvlan
STRIP    := $(if $(PERF),,-s -w)
LDFLAGS  := $(STRIP) -X $(PKG)/internal/base/version.release=$(VERSION) -X $(PKG)/internal/base/version.commit=$(COMMIT) -X $(PKG)/internal/base/version.built=$(BUILT)
GOBUILD  := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME ?= 20s

.PHONY: help build build-fips test race e2e e2e-kernel interop-wg interop-ipsec systemd uml demo natgrid bench bench-engine bench-relay bench-relay-peers bench-ipsec bench-policy bench-filter bench-cli bench-tools flame fuzz lint cross generate man clean

help: ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: ## the programs, into bin/
	@mkdir -p $(BIN)
	$(GOBUILD) -o $(BIN)/ ./cmd/...

build-fips: ## cvland and cvlan on the frozen Go Cryptographic Module, in its FIPS mode, into bin/fips/
	@mkdir -p $(BIN)/fips
	GOFIPS140=certified $(GOBUILD) -o $(BIN)/fips/ ./cmd/cvland ./cmd/cvlan ./cmd/cvlan-controller ./cmd/cvlan-relay

test: ## everything a fresh machine can run, under ten minutes
	$(GO) vet ./...
	$(GO) test ./...

# The detector would wait for a second at the end of each program, of which the scripts start a thousand.
race: ## the same with the race detector (needs a C compiler)
	GORACE=atexit_sleep_ms=0 CGO_ENABLED=1 $(GO) test -race -short -timeout 20m ./...

e2e: build ## real TUN devices, sockets and namespaces, faults included
	$(GO) test -count=1 -timeout 20m -parallel 4 -tags e2e ./test/e2e/... -args -bin $(abspath $(BIN))

e2e-kernel: build ## the stories in which the kernel carries IPsec, in User-Mode Linux
	@mkdir -p $(BIN)/tools
	CGO_ENABLED=0 $(GO) test -c -o $(BIN)/tools/xfrm.test ./internal/sys/xfrm
	CGO_ENABLED=0 $(GO) test -c -tags e2e -o $(BIN)/tools/e2e.test ./test/e2e
	test/e2e/kernel.sh $(BIN)

interop-wg: ## our tunnel meets wireguard-go and the kernel's WireGuard (in User-Mode Linux where this machine's kernel has none)
	@mkdir -p $(BIN)/tools
	$(GOBUILD) -o $(BIN)/tools/ golang.zx2c4.com/wireguard
	@mv $(BIN)/tools/wireguard $(BIN)/tools/wireguard-go
	$(GOBUILD) -o $(BIN)/tools/interop-ours ./test/interop/ours
	CGO_ENABLED=0 $(GO) test -c -tags interop -o $(BIN)/tools/interop.test ./test/interop
	test/interop/run.sh $(BIN)

interop-ipsec: ## our IKEv2 and ESP meet strongSwan's, each in both roles; Debian's packages are installed if they are missing
	@mkdir -p $(BIN)/tools
	$(GOBUILD) -o $(BIN)/tools/ ./internal/lab/loadgen ./internal/lab/ikenode
	CGO_ENABLED=0 $(GO) test -c -tags interop -o $(BIN)/tools/interop-ipsec.test ./test/interop/ipsec
	test/interop/ipsec/run.sh $(BIN)

systemd: build ## the service that cvlan installs, under a real systemd, in User-Mode Linux
	test/systemd/run.sh $(BIN)

uml: ## a User-Mode Linux kernel with WireGuard, for make interop-wg
	tools/uml/build.sh

demo: build ## a controller and three nodes on three routed LANs, then clean up (KEEP=1: leave it up)
	@$(GO) run ./internal/lab/demo -bin $(abspath $(BIN)) $(if $(KEEP),-keep)

natgrid: build ## which kinds of routers meet directly, how fast, and what events cost; ARGS="-pairs sym:port -runs 20", "-only roam", "-write docs/operate/nat-grid.md"
	@$(GO) run ./internal/lab/natgrid -bin $(abspath $(BIN)) $(ARGS)

bench: bench-tools ## the figures that we quote, against a plain wireguard-go pair in the same laboratory
	$(GO) run ./internal/lab/bench -bin $(abspath $(BIN))
	@$(GO) run ./internal/lab/demo -bin $(abspath $(BIN)) | grep ^FIGURE
	@$(GO) test -count=1 -v -run 'Figure|NoPacketAllocates' ./internal/core/... ./internal/node/... | grep -o 'FIGURE.*'

bench-engine: bench-tools ## the packet engine's figures, likewise; ARGS="-only tcp" for one part, PERF=DIR for CPU profiles
	$(GO) run ./internal/lab/bench/engine -bin $(abspath $(BIN)) $(if $(PERF),-perf $(abspath $(PERF))) $(ARGS)
	@$(if $(findstring -only,$(ARGS)),,p=$$(grep -rlE --include='*_test.go' '^func Test.*Figure' internal | xargs -n1 dirname | sort -u | sed 's,^,./,'); \
	  $(GO) test -count=1 -v -run Figure $$p 2>&1 | grep -o 'FIGURE engine_.*' || true)

bench-relay: bench-tools ## what a packet and a client cost a relay, and relayed against direct traffic; ARGS="-only udp" for one part
	$(GOBUILD) -o $(BIN)/tools/bench-relay ./internal/lab/bench/relay
	$(BIN)/tools/bench-relay $(ARGS)
	$(if $(findstring -only,$(ARGS)),,$(GO) run ./internal/lab/bench/relayed -bin $(abspath $(BIN)))

bench-relay-peers: ## the same loads beside Tailscale's relay in turns, as ratios (fetches its module, which ours does not know); ARGS="-only udp-derper"
	@mkdir -p $(BIN)/tools
	cd internal/lab/bench/relay/derp && $(GOBUILD) -o $(abspath $(BIN))/tools/ . tailscale.com/cmd/derper
	$(GOBUILD) -o $(BIN)/tools/bench-relay ./internal/lab/bench/relay
	$(BIN)/tools/bench-relay -peers $(BIN)/tools $(ARGS)

bench-ipsec: bench-tools ## ESP in our engine against a plain wireguard-go and our WireGuard, in one laboratory; ARGS="-suite chacha20poly1305" for another suite
	$(GOBUILD) -o $(BIN)/tools/bench-ipsec ./internal/lab/bench/ipsec
	$(BIN)/tools/bench-ipsec -bin $(abspath $(BIN)) $(ARGS)
	@$(GO) test -count=1 -v -run Figure ./internal/core/esp | grep -o 'FIGURE ipsec_.*'
	@$(GO) test -count=1 -v -run Figure ./internal/core/ike -sas 10000 | grep -o 'FIGURE ike_.*'

bench-policy: build bench-filter ## policy's figures: compile and explain at 100,000 nodes, an edit at 700, a connection that an edit cuts, the filter a packet and a GB
	$(GO) run ./internal/lab/bench/policy
	$(GO) run ./internal/lab/bench/edit -bin $(abspath $(BIN))
	$(GO) run ./internal/lab/bench/cut -bin $(abspath $(BIN))

bench-filter: bench-tools ## our engine with the packet filter against itself without
	$(GOBUILD) -o $(BIN)/tools/bench-filter ./internal/lab/bench/filter
	$(BIN)/tools/bench-filter -bin $(abspath $(BIN)) $(ARGS)

bench-cli: build ## what the commands, the terminal interface and the tray cost; ARGS="-idle 1m"
	$(GO) run ./internal/lab/bench/cli -bin $(abspath $(BIN)) $(ARGS)
	$(GO) run ./internal/lab/bench/cli -bin $(abspath $(BIN)) $(ARGS) -attached
	@$(GO) test -count=1 -v -run Figure ./tui | grep -o 'FIGURE .*'

flame: ## pictures of the profiles that make bench-engine PERF=DIR has taken, beside them
	@for f in $(PERF)/*.perf; do p=$${f%.perf}; echo "$$p.svg"; perf script -i $$f 2>/dev/null | tee $$p.stacks | $(GO) run ./internal/lab/flame -title "$${p##*/}" > $$p.svg; \
	  $(GO) run ./internal/lab/flame -table < $$p.stacks; rm $$p.stacks; done

bench-tools: build
	@mkdir -p $(BIN)/tools
	$(GOBUILD) -o $(BIN)/tools/ ./internal/lab/loadgen golang.zx2c4.com/wireguard
	@mv $(BIN)/tools/wireguard $(BIN)/tools/wireguard-go

fuzz: ## every decoder, FUZZTIME (20s) each
	@set -e; for p in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$p/*_test.go | sort -u); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p; done; done

lint: ## gofmt, vet, staticcheck, module files, protocol
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) mod tidy -diff
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	cd proto && $(GO) tool -modfile=../tools/go.mod buf lint
	cd proto && $(GO) tool -modfile=../tools/go.mod buf breaking --against baseline.binpb

cross: ## build for every platform, to see that it compiles
	@set -e; for p in $(PLATFORMS); do echo "$$p"; CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -buildvcs=false -o /dev/null ./...; done

generate: ## protocol code, CLI and API reference
	$(GO) build -modfile=tools/go.mod -o $(BIN)/tools/ google.golang.org/protobuf/cmd/protoc-gen-go
	cd proto && PATH="$(abspath $(BIN))/tools:$$PATH" $(GO) tool -modfile=../tools/go.mod buf generate
	$(GO) generate ./...

man: ## the manual pages of cvlan, into bin/man/man1
	$(GO) run -ldflags '$(LDFLAGS)' ./cli/docgen/mkman -out $(BIN)/man

clean: ## remove what was built
	rm -rf $(BIN)
