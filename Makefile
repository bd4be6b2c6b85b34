# Cloudless: build, test, demo, install. GNU Make; one Makefile.
#
#   make                 build/cloudless (installs missing dependencies first, says nothing when there are none)
#   make demo            server on port 4566 with the example applications; make demo-stop ends it
#   make test            everything: units, end to end, crash, fuzz corpus, sanitizers
#   make campaign        crash rounds, fuzzing and a mixed load for CAMPAIGN_MINUTES (60)
#   make bench | fuzz | install DESTDIR= PREFIX= | format
#   make function        the library for functions in C: build/lib/libcloudless-function.a and .so
#   make examples        the applications in C: build/examples/NAME/bootstrap and build/examples/NAME.zip
#   make SAN=address,undefined … | SAN=thread …      the same into a build folder of its own
#
# Every folder under src/ becomes an archive; DEPS_<folder> lists the archives it may use, in link order.
# docs/map.md says the same in words and tests/map_test.py checks the includes against it.

ifeq ($(origin CC),default)
CC      := gcc
endif
ifeq ($(origin CXX),default)
CXX     := g++
endif
SAN     ?=
DEBUG   ?=
PREFIX  ?= /usr/local
DESTDIR ?=
comma   := ,
O       := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
VENV    := build/venv
PY      := $(VENV)/bin/python
VERSION := $(shell cat VERSION)
V       ?=
Q       := $(if $(V),,@)
say      = $(if $(V),,@echo "$(1)")
FUZZ_SECONDS ?= 60

# As many commands at a time as there are processors, unless -j says otherwise.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

# Asked once, when the first command needs it: before that pkg-config may be among the packages that `deps` installs.
LIBS_PKG   := libuv libnghttp2 libssl libcrypto libarchive libseccomp libpcre2-8 expat libcbor
PKG_CFLAGS  = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(LIBS_PKG)))$(PKG_CFLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $(shell pkg-config --libs $(LIBS_PKG)))$(PKG_LIBS)
# Debian's rocksdb, simdjson and libdeflate come without complete pkg-config files.
# Symbols are looked for in this order when the program starts: first where nearly all of them are.
LDLIBS    = -lrocksdb -lstdc++ -lm -lc $(PKG_LIBS) -lsimdjson -ldeflate -lpthread
WARN     := -Wall -Wextra -Werror -Wshadow -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wcast-align -Wwrite-strings
WARN_C   := -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
# x86-64-v2 and PCLMUL: any server CPU since 2010; simdjson and llhttp use both.
ARCH     := $(if $(filter x86_64,$(shell uname -m)),-march=x86-64-v2 -mpclmul)
HARDEN   := -fPIE -fstack-protector-strong -fno-strict-overflow $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
OPT      := $(if $(SAN)$(DEBUG),-O1,-O2)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all) \
            $(if $(SAN),-DCLOUDLESS_MUTATE_TWICE) $(if $(findstring address,$(SAN)),-DCLOUDLESS_ARENA_DEBUG)
CPPFLAGS  = -Isrc -Iinclude -I$(O)/gen -isystem /usr/share/include/llhttp -D_GNU_SOURCE -DCLOUDLESS_VERSION='"$(VERSION)"' \
            $(PKG_CFLAGS)
CFLAGS   := -std=c17 $(OPT) -g $(ARCH) $(WARN) $(WARN_C) $(HARDEN) $(SANFLAGS) -MMD -MP
CXXFLAGS := -std=c++17 $(OPT) -g $(ARCH) $(WARN) $(HARDEN) $(SANFLAGS) -fno-rtti -fno-exceptions -MMD -MP
LDFLAGS  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANFLAGS)

