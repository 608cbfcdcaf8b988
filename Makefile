# One makefile for everything; objects in build/$(MODE)/.  "make help" lists.
MODE   ?= release
BUILD  ?= build
B      := $(BUILD)/$(MODE)
VERSION := $(shell sed -n 's/^\#define RK_VERSION "\(.*\)"/\1/p' \
	libcore/include/rpckit/base.h)
SOVERSION := 0

CC         ?= cc
PKG_CONFIG ?= pkg-config

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wvla -Wformat=2 \
	-Wnull-dereference -Wwrite-strings -Wundef -Wpointer-arith -Wcast-qual \
	-Wswitch-enum -Wimplicit-fallthrough -Wconversion -Wsign-conversion

CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS_debug   := -O0 -g3 -Werror
# A report needs lines, not variables: -g1 takes a quarter less time.
CFLAGS_asan    := -O1 -g1 -fno-omit-frame-pointer -Werror \
	-fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_tsan    := -O1 -g1 -fno-omit-frame-pointer -Werror -fsanitize=thread
# Of programs and tests little computes: the optimizer would take longer than
# it saves.  The release has its warnings.
QUICK_asan := -O0
QUICK_tsan := -O0
CFLAGS_fuzz    := -O1 -g -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
# A library with a symbol that nothing defines does not link; sanitizers leave
# theirs to the program.
SO_LDFLAGS_release := -Wl,-z,defs
SO_LDFLAGS_debug   := -Wl,-z,defs
# Every test is a program with the whole library in it: gold needs less than
# half the time for them, where it is.
FAST_LD := $(if $(shell command -v ld.gold),-fuse-ld=gold)
LDFLAGS_asan   := -fsanitize=address,undefined $(FAST_LD)
LDFLAGS_tsan   := -fsanitize=thread $(FAST_LD)
# Tests start programs thousands of times, and with AddressSanitizer a start
# takes longer than most of what they do then: all is settled when they are
# linked, that can be, and nothing moved or looked up when they start.
PIE            := -pie
ifeq ($(MODE),asan)
PIE            := -no-pie -Wl,-z,lazy
# These flags are gcc's; an archive that is there has a whole path.
archive = $(filter /%,$(shell $(CC) -print-file-name=$(1)))
STATIC_ASAN    := $(if $(shell $(CC) --version | grep clang),,$(if \
	$(and $(call archive,libasan.a),$(call archive,libubsan.a)), \
	-static-libasan -static-libubsan))
endif
LDFLAGS_fuzz   := -fsanitize=address,undefined

LIB_PKGS := openssl libsodium libargon2 sqlite3
CLI_PKGS := jansson libedit libqrencode
TUI_PKGS := ncursesw

# QUIC needs ngtcp2 1.11 with one of its TLS helpers; everything else builds
# without.  QUIC=no, gnutls or ossl overrides what is found.
NGTCP2 := libngtcp2 >= 1.11
found = $(shell $(PKG_CONFIG) --exists $(1) && echo $(2))
ifndef QUIC
QUIC := $(firstword $(call found,'$(NGTCP2)' libngtcp2_crypto_gnutls gnutls, \
	gnutls) $(call found,'$(NGTCP2)' libngtcp2_crypto_ossl,ossl) no)
endif
QUIC_PKGS_gnutls := libngtcp2 libngtcp2_crypto_gnutls gnutls
QUIC_PKGS_ossl   := libngtcp2 libngtcp2_crypto_ossl
LIB_PKGS += $(QUIC_PKGS_$(QUIC))
QUIC_FILES := $(wildcard libcore/net/quic*.c)
# Sessions use UDP as QUIC does.
QUIC_OFF_no     := $(filter-out %/quic_none.c %/quic_cid.c %/quic_place.c \
	%/quic_io.c %/quic_io_addr.c %/quic_io_send.c %/quic_io_sock.c, \
	$(QUIC_FILES))
QUIC_OFF_gnutls := libcore/net/quic_none.c $(wildcard \
	libcore/net/quic_tls_ossl*.c)
