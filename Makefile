# The commands of this repository. They need Go, Python 3 with pip, and curl;
# without Node 20 and npm, the tests with Node's SDKs are left out.
# What they install goes to .cache; examples and `make run` write below run.

ENVOY_RUN   := 1.40.0
ENVOY_TESTS := $(ENVOY_RUN) 1.39.3
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0
OPA         := $(shell go list -m -f '{{.Version}}' github.com/open-policy-agent/opa)
FUZZTIME    := 10s

SOURCES := bench envoy examples extproc policies wasm-plugins
# The race detector needs a C compiler; without one the tests run all the same.
RACE    := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

.PHONY: build run test lint bench examples golden fuzz clean envoy sdk opa

build:
	go build -o bin/attache ./extproc

# Mock providers (or the real ones whose keys are in the environment), gateway
# and Envoy, until Ctrl-C.
run: build .cache/envoy-$(ENVOY_RUN)/envoy
	@go build -o bin/mock ./bench/mock/cmd
	@ENVOY=.cache/envoy-$(ENVOY_RUN)/envoy exec examples/run.sh

test: envoy sdk opa
	go test $(RACE) -timeout 20m ./...
	$(if $(RACE),go test -run 'TestManyStreams|TestLikePlainRules' ./extproc ./extproc/rego)

lint:
	@files=$$(gofmt -l $(wildcard $(SOURCES))); [ -z "$$files" ] || { echo "gofmt would change:"; echo "$$files"; exit 1; }
	go vet ./...
	GOOS=wasip1 GOARCH=wasm go vet ./wasm-plugins/...
	go run $(STATICCHECK) ./...
	@if python3 -c 'import urllib.request as u; u.urlopen("https://vuln.go.dev/index/db.json", timeout=10)' 2>/dev/null; \
	then echo go run $(GOVULNCHECK) ./...; go run $(GOVULNCHECK) ./...; \
	else echo "govulncheck: left out, its database cannot be reached"; fi

bench: build envoy
	go run ./bench

# Each example on the real Envoy, compared with its expected.txt.
examples: build .cache/envoy-$(ENVOY_RUN)/envoy
	@go build -o bin/mock ./bench/mock/cmd
	@failed=; for e in examples/[0-9]*/run.sh; do $$e >/dev/null || failed="$$failed $$e"; done; \
	[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

# Writes what tests compare with anew: look at the difference before you commit.
golden: envoy
	go test $$(grep -rl --include='*_test.go' '"update"' $(SOURCES) | xargs -n1 dirname | sort -u | sed 's|^|./|') -update
	UPDATE=1 $(MAKE) examples

# Every fuzz target for FUZZTIME. Inputs that found something, and some that reached far, are kept in testdata/fuzz.
# So what failed fails again, unless it was Go itself, which takes its own deadline for a failure on a busy machine.
fuzz:
	@grep -r --include='*_test.go' '^func Fuzz' $(SOURCES) | sed 's|^\(.*\)/[^/]*:func \(Fuzz[^(]*\).*|\1 \2|' | sort | \
	while read -r dir target; do \
		echo "$$dir $$target"; \
		fuzz="go test -run ^$$target\$$ -fuzz ^$$target\$$ -fuzztime $(FUZZTIME) ./$$dir"; \
		$$fuzz || $$fuzz || exit 1; \
	done

clean:
	rm -rf bin run .cache

envoy: $(ENVOY_TESTS:%=.cache/envoy-%/envoy)

.cache/envoy-%/envoy:
	envoy/install.sh $*

# OPA's own program, for tests of what is in policies.
opa: .cache/opa-$(OPA)/opa

.cache/opa-%/opa:
	GOBIN=$(CURDIR)/$(@D) go install github.com/open-policy-agent/opa@$*

# The official SDKs, for tests: of Python, Go, and Node where there is one (20
# or newer, with npm).
sdk: .cache/sdk/ready .cache/sdk-node/ready .cache/sdk-go/clients

.cache/sdk/ready: extproc/testdata/sdk/requirements.txt
	rm -rf .cache/sdk
	python3 -m venv --without-pip .cache/sdk
	python3 -m pip --python .cache/sdk/bin/python install --quiet --disable-pip-version-check -r $<
	touch $@

.cache/sdk-node/ready: extproc/testdata/sdk/node/package.json extproc/testdata/sdk/node/package-lock.json
	@mkdir -p $(@D)
	@if command -v npm >/dev/null; \
	then cp $^ $(@D) && cd $(@D) && npm ci --no-audit --no-fund --ignore-scripts --loglevel error && touch $(@F); \
	else echo "sdk: the Node SDKs are left out, Node with npm is not here"; fi

.cache/sdk-go/clients: $(wildcard extproc/testdata/sdk/go/*)
	go build -C extproc/testdata/sdk/go -o $(CURDIR)/$@ .
