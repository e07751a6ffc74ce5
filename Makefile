# mcil needs Go, make and git. Nothing here needs a C compiler; with one, tests run under the race detector.
GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.1
# A number of inputs: with a time, go test sometimes takes its own deadline for a failure.
FUZZTIME ?= 10000x

.PHONY: build demo test lint bench fuzz clean

build: ## one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/mcil ./cmd/mcil

demo: build ## everything, on drawn pictures and the embedded endpoint: minutes
	bin/mcil demo --out mcil-demo

# cgo, and with it the race detector, is at hand where Go finds a C compiler.
RACE := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

test: ## formatting, vet, every package's tests
	@unformatted=$$("$$($(GO) env GOROOT)/bin/gofmt" -l caption cmd dataset schemas train) || exit 1; test -z "$$unformatted" || { echo "run gofmt on: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) test $(RACE) ./...
ifneq ($(RACE),)
	@# what counts allocations, and the large products, are left out under the race detector
	CGO_ENABLED=0 $(GO) test -trimpath ./train/kernel ./train/method
endif

lint: ## staticcheck; fetches it
	$(GO) run $(STATICCHECK) ./...

bench: ## kernels and training steps, with GFLOP/s
	$(GO) test -run '^$$' -bench . -benchtime 0.5s ./train/kernel ./train/method

fuzz: ## every fuzz target on FUZZTIME inputs
	@set -e; for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
		echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p; done; done

clean:
	rm -rf bin mcil-demo