QUIC_OFF_ossl   := libcore/net/quic_none.c libcore/net/quic_crypt.c \
	$(wildcard libcore/net/quic_tls_gnutls*.c)
# The resolver of libc, for SRV records: part of libc itself, or beside it.
SYS_LIBS := -lresolv -pthread
# For rpckit.pc: what linking librpckit.a takes.  GnuTLS is shared wherever it
# is packaged, so what it keeps to itself is nobody's need; nor is a package
# named that names it.
PC_APART := $(filter gnutls %_gnutls,$(LIB_PKGS))
PC_PKGS := $(filter-out $(PC_APART),$(LIB_PKGS))
PC_LIBS := $(if $(PC_APART),$(strip \
	$(shell $(PKG_CONFIG) --libs $(PC_APART))) )$(SYS_LIBS)
DEPS_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIB_PKGS) $(CLI_PKGS))
LIB_LIBS    := $(shell $(PKG_CONFIG) --libs $(LIB_PKGS)) $(SYS_LIBS)
CLI_LIBS    := $(shell $(PKG_CONFIG) --libs $(CLI_PKGS))
TUI_LIBS    := $(shell $(PKG_CONFIG) --libs $(TUI_PKGS))
# Feature macros of a library's are none of ours, which are wider.
TUI_CFLAGS  := $(filter-out -D%,$(shell $(PKG_CONFIG) --cflags $(TUI_PKGS)))

CF_PROTECTION := $(if $(filter x86_64 i686,$(shell uname -m)),-fcf-protection)

# Ours come first, so that a user's CFLAGS have the last word.
RK_CFLAGS  := -std=c17 -D_GNU_SOURCE $(WARN) -fPIC -fvisibility=hidden \
	-fstack-protector-strong -fstack-clash-protection $(CF_PROTECTION) \
	-pthread $(CFLAGS_$(MODE)) $(DEPS_CFLAGS)
RK_LDFLAGS := -Wl,-z,relro -Wl,-z,now -Wl,--as-needed $(LDFLAGS_$(MODE))

# The wall: library objects see libcore/; programs see the public headers and,
# through a folder of links, base and cli; scripts/layers checks the rest.
WALL      := $(BUILD)/wall
INC_LIB   := -Ilibcore/include -Ilibcore
INC_PROG  := -Ilibcore/include -I$(WALL)

