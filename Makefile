# Ridge - the two commands of a newcomer are `make demo` and `make test`; `make help` lists the rest.
B     ?= build
MESON ?= meson
J     ?= 2
# The second line is opened at run time: when a picture is read, when `ridge learn` teaches.
PACKAGES = gcc meson ninja-build pkg-config libnanopb-dev libjansson-dev libzip-dev zlib1g-dev libhwloc-dev libcmocka-dev \
           libpng16-16 libturbojpeg0 libwebp7 libxgboost0
# Sanitizer builds need clang's runtime, coverage needs gcovr; `make setup-dev` brings them.
DEV_PACKAGES = clang libclang-rt-14-dev llvm gcovr
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev build demo test check-all check-graphs bench fuzz cover learn accuracy lint fmt install clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# Where there is no apt-get, the packages are the user's to bring.
define install_missing
	@command -v apt-get >/dev/null || exit 0; \
	 missing=$$(for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	 if [ -n "$$missing" ]; then echo "installing:" $$missing; $(SUDO) apt-get update -qq && \
	   DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi
endef

setup: ## install the build's Debian packages that are missing
	$(call install_missing,$(PACKAGES))

setup-dev: setup ## ... and those of sanitizers, fuzzing and coverage
	$(call install_missing,$(DEV_PACKAGES))

# Configures once, and again when a file came or went.
define configure
	@mkdir -p $(1); find src cmd data test fuzz bench tools -type f 2>/dev/null | LC_ALL=C sort > $(1)/.files.new; \
	 if [ ! -f $(1)/build.ninja ]; then $(2) $(MESON) setup $(1) $(3) >$(1)/setup.log 2>&1 || { cat $(1)/setup.log; exit 1; }; \
	 elif ! cmp -s $(1)/.files.new $(1)/.files; then $(MESON) setup --reconfigure $(1) >$(1)/setup.log 2>&1 || { cat $(1)/setup.log; exit 1; }; fi; \
	 mv $(1)/.files.new $(1)/.files
endef

build: setup ## compile the program and the library
	$(call configure,$(B),,)
	@ninja -C $(B) -j$(J) --quiet

demo: build ## the main job on a bundled model and on zoo:resnet50
	@tools/demo.sh $(B)/ridge

test: build ## all tests
	@$(MESON) test -C $(B) --print-errorlogs --num-processes $(J) --no-rebuild | tools/count.sh

check-all: setup-dev test ## tests under gcc and clang, all sanitizers, out of memory, short fuzzing
	$(call configure,$(B)-clang,CC=clang,-Dbuildtype=debug)
	@ninja -C $(B)-clang -j$(J) --quiet && $(MESON) test -C $(B)-clang --print-errorlogs --num-processes $(J) --no-rebuild | tools/count.sh
	$(call configure,$(B)-asan,CC=clang,-Dbuildtype=debug -Db_sanitize=address$(comma)undefined -Db_lundef=false -Dc_args=-fsanitize=float-cast-overflow)
	@ninja -C $(B)-asan -j$(J) --quiet && $(MESON) test -C $(B)-asan --print-errorlogs --num-processes $(J) --no-rebuild --timeout-multiplier 6 | tools/count.sh
	$(call configure,$(B)-tsan,CC=clang,-Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false)
	@ninja -C $(B)-tsan -j$(J) --quiet test_threads test_workers test_study test_team test_session test_planned test_meter
	@for t in threads workers study team session planned meter; do $(B)-tsan/test_$$t || exit 1; done
	@$(MAKE) --no-print-directory fuzz SECONDS_EACH=30
comma := ,

GRAPHS ?= 10000
check-graphs: build ## GRAPHS random graphs: naive, planned, fast, and ONNX Runtime where RIDGE_ONNXRUNTIME says
	@RIDGE_GRAPHS=$(GRAPHS) $(B)/test_random_graphs

bench: setup ## import, forecast, whole process; the zoo beside ONNX Runtime on 1 and 2 threads
	$(call configure,$(B)-release,,-Dbuildtype=release -Dbench=true)
	@ninja -C $(B)-release -j$(J) --quiet && tools/bench.sh $(B)-release

SECONDS_EACH ?= 60
fuzz: setup-dev ## every fuzz target for SECONDS_EACH seconds
	$(call configure,$(B)-fuzz,CC=clang,-Dbuildtype=debugoptimized -Dfuzz=true -Db_sanitize=address$(comma)undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link$(comma)float-cast-overflow)
	@ninja -C $(B)-fuzz -j$(J) --quiet && tools/fuzz.sh $(B)-fuzz $(SECONDS_EACH)

cover: setup-dev ## line coverage of src/ and cmd/ by the project's own fixtures
	$(call configure,$(B)-cover,,-Dbuildtype=debug -Db_coverage=true -Dshared_dir=/nonexistent)
	@find $(B)-cover -name '*.gcda' -delete
	@ninja -C $(B)-cover -j$(J) --quiet && $(MESON) test -C $(B)-cover --print-errorlogs --num-processes $(J) --no-rebuild | tools/count.sh
	@gcovr -r . $(B)-cover -f src/ -f cmd/ -s -j $(J)

learn: build ## train data/learned/ again, from the measurements in the folder MEASURED
	@[ -n "$(MEASURED)" ] || { echo "make learn MEASURED=DIR: the folder of measurements (doc/learn.md)"; exit 2; }
	@nice tools/learn.sh $(B)/ridge $(MEASURED) $(B)/learn
	@mkdir -p data/learned && cp $(B)/learn/learned/*.trees data/learned/

accuracy: build ## write doc/accuracy.md from what was learned
	@tools/accuracy.sh $(B)/ridge > doc/accuracy.md

lint: ## style and layers
	@tools/lint.sh && tools/layers.sh

fmt: ## what can be mended by a machine: trailing blanks
	@sed -i 's/[[:space:]]*$$//' $$(find src cmd include test fuzz bench -name '*.[ch]')

install: build ## install (DESTDIR and meson's prefix are honoured)
	@$(MESON) install -C $(B) --no-rebuild --quiet
	@[ -n "$(DESTDIR)" ] || ldconfig 2>/dev/null || true # so that libridge.so.0 is found at once

clean: ## remove the build folders
	@rm -rf $(B) $(B)-clang $(B)-asan $(B)-tsan $(B)-release $(B)-fuzz $(B)-cover