# A service is a folder with a service.c; src/call/service.h says what its service.mk may say.
SERVICES := $(sort $(patsubst src/services/%/service.c,%,$(wildcard src/services/*/service.c)))
-include $(wildcard src/services/*/service.mk)
MODELS   := $(foreach s,$(SERVICES),$(or $(MODELS_$(s)),$(s)))

FOLDERS := base net store store/rocks jobs auth call wire sandbox $(SERVICES:%=services/%) gateway front main
# What a folder may link with, nearest first.
DEPS_base    :=
DEPS_net     := base
DEPS_store   := base
DEPS_store/rocks := store base
DEPS_jobs    := store base
DEPS_auth    := net store base
DEPS_call    := auth jobs $(DEPS_auth)
DEPS_wire    := call $(DEPS_call)
DEPS_sandbox := net base
$(foreach s,$(SERVICES),$(eval DEPS_services/$(s) := $(USES_$(s)) wire $(DEPS_wire)))
DEPS_gateway := services/apigateway $(DEPS_services/apigateway)
DEPS_front   := gateway sandbox $(DEPS_gateway)
DEPS_main    := front $(SERVICES:%=services/%) $(DEPS_front)

lib_of  = $(O)/lib/lib$(subst /,_,$(1)).a
src_of  = $(wildcard src/$(1)/*.c src/$(1)/*.cc)
obj_of  = $(patsubst src/%,$(O)/obj/%.o,$(call src_of,$(1)))
LLHTTP  := $(O)/lib/libllhttp.a
# The store's engines, which stand behind src/store/engine.h: linked wherever the store is, named nowhere else.
ENGINES := store/rocks
libs_of = $(call lib_of,$(1)) $(foreach d,$(DEPS_$(1)) $(if $(filter store,$(1) $(DEPS_$(1))),$(ENGINES)),$(call lib_of,$(d)))

GEN_OBJ := $(MODELS:%=$(O)/obj/gen/model_%.c.o)
SERVICES_A := $(O)/lib/libservices.a

.DEFAULT_GOAL := all
.PHONY: all demo demo-stop test campaign bench fuzz fuzzers install format clean deps deps-test units e2e docs docs-check function examples always
.SECONDARY:

all: $(O)/cloudless function $(if $(SAN),,runtimes)

# ---- dependencies ----
deps: ; @tools/deps.sh apt
deps-test: deps ; @tools/deps.sh apt test
$(VENV)/.done: requirements.txt tools/deps.sh | deps
	@tools/deps.sh venv $(VENV)
.PHONY: runtimes
runtimes: $(VENV)/.done
	@tools/runtimes.sh build/runtimes

# ---- build ----
# What compilers are called with. The file changes only when that does, and then everything is compiled again.
FLAGS = $(CC) $(CXX) $(CPPFLAGS) $(CFLAGS) $(CXXFLAGS) $(LDFLAGS) $(LDLIBS) $(FUNCTION_CFLAGS)
$(O)/flags: always | deps
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS))' > $@

$(O)/obj/%.c.o: src/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC  $@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@
$(O)/obj/%.cc.o: src/%.cc $(O)/flags
	@mkdir -p $(@D)
	$(call say,CXX $@)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c $< -o $@

$(O)/gen/model_%.c: tools/gen_api.py $(wildcard src/services/*/service.mk) $(VENV)/.done
	@mkdir -p $(@D)
	$(call say,GEN $@)
	$(Q)$(PY) tools/gen_api.py $* $@
$(O)/obj/gen/%.c.o: $(O)/gen/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC  $@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

# Debian ships llhttp's C sources; they are built where they are. Strict: the loose mode lets bytes stand between chunks.
$(O)/obj/llhttp/%.o: $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC  $@)
	$(Q)$(CC) -O2 $(ARCH) -fPIC -fvisibility=hidden $(SANFLAGS) -DLLHTTP_STRICT_MODE=1 -isystem /usr/share/include/llhttp -c /usr/share/llhttp/$* -o $@
$(LLHTTP): $(O)/obj/llhttp/llhttp.c.o $(O)/obj/llhttp/api.c.o $(O)/obj/llhttp/http.c.o
	@mkdir -p $(@D)
	$(Q)$(AR) rcs $@ $^

# The folder itself is named for sources that went away. An archive takes its name when it is whole.
define folder_rule
$(call lib_of,$(1)): $(call obj_of,$(1)) $(if $(filter call,$(1)),$(GEN_OBJ)) src/$(1)
	@mkdir -p $$(@D)
	@rm -f $$@.new
	$(Q)$(AR) rcs $$@.new $$(filter %.o,$$^)
	@mv $$@.new $$@
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rule,$(f))))