PROGRAMS := rpcd rpcsh selfy keyvault rpctui
# A program's folder, where it is not named as the program is.
folder = $(if $(filter rpctui,$(1)),tui,$(1))
LIB_SRCS := $(filter-out $(QUIC_OFF_$(QUIC)),$(wildcard libcore/base/*.c \
	libcore/trust/*.c libcore/net/*.c libcore/rpc/*.c))
CLI_SRCS := $(wildcard libcore/cli/*.c)
# What tests of the dashboard are linked with.
TUI_SRCS := $(filter-out tui/main.c,$(wildcard tui/*.c))
# And those of the vault.
VAULT_SRCS := $(filter-out keyvault/main.c,$(wildcard keyvault/*.c))
QUIC_UNITS_OFF_no   := tests/unit/test_quic% tests/contract/test_quic%
QUIC_UNITS_OFF_ossl := %/test_quic_tls_gnutls.c %/test_quic_gnutls.c \
	%/test_quic_gnutls_no_memory.c %/test_quic_crypt.c
UNIT_SRCS := $(filter-out $(QUIC_UNITS_OFF_$(QUIC)), \
	$(wildcard tests/unit/test_*.c tests/contract/test_*.c))
TESTLIB_SRCS := $(filter-out $(if $(filter no,$(QUIC)),%/quicpair.c \
	%/quicrig.c %/quicnet.c %/quicpeer.c),$(wildcard tests/lib/*.c))
TOOL_SRCS := $(wildcard tests/tools/*.c)
FUZZ_SRCS := $(filter-out $(if $(filter no,$(QUIC)),tests/fuzz/fuzz_quic%), \
	$(wildcard tests/fuzz/fuzz_*.c))
BENCH_SRCS := bench/args.c bench/meter.c
BENCH_load  := $(wildcard bench/load*.c)
BENCH_limit := $(wildcard bench/limit*.c bench/raw_*.c)
BENCH_delay := bench/delay.c
BENCH_session := $(wildcard bench/session*.c)
BENCH_vault := bench/vault.c
EXAMPLE_SRCS := $(wildcard examples/*.c)

# Modes that differ in what they link may share objects: OBJ=DIR.
OBJ := $(B)/obj
obj = $(patsubst %.c,$(OBJ)/%.o,$(1))

CORE_A   := $(B)/lib/libcore.a
CLI_A    := $(B)/lib/libcli.a
TUI_A    := $(B)/lib/libtui.a
VAULT_A  := $(B)/lib/libvault.a
TESTLIB_A := $(B)/lib/libtest.a
PUBLIC_A := $(B)/lib/librpckit.a
SO       := $(B)/lib/librpckit.so.$(VERSION)
BINS     := $(addprefix $(B)/bin/,$(PROGRAMS))
UNITS    := $(patsubst %.c,$(B)/test/%,$(notdir $(UNIT_SRCS)))
TOOLS    := $(patsubst %.c,$(B)/test/%,$(notdir $(TOOL_SRCS)))
FUZZERS  := $(patsubst %.c,$(B)/fuzz/%,$(notdir $(FUZZ_SRCS)))
REPLAYS  := $(patsubst fuzz_%.c,$(B)/test/replay_%,$(notdir $(FUZZ_SRCS)))
BENCHES  := $(addprefix $(B)/bench/,load limit delay session vault)
EXAMPLES := $(patsubst %.c,$(B)/examples/%,$(notdir $(EXAMPLE_SRCS)))

all: $(BINS) $(PUBLIC_A) $(SO)
programs: $(BINS)
tests: $(UNITS) $(REPLAYS) test-tools
test-objects: $(call obj,$(UNIT_SRCS) $(TESTLIB_SRCS) $(TOOL_SRCS) \
	$(FUZZ_SRCS) tests/fuzz/replay.c)
test-tools: $(TOOLS)
objects: test-objects $(call obj,$(LIB_SRCS) $(CLI_SRCS) $(BENCH_SRCS) \
	$(BENCH_load) $(BENCH_limit) $(BENCH_delay) $(BENCH_vault) \
	$(EXAMPLE_SRCS) \
	$(foreach p,$(PROGRAMS),$(wildcard $(call folder,$(p))/*.c)))
fuzzers: $(FUZZERS)
benches: $(BENCHES)
examples: $(EXAMPLES)

help:
	@echo 'make [MODE=release|debug|asan|tsan|fuzz] [BUILD=build] TARGET'
	@echo '  all            programs and library (the default)'
	@echo '  tests          unit and contract tests, corpus replays'
	@echo '  test-objects   what tests are made of, compiled and not linked'
	@echo '  objects        everything, compiled and not linked'
	@echo '  test-tools     small programs for outside test suites'
	@echo '  test           run the tests of this MODE'
	@echo '  check          what ./check runs: every mode, every test'
	@echo '  fuzzers fuzz   libFuzzer targets (MODE=fuzz CC=clang)'
	@echo '  stress         end keyvault by force 500 times, and what takes long'
	@echo '  bench          measure against the raw limits'
	@echo '  interop        try calls to and from a Go peer (fetches Go)'
	@echo '  examples       programs that use only the public headers'
	@echo '  format         clang-format every source'
	@echo '  install uninstall dist clean'

$(WALL)/made: Makefile
	@mkdir -p $(WALL)
	@ln -sfn $(CURDIR)/libcore/base $(WALL)/base
	@ln -sfn $(CURDIR)/libcore/cli $(WALL)/cli
	@touch $@

$(OBJ)/libcore/%.o: libcore/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(RK_CFLAGS) $(INC_LIB) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Tests see the inside of the library; programs and examples do not.  cmocka 2
# would rather have names of its own that cmocka 1 has not.
$(OBJ)/tests/%.o: tests/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(RK_CFLAGS) $(QUICK_$(MODE)) $(INC_LIB) -I. -Itests/lib \
	    -DCMOCKA_DISABLE_DEPRECATION_WARNINGS $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/tui/%.o: tui/%.c Makefile | $(WALL)/made
	@mkdir -p $(@D)
	$(CC) $(RK_CFLAGS) $(QUICK_$(MODE)) $(TUI_CFLAGS) $(INC_PROG) \
	    -I$(<D) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/%.o: %.c Makefile | $(WALL)/made
	@mkdir -p $(@D)
	$(CC) $(RK_CFLAGS) $(QUICK_$(MODE)) $(INC_PROG) -I$(<D) \
	    $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(CORE_A): $(call obj,$(LIB_SRCS))
$(CLI_A): $(call obj,$(CLI_SRCS))
$(TUI_A): $(call obj,$(TUI_SRCS))
$(VAULT_A): $(call obj,$(VAULT_SRCS))
$(TESTLIB_A): $(call obj,$(TESTLIB_SRCS))
$(CORE_A) $(CLI_A) $(TUI_A) $(VAULT_A) $(TESTLIB_A):
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

# What is installed: one object whose hidden symbols are local.
$(PUBLIC_A): $(call obj,$(LIB_SRCS))
	@mkdir -p $(@D)
	@rm -f $@
	$(LD) -r -o $(B)/lib/librpckit.o $^
	objcopy --localize-hidden $(B)/lib/librpckit.o
	$(AR) rcs $@ $(B)/lib/librpckit.o

$(SO): $(call obj,$(LIB_SRCS)) libcore/librpckit.map
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-soname,librpckit.so.$(SOVERSION) \
	    -Wl,--version-script=libcore/librpckit.map \
	    $(RK_LDFLAGS) $(SO_LDFLAGS_$(MODE)) $(LDFLAGS) \
	    -o $@ $(call obj,$(LIB_SRCS)) $(LIB_LIBS)
	ln -sfn $(@F) $(B)/lib/librpckit.so.$(SOVERSION)
	ln -sfn $(@F) $(B)/lib/librpckit.so

LIBS_rpctui = $(TUI_LIBS)
define program
$(B)/bin/$(1): $(call obj,$(wildcard $(call folder,$(1))/*.c)) $(CLI_A) $(CORE_A)
	@mkdir -p $$(@D)
	$$(CC) $$(RK_LDFLAGS) $$(PIE) $$(STATIC_ASAN) $$(LDFLAGS) -o $$@ $$^ \
	    $$(LIBS_$(1)) $$(CLI_LIBS) $$(LIB_LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

$(B)/test/test_%: $(OBJ)/tests/unit/test_%.o $(TESTLIB_A) $(CLI_A) $(CORE_A)
	@mkdir -p $(@D)
	$(CC) $(RK_LDFLAGS) $(PIE) $(LDFLAGS) -o $@ $^ -lcmocka $(CLI_LIBS) \
	    $(LIB_LIBS)
$(B)/test/test_%: $(OBJ)/tests/contract/test_%.o $(TESTLIB_A) $(CLI_A) $(CORE_A)
	@mkdir -p $(@D)
	$(CC) $(RK_LDFLAGS) $(PIE) $(LDFLAGS) -o $@ $^ -lcmocka $(CLI_LIBS) \
	    $(LIB_LIBS)
# Of our own objects; other libraries have their memory (tests/lib/failmalloc).
FAILMALLOC_LDFLAGS := $(addprefix -Xlinker --wrap=,malloc calloc realloc \
	reallocarray strdup strndup)
$(B)/test/test_no_memory $(B)/test/test_sess_no_memory: \
    RK_LDFLAGS += $(FAILMALLOC_LDFLAGS)
$(B)/test/test_vault_memory: RK_LDFLAGS += $(FAILMALLOC_LDFLAGS) \
	-Xlinker --wrap=sodium_malloc
$(B)/test/test_known_raced: RK_LDFLAGS += $(addprefix -Xlinker --wrap=, \
	fstat fs_write_all)
$(B)/test/test_vault_openssh: RK_LDFLAGS += -Xlinker --wrap=buf_put
$(B)/test/test_quic_no_memory: RK_LDFLAGS += $(addprefix -Xlinker --wrap=, \
	ngtcp2_conn_client_new_versioned ngtcp2_conn_server_new_versioned)
# The dashboard's have its parts as well.
$(B)/test/test_tui_%: $(OBJ)/tests/unit/test_tui_%.o $(TESTLIB_A) $(TUI_A) \
    $(CLI_A) $(CORE_A)
	@mkdir -p $(@D)
	$(CC) $(RK_LDFLAGS) $(PIE) $(LDFLAGS) -o $@ $^ -lcmocka $(TUI_LIBS) \
	    $(CLI_LIBS) $(LIB_LIBS)
$(B)/test/test_tui_%: $(OBJ)/tests/contract/test_tui_%.o $(TESTLIB_A) \
    $(TUI_A) $(CLI_A) $(CORE_A)
	@mkdir -p $(@D)
	$(CC) $(RK_LDFLAGS) $(PIE) $(LDFLAGS) -o $@ $^ -lcmocka $(TUI_LIBS) \
	    $(CLI_LIBS) $(LIB_LIBS)
# And the vault's.
$(B)/test/test_vault_%: $(OBJ)/tests/unit/test_vault_%.o $(TESTLIB_A) \
    $(VAULT_A) $(CLI_A) $(CORE_A)
	@mkdir -p $(@D)
	$(CC) $(RK_LDFLAGS) $(PIE) $(LDFLAGS) -o $@ $^ -lcmocka $(CLI_LIBS) \
	    $(LIB_LIBS)
$(B)/test/replay_vault_%: $(OBJ)/tests/fuzz/fuzz_vault_%.o \
    $(OBJ)/tests/fuzz/replay.o $(VAULT_A) $(CLI_A) $(CORE_A)
	@mkdir -p $(@D)
	$(CC) $(RK_LDFLAGS) $(PIE) $(LDFLAGS) -o $@ $^ $(CLI_LIBS) $(LIB_LIBS)
$(B)/fuzz/fuzz_vault_%: $(OBJ)/tests/fuzz/fuzz_vault_%.o $(VAULT_A) \
    $(CLI_A) $(CORE_A)
	@mkdir -p $(@D)
	$(CC) -fsanitize=fuzzer $(RK_LDFLAGS) $(LDFLAGS) -o $@ $^ \
	    $(CLI_LIBS) $(LIB_LIBS)
$(B)/test/replay_tui_%: $(OBJ)/tests/fuzz/fuzz_tui_%.o \
    $(OBJ)/tests/fuzz/replay.o $(TUI_A) $(CLI_A) $(CORE_A)
	@mkdir -p $(@D)
	$(CC) $(RK_LDFLAGS) $(PIE) $(LDFLAGS) -o $@ $^ $(CLI_LIBS) $(LIB_LIBS)
$(B)/fuzz/fuzz_tui_%: $(OBJ)/tests/fuzz/fuzz_tui_%.o $(TUI_A) $(CLI_A) \
    $(CORE_A)
	@mkdir -p $(@D)
	$(CC) -fsanitize=fuzzer $(RK_LDFLAGS) $(LDFLAGS) -o $@ $^ \
	    $(CLI_LIBS) $(LIB_LIBS)
$(B)/test/replay_%: $(OBJ)/tests/fuzz/fuzz_%.o $(OBJ)/tests/fuzz/replay.o \
    $(CLI_A) $(CORE_A)
	@mkdir -p $(@D)
	$(CC) $(RK_LDFLAGS) $(PIE) $(LDFLAGS) -o $@ $^ $(CLI_LIBS) $(LIB_LIBS)
$(B)/test/%: $(OBJ)/tests/tools/%.o $(CORE_A)
	@mkdir -p $(@D)
	$(CC) $(RK_LDFLAGS) $(PIE) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)
$(B)/fuzz/fuzz_%: $(OBJ)/tests/fuzz/fuzz_%.o $(CLI_A) $(CORE_A)
	@mkdir -p $(@D)
	$(CC) -fsanitize=fuzzer $(RK_LDFLAGS) $(LDFLAGS) -o $@ $^ \
	    $(CLI_LIBS) $(LIB_LIBS)
define bench_program
$(B)/bench/$(1): $(call obj,$(BENCH_SRCS) $(BENCH_$(1))) $(CORE_A)
	@mkdir -p $$(@D)
	$$(CC) $$(RK_LDFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LIB_LIBS)
endef
$(foreach p,load limit delay session,$(eval $(call bench_program,$(p))))
$(OBJ)/bench/vault.o: INC_PROG += -I.
$(B)/bench/vault: $(call obj,$(BENCH_vault)) $(VAULT_A) $(CLI_A) $(CORE_A)
	@mkdir -p $(@D)
	$(CC) $(RK_LDFLAGS) $(LDFLAGS) -o $@ $^ $(CLI_LIBS) $(LIB_LIBS)
$(B)/examples/%: $(OBJ)/examples/%.o $(PUBLIC_A)
	@mkdir -p $(@D)
	$(CC) $(RK_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

# MODE=tsan runs what has threads.
TSAN_UNITS = $(patsubst %.c,$(B)/test/%,$(notdir $(if $(UNIT_SRCS),$(shell \
	grep -lE 'pthread_create|threads' $(UNIT_SRCS)))))

# NAME=COMMAND, as tests/run takes them.  The run-time of tsan wants addresses
# that are not random.
RUN_tsan = $(foreach t,$(TSAN_UNITS),'$(notdir $(t))=setarch -R $(t)')
RUN_all  = $(UNITS) $(foreach t,$(REPLAYS),'$(notdir $(t))=$(t) \
	tests/fuzz/corpus/$(patsubst replay_%,%,$(notdir $(t)))') \
	$(sort $(wildcard tests/cli/*.sh))
test: programs tests
	tests/run --mode $(B) $(if $(RUN_$(MODE)),$(RUN_$(MODE)),$(RUN_all))

print-units:
	@echo $(UNITS)
print-tsan-units:
	@echo $(TSAN_UNITS)
# What a static library of ours needs besides.
print-libs:
	@echo $(LIB_LIBS)

check:
	./check

# Seconds a target.
FUZZ_TIME ?= 20
fuzz:
	$(MAKE) MODE=fuzz CC=$(FUZZ_CC) fuzzers
	scripts/fuzz $(BUILD)/fuzz $(FUZZ_TIME)
FUZZ_CC ?= $(firstword $(shell command -v clang-14 clang))

ifneq ($(wildcard bench/run),)
bench:
	bench/run
endif

# By hand, before a release: the full numbers, of which ./check does a part.
stress: programs
	tests/run --once -t 3600 -j 1 --mode $(B) \
	    'keyvault_crash=RPCKIT_VAULT_STRESS=1 tests/cli/keyvault_crash.sh' \
	    'keyvault_keys=RPCKIT_VAULT_STRESS=1 tests/cli/keyvault_keys.sh'

# By hand, before a release; INTEROP=--long waits for idle connections too.
interop:
	MODE='$(MODE)' BUILD='$(BUILD)' tests/interop/run $(INTEROP)

clean:
	rm -rf $(BUILD)

format:
	scripts/format --write

include contrib/install.mk

.PHONY: all stress programs tests test-objects objects test-tools fuzzers benches examples \
	help test print-units print-tsan-units print-libs check fuzz bench interop \
	clean format
.SECONDARY:
.DELETE_ON_ERROR:

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
