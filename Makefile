# mcil needs Go, make and git. Nothing here needs a C compiler; with one, tests run under the race detector.
GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.1
# A number of inputs: with a time, go test sometimes takes its own deadline for a failure.
FUZZTIME ?= 10000x

.PHONY: build demo test test-readers test-peers test-kills test-instructblip parity goldens lint bench bench-dataset bench-caption bench-peers fuzz clean

build: ## one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/mcil ./cmd/mcil

demo: build ## everything, on drawn pictures and the embedded endpoint: minutes
	bin/mcil demo --out mcil-demo

# cgo, and with it the race detector, is at hand where Go finds a C compiler. Under it a process takes several times as long:
# scripts and kills, which start the program hundreds of times, run without it, as what counts allocations does. SKIP= runs
# those of them under it that can bear it.
RACE := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)
SKIP := $(if $(RACE),-skip '^(TestScripts|TestKilled[A-Z])')

test: ## formatting, vet, every package's tests
	@unformatted=$$("$$($(GO) env GOROOT)/bin/gofmt" -l caption cmd dataset schemas train) || exit 1; test -z "$$unformatted" || { echo "run gofmt on: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags openblas ./train/...
	$(GO) test $(RACE) $(SKIP) -timeout 60m ./...
ifneq ($(RACE),)
	CGO_ENABLED=0 $(GO) test -trimpath -timeout 20m ./train/kernel ./train/method ./cmd/mcil
endif
	@# the kernels' own tests go through every CPU path; here what is built on them is tested on each that the machine has
	@set -e; for path in portable avx2 avx512; do export MCIL_CPU=$$path; \
		if $(GO) test -count 1 -run TestForcedPath -v ./train/kernel | grep -q '^--- SKIP'; then echo "no $$path here"; continue; fi; \
		echo "== MCIL_CPU=$$path"; CGO_ENABLED=0 $(GO) test -short ./train/op ./train/method; done

# The programs in Python that open our datasets, from PyPI, in a folder of their own. Nothing else here needs Python.
READERS = .readers
READERS_PACKAGES = datasets==5.2.0 pyarrow==26.0.1 pillow==13.0.0 pandas==3.1.1

$(READERS)/installed:
	python3 -m venv $(READERS)
	$(READERS)/bin/pip install --quiet $(READERS_PACKAGES)
	touch $@

# TAR: an archive in ImageNet-R's layout to try as well.
test-readers: $(READERS)/installed ## datasets and pyarrow open every layout, and compare every row with the source
	MCIL_PYTHON=$(CURDIR)/$(READERS)/bin/python MCIL_READERS_TAR=$(abspath $(TAR)) $(GO) test -count 1 -tags readers -run TestReaders -v ./dataset/build

bench-dataset: build $(READERS)/installed ## building 30,000 pictures against cp, and random reads against datasets and pyarrow: needs 10 GB of disk
	MCIL_BIN=$(CURDIR)/bin/mcil MCIL_PYTHON=$(CURDIR)/$(READERS)/bin/python $(GO) test -count 1 -tags bench -run TestSpeed -timeout 30m -v ./dataset/build

# What others wrote to try captioning against, in a folder of their own: an endpoint from npm, and OpenAI's client from PyPI.
PEERS = .peers
PEERS_FILES = caption/peers/testdata

$(PEERS)/node/installed: $(PEERS_FILES)/aimock/package.json $(PEERS_FILES)/aimock/package-lock.json
	mkdir -p $(PEERS)/node
	cp $^ $(PEERS)/node
	npm ci --prefix $(PEERS)/node --ignore-scripts --no-audit --no-fund --silent
	touch $@

$(PEERS)/python/installed: $(PEERS_FILES)/requirements.txt
	python3 -m venv $(PEERS)/python
	$(PEERS)/python/bin/pip install --quiet -r $<
	touch $@

test-peers: build $(PEERS)/node/installed ## captions from an endpoint that others wrote, compared with its own journal; needs node
	MCIL_BIN=$(CURDIR)/bin/mcil MCIL_AIMOCK=$(CURDIR)/$(PEERS)/node/node_modules/.bin/aimock $(GO) test -count 1 -tags peers -run TestPeers -timeout 10m -v ./caption/peers

# MCIL_BENCH_PICTURES and MCIL_BENCH_ROUNDS make it shorter; MCIL_BENCH_MILLION=1 adds a million pictures.
bench-caption: build $(PEERS)/python/installed ## captioning against preparing the pictures alone, and against OpenAI's own client in Python; peak memory; needs 3 GB of disk
	MCIL_BIN=$(CURDIR)/bin/mcil MCIL_PYTHON=$(CURDIR)/$(PEERS)/python/bin/python $(GO) test -count 1 -tags bench -run TestSpeed -timeout 60m -v ./caption/peers

# PyTorch, transformers and an OpenBLAS from PyPI to measure the training step against, in a folder of their own.
BENCH = .bench

$(BENCH)/installed: train/peers/testdata/requirements.txt
	python3 -m venv $(BENCH)
	$(BENCH)/bin/pip install --quiet -r $<
	touch $@

# The OpenBLAS that came with them, where MCIL_OPENBLAS names no other.
OPENBLAS = MCIL_OPENBLAS="$${MCIL_OPENBLAS:-$$($(BENCH)/bin/python -c 'import scipy_openblas32 as o; print(o.get_lib_dir(), o.get_library(fullname=True), sep="/")')}"

# MCIL_BENCH_ROUNDS and MCIL_BENCH_STEPS make it shorter; MCIL_BENCH_THREADS is 2 where it is not set.
bench-peers: $(BENCH)/installed ## products and the training step against OpenBLAS and PyTorch, as a table and $(BENCH)/peers.json; fetches several GB, then some 15 minutes
	$(OPENBLAS) $(GO) test -count 1 -tags openblas ./train/kernel/...
	MCIL_PYTHON=$(CURDIR)/$(BENCH)/bin/python MCIL_BENCH_JSON=$(CURDIR)/$(BENCH)/peers.json $(GO) test -count 1 -tags bench -run 'TestPeers|TestStepCount' -timeout 120m -v ./train/peers

test-kills: ## 200 random kills of four writers of one caption store
	MCIL_KILLS=200 $(GO) test -count 1 -run TestKilledCaptionWriters -timeout 30m -v ./cmd/mcil

# The adapter in Python that serves a real InstructBLIP, in a folder of its own.
INSTRUCTBLIP = .instructblip

$(INSTRUCTBLIP)/installed: caption/instructblip/requirements.txt
	python3 -m venv $(INSTRUCTBLIP)
	$(INSTRUCTBLIP)/bin/pip install --quiet -r $<
	touch $@

test-instructblip: build $(INSTRUCTBLIP)/installed ## tiny InstructBLIPs behind the adapter, and mcil caption against them; fetches several GB
	MCIL_BIN=$(CURDIR)/bin/mcil PYTHONDONTWRITEBYTECODE=1 $(INSTRUCTBLIP)/bin/python caption/instructblip/test_adapter.py

# Hugging Face's own tokenizer, picture processor and ViLT, in a folder of their own. VOCABULARY: BERT's vocab.txt, in place of
# made ones; TAR: an archive in ImageNet-R's layout, in place of the 50 drawn pictures.
PARITY = .parity
PARITY_PACKAGES = train/testdata/parity_requirements.txt

$(PARITY)/installed: $(PARITY_PACKAGES)
	python3 -m venv $(PARITY)
	$(PARITY)/bin/pip install --quiet -r $<
	touch $@

parity: build $(PARITY)/installed ## tokenizer, pictures and ViLT-B/32 against Hugging Face's: 200,000 texts, 500 pictures, 50 pictures with captions; minutes; needs 4 GB of memory and 8 GB of disk
	MCIL_BIN=$(CURDIR)/bin/mcil MCIL_PYTHON=$(CURDIR)/$(PARITY)/bin/python PYTHONDONTWRITEBYTECODE=1 MCIL_VOCABULARY=$(abspath $(VOCABULARY)) MCIL_PARITY_TAR=$(abspath $(TAR)) \
		$(GO) test -count 1 -tags parity -run TestParity -timeout 60m -v ./dataset ./train/...

GOLDENS = train/vilt/testdata/vilt_golden.py $(addprefix train/method/testdata/,ease_golden.py prompts_golden.py ssf_golden.py)

goldens: $(PARITY)/installed ## make the goldens of ViLT and of the methods again
	@set -e; for script in $(GOLDENS); do echo "== $$script"; PYTHONDONTWRITEBYTECODE=1 $(PARITY)/bin/python $$script $$(dirname $$script); done

lint: ## staticcheck; fetches it
	$(GO) run $(STATICCHECK) ./...

bench: ## kernels and training steps, with GFLOP/s
	$(GO) test -run '^$$' -bench . -benchtime 0.5s ./train/kernel ./train/method

fuzz: ## every fuzz target on FUZZTIME inputs
	@set -e; for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
		echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p; done; done

clean:
	rm -rf bin mcil-demo $(READERS) $(PEERS) $(INSTRUCTBLIP) $(PARITY) $(BENCH)
