# make demo        the main job, shown: a real Asterisk, a call nobody answers, a voicemail, the mails that arrive
# make test        everything, on real Asterisk 22 and 16
# make faults      the tests of faults in their whole length, and what they measured
# make test-pythons   the tests that need no Asterisk, on every Python there is
# make install     see README; PREFIX, DESTDIR, PYTHON, ASTETCDIR, ASTAGIDIR
# make uninstall   leaves the settings and the queue

# An interpreter that Asterisk's user may run too: the system's, not one in somebody's home.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) $(shell command -v python3))
VENV ?= .venv
BIN := $(VENV)/bin

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib/pbxnotify
# What asterisk.conf says, if there is one; a section marked (!) is a template and says nothing.
asterisk_conf = $(shell sed -n '/^\[directories\] *$$/,/^\[[a-z]*\]/s/^ *$(1) *=>* *\([^ ;]*\).*/\1/p' \
	$(ASTETCDIR)/asterisk.conf 2>/dev/null | tail -n 1)
ASTETCDIR ?= /etc/asterisk
ASTAGIDIR ?= $(firstword $(call asterisk_conf,astagidir) $(wildcard /usr/share/asterisk/agi-bin) /var/lib/asterisk/agi-bin)
AGI := pbxnotify-missed.agi pbxnotify-voicemail.agi
config = $(if $(filter-out /etc/asterisk,$(ASTETCDIR)), --config $(ASTETCDIR)/pbxnotify.ini)

.PHONY: all test faults test-pythons test-python lint demo install uninstall clean

all: test

$(BIN)/pip:
	@"$(PYTHON)" -m venv --clear "$(VENV)" || { \
		echo "This Python makes no venv. On Debian: apt install python3-venv" >&2; exit 69; }

$(VENV)/tools: setup.cfg pyproject.toml | $(BIN)/pip
	"$(BIN)/pip" install --quiet --disable-pip-version-check --editable '.[test]'
	@touch "$@"

test: $(VENV)/tools lint
	@tests/need-tools sipp sox lame ffmpeg strace postfix saslpasswd2
	"$(BIN)/python" -m pytest $(TESTS)

lint: $(VENV)/tools
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"

# Killed at each system call, 10000 examples of hostile input, minutes of waiting: half an hour.
faults: $(VENV)/tools
	@tests/need-tools sox strace
	PBXNOTIFY_FAULTS=long "$(BIN)/python" -m pytest tests/faults

# The tests that need no Asterisk, on every Python from 3.9 on that is to be found.
test-pythons:
	@for version in 3.9 3.10 3.11 3.12 3.13 3.14 3.15; do \
		python=$$(command -v python$$version) && "$$python" -c '' 2>/dev/null || continue; \
		echo "== Python $$version"; \
		$(MAKE) -s test-python PYTHON="$$python" VENV=".venv-$$version" || exit 1; \
	done

test-python: $(VENV)/tools
	"$(BIN)/python" -m pytest -q --ignore tests/asterisk

demo: $(VENV)/tools
	@tests/need-tools sipp
	@"$(BIN)/python" tests/demo.py

# Package and dependencies in a directory of their own: no venv, no system packages are touched. The AGI scripts run with
# -E and -S: a third of the start of Python is looking for packages that are not used.
install: $(BIN)/pip
	umask 022 && "$(BIN)/pip" install --quiet --disable-pip-version-check --no-warn-script-location --upgrade \
		--target "$(DESTDIR)$(LIBDIR)" .
	rm -rf "$(DESTDIR)$(LIBDIR)/bin"
	install -d -m 755 "$(DESTDIR)$(PREFIX)" "$(DESTDIR)$(PREFIX)/lib" "$(DESTDIR)$(LIBDIR)"
	install -d "$(DESTDIR)$(ASTAGIDIR)" "$(DESTDIR)$(ASTETCDIR)" "$(DESTDIR)$(PREFIX)/bin"
	for script in $(AGI); do \
		sed '1s|.*|#!$(PYTHON) -ES|' "agi-bin/$$script" >"$(DESTDIR)$(LIBDIR)/$$script" && \
		chmod 755 "$(DESTDIR)$(LIBDIR)/$$script" && \
		ln -sfn "$(LIBDIR)/$$script" "$(DESTDIR)$(ASTAGIDIR)/$$script" || exit 1; \
	done
	printf '%s\n' '#!$(PYTHON) -ES' 'import sys' 'sys.path.insert(0, "$(LIBDIR)")' \
		'from pbxnotify.cli import main' 'sys.exit(main())' >"$(DESTDIR)$(PREFIX)/bin/pbxnotify"
	chmod 755 "$(DESTDIR)$(PREFIX)/bin/pbxnotify"
	install -m 644 etc/extensions_pbxnotify.conf "$(DESTDIR)$(ASTETCDIR)/extensions_pbxnotify.conf"
	group=$$([ "$$(id -u)" = 0 ] && getent group asterisk | cut -d: -f1); \
	[ -e "$(DESTDIR)$(ASTETCDIR)/pbxnotify.ini" ] || \
		install -m 640 $${group:+-g $$group} etc/pbxnotify.ini "$(DESTDIR)$(ASTETCDIR)/pbxnotify.ini"
	@echo "Installed. Next:"
	@echo "  1. $${EDITOR:-editor} $(ASTETCDIR)/pbxnotify.ini"
	@echo "  2. $(PREFIX)/bin/pbxnotify check$(config) && $(PREFIX)/bin/pbxnotify test$(config) you@example.com"
	@echo '  3. in extensions.conf: #include "extensions_pbxnotify.conf", and Gosub(pbxnotify,watch,1(101)) before Dial'

uninstall:
	rm -rf "$(DESTDIR)$(LIBDIR)"
	rm -f "$(DESTDIR)$(PREFIX)/bin/pbxnotify" "$(DESTDIR)$(ASTETCDIR)/extensions_pbxnotify.conf" \
		$(foreach script,$(AGI),"$(DESTDIR)$(ASTAGIDIR)/$(script)")
	@echo "Settings ($(ASTETCDIR)/pbxnotify.ini) and queue are left."

clean:
	rm -rf "$(VENV)" .venv-* build *.egg-info .*_cache
