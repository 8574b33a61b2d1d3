# make demo        shows the main job: a real Asterisk, a call that nobody answers, a voicemail, and the mails that arrive
# make test        everything, on real Asterisk 22 and 16; TESTS="..." are arguments for pytest, which then runs alone;
#                  WORKERS=N processes side by side
# make lint        ruff and mypy; part of make test
# make golden      rewrites the texts in tests/golden/ with what the program says now
# make faults      the fault tests at full length, with what they measured
# make bench       what a mail about a call costs, compared with what people write or use today: tables and a picture, in
#                  ten minutes; BENCH=--quick takes two, BENCH="--only SECTION" runs a part of it
# make test-pythons   the tests that need no Asterisk, on every Python found
# make screenshots    every mail as Chromium shows it, and the picture in README
# make install     EXTRAS=oauth2 for logins without a password; SCHEDULER=systemd, cron or none; directories: DESTDIR,
#                  PREFIX, BINDIR, LIBDIR, MANDIR, MAN5DIR, DOCDIR, UNITDIR, CRONDIR, ASTETCDIR (/etc/asterisk), ASTAGIDIR
#                  and ASTSPOOLDIR (as in asterisk.conf); ASTUSER (who Asterisk runs as; the owner of ASTSPOOLDIR);
#                  PYTHON
# make uninstall   keeps the settings and the queue
# make deb         the Debian package, in build/
# make test-debian    on minimal systems of Debian 12, 13 and sid (SUITES="..."), with their own systemd as process 1: the
#                  package installed, upgraded, removed; then make demo and make test (ONLY=deb, demo or everything)

# The system's interpreter, not one in somebody's home: Asterisk's user has to be able to run it.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) $(shell command -v python3))
VENV ?= .venv
BIN := $(VENV)/bin
PIP_INSTALL := "$(BIN)/pip" install --disable-pip-version-check

# Tests start Python thousands of times: keep what it compiles, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE
# More processes than cores: tests of real calls mostly wait for a phone to ring.
WORKERS ?= 6

.PHONY: all test golden faults bench test-pythons test-python test-debian lint demo screenshots \
	may-install install uninstall deb clean

all: test

$(BIN)/pip:
	@tests/quietly "making a venv" "$(PYTHON)" -m venv $(if $(wildcard $(VENV)/pyvenv.cfg),--clear) "$(VENV)" || { \
		echo "This Python cannot create a venv. On Debian: apt install python3-venv" >&2; exit 69; }

$(VENV)/tools: setup.cfg pyproject.toml | $(BIN)/pip
	@tests/quietly "installing what the tests need, 300 MB" $(PIP_INSTALL) --editable '.[test,oauth2]'
	@tests/quietly "fetching what an installation needs" "$(BIN)/python" tests/support/wheels.py
	@touch "$@"

# Of all that the tests need, what the demonstration does.
$(VENV)/demo-tools: setup.cfg pyproject.toml | $(BIN)/pip
	@tests/quietly "installing what the demonstration needs, 5 MB" $(PIP_INSTALL) '.[demo]'
	@touch "$@"

test: $(VENV)/tools lint
	@tests/need-tools sipp sox lame ffmpeg strace postfix saslpasswd2 dovecot systemd-analyze mandoc check_dummy \
		msmtp chattr dh dh_python3 dpkg-buildpackage lintian
	"$(BIN)/python" -m pytest $(or $(TESTS),--numprocesses $(WORKERS))

golden: $(VENV)/tools
	"$(BIN)/python" -m pytest --quiet --update-golden --numprocesses $(WORKERS) --ignore tests/calls

lint: $(VENV)/tools
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"

# Killed at each system call, 10000 examples of hostile input, minutes of waiting: half an hour. Then as many new examples
# of every property that a test asserts: ten minutes.
faults: $(VENV)/tools
	@tests/need-tools sox strace
	PBXNOTIFY_FAULTS=long "$(BIN)/python" -m pytest tests/faults
	PBXNOTIFY_FAULTS=long "$(BIN)/python" -m pytest -m hypothesis --timeout 0 --ignore tests/calls --ignore tests/faults

$(VENV)/bench-tools: $(VENV)/tools
	@tests/quietly "installing what the bench needs" $(PIP_INSTALL) --editable '.[test,oauth2,bench]'
	@touch "$@"

# Measures, and asserts no time: not part of `make test`.
bench: $(VENV)/bench-tools
	@tests/need-tools msmtp /usr/bin/time strace postfix saslpasswd2
	"$(BIN)/python" tests/bench/bench.py $(BENCH)

# The tests that need no Asterisk, on every Python from 3.9 on that is installed.
test-pythons:
	@for version in 3.9 3.10 3.11 3.12 3.13 3.14 3.15; do \
		python=$$(command -v python$$version) && "$$python" -c '' 2>/dev/null || continue; \
		echo "== Python $$version"; \
		$(MAKE) -s test-python PYTHON="$$python" VENV=".venv-$$version" || exit 1; \
	done

test-python: $(VENV)/tools
	"$(BIN)/python" -m pytest --quiet --numprocesses $(WORKERS) --ignore tests/calls

SUITES ?= bookworm trixie sid

test-debian: $(VENV)/tools
	@tests/need-tools mmdebstrap dh dh_python3 dpkg-buildpackage lintian
	PBXNOTIFY_DEBIAN="$(SUITES)" "$(BIN)/python" -m pytest --timeout 0 tests/system/test_deb.py \
		tests/system/test_two_commands.py $(if $(ONLY),-k $(ONLY))

demo: $(firstword $(wildcard $(VENV)/tools) $(VENV)/demo-tools)
	@"$(BIN)/python" tests/demo.py

screenshots: $(VENV)/tools
	@tests/need-tools chromium
	@"$(BIN)/python" tests/screenshots.py

may-install:
	@PYTHON="$(PYTHON)" etc/install --may

# Variables set on the command line of make are in the environment of etc/install too.
install: may-install $(BIN)/pip
	@PYTHON="$(PYTHON)" PIP="$(BIN)/pip" etc/install

uninstall:
	@PYTHON="$(PYTHON)" etc/install --remove

deb: $(BIN)/pip
	@tests/need-tools dh dh_python3 dpkg-buildpackage
	@PIP="$(BIN)/pip" etc/deb

clean:
	rm -rf "$(VENV)" .venv-* build *.egg-info .*_cache