# services_all: the list of the folders.
$(O)/gen/services.c: $(wildcard src/services/*/service.c) src/services
	@mkdir -p $(@D)
	$(call say,GEN $@)
	@{ echo '#include "call/service.h"'; printf 'extern const struct service %s_service;\n' $(SERVICES); \
	  echo 'const struct service *const services_all[] = {'; printf '    &%s_service,\n' $(SERVICES); echo '    NULL};'; } > $@
$(SERVICES_A): $(O)/obj/gen/services.c.o
	@mkdir -p $(@D)
	$(Q)$(AR) rcs $@ $^

$(O)/cloudless: $(call libs_of,main) $(SERVICES_A) $(LLHTTP)
	$(call say,LD  $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(call obj_of,main) -Wl,--start-group $^ -Wl,--end-group $(LDLIBS)

# ---- the library for functions in C: its own flags, nothing of src/; C11, and only what include/cloudless declares is visible ----
FUNCTION_A  := $(O)/lib/libcloudless-function.a
FUNCTION_SO := $(O)/lib/libcloudless-function.so.$(word 1,$(subst ., ,$(VERSION)))
FUNCTION_CFLAGS = -std=c11 -D_GNU_SOURCE -Iinclude -Ilib/function -isystem /usr/share/include/llhttp -DCLOUDLESS_VERSION='"$(VERSION)"' \
            $(OPT) -g $(ARCH) $(WARN) $(WARN_C) -fstack-protector-strong $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) \
            $(SANFLAGS) -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -MMD -MP
FUNCTION_OBJ := $(patsubst %.c,$(O)/obj/%.c.o,$(wildcard lib/function/*.c))
# OpenSSL goes into the program, so that it runs on any system with a C library of 2.34 or newer.
FUNCTION_LIBS := -l:libssl.a -l:libcrypto.a -lpthread -ldl
FUNCTION_LDFLAGS := -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,--as-needed
$(O)/obj/lib/function/%.c.o: lib/function/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC  $@)
	$(Q)$(CC) $(FUNCTION_CFLAGS) -c $< -o $@
$(FUNCTION_A): $(FUNCTION_OBJ) $(O)/obj/llhttp/llhttp.c.o $(O)/obj/llhttp/api.c.o $(O)/obj/llhttp/http.c.o lib/function
	@mkdir -p $(@D)
	@rm -f $@.new
	$(Q)$(AR) rcs $@.new $(filter %.o,$^)
	@mv $@.new $@
$(FUNCTION_SO): $(FUNCTION_A)
	$(call say,LD  $@)
	$(Q)$(CC) -shared -o $@ -Wl,-soname,$(@F) -Wl,--whole-archive $< -Wl,--no-whole-archive -Wl,--exclude-libs,libssl.a:libcrypto.a \
	    $(SANFLAGS) $(FUNCTION_LDFLAGS) $(FUNCTION_LIBS)
	@ln -sf $(@F) $(@D)/libcloudless-function.so
# For projects of users: the ordinary build's pkg-config files (beside a sanitizer's program too), and the templates of `cloudless new`.
# cloudless-function is the archive with OpenSSL, for programs that are deployed; cloudless-function-shared the shared library.
PKG_CONFIG_FILE = printf '%s\n' 'prefix=$(1)' 'Name: $(basename $(notdir $(4)))' 'Description: Lambda functions in C' 'Version: $(VERSION)' \
    'Cflags: -I$(2)' 'Libs: -L$${prefix}/lib $(3)' > '$(4)'
# pkg-config wants the blanks of a path escaped.
blank := $(subst ,, )
escaped = $(subst $(blank),\ ,$(1))
PKG_CONFIG_FILES = $(call PKG_CONFIG_FILE,$(1),$(2),-l:libcloudless-function.a $(FUNCTION_LIBS),$(3)/cloudless-function.pc) && \
    $(call PKG_CONFIG_FILE,$(1),$(2),-lcloudless-function,$(3)/cloudless-function-shared.pc)
$(O)/lib/pkgconfig/cloudless-function.pc: Makefile VERSION
	@mkdir -p $(@D)
	@$(call PKG_CONFIG_FILES,$(call escaped,$(abspath build)),$(call escaped,$(abspath include)),$(@D))
$(O)/share/cloudless/templates:
	@mkdir -p $(@D)
	@ln -s '$(abspath templates)' $@
function: $(FUNCTION_A) $(if $(SAN),,$(FUNCTION_SO)) $(O)/lib/pkgconfig/cloudless-function.pc $(O)/share/cloudless/templates

EXAMPLES := $(patsubst examples/%/,%,$(dir $(wildcard examples/*/app.c)))
$(O)/examples/%/bootstrap: examples/%/app.c $(FUNCTION_A)
	@mkdir -p $(@D)
	$(call say,CC  $@)
	$(Q)$(CC) $(filter-out -Ilib/function,$(FUNCTION_CFLAGS)) -MF $@.d -MT $@ -no-pie $(FUNCTION_LDFLAGS) $(if $(SAN),,-s) -o $@ $< $(FUNCTION_A) $(FUNCTION_LIBS)
