# install, uninstall and dist.  Every file that is installed is one line of
# INSTALLED, and uninstall goes by the same lines.
PREFIX         ?= /usr/local
BINDIR         ?= $(PREFIX)/bin
SBINDIR        ?= $(PREFIX)/sbin
LIBDIR         ?= $(PREFIX)/lib
INCLUDEDIR     ?= $(PREFIX)/include
MANDIR         ?= $(PREFIX)/share/man
DOCDIR         ?= $(PREFIX)/share/doc/rpckit
PKGCONFIGDIR   ?= $(LIBDIR)/pkgconfig
CMAKEDIR       ?= $(LIBDIR)/cmake/rpckit
BASHCOMPDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR     ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR    ?= $(PREFIX)/share/fish/vendor_completions.d
# Empty: do not install these.
SYSCONFDIR     ?= $(if $(filter /usr /usr/local,$(PREFIX)),,$(PREFIX))/etc
SYSTEMDUNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR    ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR    ?= $(PREFIX)/lib/tmpfiles.d
INSTALL        ?= install

GEN := $(B)/share
relative = $(shell realpath -m --relative-to=$(1) $(2))
SO_NAME := librpckit.so

HEADERS := $(wildcard libcore/include/rpckit/*.h)
MANPAGES := $(wildcard man/*.[1-8])
EXAMPLE_FILES := $(wildcard examples/*.c)
in_sbin = $(filter rpcd,$(1))

# KIND:SOURCE:DESTINATION.  Kinds: x program, f file, l link (SOURCE is what it
# points to), c configuration (never overwritten).
INSTALLED := \
	$(foreach p,$(PROGRAMS),x:$(B)/bin/$(p):$(if \
	    $(call in_sbin,$(p)),$(SBINDIR),$(BINDIR))/$(p)) \
	f:$(SO):$(LIBDIR)/$(SO_NAME).$(VERSION) \
	l:$(SO_NAME).$(VERSION):$(LIBDIR)/$(SO_NAME).$(SOVERSION) \
	l:$(SO_NAME).$(VERSION):$(LIBDIR)/$(SO_NAME) \
	f:$(PUBLIC_A):$(LIBDIR)/librpckit.a \
	$(foreach h,$(HEADERS),f:$(h):$(INCLUDEDIR)/rpckit/$(notdir $(h))) \
	f:$(GEN)/rpckit.pc:$(PKGCONFIGDIR)/rpckit.pc \
	f:$(GEN)/rpckit-config.cmake:$(CMAKEDIR)/rpckit-config.cmake \
	f:$(GEN)/rpckit-config-version.cmake:$(CMAKEDIR)/rpckit-config-version.cmake \
	$(foreach m,$(MANPAGES),f:$(m):$(MANDIR)/man$(subst .,,$(suffix \
	    $(m)))/$(notdir $(m))) \
	f:LICENSE:$(DOCDIR)/LICENSE \
	$(foreach e,$(EXAMPLE_FILES),f:$(e):$(DOCDIR)/$(e)) \
	$(foreach p,$(PROGRAMS),f:$(GEN)/bash/$(p):$(BASHCOMPDIR)/$(p) \
	    f:$(GEN)/zsh/_$(p):$(ZSHCOMPDIR)/_$(p) \
	    f:$(GEN)/fish/$(p).fish:$(FISHCOMPDIR)/$(p).fish) \
	$(if $(SYSTEMDUNITDIR), \
	    f:$(GEN)/rpcd.service:$(SYSTEMDUNITDIR)/rpcd.service \
	    f:contrib/systemd/rpcd.socket:$(SYSTEMDUNITDIR)/rpcd.socket \
	    f:contrib/systemd/rpcd-admin.socket:$(SYSTEMDUNITDIR)/rpcd-admin.socket \
	    $(if $(filter no,$(QUIC)),, \
	    f:contrib/systemd/rpcd-quic.socket:$(SYSTEMDUNITDIR)/rpcd-quic.socket)) \
	$(if $(SYSUSERSDIR), \
	    f:contrib/systemd/sysusers.conf:$(SYSUSERSDIR)/rpckit.conf) \
	$(if $(TMPFILESDIR), \
	    f:contrib/systemd/tmpfiles.conf:$(TMPFILESDIR)/rpckit.conf) \
	$(if $(SYSCONFDIR), \
	    c:contrib/rpcd.conf:$(SYSCONFDIR)/rpckit/rpcd.conf)

# Folders that are ours alone, innermost first; gone when empty.
OUR_DIRS := $(INCLUDEDIR)/rpckit $(CMAKEDIR) $(DOCDIR)/examples $(DOCDIR) \
	$(if $(SYSCONFDIR),$(SYSCONFDIR)/rpckit)

GENERATED := $(filter $(GEN)/%,$(subst :, ,$(INSTALLED)))

$(GEN)/bash/%: $(B)/bin/%
	@mkdir -p $(@D)
	$< __complete bash >$@
$(GEN)/zsh/_%: $(B)/bin/%
	@mkdir -p $(@D)
	$< __complete zsh >$@
$(GEN)/fish/%.fish: $(B)/bin/%
	@mkdir -p $(@D)
	$< __complete fish >$@

# The folders are in the text, so these are made anew every time.
SUBST = sed -e 's|@VERSION@|$(VERSION)|g' \
	-e 's|@SBINDIR@|$(SBINDIR)|g' \
	-e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' \
	-e 's|@PKGS@|$(LIB_PKGS)|g' \
	-e 's|@PC_PKGS@|$(PC_PKGS)|g' \
	-e 's|@PC_LIBS@|$(PC_LIBS)|g' \
	-e 's|@PC_PREFIX@|$(call relative,$(PKGCONFIGDIR),$(PREFIX))|g' \
	-e 's|@CMAKE_PREFIX@|$(call relative,$(CMAKEDIR),$(PREFIX))|g' \
	-e 's|@LIB@|$(call relative,$(PREFIX),$(LIBDIR))|g' \
	-e 's|@INCLUDE@|$(call relative,$(PREFIX),$(INCLUDEDIR))|g' \
	-e 's|@SOVERSION@|$(SOVERSION)|g'
$(GEN)/rpcd.service: contrib/systemd/rpcd.service.in FORCE
	@mkdir -p $(@D)
	@$(SUBST) $< >$@
$(GEN)/%: contrib/%.in FORCE
	@mkdir -p $(@D)
	@$(SUBST) $< >$@

install: all $(GENERATED)
	@INSTALL='$(INSTALL)' DESTDIR='$(DESTDIR)' \
	    scripts/install put $(INSTALLED)

# From a staged tree or a live one: what install put, and nothing else.
uninstall:
	@DESTDIR='$(DESTDIR)' OUR_DIRS='$(OUR_DIRS)' \
	    scripts/install remove $(INSTALLED)

dist:
	scripts/dist $(VERSION) $(BUILD)

FORCE:
.PHONY: install uninstall dist FORCE
