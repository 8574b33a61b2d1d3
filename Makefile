# make demo        the main job, shown: a real Asterisk, a call nobody answers, a voicemail, the mails that arrive
# make test        everything, on real Asterisk 22 and 16
# make faults      the tests of faults in their whole length, and what they measured
# make bench       what a mail about a call costs, beside what people write or use today: tables and a picture, ten minutes;
#                  BENCH=--quick two, BENCH="--only SECTION" a part of it
# make test-pythons   the tests that need no Asterisk, on every Python there is
# make screenshots every mail as Chromium shows it, and the picture in README
# make install     EXTRAS=oauth2 for logins without a password; with any of DESTDIR, PYTHON, PREFIX, BINDIR, LIBDIR, MANDIR, DOCDIR, ASTETCDIR (/etc/asterisk); ASTAGIDIR and
#                  ASTSPOOLDIR (as asterisk.conf says); SCHEDULER (systemd, cron or none), UNITDIR, CRONDIR
# make uninstall   leaves the settings and the queue

# An interpreter that Asterisk's user may run too: the system's, not one in somebody's home.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) $(shell command -v python3))
VENV ?= .venv
BIN := $(VENV)/bin

# Tests start Python some thousand times: what it has compiled is to be kept, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE
# Tests side by side: more than there are cores, for real calls mostly wait for a telephone to ring.
WORKERS ?= 6

.PHONY: all test golden faults bench test-pythons test-python lint demo screenshots install uninstall clean

all: test

$(BIN)/pip:
	@"$(PYTHON)" -m venv $(if $(wildcard $(VENV)/pyvenv.cfg),--clear) "$(VENV)" || { \
		echo "This Python makes no venv. On Debian: apt install python3-venv" >&2; exit 69; }

$(VENV)/tools: setup.cfg pyproject.toml | $(BIN)/pip
	"$(BIN)/pip" install --quiet --disable-pip-version-check --editable '.[test,oauth2]'
	"$(BIN)/python" tests/support/wheels.py
	@touch "$@"

test: $(VENV)/tools lint
	@tests/need-tools sipp sox lame ffmpeg strace postfix saslpasswd2 dovecot systemd-analyze mandoc check_dummy msmtp
	"$(BIN)/python" -m pytest $(or $(TESTS),--numprocesses $(WORKERS))

# Write what is said now into tests/golden/, where it differs from what is kept.
golden: $(VENV)/tools
	"$(BIN)/python" -m pytest --quiet --update-golden --numprocesses $(WORKERS) --ignore tests/calls

lint: $(VENV)/tools
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"

# Killed at each system call, 10000 examples of hostile input, minutes of waiting: half an hour; then as many new examples
# for each property that any test asserts: ten minutes.
faults: $(VENV)/tools
	@tests/need-tools sox strace
	PBXNOTIFY_FAULTS=long "$(BIN)/python" -m pytest tests/faults
	PBXNOTIFY_FAULTS=long "$(BIN)/python" -m pytest -m hypothesis --timeout 0 --ignore tests/calls --ignore tests/faults

$(VENV)/bench-tools: $(VENV)/tools
	"$(BIN)/pip" install --quiet --disable-pip-version-check --editable '.[test,oauth2,bench]'
	@touch "$@"

# It measures, and asserts no time: not a part of `make test`.
bench: $(VENV)/bench-tools
	@tests/need-tools msmtp /usr/bin/time strace postfix saslpasswd2
	"$(BIN)/python" tests/bench/bench.py $(BENCH)

# The tests that need no Asterisk, on every Python from 3.9 on that is to be found.
test-pythons:
	@for version in 3.9 3.10 3.11 3.12 3.13 3.14 3.15; do \
		python=$$(command -v python$$version) && "$$python" -c '' 2>/dev/null || continue; \
		echo "== Python $$version"; \
		$(MAKE) -s test-python PYTHON="$$python" VENV=".venv-$$version" || exit 1; \
	done

test-python: $(VENV)/tools
	"$(BIN)/python" -m pytest --quiet --numprocesses $(WORKERS) --ignore tests/calls

demo: $(VENV)/tools
	@tests/need-tools sipp
	@"$(BIN)/python" tests/demo.py

screenshots: $(VENV)/tools
	@tests/need-tools chromium
	@"$(BIN)/python" tests/screenshots.py

# What is set on the command line is in the environment too.
install: $(BIN)/pip
	@PYTHON="$(PYTHON)" PIP="$(BIN)/pip" etc/install

uninstall:
	@PYTHON="$(PYTHON)" etc/install --remove

clean:
	rm -rf "$(VENV)" .venv-* build *.egg-info .*_cache