# A package in C is the program and the files beside it; one in Python is app.py, those files and what requirements.txt names.
ASSETS = $(filter %.html %.json,$(filter-out %/policy.json,$(wildcard examples/$(1)/*)))
define example_rule
$(O)/examples/$(1).zip: $(O)/examples/$(1)/bootstrap $(call ASSETS,$(1))
	@rm -f $$@; chmod a+rX $$^
	$$(Q)zip -q -j -X $$@ $$^
build/examples/$(1)-python.zip: examples/$(1)/app.py $(wildcard examples/$(1)/requirements.txt) $(call ASSETS,$(1)) tools/package_python.sh | $(VENV)/.done
	@mkdir -p $$(@D)
	$$(Q)tools/package_python.sh $$@ $(PY) $$(filter examples/%,$$^)
endef
$(foreach e,$(EXAMPLES),$(eval $(call example_rule,$(e))))
examples: $(foreach e,$(EXAMPLES),$(O)/examples/$(e).zip build/examples/$(e)-python.zip)

# A program of one source and archives; $(1) are further flags, $(2) further libraries.
one_program = $(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MF $@.d -MT $@ $(1) $(LDFLAGS) -o $@ $< \
              -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS) $(2)

# ---- unit tests: tests/unit/FOLDER/NAME_test.c is a program of its own, linked with FOLDER and what it may use ----
UNITS     := $(filter-out tests/unit/function/%,$(wildcard tests/unit/*/*_test.c tests/unit/services/*/*_test.c tests/unit/store/*/*_test.c))
UNIT_BINS := $(UNITS:tests/unit/%.c=$(O)/unit/%)
# Tests of calls and of the protocols look at real services, and at models of the tests' own.
TEST_MODELS   := $(wildcard tests/unit/wire/models/*.json)
TEST_MODELS_A := $(O)/lib/libtest_models.a
$(O)/gen/model_test_%.c: tests/unit/wire/models/test_%.json tools/gen_api.py $(VENV)/.done
	@mkdir -p $(@D)
	$(call say,GEN $@)
	$(Q)$(PY) tools/gen_api.py $< $@
$(TEST_MODELS_A): $(TEST_MODELS:tests/unit/wire/models/%.json=$(O)/obj/gen/model_%.c.o)
	@mkdir -p $(@D)
	$(Q)$(AR) rcs $@ $^
unit_libs = $(call libs_of,$(1)) $(if $(filter call wire,$(1)),$(foreach f,$(DEPS_main),$(call lib_of,$(f))) $(SERVICES_A) $(TEST_MODELS_A))
define unit_rule
$(patsubst tests/unit/%.c,$(O)/unit/%,$(1)): $(1) $(call unit_libs,$(patsubst tests/unit/%/,%,$(dir $(1)))) $(LLHTTP) | deps-test
	@mkdir -p $$(@D)
	$$(call say,LD  $$@)
	$$(call one_program,,-lcmocka)
endef
$(foreach u,$(UNITS),$(eval $(call unit_rule,$(u))))
# Of the library for functions: tests/unit/function/NAME_test.c.
FUNCTION_UNIT_BINS := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/function/*_test.c))
$(O)/unit/function/%: tests/unit/function/%.c $(FUNCTION_A) | deps-test
	@mkdir -p $(@D)
	$(call say,LD  $@)
	$(Q)$(CC) $(FUNCTION_CFLAGS) -MF $@.d -MT $@ -o $@ $< $(FUNCTION_A) $(FUNCTION_LIBS) -lcmocka
units: $(UNIT_BINS) $(FUNCTION_UNIT_BINS)
	@tests/run_units.sh $(O)/unit $(UNIT_BINS) $(FUNCTION_UNIT_BINS)

# ---- fuzzers: clang's libFuzzer over the same archives, in a build folder of their own ----
FUZZ_SAN  := address,undefined,fuzzer-no-link
FUZZERS   := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_BINS := $(FUZZERS:tests/fuzz/%.c=$(O)/fuzz/%)
FUNCTION_FUZZ_BINS := $(filter $(O)/fuzz/function_%,$(FUZZ_BINS))
FUZZ_LIBS = $(SERVICES_A) $(TEST_MODELS_A) $(foreach f,$(FOLDERS),$(if $(filter main,$(f)),,$(call lib_of,$(f))))
$(O)/fuzz/%: tests/fuzz/%.c $(FUZZ_LIBS) $(LLHTTP)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(call one_program,-Wno-missing-prototypes -fsanitize=fuzzer)
# tests/fuzz/function_NAME_fuzz.c is of the library for functions.
$(FUNCTION_FUZZ_BINS): $(O)/fuzz/%: tests/fuzz/%.c $(FUNCTION_A)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(FUNCTION_CFLAGS) -Wno-missing-prototypes -fsanitize=fuzzer -MF $@.d -MT $@ -o $@ $< $(FUNCTION_A) $(FUNCTION_LIBS)
# FUZZ_SECONDS=0 builds them only.
fuzzers: $(FUZZ_BINS)
	$(if $(filter 0,$(FUZZ_SECONDS)),,@tests/run_fuzzers.sh $(O)/fuzz $(FUZZ_SECONDS) $(FUZZ_BINS))
fuzz: deps-test
	@$(MAKE) --no-print-directory CC=clang CXX=clang++ SAN=$(FUZZ_SAN) fuzzers

# ---- tests; tests/run.py says what runs under which sanitizer ----
e2e: all examples
	@CLOUDLESS_BIN='$(abspath $(O)/cloudless)' $(PY) -m pytest tests/e2e
	@CLOUDLESS_BIN='$(abspath $(O)/cloudless)' $(PY) -m pytest examples
test: deps-test $(VENV)/.done
	@$(PY) tests/run.py
campaign: deps-test $(VENV)/.done
	@$(PY) tests/campaign.py

demo: all examples
	@tools/demo.sh start
demo-stop:
	@tools/demo.sh stop
# Not a part of the program: calls of the C library that fail, for LD_PRELOAD in tests.
$(O)/faults.so: tests/crash/faults.c
	$(call say,LD $@)
	$(Q)$(CC) -std=gnu17 -O2 -Wall -Wextra -Werror -shared -fPIC -o $@ $<
$(O)/many_jobs: tests/many_jobs.c $(call libs_of,jobs) $(LLHTTP)
	$(call say,LD $@)
	$(call one_program)
$(O)/bench_inside: bench/inside.c $(call libs_of,main) $(SERVICES_A) $(LLHTTP)
	$(call say,LD $@)
	$(call one_program)
$(O)/bench_bodies: bench/bodies.c $(call libs_of,net) $(LLHTTP)
	$(call say,LD $@)
	$(call one_program)
bench: deps-test all
	@$(PY) bench/run.py

install: all
	install -D -m 755 $(O)/cloudless $(DESTDIR)$(PREFIX)/bin/cloudless
	mkdir -p $(DESTDIR)$(PREFIX)/share/cloudless $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|' packaging/cloudless.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/cloudless.service
	cp -R build/runtimes templates $(DESTDIR)$(PREFIX)/share/cloudless/
	mkdir -p $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	cp -R include/cloudless $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(FUNCTION_A) $(FUNCTION_SO) $(DESTDIR)$(PREFIX)/lib/
	ln -sf $(notdir $(FUNCTION_SO)) $(DESTDIR)$(PREFIX)/lib/libcloudless-function.so
	$(call PKG_CONFIG_FILES,$(PREFIX),$${prefix}/include,$(DESTDIR)$(PREFIX)/lib/pkgconfig)
format: deps-test
	git clang-format --binary tools/clang_format.sh --extensions c,h -f
# The compatibility tables and the list of them, from the services' own tables of operations.
$(O)/list_rows: tools/list_rows.c $(call libs_of,main) $(SERVICES_A) $(LLHTTP)
	$(call say,LD $@)
	$(call one_program)
$(O)/rows.tsv: $(O)/list_rows
	@$< > $@
docs: $(O)/rows.tsv $(VENV)/.done
	@$(PY) tools/compatibility.py $< docs README.md
docs-check: $(O)/rows.tsv $(VENV)/.done
	@$(PY) tools/compatibility.py --check $< docs README.md && echo "1 passed, 0 failed"

clean:
	rm -rf build

-include $(shell find $(O)/obj $(O)/unit $(O)/fuzz $(O)/examples $(O)/list_rows.d -name '*.d' 2>/dev/null)
