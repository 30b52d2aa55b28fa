# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# shellcheck shell=sh
# Runs one host: keeper.sh FOLDER CGROUP IMAGE DISK COMMAND..., where COMMAND boots the tree FOLDER/root.
#
# Whoever started this holds the other end of standard input. When that is closed, by intent or because its holder was
# killed, everything in CGROUP ends. Should this script be killed, the host dies with it: the death signal ends the first
# process of a namespace, and the kernel then ends the others in it.
set -eu
folder=$1 cgroup=$2 image=$3 disk=$4
shift 4

exec 3<&0
{
    cat >/dev/null
    echo 1 >"$cgroup/cgroup.kill"
} <&3 2>/dev/null &
exec 3<&- </dev/null

# The mounts are in a namespace of their own and go with it. What the host writes is kept in memory, or on DISK if that
# is not empty: a file with a file system, where deleted files leave their blocks.
(
    echo 0 >"$cgroup/cgroup.procs"
    # shellcheck disable=SC2016 # expanded by the inner shell
    exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc sh -euc '
        folder=$1 image=$2 disk=$3
        shift 3
        if [ -n "$disk" ]; then
            mount -o loop,nodiscard "$disk" "$folder"
        else
            mount -t tmpfs -o mode=755 fleet "$folder"
        fi
        mkdir "$folder/upper" "$folder/work" "$folder/root"
        mount -t overlay -o "lowerdir=$image,upperdir=$folder/upper,workdir=$folder/work" fleet "$folder/root"
        mkdir -p /run/systemd/nspawn
        mount -t tmpfs -o mode=755 fleet /run/systemd/nspawn
        code=133 # says that the host reboots
        while [ "$code" -eq 133 ]; do
            code=0
            "$@" || code=$?
        done
        exit "$code"
    ' sh "$folder" "$image" "$disk" "$@"
) || echo "the host ended with code $?"

# Folders of a control group are busy until the last process in them has gone.
patience=100
while [ -d "$cgroup" ] && [ "$patience" -gt 0 ]; do
    find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
    patience=$((patience - 1))
done
rm -rf "$folder"
