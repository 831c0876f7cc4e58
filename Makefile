# The few commands of the project. Each one installs what it lacks (on Debian and Ubuntu), so that it works on a fresh
# machine with Rust.

# Release builds only: one profile serves the demo, the tests and the benchmarks. Incremental data would double the
# size of the target directory and is of no use to them.
export CARGO_INCREMENTAL = 0

KAFKA ?= embedded
SOURCES = $(shell git ls-files '*.rs')

.PHONY: help demo test batch chaos lint fmt bench check-docker clean

help: ## List the commands.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## A generated bid stream through Kafka into a live result; KAFKA=real uses Apache Kafka.
	scripts/install.sh $(if $(filter real,$(KAFKA)),test,build)
	scripts/demo.sh $(KAFKA)

test: ## Run every test, on an Apache Kafka and an S3 server that it starts itself.
	scripts/install.sh test
	scripts/with-servers.sh cargo test --release --workspace --no-fail-fast
	$(MAKE) batch

batch: ## Compare streams with the batch SQL of DataFusion on random rows.
	scripts/install.sh build
	cargo test --release --manifest-path tests/batch/Cargo.toml --target-dir "$${CARGO_TARGET_DIR:-target}"

KILLS ?= 500
chaos: ## Kill the process KILLS (500) times while it works, and check that nothing is lost or doubled.
	scripts/install.sh test
	SWIFTWATER_TEST_KILLS=$(KILLS) scripts/with-servers.sh \
	  cargo test --release --test it -- chaos --nocapture --test-threads=1

lint: ## Check format, lints, documentation, dependencies and scripts.
	scripts/install.sh test
	rustfmt --check --edition 2024 $(SOURCES)
	cargo clippy --release --workspace --all-targets -- -D warnings
	cargo clippy --release --manifest-path tests/batch/Cargo.toml --target-dir "$${CARGO_TARGET_DIR:-target}" \
	  --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps
	scripts/check-dependencies.sh
	"$$(scripts/tool.sh shellcheck)" -x scripts/*.sh .ci/run

fmt: ## Format all sources.
	rustfmt --edition 2024 $(SOURCES)

bench: ## Run the benchmarks; each prints the command behind its figures.
	scripts/install.sh test
	scripts/with-servers.sh cargo run --release -p swiftwater-benches

check-docker: ## Check the image's recipe, the Compose file, the alerts and the dashboard.
	scripts/install.sh test
	scripts/check-docker.sh

clean: ## Delete what was built.
	cargo clean
