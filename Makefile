# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Any Python 3.11 or newer runs the tools; they choose the Python for the virtual environment themselves.
HOST_PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PYTHON = $(or $(HOST_PYTHON),$(error Python 3.11 or newer is needed: none found on PATH))
TOOL = $(PYTHON) -m tests.tools.
RUN = $(TOOL)venv run

.DEFAULT_GOAL := help
.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r target text; do \
		printf '  %-12s %s\n' "$$target" "$$text"; done

.PHONY: demo
demo: ## Watch real logins, iam and ec2, against a real server on this machine
	@$(RUN) python -m tests.tools.demo

.PHONY: picture
picture: ## Run the demo, and make the README's picture of it
	@$(RUN) python -m tests.tools.picture

.PHONY: agent
agent: ## Run the agent in the foreground: make agent CONFIG=FILE
	@test -n "$(CONFIG)" || { echo "name its configuration: make agent CONFIG=examples/agent-iam.json"; exit 1; }
	@exec $(RUN) python -m ansible_collections.vaultfleet.aws.plugins.module_utils._agent.cli run --config "$(CONFIG)"

.PHONY: test
test: ## Everything CI runs, with the newest ansible-core that the machine's Pythons allow
	@$(TOOL)suite

.PHONY: test-all
test-all: ## The same with every ansible-core that this machine's Pythons can run
	@$(TOOL)suite --all-cores

.PHONY: test-fast
test-fast: ## The inner loop (under 30 s): ruff, mypy, unit tests but the longest
	@$(TOOL)suite --fast

.PHONY: lint
lint: ## Formatting, ruff, mypy, yamllint, REUSE, changelog, extra checks
	@$(TOOL)suite --only lint

.PHONY: gates
gates: ## Documentation, ansible-lint's production profile, build and import as Galaxy does
	@$(TOOL)suite --only gates

.PHONY: unit
unit: ## Unit tests, also on Python 3.9 where the machine has it
	@$(TOOL)suite --only unit unit-3.9

.PHONY: stack-test
stack-test: ## Tests against the real stack, in one of their own
	@$(TOOL)suite --only stack-test

.PHONY: fleet
fleet: ## Tests on booted systemd hosts (root on Linux)
	@$(TOOL)suite --only fleet

.PHONY: simulation
simulation: ## Ten thousand agents on simulated time, beside Vault Agent's algorithm
	@$(TOOL)venv --lock simulation run python -m tests.simulation

.PHONY: sanity
sanity: ## ansible-test sanity on the newest core
	@$(TOOL)suite --only sanity

.PHONY: units
units: ## ansible-test units on the newest core
	@$(TOOL)suite --only units

.PHONY: integration
integration: ## ansible-test integration on the newest core, against the real stack; also with Python 3.9
	@$(TOOL)suite --only integration integration-3.9

.PHONY: docs
docs: ## Write what the guides show of the code anew, and build the documentation site
	@$(RUN) python -m tests.docs.generated
	@$(TOOL)venv --lock simulation run python -m tests.bench.plots
	@$(TOOL)site

.PHONY: package
package: ## The tarball: what is in it, and that it works where only it was installed
	@$(TOOL)suite --only package

.PHONY: neighbours
neighbours: ## The collections and tools that users have beside this one, installed and used
	@$(TOOL)suite --only neighbours

.PHONY: release
release: ## Write version and changelog of a release into the work tree: make release VERSION=1.2.3
	@$(RUN) python -m tests.tools.release $(VERSION)

.PHONY: format
format: ## Format and fix what ruff can
	@$(RUN) ruff check --fix-only --quiet
	@$(RUN) ruff format

.PHONY: stack-up
stack-up: ## Start Vault, AWS and instance metadata on loopback; see .stack/env
	@$(PYTHON) -m tests.stack up

.PHONY: stack-down
stack-down: ## Stop them
	@$(PYTHON) -m tests.stack down

.PHONY: fleet-up
fleet-up: ## Boot three hosts beside a stack of their own; see .fleet/hosts
	@$(PYTHON) -m tests.fleet up

.PHONY: fleet-down
fleet-down: ## Shut them down
	@$(PYTHON) -m tests.fleet down

.PHONY: bench
bench: ## Compare with the peers, side by side
	@$(TOOL)venv --lock bench run python -m tests.bench.run $(ARGS)

.PHONY: soak
soak: ## A week of the agent, with idle time left out: does it grow, does it keep its token?
	@$(TOOL)venv --lock bench run python -m tests.bench.soak $(ARGS)

.PHONY: chaos
chaos: ## Faults and attacks against real parts, 20 minutes: make chaos ARGS="--seed 1 --minutes 5"
	@$(RUN) python -m tests.chaos $(ARGS)

.PHONY: leaks
leaks: ## Known secrets through every path, looked for in every place (root: on booted hosts, too)
	@$(RUN) python -m tests.leaks $(ARGS)

.PHONY: fuzz
fuzz: ## Ten thousand configurations, options, answers and records that nobody meant to write
	@$(RUN) python -m tests.fuzz $(ARGS)

.PHONY: venv
venv: ## Make the virtual environment; .dev/venv points at it
	@$(TOOL)venv make

.PHONY: locks
locks: ## Write the locks of the tests and of the agent's bundle anew
	@$(TOOL)locks
	@$(TOOL)bundle_locks

.PHONY: clean
clean: ## Remove what runs left in the work tree (the user's cache stays)
	@rm -rf .dev .nox .ansible collections tests/output .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
