#!/usr/bin/env bash
# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Installs the agent on booted hosts, and sees that a second run changes nothing.

set -eu

play() {
    ansible-playbook play.yml -e @../../integration_config.yml -i "${fleet}" "$@"
}

fleet="$(python -c 'import json; print(json.load(open("../../integration_config.yml"))["stack_fleet"])')"
if [ -z "${fleet}" ]; then
    echo 'There are no hosts: "make integration" as root boots them.' >&2
    exit 1
fi
play "$@"
play "$@" | tee "${OUTPUT_DIR}/second-run"
test "$(grep -c 'changed=0 .*failed=0' "${OUTPUT_DIR}/second-run")" = 3
